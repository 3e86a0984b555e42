//! Loading everything landed into releases, and noting how the runs behind it ended.

use std::sync::Arc;

use anze_warehouse::contract::Stage;
use anze_warehouse::publication::Writer;
use chrono::{DateTime, Utc};

use super::landing::Landed;
use super::{Ingest, Moment, Publish, RunReport, shipped};
use crate::books::{Books, Run, RunEnd};
use crate::error::{Error, Result};
use crate::landing::Delivery;
use crate::load::{BatchReport, BatchState, Due, load};
use crate::schedule::day_of;

impl Ingest {
    /// Loads what these runs landed, with whatever is landed and belongs to no run under way,
    /// publishes, and notes how the runs ended.
    ///
    /// # Errors
    /// Warehouse. What was landed stays and is loaded with the next run.
    pub(crate) async fn load_landed(
        &self,
        writer: &Writer,
        landed: Vec<Landed>,
        publish: Publish,
        moment: &Moment,
        report: &mut RunReport,
    ) -> Result<()> {
        landed.iter().for_each(|landed| self.unclaim(&landed.deliveries));
        let loaded = match self.due().await {
            Ok(due) => self.load_due(writer, publish, due, moment, report).await,
            Err(error) => Err(error),
        };
        let noted = self.note_ends(landed, report, loaded.as_ref().err(), self.instant(moment));
        let alerted = self.review_held(report, self.instant(moment)).await;
        loaded.and(noted).and(alerted)
    }

    pub(super) async fn load_due(
        &self,
        writer: &Writer,
        publish: Publish,
        mut due: Vec<Due>,
        moment: &Moment,
        report: &mut RunReport,
    ) -> Result<()> {
        while !due.is_empty() {
            let first = due.iter().map(|due| due.feed.contract.stage).min().unwrap_or(Stage::Facts);
            let (now, later): (Vec<Due>, Vec<Due>) = match publish {
                Publish::Once => (due, Vec::new()),
                Publish::EachStage => due.into_iter().partition(|due| due.feed.contract.stage == first),
            };
            let deliveries: Vec<Delivery> = now.iter().map(|due| due.delivery.clone()).collect();
            let at = self.instant(moment);
            let mut publication = writer.begin(at, day_of(at)).await?;
            let batches = load(&mut publication, &self.landing, now).await?;
            self.replay_arrived(&mut publication, &batches, at).await?;
            publication.replace_system("slot_state", self.slots(moment).await?).await?;
            publication.renew_system("feed_state", Books::feed_rows(&self.feeds)).await?;
            let release = publication.publish().await?;
            self.remember_taken(&release, &deliveries).await;
            report.release = Some(release);
            for delivery in &deliveries {
                self.landing.loaded(delivery)?;
            }
            report.batches.extend(batches);
            due = later;
        }
        Ok(())
    }

    /// Pending deliveries with their feeds, but for those of runs under way; one whose batch a
    /// release has is forgotten.
    pub(super) async fn due(&self) -> Result<Vec<Due>> {
        let shipped = shipped::feeds()?;
        let pending = self.landing.pending()?;
        let mut held = self.taken.lock().await;
        let taken = self.known(&mut held).await?;
        let planner = self.planner.lock().await;
        let mut due = Vec::new();
        for delivery in pending {
            if self.claimed().contains(&delivery.batch_id) {
                continue;
            }
            if taken.is_released(&delivery.batch_id) {
                self.landing.loaded(&delivery)?;
                continue;
            }
            let known = self.feeds.get(&delivery.feed_id).cloned();
            let feed = known.or_else(|| {
                shipped.iter().find(|(feed, _)| feed.feed_id == delivery.feed_id).map(|(feed, _)| Arc::clone(feed))
            });
            let Some(feed) = feed else {
                tracing::warn!(feed.id = %delivery.feed_id, batch.id = %delivery.batch_id,
                    "landed for a feed that is no longer configured; it waits");
                continue;
            };
            let deadline = delivery.slot_at.and_then(|slot_at| planner.due(&delivery.feed_id, slot_at));
            let on_time = deadline.map(|deadline| delivery.landed_at <= deadline);
            due.push(Due { delivery, feed, on_time });
        }
        Ok(due)
    }

    /// Notes a run that landed nothing new, which needs no loading.
    pub(crate) fn note_idle(&self, landed: Landed) -> Result<()> {
        self.note_ends(vec![landed], &RunReport::default(), None, self.clock.now())
    }

    fn note_ends(
        &self,
        landed: Vec<Landed>,
        report: &RunReport,
        error: Option<&Error>,
        at: DateTime<Utc>,
    ) -> Result<()> {
        let ends: Vec<(Run, RunEnd)> = landed
            .into_iter()
            .map(|landed| {
                let of_run = |batch: &&BatchReport| landed.deliveries.contains(&batch.delivery.batch_id);
                let batches: Vec<&BatchReport> = report.batches.iter().filter(of_run).collect();
                let held = batches.iter().find(|batch| batch.state == BatchState::Held);
                let unloaded = error.filter(|_| batches.len() < landed.deliveries.len());
                let (step, outcome) = match (unloaded, landed.deliveries.is_empty(), held) {
                    (Some(_), ..) => ("load", "failed"),
                    (None, true, _) => ("land", "nothing_new"),
                    (None, false, Some(_)) => ("publish", "held"),
                    (None, false, None) => ("publish", "done"),
                };
                let reason = held.and_then(|batch| batch.reason.as_ref());
                let end = RunEnd {
                    step,
                    outcome,
                    batch_id: landed.deliveries.first().cloned(),
                    batches: Some(landed.deliveries.len()),
                    rows: Some(batches.iter().map(|batch| batch.read).sum()),
                    rows_quarantined: Some(batches.iter().map(|batch| batch.quarantined).sum()),
                    bytes: Some(landed.bytes),
                    reason: reason.map(|(zh, en)| format!("{zh} / {en}")),
                    error: unloaded.map(ToString::to_string),
                    landed_at: landed.landed_at,
                    finished_at: Some(at),
                    ended_by: None,
                };
                (landed.run, end)
            })
            .collect();
        self.books.note(&ends)
    }
}
