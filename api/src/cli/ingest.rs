//! `anze ingest`: one run now, or a past period again.

use std::path::PathBuf;

use anze_ingest::run::BackfillAsk;
use chrono::NaiveDate;
use clap::Subcommand;

use super::Desk;
use crate::exit::{Misuse, Outcome};
use crate::following::catch_up;
use crate::run_report;
use crate::settling::{self, Settling};
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
    /// Fetch the slots of a past period again, in order, and load what is new
    Backfill {
        /// Name of the feed; anze feeds list shows them
        feed: String,
        /// First day
        #[arg(long, value_name = "DAY")]
        from: NaiveDate,
        /// First day after the period, exclusive: --from 2026-05-01 --to 2026-06-01 is May
        #[arg(long, value_name = "DAY")]
        to: NaiveDate,
        /// Fetch and check, say what would change, and land nothing
        #[arg(long)]
        preview: bool,
    },
}

impl Ingest {
    pub(super) async fn run(self, desk: &Desk) -> anyhow::Result<Outcome> {
        let (feeds, all, file) = match self {
            Self::Run { feeds, all, file } => (feeds, all, file),
            Self::Backfill { feed, from, to, preview } => {
                return backfill(desk, BackfillAsk { feed, from, to, preview }).await;
            }
        };
        let work = match (all, file, feeds.as_slice()) {
            (true, ..) => Work::All,
            (false, None, _) => Work::Feeds(feeds),
            (false, Some(path), [feed]) => Work::File { feed: feed.clone(), path },
            (false, Some(_), _) => return Err(Misuse::new("--file takes exactly one FEED").into()),
        };
        let deployment = desk.deployment()?;
        let done = writer::run(&deployment, &work).await?;
        let failed = done["failures"].as_array().is_some_and(|failures| !failures.is_empty());
        let held = done["held"].as_bool().unwrap_or(false);
        desk.terminal.print(&run_report::report(done))?;
        catch_up(&deployment).await;
        match (failed, held) {
            (true, _) => anyhow::bail!("some feeds failed; what the others brought is published"),
            (false, true) => Ok(Outcome::Findings),
            (false, false) => Ok(Outcome::Done),
        }
    }
}

async fn backfill(desk: &Desk, ask: BackfillAsk) -> anyhow::Result<Outcome> {
    let preview = ask.preview;
    let deployment = desk.deployment()?;
    let done = settling::run(&deployment, Settling::Backfill(ask)).await?;
    let is = |name: &str| done[name].as_bool().unwrap_or(false);
    let (failed, held) = (is("failed"), is("held"));
    desk.terminal.print(&settling::backfill_report(done))?;
    catch_up(&deployment).await;
    match (failed, held) {
        (true, _) if preview => anyhow::bail!("some slots could not be fetched"),
        (true, _) => anyhow::bail!("some slots could not be fetched; what the others brought is published"),
        (false, true) => Ok(Outcome::Findings),
        (false, false) => Ok(Outcome::Done),
    }
}
