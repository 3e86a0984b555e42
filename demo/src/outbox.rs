//! The senders' side of the wire: every version of a record goes into the file of the slot in which
//! its sender reports it, with the delays, repetitions and slips of a real sender. Buffers are
//! flushed to disk as they fill, so that memory does not grow with the size of the province.

use super::breakage::{Breakage, break_row};
use super::chance::{Chance, Seed};
use super::dataset::Dataset;
use super::day::{Day, Moment};
use super::dialect::{CLOCK, STATE};
use super::feed::{Feed, Mishap, Mode};
use super::market::{InsurerNo, LARGE_INSURERS};
use super::province::Department;
use super::record::{Cell, Record, Version};
use super::scribe::{Extent, Scribe};
use super::truths::{FileTruth, Truths};
use anyhow::{Context, Result};
use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};

/// Share of the rows that come a slot or two after their time.
const LATE: f64 = 0.015;
/// Share of the superseded states that a sender puts into the same file as the newest one.
const JOURNALLED: f64 = 0.02;
const REPEATED: f64 = 0.002;
const BROKEN: f64 = 0.007;
/// A slot has at most one broken row in this many, so that only the batch meant to be is held.
const ROWS_PER_BROKEN_ROW: u64 = 45;
const FLUSH_BYTES: usize = 192 * 1024;

pub(super) struct Outbox {
    feeds: Vec<FeedOutbox>,
    routes: Routes,
    pub(super) truths: Truths,
    /// The first failure to write; reported once at the end, so that generators need not ask.
    failure: Option<anyhow::Error>,
}

struct FeedOutbox {
    feed: Feed,
    slots: Vec<SlotFile>,
    scribe: Scribe,
    chance: Chance,
    /// The next kind of breakage to try, so that every kind gets its turn.
    next_breakage: usize,
    folder: PathBuf,
}

struct SlotFile {
    at: Moment,
    mishap: Option<Mishap>,
    buffer: Vec<u8>,
    rows: u64,
    broken: u64,
}

/// Which feed takes the rows of a dataset.
struct Routes {
    /// By dataset: the feeds of the large insurers, then everyone else's.
    insurers: Vec<[Option<usize>; LARGE_INSURERS + 1]>,
    units: [Option<usize>; 5],
    rosters: [Option<usize>; 5],
}

impl Outbox {
    pub(super) fn new(folder: &Path, feeds: Vec<Feed>, seed: &Seed, start: Day, until: Day) -> Result<Self> {
        let mut truths = Truths::default();
        let mut outboxes = Vec::with_capacity(feeds.len());
        for (number, feed) in feeds.into_iter().enumerate() {
            let mut outbox = FeedOutbox::new(folder, feed, seed, start, until, &mut truths)?;
            // Feeds start at different kinds, so that few rows are enough to show all of them.
            outbox.next_breakage = number * 5 % Breakage::ALL.len();
            outboxes.push(outbox);
        }
        let routes = Routes::new(&outboxes);
        Ok(Outbox { feeds: outboxes, routes, truths, failure: None })
    }

    /// Reports all versions of a record of an insurer, oldest first.
    pub(super) fn report_of_insurer<R: Record>(&mut self, insurer: InsurerNo, versions: &[Version<R>]) {
        let line = &self.routes.insurers[R::DATASET as usize];
        let own = line[insurer.min(LARGE_INSURERS)].or(line[LARGE_INSURERS]);
        self.report_to(own, versions);
    }

    /// Whether the insurer's receipts come through a feed that can take a row back.
    pub(super) fn can_withdraw(&self, insurer: InsurerNo) -> bool {
        let line = &self.routes.insurers[Dataset::PremiumReceipt as usize];
        line[insurer.min(LARGE_INSURERS)].is_some_and(|feed| self.feeds[feed].feed.voidable)
    }

    /// Reports all versions of a unit, oldest first, to the department that keeps it.
    pub(super) fn report_unit<R: Record>(&mut self, keeper: Department, versions: &[Version<R>]) {
        let feed = self.routes.units[keeper as usize];
        self.report_to(feed.or(self.routes.units[Department::Emergency as usize]), versions);
    }

