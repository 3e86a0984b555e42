//! The state of feeds: what is configured, what ran last, what arrived last, what is late.

mod arrived;

use std::collections::BTreeMap;
use std::sync::Arc;

use anze_ingest::feed::{Deadline, Feed};
use anze_ingest::schedule::CronSchedule;
use anze_warehouse::Warehouse;
use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use crate::output::instant;
use crate::permission::{FeedOwner, Permission};
use crate::problem::Problem;
use crate::rows::{Row, text};

pub use arrived::{Arrived, LastBatches, last_batches};

/// One feed, as it stands.
#[derive(Debug, Clone, Default)]
pub struct FeedState {
    /// What is configured.
    pub feed: Row,
    /// The last run, finished or not.
    pub last_run: Option<Row>,
    /// The last run that ended well, even if it brought nothing new.
    pub last_success: Option<Row>,
    /// The last batch that is in a release.
    pub last_batch: Option<Row>,
    /// The last slot that came due.
    pub last_slot: Option<Row>,
    /// The deadline of its last due slot passed without a delivery.
    pub late: bool,
    /// How late: seconds since the deadline of its last due slot.
    pub late_seconds: Option<i64>,
    /// The next slot by its schedule.
    pub next_slot_at: Option<DateTime<Utc>>,
    /// Slots that are to be run and were not yet.
    pub open_slots: u64,
    /// Slots whose deadline passed without a delivery.
    pub overdue_slots: u64,
    /// Records that are held.
    pub held_rows: u64,
    /// Batches that are held whole, with the reason.
    pub held_batches: Vec<Row>,
}

impl FeedState {
    /// Its id, which is the stem of its file.
    pub fn id(&self) -> &str {
        text(&self.feed, "feed_id").unwrap_or_default()
    }

    /// `late`, `running`, `failed`, `held`, `fresh` or `waiting` (nothing arrived yet).
    pub fn standing(&self) -> &'static str {
        let run = self.last_run.as_ref().and_then(|run| text(run, "outcome"));
        let batch = self.last_batch.as_ref().and_then(|batch| text(batch, "state"));
        match (run, batch) {
            _ if self.late => "late",
            (Some("running"), _) => "running",
            (Some("failed"), _) => "failed",
            (_, Some("held")) => "held",
            (_, Some(_)) => "fresh",
            (_, None) => "waiting",
        }
    }

    /// For programs.
    pub fn json(&self) -> Value {
        let mut all = self.feed.clone();
        all.insert("state".to_owned(), json!(self.standing()));
        all.insert("late".to_owned(), json!(self.late));
        all.insert("late_seconds".to_owned(), json!(self.late_seconds));
        all.insert("next_slot_at".to_owned(), json!(self.next_slot_at.map(instant)));
        all.insert("open_slots".to_owned(), json!(self.open_slots));
        all.insert("overdue_slots".to_owned(), json!(self.overdue_slots));
        all.insert("held_rows".to_owned(), json!(self.held_rows));
        all.insert("held_batches".to_owned(), json!(self.held_batches));
        all.insert("last_success".to_owned(), json!(self.last_success));
        for (name, part) in
            [("last_slot", &self.last_slot), ("last_run", &self.last_run), ("last_batch", &self.last_batch)]
        {
            all.insert(name.to_owned(), json!(part));
        }
        Value::Object(all)
    }

    fn is_seen_by(&self, permission: &Permission) -> bool {
        permission.sees_feed(FeedOwner {
            feed_id: self.id(),
            reporter: text(&self.feed, "reporter").unwrap_or_default(),
            region_code: text(&self.feed, "region_code"),
        })
    }
}

/// The feeds that a caller may see, by id, as the writer last noted them.
pub async fn list(
    warehouse: &Arc<Warehouse>,
    batches: &LastBatches,
    permission: &Permission,
    now: DateTime<Utc>,
) -> Result<Vec<FeedState>, Problem> {
    let books = Arc::clone(warehouse);
    let read = tokio::task::spawn_blocking(move || books.live("feed")?.rows());
    let feeds = read.await.map_err(|error| Problem::internal(&error))??;
    of(feeds, warehouse, batches, permission, now).await
}

