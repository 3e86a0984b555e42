//! Assessments as callers are handed them: the same for command line, HTTP and pages.

mod explained;
mod report;
mod workbook;

use std::collections::BTreeMap;
use std::time::Duration;

use anze_queries::assessment::{Asked, Assessment, Scores, SubjectKind, SubjectScore, what_if};
use anze_warehouse::warehouse::Holder;
use chrono::{NaiveDate, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

pub use explained::explain;
pub use report::{changed, listed, scored, subject_text, verified};
pub use workbook::workbook;

use crate::deployment::Deployment;
use crate::output::instant;
use crate::permission::Permission;
use crate::problem::Problem;
use crate::release_choice::ReleaseChoice;
use crate::{handover, writer};

/// So long a server that does not write waits for whoever does.
const WAIT: Duration = Duration::from_secs(5);

/// What somebody wants assessed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunAsk {
    pub scheme: String,
    #[serde(default)]
    pub from: Option<NaiveDate>,
    #[serde(default)]
    pub to: Option<NaiveDate>,
    #[serde(default)]
    pub subjects: Option<String>,
    #[serde(default)]
    pub release: Option<u64>,
    #[serde(default)]
    pub succeeds: Option<String>,
}

/// An assessment with its SHA-256, limited to what the caller may see.
#[derive(Debug, Clone)]
pub struct Handed {
    pub assessment: Assessment,
    pub sha256: Option<String>,
}

/// Runs a scheme and keeps the draft.
pub async fn run(deployment: &Deployment, ask: RunAsk, release: ReleaseChoice, by: String) -> Result<Handed, Problem> {
    let release = deployment.release(release).await?;
    let subjects = ask.subjects.as_deref().map(|name| {
        SubjectKind::parse(name).ok_or_else(|| {
            let detail = format!("`subjects`: `{name}` is none of city, county, department, insurer");
            Problem::bad_request("bad_parameter", detail)
        })
    });
    let asked = Asked {
        scheme: ask.scheme,
        from: ask.from,
        to: ask.to,
        subjects: subjects.transpose()?,
        succeeds: ask.succeeds,
        by,
        at: Utc::now(),
    };
    let assessment = deployment.book().run(deployment.schemes(), &release, &asked).await?;
    Ok(Handed { assessment, sha256: None })
}

/// An assessment, as far as the caller may see it.
pub async fn handed(deployment: &Deployment, id: &str, permission: &Permission) -> Result<Handed, Problem> {
    let (assessment, sha256) = deployment.book().get(id).await.map_err(no_such)?;
    Ok(Handed { assessment: permission.handed_out(assessment)?, sha256 })
}

/// The assessments that the caller may see, the newest first.
pub async fn list(deployment: &Deployment, permission: &Permission) -> Result<Vec<Map<String, Value>>, Problem> {
    let listed = deployment.book().list().await?;
    let seen = listed.into_iter().filter(|one| permission.sees_assessment(one.subjects, one.state));
    Ok(seen.map(|one| in_local_time(json!(one))).collect())
}

/// Freezes in this process, which holds the lease or takes it.
pub async fn freeze_here(deployment: &Deployment, id: &str, by: &str, writes: bool) -> Result<Handed, Problem> {
    let book = deployment.book();
    let lease = match writes {
        true => None,
        false => {
            let holder = writer::holder("anze assess freeze");
            let wait = if by == "operator" { writer::WAIT } else { WAIT };
            Some(deployment.warehouse().writer(&holder, wait).await.map_err(busy)?)
        }
    };
    let frozen = book.freeze(id, by, Utc::now()).await.map_err(no_such);
    drop(lease);
    let (assessment, sha256) = frozen?;
    Ok(Handed { assessment, sha256: Some(sha256) })
}

/// Freezes wherever the writer is: in the running server if there is one, else in this process.
pub async fn freeze(deployment: &Deployment, id: &str) -> anyhow::Result<Handed> {
    if let Some(Holder { address: Some(address), secret: Some(secret), .. }) = deployment.warehouse().writer_holder()? {
        handover::ask(&address, &secret, &format!("/api/v1/assessments/{id}/freeze"), &json!({})).await?;
        let (assessment, sha256) = deployment.book().get(id).await?;
        return Ok(Handed { assessment, sha256 });
    }
    Ok(freeze_here(deployment, id, "operator", false).await?)
}

/// The scores under other weights; nothing is kept.
pub fn under_weights(
    deployment: &Deployment,
    handed: &Handed,
    weights: &BTreeMap<String, String>,
    permission: &Permission,
) -> Result<Scores, Problem> {
    if !permission.sees_every_subject() {
        let detail = "只有可见全部对象者可试算权重 / other weights are tried by those who see every subject".to_owned();
        return Err(Problem::forbidden("outside_scope", detail));
    }
    Ok(what_if(deployment.catalogue(), &handed.assessment, weights)?)
}

