//! Maintenance that goes by itself while the service runs: small files put together, files removed that no
//! kept release names, and a look at names, sizes and chains.

use std::sync::Arc;
use std::time::Duration;

use anze_ingest::clock::Clock;
use anze_ingest::service::ServiceHandle;
use anze_warehouse::maintenance::{Depth, Kind, MaintenanceLog};
use anze_warehouse::publication::Writer;
use chrono::TimeDelta;
use futures::future::BoxFuture;
use serde_json::Value;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::deployment::Deployment;
use crate::maintenance::{self, Maintenance};

/// Who asks for it, in the books.
const SCHEDULE: &str = "schedule";
/// How often is looked whether it is time.
const LOOK: Duration = Duration::from_secs(60);

/// The task that does so.
pub struct Upkeep {
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Upkeep {
    /// Starts it; each kind of maintenance is done when its last one is `every` ago.
    pub fn start(deployment: Arc<Deployment>, service: ServiceHandle, clock: Arc<Clock>, every: TimeDelta) -> Self {
        let (stop, mut stopped) = watch::channel(false);
        let task = tokio::spawn(async move {
            loop {
                let asked = stopped.wait_for(|stop| *stop);
                tokio::select! {
                    // What is under way when a stop is asked for is waited for by the service, which writes it.
                    _ = asked => return,
                    () = turn(&deployment, &service, &clock, every) => {}
                }
                let asked = stopped.wait_for(|stop| *stop);
                tokio::select! {
                    _ = asked => return,
                    () = tokio::time::sleep(LOOK) => {}
                }
            }
        });
        Self { stop, task }
    }

    /// Stops it.
    pub async fn stop(self) {
        // Nobody listens any more only if the task has ended already.
        let _ = self.stop.send(true);
        if let Err(error) = self.task.await {
            tracing::error!(%error, "the maintenance task did not end cleanly");
        }
    }
}

/// Does what is due. A failure is told and tried again at the next look.
async fn turn(deployment: &Arc<Deployment>, service: &ServiceHandle, clock: &Arc<Clock>, every: TimeDelta) {
    for kind in [Kind::Compact, Kind::Vacuum, Kind::Check] {
        let outcome = match is_due(deployment, kind, clock, every) {
            Ok(false) => continue,
            Ok(true) => perform(deployment, service, clock, kind).await,
            Err(error) => Err(error.into()),
        };
        if let Err(error) = outcome {
            let error = format!("{error:#}");
            tracing::error!(kind = kind.as_str(), error, "maintenance failed; it is tried again");
            return;
        }
    }
}

fn is_due(deployment: &Deployment, kind: Kind, clock: &Clock, every: TimeDelta) -> anze_warehouse::Result<bool> {
    let last = MaintenanceLog::of(deployment.warehouse())?.last_done(kind)?;
    Ok(last.is_none_or(|last| clock.now() - last >= every))
}

async fn perform(
    deployment: &Arc<Deployment>,
    service: &ServiceHandle,
    clock: &Arc<Clock>,
    kind: Kind,
) -> anyhow::Result<()> {
    let job = match kind {
        Kind::Compact => Maintenance::Compact { worthwhile: true },
        Kind::Vacuum => Maintenance::Vacuum { dry_run: false },
        Kind::Check | Kind::Backup | Kind::Restore => {
            let found =
                maintenance::check(deployment.warehouse(), Depth::Names, &deployment.limits(), clock, SCHEDULE).await?;
            for finding in &found.findings {
                tracing::error!(
                    code = finding.code,
                    object = finding.object,
                    message = finding.message_en,
                    "a check found"
                );
            }
            return Ok(());
        }
    };
    let done = order(service, clock, job, SCHEDULE.to_owned()).await?;
    tracing::info!(
        kind = kind.as_str(),
        bytes = done["bytes"].as_u64(),
        release = done["release"].as_u64(),
        "maintained"
    );
    deployment.forget_newest();
    Ok(())
}

/// Has it done by the service, after what is being loaded.
pub async fn order(
    service: &ServiceHandle,
    clock: &Arc<Clock>,
    job: Maintenance,
    asked_by: String,
) -> anze_ingest::Result<Value> {
    let clock = Arc::clone(clock);
    service.order(move |_, writer| with_writer(job, writer, clock, asked_by)).await
}

fn with_writer(
    job: Maintenance,
    writer: &Writer,
    clock: Arc<Clock>,
    asked_by: String,
) -> BoxFuture<'_, anze_ingest::Result<Value>> {
    Box::pin(async move { Ok(job.run(writer, &clock, &asked_by).await?) })
}
