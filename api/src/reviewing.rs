//! Deciding about a lead: who, when, why. Written beside the tables, at once and for ever; the last
//! decision stands.

use anyhow::bail;
use anze_queries::{Lead, LeadRequest, lead};
use anze_warehouse::live::LiveRow;
use anze_warehouse::warehouse::Holder;
use chrono::{DateTime, NaiveDate, SecondsFormat, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::sync::Mutex;

use crate::deployment::Deployment;
use crate::permission::{Access, Permission};
use crate::problem::Problem;
use crate::release_choice::ReleaseChoice;
use crate::{handover, writer};

/// A decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Decision {
    /// 属实
    Confirmed,
    /// 排除
    Dismissed,
}

/// What is decided about a lead, and on which days it stands where that is not the present ones.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Review {
    pub state: Decision,
    pub reason: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub as_of: Option<NaiveDate>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<NaiveDate>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<NaiveDate>,
}

/// One review after the other: two of one instant would be one.
static TURN: Mutex<()> = Mutex::const_new(());

/// Writes a review of a lead that stands in the newest release and in the reviewer's reach.
pub async fn record(
    deployment: &Deployment,
    permission: &Permission,
    lead_id: &str,
    review: &Review,
    by: &str,
) -> Result<Value, Problem> {
    let standing = standing(deployment, permission, lead_id, review).await?;
    let _turn = TURN.lock().await;
    let file = deployment.warehouse().live("lead_review")?;
    let last = file.rows()?.iter().filter(|row| row.get("lead_id") == Some(&json!(lead_id))).filter_map(moment).max();
    // Never before the last one, whatever the clock says: the last one stands.
    let now = Utc::now();
    let reviewed_at = last.map_or(now, |last| now.max(last + chrono::TimeDelta::microseconds(1)));
    let row = json!({
        "lead_id": lead_id,
        "state": review.state,
        "reviewed_by": by,
        "reviewed_at": reviewed_at.to_rfc3339_opts(SecondsFormat::Micros, true),
        "reason": review.reason.trim(),
    });
    file.append(&row.as_object().cloned().into_iter().collect::<Vec<_>>())?;
    Ok(json!({
        "lead_id": lead_id,
        "kind": standing.kind,
        "subject_id": standing.subject_id,
        "before": standing.state,
        "state": review.state,
        "reviewed_by": by,
        "reviewed_at": crate::output::instant(reviewed_at),
        "reason": review.reason.trim(),
    }))
}

/// Decides from the command line: in the running server if there is one, else in this process.
pub async fn run(deployment: &Deployment, lead_id: &str, review: &Review) -> anyhow::Result<Value> {
    let holder = deployment.warehouse().writer_holder()?;
    if let Some(Holder { address: Some(address), secret: Some(secret), .. }) = holder {
        if !lead_id.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            bail!(Problem::not_found("no_such_lead", format!("`{lead_id}` is no name of a lead")));
        }
        let path = format!("/api/v1/leads/{lead_id}/review");
        return handover::ask(&address, &secret, &path, &serde_json::to_value(review)?).await;
    }
    let _writer = deployment.warehouse().writer(&writer::holder("anze leads"), writer::WAIT).await?;
    Ok(record(deployment, &Permission::operator(), lead_id, review, "operator").await?)
}

/// The lead, where it stands and may be decided about.
async fn standing(
    deployment: &Deployment,
    permission: &Permission,
    lead_id: &str,
    review: &Review,
) -> Result<Lead, Problem> {
    permission.may(Access::Review)?;
    if review.reason.trim().is_empty() {
        return Err(Problem::bad_request("bad_body", "say why: `reason` is empty"));
    }
    let release = deployment.release(ReleaseChoice::Latest).await?;
    let request = LeadRequest {
        as_of: review.as_of,
        from: review.from,
        to: review.to,
        within: permission.leads()?,
        ..LeadRequest::default()
    };
    lead(&release, &request, lead_id).await?.ok_or_else(|| {
        let detail = format!(
            "no lead `{lead_id}` stands in release {} within your scope; a lead of other days is named with as_of, or from and to",
            release.number()
        );
        Problem::not_found("no_such_lead", detail)
    })
}

fn moment(row: &LiveRow) -> Option<DateTime<Utc>> {
    DateTime::parse_from_rfc3339(row.get("reviewed_at")?.as_str()?).ok().map(|at| at.to_utc())
}
