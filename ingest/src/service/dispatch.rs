//! The dispatcher: which feeds run now. Each fetch is a task of its own; a feed runs once at a time,
//! from its start until what it landed is loaded.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use chrono::{DateTime, Duration, NaiveDate, Utc};
use tokio::sync::{oneshot, watch};
use tokio::task::{Id, JoinError, JoinSet};

use super::loader::Loaded;
use super::stopped;
use crate::books::Run;
use crate::error::{Error, ErrorKind, Result};
use crate::run::{Attempted, Halt, Ingest, Job, Landed, Publish, RunReport, SCHEDULE};
use crate::schedule::day_of;

/// Where a request is answered.
pub(super) type Answer = oneshot::Sender<Result<RunReport>>;
/// How a fetch ended, with its task.
pub(super) type FetchEnd = Result<(Id, Attempted), JoinError>;

/// After a load that failed, what was landed is loaded again.
const LOAD_AGAIN: Duration = Duration::minutes(1);

/// What is to be loaded together.
pub(super) struct LoadOrder {
    /// The feeds that are free once it is loaded.
    pub(super) feeds: Vec<String>,
    pub(super) landed: Vec<Landed>,
    pub(super) publish: Publish,
    /// Feeds of the request that failed.
    pub(super) failures: Vec<(String, Error)>,
    /// Who asked; `None`: the schedule.
    pub(super) answer: Option<Answer>,
}

impl LoadOrder {
    /// What the schedule brought, or nothing but the new day.
    pub(super) fn scheduled(feeds: Vec<String>, landed: Vec<Landed>) -> Self {
        Self { feeds, landed, publish: Publish::Once, failures: Vec::new(), answer: None }
    }
}

/// A feed between its start and its loading.
struct Running {
    job: Job,
    run: Run,
    task: Id,
    halt: watch::Sender<Option<Halt>>,
    /// The request it belongs to; `None`: the schedule.
    request: Option<u64>,
}

/// A request whose feeds have not all ended.
struct Asked {
    publish: Publish,
    by: String,
    left: usize,
    feeds: Vec<String>,
    landed: Vec<Landed>,
    failures: Vec<(String, Error)>,
    answer: Answer,
}

/// Starts feeds and gathers what they land.
pub(super) struct Dispatcher {
    ingest: Arc<Ingest>,
    fetches: JoinSet<Attempted>,
    running: BTreeMap<String, Running>,
    /// Asked for while their feed ran.
    waiting: VecDeque<(Job, u64)>,
    asked: BTreeMap<u64, Asked>,
    next_request: u64,
    /// The day that was last published on.
    day: Option<NaiveDate>,
    load_again_at: Option<DateTime<Utc>>,
    stopping: bool,
}

impl Dispatcher {
    pub(super) fn new(ingest: Arc<Ingest>) -> Self {
        Self {
            ingest,
            fetches: JoinSet::new(),
            running: BTreeMap::new(),
            waiting: VecDeque::new(),
            asked: BTreeMap::new(),
            next_request: 0,
            day: None,
            load_again_at: None,
            stopping: false,
        }
    }

    /// Looks at the schedule and the deadlines, starts what is due, and orders a load where the day
    /// has moved or a load failed.
    pub(super) async fn tick(&mut self) -> Result<Option<LoadOrder>> {
        let busy: BTreeSet<String> = self.running.keys().cloned().collect();
        let startable = self.ingest.look(&busy).await?;
        self.ingest.review_deadlines().await?;
        let mut feeds = busy;
        let jobs: Vec<Job> = startable.into_iter().filter(|job| feeds.insert(job.feed.feed_id.clone())).collect();
        self.start(jobs, SCHEDULE, None).await?;
        let now = self.ingest.clock().now();
        // At the start, what a crash left waits for what runs now: it may bring its references.
        let day_moved = self.day != Some(day_of(now)) && (self.day.is_some() || self.running.is_empty());
        let load_again = self.load_again_at.is_some_and(|at| at <= now);
        if !day_moved && !load_again {
            return Ok(None);
        }
        self.day = Some(day_of(now));
        self.load_again_at = None;
        Ok(Some(LoadOrder::scheduled(Vec::new(), Vec::new())))
    }

    /// Starts what somebody asks for; feeds that run already wait.
    pub(super) async fn ask(&mut self, jobs: Vec<Job>, publish: Publish, by: String, answer: Answer) -> Vec<LoadOrder> {
        let (left, feeds, landed, failures) = (jobs.len(), Vec::new(), Vec::new(), Vec::new());
        let asked = Asked { publish, by, left, feeds, landed, failures, answer };
        if jobs.is_empty() {
            return self.order(asked).into_iter().collect();
        }
        let request = self.next_request;
        self.next_request += 1;
        self.asked.insert(request, asked);
        self.waiting.extend(jobs.into_iter().map(|job| (job, request)));
        self.start_waiting().await
    }

    /// Ends the fetch of a feed; `false` where there is none to end.
    pub(super) fn cancel(&mut self, feed_id: &str, by: &str) -> bool {
        match self.running.get(feed_id) {
            // Once the fetch has ended, nobody listens.
            Some(running) => running.halt.send(Some(Halt::Cancelled { by: by.to_owned() })).is_ok(),
            None => false,
        }
    }

    /// Waits for the next fetch to end.
    pub(super) async fn next_end(&mut self) -> FetchEnd {
        match self.fetches.join_next_with_id().await {
            Some(ended) => ended,
            None => std::future::pending().await,
        }
    }

