//! The desk where runs are asked for: the service behind it fetches side by side and writes one load after the other.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use anze_ingest::run::{LandedPush, Publish};
use anze_ingest::service::ServiceHandle;
use anze_ingest::{ErrorKind, Ingest};
use axum::http::StatusCode;
use serde_json::Value;
use tokio::sync::oneshot;
use tokio::task::JoinSet;

use crate::maintenance::Maintenance;
use crate::problem::{Problem, causes};
use crate::run_report;
use crate::settling::Settling;
use crate::upkeep;
use crate::work::Work;

/// What will be told of work that was asked for.
pub type Told = Pin<Box<dyn Future<Output = Result<Value, Problem>> + Send>>;

/// Where runs are asked for.
#[derive(Default)]
pub struct RunDesk {
    /// Set once the service has begun; never where only the interface runs.
    service: OnceLock<(Arc<Ingest>, ServiceHandle)>,
    running: Mutex<JoinSet<()>>,
}

impl RunDesk {
    /// The service has begun.
    pub fn open(&self, ingest: Arc<Ingest>, service: ServiceHandle) {
        // A server begins its service once.
        let _ = self.service.set((ingest, service));
    }

    /// Whether this process holds the writer's lease.
    pub fn writes(&self) -> bool {
        self.service.get().is_some()
    }

    /// Asks for a run. It goes on whether or not anybody waits for what is returned.
    pub fn start(&self, work: &Work, asked_by: String) -> Result<Told, Problem> {
        let (ingest, service) = self.service.get().cloned().ok_or_else(not_here)?;
        let (jobs, publish) = work.jobs(&ingest)?;
        Ok(self.answered(async move {
            let report = service.run(jobs, publish, &asked_by).await;
            report.map(|report| run_report::json(&report)).map_err(|error| failed(&error))
        }))
    }

    /// Who lands what is pushed.
    pub fn ingest(&self) -> Result<Arc<Ingest>, Problem> {
        self.service.get().map(|(ingest, _)| Arc::clone(ingest)).ok_or_else(not_here)
    }

    /// Asks for a push that has landed to be loaded. It goes on whether or not anybody waits.
    pub fn load_push(&self, push: LandedPush, asked_by: String) -> Result<Told, Problem> {
        let (ingest, service) = self.service.get().cloned().ok_or_else(not_here)?;
        Ok(self.answered(async move {
            let loaded = service.run(Vec::new(), Publish::Once, &asked_by).await;
            ingest.end_push(push, loaded).await.map(|_| Value::Null).map_err(|error| failed(&error))
        }))
    }

    /// Does work that goes on whether or not anybody waits for what is returned.
    fn answered(&self, work: impl Future<Output = Result<Value, Problem>> + Send + 'static) -> Told {
        let (done, answer) = oneshot::channel();
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        while running.try_join_next().is_some() {}
        running.spawn(async move {
            // Nobody may be waiting; the run is in the books all the same.
            let _ = done.send(work.await);
        });
        Box::pin(async move { answer.await.map_err(|_| Problem::internal(&"a run broke off"))? })
    }

    /// Ends the fetch of a feed that is under way; `false` where there is none to end.
    pub async fn cancel(&self, feed_id: &str, by: &str) -> Result<bool, Problem> {
        let (_, service) = self.service.get().cloned().ok_or_else(not_here)?;
        service.cancel(feed_id, by).await.map_err(|error| failed(&error))
    }

    /// Asks for a replay, a discard or a backfill. It is done whether or not anybody waits.
    pub fn settle(
        &self,
        settling: Settling,
        asked_by: String,
    ) -> Result<impl Future<Output = Result<Value, Problem>> + Send + use<>, Problem> {
        let (_, service) = self.service.get().cloned().ok_or_else(not_here)?;
        let (done, answer) = oneshot::channel();
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        while running.try_join_next().is_some() {}
        running.spawn(async move {
            let told = service.order(move |ingest, writer| settling.run(ingest, writer, asked_by)).await;
            // Nobody may be waiting; what was done is in the books all the same.
            let _ = done.send(told.map_err(|error| failed(&error)));
        });
        Ok(async move { answer.await.map_err(|_| Problem::internal(&"the work broke off"))? })
    }

    /// Asks for maintenance. It is done whether or not anybody waits.
    pub fn maintain(&self, job: Maintenance, asked_by: String) -> Result<Told, Problem> {
        let (ingest, service) = self.service.get().cloned().ok_or_else(not_here)?;
        Ok(self.answered(async move {
            let done = upkeep::order(&service, ingest.clock(), job, asked_by).await;
            done.map_err(|error| failed(&error))
        }))
    }

    /// Waits until every run that was asked for has been answered.
    pub async fn drain(&self) {
        let mut running = std::mem::take(&mut *self.running.lock().unwrap_or_else(PoisonError::into_inner));
        while running.join_next().await.is_some() {}
    }
}

fn not_here() -> Problem {
    Problem::new(
        StatusCode::SERVICE_UNAVAILABLE,
        "no_writer",
        "采集服务未运行",
        "Ingestion does not run here",
        "it has not begun yet, or this server was started with --only api",
    )
}

/// An error of ingestion, as a caller is told.
pub fn failed(error: &anze_ingest::Error) -> Problem {
    match error.kind() {
        ErrorKind::Stopped => {
            let detail = error.to_string();
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, "stopping", "正在停止", "Stopping", detail)
        }
        ErrorKind::Refused => Problem::bad_request("refused", error.to_string()),
        _ => Problem::internal(&causes(error)),
    }
}