    /// Reports all versions of a record that only one feed carries, oldest first.
    pub(super) fn report<R: Record>(&mut self, versions: &[Version<R>]) {
        self.report_to(self.routes.insurers[R::DATASET as usize][LARGE_INSURERS], versions);
    }

    fn report_to<R: Record>(&mut self, feed: Option<usize>, versions: &[Version<R>]) {
        let Some(feed) = feed else { return };
        let outcome = self.feeds[feed].report(versions, &mut self.truths);
        self.keep_failure(outcome);
    }

    /// Puts the entry into every snapshot from the day it enters to the day before it leaves.
    pub(super) fn list<R: Record>(&mut self, keeper: Department, entry: &R, from: Day, to: Option<Day>) {
        let Some(feed) = self.routes.rosters[keeper as usize] else { return };
        let outcome = self.feeds[feed].list(entry, from, to, &mut self.truths);
        self.keep_failure(outcome);
    }

    fn keep_failure(&mut self, outcome: Result<()>) {
        if let Err(error) = outcome {
            self.failure.get_or_insert(error);
        }
    }

    pub(super) fn feeds(&self) -> impl Iterator<Item = (&Feed, impl Iterator<Item = Moment>)> {
        self.feeds.iter().map(|outbox| (&outbox.feed, outbox.slots.iter().map(|slot| slot.at)))
    }

    /// Writes what is still in memory.
    pub(super) fn finish(mut self) -> Result<Truths> {
        if let Some(failure) = self.failure {
            return Err(failure);
        }
        for outbox in &mut self.feeds {
            for slot in 0..outbox.slots.len() {
                outbox.flush(slot)?;
                self.truths.files.extend(outbox.truth_of(slot));
            }
        }
        Ok(self.truths)
    }
}

impl Routes {
    fn new(outboxes: &[FeedOutbox]) -> Self {
        let mut routes = Routes {
            insurers: vec![[None; LARGE_INSURERS + 1]; Dataset::ALL.len()],
            units: [None; 5],
            rosters: [None; 5],
        };
        for (number, outbox) in outboxes.iter().enumerate() {
            let feed = &outbox.feed;
            match (feed.dataset, feed.department) {
                (Dataset::Unit, Some(department)) => {
                    routes.units[department as usize] = Some(number);
                }
                (Dataset::Roster, Some(department)) => {
                    routes.rosters[department as usize] = Some(number);
                }
                (dataset, _) => {
                    let own = super::market::insurer_of(feed.reporter).unwrap_or(LARGE_INSURERS);
                    routes.insurers[dataset as usize][own] = Some(number);
                }
            }
        }
        routes
    }
}

impl FeedOutbox {
    fn new(folder: &Path, feed: Feed, seed: &Seed, start: Day, until: Day, truths: &mut Truths) -> Result<Self> {
        let folder = folder.join(&feed.id);
        fs::create_dir_all(&folder).with_context(|| format!("creating {}", folder.display()))?;
        let scribe = Scribe::new(
            feed.dialect,
            feed.dataset,
            &feed.constants,
            feed.clocked.then_some(CLOCK),
            feed.voidable.then_some(STATE),
        );
        let chance = feed.chance(seed);
        let slots = feed.timing.slots(start, until).into_iter().map(SlotFile::new).collect();
        let mut outbox = FeedOutbox { feed, slots, scribe, chance, next_breakage: 0, folder };
        outbox.plan_mishap(truths)?;
        for slot in 0..outbox.slots.len() {
            if outbox.slots[slot].is_delivered() {
                outbox.scribe.write_header(&mut outbox.slots[slot].buffer);
                // Even a file without rows is there, and replaces one of an earlier demo.
                outbox.create(slot)?;
            }
        }
        Ok(outbox)
    }

