//! Landing what was fetched, unless it was taken before, and settling the slots it fulfils.

use std::collections::HashSet;
use std::sync::{MutexGuard, PoisonError};

use chrono::{DateTime, Utc};

use super::taken::Verdict;
use super::{Ingest, Job};
use crate::books::Run;
use crate::error::Result;
use crate::feed::Feed;
use crate::landing::{Delivery, batch_id, landed_path};
use crate::schedule::SlotState;
use crate::source::Fetched;

/// What one feed landed in a run.
#[derive(Debug)]
pub(crate) struct Landed {
    pub(super) run: Run,
    /// Batches that are new.
    pub(super) deliveries: Vec<String>,
    /// Bytes that were sent.
    pub(super) bytes: u64,
    /// When the last of it was on disk.
    pub(super) landed_at: Option<DateTime<Utc>>,
}

impl Landed {
    /// Whether there is anything to load.
    pub(crate) fn has_news(&self) -> bool {
        !self.deliveries.is_empty()
    }
}

pub(super) struct LandedBatch {
    batch_id: String,
    is_new: bool,
    /// When it fulfilled the slot that it was landed for; `None`: it says nothing of that slot.
    fulfilled_at: Option<DateTime<Utc>>,
}

impl Ingest {
    pub(super) async fn land_all(&self, job: &Job, run: Run, fetched: Vec<Fetched>) -> Result<Landed> {
        let mut landed = Landed { run, deliveries: Vec::new(), bytes: 0, landed_at: None };
        let feed_id = &job.feed.feed_id;
        let slot_at = match job.slot_at {
            Some(slot_at) => Some(slot_at),
            None => {
                let planner = self.planner.lock().await;
                let slot_at = planner.slot_before(feed_id, self.clock.now());
                landed.run.due_at = slot_at.and_then(|slot_at| planner.due(feed_id, slot_at));
                slot_at
            }
        };
        let mut fulfilled = false;
        for object in fetched {
            if !object.bytes.is_known() {
                landed.bytes += object.bytes.size;
            }
            let batch = match self.land(&job.feed, object, slot_at).await {
                Ok(batch) => batch,
                Err(error) => {
                    // What has landed of this run is loaded with the next one.
                    self.unclaim(&landed.deliveries);
                    return Err(error);
                }
            };
            landed.landed_at = Some(self.clock.now());
            if let (Some(slot_at), Some(at)) = (slot_at, batch.fulfilled_at) {
                self.planner.lock().await.fulfil(feed_id, slot_at, &batch.batch_id, at)?;
                fulfilled = true;
            }
            if batch.is_new {
                landed.deliveries.push(batch.batch_id);
            }
        }
        if let Some(slot_at) = job.slot_at.filter(|_| !fulfilled) {
            self.planner.lock().await.settle(&[(feed_id, slot_at)], SlotState::Empty)?;
        }
        Ok(landed)
    }

    /// Lands an object, unless it is the delivery taken last. What is new belongs to the run that
    /// landed it until it is unclaimed.
    pub(super) async fn land(
        &self,
        feed: &Feed,
        fetched: Fetched,
        slot_at: Option<DateTime<Utc>>,
    ) -> Result<LandedBatch> {
        let sha256 = fetched.bytes.sha256.clone();
        let mut held = self.taken.lock().await;
        let taken = self.known(&mut held).await?;
        let occurrence = match taken.verdict(&feed.feed_id, &fetched.object, &sha256) {
            Verdict::Seen(seen) => {
                let is_of_slot = seen.slot_at.is_some() && seen.slot_at == slot_at;
                // An old file that still lies in its folder is no answer for a new slot.
                let fulfilled_at = match (is_of_slot, seen.is_answer) {
                    (true, _) => Some(seen.landed_at),
                    (false, true) => Some(self.clock.now()),
                    (false, false) => None,
                };
                return Ok(LandedBatch { batch_id: seen.batch_id, is_new: false, fulfilled_at });
            }
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
        self.claimed().insert(delivery.batch_id.clone());
        let claim = delivery.batch_id.clone();
        let delivery = match self.landing.land(fetched.bytes, delivery).await {
            Ok(delivery) => delivery,
            Err(error) => {
                self.unclaim(&[claim]);
                return Err(error);
            }
        };
        taken.note(&delivery);
        let fulfilled_at = Some(delivery.landed_at);
        Ok(LandedBatch { batch_id: delivery.batch_id, is_new: true, fulfilled_at })
    }

    /// Lets whoever loads next load these batches.
    pub(super) fn unclaim(&self, batches: &[String]) {
        let mut claimed = self.claimed();
        for batch_id in batches {
            claimed.remove(batch_id);
        }
    }

    /// The batches that a run landed and has not handed over for loading.
    pub(super) fn claimed(&self) -> MutexGuard<'_, HashSet<String>> {
        self.claimed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl LandedBatch {
    pub(super) fn into_id(self) -> String {
        self.batch_id
    }
}
