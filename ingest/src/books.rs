//! The run history: what ran, for which slot, what came of it and who asked.

use anze_warehouse::Warehouse;
use anze_warehouse::live::{LiveFile, LiveRow};
use chrono::{DateTime, Utc};
use serde_json::json;

use crate::error::Result;
use crate::feed::Feeds;

/// The live tables `system.run` and `system.feed`.
#[derive(Debug)]
pub struct Books {
    runs: LiveFile,
    feeds: LiveFile,
}

/// One attempt of one feed.
#[derive(Debug, Clone)]
pub struct Run {
    /// Unique name: feed, slot, attempt, start.
    pub run_id: String,
    /// Its feed.
    pub feed_id: String,
    /// Its slot; `None`: by hand.
    pub slot_at: Option<DateTime<Utc>>,
    /// From 1.
    pub attempt: u32,
    /// When it began.
    pub started_at: DateTime<Utc>,
    /// Who asked: `schedule`, or a person's name.
    pub asked_by: String,
}

/// How an attempt ended.
#[derive(Debug, Clone, Default)]
pub struct RunEnd {
    /// Last step reached: fetch, land, load, publish.
    pub step: &'static str,
    /// `running`, `done`, `nothing_new`, `held`, `failed`.
    pub outcome: &'static str,
    /// Its batch.
    pub batch_id: Option<String>,
    /// Rows read.
    pub rows: Option<u64>,
    /// Bytes landed.
    pub bytes: Option<u64>,
    /// What went wrong.
    pub error: Option<String>,
    /// When it ended; `None`: it runs.
    pub finished_at: Option<DateTime<Utc>>,
}

impl Books {
    /// The books of a warehouse.
    ///
    /// # Errors
    /// Warehouse.
    pub fn of(warehouse: &Warehouse) -> Result<Self> {
        Ok(Self { runs: warehouse.live("run")?, feeds: warehouse.live("feed")? })
    }

    /// Notes how attempts stand; the last note of an attempt counts.
    ///
    /// # Errors
    /// Warehouse.
    pub fn note(&self, runs: &[(Run, RunEnd)]) -> Result<()> {
        let rows: Vec<LiveRow> = runs
            .iter()
            .filter_map(|(run, end)| {
                let row = json!({
                    "run_id": run.run_id,
                    "feed_id": run.feed_id,
                    "slot_at": run.slot_at.map(|at| at.to_rfc3339()),
                    "attempt": run.attempt,
                    "step": end.step,
                    "outcome": end.outcome,
                    "batch_id": end.batch_id,
                    "rows": end.rows,
                    "bytes": end.bytes,
                    "error": end.error,
                    "started_at": run.started_at.to_rfc3339(),
                    "finished_at": end.finished_at.map(|at| at.to_rfc3339()),
                    "asked_by": run.asked_by,
                });
                row.as_object().cloned()
            })
            .collect();
        if rows.is_empty() { Ok(()) } else { Ok(self.runs.append(&rows)?) }
    }

    /// Writes the feeds as configured now.
    ///
    /// # Errors
    /// Warehouse.
    pub fn note_feeds(&self, feeds: &Feeds) -> Result<()> {
        Ok(self.feeds.replace(&Self::feed_rows(feeds))?)
    }

    /// The feeds as configured, in the columns of `system.feed` and `system.feed_state`.
    pub fn feed_rows(feeds: &Feeds) -> Vec<LiveRow> {
        feeds
            .iter()
            .filter_map(|feed| {
                let deadline =
                    feed.deadline.as_ref().map(|d| format!("+{} workdays {}", d.workdays, d.at.format("%H:%M")));
                let row = json!({
                    "feed_id": feed.feed_id,
                    "title": feed.title,
                    "dataset": feed.contract.name,
                    "reporter": feed.reporter,
                    "region_code": feed.region_code,
                    "department": feed.department,
                    "mode": feed.mode.name(),
                    "schedule": feed.schedule.as_ref().map(|schedule| schedule.text()),
                    "deadline": deadline,
                    "source_kind": feed.source.kind(),
                });
                row.as_object().cloned()
            })
            .collect()
    }
}