    /// Chooses the slot of the feed's mishap: neither the first one nor the last two.
    fn plan_mishap(&mut self, truths: &mut Truths) -> Result<()> {
        let Some(mishap) = self.feed.mishap else { return Ok(()) };
        let slots = self.slots.len();
        if slots < 4 {
            return Ok(());
        }
        let eighths = match mishap {
            Mishap::NotFound => 5,
            Mishap::Unavailable => 6,
            Mishap::BusyOnce => 3,
            Mishap::OverTheLimit => 4,
            Mishap::CutOff => 5,
        };
        let slot = (slots * eighths / 8).clamp(1, slots - 3);
        self.slots[slot].mishap = Some(mishap);
        let day = self.slots[slot].at.day();
        truths.mishap(&self.feed.id, mishap, day);
        let mark = match mishap {
            Mishap::Unavailable => "unavailable",
            Mishap::BusyOnce => "busy-once",
            _ => return Ok(()),
        };
        let path = self.folder.join(format!("{}.{mark}", day.date()));
        fs::write(&path, b"").with_context(|| format!("writing {}", path.display()))
    }

    fn report<R: Record>(&mut self, versions: &[Version<R>], truths: &mut Truths) -> Result<()> {
        let mut last_slot = 0;
        for (number, version) in versions.iter().enumerate() {
            let Some(due) = self.slot_after(version.entered_at) else { break };
            let next_due = versions.get(number + 1).and_then(|next| self.slot_after(next.entered_at));
            let is_late = self.chance.yes(LATE);
            if !is_late && next_due == Some(due) && !self.chance.yes(JOURNALLED) {
                continue;
            }
            let delay = if is_late { 1 + self.chance.below(2) } else { 0 };
            let mut slot = due + delay;
            if !self.feed.clocked {
                // Without a clock only the order of arrival tells old from new.
                slot = slot.max(last_slot);
            }
            let Some(slot) = self.delivered_from(slot) else { continue };
            last_slot = slot;
            truths.late += u64::from(is_late);
            truths.out_of_order += u64::from(next_due.is_some_and(|next| next < slot));
            truths.corrections += u64::from(number > 0);
            self.deliver(slot, version, truths)?;
            if self.chance.yes(REPEATED) {
                truths.repeated += 1;
                self.write(slot, &version.record, Some(version.entered_at), None, truths)?;
            }
        }
        Ok(())
    }

    /// Writes the version; or first breaks it and, most times, sends it again in the next slot.
    fn deliver<R: Record>(&mut self, slot: usize, version: &Version<R>, truths: &mut Truths) -> Result<()> {
        let over_the_limit = self.slots[slot].mishap == Some(Mishap::OverTheLimit);
        let is_broken = if over_the_limit {
            self.chance.yes(0.125)
        } else {
            self.chance.yes(BROKEN) && self.slots[slot].rows >= ROWS_PER_BROKEN_ROW * (self.slots[slot].broken + 1)
        };
        let breakage = if is_broken { Some(self.next_breakage) } else { None };
        let clock = Some(version.entered_at);
        self.write(slot, &version.record, clock, breakage, truths)?;
        // Without a clock, what is sent again would pass for newer than what it corrects.
        let again = self.feed.clocked && (over_the_limit || (is_broken && self.chance.yes(0.8)));
        match self.delivered_from(slot + 1) {
            Some(next) if again => self.write(next, &version.record, clock, None, truths),
            _ => Ok(()),
        }
    }

    fn list<R: Record>(&mut self, entry: &R, from: Day, to: Option<Day>, truths: &mut Truths) -> Result<()> {
        assert!(self.feed.mode == Mode::Snapshot);
        let first = self.slots.partition_point(|slot| slot.at.day() < from);
        for slot in first..self.slots.len() {
            if to.is_some_and(|to| self.slots[slot].at.day() >= to) {
                break;
            }
            let is_cut = self.slots[slot].mishap == Some(Mishap::CutOff) && self.chance.yes(0.45);
            if !self.slots[slot].is_delivered() || is_cut {
                continue;
            }
            let is_broken = self.chance.yes(BROKEN / 4.0)
                && self.slots[slot].rows >= ROWS_PER_BROKEN_ROW * (self.slots[slot].broken + 1);
            let breakage = if is_broken { Some(self.next_breakage) } else { None };
            self.write(slot, entry, None, breakage, truths)?;
        }
        Ok(())
    }

