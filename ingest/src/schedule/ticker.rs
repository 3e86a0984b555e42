//! The ticker: wakes the planner, and nothing else. The scheduler crate only ticks, because it
//! forgets missed runs, lets runs overlap and does not drain; slots are ours.

use std::time::Duration;

use tokio::sync::mpsc;
use tokio_cron_scheduler::{Job, JobScheduler};

use crate::error::{Error, ErrorKind, Result};

/// Ticks until it is stopped.
pub struct Ticker {
    scheduler: JobScheduler,
    ticks: mpsc::Receiver<()>,
}

impl Ticker {
    /// Starts ticking.
    ///
    /// # Errors
    /// Refused, where the scheduler does not start.
    pub async fn start(every: Duration) -> Result<Self> {
        let fault = |error| Error::caused(ErrorKind::Refused, "the ticker did not start", error);
        let (tick, ticks) = mpsc::channel(1);
        let scheduler = JobScheduler::new().await.map_err(fault)?;
        let job = Job::new_repeated(every, move |_, _| {
            // A full channel means that the planner is still busy with the last tick.
            let _ = tick.try_send(());
        })
        .map_err(fault)?;
        scheduler.add(job).await.map_err(fault)?;
        scheduler.start().await.map_err(fault)?;
        Ok(Self { scheduler, ticks })
    }

    /// Waits for the next tick.
    pub async fn tick(&mut self) {
        if self.ticks.recv().await.is_none() {
            std::future::pending::<()>().await;
        }
    }

    /// Stops ticking.
    pub async fn stop(mut self) {
        if let Err(error) = self.scheduler.shutdown().await {
            tracing::warn!(%error, "the ticker did not stop cleanly");
        }
    }
}
