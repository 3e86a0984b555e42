//! `anze releases`: what is published.

use clap::Subcommand;

use super::Desk;
use crate::exit::Outcome;
use crate::output::Report;
use crate::published;
use crate::release_choice::ReleaseChoice;

/// What is published
#[derive(Debug, Subcommand)]
pub enum Releases {
    /// All releases, newest first
    List,
    /// One release: its tables and batches
    Show {
        /// Its number
        number: u64,
    },
}

impl Releases {
    pub(super) async fn run(self, desk: &Desk) -> anyhow::Result<Outcome> {
        let deployment = desk.deployment()?;
        let report = match self {
            Self::List => {
                let rows = match deployment.newest().await? {
                    Some(newest) => published::list(&newest, &deployment.limits()).await?,
                    None => Vec::new(),
                };
                Report::list("releases", &["release", "published_at", "day", "batches"], rows)
            }
            Self::Show { number } => {
                let release = deployment
                    .release(ReleaseChoice::of(Some(number), None).map_err(crate::exit::Misuse::new)?)
                    .await?;
                Report::of_one(published::show(&release).as_object().cloned().unwrap_or_default())
            }
        };
        desk.terminal.print(&report)?;
        Ok(Outcome::Done)
    }
}
