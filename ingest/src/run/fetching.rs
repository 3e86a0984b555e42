//! Fetching: a feed's source is asked, and asked again as often as its feed says.

use chrono::{DateTime, Utc};
use rand::RngExt;

use super::{Ingest, Job, RunReport};
use crate::books::{Run, RunEnd};
use crate::clock::Clock;
use crate::error::{Error, ErrorKind, Result};
use crate::schedule::{SlotState, day_of};
use crate::source::{Fetched, HttpSource, Request, Source, SourceConfig};

impl Ingest {
    /// Tries a feed's source as often as its feed says.
    pub(super) async fn fetch(&self, job: &Job, asked_by: &str) -> (Run, Result<Vec<Fetched>>) {
        let retry = &job.feed.retry;
        let mut attempt = 1;
        loop {
            let run = self.begin(job, attempt, asked_by);
            let error = match self.try_fetch(job).await {
                Ok(fetched) => return (run, Ok(fetched)),
                Err(error) => error,
            };
            if error.kind() != ErrorKind::Retry || attempt >= retry.attempts {
                return (run, Err(error));
            }
            tracing::warn!(feed.id = %job.feed.feed_id, run.id = %run.run_id, attempt, %error, "the source failed; trying again");
            let end = RunEnd {
                step: "fetch",
                outcome: "failed",
                error: Some(error.to_string()),
                finished_at: Some(self.clock.now()),
                ..RunEnd::default()
            };
            if let Err(error) = self.books.note(&[(run.clone(), end)]) {
                return (run, Err(error));
            }
            let doubled = retry.first.0.saturating_mul(1 << (attempt - 1).min(16)).min(retry.most.0);
            // Half of the wait is jitter, so that feeds that failed together do not return together.
            let wait = doubled.mul_f64(rand::rng().random_range(0.5..=1.0));
            if matches!(self.clock.as_ref(), Clock::Wall) {
                tokio::time::sleep(wait).await;
            }
            attempt += 1;
        }
    }

    pub(super) async fn try_fetch(&self, job: &Job) -> Result<Vec<Fetched>> {
        let slot_at = job.slot_at.unwrap_or_else(|| self.clock.now());
        let request = Request {
            deployment: self.deployment.clone(),
            slot_at,
            slot_date: day_of(slot_at),
            cursor: self.cursor(&job.feed.feed_id).await?,
        };
        match &job.feed.source {
            SourceConfig::Directory(directory) => directory.fetch(&request, &self.landing).await,
            SourceConfig::Http(http) => {
                HttpSource::new(http.clone(), self.client.clone()).fetch(&request, &self.landing).await
            }
        }
    }

    pub(super) async fn cursor(&self, feed_id: &str) -> Result<Option<String>> {
        let latest = self.warehouse.latest().await?;
        Ok(latest.and_then(|release| release.manifest().cursors.get(feed_id).cloned()))
    }

    pub(super) fn begin(&self, job: &Job, attempt: u32, asked_by: &str) -> Run {
        let started_at = self.clock.now();
        let text = |at: DateTime<Utc>| at.format("%Y%m%dT%H%M%S%.6fZ").to_string();
        let about = match job.slot_at {
            // A slot that is asked for again keeps the runs it had.
            Some(slot_at) if asked_by != "schedule" => format!("{}/{}", text(slot_at), text(started_at)),
            slot_at => text(slot_at.unwrap_or(started_at)),
        };
        Run {
            run_id: format!("{}/{about}/{attempt}", job.feed.feed_id),
            feed_id: job.feed.feed_id.clone(),
            slot_at: job.slot_at,
            attempt,
            started_at,
            asked_by: asked_by.to_owned(),
        }
    }

    pub(super) async fn note_failure(&self, job: &Job, run: &Run, error: Error, report: &mut RunReport) -> Result<()> {
        tracing::error!(feed.id = %job.feed.feed_id, run.id = %run.run_id, %error, "the feed failed");
        let end = RunEnd {
            step: "fetch",
            outcome: "failed",
            error: Some(error.to_string()),
            finished_at: Some(self.clock.now()),
            ..RunEnd::default()
        };
        self.books.note(&[(run.clone(), end)])?;
        if let Some(slot_at) = job.slot_at {
            self.planner.lock().await.settle(&job.feed.feed_id, slot_at, SlotState::Failed, None)?;
        }
        report.failures.push((job.feed.feed_id.clone(), error));
        Ok(())
    }
}
