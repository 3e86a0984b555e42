//! `anze ingest`: one run now.

use std::path::PathBuf;

use clap::Subcommand;

use super::Desk;
use crate::exit::{Misuse, Outcome};
use crate::run_report;
use crate::work::Work;
use crate::writer;

/// Take data in
#[derive(Debug, Subcommand)]
pub enum Ingest {
    /// Run feeds now: fetch, land, check, load, publish
    Run {
        /// Names of feeds; anze feeds list shows them
        #[arg(value_name = "FEED", required_unless_present = "all", conflicts_with = "all")]
        feeds: Vec<String>,
        /// Every feed, published after references, units and facts
        #[arg(long)]
        all: bool,
        /// A file in hand instead of the feed's source
        #[arg(long, value_name = "PATH", conflicts_with = "all")]
        file: Option<PathBuf>,
    },
}

impl Ingest {
    pub(super) async fn run(self, desk: &Desk) -> anyhow::Result<Outcome> {
        let Self::Run { feeds, all, file } = self;
        let work = match (all, file, feeds.as_slice()) {
            (true, ..) => Work::All,
            (false, None, _) => Work::Feeds(feeds),
            (false, Some(path), [feed]) => Work::File { feed: feed.clone(), path },
            (false, Some(_), _) => return Err(Misuse::new("--file takes exactly one FEED").into()),
        };
        let done = writer::run(&desk.deployment()?, &work).await?;
        let failed = done["failures"].as_array().is_some_and(|failures| !failures.is_empty());
        let held = done["held"].as_bool().unwrap_or(false);
        desk.terminal.print(&run_report::report(done))?;
        match (failed, held) {
            (true, _) => anyhow::bail!("some feeds failed; what the others brought is published"),
            (false, true) => Ok(Outcome::Findings),
            (false, false) => Ok(Outcome::Done),
        }
    }
}
