//! Being the one writer from a command, or handing the work to the server that is.

use std::sync::Arc;
use std::time::Duration;

use anze_ingest::Ingest;
use anze_ingest::clock::Clock;
use anze_warehouse::warehouse::Holder;
use serde_json::Value;

use crate::deployment::Deployment;
use crate::environment;
use crate::handover;
use crate::run_report;
use crate::work::Work;

/// So long a second writer waits for the first.
pub const WAIT: Duration = Duration::from_secs(60);

/// This process, as others are told of it.
pub fn holder(what: &str) -> Holder {
    Holder { what: what.to_owned(), process: std::process::id(), address: None, secret: None }
}

/// Does the work: in the running server if there is one, else in this process.
pub async fn run(deployment: &Deployment, work: &Work) -> anyhow::Result<Value> {
    // A file in hand is this command's to read.
    if !matches!(work, Work::File { .. })
        && let Some(Holder { address: Some(address), secret: Some(secret), .. }) =
            deployment.warehouse().writer_holder()?
    {
        return handover::hand_over(&address, &secret, work).await;
    }
    let feeds = deployment.feeds()?;
    let warehouse = Arc::clone(deployment.warehouse());
    let ingest = Ingest::open(Arc::clone(&warehouse), deployment.dir(), feeds, Arc::new(Clock::Wall))?;
    let ingest =
        ingest.with_limits(deployment.settings().schedule.fetch_limits()).with_environment(environment::secret);
    // A misspelt feed is told before anything is waited for.
    work.jobs(&ingest)?;
    let writer = warehouse.writer(&holder("anze ingest run"), WAIT).await?;
    ingest.prepare(&writer).await?;
    let report = work.run(&ingest, &writer, "operator").await?;
    Ok(run_report::json(&report))
}
