//! Listening, and stopping gracefully: nothing new is taken, what runs may finish for a while.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::Context;
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::state::{App, AppState};

/// A listening endpoint.
pub struct Server {
    app: AppState,
    address: SocketAddr,
    stop: watch::Sender<bool>,
    task: JoinHandle<std::io::Result<()>>,
    drain: Duration,
}

impl Server {
    /// Starts answering on a listener.
    pub fn start(listener: TcpListener, app: App) -> anyhow::Result<Self> {
        let address = listener.local_addr().context("the endpoint has no address")?;
        let app = Arc::new(app);
        let drain = app.deployment.settings().server.drain.0;
        let (stop, mut stopped) = watch::channel(false);
        let service = super::router(&app).into_make_service_with_connect_info::<SocketAddr>();
        let serving = axum::serve(listener, service).with_graceful_shutdown(async move {
            // An error means that the server itself is gone: stop too.
            let _ = stopped.wait_for(|stop| *stop).await;
        });
        let task = tokio::spawn(async move { serving.await });
        Ok(Self { app, address, stop, task, drain })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What it serves.
    pub fn app(&self) -> &AppState {
        &self.app
    }

    /// Takes nothing new, lets running requests finish up to the limit, and ends.
    pub async fn stop(mut self) {
        self.app.stopping.store(true, Ordering::Relaxed);
        // Nobody listens any more only if the server has ended already.
        let _ = self.stop.send(true);
        match tokio::time::timeout(self.drain, &mut self.task).await {
            Ok(Ok(Ok(()))) => {}
            Ok(Ok(Err(error))) => tracing::error!(%error, "the endpoint did not end cleanly"),
            Ok(Err(error)) => tracing::error!(%error, "the endpoint broke off"),
            Err(_) => {
                tracing::warn!(limit_s = self.drain.as_secs_f64(), "requests still running were cut off");
                self.task.abort();
            }
        }
    }
}

/// The wish to stop: ctrl-c or SIGTERM, heard from the moment this exists.
pub struct StopSignal {
    interrupt: Signal,
    terminate: Signal,
}

impl StopSignal {
    /// Begins to listen.
    pub fn listen() -> anyhow::Result<Self> {
        let interrupt = signal(SignalKind::interrupt()).context("cannot listen for ctrl-c")?;
        let terminate = signal(SignalKind::terminate()).context("cannot listen for SIGTERM")?;
        Ok(Self { interrupt, terminate })
    }

    /// Waits for the wish.
    pub async fn asked(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}
