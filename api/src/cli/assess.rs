//! `anze assess`: schemes run, frozen, explained, proved and circulated.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context;
use chrono::{NaiveDate, Utc};
use clap::{Args, Subcommand};
use serde_json::{Map, Value, json};

use super::noted::{Handed as Noted, note};
use super::{Desk, ReleaseArgs, pair};
use crate::assessment::{self, Handed, RunAsk};
use crate::deployment::Deployment;
use crate::exit::{Misuse, Outcome};
use crate::output::Report;
use crate::permission::Permission;

/// Target-responsibility assessments (目标责任考核)
#[derive(Debug, Subcommand)]
pub enum Assess {
    /// The schemes that can be run
    Schemes,
    /// Compute a scheme on a release and keep it as a draft
    Run(Run),
    /// All assessments, the newest first
    List,
    /// Scores, ranks and grades of one assessment
    Show {
        /// Its id; anze assess list shows them
        id: String,
    },
    /// From a subject's total down to the landed lines
    Explain {
        /// The assessment
        id: String,
        /// The subject's code
        subject: String,
        /// Only this indicator
        #[arg(long, value_name = "METRIC")]
        indicator: Option<String>,
        /// Rows of each indicator
        #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u16).range(0..=5))]
        rows: u16,
    },
    /// Make a draft final: it joins the chain and never changes
    Freeze {
        /// The draft
        id: String,
    },
    /// Prove a frozen assessment: its bytes, every file it rests on, every number
    Verify {
        /// The assessment
        id: String,
    },
    /// What moved between two assessments, and why
    Diff {
        /// The earlier one
        before: String,
        /// The later one
        after: String,
    },
    /// The scores under other weights; nothing is kept
    WhatIf {
        /// The assessment
        id: String,
        /// A weight, repeatable: --weight coverage_rate=30; those not named stay, all must sum to 100
        #[arg(long = "weight", value_name = "METRIC=WEIGHT", value_parser = pair, required = true)]
        weights: Vec<(String, String)>,
    },
    /// Write an assessment as a workbook (xlsx)
    Export {
        /// The assessment
        id: String,
        /// The file
        #[arg(short, long, value_name = "FILE.xlsx")]
        output: PathBuf,
    },
    /// Give a draft up; its release is no longer kept for it
    Drop {
        /// The draft
        id: String,
    },
}

/// Compute a scheme on a release and keep it as a draft
#[derive(Debug, Args)]
pub struct Run {
    /// The scheme; anze assess schemes shows them
    scheme: String,
    /// First day of the period [default: the last period that is over]
    #[arg(long, value_name = "DAY")]
    from: Option<NaiveDate>,
    /// First day after the period: exclusive. The year 2025 is
    /// --from 2025-01-01 --to 2026-01-01 [default: the end of the period]
    #[arg(long, value_name = "DAY", verbatim_doc_comment)]
    to: Option<NaiveDate>,
    /// Who is assessed: city, county, department or insurer [default: as the scheme says]
    #[arg(long, value_name = "KIND")]
    subjects: Option<String>,
    /// The assessment that this one corrects
    #[arg(long, value_name = "ID")]
    succeeds: Option<String>,
    #[command(flatten)]
    release: ReleaseArgs,
}

