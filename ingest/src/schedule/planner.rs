//! The planner: which slots are due, which were missed, and what became of each.
//!
//! It computes due slots from where it last looked, so that a machine that slept misses nothing
//! unseen; changing a schedule starts from now. Its rows tell which slots were met before, so a
//! clock that jumps back runs none of them again.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use anze_warehouse::Warehouse;
use anze_warehouse::live::{LiveFile, LiveRow};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::slot::{Slot, SlotState};
use super::{Workdays, day_of, jitter, policy};
use crate::error::Result;
use crate::feed::{Feed, Feeds};

/// A slot that is to be run now.
#[derive(Debug, Clone)]
pub struct Planned {
    /// Its feed.
    pub feed: Arc<Feed>,
    /// Its instant.
    pub slot_at: DateTime<Utc>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Looked {
    schedule: String,
    until: DateTime<Utc>,
}

type Key = (String, DateTime<Utc>);

/// The slots of a deployment.
#[derive(Debug)]
pub struct Planner {
    file: LiveFile,
    looked_file: PathBuf,
    looked: BTreeMap<String, Looked>,
    slots: BTreeMap<Key, Slot>,
    /// The slots that time alone may still change.
    alive: BTreeSet<Key>,
    /// By feed the overdue slots that nothing has made good since.
    outstanding: BTreeMap<String, BTreeSet<DateTime<Utc>>>,
}

impl Planner {
    /// Reads the slots of a warehouse.
    ///
    /// # Errors
    /// Warehouse.
    pub fn open(warehouse: &Warehouse) -> Result<Self> {
        let file = warehouse.live("slot")?;
        let looked_file = warehouse.store().path().join("live").join("planner.json");
        let looked = match std::fs::read(&looked_file) {
            Ok(bytes) => serde_json::from_slice(&bytes)?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => BTreeMap::new(),
            Err(error) => return Err(error.into()),
        };
        let rows = file.rows()?;
        let (slots, alive, outstanding) = (BTreeMap::new(), BTreeSet::new(), BTreeMap::new());
        let mut planner = Self { file, looked_file, looked, slots, alive, outstanding };
        for row in rows {
            planner.hold(serde_json::from_value(row.into())?);
        }
        Ok(planner)
    }

    /// Opens again the slots whose run ended with its process; only the writer may.
    ///
    /// # Errors
    /// Warehouse.
    pub fn adopt(&mut self) -> Result<()> {
        let running = self.of_state(SlotState::Running).cloned();
        let open: Vec<Slot> = running.map(|slot| Slot { state: SlotState::Open, ..slot }).collect();
        self.note(open)
    }

    /// Looks once: notes every slot due since the last look. `busy` feeds run already.
    ///
    /// # Errors
    /// Warehouse.
    pub fn look(
        &mut self,
        feeds: &Feeds,
        calendar: &Workdays,
        now: DateTime<Utc>,
        busy: &BTreeSet<String>,
    ) -> Result<()> {
        let mut noted = self.of_feeds_gone(feeds);
        noted.extend(self.due_otherwise(feeds, calendar, now));
        let mut moved = false;
        for feed in feeds.iter() {
            let Some(schedule) = &feed.schedule else { continue };
            let known = self.looked.get(&feed.feed_id).filter(|looked| looked.schedule == schedule.text());
            let since = known.map_or(now, |looked| looked.until);
            let due = schedule.slots(since, now);
            moved |= !due.is_empty() || known.is_none() || since > now;
            let looked = Looked { schedule: schedule.text().to_owned(), until: now };
            self.looked.insert(feed.feed_id.clone(), looked);
            let last = due.last().copied();
            for slot_at in due {
                let state = policy::state_when_due(feed, slot_at, last, now, busy.contains(&feed.feed_id));
                let due_at = feed.deadline.as_ref().and_then(|deadline| calendar.due(day_of(slot_at), deadline));
                noted.extend(self.noted(feed, slot_at, due_at, state));
            }
        }
        // Slots first: a crash between the two files looks again and finds the same slots.
        self.note(noted)?;
        if moved {
            self.remember_look()?;
        }
        Ok(())
    }

