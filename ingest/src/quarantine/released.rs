//! A batch that was held whole, loaded again: by its feed of today, or despite its feed's limits.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use anze_warehouse::live::LiveRow;
use serde_json::json;

use super::book::{BookedBatch, same_reasons, settle_held, text};
use super::held::BATCH_HELD;
use super::replay::{FeedLimits, Replay, Settlement};
use super::report::BatchChange;
use crate::check::KnownCodes;
use crate::error::Result;
use crate::feed::{Allowance, Feed};
use crate::load::{Again, BatchReport, BatchState, Due, Wanted, load_again};

/// One batch held whole.
pub(super) struct Released<'a, 'r, 'w> {
    replay: &'a mut Replay<'r, 'w>,
    codes: KnownCodes,
}

impl<'a, 'r, 'w> Released<'a, 'r, 'w> {
    pub(super) fn new(replay: &'a mut Replay<'r, 'w>, codes: KnownCodes) -> Self {
        Self { replay, codes }
    }

    /// Loads it again and writes into the books what became of it.
    pub(super) async fn run(
        mut self,
        mut batch: BookedBatch,
        feed: Arc<Feed>,
        outdated: bool,
        settlement: &mut Settlement,
    ) -> Result<BatchChange> {
        let batch_id = batch.delivery.batch_id.clone();
        let one = HashSet::from([batch_id.clone()]);
        let publication = &mut *self.replay.publication;
        let old = publication.take_system("quarantine", "batch_id", &one).await?;
        let due = Due { delivery: batch.delivery.clone(), feed: self.limited(feed), on_time: batch.on_time() };
        let (report, fresh) = if outdated { self.outdated(due).await? } else { self.loaded(due, &one).await? };
        let published = report.state == BatchState::Published;

        let feed_id = batch.delivery.feed_id.clone();
        let was_listed = |row: &&LiveRow| text(row, "state") == "held" && text(row, "rule") != BATCH_HELD;
        for row in old.iter().filter(was_listed) {
            settlement.tally.before(&feed_id, text(row, "rule"), 1);
        }
        let listed = old.iter().filter(was_listed).count() as u64;
        settlement.tally.before(&feed_id, BATCH_HELD, batch.count("rows_quarantined").saturating_sub(listed));

        let mut fresh: BTreeMap<String, LiveRow> =
            fresh.into_iter().map(|row| (text(&row, "quarantine_id").to_owned(), row)).collect();
        let mut rows = Vec::with_capacity(old.len());
        for mut row in old {
            match fresh.remove(text(&row, "quarantine_id")) {
                _ if text(&row, "state") != "held" => {}
                Some(today) if !same_reasons(&row, &today) => {
                    settlement.changed = true;
                    row = today;
                }
                Some(_) => {}
                None if published => {
                    settle_held(&mut row, "replayed", self.replay.decision);
                    row.insert("replayed_in".to_owned(), json!(self.replay.publication.release_number()));
                }
                // Good by itself today, and held with its batch all the same.
                None => {}
            }
            rows.push(row);
        }
        settlement.changed |= published || !fresh.is_empty();
        rows.extend(fresh.into_values());
        let still_listed = rows.iter().filter(was_listed);
        still_listed.clone().for_each(|row| settlement.tally.after(&feed_id, text(row, "rule"), 1));
        let still_listed = still_listed.count() as u64;
        settlement.tally.after(&feed_id, BATCH_HELD, report.quarantined.saturating_sub(still_listed));

        let state_before = batch.state().to_owned();
        let reason = report.reason.as_ref().map(|(zh, en)| format!("{zh} / {en}"));
        self.book(&mut batch, &report, reason.as_deref(), settlement);
        let change = BatchChange {
            batch_id,
            feed_id,
            dataset: batch.dataset().to_owned(),
            state_before,
            state: report.state.name().to_owned(),
            accepted: report.accepted,
            superseded: report.superseded,
            unchanged: report.unchanged,
            quarantined: report.quarantined,
            reason,
        };
        self.replay.publication.append_system("quarantine", rows);
        self.replay.publication.append_system("batch", vec![batch.row]);
        Ok(change)
    }

    /// The feed as it is, or without its limits.
    fn limited(&self, feed: Arc<Feed>) -> Arc<Feed> {
        match self.replay.limits {
            FeedLimits::Kept => feed,
            FeedLimits::Lifted => {
                let mut lifted = Feed::clone(&feed);
                lifted.policy.max_quarantined = Allowance::WHOLE;
                lifted.policy.max_removed = Allowance::WHOLE;
                Arc::new(lifted)
            }
        }
    }

    /// Loads the batch like any other; what loading writes of it is taken out to be merged.
    async fn loaded(&mut self, due: Due, one: &HashSet<String>) -> Result<(BatchReport, Vec<LiveRow>)> {
        let (publication, landing) = (&mut *self.replay.publication, self.replay.landing);
        let report = load_again(publication, landing, due, self.codes.clone()).await?;
        // The books keep the row that was there, with the new counts.
        publication.take_system("batch", "batch_id", one).await?;
        Ok((report, publication.take_system("quarantine", "batch_id", one).await?))
    }

    /// A snapshot behind a newer one: its rows go to the history and end nothing.
    async fn outdated(&mut self, due: Due) -> Result<(BatchReport, Vec<LiveRow>)> {
        let mut change = self.replay.publication.change(&due.feed.contract).await?;
        let (publication, landing) = (&mut *self.replay.publication, self.replay.landing);
        let mut again = Again::read(landing, due, &Wanted::All, self.codes.clone()).await?;
        again.judge();
        if again.refused().is_none() {
            again.supersede(&mut change).await?;
        }
        let settled = again.settled(landing, publication.release_number())?;
        change.append_system_batch("finding", settled.findings);
        publication.accept(change);
        Ok((settled.report, settled.held))
    }

    /// Writes counts, state and decision into the batch's row.
    fn book(&self, batch: &mut BookedBatch, report: &BatchReport, held_for: Option<&str>, settlement: &mut Settlement) {
        let counts = [
            ("rows_read", report.read),
            ("rows_accepted", report.accepted),
            ("rows_superseded", report.superseded),
            ("rows_unchanged", report.unchanged),
            ("rows_quarantined", report.quarantined),
        ];
        for (column, count) in counts {
            settlement.changed |= batch.count(column) != count;
            batch.row.insert(column.to_owned(), json!(count));
        }
        batch.row.insert("state".to_owned(), json!(report.state.name()));
        match held_for {
            Some(reason) => {
                settlement.changed |= text(&batch.row, "reason") != reason;
                batch.row.insert("reason".to_owned(), json!(reason));
            }
            None => {
                let default = match self.replay.limits {
                    FeedLimits::Kept => "重新读取后未超过上限 / within its feed's limits when it was read again",
                    FeedLimits::Lifted => "经人工确认放行 / released by a person despite its feed's limits",
                };
                let reason = self.replay.decision.reason.as_deref().unwrap_or(default);
                batch.decide(self.replay.decision, reason);
            }
        }
    }
}
