//! Serving a deployment: the endpoint and the service that writes, started and stopped together.

use std::sync::Arc;

use anyhow::{Context, bail};
use anze_ingest::Ingest;
use anze_ingest::clock::Clock;
use anze_ingest::service::{Service, Webhook};
use anze_warehouse::Release;
use anze_warehouse::warehouse::Holder;
use chrono::{TimeDelta, Utc};
use tokio::net::TcpListener;
use tokio::runtime::Handle;

use crate::deployment::Deployment;
use crate::engine::Engine;
use crate::environment;
use crate::exit::Misuse;
use crate::following::keep_up;
use crate::http::{App, Door, Server, StopSignal};
use crate::settings::AlertSettings;
use crate::token::Secret;
use crate::upkeep::Upkeep;
use crate::writer;

/// Which parts are served.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Part {
    /// The endpoint: interface and pages
    Api,
    /// The feeds by their schedules
    Scheduler,
}

/// Serves until ctrl-c or SIGTERM. Schedules go by `clock`; `questions` are the threads on which
/// questions are computed.
pub async fn serve(
    deployment: Arc<Deployment>,
    only: Option<Part>,
    clock: Arc<Clock>,
    questions: Handle,
    announce: impl FnOnce(&str),
) -> anyhow::Result<()> {
    let mut stop_signal = StopSignal::listen()?;
    check(&deployment).await?;
    let secret = Secret::generate().context("cannot draw a secret")?.1;
    let server = match only {
        Some(Part::Scheduler) => None,
        _ => Some(endpoint(&deployment, Arc::clone(&clock), questions.clone(), &secret).await?),
    };
    if let Some(server) = &server {
        announce(&format!("http://{}", server.address()));
    }
    let begun = match only {
        Some(Part::Api) => None,
        // The endpoint answers from the last release while the service loads what a crash left.
        _ => tokio::select! {
            begun = service(&deployment, server.as_ref(), Arc::clone(&clock), &secret) => Some(begun),
            () = stop_signal.asked() => None,
        },
    };
    let service = match begun.transpose() {
        Ok(service) => service,
        Err(error) => {
            if let Some(server) = server {
                server.stop().await;
            }
            return Err(error);
        }
    };
    let upkeep = service.as_ref().and_then(|service| upkeep(&deployment, service, &clock));
    let following = service.as_ref().map(|service| questions.spawn(keep_up(Arc::clone(&deployment), service.handle())));
    if service.is_some() || only == Some(Part::Api) {
        stop_signal.asked().await;
    }
    tracing::info!("stopping");
    if let Some(upkeep) = upkeep {
        upkeep.stop().await;
    }
    if let Some(following) = following {
        // What is not computed by now is computed by the next start.
        following.abort();
        if let Err(error) = following.await
            && !error.is_cancelled()
        {
            tracing::error!(%error, "keeping metric_value up to date did not end cleanly");
        }
    }
    stop(server, service).await;
    Ok(())
}

/// Refuses what must not be served: metrics that do not plan, and an open door off loopback.
async fn check(deployment: &Deployment) -> anyhow::Result<()> {
    let release = match deployment.newest().await? {
        Some(release) => release,
        None => Release::in_memory(Utc::now().date_naive(), Vec::new())?,
    };
    deployment.catalogue().check(&release).await.map_err(Misuse::from_error)?;
    let bind = deployment.settings().server.bind;
    let now = Utc::now();
    if !bind.ip().is_loopback() && !deployment.tokens().tokens()?.iter().any(|token| token.is_valid(now)) {
        bail!(Misuse::new(format!(
            "anze.toml: [server] bind: {bind} can be reached from elsewhere, where every caller needs a token, and there is none\n\
             make one first: anze token create --role admin"
        )));
    }
    Ok(())
}

async fn endpoint(
    deployment: &Arc<Deployment>,
    clock: Arc<Clock>,
    questions: Handle,
    secret: &Secret,
) -> anyhow::Result<Server> {
    let settings = deployment.settings();
    let bind = settings.server.bind;
    let listener = TcpListener::bind(bind).await.with_context(|| {
        format!("cannot listen on {bind}; another program may: choose another address with --bind or in anze.toml")
    })?;
    let bound = listener.local_addr().context("the endpoint has no address")?;
    let door = Door::new(bound, &settings.server).with_writer(secret);
    let engine = Engine::new(questions, &settings.query);
    Server::start(listener, App::new(Arc::clone(deployment), engine, door, clock))
}

async fn service(
    deployment: &Arc<Deployment>,
    server: Option<&Server>,
    clock: Arc<Clock>,
    secret: &Secret,
) -> anyhow::Result<Service> {
    let feeds = deployment.feeds()?;
    let warehouse = Arc::clone(deployment.warehouse());
    let settings = deployment.settings();
    let webhook = webhook(&settings.alerts)?;
    let ingest = Ingest::open(Arc::clone(&warehouse), deployment.dir(), feeds, clock)?
        .with_limits(settings.schedule.fetch_limits())
        .with_environment(environment::secret);
    let ingest = Arc::new(ingest);
    let holder = Holder {
        address: server.map(|server| server.address().to_string()),
        secret: server.map(|_| secret.reveal().to_owned()),
        ..writer::holder("anze serve")
    };
    let writer = warehouse.writer(&holder, writer::WAIT).await?;
    let service = Service::start(Arc::clone(&ingest), writer, webhook).await?;
    deployment.forget_newest();
    if let Some(server) = server {
        server.app().desk.open(ingest, service.handle());
    }
    Ok(service)
}

/// Maintenance that goes by itself, unless the settings turn it off.
fn upkeep(deployment: &Arc<Deployment>, service: &Service, clock: &Arc<Clock>) -> Option<Upkeep> {
    let settings = &deployment.settings().maintenance;
    let every = TimeDelta::from_std(settings.every.0).unwrap_or(TimeDelta::MAX);
    let start = || Upkeep::start(Arc::clone(deployment), service.handle(), Arc::clone(clock), every);
    settings.automatic.then(start)
}

/// Where alerts are told, if anywhere.
fn webhook(alerts: &AlertSettings) -> anyhow::Result<Option<Webhook>> {
    let address = match (&alerts.webhook, &alerts.webhook_env) {
        (Some(address), _) => address.clone(),
        (None, Some(name)) => environment::secret(name).filter(|address| !address.is_empty()).ok_or_else(|| {
            Misuse::new(format!("anze.toml: [alerts] webhook_env: the environment variable {name} is not set"))
        })?,
        (None, None) => return Ok(None),
    };
    let webhook = Webhook::new(&address).map_err(|error| Misuse::new(format!("anze.toml: [alerts]: {error}")))?;
    Ok(Some(webhook))
}

/// The endpoint first, so that nothing new is asked for; then the run under way may finish.
async fn stop(server: Option<Server>, service: Option<Service>) {
    let app = server.as_ref().map(|server| Arc::clone(server.app()));
    if let Some(server) = server {
        server.stop().await;
    }
    if let Some(service) = service {
        service.stop().await;
    }
    if let Some(app) = app {
        app.desk.drain().await;
        if let Err(problem) = app.access_log.close().await {
            tracing::error!(cause = problem.cause, "the last polls could not be noted");
        }
    }
}
