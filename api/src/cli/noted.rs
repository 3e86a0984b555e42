//! Rows handed out at the command line are noted like those handed out over HTTP.

use chrono::Utc;

use crate::access_log::{AccessLog, Accessed};
use crate::deployment::Deployment;
use crate::permission::Role;

/// What a command is about to hand out.
pub(super) struct Handed<'a> {
    pub(super) action: &'static str,
    pub(super) dataset: Option<&'a str>,
    pub(super) metric: Option<&'a str>,
    pub(super) request: String,
    pub(super) release: u64,
    pub(super) rows: Option<usize>,
}

/// Notes it. Whoever may read the folder and not write to it sees the rows all the same, and is told.
pub(super) async fn note(deployment: &Deployment, handed: Handed<'_>) -> anyhow::Result<()> {
    let accessed = Accessed {
        at: Utc::now(),
        token_id: None,
        role: Role::Admin,
        door: "cli",
        action: handed.action,
        dataset: handed.dataset.map(str::to_owned),
        metric_id: handed.metric.map(str::to_owned),
        request: handed.request,
        request_id: None,
        release: Some(handed.release),
        rows: handed.rows.and_then(|rows| u64::try_from(rows).ok()),
        outcome: "given",
    };
    let log = AccessLog::new(deployment.warehouse().access_log()?);
    if let Err(problem) = log.note(accessed).await {
        tracing::warn!(cause = problem.cause, "this access is not in the log: the folder cannot be written to");
    }
    Ok(())
}