/// The state of these feeds.
pub async fn of(
    feeds: Vec<Row>,
    warehouse: &Arc<Warehouse>,
    batches: &LastBatches,
    permission: &Permission,
    now: DateTime<Utc>,
) -> Result<Vec<FeedState>, Problem> {
    let books = Arc::clone(warehouse);
    let read = tokio::task::spawn_blocking(move || {
        let table = |name: &str| books.live(name)?.rows();
        Ok::<_, anze_warehouse::Error>((table("slot")?, table("run")?))
    });
    let (slots, runs) = read.await.map_err(|error| Problem::internal(&error))??;
    let mut states: BTreeMap<String, FeedState> = feeds
        .into_iter()
        .filter_map(|feed| Some((text(&feed, "feed_id")?.to_owned(), FeedState { feed, ..FeedState::default() })))
        .filter(|(_, state)| state.is_seen_by(permission))
        .collect();
    for run in runs {
        if let Some(state) = text(&run, "feed_id").and_then(|feed| states.get_mut(feed)) {
            let run = in_local_time(run);
            if matches!(text(&run, "outcome"), Some("done" | "nothing_new")) {
                keep_later(&mut state.last_success, run.clone(), "started_at");
            }
            keep_later(&mut state.last_run, run, "started_at");
        }
    }
    for slot in slots {
        if let Some(state) = text(&slot, "feed_id").and_then(|feed| states.get_mut(feed)) {
            state.open_slots += u64::from(text(&slot, "state") == Some("open"));
            state.overdue_slots += u64::from(is_late(&slot, now));
            keep_later(&mut state.last_slot, in_local_time(slot), "slot_at");
        }
    }
    for (feed, state) in &mut states {
        state.late = state.last_slot.as_ref().is_some_and(|slot| is_late(slot, now));
        let due_at = state.last_slot.as_ref().and_then(|slot| moment(slot, "due_at"));
        state.late_seconds = due_at.filter(|_| state.late).map(|due_at| (now - due_at).num_seconds());
        state.next_slot_at = text(&state.feed, "schedule")
            .and_then(|schedule| CronSchedule::parse(schedule).ok())
            .and_then(|schedule| schedule.next(now));
        let arrived = batches.get(feed).cloned().unwrap_or_default();
        let Arrived { last_batch, held_rows, held_batches } = arrived;
        (state.last_batch, state.held_rows, state.held_batches) = (last_batch, held_rows, held_batches);
    }
    Ok(states.into_values().collect())
}

/// A feed as its file says, in the columns of `system.feed`.
pub fn configured(feed: &Feed) -> Row {
    let deadline = |deadline: &Deadline| format!("+{} workdays {}", deadline.workdays, deadline.at.format("%H:%M"));
    let row = json!({
        "feed_id": feed.feed_id,
        "title": feed.title,
        "dataset": feed.contract.name,
        "reporter": feed.reporter,
        "region_code": feed.region_code,
        "department": feed.department,
        "mode": feed.mode.name(),
        "schedule": feed.schedule.as_ref().map(|schedule| schedule.text()),
        "deadline": feed.deadline.as_ref().map(deadline),
        "source_kind": feed.source.kind(),
    });
    if let Value::Object(row) = row { row } else { Row::new() }
}

/// The runs of a feed, newest first.
pub async fn runs(warehouse: &Arc<Warehouse>, feed_id: &str, most: usize) -> Result<Vec<Row>, Problem> {
    let books = Arc::clone(warehouse);
    let read = tokio::task::spawn_blocking(move || books.live("run")?.rows());
    let runs = read.await.map_err(|error| Problem::internal(&error))??;
    let mut runs: Vec<Row> =
        runs.into_iter().filter(|run| text(run, "feed_id") == Some(feed_id)).map(in_local_time).collect();
    runs.sort_by_key(|run| std::cmp::Reverse(moment(run, "started_at")));
    runs.truncate(most);
    Ok(runs)
}

fn keep_later(kept: &mut Option<Row>, row: Row, clock: &str) {
    let later = kept.as_ref().is_none_or(|kept| moment(kept, clock) <= moment(&row, clock));
    if later {
        *kept = Some(row);
    }
}

