//! `anze releases`: what is published.

use clap::Subcommand;

use super::Desk;
use super::noted::{Handed, note};
use crate::deployment::Deployment;
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
    /// What changed from a release to a later one: rows by key, batches, contracts
    Diff {
        /// The earlier release
        from: u64,
        /// The later one
        to: u64,
        /// Only this dataset
        #[arg(long)]
        dataset: Option<String>,
        /// Name at most so many keys of each dataset
        #[arg(long, default_value_t = 100)]
        keys: usize,
    },
}

impl Releases {
    pub(super) async fn run(self, desk: &Desk) -> anyhow::Result<Outcome> {
        let deployment = desk.deployment()?;
        let report = match self {
            Self::List => {
                let rows = match deployment.newest().await? {
                    Some(newest) => {
                        let dropped = deployment.warehouse().dropped().await?;
                        published::list(&newest, &dropped, &deployment.limits()).await?
                    }
                    None => Vec::new(),
                };
                Report::list("releases", &["release", "published_at", "day", "batches", "kept"], rows)
            }
            Self::Show { number } => {
                let release = deployment
                    .release(ReleaseChoice::of(Some(number), None).map_err(crate::exit::Misuse::new)?)
                    .await?;
                Report::of_one(published::show(&release).as_object().cloned().unwrap_or_default())
            }
            Self::Diff { from, to, dataset, keys } => diff(&deployment, [from, to], dataset.as_deref(), keys).await?,
        };
        desk.terminal.print(&report)?;
        Ok(Outcome::Done)
    }
}

async fn diff(
    deployment: &Deployment,
    [from, to]: [u64; 2],
    dataset: Option<&str>,
    keys: usize,
) -> anyhow::Result<Report> {
    let found = published::diff(deployment, [from, to], dataset, keys).await?;
    let handed = Handed {
        action: "rows",
        dataset,
        metric: None,
        request: format!("releases diff {from} {to}"),
        release: to,
        rows: Some(found.datasets.iter().map(|changed| changed.keys.len()).sum()),
    };
    note(deployment, handed).await?;
    Ok(published::diff_report(&found))
}
