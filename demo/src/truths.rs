//! What the generator knows about the data it made: for tests, and for people who want to find the
//! culprits again in the numbers.

use super::breakage::Breakage;
use super::dataset::Dataset;
use super::day::Day;
use super::expense::Finding;
use super::feed::Mishap;
use super::market::{MISBEHAVING, Misbehaviour};
use chrono::NaiveDate;
use std::collections::BTreeMap;

/// Counts of what was written and meant; all maps are ordered, so they print alike everywhere.
#[derive(Clone, Debug, Default)]
#[cfg_attr(not(test), allow(dead_code, reason = "counted for tests"))]
pub(crate) struct Truths {
    pub(crate) units: u64,
    pub(crate) roster_entries: u64,
    pub(crate) policies: u64,
    pub(crate) services: u64,
    pub(crate) hazards: u64,
    pub(crate) claims: u64,
    pub(crate) accidents: u64,
    /// Rows in the files, by dataset.
    pub(crate) rows: BTreeMap<&'static str, u64>,
    pub(crate) broken: BTreeMap<Breakage, u64>,
    /// Expense lines made with a finding in mind.
    pub(crate) findings: BTreeMap<Finding, u64>,
    pub(crate) late: u64,
    pub(crate) out_of_order: u64,
    pub(crate) corrections: u64,
    pub(crate) repeated: u64,
    /// Feed, day of the slot and what goes wrong with it.
    pub(crate) mishaps: Vec<(String, NaiveDate, &'static str)>,
    pub(crate) files: Vec<FileTruth>,
    /// Codes of the insurers known for each misbehaviour.
    pub(crate) misbehaving: BTreeMap<Misbehaviour, Vec<&'static str>>,
}

/// One file of the outbox.
#[derive(Clone, Debug)]
#[cfg_attr(not(test), allow(dead_code, reason = "counted for tests"))]
pub(crate) struct FileTruth {
    pub(crate) feed: String,
    pub(crate) slot: NaiveDate,
    pub(crate) rows: u64,
    /// Rows broken on purpose.
    pub(crate) broken: u64,
}

impl Truths {
    pub(super) fn row(&mut self, dataset: Dataset) {
        *self.rows.entry(dataset.name()).or_default() += 1;
    }

    pub(super) fn broken_row(&mut self, kind: Breakage) {
        *self.broken.entry(kind).or_default() += 1;
    }

    pub(super) fn finding(&mut self, finding: Finding) {
        *self.findings.entry(finding).or_default() += 1;
    }

    pub(super) fn mishap(&mut self, feed: &str, mishap: Mishap, day: Day) {
        let what = match mishap {
            Mishap::NotFound => "not found (404); the next slot makes up for it",
            Mishap::Unavailable => "unavailable (503); the next slot makes up for it",
            Mishap::BusyOnce => "503 on the first request, then the file",
            Mishap::OverTheLimit => "one row in eight broken; all rows again in the next slot",
            Mishap::CutOff => "a snapshot without nearly half of its rows",
        };
        self.mishaps.push((feed.to_owned(), day.date(), what));
    }

    pub(super) fn name_the_misbehaving(&mut self) {
        for (code, misbehaviour) in MISBEHAVING {
            self.misbehaving.entry(misbehaviour).or_default().push(code);
        }
    }
}