    /// The slot whose file is the first made after the moment.
    fn slot_after(&self, moment: Moment) -> Option<usize> {
        let slot = self.slots.partition_point(|slot| slot.at < moment);
        (slot < self.slots.len()).then_some(slot)
    }

    /// The first slot from this one that has a file.
    fn delivered_from(&self, slot: usize) -> Option<usize> {
        (slot..self.slots.len()).find(|slot| self.slots[*slot].is_delivered())
    }

    fn write<R: Record>(
        &mut self,
        slot: usize,
        record: &R,
        entered_at: Option<Moment>,
        breakage: Option<usize>,
        truths: &mut Truths,
    ) -> Result<()> {
        let mut row = Vec::with_capacity(self.feed.dataset.columns().len() + 2);
        record.cells(&mut row);
        assert_eq!(row.len(), self.feed.dataset.columns().len(), "{}", self.feed.dataset.name());
        row.push(entered_at.map_or(Cell::Empty, Cell::Moment));
        row.push(Cell::Text(if record.is_void() { "作废" } else { "有效" }));
        let mut extent = Extent::Whole;
        if let Some(first) = breakage
            && let Some((broken, kind)) = self.break_row(first, &mut row)
        {
            extent = broken;
            self.slots[slot].broken += 1;
            truths.broken_row(kind);
        }
        let file = &mut self.slots[slot];
        self.scribe.write(&row, extent, &mut file.buffer);
        file.rows += 1;
        truths.row(self.feed.dataset);
        if file.buffer.len() >= FLUSH_BYTES { self.flush(slot) } else { Ok(()) }
    }

    /// Tries the kinds of breakage in turn until one fits the row.
    fn break_row(&mut self, first: usize, row: &mut [Cell<'_>]) -> Option<(Extent, Breakage)> {
        if self.feed.mode == Mode::Snapshot {
            // A row whose key cannot be read would end its entry, as if it had left the snapshot.
            let kind = Breakage::UnknownRegion;
            let dataset = self.feed.dataset;
            let extent = break_row(kind, dataset, &self.scribe, &mut self.chance, row)?;
            return Some((extent, kind));
        }
        let kinds = Breakage::ALL.len();
        for turn in 0..kinds {
            let kind = Breakage::ALL[(first + turn) % kinds];
            let dataset = self.feed.dataset;
            if let Some(extent) = break_row(kind, dataset, &self.scribe, &mut self.chance, row) {
                self.next_breakage = (first + turn + 1) % kinds;
                return Some((extent, kind));
            }
        }
        None
    }

    fn path(&self, slot: usize) -> PathBuf {
        let day = self.slots[slot].at.day().date();
        self.folder.join(format!("{day}.{}", self.feed.dialect.extension()))
    }

    fn truth_of(&self, slot: usize) -> Option<FileTruth> {
        let SlotFile { at, rows, broken, .. } = self.slots[slot];
        let slot_day = at.day().date();
        let truth = FileTruth { feed: self.feed.id.clone(), slot: slot_day, rows, broken };
        self.slots[slot].is_delivered().then_some(truth)
    }

    fn create(&self, slot: usize) -> Result<()> {
        let path = self.path(slot);
        fs::write(&path, b"").with_context(|| format!("writing {}", path.display()))
    }

    fn flush(&mut self, slot: usize) -> Result<()> {
        if self.slots[slot].buffer.is_empty() {
            return Ok(());
        }
        let path = self.path(slot);
        let write = || -> std::io::Result<()> {
            let mut file = OpenOptions::new().append(true).create(true).open(&path)?;
            file.write_all(&self.slots[slot].buffer)
        };
        write().with_context(|| format!("writing {}", path.display()))?;
        self.slots[slot].buffer.clear();
        Ok(())
    }
}

impl SlotFile {
    fn new(at: Moment) -> Self {
        SlotFile { at, mishap: None, buffer: Vec::new(), rows: 0, broken: 0 }
    }

    fn is_delivered(&self) -> bool {
        !matches!(self.mishap, Some(Mishap::NotFound | Mishap::Unavailable))
    }
}
