//! A run: fetch, land, load, publish, and the books about it.

mod backfill;
mod day;
mod fetching;
mod landing;
mod loading;
mod remembered;
mod settling;
mod shipped;
mod taken;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anze_warehouse::publication::Writer;
use anze_warehouse::reference;
use anze_warehouse::{Release, Warehouse};
use chrono::{DateTime, Utc};
use futures::StreamExt;
use tokio::sync::Mutex;

pub use backfill::{BackfillAsk, BackfillReport, BackfilledSlot};
use remembered::Remembered;

use crate::books::Books;
use crate::clock::Clock;
use crate::error::{Error, ErrorKind, Result};
use crate::feed::{Feed, Feeds};
use crate::landing::Landing;
use crate::load::{BatchReport, BatchState};
use crate::schedule::Planner;
use crate::source::Fetched;

/// Feeds fetched at the same time.
const FETCHES: usize = 4;

/// Ingestion of one deployment.
pub struct Ingest {
    warehouse: Arc<Warehouse>,
    deployment: PathBuf,
    feeds: Feeds,
    clock: Arc<Clock>,
    client: reqwest::Client,
    landing: Landing,
    books: Books,
    planner: Mutex<Planner>,
    /// What was read of the newest release, so that a run does not read it again.
    remembered: Mutex<Remembered>,
}

/// A feed to run, for a slot or by hand.
#[derive(Debug, Clone)]
pub struct Job {
    /// The feed.
    pub feed: Arc<Feed>,
    /// Its slot; `None`: by hand.
    pub slot_at: Option<DateTime<Utc>>,
}

/// When a run publishes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Publish {
    /// Once, for all batches it took.
    Once,
    /// After references, after units, after facts.
    EachStage,
}

/// What a run did.
#[derive(Debug, Default)]
pub struct RunReport {
    /// Batches, in the order in which they were loaded.
    pub batches: Vec<BatchReport>,
    /// Feeds that failed, and why.
    pub failures: Vec<(String, Error)>,
    /// The newest release it published.
    pub release: Option<Arc<Release>>,
}

impl RunReport {
    /// Whether a person has something to look at: held rows or held batches.
    pub fn has_held(&self) -> bool {
        self.batches.iter().any(|batch| batch.quarantined > 0 || batch.state == BatchState::Held)
    }
}

impl Ingest {
    /// Ingestion of a deployment in a folder.
    ///
    /// # Errors
    /// Warehouse; Refused, where the HTTP client cannot start.
    pub fn open(warehouse: Arc<Warehouse>, deployment: &Path, feeds: Feeds, clock: Arc<Clock>) -> Result<Self> {
        let client = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .map_err(|error| Error::caused(ErrorKind::Refused, "the HTTP client does not start", error))?;
        Ok(Self {
            landing: Landing::of(&warehouse),
            books: Books::of(&warehouse)?,
            planner: Mutex::new(Planner::open(&warehouse)?),
            remembered: Mutex::default(),
            warehouse,
            deployment: deployment.to_owned(),
            feeds,
            clock,
            client,
        })
    }

    /// The feeds of the deployment.
    pub fn feeds(&self) -> &Feeds {
        &self.feeds
    }

    /// The clock it goes by.
    pub fn clock(&self) -> &Arc<Clock> {
        &self.clock
    }

    /// What every writer does first: sweeps what a crash left half received, notes the feeds, and
    /// ships the reference data that this version of the product brings.
    ///
    /// # Errors
    /// Warehouse.
    pub async fn prepare(&self, writer: &Writer) -> Result<()> {
        self.landing.sweep()?;
        self.books.note_feeds(&self.feeds)?;
        let mut taken = self.taken().await?;
        for (feed, text) in shipped::feeds()? {
            let bytes = bytes::Bytes::from_static(text.as_bytes());
            let incoming = self.landing.receive(futures::stream::iter([Ok(bytes)]), u64::MAX).await?;
            let fetched = Fetched { object: "shipped".to_owned(), bytes: incoming };
            self.land(&mut taken, &feed, fetched, None).await?;
        }
        // Only those: what a crash left of other feeds is loaded by the next run, in its order of
        // stages, with the references that the run fetches.
        let mut due = self.due().await?;
        due.retain(|due| due.feed.reporter == reference::REPORTER);
        self.load_due(writer, Publish::Once, due, &mut RunReport::default()).await
    }

    /// Runs the slots that are due now.
    ///
    /// # Errors
    /// Warehouse. A failing feed is in the report and does not stop the others.
    pub async fn run_due(&self, writer: &Writer) -> Result<RunReport> {
        let calendar = self.workdays().await?;
        let now = self.clock.now();
        let planned = {
            let mut planner = self.planner.lock().await;
            let left = planner.open_slots(&self.feeds);
            let mut planned = planner.look(&self.feeds, &calendar, now)?;
            planned.extend(left);
            planned
        };
        let jobs = planned.into_iter().map(|slot| Job { feed: slot.feed, slot_at: Some(slot.slot_at) }).collect();
        let mut report = self.run(writer, jobs, "schedule", Publish::Once).await?;
        if report.release.is_none() {
            report.release = self.publish_day(writer).await?;
        }
        Ok(report)
    }

    /// Runs feeds: fetches and lands what is new, loads it with whatever an earlier run landed and
    /// did not load, and publishes.
    ///
    /// # Errors
    /// Warehouse. A failing feed is in the report and does not stop the others.
    pub async fn run(&self, writer: &Writer, jobs: Vec<Job>, asked_by: &str, publish: Publish) -> Result<RunReport> {
        let mut report = RunReport::default();
        let mut taken = self.taken().await?;
        let mut landed = Vec::new();
        let mut fetches = futures::stream::iter(jobs)
            .map(|job| async move {
                let (run, fetched) = self.fetch(&job, asked_by).await;
                (job, run, fetched)
            })
            .buffered(FETCHES);
        while let Some((job, run, fetched)) = fetches.next().await {
            match fetched {
                Ok(fetched) => landed.push(self.land_all(&mut taken, &job, run, fetched).await?),
                Err(error) => self.note_failure(&job, &run, error, &mut report).await?,
            }
        }
        drop(fetches);
        self.load_pending(writer, publish, &mut report).await?;
        self.note_ends(landed, &report)?;
        Ok(report)
    }

    /// Takes a file in hand for a feed, as if its source had given it.
    ///
    /// # Errors
    /// Source, where the file cannot be read; Warehouse.
    pub async fn take_file(&self, writer: &Writer, feed: &Arc<Feed>, file: &Path, asked_by: &str) -> Result<RunReport> {
        let mut taken = self.taken().await?;
        let job = Job { feed: Arc::clone(feed), slot_at: None };
        let run = self.begin(&job, 1, asked_by);
        let name = file.file_name().unwrap_or(file.as_os_str()).to_string_lossy().into_owned();
        let fetched = Fetched { object: format!("file {name}"), bytes: self.landing.copy(file).await? };
        let landed = self.land_all(&mut taken, &job, run, vec![fetched]).await?;
        let mut report = RunReport::default();
        self.load_pending(writer, Publish::Once, &mut report).await?;
        self.note_ends(vec![landed], &report)?;
        Ok(report)
    }
}
