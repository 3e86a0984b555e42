//! A run: fetch, land, load, publish, and the books about it.

mod shipped;
mod taken;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anze_warehouse::contract::Stage;
use anze_warehouse::publication::Writer;
use anze_warehouse::reference;
use anze_warehouse::session::Limits;
use anze_warehouse::{Release, Warehouse};
use chrono::{DateTime, Utc};
use futures::StreamExt;
use rand::RngExt;
use tokio::sync::Mutex;

use taken::{Taken, Verdict};

use crate::books::{Books, Run, RunEnd};
use crate::clock::Clock;
use crate::error::{Error, ErrorKind, Result};
use crate::feed::{Feed, Feeds};
use crate::landing::{Delivery, Landing, batch_id, landed_path};
use crate::load::{BatchReport, BatchState, Due, load};
use crate::schedule::{Planner, SlotState, Workdays, day_of};
use crate::source::{Fetched, HttpSource, Request, Source, SourceConfig};

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

/// What runs need to know of a release.
#[derive(Debug, Default)]
struct Remembered {
    taken: Option<(u64, Taken)>,
    workdays: Option<(Option<u64>, Workdays)>,
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

    /// Tries a feed's source as often as its feed says.
    async fn fetch(&self, job: &Job, asked_by: &str) -> (Run, Result<Vec<Fetched>>) {
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

    async fn try_fetch(&self, job: &Job) -> Result<Vec<Fetched>> {
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

    async fn cursor(&self, feed_id: &str) -> Result<Option<String>> {
        let latest = self.warehouse.latest().await?;
        Ok(latest.and_then(|release| release.manifest().cursors.get(feed_id).cloned()))
    }

    fn begin(&self, job: &Job, attempt: u32, asked_by: &str) -> Run {
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

    async fn note_failure(&self, job: &Job, run: &Run, error: Error, report: &mut RunReport) -> Result<()> {
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

    async fn land_all(&self, taken: &mut Taken, job: &Job, run: Run, fetched: Vec<Fetched>) -> Result<Landed> {
        let mut landed = Landed { run, deliveries: Vec::new(), bytes: 0 };
        let slot_at = match job.slot_at {
            Some(slot_at) => Some(slot_at),
            None => self.planner.lock().await.slot_before(&job.feed.feed_id, self.clock.now()),
        };
        for object in fetched {
            landed.bytes += object.bytes.size;
            let batch = self.land(taken, &job.feed, object, slot_at).await?;
            if let Some(slot_at) = slot_at {
                let mut planner = self.planner.lock().await;
                planner.settle(&job.feed.feed_id, slot_at, SlotState::Fulfilled, Some(&batch.batch_id))?;
            }
            if batch.is_new {
                landed.deliveries.push(batch.batch_id);
            }
        }
        if landed.bytes == 0
            && landed.deliveries.is_empty()
            && let Some(slot_at) = job.slot_at
        {
            self.planner.lock().await.settle(&job.feed.feed_id, slot_at, SlotState::Failed, None)?;
        }
        Ok(landed)
    }

    /// Lands an object, unless it is the delivery taken last.
    async fn land(
        &self,
        taken: &mut Taken,
        feed: &Feed,
        fetched: Fetched,
        slot_at: Option<DateTime<Utc>>,
    ) -> Result<LandedBatch> {
        let sha256 = fetched.bytes.sha256.clone();
        let occurrence = match taken.verdict(&feed.feed_id, &fetched.object, &sha256) {
            Verdict::Seen(batch_id) => return Ok(LandedBatch { batch_id, is_new: false }),
            Verdict::New { occurrence } => occurrence,
        };
        let delivery = Delivery {
            batch_id: batch_id(&feed.feed_id, &fetched.object, &sha256, occurrence),
            feed_id: feed.feed_id.clone(),
            object: fetched.object,
            landed_path: landed_path(&sha256),
            sha256,
            bytes: fetched.bytes.size,
            landed_at: self.clock.now(),
            slot_at,
        };
        let delivery = self.landing.land(fetched.bytes, delivery).await?;
        taken.note(&delivery);
        Ok(LandedBatch { batch_id: delivery.batch_id, is_new: true })
    }

    /// Loads everything landed that is in no release, and publishes.
    async fn load_pending(&self, writer: &Writer, publish: Publish, report: &mut RunReport) -> Result<()> {
        let due = self.due().await?;
        self.load_due(writer, publish, due, report).await
    }

    async fn load_due(
        &self,
        writer: &Writer,
        publish: Publish,
        mut due: Vec<Due>,
        report: &mut RunReport,
    ) -> Result<()> {
        while !due.is_empty() {
            let first = due.iter().map(|due| due.feed.contract.stage).min().unwrap_or(Stage::Facts);
            let (now, later): (Vec<Due>, Vec<Due>) = match publish {
                Publish::Once => (due, Vec::new()),
                Publish::EachStage => due.into_iter().partition(|due| due.feed.contract.stage == first),
            };
            let deliveries: Vec<Delivery> = now.iter().map(|due| due.delivery.clone()).collect();
            let at = self.clock.now();
            let mut publication = writer.begin(at, day_of(at)).await?;
            let batches = load(&mut publication, &self.landing, now).await?;
            publication.replace_system("slot_state", self.planner.lock().await.rows()?).await?;
            let release = publication.publish().await?;
            self.remember_taken(&release, &deliveries).await;
            report.release = Some(release);
            for delivery in &deliveries {
                self.landing.loaded(delivery)?;
            }
            report.batches.extend(batches);
            due = later;
        }
        Ok(())
    }

    /// Pending deliveries with their feeds; one whose batch a release has is forgotten.
    async fn due(&self) -> Result<Vec<Due>> {
        let taken = self.taken_of_releases().await?;
        let shipped = shipped::feeds()?;
        let planner = self.planner.lock().await;
        let mut due = Vec::new();
        for delivery in self.landing.pending()? {
            if taken.has_batch(&delivery.batch_id) {
                self.landing.loaded(&delivery)?;
                continue;
            }
            let known = self.feeds.get(&delivery.feed_id).cloned();
            let feed = known.or_else(|| {
                shipped.iter().find(|(feed, _)| feed.feed_id == delivery.feed_id).map(|(feed, _)| Arc::clone(feed))
            });
            let Some(feed) = feed else {
                tracing::warn!(feed.id = %delivery.feed_id, batch.id = %delivery.batch_id,
                    "landed for a feed that is no longer configured; it waits");
                continue;
            };
            let deadline = delivery.slot_at.and_then(|slot_at| planner.due(&delivery.feed_id, slot_at));
            let on_time = deadline.map(|deadline| delivery.landed_at <= deadline);
            due.push(Due { delivery, feed, on_time });
        }
        Ok(due)
    }

    fn note_ends(&self, landed: Vec<Landed>, report: &RunReport) -> Result<()> {
        let now = self.clock.now();
        let ends: Vec<(Run, RunEnd)> = landed
            .into_iter()
            .map(|landed| {
                let batches: Vec<&BatchReport> = report
                    .batches
                    .iter()
                    .filter(|batch| landed.deliveries.contains(&batch.delivery.batch_id))
                    .collect();
                let held = batches.iter().any(|batch| batch.state == BatchState::Held);
                let outcome = match (batches.is_empty(), held) {
                    (true, _) => "nothing_new",
                    (false, true) => "held",
                    (false, false) => "done",
                };
                let end = RunEnd {
                    step: "publish",
                    outcome,
                    batch_id: landed.deliveries.first().cloned(),
                    rows: Some(batches.iter().map(|batch| batch.read).sum()),
                    bytes: Some(landed.bytes),
                    error: None,
                    finished_at: Some(now),
                };
                (landed.run, end)
            })
            .collect();
        self.books.note(&ends)
    }

    /// Publishes a release without batches when the observation day has moved.
    async fn publish_day(&self, writer: &Writer) -> Result<Option<Arc<Release>>> {
        let now = self.clock.now();
        match self.warehouse.latest().await? {
            Some(latest) if latest.day() < day_of(now) => {
                let mut publication = writer.begin(now, day_of(now)).await?;
                publication.replace_system("slot_state", self.planner.lock().await.rows()?).await?;
                Ok(Some(publication.publish().await?))
            }
            _ => Ok(None),
        }
    }

    async fn workdays(&self) -> Result<Workdays> {
        let Some(release) = self.warehouse.latest().await? else { return Ok(Workdays::default()) };
        let version = release.manifest().tables.get("tables/calendar").copied();
        let mut remembered = self.remembered.lock().await;
        match &remembered.workdays {
            Some((known, workdays)) if *known == version => Ok(workdays.clone()),
            _ => {
                let workdays = Workdays::read(&release.session(&Limits::default())?).await?;
                remembered.workdays = Some((version, workdays.clone()));
                Ok(workdays)
            }
        }
    }

    /// What the newest release names and what is pending.
    async fn taken(&self) -> Result<Taken> {
        let mut taken = self.taken_of_releases().await?;
        for delivery in self.landing.pending()? {
            if !taken.has_batch(&delivery.batch_id) {
                taken.note(&delivery);
            }
        }
        Ok(taken)
    }

    /// What the newest release names.
    async fn taken_of_releases(&self) -> Result<Taken> {
        let Some(release) = self.warehouse.latest().await? else { return Ok(Taken::default()) };
        let mut remembered = self.remembered.lock().await;
        match &remembered.taken {
            Some((number, taken)) if *number == release.number() => Ok(taken.clone()),
            _ => {
                let taken = Taken::read(&release).await?;
                remembered.taken = Some((release.number(), taken.clone()));
                Ok(taken)
            }
        }
    }

    /// After a release of our own, what was taken is known without reading it.
    async fn remember_taken(&self, release: &Release, deliveries: &[Delivery]) {
        if let Some((number, taken)) = &mut self.remembered.lock().await.taken
            && *number + 1 == release.number()
        {
            *number = release.number();
            deliveries.iter().for_each(|delivery| taken.note(delivery));
        }
    }
}

/// What one feed landed in a run.
struct Landed {
    run: Run,
    /// Batches that are new.
    deliveries: Vec<String>,
    bytes: u64,
}

struct LandedBatch {
    batch_id: String,
    is_new: bool,
}
