//! `anze serve`: feeds by schedule, interface and pages.

use std::net::SocketAddr;
use std::sync::Arc;

use anze_ingest::clock::Clock;
use clap::Args;
use tokio::runtime::Runtime;

use super::{Desk, threads};
use crate::deployment::Deployment;
use crate::exit::Outcome;
use crate::serve::{Part, serve};
use crate::settings::Settings;

/// Run feeds by their schedules and answer over HTTP
#[derive(Debug, Args)]
pub struct Serve {
    /// Only one of the two parts
    #[arg(long, value_enum)]
    only: Option<Part>,
    /// Listen here instead of where anze.toml says; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS:PORT")]
    bind: Option<SocketAddr>,
}

impl Serve {
    pub(super) fn run(self, desk: &Desk, main: &Runtime) -> anyhow::Result<Outcome> {
        let mut settings = Settings::load(&desk.dir)?;
        if let Some(bind) = self.bind {
            settings.server.bind = bind;
        }
        let deployment = Arc::new(Deployment::with_settings(&desk.dir, settings)?);
        let questions = threads("question")?;
        let terminal = desk.terminal;
        // The address goes to standard output, so that programs can read it; the rest is log.
        let announce = |address: &str| {
            if terminal.write(&format!("{address}\n")).is_err() {
                tracing::info!(address, "listening");
            }
        };
        let served =
            main.block_on(serve(deployment, self.only, Arc::new(Clock::Wall), questions.handle().clone(), announce));
        questions.shutdown_background();
        served.map(|()| Outcome::Done)
    }
}
