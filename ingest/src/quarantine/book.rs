//! One batch in the books, while it is settled.

use std::collections::HashSet;

use anze_warehouse::live::LiveRow;
use serde_json::{Value, json};

use super::Decision;
use crate::error::{Error, ErrorKind, Result};
use crate::landing::Delivery;
use crate::load::BatchReport;

/// A row of `system.batch`, taken out to be changed.
#[derive(Debug, Clone)]
pub(super) struct BookedBatch {
    pub(super) row: LiveRow,
    pub(super) delivery: Delivery,
}

impl BookedBatch {
    pub(super) fn of(row: LiveRow) -> Result<Self> {
        let delivery = serde_json::from_value(Value::Object(row.clone()))?;
        Ok(Self { row, delivery })
    }

    pub(super) fn state(&self) -> &str {
        self.row.get("state").and_then(Value::as_str).unwrap_or_default()
    }

    pub(super) fn dataset(&self) -> &str {
        self.row.get("dataset").and_then(Value::as_str).unwrap_or_default()
    }

    pub(super) fn on_time(&self) -> Option<bool> {
        self.row.get("on_time").and_then(Value::as_bool)
    }

    pub(super) fn count(&self, column: &str) -> u64 {
        self.row.get(column).and_then(Value::as_u64).unwrap_or_default()
    }

    /// Moves replayed records from the held ones to what they became.
    ///
    /// # Errors
    /// Warehouse, where the batch would not add up.
    pub(super) fn settle(&mut self, replayed: &BatchReport, outlived: u64) -> Result<()> {
        let loaded = replayed.accepted + replayed.superseded + replayed.unchanged;
        let moved = |before: u64, more: u64, less: u64| (before + more).checked_sub(less);
        let counts = [
            ("rows_accepted", moved(self.count("rows_accepted"), replayed.accepted, outlived)),
            ("rows_superseded", moved(self.count("rows_superseded"), replayed.superseded + outlived, 0)),
            ("rows_unchanged", moved(self.count("rows_unchanged"), replayed.unchanged, 0)),
            ("rows_quarantined", moved(self.count("rows_quarantined"), 0, loaded)),
        ];
        let sum: Option<u64> = counts.iter().map(|(_, count)| *count).sum();
        if sum != Some(self.count("rows_read")) {
            let what = format!(
                "batch {} of feed {} would not add up after the replay: {counts:?} of {} records read",
                self.delivery.batch_id,
                self.delivery.feed_id,
                self.count("rows_read")
            );
            return Err(Error::new(ErrorKind::Warehouse, what));
        }
        for (column, count) in counts {
            self.row.insert(column.to_owned(), json!(count));
        }
        Ok(())
    }

    /// Notes what was decided about a batch held whole.
    pub(super) fn decide(&mut self, decision: &Decision, reason: &str) {
        self.row.insert("decided_by".to_owned(), json!(decision.by));
        self.row.insert("decided_at".to_owned(), json!(decision.at.to_rfc3339()));
        self.row.insert("reason".to_owned(), json!(reason));
    }
}

/// Sets the state of a row of `system.quarantine`.
pub(super) fn settle_held(row: &mut LiveRow, state: &str, decision: &Decision) {
    row.insert("state".to_owned(), json!(state));
    row.insert("state_by".to_owned(), json!(decision.by));
    row.insert("state_at".to_owned(), json!(decision.at.to_rfc3339()));
    row.insert("reason".to_owned(), json!(decision.reason));
}

/// A text of a row; empty where it has none.
pub(super) fn text<'r>(row: &'r LiveRow, column: &str) -> &'r str {
    row.get(column).and_then(Value::as_str).unwrap_or_default()
}

/// Whether two rows say the same of why a record is held.
pub(super) fn same_reasons(one: &LiveRow, other: &LiveRow) -> bool {
    ["rule", "column_name", "message_zh", "message_en", "failures"]
        .iter()
        .all(|column| text(one, column) == text(other, column))
}

/// Quarantine numbers of rows.
pub(super) fn ids<'r>(rows: impl Iterator<Item = &'r str>) -> HashSet<String> {
    rows.map(str::to_owned).collect()
}
