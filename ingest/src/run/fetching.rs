//! Fetching: a feed's source is asked, and asked again as often as its feed says.

use rand::RngExt;

use super::{Ingest, Job, RunReport};
use crate::books::{Run, RunEnd};
use crate::clock::Clock;
use crate::error::{Error, ErrorKind, Result};
use crate::feed::Feed;
use crate::schedule::{SlotState, day_of};
use crate::source::cursor::FeedCursor;
use crate::source::{
    Fetched, HttpSource, MysqlSource, PostgresSource, Request, S3Source, SftpSource, Source, SourceConfig, Surroundings,
};

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
            let wait = error.retry_after().map_or(wait, |asked| asked.max(wait).min(retry.most.0));
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
            cursor: self.cursor(&job.feed).await?,
        };
        let (feed_id, zone, environment) = (&job.feed.feed_id, job.feed.format.zone(), self.environment);
        match &job.feed.source {
            SourceConfig::Directory(directory) => directory.fetch(&request, &self.landing).await,
            SourceConfig::Http(http) => {
                let client = self.client.clone();
                let around = Surroundings { deployment: self.deployment.clone(), environment, client };
                HttpSource::new(feed_id, http.as_ref().clone(), around).fetch(&request, &self.landing).await
            }
            SourceConfig::Push(_) => Ok(Vec::new()),
            SourceConfig::S3(bucket) => {
                S3Source::new(bucket.clone(), feed_id.clone(), environment).fetch(&request, &self.landing).await
            }
            SourceConfig::Sftp(server) => {
                SftpSource::new(server.clone(), feed_id.clone(), environment).fetch(&request, &self.landing).await
            }
            SourceConfig::Postgres(database) => {
                PostgresSource::new(database.clone(), zone, environment).fetch(&request, &self.landing).await
            }
            SourceConfig::Mysql(database) => {
                MysqlSource::new(database.clone(), zone, environment).fetch(&request, &self.landing).await
            }
        }
    }

    /// From where the feed's source is read on: its cursor in the newest release, less its lag.
    async fn cursor(&self, feed: &Feed) -> Result<Option<String>> {
        let refused = |what| Error::new(ErrorKind::Refused, what);
        let Some(cursor) = FeedCursor::of(&feed.source, &feed.mapping).map_err(refused)? else { return Ok(None) };
        let Some(release) = self.warehouse.latest().await? else { return Ok(None) };
        let kept = release.manifest().cursors.get(&feed.feed_id);
        Ok(kept.and_then(|kept| cursor.start(kept)).map(|position| position.to_string()))
    }

    pub(super) fn begin(&self, job: &Job, attempt: u32, asked_by: &str) -> Run {
        let started_at = self.clock.now();
        let about = job.slot_at.unwrap_or(started_at);
        Run {
            run_id: format!("{}/{}/{attempt}", job.feed.feed_id, about.format("%Y%m%dT%H%M%S%.6fZ")),
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
