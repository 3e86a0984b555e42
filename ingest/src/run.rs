//! A run: fetch, land, load, publish, and the books about it.

mod alerting;
mod attempt;
mod backfill;
mod day;
mod fetching;
mod landing;
mod lanes;
mod loading;
mod past;
mod pushed;
mod remembered;
mod settling;
mod shipped;
mod taken;

use std::collections::{BTreeSet, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anze_warehouse::publication::Writer;
use anze_warehouse::reference;
use anze_warehouse::{Release, Warehouse};
use chrono::{DateTime, Utc};
use tokio::sync::{Mutex, watch};

pub(crate) use attempt::Attempted;
pub use backfill::{BackfillAsk, BackfillReport, BackfilledSlot};
pub(crate) use fetching::{Halt, Halts};
pub(crate) use landing::Landed;
pub use lanes::FetchLimits;
use lanes::Lanes;
pub(crate) use past::Moment;
pub use pushed::{BatchCounts, LandedPush, Pushed};
use remembered::{KnownTaken, KnownWorkdays};

use crate::books::{Books, Run};
use crate::clock::Clock;
use crate::error::{Error, Result};
use crate::feed::{Feed, Feeds};
use crate::landing::Landing;
use crate::load::{BatchReport, BatchState};
use crate::schedule::{Alerts, Planner};
use crate::secret::{Environment, no_environment};
use crate::source::{Fetched, Kept, shared_client};

/// Ingestion of one deployment.
///
/// Locks are taken in the order `taken`, `planner`, `alerts`.
pub struct Ingest {
    warehouse: Arc<Warehouse>,
    deployment: PathBuf,
    feeds: Feeds,
    clock: Arc<Clock>,
    client: reqwest::Client,
    environment: Environment,
    landing: Landing,
    books: Books,
    lanes: Lanes,
    planner: Mutex<Planner>,
    alerts: Mutex<Alerts>,
    taken: Mutex<KnownTaken>,
    workdays: Mutex<KnownWorkdays>,
    /// Held while a push is compared with those before it and lands.
    pushes: Mutex<()>,
    /// What failed tries fetched, for the next ones.
    kept: Kept,
    /// Batches landed by runs under way, which hand them over for loading themselves.
    claimed: std::sync::Mutex<HashSet<String>>,
    /// Sources that stand in for those of the feeds.
    #[cfg(test)]
    pub(crate) fakes: std::collections::BTreeMap<String, Arc<dyn crate::source::Source>>,
}

/// Who asks for the runs of slots.
pub(crate) const SCHEDULE: &str = "schedule";

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
        let client = shared_client()?;
        Ok(Self {
            landing: Landing::of(&warehouse),
            books: Books::of(&warehouse)?,
            lanes: Lanes::new(FetchLimits::default()),
            planner: Mutex::new(Planner::open(&warehouse)?),
            alerts: Mutex::new(Alerts::open(&warehouse)?),
            taken: Mutex::default(),
            workdays: Mutex::default(),
            claimed: std::sync::Mutex::default(),
            kept: Kept::default(),
            warehouse,
            pushes: Mutex::default(),
            deployment: deployment.to_owned(),
            feeds,
            clock,
            client,
            environment: no_environment,
            #[cfg(test)]
            fakes: std::collections::BTreeMap::new(),
        })
    }

    /// The same with other limits for asking sources.
    #[must_use]
    pub fn with_limits(self, limits: FetchLimits) -> Self {
        Self { lanes: Lanes::new(limits), ..self }
    }

    /// The same, with where the secrets that feeds name by variable are looked up.
    #[must_use]
    pub fn with_environment(self, environment: Environment) -> Self {
        Self { environment, ..self }
    }

    /// The feeds of the deployment.
    pub fn feeds(&self) -> &Feeds {
        &self.feeds
    }

    /// The clock it goes by.
    pub fn clock(&self) -> &Arc<Clock> {
        &self.clock
    }

    /// What every writer does first: reads the books as the last writer left them, sweeps what a
    /// crash left half received, notes the feeds, and ships the reference data that this version of
    /// the product brings.
    ///
    /// # Errors
    /// Warehouse.
    pub async fn prepare(&self, writer: &Writer) -> Result<()> {
        self.adopt().await?;
        self.landing.sweep()?;
        self.books.note_feeds(&self.feeds)?;
        for (feed, text) in shipped::feeds()? {
            let bytes = bytes::Bytes::from_static(text.as_bytes());
            let incoming = self.landing.receive(futures::stream::iter([Ok(bytes)]), u64::MAX).await?;
            let fetched = Fetched { object: "shipped".to_owned(), bytes: incoming };
            let batch = self.land(&feed, fetched, None).await?;
            self.unclaim(&[batch.into_id()]);
        }
        // Only those: what a crash left of other feeds is loaded by the next run, in its order of
        // stages, with the references that the run fetches.
        let mut due = self.due().await?;
        due.retain(|due| due.feed.reporter == reference::REPORTER);
        self.load_due(writer, Publish::Once, due, &Moment::Now, &mut RunReport::default()).await
    }

    /// Runs the slots that are due now.
    ///
    /// # Errors
    /// Warehouse. A failing feed is in the report and does not stop the others.
    pub async fn run_due(&self, writer: &Writer) -> Result<RunReport> {
        let jobs = self.look(&BTreeSet::new()).await?;
        self.review_deadlines().await?;
        let mut report = self.run(writer, jobs, SCHEDULE, Publish::Once).await?;
        self.review_deadlines().await?;
        if report.release.is_none() {
            report.release = self.publish_day(writer, &Moment::Now).await?;
        }
        Ok(report)
    }

    /// Notes the slots that came due since the last look, and returns those whose time to begin has
    /// come, oldest first. `busy` feeds run already.
    ///
    /// # Errors
    /// Warehouse.
    pub(crate) async fn look(&self, busy: &BTreeSet<String>) -> Result<Vec<Job>> {
        let calendar = self.workdays().await?;
        let now = self.clock.now();
        let mut planner = self.planner.lock().await;
        planner.look(&self.feeds, &calendar, now, busy)?;
        let startable = planner.startable(&self.feeds, now).into_iter();
        Ok(startable.map(|slot| Job { feed: slot.feed, slot_at: Some(slot.slot_at) }).collect())
    }

    /// Runs feeds: fetches and lands what is new, loads it with whatever an earlier run landed and
    /// did not load, and publishes. Slots of one feed are run one after the other.
    ///
    /// # Errors
    /// Warehouse. A failing feed is in the report and does not stop the others.
    pub async fn run(&self, writer: &Writer, jobs: Vec<Job>, asked_by: &str, publish: Publish) -> Result<RunReport> {
        let (landed, failures) = self.take(jobs, asked_by).await?;
        let mut report = RunReport { failures, ..RunReport::default() };
        self.load_landed(writer, landed, publish, &Moment::Now, &mut report).await?;
        Ok(report)
    }

    /// Fetches and lands what is new: what landed, and the feeds that failed.
    async fn take(&self, jobs: Vec<Job>, asked_by: &str) -> Result<(Vec<Landed>, Vec<(String, Error)>)> {
        let runs = self.begin_all(&jobs, asked_by).await?;
        let mut chains: Vec<Vec<(Job, Run)>> = Vec::new();
        for (job, run) in jobs.into_iter().zip(runs) {
            let same_feed = |chain: &&mut Vec<(Job, Run)>| chain.iter().all(|(_, known)| known.feed_id == run.feed_id);
            match chains.iter_mut().find(same_feed) {
                Some(chain) => chain.push((job, run)),
                None => chains.push(vec![(job, run)]),
            }
        }
        // Nobody ends a run whose caller waits for it.
        let (_halt, halts) = watch::channel(None);
        let chains = chains.into_iter().map(|chain| self.attempt_all(chain, halts.clone()));
        let (mut failures, mut landed) = (Vec::new(), Vec::new());
        for (feed_id, attempted) in futures::future::join_all(chains).await.into_iter().flatten() {
            match attempted {
                Attempted::Landed(of_feed) => landed.push(of_feed),
                Attempted::Failed(error) => failures.push((feed_id, error)),
            }
        }
        Ok((landed, failures))
    }

    /// Takes a file in hand for a feed, as if its source had given it.
    ///
    /// # Errors
    /// Source, where the file cannot be read; Warehouse.
    pub async fn take_file(&self, writer: &Writer, feed: &Arc<Feed>, file: &Path, asked_by: &str) -> Result<RunReport> {
        let name = file.file_name().unwrap_or(file.as_os_str()).to_string_lossy().into_owned();
        let fetched = Fetched { object: format!("file {name}"), bytes: self.landing.copy(file).await? };
        let job = Job { feed: Arc::clone(feed), slot_at: None };
        let run = self.begin(&job, 1, asked_by, None);
        let landed = self.land_all(&job, run, vec![fetched]).await?;
        let mut report = RunReport::default();
        self.load_landed(writer, vec![landed], Publish::Once, &Moment::Now, &mut report).await?;
        Ok(report)
    }

    async fn attempt_all(&self, chain: Vec<(Job, Run)>, halts: Halts) -> Vec<(String, Attempted)> {
        let mut attempted = Vec::with_capacity(chain.len());
        for (job, run) in chain {
            let ended = self.attempt(&job, run, halts.clone()).await;
            attempted.push((job.feed.feed_id.clone(), ended));
        }
        attempted
    }
}
