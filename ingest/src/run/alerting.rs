//! Alerts that follow from deadlines and from held batches. Failed runs raise theirs where they fail.

use std::collections::{BTreeMap, BTreeSet};

use anze_warehouse::Release;
use anze_warehouse::session::Limits;
use chrono::{DateTime, Utc};
use datafusion::arrow::array::AsArray;
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::DataType;

use super::{Ingest, RunReport};
use crate::error::Result;
use crate::load::{BatchReport, BatchState};
use crate::schedule::{Alert, AlertKind, Alerts, Planner, Trouble};

impl Ingest {
    /// Notes deadlines that have passed with nothing landed, whether or not anything ran, and raises
    /// or resolves the alerts about them.
    ///
    /// # Errors
    /// Warehouse.
    pub(crate) async fn review_deadlines(&self) -> Result<()> {
        let calendar = self.workdays().await?;
        let now = self.clock.now();
        let mut planner = self.planner.lock().await;
        planner.note_overdue(&self.feeds, now)?;
        let mut alerts = self.alerts.lock().await;
        for feed in self.feeds.iter() {
            let trouble = match feed.deadline {
                Some(_) => Trouble::overdue(feed, &planner.outstanding(&feed.feed_id), &calendar),
                None => None,
            };
            alerts.settle(&feed.feed_id, AlertKind::Overdue, now, trouble)?;
        }
        Ok(())
    }

    /// What a process that becomes the writer does: reads the books again, which another may have
    /// written since, opens what a crash left running, and resolves alerts of feeds taken out.
    pub(super) async fn adopt(&self) -> Result<()> {
        self.books.note_interrupted()?;
        let mut planner = Planner::open(&self.warehouse)?;
        planner.adopt()?;
        *self.planner.lock().await = planner;
        let mut alerts = Alerts::open(&self.warehouse)?;
        for kind in [AlertKind::Overdue, AlertKind::Held, AlertKind::Failed] {
            let gone = alerts.standing(kind).filter(|alert| self.feeds.get(&alert.feed_id).is_none());
            let gone: Vec<String> = gone.map(|alert| alert.feed_id.clone()).collect();
            for feed_id in gone {
                alerts.settle(&feed_id, kind, self.clock.now(), None)?;
            }
        }
        *self.alerts.lock().await = alerts;
        *self.taken.lock().await = None;
        Ok(())
    }

    /// Raises an alert for a feed whose batch is held, and resolves it when a later batch is
    /// published or somebody has decided about the held one.
    pub(super) async fn review_held(&self, report: &RunReport, now: DateTime<Utc>) -> Result<()> {
        let mut last: BTreeMap<&str, &BatchReport> = BTreeMap::new();
        for batch in &report.batches {
            let kept = last.entry(&batch.delivery.feed_id).or_insert(batch);
            if kept.state != BatchState::Held || batch.state == BatchState::Held {
                *kept = batch;
            }
        }
        for (feed_id, batch) in last {
            let Some(feed) = self.feeds.get(feed_id) else { continue };
            let trouble = (batch.state == BatchState::Held)
                .then(|| Trouble::held(feed, &batch.delivery.batch_id, batch.reason.as_ref()));
            self.alerts.lock().await.settle(feed_id, AlertKind::Held, now, trouble)?;
        }
        let standing: Vec<Alert> = self.alerts.lock().await.standing(AlertKind::Held).cloned().collect();
        if let Some(release) = report.release.as_ref().filter(|_| !standing.is_empty()) {
            let held = held_batches(release).await?;
            let decided = |alert: &&Alert| alert.batch_id.as_ref().is_none_or(|batch_id| !held.contains(batch_id));
            for alert in standing.iter().filter(decided) {
                self.alerts.lock().await.settle(&alert.feed_id, AlertKind::Held, now, None)?;
            }
        }
        Ok(())
    }

    /// Alerts whose last change nobody was told of, oldest change first.
    pub(crate) async fn untold_alerts(&self) -> Vec<Alert> {
        self.alerts.lock().await.untold()
    }

    /// Notes that somebody was told of an alert as it stood.
    pub(crate) async fn note_told(&self, alert: &Alert) -> Result<()> {
        self.alerts.lock().await.told(alert)
    }
}

/// The batches that a release holds for a person.
async fn held_batches(release: &Release) -> Result<BTreeSet<String>> {
    let session = release.session(&Limits::default())?;
    let sql = "select batch_id from system.batch where state = 'held'";
    let mut held = BTreeSet::new();
    for batch in session.sql(sql).await?.collect().await? {
        let ids = cast(batch.column(0), &DataType::Utf8)?;
        held.extend(ids.as_string::<i32>().iter().flatten().map(str::to_owned));
    }
    Ok(held)
}