impl Assess {
    pub(super) async fn run(self, desk: &Desk) -> anyhow::Result<Outcome> {
        let deployment = Arc::new(desk.deployment()?);
        let operator = Permission::operator();
        let report = match self {
            Self::Schemes => schemes(&deployment),
            Self::Run(run) => {
                let (ask, release) = run.ask()?;
                let handed = assessment::run(&deployment, ask, release, "operator".to_owned()).await?;
                noted(&deployment, &handed, "run", handed.assessment.scores.subjects.len()).await?;
                assessment::scored(&handed, &handed.assessment.scores)
            }
            Self::List => assessment::listed(assessment::list(&deployment, &operator).await?),
            Self::Show { id } => {
                let handed = assessment::handed(&deployment, &id, &operator).await?;
                noted(&deployment, &handed, "show", handed.assessment.scores.subjects.len()).await?;
                assessment::scored(&handed, &handed.assessment.scores)
            }
            Self::Explain { id, subject, indicator, rows } => {
                let handed = assessment::handed(&deployment, &id, &operator).await?;
                let rows = usize::from(rows);
                let explained =
                    assessment::explain(&deployment, &handed, &subject, indicator.as_deref(), rows, &operator).await?;
                noted(&deployment, &handed, &format!("explain {subject}"), explained.rows()).await?;
                let text = Some(assessment::subject_text(&explained.json));
                Report { json: explained.json, text, ..Report::default() }
            }
            Self::Freeze { id } => {
                let handed = assessment::freeze(&deployment, &id).await?;
                Report::of_one(handed.header())
            }
            Self::Verify { id } => {
                let found = deployment.book().verify(&id).await.map_err(assessment::no_such)?;
                desk.terminal.print(&assessment::verified(&found))?;
                return Ok(if found.sound { Outcome::Done } else { Outcome::Findings });
            }
            Self::Diff { before, after } => {
                let succession = deployment.book().difference(&before, &after).await.map_err(assessment::no_such)?;
                let handed = assessment::handed(&deployment, &after, &operator).await?;
                noted(&deployment, &handed, &format!("diff {before}"), succession.rows()).await?;
                assessment::changed(&succession)
            }
            Self::WhatIf { id, weights } => {
                let handed = assessment::handed(&deployment, &id, &operator).await?;
                let weights: BTreeMap<String, String> = weights.into_iter().collect();
                let scores = assessment::under_weights(&deployment, &handed, &weights, &operator)?;
                what_if(&handed, scores)
            }
            Self::Export { id, output } => {
                let handed = assessment::handed(&deployment, &id, &operator).await?;
                let exported = assessment::workbook(&deployment, &handed).await?;
                noted(&deployment, &handed, "export", exported.rows).await?;
                let bytes = exported.bytes;
                std::fs::write(&output, &bytes).with_context(|| format!("cannot write {}", output.display()))?;
                desk.terminal.say(&format!("{} ({} bytes)", output.display(), bytes.len()));
                return Ok(Outcome::Done);
            }
            Self::Drop { id } => {
                deployment.book().drop_draft(&id, "operator", Utc::now()).await.map_err(assessment::no_such)?;
                desk.terminal.say(&format!("{id} 已放弃 dropped"));
                return Ok(Outcome::Done);
            }
        };
        desk.terminal.print(&report)?;
        Ok(Outcome::Done)
    }
}

/// Notes that an assessment, or the rows behind it, are handed out.
async fn noted(deployment: &Deployment, handed: &Handed, what: &str, rows: usize) -> anyhow::Result<()> {
    let one = &handed.assessment;
    let action = if what == "export" { "export" } else { "assessment" };
    let request = format!("assess {what} {}", one.id);
    let noted = Noted { action, dataset: None, metric: None, request, release: one.release.release, rows: Some(rows) };
    note(deployment, noted).await
}

impl Run {
    fn ask(self) -> anyhow::Result<(RunAsk, crate::release_choice::ReleaseChoice)> {
        if self.subjects.as_deref().is_some_and(|name| anze_queries::assessment::SubjectKind::parse(name).is_none()) {
            let name = self.subjects.unwrap_or_default();
            return Err(Misuse::new(format!("--subjects {name}: give city, county, department or insurer")).into());
        }
        let ask = RunAsk {
            scheme: self.scheme,
            from: self.from,
            to: self.to,
            subjects: self.subjects,
            release: None,
            succeeds: self.succeeds,
        };
        Ok((ask, self.release.choice()?))
    }
}

fn schemes(deployment: &Deployment) -> Report {
    let row = |scheme: &anze_queries::assessment::Scheme| {
        let indicators: Vec<Value> = scheme
            .indicators
            .iter()
            .map(|one| json!({"metric": one.metric, "weight": one.weight(), "scoring": one.scoring.to_string()}))
            .collect();
        let row = json!({
            "id": scheme.id, "title": scheme.title, "version": scheme.version, "subjects": scheme.subjects,
            "valid_from": scheme.valid_from, "valid_to": scheme.valid_to, "indicators": indicators,
        });
        row.as_object().cloned().unwrap_or_default()
    };
    let rows: Vec<Map<String, Value>> = deployment.schemes().schemes().iter().map(row).collect();
    Report::list("schemes", &["id", "title", "version", "subjects", "valid_from", "valid_to"], rows)
}

/// Totals, ranks and grades before and after.
fn what_if(handed: &Handed, scores: anze_queries::assessment::Scores) -> Report {
    let rows: Vec<Map<String, Value>> = assessment::before_and_after(handed, &scores);
    let columns = Report::columns_of(&rows);
    let caption = vec![format!("{} · 试算，未保存 tried only, nothing is kept", handed.assessment.id)];
    Report { caption, columns, ..Report::list("rows", &[], rows) }
}
