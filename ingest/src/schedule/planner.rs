//! Slots: which are due, which were missed, and what became of each.
//!
//! A slot is a row of ours with the key (feed, instant). The planner computes due slots from where
//! it last looked, so that a machine that slept misses nothing unseen; changing a schedule starts
//! from now.

use std::collections::BTreeMap;
use std::sync::Arc;

use anze_warehouse::Warehouse;
use anze_warehouse::live::{LiveFile, LiveRow};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{Workdays, day_of};
use crate::error::Result;
use crate::feed::{CatchUp, Feed, Feeds};

/// What became of a slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SlotState {
    /// Due and not run yet.
    Open,
    /// A batch came for it.
    Fulfilled,
    /// It was run and nothing came; a later run can still fulfil it.
    Failed,
    /// Nothing ran when it was due, and by its feed's policy nothing will.
    Missed,
}

/// A slot that is to be run now.
#[derive(Debug, Clone)]
pub struct Planned {
    /// Its feed.
    pub feed: Arc<Feed>,
    /// Its instant.
    pub slot_at: DateTime<Utc>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Slot {
    feed_id: String,
    slot_at: DateTime<Utc>,
    due_at: Option<DateTime<Utc>>,
    state: SlotState,
    fulfilled_by: Option<String>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Looked {
    schedule: String,
    until: DateTime<Utc>,
}

/// The slots of a deployment.
#[derive(Debug)]
pub struct Planner {
    file: LiveFile,
    looked_file: std::path::PathBuf,
    looked: BTreeMap<String, Looked>,
    slots: BTreeMap<(String, DateTime<Utc>), Slot>,
}

/// A slot seen later than this after its instant was missed rather than met.
const MET_WITHIN: chrono::Duration = chrono::Duration::minutes(5);

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
        let mut slots = BTreeMap::new();
        for row in file.rows()? {
            let slot: Slot = serde_json::from_value(row.into())?;
            slots.insert((slot.feed_id.clone(), slot.slot_at), slot);
        }
        Ok(Self { file, looked_file, looked, slots })
    }

    /// Looks once: notes every slot due since the last look and returns those to run, oldest first.
    ///
    /// # Errors
    /// Warehouse.
    pub fn look(&mut self, feeds: &Feeds, calendar: &Workdays, now: DateTime<Utc>) -> Result<Vec<Planned>> {
        let (mut planned, mut noted) = (Vec::new(), Vec::new());
        let mut moved = false;
        for feed in feeds.iter() {
            let Some(schedule) = &feed.schedule else { continue };
            let until = match self.looked.get(&feed.feed_id) {
                Some(looked) if looked.schedule == schedule.text() => looked.until,
                _ => now,
            };
            let due = schedule.slots(until, now);
            moved |= !due.is_empty() || !self.looked.contains_key(&feed.feed_id);
            let looked = Looked { schedule: schedule.text().to_owned(), until: now.max(until) };
            self.looked.insert(feed.feed_id.clone(), looked);
            let last = due.last().copied();
            for slot_at in due {
                let recent = now - slot_at <= MET_WITHIN;
                let in_window = (now - slot_at).to_std().is_ok_and(|age| age <= feed.catch_up_window.0);
                let runs = match feed.catch_up {
                    CatchUp::None => recent && Some(slot_at) == last,
                    CatchUp::Last => Some(slot_at) == last && (recent || in_window),
                    CatchUp::All => recent || in_window,
                };
                let due_at = feed.deadline.as_ref().and_then(|deadline| calendar.due(day_of(slot_at), deadline));
                // A slot of a push feed waits for its push; there is nothing to run.
                let is_push = feed.source.is_push();
                let state = if runs || is_push { SlotState::Open } else { SlotState::Missed };
                noted.push(Slot { feed_id: feed.feed_id.clone(), slot_at, due_at, state, fulfilled_by: None });
                if runs && !is_push {
                    planned.push(Planned { feed: Arc::clone(feed), slot_at });
                }
            }
        }
        // Slots first: a crash between the two files looks again and finds the same slots.
        self.note(noted)?;
        if moved {
            self.remember_look()?;
        }
        planned.sort_by_key(|slot| slot.slot_at);
        Ok(planned)
    }

