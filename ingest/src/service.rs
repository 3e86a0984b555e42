//! The service: one task that writes, woken by the ticker and by requests, drained on stop.

use std::sync::Arc;
use std::time::Duration;

use anze_warehouse::publication::Writer;
use futures::future::BoxFuture;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;

use crate::error::{Error, ErrorKind, Result};
use crate::run::{Ingest, Job, Publish, RunReport};
use crate::schedule::Ticker;

/// How often due slots are looked for.
const TICK: Duration = Duration::from_secs(1);

/// A running service.
pub struct Service {
    requests: mpsc::Sender<Request>,
    orders: mpsc::Sender<Order>,
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

/// Asks a running service.
#[derive(Clone)]
pub struct ServiceHandle {
    requests: mpsc::Sender<Request>,
    orders: mpsc::Sender<Order>,
}

/// Work for the writer other than a run of feeds.
type Order = Box<dyn for<'w> FnOnce(&'w Ingest, &'w Writer) -> BoxFuture<'w, ()> + Send>;

struct Request {
    jobs: Vec<Job>,
    publish: Publish,
    asked_by: String,
    answer: oneshot::Sender<Result<RunReport>>,
}

impl Service {
    /// Starts writing: prepares, then runs what is due and what is asked for.
    ///
    /// # Errors
    /// Warehouse, where preparing fails; Refused, where the ticker does not start.
    pub async fn start(ingest: Arc<Ingest>, writer: Writer) -> Result<Self> {
        ingest.prepare(&writer).await?;
        let (requests, received) = mpsc::channel(16);
        let (orders, ordered) = mpsc::channel(16);
        let (stop, stopped) = watch::channel(false);
        let ticker = Ticker::start(TICK).await?;
        let task = tokio::spawn(work(ingest, writer, ticker, received, ordered, stopped));
        Ok(Self { requests, orders, stop, task })
    }

    /// A handle for asking it.
    pub fn handle(&self) -> ServiceHandle {
        ServiceHandle { requests: self.requests.clone(), orders: self.orders.clone() }
    }

    /// Lets the run under way finish, then stops and frees the writer's lease.
    pub async fn stop(self) {
        // Nobody listens any more only if the task has ended already.
        let _ = self.stop.send(true);
        if let Err(error) = self.task.await {
            tracing::error!(%error, "the ingestion task did not end cleanly");
        }
    }
}

impl ServiceHandle {
    /// Runs feeds now, after what runs already.
    ///
    /// # Errors
    /// Stopped, where the service stops first; else as [`Ingest::run`].
    pub async fn run(&self, jobs: Vec<Job>, publish: Publish, asked_by: &str) -> Result<RunReport> {
        let stopped = || Error::new(ErrorKind::Stopped, "the server is stopping; nothing was run");
        let (answer, answered) = oneshot::channel();
        let request = Request { jobs, publish, asked_by: asked_by.to_owned(), answer };
        self.requests.send(request).await.map_err(|_| stopped())?;
        answered.await.map_err(|_| stopped())?
    }

    /// Does something else with the writer in hand, after what runs already.
    ///
    /// # Errors
    /// Stopped, where the service stops first; else those of the work.
    pub async fn order<T, W>(&self, work: W) -> Result<T>
    where
        T: Send + 'static,
        W: for<'w> FnOnce(&'w Ingest, &'w Writer) -> BoxFuture<'w, Result<T>> + Send + 'static,
    {
        let stopped = || Error::new(ErrorKind::Stopped, "the server is stopping; nothing was done");
        let (answer, answered) = oneshot::channel();
        let order: Order = Box::new(move |ingest, writer| {
            let done = work(ingest, writer);
            Box::pin(async move {
                // Who asked may have gone; what was done is in the books all the same.
                let _ = answer.send(done.await);
            })
        });
        self.orders.send(order).await.map_err(|_| stopped())?;
        answered.await.map_err(|_| stopped())?
    }
}

async fn work(
    ingest: Arc<Ingest>,
    writer: Writer,
    mut ticker: Ticker,
    mut requests: mpsc::Receiver<Request>,
    mut orders: mpsc::Receiver<Order>,
    mut stopped: watch::Receiver<bool>,
) {
    loop {
        tokio::select! {
            biased;
            _ = stopped.changed() => break,
            Some(request) = requests.recv() => {
                let report = ingest.run(&writer, request.jobs, &request.asked_by, request.publish).await;
                // Who asked may have gone; the run is in the books all the same.
                let _ = request.answer.send(report);
            }
            Some(order) = orders.recv() => order(&ingest, &writer).await,
            () = ticker.tick() => {
                if let Err(error) = ingest.run_due(&writer).await {
                    tracing::error!(%error, "a scheduled run failed; the last release stands");
                }
            }
        }
    }
    ticker.stop().await;
}
