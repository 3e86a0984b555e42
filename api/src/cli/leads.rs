//! `anze leads`: leads for enforcement, and deciding about them.

use anze_queries::{LeadRequest, MOST_ROWS};
use chrono::NaiveDate;
use clap::{Args, Subcommand};
use serde_json::{Map, Value};

use super::metrics::distinct;
use super::noted::{Handed, note};
use super::{Desk, ReleaseArgs, pair};
use crate::deployment::Deployment;
use crate::exit::Outcome;
use crate::leads::LeadQuestion;
use crate::output::Report;
use crate::permission::Permission;
use crate::problem::Problem;
use crate::reviewing::{self, Decision, Review};

/// Leads for enforcement, and what is decided about them
#[derive(Debug, Subcommand)]
pub enum Leads {
    /// The leads of a kind; without one, how many there are of each
    List(Box<List>),
    /// A lead holds
    Confirm(Decide),
    /// A lead does not hold
    Dismiss(Decide),
}

/// The leads of a kind
#[derive(Debug, Args)]
pub struct List {
    /// The kind, for example uninsured
    kind: Option<String>,
    /// Only these, repeatable: --where city=330100; city, county, sector, department, insurer, subject, state
    #[arg(long = "where", value_name = "DIM=MEMBER", value_parser = pair)]
    filters: Vec<(String, String)>,
    #[command(flatten)]
    days: Days,
    /// As if nothing after this day were known [default: the day of the release]
    #[arg(long, value_name = "DAY")]
    observed_until: Option<NaiveDate>,
    /// A parameter of the kind, repeatable: --param days=30
    #[arg(long = "param", value_name = "NAME=VALUE", value_parser = pair)]
    params: Vec<(String, String)>,
    #[command(flatten)]
    release: ReleaseArgs,
    /// Only those that did not stand in this earlier release
    #[arg(long, value_name = "N", requires = "kind")]
    since: Option<u64>,
    /// At most so many [default: all]
    #[arg(long, value_name = "ROWS", requires = "kind")]
    limit: Option<usize>,
}

/// The days that leads are about
#[derive(Debug, Args)]
pub struct Days {
    /// The day, for kinds of a day [default: the day of the release]
    #[arg(long, value_name = "DAY")]
    as_of: Option<NaiveDate>,
    /// First day, for kinds of a period [default: 1 January]
    #[arg(long, value_name = "DAY")]
    from: Option<NaiveDate>,
    /// First day after the period: exclusive. The first half of 2026 is
    /// --from 2026-01-01 --to 2026-07-01 [default: the day after the release's]
    #[arg(long, value_name = "DAY", verbatim_doc_comment)]
    to: Option<NaiveDate>,
}

/// What is decided
#[derive(Debug, Args)]
pub struct Decide {
    /// Its lead_id; anze leads list KIND shows them
    id: String,
    /// Why
    #[arg(long)]
    reason: String,
    #[command(flatten)]
    days: Days,
}

impl Leads {
    pub(super) async fn run(self, desk: &Desk) -> anyhow::Result<Outcome> {
        let deployment = desk.deployment()?;
        let report = match self {
            Self::List(list) if list.kind.is_some() => list.of_kind(&deployment).await?,
            Self::List(list) => list.counts(&deployment).await?,
            Self::Confirm(decide) => decide.run(&deployment, Decision::Confirmed).await?,
            Self::Dismiss(decide) => decide.run(&deployment, Decision::Dismissed).await?,
        };
        desk.terminal.print(&report)?;
        Ok(Outcome::Done)
    }
}

impl List {
    async fn of_kind(self, deployment: &Deployment) -> anyhow::Result<Report> {
        let question = self.question()?;
        let mut left = self.limit.unwrap_or(usize::MAX);
        let mut rows: Vec<Map<String, Value>> = Vec::new();
        let mut cursor = None;
        loop {
            let page = LeadQuestion { cursor, limit: left.clamp(1, MOST_ROWS), ..question.clone() };
            let granted = page.granted(deployment, &Permission::operator()).await?;
            let mut page = granted.page().await?;
            let found = page.get_mut("rows").and_then(Value::as_array_mut).map(std::mem::take).unwrap_or_default();
            left = left.saturating_sub(found.len());
            rows.extend(found.into_iter().filter_map(|row| match row {
                Value::Object(row) => Some(row),
                _ => None,
            }));
            cursor = page["next"].as_str().map(str::to_owned);
            if cursor.is_none() || left == 0 {
                let handed = Handed {
                    action: "leads",
                    dataset: None,
                    metric: None,
                    request: format!("leads list {}", question.request.kind.as_deref().unwrap_or_default()),
                    release: page["release"].as_u64().unwrap_or_default(),
                    rows: Some(rows.len()),
                };
                note(deployment, handed).await?;
                return Ok(listed(page, rows));
            }
        }
    }

    async fn counts(self, deployment: &Deployment) -> anyhow::Result<Report> {
        let granted = self.question()?.granted(deployment, &Permission::operator()).await?;
        let counts = granted.counts().await?;
        let kinds = counts["kinds"].as_array().into_iter().flatten().filter_map(|kind| kind.as_object().cloned());
        let mut report =
            Report::list("kinds", &["kind", "title", "title_en", "open", "confirmed", "dismissed"], kinds.collect());
        report.json = counts;
        Ok(report)
    }

    fn question(&self) -> anyhow::Result<LeadQuestion> {
        let request = LeadRequest {
            kind: self.kind.clone(),
            as_of: self.days.as_of,
            from: self.days.from,
            to: self.days.to,
            observed_until: self.observed_until,
            filters: distinct("--where", &self.filters)?,
            params: distinct("--param", &self.params)?,
            ..LeadRequest::default()
        };
        Ok(LeadQuestion { request, release: self.release.choice()?, since: self.since, cursor: None, limit: 0 })
    }
}

impl Decide {
    async fn run(self, deployment: &Deployment, state: Decision) -> anyhow::Result<Report> {
        let Days { as_of, from, to } = self.days;
        let review = Review { state, reason: self.reason, as_of, from, to };
        match reviewing::run(deployment, &self.id, &review).await? {
            Value::Object(done) => Ok(Report::of_one(done)),
            _ => Err(Problem::internal(&"an answer is no object").into()),
        }
    }
}

/// The columns of a table for people; JSON and CSV have more.
const SHOWN: [&str; 13] = [
    "lead_id",
    "state",
    "subject_id",
    "subject_name",
    "region_name",
    "sector",
    "insurer_code",
    "since",
    "amount",
    "heads",
    "rule_id",
    "dataset",
    "key",
];

fn listed(mut page: Value, rows: Vec<Map<String, Value>>) -> Report {
    let title = format!(
        "{} {} · release {} · {} 条",
        page["title"].as_str().unwrap_or_default(),
        page["title_en"].as_str().unwrap_or_default(),
        page["release"],
        rows.len()
    );
    page["rows"] = rows.iter().cloned().map(Value::Object).collect();
    let columns = SHOWN.iter().map(|name| (*name).to_owned()).collect();
    Report { json: page, caption: vec![title], columns, rows, ..Report::default() }
}
