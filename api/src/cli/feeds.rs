//! `anze feeds`: what is configured, and how it stands.

use chrono::Utc;
use clap::Subcommand;
use serde_json::{Value, json};

use super::Desk;
use crate::exit::Outcome;
use crate::feed_state::{self, FeedState, LastBatches, configured};
use crate::output::{Report, instant};
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

/// A span of time as people say it: `2d 3h`, `5h 10m`, `4m`.
fn how_long(seconds: i64) -> String {
    let minutes = seconds / 60;
    match (minutes / 1440, minutes / 60 % 24, minutes % 60) {
        (0, 0, minutes) => format!("{minutes}m"),
        (0, hours, minutes) => format!("{hours}h {minutes}m"),
        (days, hours, _) => format!("{days}d {hours}h"),
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
            "last_run": of(&state.last_run, "started_at"),
            "outcome": of(&state.last_run, "outcome"),
            "asked_by": of(&state.last_run, "asked_by"),
            "last_success": of(&state.last_success, "started_at"),
            "next_slot": state.next_slot_at.map(instant),
            "due_at": of(&state.last_slot, "due_at"),
            "open": state.open_slots,
            "overdue": state.overdue_slots,
            "late_by": state.late_seconds.map(how_long),
            "held_rows": state.held_rows,
            "held_batches": state.held_batches.len(),
        });
        if let Value::Object(row) = row { row } else { Row::new() }
    };
    let columns = [
        "feed_id",
        "reporter",
        "state",
        "last_arrival",
        "last_run",
        "outcome",
        "asked_by",
        "last_success",
        "next_slot",
        "due_at",
        "open",
        "overdue",
        "late_by",
        "held_rows",
        "held_batches",
    ];
    let mut report = Report::list("feeds", &columns, states.iter().map(row).collect());
    for state in states {
        for batch in &state.held_batches {
            let of = |name| text(batch, name).unwrap_or_default();
            report.notes.push(format!("{} {} 整批暂扣 held whole: {}", state.id(), of("batch_id"), of("reason")));
        }
    }
    report.json = json!({ "feeds": states.iter().map(FeedState::json).collect::<Vec<_>>() });
    report
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_delay_is_told_in_its_two_largest_units() {
        assert_eq!(how_long(59), "0m");
        assert_eq!(how_long(3 * 3600 + 600), "3h 10m");
        assert_eq!(how_long(2 * 86_400 + 3 * 3600 + 59), "2d 3h");
    }
}
