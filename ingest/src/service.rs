//! The service: feeds are fetched side by side, loaded one after the other by the one task that
//! writes, woken by the ticker and by requests, drained on stop.

mod courier;
mod dispatch;
mod loader;
#[cfg(test)]
mod simulation;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use anze_warehouse::publication::Writer;
use futures::future::BoxFuture;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;

pub use courier::Webhook;
use courier::carry;
use dispatch::{Answer, Dispatcher, LoadOrder};
use loader::{Loaded, Work, WriterWork, load};

use crate::error::{Error, ErrorKind, Result};
use crate::run::{Ingest, Job, Publish, RunReport};
use crate::schedule::Ticker;

/// How often due slots and deadlines are looked for.
const TICK: Duration = Duration::from_secs(1);

/// A running service.
pub struct Service {
    handle: ServiceHandle,
    stop: watch::Sender<bool>,
    tasks: Vec<JoinHandle<()>>,
}

/// Asks a running service.
#[derive(Clone)]
pub struct ServiceHandle {
    requests: mpsc::Sender<Request>,
}

enum Request {
    Run { jobs: Vec<Job>, publish: Publish, asked_by: String, answer: Answer },
    Work(Work),
    Cancel { feed_id: String, by: String, answer: oneshot::Sender<bool> },
}

impl Service {
    /// Starts writing: prepares, then runs what is due and what is asked for, and tells the webhook
    /// of alerts.
    ///
    /// # Errors
    /// Warehouse, where preparing fails; Refused, where the ticker does not start.
    pub async fn start(ingest: Arc<Ingest>, writer: Writer, webhook: Option<Webhook>) -> Result<Self> {
        ingest.prepare(&writer).await?;
        let (requests, received) = mpsc::channel(16);
        let (stop, stopped) = watch::channel(false);
        let ticker = Ticker::start(TICK).await?;
        // At most one order a feed and a request: a feed waits until it was loaded.
        let (orders, ordered) = mpsc::unbounded_channel();
        let (done, loaded) = mpsc::unbounded_channel();
        let dispatcher = Dispatcher::new(Arc::clone(&ingest));
        let dispatching = Dispatching { dispatcher, orders, loaded, received, stopped: stopped.clone() };
        let mut tasks = vec![
            tokio::spawn(dispatching.work(ticker)),
            tokio::spawn(load(Arc::clone(&ingest), writer, ordered, done)),
        ];
        if let Some(webhook) = webhook {
            tasks.push(tokio::spawn(carry(Arc::clone(&ingest), webhook, stopped)));
        }
        Ok(Self { handle: ServiceHandle { requests }, stop, tasks })
    }

    /// A handle for asking it.
    pub fn handle(&self) -> ServiceHandle {
        self.handle.clone()
    }

    /// Ends the fetches under way, whose slots stay open, lets what has landed be loaded, then stops
    /// and frees the writer's lease.
    pub async fn stop(self) {
        // Nobody listens any more only if the tasks have ended already.
        let _ = self.stop.send(true);
        for task in self.tasks {
            if let Err(error) = task.await {
                tracing::error!(%error, "an ingestion task did not end cleanly");
            }
        }
    }
}

impl ServiceHandle {
    /// Runs feeds now; one that runs already is run again after that.
    ///
    /// # Errors
    /// Stopped, where the service stops first; else as [`Ingest::run`].
    pub async fn run(&self, jobs: Vec<Job>, publish: Publish, asked_by: &str) -> Result<RunReport> {
        let (answer, answered) = oneshot::channel();
        let request = Request::Run { jobs, publish, asked_by: asked_by.to_owned(), answer };
        self.requests.send(request).await.map_err(|_| stopped())?;
        answered.await.map_err(|_| stopped())?
    }

    /// Does something else with the writer in hand, after what is loaded already.
    ///
    /// # Errors
    /// Stopped, where the service stops first; else those of the work.
    pub async fn order<T, W>(&self, work: W) -> Result<T>
    where
        T: Send + 'static,
        W: for<'w> FnOnce(&'w Ingest, &'w Writer) -> BoxFuture<'w, Result<T>> + Send + 'static,
    {
        let (answer, answered) = oneshot::channel();
        let work: Work = Box::new(move |ingest, writer| {
            let done = work(ingest, writer);
            Box::pin(async move {
                // Who asked may have gone; what was done is in the books all the same.
                let _ = answer.send(done.await);
            })
        });
        self.requests.send(Request::Work(work)).await.map_err(|_| stopped())?;
        answered.await.map_err(|_| stopped())?
    }

    /// Ends the fetch of a feed that is under way; `false` where there is none to end.
    ///
    /// # Errors
    /// Stopped, where the service stops first.
    pub async fn cancel(&self, feed_id: &str, by: &str) -> Result<bool> {
        let (answer, answered) = oneshot::channel();
        let request = Request::Cancel { feed_id: feed_id.to_owned(), by: by.to_owned(), answer };
        self.requests.send(request).await.map_err(|_| stopped())?;
        answered.await.map_err(|_| stopped())
    }
}

fn stopped() -> Error {
    Error::new(ErrorKind::Stopped, "the server is stopping; nothing was run")
}

/// The dispatcher between its channels.
struct Dispatching {
    dispatcher: Dispatcher,
    orders: mpsc::UnboundedSender<WriterWork>,
    loaded: mpsc::UnboundedReceiver<Loaded>,
    received: mpsc::Receiver<Request>,
    stopped: watch::Receiver<bool>,
}

impl Dispatching {
    async fn work(mut self, mut ticker: Ticker) {
        loop {
            tokio::select! {
                biased;
                _ = self.stopped.changed() => break,
                Some(request) = self.received.recv() => self.serve(request).await,
                Some(loaded) = self.loaded.recv() => {
                    let orders = self.dispatcher.loaded(loaded).await;
                    self.place(orders);
                }
                ended = self.dispatcher.next_end() => {
                    let orders = self.dispatcher.take_end(ended).await;
                    self.place(orders);
                }
                () = ticker.tick() => match self.dispatcher.tick().await {
                    Ok(order) => self.place(order),
                    Err(error) => tracing::error!(%error, "the schedule could not be looked at; it is looked at again"),
                },
            }
        }
        let Self { dispatcher, orders, .. } = self;
        for order in dispatcher.drain().await {
            hand_over(&orders, WriterWork::Load(order));
        }
        ticker.stop().await;
    }

    async fn serve(&mut self, request: Request) {
        match request {
            Request::Run { jobs, publish, asked_by, answer } => {
                let orders = self.dispatcher.ask(jobs, publish, asked_by, answer).await;
                self.place(orders);
            }
            Request::Work(work) => hand_over(&self.orders, WriterWork::Other(work)),
            Request::Cancel { feed_id, by, answer } => {
                // Who asked may have gone; the run is ended all the same.
                let _ = answer.send(self.dispatcher.cancel(&feed_id, &by));
            }
        }
    }

    fn place(&self, orders: impl IntoIterator<Item = LoadOrder>) {
        orders.into_iter().for_each(|order| hand_over(&self.orders, WriterWork::Load(order)));
    }
}

fn hand_over(orders: &mpsc::UnboundedSender<WriterWork>, work: WriterWork) {
    if orders.send(work).is_err() {
        tracing::error!("the loading task has ended; what was landed is loaded at the next start");
    }
}
