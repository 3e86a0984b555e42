//! Keeping `metric_value` up with the newest release: computed beside whatever else runs, written with the
//! lease in hand. Releases that follow each other quickly are caught up with at once.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anze_ingest::service::ServiceHandle;
use anze_queries::{MetricValues, metric_values};
use anze_warehouse::Release;
use anze_warehouse::metric_values::Sheet;
use anze_warehouse::publication::Writer;
use anze_warehouse::warehouse::Holder;
use tokio::time::MissedTickBehavior;

use crate::deployment::Deployment;
use crate::writer;

/// How often a server looks for a release that is not followed yet.
const LOOK: Duration = Duration::from_secs(2);

/// What was computed, and the sheet it goes on from.
struct Computed {
    release: Arc<Release>,
    before: Option<Sheet>,
    values: MetricValues,
}

/// Computes what the newest release changes; `None` where nothing is published or the sheet stands already.
async fn computed(deployment: &Deployment) -> anyhow::Result<Option<Computed>> {
    if !deployment.settings().metric_value.follow {
        return Ok(None);
    }
    let Some(release) = deployment.warehouse().latest().await? else { return Ok(None) };
    let sheets = deployment.warehouse().metric_values();
    let before = sheets.newest().await?;
    let notes = match &before {
        Some(sheet) => sheets.notes(sheet).await?,
        None => None,
    };
    let begun = Instant::now();
    let values = metric_values(deployment.catalogue(), &release, notes.as_ref()).await?;
    let stands = before.as_ref().is_some_and(|sheet| sheet.release == release.number());
    if stands && values.anew.is_empty() {
        return Ok(None);
    }
    let (months, duration_ms) = (values.anew.len(), begun.elapsed().as_millis());
    tracing::info!(release = release.number(), months, duration_ms, "metric values computed");
    Ok(Some(Computed { release, before, values }))
}

impl Computed {
    /// Writes it; what another writer was quicker with is left to the next look.
    async fn write(self, writer: &Writer) -> anze_warehouse::Result<()> {
        if writer.warehouse().metric_values().newest().await? != self.before {
            return Ok(());
        }
        let MetricValues { anew, all, notes } = self.values;
        writer.follow(&self.release, anew, &all, notes).await?;
        Ok(())
    }
}

/// Catches up after a command that published, unless a server does. Its own work is done and told by
/// then, so that a failure is told and no more: the next release is followed by whoever publishes it.
pub async fn catch_up(deployment: &Deployment) {
    let caught_up = async {
        let holder = deployment.warehouse().writer_holder()?;
        if holder.is_some_and(|holder| holder.address.is_some()) {
            return Ok(());
        }
        if let Some(computed) = computed(deployment).await? {
            let holder: Holder = writer::holder("anze, writing metric values");
            let writer = deployment.warehouse().writer(&holder, writer::WAIT).await?;
            computed.write(&writer).await?;
        }
        Ok::<_, anyhow::Error>(())
    };
    if let Err(error) = caught_up.await {
        tracing::warn!(error = format!("{error:#}"), "metric_value was not brought up to date; the release stands");
    }
}

/// Follows every release until the service ends.
pub async fn keep_up(deployment: Arc<Deployment>, service: ServiceHandle) {
    let mut ticks = tokio::time::interval(LOOK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut followed = None;
    loop {
        ticks.tick().await;
        let newest = match deployment.newest().await {
            Ok(newest) => newest.map(|release| release.number()),
            // Told by whoever asks for a page; looked at again here.
            Err(_) => continue,
        };
        if newest.is_none() || newest == followed {
            continue;
        }
        match computed(&deployment).await {
            Ok(None) => {}
            Ok(Some(computed)) => {
                let write = service.order(move |_, writer| {
                    Box::pin(async move { computed.write(writer).await.map_err(anze_ingest::Error::from) })
                });
                match write.await {
                    Ok(()) => {}
                    Err(error) if error.kind() == anze_ingest::ErrorKind::Stopped => return,
                    Err(error) => tracing::warn!(%error, "metric_value could not be written; the release stands"),
                }
            }
            Err(error) => {
                let error = format!("{error:#}");
                tracing::warn!(error, "metric_value was not brought up to date; the release stands");
            }
        }
        // A failure is not tried again before the next release: it would most likely be the same.
        followed = newest;
    }
}