    /// The slots that a crash or a stop left open.
    pub fn open_slots(&self, feeds: &Feeds) -> Vec<Planned> {
        let open = self.slots.values().filter(|slot| slot.state == SlotState::Open);
        let of_feed = |slot: &Slot| {
            feeds.get(&slot.feed_id).map(|feed| Planned { feed: Arc::clone(feed), slot_at: slot.slot_at })
        };
        open.filter_map(of_feed).filter(|planned| !planned.feed.source.is_push()).collect()
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

    /// Notes what became of a slot; a fulfilled one stays fulfilled.
    ///
    /// # Errors
    /// Warehouse.
    pub fn settle(
        &mut self,
        feed_id: &str,
        slot_at: DateTime<Utc>,
        state: SlotState,
        fulfilled_by: Option<&str>,
    ) -> Result<()> {
        let Some(slot) = self.slots.get(&(feed_id.to_owned(), slot_at)) else { return Ok(()) };
        if slot.state == SlotState::Fulfilled {
            return Ok(());
        }
        let slot = Slot { state, fulfilled_by: fulfilled_by.map(str::to_owned), ..slot.clone() };
        self.note(vec![slot])
    }

    /// The slots as they stand, for the release.
    ///
    /// # Errors
    /// Warehouse.
    pub fn rows(&self) -> Result<Vec<LiveRow>> {
        self.slots.values().map(row).collect()
    }

    fn note(&mut self, slots: Vec<Slot>) -> Result<()> {
        if slots.is_empty() {
            return Ok(());
        }
        self.file.append(&slots.iter().map(row).collect::<Result<Vec<_>>>()?)?;
        for slot in slots {
            self.slots.insert((slot.feed_id.clone(), slot.slot_at), slot);
        }
        Ok(())
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

fn row(slot: &Slot) -> Result<LiveRow> {
    match serde_json::to_value(slot)? {
        serde_json::Value::Object(row) => Ok(row),
        _ => Ok(LiveRow::new()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    fn feeds(catch_up: &str) -> Feeds {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("feeds")).unwrap();
        let text = format!(
            "dataset = \"unit\"\nreporter = \"bureau\"\nschedule = \"0 0 2 * * *\"\ncatch_up = \"{catch_up}\"\n\
             [source]\nkind = \"directory\"\npath = \"inbox\"\n[format]\nkind = \"csv\"\n"
        );
        std::fs::write(folder.path().join("feeds/unit.toml"), text).unwrap();
        Feeds::load(folder.path()).unwrap()
    }

    /// Looks at a first instant, then again after five days without a look.
    fn slots_after_five_days(catch_up: &str) -> (usize, usize) {
        let folder = tempfile::tempdir().unwrap();
        let warehouse = Warehouse::open(folder.path()).unwrap();
        let mut planner = Planner::open(&warehouse).unwrap();
        let (feeds, calendar) = (feeds(catch_up), Workdays::default());
        assert!(planner.look(&feeds, &calendar, at("2026-03-02T00:00:00Z")).unwrap().is_empty());
        let planned = planner.look(&feeds, &calendar, at("2026-03-07T00:00:00Z")).unwrap();
        let again = Planner::open(&warehouse).unwrap().rows().unwrap();
        (planned.len(), again.len())
    }

    #[test]
    fn missed_slots_are_run_as_the_feed_says_and_every_one_is_a_row() {
        assert_eq!(slots_after_five_days("none"), (0, 5));
        assert_eq!(slots_after_five_days("last"), (1, 5));
        assert_eq!(slots_after_five_days("all"), (5, 5));
    }

    #[test]
    fn a_slot_of_a_push_feed_stays_open_without_being_run_until_a_push_fulfils_it() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("feeds")).unwrap();
        let text = "dataset = \"unit\"\nreporter = \"bureau\"\nschedule = \"0 0 2 * * *\"\n\
                    [source]\nkind = \"push\"\n[format]\nkind = \"csv\"\n";
        std::fs::write(folder.path().join("feeds/unit.toml"), text).unwrap();
        let feeds = Feeds::load(folder.path()).unwrap();
        let warehouse = Warehouse::open(&folder.path().join("data")).unwrap();
        let mut planner = Planner::open(&warehouse).unwrap();
        planner.look(&feeds, &Workdays::default(), at("2026-03-02T00:00:00Z")).unwrap();
        assert!(planner.look(&feeds, &Workdays::default(), at("2026-03-04T00:00:00Z")).unwrap().is_empty());
        assert!(planner.open_slots(&feeds).is_empty());
        let states = |planner: &Planner| {
            planner.rows().unwrap().iter().map(|row| row["state"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(states(&planner), ["open", "open"]);
        let slot = planner.slot_before("unit", at("2026-03-04T00:00:00Z")).unwrap();
        planner.settle("unit", slot, SlotState::Fulfilled, Some("b1")).unwrap();
        assert_eq!(states(&planner), ["open", "fulfilled"]);
    }

    #[test]
    fn a_fulfilled_slot_stays_fulfilled() {
        let folder = tempfile::tempdir().unwrap();
        let warehouse = Warehouse::open(folder.path()).unwrap();
        let mut planner = Planner::open(&warehouse).unwrap();
        let feeds = feeds("last");
        planner.look(&feeds, &Workdays::default(), at("2026-03-02T00:00:00Z")).unwrap();
        let slot = planner.look(&feeds, &Workdays::default(), at("2026-03-02T18:00:01Z")).unwrap()[0].slot_at;
        planner.settle("unit", slot, SlotState::Fulfilled, Some("b1")).unwrap();
        planner.settle("unit", slot, SlotState::Failed, None).unwrap();
        assert_eq!(planner.rows().unwrap()[0]["state"], "fulfilled");
        assert_eq!(planner.slot_before("unit", at("2026-03-05T00:00:00Z")), Some(slot));
    }
}
