//! The run history: what ran, for which slot, what came of it, how late, who asked and who ended it.

use anze_warehouse::Warehouse;
use anze_warehouse::live::{LiveFile, LiveRow};
use chrono::{DateTime, Utc};
use serde_json::{Value, json};

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
    /// Unique name: feed, slot, start, attempt.
    pub run_id: String,
    /// Its feed.
    pub feed_id: String,
    /// Its slot; `None`: by hand.
    pub slot_at: Option<DateTime<Utc>>,
    /// Deadline of its slot.
    pub due_at: Option<DateTime<Utc>>,
    /// From 1.
    pub attempt: u32,
    /// When it began.
    pub started_at: DateTime<Utc>,
    /// Who asked: `schedule`, or a person's name.
    pub asked_by: String,
}

/// How an attempt stands or ended.
#[derive(Debug, Clone, Default)]
pub struct RunEnd {
    /// Last step reached: fetch, land, load, publish.
    pub step: &'static str,
    /// `running`, `done`, `nothing_new`, `held`, `failed`, `cancelled`, `stopped`, `interrupted`.
    pub outcome: &'static str,
    /// Its first batch.
    pub batch_id: Option<String>,
    /// How many new batches it landed.
    pub batches: Option<usize>,
    /// Rows read.
    pub rows: Option<u64>,
    /// Rows of them held.
    pub rows_quarantined: Option<u64>,
    /// Bytes landed.
    pub bytes: Option<u64>,
    /// Why a batch of it is held whole.
    pub reason: Option<String>,
    /// What went wrong.
    pub error: Option<String>,
    /// When its last bytes were on disk.
    pub landed_at: Option<DateTime<Utc>>,
    /// When it ended; `None`: it runs, or was interrupted.
    pub finished_at: Option<DateTime<Utc>>,
    /// Who cancelled it.
    pub ended_by: Option<String>,
}

impl RunEnd {
    /// An attempt that has just begun.
    pub fn running() -> Self {
        Self { step: "fetch", outcome: "running", ..Self::default() }
    }
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
        let rows: Vec<LiveRow> = runs.iter().filter_map(|(run, end)| row(run, end)).collect();
        if rows.is_empty() { Ok(()) } else { Ok(self.runs.append(&rows)?) }
    }

    /// Notes the attempts that ended with their process; only the writer may, before it runs any.
    ///
    /// # Errors
    /// Warehouse.
    pub fn note_interrupted(&self) -> Result<()> {
        let mut running: Vec<LiveRow> = self.runs.rows()?;
        running.retain(|row| row.get("outcome").and_then(Value::as_str) == Some("running"));
        for row in &mut running {
            row.insert("outcome".to_owned(), json!("interrupted"));
        }
        if running.is_empty() { Ok(()) } else { Ok(self.runs.append(&running)?) }
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
                let scheduled = feed.schedule.as_ref();
                let row = json!({
                    "feed_id": feed.feed_id,
                    "title": feed.title,
                    "dataset": feed.contract.name,
                    "reporter": feed.reporter,
                    "region_code": feed.region_code,
                    "department": feed.department,
                    "mode": feed.mode.name(),
                    "schedule": scheduled.map(|schedule| schedule.text()),
                    "deadline": deadline,
                    "source_kind": feed.source.kind(),
                    "catch_up": scheduled.map(|_| feed.catch_up.name()),
                    "overlap": scheduled.map(|_| feed.overlap.name()),
                    "jitter": scheduled.map(|_| format!("{}s", feed.jitter.0.as_secs_f64())),
                });
                row.as_object().cloned()
            })
            .collect()
    }
}

fn row(run: &Run, end: &RunEnd) -> Option<LiveRow> {
    let at = |at: Option<DateTime<Utc>>| at.map(|at| at.to_rfc3339());
    let row = json!({
        "run_id": run.run_id,
        "feed_id": run.feed_id,
        "slot_at": at(run.slot_at),
        "due_at": at(run.due_at),
        "attempt": run.attempt,
        "step": end.step,
        "outcome": end.outcome,
        "batch_id": end.batch_id,
        "batches": end.batches,
        "rows": end.rows,
        "rows_quarantined": end.rows_quarantined,
        "bytes": end.bytes,
        "reason": end.reason,
        "error": end.error,
        "landed_at": at(end.landed_at),
        "started_at": run.started_at.to_rfc3339(),
        "finished_at": at(end.finished_at),
        "asked_by": run.asked_by,
        "ended_by": end.ended_by,
    });
    row.as_object().cloned()
}
