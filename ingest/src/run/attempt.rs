//! One run of one feed up to its landing: begun, fetched, landed, or ended otherwise; its slot and
//! the books always say which.

use chrono::{DateTime, Utc};

use super::fetching::{Halt, Halts, Unfetched};
use super::landing::Landed;
use super::{Ingest, Job};
use crate::books::{Run, RunEnd};
use crate::error::{Error, ErrorKind, Result};
use crate::schedule::{AlertKind, SlotState, Trouble};

/// What came of a run before loading.
pub(crate) enum Attempted {
    /// What it landed waits to be loaded.
    Landed(Landed),
    /// It ended; the books and its slot say how.
    Failed(Error),
}

impl Ingest {
    /// Notes that runs begin.
    pub(crate) async fn begin_all(&self, jobs: &[Job], asked_by: &str) -> Result<Vec<Run>> {
        let mut planner = self.planner.lock().await;
        let begin = |job: &Job| {
            let due_at = job.slot_at.and_then(|slot_at| planner.due(&job.feed.feed_id, slot_at));
            self.begin(job, 1, asked_by, due_at)
        };
        let runs: Vec<Run> = jobs.iter().map(begin).collect();
        self.books.note(&runs.iter().map(|run| (run.clone(), RunEnd::running())).collect::<Vec<_>>())?;
        let slots: Vec<(&str, DateTime<Utc>)> =
            jobs.iter().filter_map(|job| Some((job.feed.feed_id.as_str(), job.slot_at?))).collect();
        planner.settle(&slots, SlotState::Running)?;
        Ok(runs)
    }

    /// Fetches and lands what a feed's source has.
    pub(crate) async fn attempt(&self, job: &Job, run: Run, mut halts: Halts) -> Attempted {
        let (run, fetched) = self.fetch(job, run, &mut halts).await;
        let failed = match fetched {
            Ok(fetched) => match self.land_all(job, run.clone(), fetched).await {
                Ok(landed) => {
                    self.settle_alert(job, None).await;
                    return Attempted::Landed(landed);
                }
                Err(error) => self.fail(job, &run, "land", error).await,
            },
            Err(Unfetched::Failed(error)) => self.fail(job, &run, "fetch", error).await,
            Err(Unfetched::Halted(halt, last_error)) => self.halt(job, &run, halt, last_error).await,
        };
        Attempted::Failed(failed)
    }

    /// The note of an attempt that failed.
    pub(super) fn failed(&self, step: &'static str, run: &Run, error: &Error) -> (Run, RunEnd) {
        let end = RunEnd {
            step,
            outcome: "failed",
            error: Some(error.to_string()),
            finished_at: Some(self.clock.now()),
            ..RunEnd::default()
        };
        (run.clone(), end)
    }

    /// Notes that a run failed, and raises the alert about it.
    pub(crate) async fn fail(&self, job: &Job, run: &Run, step: &'static str, error: Error) -> Error {
        tracing::error!(feed.id = %job.feed.feed_id, run.id = %run.run_id, %error, "the feed failed");
        let note = self.failed(step, run, &error);
        self.end(job, note, SlotState::Failed).await;
        self.settle_alert(job, Some(Trouble::failed(&job.feed, &error))).await;
        error
    }

    async fn halt(&self, job: &Job, run: &Run, halt: Halt, last_error: Option<String>) -> Error {
        let (outcome, state, ended_by, told) = match halt {
            Halt::Cancelled { by } => {
                let told = format!("the run was cancelled by {by}");
                ("cancelled", SlotState::Cancelled, Some(by), told)
            }
            Halt::Stopped => ("stopped", SlotState::Open, None, "the server stops; the slot stays open".to_owned()),
        };
        tracing::info!(feed.id = %job.feed.feed_id, run.id = %run.run_id, outcome, "the run was ended");
        let end = RunEnd {
            step: "fetch",
            outcome,
            error: last_error,
            finished_at: Some(self.clock.now()),
            ended_by,
            ..RunEnd::default()
        };
        self.end(job, (run.clone(), end), state).await;
        Error::new(ErrorKind::Stopped, told)
    }

    /// Notes how a run ended. Where that cannot be written, the next start finds the run unfinished.
    async fn end(&self, job: &Job, note: (Run, RunEnd), state: SlotState) {
        let mut written = self.books.note(&[note]);
        if let Some(slot_at) = job.slot_at {
            let settled = self.planner.lock().await.settle(&[(&job.feed.feed_id, slot_at)], state);
            written = written.and(settled);
        }
        if let Err(error) = written {
            tracing::error!(feed.id = %job.feed.feed_id, %error, "how a run ended could not be written");
        }
    }

    async fn settle_alert(&self, job: &Job, trouble: Option<Trouble>) {
        let now = self.clock.now();
        let settled = self.alerts.lock().await.settle(&job.feed.feed_id, AlertKind::Failed, now, trouble);
        if let Err(error) = settled {
            tracing::error!(feed.id = %job.feed.feed_id, %error, "an alert could not be written");
        }
    }
}
