//! `anze maintain`: looking after the warehouse.

use std::path::Path;

use anze_ingest::clock::Clock;
use anze_warehouse::maintenance::{CheckReport, Depth};
use anze_warehouse::store::Store;
use clap::Subcommand;

use super::Desk;
use crate::deployment::Deployment;
use crate::exit::{Misuse, Outcome};
use crate::maintenance::{self, Maintenance};
use crate::output::Report;
use crate::place;

/// Look after the warehouse; a running server does so by itself
#[derive(Debug, Subcommand)]
pub enum Maintain {
    /// Put small files together, in a release with the same rows
    Compact,
    /// Remove files that no kept release names. Kept are all releases of 30 days, the last of every
    /// month, and what assessments need; landed files and versions of records always
    Vacuum {
        /// Say what would be removed, and change nothing
        #[arg(long)]
        dry_run: bool,
    },
    /// Look whether everything is there and says what it must; exit code 3 where it does not
    Check {
        /// Only names, sizes and chains; without it every byte is read
        #[arg(long)]
        quick: bool,
    },
    /// Copy everything that kept releases need into a folder or a bucket; what is there from the last time
    /// is not copied again. Feeds, schemes and anze.toml are yours to keep
    Backup {
        /// The folder, outside the warehouse, or s3://bucket/prefix, reached as [backup] in anze.toml says
        to: String,
    },
    /// Copy a backup into this deployment, whose warehouse must be empty, and check it; exit code 3 where
    /// something is wrong
    Restore {
        /// The folder of the backups, or s3://bucket/prefix
        from: String,
        /// Which one; the newest where none is named
        #[arg(long, value_name = "NAME")]
        backup: Option<String>,
    },
}

impl Maintain {
    pub(super) async fn run(self, desk: &Desk) -> anyhow::Result<Outcome> {
        let deployment = desk.deployment()?;
        let report = match self {
            Self::Compact => maintenance::compact_report(
                maintenance::run(&deployment, Maintenance::Compact { worthwhile: false }).await?,
            ),
            Self::Vacuum { dry_run } => {
                maintenance::vacuum_report(maintenance::run(&deployment, Maintenance::Vacuum { dry_run }).await?)
            }
            Self::Check { quick } => {
                let depth = if quick { Depth::Names } else { Depth::Contents };
                let limits = deployment.limits();
                let found =
                    maintenance::check(deployment.warehouse(), depth, &limits, &Clock::Wall, "operator").await?;
                desk.terminal.print(&maintenance::check_report(&found))?;
                return Ok(outcome(&found));
            }
            Self::Backup { to } => {
                let to = backups(&deployment, &to)?;
                let done = maintenance::backup(deployment.warehouse(), &to, &Clock::Wall, "operator").await?;
                Report::of_one(serde_json::json!(done).as_object().cloned().unwrap_or_default())
            }
            Self::Restore { from, backup } => {
                if !from.starts_with(place::BUCKET) && !Path::new(&from).is_dir() {
                    return Err(Misuse::new(format!("{from} is no folder of backups")).into());
                }
                let from = backups(&deployment, &from)?;
                let (done, found) = maintenance::restore(&deployment, &from, backup.as_deref(), &Clock::Wall).await?;
                let mut report = maintenance::check_report(&found);
                let told = format!("{}: {} files, {} bytes", done.backup, done.objects, done.bytes);
                report.caption.insert(0, format!("已恢复 restored {told}"));
                report.json = serde_json::json!({"restored": done, "check": report.json});
                desk.terminal.print(&report)?;
                return Ok(outcome(&found));
            }
        };
        desk.terminal.print(&report)?;
        Ok(Outcome::Done)
    }
}

fn outcome(found: &CheckReport) -> Outcome {
    if found.findings.is_empty() { Outcome::Done } else { Outcome::Findings }
}

/// A place for backups: not inside what is backed up.
fn backups(deployment: &Deployment, place: &str) -> anyhow::Result<Store> {
    let store = place::backups(deployment.dir(), deployment.settings(), place)?;
    if store.is_inside(deployment.warehouse().store()) {
        let message = format!("{place} lies inside the warehouse; name a place elsewhere, best on another disk");
        return Err(Misuse::new(message).into());
    }
    Ok(store)
}
