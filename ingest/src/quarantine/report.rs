//! What a replay or a discard did, for people and programs.

use std::collections::BTreeMap;

use serde::Serialize;

/// Held records of one feed and rule, before and after.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RuleCount {
    /// The feed.
    pub feed_id: String,
    /// The rule that holds them; `batch_held` counts the sound records of batches held whole.
    pub rule: String,
    /// Records held before.
    pub before: u64,
    /// Records held after.
    pub after: u64,
}

/// What became of one batch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BatchChange {
    /// The batch.
    pub batch_id: String,
    /// Its feed.
    pub feed_id: String,
    /// Its dataset.
    pub dataset: String,
    /// `published`, `held` or `discarded` before …
    pub state_before: String,
    /// … and after.
    pub state: String,
    /// Records that became current.
    pub accepted: u64,
    /// Valid records behind a newer version.
    pub superseded: u64,
    /// Records equal to the current version.
    pub unchanged: u64,
    /// Records of the batch still held.
    pub quarantined: u64,
    /// What stands in the way, in Chinese and English.
    pub reason: Option<String>,
}

/// What a replay did, or in a preview would do.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct ReplayReport {
    /// Whether nothing was changed on purpose.
    pub preview: bool,
    /// The release that has the replayed records; `None`: there is none.
    pub release: Option<u64>,
    /// Before and after, by feed and rule.
    pub rows: Vec<RuleCount>,
    /// The batches that were looked at, in their order of arrival by dataset.
    pub batches: Vec<BatchChange>,
    /// Whether any of the selected records or batches is still held.
    pub held: bool,
}

/// What a discard did.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct DiscardReport {
    /// The release that says so.
    pub release: Option<u64>,
    /// Before and after, by feed and rule.
    pub rows: Vec<RuleCount>,
    /// Batches that were held whole and are discarded.
    pub batches: Vec<String>,
}

/// Counts by feed and rule.
#[derive(Debug, Default)]
pub(super) struct Tally {
    counts: BTreeMap<(String, String), (u64, u64)>,
}

impl Tally {
    pub(super) fn before(&mut self, feed_id: &str, rule: &str, records: u64) {
        self.counts.entry((feed_id.to_owned(), rule.to_owned())).or_default().0 += records;
    }

    pub(super) fn after(&mut self, feed_id: &str, rule: &str, records: u64) {
        self.counts.entry((feed_id.to_owned(), rule.to_owned())).or_default().1 += records;
    }

    pub(super) fn absorb(&mut self, other: Self) {
        for ((feed_id, rule), (before, after)) in other.counts {
            self.before(&feed_id, &rule, before);
            self.after(&feed_id, &rule, after);
        }
    }

    pub(super) fn rows(self) -> Vec<RuleCount> {
        let row = |((feed_id, rule), (before, after))| RuleCount { feed_id, rule, before, after };
        self.counts.into_iter().map(row).collect()
    }
}