fn is_late(slot: &Row, now: DateTime<Utc>) -> bool {
    moment(slot, "due_at").is_some_and(|due| due <= now) && text(slot, "fulfilled_by").is_none()
}

fn moment(row: &Row, column: &str) -> Option<DateTime<Utc>> {
    text(row, column).and_then(|text| DateTime::parse_from_rfc3339(text).ok()).map(|at| at.to_utc())
}

/// Live rows keep instants in UTC; answers show them with +08:00.
fn in_local_time(mut row: Row) -> Row {
    for (column, value) in &mut row {
        if column.ends_with("_at")
            && let Some(at) = value.as_str().and_then(|text| DateTime::parse_from_rfc3339(text).ok())
        {
            *value = Value::String(instant(at.to_utc()));
        }
    }
    row
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(value: Value) -> Row {
        value.as_object().unwrap().clone()
    }

    #[test]
    fn the_worst_news_comes_first() {
        let batch = |state: &str| Some(row(json!({"state": state})));
        let run = |outcome: &str| Some(row(json!({"outcome": outcome})));
        let standing =
            |late, last_run, last_batch| FeedState { late, last_run, last_batch, ..FeedState::default() }.standing();
        assert_eq!(standing(true, run("done"), batch("published")), "late");
        assert_eq!(standing(false, run("failed"), batch("published")), "failed");
        assert_eq!(standing(false, run("done"), batch("held")), "held");
        assert_eq!(standing(false, run("done"), batch("published")), "fresh");
        assert_eq!(standing(false, None, None), "waiting");
    }

    #[tokio::test]
    async fn a_feed_says_how_late_it_is_what_is_next_and_what_is_held() {
        let folder = tempfile::tempdir().unwrap();
        let warehouse = Warehouse::open(folder.path()).unwrap();
        let slot = |slot_at: &str, due_at: &str, state: &str, by: Option<&str>| {
            row(json!({"feed_id": "f", "slot_at": slot_at, "due_at": due_at, "state": state, "fulfilled_by": by}))
        };
        let slots = [
            slot("2026-03-01T18:30:00Z", "2026-03-03T10:00:00Z", "fulfilled", Some("b")),
            slot("2026-03-02T18:30:00Z", "2026-03-04T10:00:00Z", "missed", None),
            slot("2026-03-03T18:30:00Z", "2026-03-05T10:00:00Z", "open", None),
        ];
        warehouse.live("slot").unwrap().append(&slots).unwrap();
        let run = |id: &str, at: &str, outcome: &str, by: &str| {
            row(json!({"run_id": id, "feed_id": "f", "started_at": at, "outcome": outcome, "asked_by": by}))
        };
        let runs =
            [run("1", "2026-03-01T18:30:00Z", "done", "schedule"), run("2", "2026-03-04T00:00:00Z", "failed", "zhang")];
        warehouse.live("run").unwrap().append(&runs).unwrap();
        let arrived = Arrived { held_rows: 3, ..Arrived::default() };
        let feed = row(json!({"feed_id": "f", "schedule": "0 30 2 * * *"}));
        let now: DateTime<Utc> = "2026-03-05T12:00:00Z".parse().unwrap();
        let batches = LastBatches::from([("f".to_owned(), arrived)]);
        let states = of(vec![feed], &warehouse, &batches, &Permission::operator(), now).await.unwrap();
        let said = states[0].json();
        assert_eq!(said["state"], "late");
        assert_eq!(
            (&said["late_seconds"], &said["overdue_slots"], &said["open_slots"]),
            (&json!(7200), &json!(2), &json!(1))
        );
        assert_eq!(said["next_slot_at"], "2026-03-06T02:30:00+08:00");
        assert_eq!(said["last_run"]["asked_by"], "zhang");
        assert_eq!(said["last_success"]["run_id"], "1");
        assert_eq!(said["held_rows"], 3);
    }

    #[test]
    fn instants_are_shown_in_local_time() {
        let shown =
            in_local_time(row(json!({"slot_at": "2026-06-29T18:30:00+00:00", "state": "open", "due_at": null})));
        assert_eq!(
            Value::Object(shown),
            json!({"slot_at": "2026-06-30T02:30:00+08:00", "state": "open", "due_at": null})
        );
    }
}
