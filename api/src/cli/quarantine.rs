//! `anze quarantine`: records that were held, and settling them.

use anze_ingest::quarantine::{DiscardAsk, ReplayAsk};
use clap::Subcommand;
use serde_json::Value;

use super::{Desk, ReleaseArgs};
use crate::exit::Outcome;
use crate::following::catch_up;
use crate::held::{self, HeldFilter};
use crate::output::Report;
use crate::permission::Permission;
use crate::release_choice::ReleaseChoice;
use crate::rows::{Row, text};
use crate::settling::{self, Settling};

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
        #[command(flatten)]
        release: ReleaseArgs,
    },
    /// One held record: the text as it came beside everything that is wrong with it
    Show {
        /// Its quarantine_id
        id: String,
        #[command(flatten)]
        release: ReleaseArgs,
    },
    /// Read held records again by the feed and contract of today, and load the good ones
    Replay {
        #[command(flatten)]
        which: Which,
        /// Load a batch that is held whole despite its feed's limits; its bad records stay held
        #[arg(long, requires = "batch")]
        accept: bool,
        /// Say what would happen, and change nothing
        #[arg(long)]
        preview: bool,
        /// Why
        #[arg(long)]
        reason: Option<String>,
    },
    /// Give held records up; they stay listed, with who, when and why
    #[command(group = clap::ArgGroup::new("which").args(["feed", "batch", "rule"]).required(true).multiple(true))]
    Discard {
        #[command(flatten)]
        which: Which,
        /// Why
        #[arg(long)]
        reason: String,
    },
}

/// Which held records
#[derive(Debug, clap::Args)]
#[group(skip)]
pub struct Which {
    /// Only those of this feed
    #[arg(long)]
    feed: Option<String>,
    /// Only those of this batch
    #[arg(long)]
    batch: Option<String>,
    /// Only those held by this rule; batch_held: batches held whole
    #[arg(long)]
    rule: Option<String>,
}

impl Quarantine {
    pub(super) async fn run(self, desk: &Desk) -> anyhow::Result<Outcome> {
        let settles = matches!(self, Self::Replay { .. } | Self::Discard { .. });
        let (report, outcome) = match self {
            Self::List { filter, limit, after, release } => {
                (list(desk, &filter, limit, after.as_deref(), release.choice()?).await?, Outcome::Done)
            }
            Self::Show { id, release } => (show(desk, &id, release.choice()?).await?, Outcome::Done),
            Self::Replay { which: Which { feed, batch, rule }, accept, preview, reason } => {
                let ask = ReplayAsk { feed, batch, rule, accept, preview, reason };
                let done = settling::run(&desk.deployment()?, Settling::Replay(ask)).await?;
                let held = done["held"].as_bool().unwrap_or(false);
                (settling::held_report(done), if held { Outcome::Findings } else { Outcome::Done })
            }
            Self::Discard { which: Which { feed, batch, rule }, reason } => {
                let ask = DiscardAsk { feed, batch, rule, reason };
                let done = settling::run(&desk.deployment()?, Settling::Discard(ask)).await?;
                (settling::held_report(done), Outcome::Done)
            }
        };
        desk.terminal.print(&report)?;
        if settles {
            catch_up(&desk.deployment()?).await;
        }
        Ok(outcome)
    }
}

async fn list(
    desk: &Desk,
    filter: &HeldFilter,
    limit: usize,
    after: Option<&str>,
    choice: ReleaseChoice,
) -> anyhow::Result<Report> {
    let deployment = desk.deployment()?;
    let release = deployment.release(choice).await?;
    let page = held::list(&release, &deployment.limits(), filter, after, limit.max(1), &Permission::operator()).await?;
    let columns = ["quarantine_id", "feed_id", "dataset", "row_no", "rule", "column_name", "message_zh", "message_en"];
    let mut report = Report::list("rows", &columns, page.rows);
    report.json["release"] = release.number().into();
    report.json["next"] = page.next.clone().into();
    report.notes.extend(page.next.map(|next| format!("还有更多 there are more: --after {next}")));
    Ok(report)
}

async fn show(desk: &Desk, id: &str, choice: ReleaseChoice) -> anyhow::Result<Report> {
    let deployment = desk.deployment()?;
    let release = deployment.release(choice).await?;
    let row = held::show(&release, &deployment.limits(), id, &Permission::operator()).await?;
    let text = Some(beside_its_reasons(&row));
    Ok(Report { text, ..Report::of_one(row) })
}

/// The record as it came, and under it every reason with its column.
fn beside_its_reasons(row: &Row) -> String {
    let of = |name: &str| text(row, name).unwrap_or("–").to_owned();
    let number = row.get("row_no").and_then(Value::as_u64);
    let place = number.map_or("整批 the whole batch".to_owned(), |number| format!("第 {number} 行 row {number}"));
    let mut said =
        format!("{}  {}  {}  {}  {place}\n", of("quarantine_id"), of("feed_id"), of("dataset"), of("batch_id"));
    said += &format!("状态 state: {}", of("state"));
    for (name, title) in [("state_by", "处置人 by"), ("state_at", "时间 at"), ("reason", "原因 why")] {
        if let Some(value) = text(row, name) {
            said += &format!("  {title}: {value}");
        }
    }
    said += &format!("\n\n{}\n", text(row, "raw").unwrap_or("（无单条原文 no single record）"));
    let empty = Vec::new();
    for failure in row.get("failures").and_then(Value::as_array).unwrap_or(&empty) {
        let of = |name: &str| failure.get(name).and_then(Value::as_str).unwrap_or_default();
        said += &format!("\n{}  {}\n  {}\n  {}\n", of("rule"), of("column_name"), of("message_zh"), of("message_en"));
    }
    said
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_record_stands_beside_every_reason() {
        let row = json!({
            "quarantine_id": "b-7", "feed_id": "f", "dataset": "policy", "batch_id": "b", "row_no": 7,
            "state": "held", "raw": "P1,abc,NOBODY", "failures": [
                {"rule": "not_a_number", "column_name": "premium_written", "message_zh": "不是数字", "message_en": "no number"},
                {"rule": "unknown_insurer", "column_name": "insurer_code", "message_zh": "未知", "message_en": "unknown"},
            ],
        });
        let said = beside_its_reasons(row.as_object().unwrap());
        for part in ["row 7", "P1,abc,NOBODY", "premium_written", "no number", "insurer_code", "未知"] {
            assert!(said.contains(part), "{part}: {said}");
        }
    }
}
