//! Loading everything landed into releases, and noting how the runs behind it ended.

use std::sync::Arc;

use anze_warehouse::contract::Stage;
use anze_warehouse::publication::Writer;

use super::landing::Landed;
use super::{Ingest, Publish, RunReport, shipped};
use crate::books::{Books, Run, RunEnd};
use crate::error::Result;
use crate::landing::Delivery;
use crate::load::{BatchReport, BatchState, Due, load};
use crate::schedule::day_of;

impl Ingest {
    /// Loads everything landed that is in no release, and publishes.
    pub(super) async fn load_pending(&self, writer: &Writer, publish: Publish, report: &mut RunReport) -> Result<()> {
        let due = self.due().await?;
        self.load_due(writer, publish, due, report).await
    }

    pub(super) async fn load_due(
        &self,
        writer: &Writer,
        publish: Publish,
        mut due: Vec<Due>,
        report: &mut RunReport,
    ) -> Result<()> {
        while !due.is_empty() {
            let first = due.iter().map(|due| due.feed.contract.stage).min().unwrap_or(Stage::Facts);
            let (now, later): (Vec<Due>, Vec<Due>) = match publish {
                Publish::Once => (due, Vec::new()),
                Publish::EachStage => due.into_iter().partition(|due| due.feed.contract.stage == first),
            };
            let deliveries: Vec<Delivery> = now.iter().map(|due| due.delivery.clone()).collect();
            let at = self.clock.now();
            let mut publication = writer.begin(at, day_of(at)).await?;
            let batches = load(&mut publication, &self.landing, now).await?;
            self.replay_arrived(&mut publication, &batches).await?;
            publication.replace_system("slot_state", self.planner.lock().await.rows()?).await?;
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

    /// Pending deliveries with their feeds; one whose batch a release has is forgotten.
    pub(super) async fn due(&self) -> Result<Vec<Due>> {
        let taken = self.taken_of_releases().await?;
        let shipped = shipped::feeds()?;
        let planner = self.planner.lock().await;
        let mut due = Vec::new();
        for delivery in self.landing.pending()? {
            if taken.has_batch(&delivery.batch_id) {
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

    pub(super) fn note_ends(&self, landed: Vec<Landed>, report: &RunReport) -> Result<()> {
        let now = self.clock.now();
        let ends: Vec<(Run, RunEnd)> = landed
            .into_iter()
            .map(|landed| {
                let batches: Vec<&BatchReport> = report
                    .batches
                    .iter()
                    .filter(|batch| landed.deliveries.contains(&batch.delivery.batch_id))
                    .collect();
                let held = batches.iter().any(|batch| batch.state == BatchState::Held);
                let outcome = match (batches.is_empty(), held) {
                    (true, _) => "nothing_new",
                    (false, true) => "held",
                    (false, false) => "done",
                };
                let end = RunEnd {
                    step: "publish",
                    outcome,
                    batch_id: landed.deliveries.first().cloned(),
                    rows: Some(batches.iter().map(|batch| batch.read).sum()),
                    bytes: Some(landed.bytes),
                    error: None,
                    finished_at: Some(now),
                };
                (landed.run, end)
            })
            .collect();
        self.books.note(&ends)
    }
}
