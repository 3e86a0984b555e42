//! Fetching: a feed's source is asked, and asked again as often as its feed says, until somebody
//! ends it.

use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::sync::watch;

use super::{Ingest, Job};
use crate::books::Run;
use crate::error::{Error, ErrorKind, Result};
use crate::feed::Feed;
use crate::schedule::{day_of, jitter};
use crate::source::cursor::FeedCursor;
use crate::source::{
    DirectorySource, Fetched, HttpSource, MysqlSource, PostgresSource, Request, S3Source, SftpSource, Source,
    SourceConfig, Surroundings,
};

/// Why a fetch was ended from outside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Halt {
    /// By a person.
    Cancelled {
        /// Who it was.
        by: String,
    },
    /// The service stops; the slot stays open.
    Stopped,
}

/// Tells a fetch that it was ended.
pub(crate) type Halts = watch::Receiver<Option<Halt>>;

/// Why nothing was fetched.
pub(super) enum Unfetched {
    /// The source failed as often as its feed tries.
    Failed(Error),
    /// It was ended from outside; the error of the last try, if there was one.
    Halted(Halt, Option<String>),
}

impl Ingest {
    /// Tries a feed's source as often as its feed says; the run is that of the last attempt.
    pub(super) async fn fetch(
        &self,
        job: &Job,
        mut run: Run,
        halts: &mut Halts,
    ) -> (Run, Result<Vec<Fetched>, Unfetched>) {
        let mut last_error = None;
        loop {
            let error = tokio::select! {
                biased;
                halt = halted(halts) => return (run, Err(Unfetched::Halted(halt, last_error))),
                fetched = self.ask(job) => match fetched {
                    Ok(fetched) => return (run, Ok(fetched)),
                    Err(error) => error,
                },
            };
            if error.kind() != ErrorKind::Retry || run.attempt >= job.feed.retry.attempts {
                return (run, Err(Unfetched::Failed(error)));
            }
            tracing::warn!(feed.id = %job.feed.feed_id, run.id = %run.run_id, attempt = run.attempt, %error,
                "the source failed; trying again");
            if let Err(error) = self.books.note(&[self.failed("fetch", &run, &error)]) {
                return (run, Err(Unfetched::Failed(error)));
            }
            let wait = wait_after(job, run.attempt);
            let wait = error.retry_after().map_or(wait, |asked| asked.max(wait).min(job.feed.retry.most.0));
            last_error = Some(error.to_string());
            tokio::select! {
                biased;
                halt = halted(halts) => return (run, Err(Unfetched::Halted(halt, last_error))),
                () = self.clock.sleep(wait) => {}
            }
            run = self.begin(job, run.attempt + 1, &run.asked_by, run.due_at);
            if let Err(error) = self.books.note(&[(run.clone(), crate::books::RunEnd::running())]) {
                return (run, Err(Unfetched::Failed(error)));
            }
        }
    }

    /// Asks a source once, in its lane.
    pub(super) async fn ask(&self, job: &Job) -> Result<Vec<Fetched>> {
        let _lane = self.lanes.enter(&job.feed.source).await;
        self.try_fetch(job).await
    }

    async fn try_fetch(&self, job: &Job) -> Result<Vec<Fetched>> {
        let slot_at = job.slot_at.unwrap_or_else(|| self.clock.now());
        let request = Request {
            deployment: self.deployment.clone(),
            slot_at,
            slot_date: day_of(slot_at),
            cursor: self.cursor(&job.feed).await?,
        };
        #[cfg(test)]
        if let Some(fake) = self.fakes.get(&job.feed.feed_id) {
            return fake.fetch(&request, &self.landing).await;
        }
        let (feed_id, zone, environment) = (&job.feed.feed_id, job.feed.format.zone(), self.environment);
        match &job.feed.source {
            SourceConfig::Directory(folder) => {
                DirectorySource::new(folder.clone(), feed_id.clone(), self.kept.clone())
                    .fetch(&request, &self.landing)
                    .await
            }
            SourceConfig::Http(http) => {
                let client = self.client.clone();
                let around = Surroundings { deployment: self.deployment.clone(), environment, client };
                HttpSource::new(feed_id, http.as_ref().clone(), around).fetch(&request, &self.landing).await
            }
            SourceConfig::Push(_) => Ok(Vec::new()),
            SourceConfig::S3(bucket) => {
                let source = S3Source::new(bucket.clone(), feed_id.clone(), environment, self.kept.clone());
                source.fetch(&request, &self.landing).await
            }
            SourceConfig::Sftp(server) => {
                let source = SftpSource::new(server.clone(), feed_id.clone(), environment, self.kept.clone());
                source.fetch(&request, &self.landing).await
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

    /// An attempt that begins now.
    pub(super) fn begin(&self, job: &Job, attempt: u32, asked_by: &str, due_at: Option<DateTime<Utc>>) -> Run {
        let started_at = self.clock.now();
        let written = |at: DateTime<Utc>| at.format("%Y%m%dT%H%M%S%.6fZ").to_string();
        let about = match job.slot_at {
            Some(slot_at) => format!("{}/{}", written(slot_at), written(started_at)),
            None => written(started_at),
        };
        Run {
            run_id: format!("{}/{about}/{attempt}", job.feed.feed_id),
            feed_id: job.feed.feed_id.clone(),
            slot_at: job.slot_at,
            due_at,
            attempt,
            started_at,
            asked_by: asked_by.to_owned(),
        }
    }
}

/// Waits until the fetch is ended from outside; for ever where nobody is left who could.
async fn halted(halts: &mut Halts) -> Halt {
    let halt = halts.wait_for(Option::is_some).await.ok().and_then(|halt| halt.clone());
    match halt {
        Some(halt) => halt,
        None => std::future::pending().await,
    }
}

/// The wait after a failed attempt: doubled each time, half of it jitter, so that feeds that failed
/// together do not return together.
fn wait_after(job: &Job, attempt: u32) -> Duration {
    let retry = &job.feed.retry;
    let doubled = retry.first.0.saturating_mul(1 << (attempt - 1).min(16)).min(retry.most.0);
    let slot = job.slot_at.map(|slot| slot.to_rfc3339()).unwrap_or_default();
    let share = jitter::share(&["retry", &job.feed.feed_id, &slot, &attempt.to_string()]);
    doubled.mul_f64(0.5 + share / 2.0)
}