impl Handed {
    /// What it is, without scores.
    pub fn header(&self) -> Map<String, Value> {
        let one = &self.assessment;
        let header = json!({
            "assessment_id": one.id,
            "state": one.state,
            "title": one.title,
            "scheme": {"id": one.scheme.id, "version": one.scheme.version, "sha256": one.scheme.sha256},
            "subjects": one.subjects,
            "period": one.period.name,
            "from": one.period.from,
            "to": one.period.to,
            "partial": one.period.partial,
            "release": one.release.release,
            "observed_until": one.release.day,
            "reviews_until": instant(one.reviews_until),
            "created_at": instant(one.created_at),
            "created_by": one.created_by,
            "frozen_at": one.frozen_at.map(instant),
            "frozen_by": one.frozen_by,
            "number": one.number,
            "previous": one.previous,
            "sha256": self.sha256,
            "succeeds": one.succeeds.as_ref().map(|succession| &succession.id),
        });
        header.as_object().cloned().unwrap_or_default()
    }

    /// All of it: a row for each subject, the indicators, and what else was recorded.
    pub fn json(&self) -> Value {
        let mut answer = self.header();
        let scores = &self.assessment.scores;
        answer.insert("indicators".to_owned(), json!(scores.indicators));
        answer.insert("rows".to_owned(), Value::Array(scores.subjects.iter().map(row).map(Value::Object).collect()));
        answer.insert("outside".to_owned(), json!(scores.outside));
        answer.insert("leads".to_owned(), json!(scores.leads));
        answer.insert("rules".to_owned(), json!(scores.rules));
        answer.insert("succession".to_owned(), json!(self.assessment.succeeds));
        Value::Object(answer)
    }

    /// A subject by code.
    pub fn subject(&self, code: &str) -> Result<&SubjectScore, Problem> {
        self.assessment.scores.subject(code).ok_or_else(|| {
            let (id, kind) = (&self.assessment.id, self.assessment.subjects.name());
            Problem::not_found("no_such_subject", format!("{id} has no {kind} `{code}` that you may see"))
        })
    }
}

/// A subject in one row: rank, total, grade, and the points of each indicator.
pub fn row(subject: &SubjectScore) -> Map<String, Value> {
    let mut row = Map::new();
    let mut put = |name: &str, value: Value| row.insert(name.to_owned(), value);
    put("rank", json!(subject.rank));
    put("subject", json!(subject.code));
    put("subject_name", json!(subject.name));
    put("total", json!(subject.total));
    put("grade", json!(subject.grade));
    put("provisional", json!(subject.is_provisional()));
    for indicator in &subject.indicators {
        put(&indicator.metric, json!(indicator.points));
    }
    row
}

/// Instants with +08:00, as every answer shows them.
fn in_local_time(value: Value) -> Map<String, Value> {
    let mut row = value.as_object().cloned().unwrap_or_default();
    for name in ["created_at", "frozen_at"] {
        let at = row.get(name).and_then(Value::as_str).and_then(|text| text.parse().ok());
        if let Some(at) = at {
            row.insert(name.to_owned(), json!(instant(at)));
        }
    }
    row
}

/// An unknown name is not found rather than a bad question.
pub fn no_such(error: anze_queries::Error) -> Problem {
    let message = error.to_string();
    match message.starts_with("no assessment") || message.starts_with("no frozen assessment") {
        true => Problem::not_found("no_such_assessment", message),
        false => error.into(),
    }
}

fn busy(error: anze_warehouse::Error) -> Problem {
    match error.kind() {
        anze_warehouse::ErrorKind::Busy => Problem::new(
            axum::http::StatusCode::SERVICE_UNAVAILABLE,
            "no_writer",
            "另有程序正在写入",
            "Another program writes",
            error.to_string(),
        ),
        _ => error.into(),
    }
}

/// Totals, ranks and grades as they are kept and as they would be.
pub fn before_and_after(handed: &Handed, scores: &Scores) -> Vec<Map<String, Value>> {
    let row = |subject: &SubjectScore| {
        let kept = handed.assessment.scores.subject(&subject.code);
        let row = json!({
            "subject": subject.code,
            "subject_name": subject.name,
            "rank": subject.rank,
            "total": subject.total,
            "grade": subject.grade,
            "rank_kept": kept.and_then(|kept| kept.rank),
            "total_kept": kept.and_then(|kept| kept.total.clone()),
            "grade_kept": kept.and_then(|kept| kept.grade.clone()),
        });
        row.as_object().cloned().unwrap_or_default()
    };
    scores.subjects.iter().map(row).collect()
}