    /// Takes what a fetch brought; returns what is to be loaded now.
    pub(super) async fn take_end(&mut self, ended: FetchEnd) -> Vec<LoadOrder> {
        let mut orders: Vec<LoadOrder> = self.settle_end(ended).await.into_iter().collect();
        if !self.stopping {
            orders.extend(self.start_waiting().await);
        }
        orders
    }

    async fn settle_end(&mut self, ended: FetchEnd) -> Option<LoadOrder> {
        let task = match &ended {
            Ok((task, _)) => *task,
            Err(error) => error.id(),
        };
        let feed_id = self.running.iter().find(|(_, running)| running.task == task).map(|(feed_id, _)| feed_id.clone());
        let running = self.running.get(feed_id.as_ref()?)?;
        let (feed_id, request) = (running.job.feed.feed_id.clone(), running.request);
        let attempted = match ended {
            Ok((_, attempted)) => attempted,
            Err(error) => {
                let error = Error::caused(ErrorKind::Warehouse, "the run broke off", error);
                Attempted::Failed(self.ingest.fail(&running.job, &running.run, "fetch", error).await)
            }
        };
        let order = match (attempted, request) {
            (Attempted::Landed(landed), None) if landed.has_news() => {
                return Some(LoadOrder::scheduled(vec![feed_id], vec![landed]));
            }
            (Attempted::Landed(landed), None) => {
                if let Err(error) = self.ingest.note_idle(landed) {
                    tracing::error!(feed.id = %feed_id, %error, "how a run ended could not be written");
                }
                None
            }
            // It is logged and in the books.
            (Attempted::Failed(_), None) => None,
            (Attempted::Landed(landed), Some(request)) => {
                let asked = self.asked.get_mut(&request)?;
                asked.landed.push(landed);
                // It is free once it is loaded.
                asked.feeds.push(feed_id);
                return self.one_less(request);
            }
            (Attempted::Failed(error), Some(request)) => {
                self.asked.get_mut(&request)?.failures.push((feed_id.clone(), error));
                self.one_less(request)
            }
        };
        self.running.remove(&feed_id);
        order
    }

    /// Frees the feeds whose landed batches are loaded.
    pub(super) async fn loaded(&mut self, loaded: Loaded) -> Vec<LoadOrder> {
        for feed_id in &loaded.feeds {
            self.running.remove(feed_id);
        }
        if loaded.failed {
            self.load_again_at = Some(self.ingest.clock().now() + LOAD_AGAIN);
        }
        self.start_waiting().await
    }

    /// Ends every fetch, leaving its slot open, and returns what is still to be loaded.
    pub(super) async fn drain(mut self) -> Vec<LoadOrder> {
        self.stopping = true;
        for running in self.running.values() {
            // Once the fetch has ended, nobody listens.
            let _ = running.halt.send(Some(Halt::Stopped));
        }
        let mut orders = Vec::new();
        for (job, request) in std::mem::take(&mut self.waiting) {
            if let Some(asked) = self.asked.get_mut(&request) {
                asked.failures.push((job.feed.feed_id.clone(), stopped()));
            }
            orders.extend(self.one_less(request));
        }
        while let Some(ended) = self.fetches.join_next_with_id().await {
            orders.extend(self.take_end(ended).await);
        }
        orders
    }

    /// Ends as if the process had been killed.
    #[cfg(test)]
    pub(super) async fn crash(mut self) {
        self.fetches.shutdown().await;
    }

    /// How many fetches have not been taken.
    #[cfg(test)]
    pub(super) fn fetching(&self) -> usize {
        self.fetches.len()
    }

    async fn start(&mut self, jobs: Vec<Job>, by: &str, request: Option<u64>) -> Result<()> {
        if jobs.is_empty() {
            return Ok(());
        }
        let runs = self.ingest.begin_all(&jobs, by).await?;
        for (job, run) in jobs.into_iter().zip(runs) {
            let (halt, halts) = watch::channel(None);
            let (ingest, its_job, its_run) = (Arc::clone(&self.ingest), job.clone(), run.clone());
            let task = self.fetches.spawn(async move { ingest.attempt(&its_job, its_run, halts).await }).id();
            self.running.insert(run.feed_id.clone(), Running { job, run, task, halt, request });
        }
        Ok(())
    }

    /// Starts what was asked for and whose feed is free.
    async fn start_waiting(&mut self) -> Vec<LoadOrder> {
        let mut orders = Vec::new();
        for (job, request) in std::mem::take(&mut self.waiting) {
            if self.running.contains_key(&job.feed.feed_id) {
                self.waiting.push_back((job, request));
                continue;
            }
            let Some(by) = self.asked.get(&request).map(|asked| asked.by.clone()) else { continue };
            let feed_id = job.feed.feed_id.clone();
            if let Err(error) = self.start(vec![job], &by, Some(request)).await {
                if let Some(asked) = self.asked.get_mut(&request) {
                    asked.failures.push((feed_id, error));
                }
                orders.extend(self.one_less(request));
            }
        }
        orders
    }

    /// One feed of a request has ended; after the last one the request is loaded.
    fn one_less(&mut self, request: u64) -> Option<LoadOrder> {
        let asked = self.asked.get_mut(&request)?;
        asked.left = asked.left.saturating_sub(1);
        if asked.left > 0 {
            return None;
        }
        let asked = self.asked.remove(&request)?;
        self.order(asked)
    }

    fn order(&self, asked: Asked) -> Option<LoadOrder> {
        let Asked { publish, feeds, landed, failures, answer, .. } = asked;
        if self.stopping && landed.is_empty() {
            // Who asked may have gone.
            let _ = answer.send(Err(stopped()));
            return None;
        }
        Some(LoadOrder { feeds, landed, publish, failures, answer: Some(answer) })
    }
}
