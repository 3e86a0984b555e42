//! Landing what was fetched, unless it was taken before, and settling the slots it fulfils.

use chrono::{DateTime, Utc};

use super::taken::{Taken, Verdict};
use super::{Ingest, Job};
use crate::books::Run;
use crate::error::Result;
use crate::feed::Feed;
use crate::landing::{Delivery, batch_id, landed_path};
use crate::schedule::SlotState;
use crate::source::Fetched;

/// What one feed landed in a run.
#[derive(Debug)]
pub(super) struct Landed {
    pub(super) run: Run,
    /// Batches that are new.
    pub(super) deliveries: Vec<String>,
    pub(super) bytes: u64,
}

pub(super) struct LandedBatch {
    batch_id: String,
    is_new: bool,
}

impl Ingest {
    pub(super) async fn land_all(
        &self,
        taken: &mut Taken,
        job: &Job,
        run: Run,
        fetched: Vec<Fetched>,
    ) -> Result<Landed> {
        let mut landed = Landed { run, deliveries: Vec::new(), bytes: 0 };
        let slot_at = match job.slot_at {
            Some(slot_at) => Some(slot_at),
            None => self.planner.lock().await.slot_before(&job.feed.feed_id, self.clock.now()),
        };
        for object in fetched {
            landed.bytes += object.bytes.size;
            let batch = self.land(taken, &job.feed, object, slot_at).await?;
            if let Some(slot_at) = slot_at {
                let mut planner = self.planner.lock().await;
                planner.settle(&job.feed.feed_id, slot_at, SlotState::Fulfilled, Some(&batch.batch_id))?;
            }
            if batch.is_new {
                landed.deliveries.push(batch.batch_id);
            }
        }
        if landed.bytes == 0
            && landed.deliveries.is_empty()
            && let Some(slot_at) = job.slot_at
        {
            self.planner.lock().await.settle(&job.feed.feed_id, slot_at, SlotState::Failed, None)?;
        }
        Ok(landed)
    }

    /// Lands an object, unless it is the delivery taken last.
    pub(super) async fn land(
        &self,
        taken: &mut Taken,
        feed: &Feed,
        fetched: Fetched,
        slot_at: Option<DateTime<Utc>>,
    ) -> Result<LandedBatch> {
        let sha256 = fetched.bytes.sha256.clone();
        let occurrence = match taken.verdict(&feed.feed_id, &fetched.object, &sha256) {
            Verdict::Seen(batch_id) => return Ok(LandedBatch { batch_id, is_new: false }),
            Verdict::New { occurrence } => occurrence,
        };
        let delivery = Delivery {
            batch_id: batch_id(&feed.feed_id, &fetched.object, &sha256, occurrence),
            feed_id: feed.feed_id.clone(),
            object: fetched.object,
            landed_path: landed_path(&sha256),
            sha256,
            bytes: fetched.bytes.size,
            landed_at: self.clock.now(),
            slot_at,
        };
        let delivery = self.landing.land(fetched.bytes, delivery).await?;
        taken.note(&delivery);
        Ok(LandedBatch { batch_id: delivery.batch_id, is_new: true })
    }
}
