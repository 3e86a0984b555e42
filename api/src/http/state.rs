//! What every handler works with.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use anze_ingest::clock::Clock;

use super::answers::Answers;
use super::desk::RunDesk;
use super::door::Door;
use super::feeds::Arrivals;
use super::freshness::Freshness;
use super::overload::Places;
use crate::access_log::AccessLog;
use crate::deployment::Deployment;
use crate::engine::Engine;

/// The application behind the endpoint.
pub struct App {
    pub deployment: Arc<Deployment>,
    pub engine: Engine,
    pub answers: Answers,
    pub freshness: Freshness,
    pub arrivals: Arrivals,
    pub door: Door,
    pub desk: RunDesk,
    pub access_log: AccessLog,
    pub places: Places,
    /// What time it is for schedules and deadlines; in the demo it stands.
    pub clock: Arc<Clock>,
    /// A stop was asked for: no new work, please.
    pub stopping: AtomicBool,
}

impl App {
    /// The application of a deployment behind a door.
    pub fn new(deployment: Arc<Deployment>, engine: Engine, door: Door, clock: Arc<Clock>) -> Self {
        let settings = deployment.settings();
        Self {
            answers: Answers::new(settings.query.cache.bytes(), deployment.definitions()),
            freshness: Freshness::default(),
            arrivals: Arrivals::default(),
            desk: RunDesk::default(),
            access_log: AccessLog::new(
                deployment.warehouse().access_log().expect("the access log is one of the system tables"),
            ),
            places: Places::new(settings.server.requests),
            stopping: AtomicBool::new(false),
            engine,
            door,
            clock,
            deployment,
        }
    }
}

/// Shared by all handlers.
pub type AppState = Arc<App>;