    /// The slots whose time to begin has come, oldest first.
    pub fn startable(&self, feeds: &Feeds, now: DateTime<Utc>) -> Vec<Planned> {
        let mut startable: Vec<Planned> = self
            .of_state(SlotState::Open)
            .filter_map(|slot| {
                // A slot of a push feed waits for its push; there is nothing to run.
                let feed = feeds.get(&slot.feed_id).filter(|feed| !feed.source.is_push())?;
                let begins_at = slot.slot_at + jitter::of_slot(&slot.feed_id, slot.slot_at, feed.jitter.0);
                (begins_at <= now).then(|| Planned { feed: Arc::clone(feed), slot_at: slot.slot_at })
            })
            .collect();
        startable.sort_by_key(|slot| slot.slot_at);
        startable
    }

    /// The slot that something landed at an instant fulfils: the feed's last one before it.
    pub fn slot_before(&self, feed_id: &str, landed_at: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let from = (feed_id.to_owned(), DateTime::<Utc>::MIN_UTC);
        let to = (feed_id.to_owned(), landed_at);
        self.slots.range(from..=to).next_back().map(|((_, slot_at), _)| *slot_at)
    }

    /// Until when a slot must be fulfilled.
    pub fn due(&self, feed_id: &str, slot_at: DateTime<Utc>) -> Option<DateTime<Utc>> {
        self.slots.get(&(feed_id.to_owned(), slot_at))?.due_at
    }

    /// Notes what became of slots; a fulfilled one stays fulfilled.
    ///
    /// # Errors
    /// Warehouse.
    pub fn settle(&mut self, slots: &[(&str, DateTime<Utc>)], state: SlotState) -> Result<()> {
        let known = slots.iter().filter_map(|(feed_id, slot_at)| self.slots.get(&((*feed_id).to_owned(), *slot_at)));
        let changed = known.filter(|slot| !slot.is_fulfilled() && slot.state != state);
        let changed = changed.map(|slot| Slot { state, ..slot.clone() }).collect();
        self.note(changed)
    }

    /// Notes that a batch came for a slot; the first one counts.
    ///
    /// # Errors
    /// Warehouse.
    pub fn fulfil(
        &mut self,
        feed_id: &str,
        slot_at: DateTime<Utc>,
        batch_id: &str,
        landed_at: DateTime<Utc>,
    ) -> Result<()> {
        match self.slots.get(&(feed_id.to_owned(), slot_at)) {
            Some(slot) if !slot.is_fulfilled() => {
                let slot = Slot {
                    state: SlotState::Fulfilled,
                    fulfilled_by: Some(batch_id.to_owned()),
                    fulfilled_at: Some(landed_at),
                    ..slot.clone()
                };
                self.note(vec![slot])
            }
            _ => Ok(()),
        }
    }

    /// Notes the slots whose deadline has passed with nothing landed, once each, whether or not
    /// anything ran for them.
    ///
    /// # Errors
    /// Warehouse.
    pub fn note_overdue(&mut self, feeds: &Feeds, now: DateTime<Utc>) -> Result<()> {
        let alive = self.alive.iter().filter_map(|key| self.slots.get(key));
        let overdue = alive.filter(|slot| {
            let is_over = slot.due_at.is_some_and(|due| due < now);
            is_over && !slot.is_fulfilled() && slot.overdue_at.is_none() && feeds.get(&slot.feed_id).is_some()
        });
        let overdue = overdue.map(|slot| Slot { overdue_at: Some(now), ..slot.clone() }).collect();
        self.note(overdue)
    }

    /// The overdue slots of a feed that nothing has made good since they were found overdue, oldest
    /// first. What comes for a slot makes good that slot and those before it.
    pub fn outstanding(&self, feed_id: &str) -> Vec<&Slot> {
        let slots = self.outstanding.get(feed_id).into_iter().flatten();
        slots.filter_map(|slot_at| self.slots.get(&(feed_id.to_owned(), *slot_at))).collect()
    }

