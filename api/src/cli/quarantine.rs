//! `anze quarantine`: records that were held.

use clap::Subcommand;

use super::Desk;
use crate::exit::Outcome;
use crate::held::{self, HeldFilter};
use crate::output::Report;
use crate::permission::Permission;
use crate::release_choice::ReleaseChoice;

/// Records that were held
#[derive(Debug, Subcommand)]
pub enum Quarantine {
    /// Held records, with the reason in Chinese and English
    List {
        #[command(flatten)]
        filter: HeldFilter,
        /// At most so many
        #[arg(long, default_value_t = 100)]
        limit: usize,
        /// Go on after this quarantine_id
        #[arg(long, value_name = "ID")]
        after: Option<String>,
    },
    /// One held record: the text as it came and everything that is wrong with it
    Show {
        /// Its quarantine_id
        id: String,
    },
}

impl Quarantine {
    pub(super) async fn run(self, desk: &Desk) -> anyhow::Result<Outcome> {
        let deployment = desk.deployment()?;
        let release = deployment.release(ReleaseChoice::Latest).await?;
        let (limits, operator) = (deployment.limits(), Permission::operator());
        let report = match self {
            Self::List { filter, limit, after } => {
                let page = held::list(&release, &limits, &filter, after.as_deref(), limit.max(1), &operator).await?;
                let columns = [
                    "quarantine_id",
                    "feed_id",
                    "dataset",
                    "row_no",
                    "rule",
                    "column_name",
                    "message_zh",
                    "message_en",
                ];
                let mut report = Report::list("rows", &columns, page.rows);
                report.json["release"] = release.number().into();
                report.json["next"] = page.next.clone().into();
                report.notes.extend(page.next.map(|next| format!("还有更多 there are more: --after {next}")));
                report
            }
            Self::Show { id } => Report::of_one(held::show(&release, &limits, &id, &operator).await?),
        };
        desk.terminal.print(&report)?;
        Ok(Outcome::Done)
    }
}
