//! The machine: dispatcher and loader, worked step by step so that nothing depends on threads.

use std::sync::Arc;
use std::time::Duration;

use anze_warehouse::publication::Writer;
use anze_warehouse::warehouse::Holder;

use super::super::dispatch::{Dispatcher, LoadOrder};
use super::super::loader::carry_out;
use super::world::World;
use crate::clock::{Clock, Simulated};
use crate::run::{FetchLimits, Ingest};

pub(super) struct Machine {
    ingest: Arc<Ingest>,
    dispatcher: Dispatcher,
    writer: Writer,
    clock: Arc<Clock>,
}

/// What one turn brought.
pub(super) struct Worked {
    orders: Vec<LoadOrder>,
    /// How many fetches ended.
    ended: usize,
}

impl Machine {
    pub(super) async fn start(world: &World) -> Self {
        let warehouse = world.warehouse();
        let clock = Arc::clone(&world.clock);
        let ingest =
            Ingest::open(Arc::clone(&warehouse), world.folder.path(), world.loaded_feeds(), Arc::clone(&clock));
        // Who sleeps while it answers keeps its lane.
        let mut ingest = ingest.unwrap().with_limits(FetchLimits { in_all: 1000, of_source: 1000 });
        ingest.fakes = world.senders();
        let ingest = Arc::new(ingest);
        let holder = Holder { what: "simulation".to_owned(), process: std::process::id(), address: None, secret: None };
        let writer = warehouse.writer(&holder, Duration::from_secs(10)).await.unwrap();
        ingest.prepare(&writer).await.unwrap();
        Self { dispatcher: Dispatcher::new(Arc::clone(&ingest)), ingest, writer, clock }
    }

    /// Ticks, fetches and loads until nothing is left to do at this instant.
    pub(super) async fn settle(&mut self) {
        loop {
            let worked = self.work().await;
            let mut orders = worked.orders;
            if worked.ended == 0 && orders.is_empty() {
                return;
            }
            while let Some(order) = merged(std::mem::take(&mut orders)) {
                let loaded = carry_out(&self.ingest, &self.writer, order).await;
                assert!(!loaded.failed, "a load failed");
                orders = self.dispatcher.loaded(loaded).await;
            }
        }
    }

    /// Ticks and fetches until every fetch has ended or waits.
    pub(super) async fn work(&mut self) -> Worked {
        let mut worked = Worked { orders: self.dispatcher.tick().await.unwrap().into_iter().collect(), ended: 0 };
        let clock = Arc::clone(&self.clock);
        let simulated = simulated(&clock);
        while self.dispatcher.fetching() > simulated.asleep() {
            tokio::select! {
                biased;
                ended = self.dispatcher.next_end() => {
                    worked.orders.extend(self.dispatcher.take_end(ended).await);
                    worked.ended += 1;
                }
                () = simulated.fell_asleep() => {}
            }
        }
        worked
    }

    /// Stops as the service does: what waits stops, what has landed is loaded.
    pub(super) async fn stop(self) {
        for order in self.dispatcher.drain().await {
            assert!(!carry_out(&self.ingest, &self.writer, order).await.failed, "a load failed");
        }
        assert_eq!(simulated(&self.clock).asleep(), 0, "nothing goes on");
    }

    /// Ends as if the power had failed.
    pub(super) async fn crash(self) {
        self.dispatcher.crash().await;
        assert_eq!(simulated(&self.clock).asleep(), 0, "nothing goes on");
    }
}

fn simulated(clock: &Clock) -> &Simulated {
    match clock {
        Clock::Simulated(simulated) => simulated,
        _ => panic!("the clock is simulated"),
    }
}

/// Orders of the schedule as one.
fn merged(orders: Vec<LoadOrder>) -> Option<LoadOrder> {
    let mut orders = orders.into_iter();
    let first = orders.next()?;
    Some(orders.fold(first, |mut merged, order| {
        merged.feeds.extend(order.feeds);
        merged.landed.extend(order.landed);
        merged
    }))
}
