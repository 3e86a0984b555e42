//! The loader: the one task that writes. What the schedule brought meanwhile shares a release; who
//! asked gets a report of their own.

use std::sync::Arc;

use anze_warehouse::publication::Writer;
use futures::future::BoxFuture;
use tokio::sync::mpsc;

use super::dispatch::LoadOrder;
use crate::run::{Ingest, Moment, RunReport};

/// Work for the writer other than a load.
pub(super) type Work = Box<dyn for<'w> FnOnce(&'w Ingest, &'w Writer) -> BoxFuture<'w, ()> + Send>;

/// What the writer is handed.
pub(super) enum WriterWork {
    /// What landed.
    Load(LoadOrder),
    /// Something else.
    Other(Work),
}

/// What is over.
pub(super) struct Loaded {
    /// The feeds that are free now.
    pub(super) feeds: Vec<String>,
    /// Whether it failed; what was landed is still there.
    pub(super) failed: bool,
}

/// Loads until no orders can come any more, then frees the writer's lease.
pub(super) async fn load(
    ingest: Arc<Ingest>,
    writer: Writer,
    mut orders: mpsc::UnboundedReceiver<WriterWork>,
    done: mpsc::UnboundedSender<Loaded>,
) {
    while let Some(first) = orders.recv().await {
        let mut waiting = vec![first];
        while let Ok(work) = orders.try_recv() {
            waiting.push(work);
        }
        for work in together(waiting) {
            match work {
                WriterWork::Load(order) => {
                    let loaded = carry_out(&ingest, &writer, order).await;
                    // The dispatcher ends first when the service stops.
                    let _ = done.send(loaded);
                }
                WriterWork::Other(work) => work(&ingest, &writer).await,
            }
        }
    }
}

/// Orders of the schedule become one, in the place of the first of them.
fn together(all: Vec<WriterWork>) -> Vec<WriterWork> {
    let mut merged: Vec<WriterWork> = Vec::with_capacity(all.len());
    for work in all {
        let WriterWork::Load(LoadOrder { answer: None, feeds, landed, .. }) = work else {
            merged.push(work);
            continue;
        };
        let scheduled = merged.iter_mut().find_map(|work| match work {
            WriterWork::Load(order) if order.answer.is_none() => Some(order),
            _ => None,
        });
        match scheduled {
            Some(scheduled) => {
                scheduled.feeds.extend(feeds);
                scheduled.landed.extend(landed);
            }
            None => merged.push(WriterWork::Load(LoadOrder::scheduled(feeds, landed))),
        }
    }
    merged
}

/// Loads one order, publishes, and answers who asked.
pub(super) async fn carry_out(ingest: &Ingest, writer: &Writer, order: LoadOrder) -> Loaded {
    let LoadOrder { feeds, landed, publish, failures, answer } = order;
    let mut report = RunReport { failures, ..RunReport::default() };
    let mut loaded = ingest.load_landed(writer, landed, publish, &Moment::Now, &mut report).await;
    if loaded.is_ok() && report.release.is_none() && answer.is_none() {
        loaded = ingest.publish_day(writer, &Moment::Now).await.map(|_| ());
    }
    let failed = loaded.is_err();
    match (answer, loaded) {
        (Some(answer), loaded) => {
            // Who asked may have gone; the run is in the books all the same.
            let _ = answer.send(loaded.map(|()| report));
        }
        (None, Err(error)) => tracing::error!(%error, "a load failed; the last release stands"),
        (None, Ok(())) => {}
    }
    Loaded { feeds, failed }
}