    /// The slots as they stand, for the release.
    ///
    /// # Errors
    /// Warehouse.
    pub fn rows(&self) -> Result<Vec<LiveRow>> {
        self.slots.values().map(Slot::row).collect()
    }

    /// A slot that came due, unless its row says that it was met before.
    fn noted(
        &self,
        feed: &Feed,
        slot_at: DateTime<Utc>,
        due_at: Option<DateTime<Utc>>,
        state: SlotState,
    ) -> Option<Slot> {
        match self.slots.get(&(feed.feed_id.clone(), slot_at)) {
            None => Some(Slot {
                feed_id: feed.feed_id.clone(),
                slot_at,
                due_at,
                state,
                fulfilled_by: None,
                fulfilled_at: None,
                overdue_at: None,
            }),
            // Missed by a clock that had run ahead and was set back.
            Some(slot) if slot.state == SlotState::Missed => Some(Slot { state, ..slot.clone() }),
            Some(_) => None,
        }
    }

    /// Slots whose run would never come because their feed is no longer there.
    fn of_feeds_gone(&self, feeds: &Feeds) -> Vec<Slot> {
        let gone = self.of_state(SlotState::Open).filter(|slot| feeds.get(&slot.feed_id).is_none());
        gone.map(|slot| Slot { state: SlotState::Cancelled, ..slot.clone() }).collect()
    }

    /// Slots whose deadline lies ahead and that a calendar published since moves.
    fn due_otherwise(&self, feeds: &Feeds, calendar: &Workdays, now: DateTime<Utc>) -> Vec<Slot> {
        let alive = self.alive.iter().filter_map(|key| self.slots.get(key));
        alive
            .filter(|slot| slot.overdue_at.is_none() && slot.due_at.is_some_and(|due| due >= now))
            .filter_map(|slot| {
                let deadline = feeds.get(&slot.feed_id)?.deadline.as_ref()?;
                let due_at = calendar.due(day_of(slot.slot_at), deadline)?;
                (Some(due_at) != slot.due_at).then(|| Slot { due_at: Some(due_at), ..slot.clone() })
            })
            .collect()
    }

    fn of_state(&self, state: SlotState) -> impl Iterator<Item = &Slot> {
        self.alive.iter().filter_map(|key| self.slots.get(key)).filter(move |slot| slot.state == state)
    }

    fn note(&mut self, slots: Vec<Slot>) -> Result<()> {
        if slots.is_empty() {
            return Ok(());
        }
        self.file.append(&slots.iter().map(Slot::row).collect::<Result<Vec<_>>>()?)?;
        slots.into_iter().for_each(|slot| self.hold(slot));
        Ok(())
    }

    fn hold(&mut self, slot: Slot) {
        let key = (slot.feed_id.clone(), slot.slot_at);
        if slot.is_alive() {
            self.alive.insert(key.clone());
        } else {
            self.alive.remove(&key);
        }
        let was_overdue = self.slots.get(&key).is_some_and(|known| known.overdue_at.is_some());
        if let Some(came_at) = slot.fulfilled_at {
            self.make_good(&slot, came_at);
        } else if slot.overdue_at.is_some() && !was_overdue {
            self.outstanding.entry(slot.feed_id.clone()).or_default().insert(slot.slot_at);
        }
        self.slots.insert(key, slot);
    }

    fn make_good(&mut self, by: &Slot, came_at: DateTime<Utc>) {
        let (slots, outstanding) = (&self.slots, self.outstanding.entry(by.feed_id.clone()).or_default());
        outstanding.retain(|slot_at| {
            let overdue_at = slots.get(&(by.feed_id.clone(), *slot_at)).and_then(|slot| slot.overdue_at);
            *slot_at > by.slot_at || overdue_at.is_some_and(|overdue_at| overdue_at > came_at)
        });
    }

    fn remember_look(&self) -> Result<()> {
        let unfinished = self.looked_file.with_extension("unfinished");
        if let Some(folder) = self.looked_file.parent() {
            std::fs::create_dir_all(folder)?;
        }
        std::fs::write(&unfinished, serde_json::to_vec(&self.looked)?)?;
        std::fs::rename(&unfinished, &self.looked_file)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests;
