//! `anze feeds`: what is configured, and how it stands.

use chrono::Utc;
use clap::Subcommand;
use serde_json::{Value, json};

use super::Desk;
use crate::exit::Outcome;
use crate::feed_state::{self, FeedState, LastBatches, configured};
use crate::output::Report;
use crate::permission::Permission;
use crate::rows::{Row, text};

/// What is delivered, and how it stands
#[derive(Debug, Subcommand)]
pub enum Feeds {
    /// The feeds as their files say
    List,
    /// What ran last, what arrived last, what is late
    Status,
}

impl Feeds {
    pub(super) async fn run(self, desk: &Desk) -> anyhow::Result<Outcome> {
        let deployment = desk.deployment()?;
        let feeds: Vec<Row> = deployment.feeds()?.iter().map(|feed| configured(feed)).collect();
        let report = match self {
            Self::List => Report::list(
                "feeds",
                &["feed_id", "title", "dataset", "reporter", "mode", "schedule", "deadline", "source_kind"],
                feeds,
            ),
            Self::Status => {
                let batches = match deployment.newest().await? {
                    Some(newest) => feed_state::last_batches(&newest, &deployment.limits()).await?,
                    None => LastBatches::new(),
                };
                let (warehouse, operator) = (deployment.warehouse(), Permission::operator());
                status(&feed_state::of(feeds, warehouse, &batches, &operator, Utc::now()).await?)
            }
        };
        desk.terminal.print(&report)?;
        Ok(Outcome::Done)
    }
}

fn status(states: &[FeedState]) -> Report {
    let row = |state: &FeedState| {
        let of =
            |row: &Option<Row>, name: &str| row.as_ref().and_then(|row| row.get(name)).cloned().unwrap_or(Value::Null);
        let row = json!({
            "feed_id": state.id(),
            "reporter": text(&state.feed, "reporter"),
            "state": state.standing(),
            "last_arrival": of(&state.last_batch, "landed_at"),
            "rows_read": of(&state.last_batch, "rows_read"),
            "rows_quarantined": of(&state.last_batch, "rows_quarantined"),
            "last_run": of(&state.last_run, "started_at"),
            "outcome": of(&state.last_run, "outcome"),
            "due_at": of(&state.last_slot, "due_at"),
        });
        if let Value::Object(row) = row { row } else { Row::new() }
    };
    let columns = [
        "feed_id",
        "reporter",
        "state",
        "last_arrival",
        "rows_read",
        "rows_quarantined",
        "last_run",
        "outcome",
        "due_at",
    ];
    let mut report = Report::list("feeds", &columns, states.iter().map(row).collect());
    report.json = json!({ "feeds": states.iter().map(FeedState::json).collect::<Vec<_>>() });
    report
}
