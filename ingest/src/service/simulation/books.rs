//! What the tables say, compared with the model.

use std::collections::{BTreeMap, BTreeSet};

use anze_warehouse::live::LiveRow;
use anze_warehouse::session::Limits;
use chrono::{DateTime, Duration, Utc};
use datafusion::arrow::array::AsArray;
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Int64Type};
use serde_json::Value;

use super::model::Slots;
use super::world::World;
use crate::schedule::Planner;

type Key = (String, DateTime<Utc>);

pub(super) fn slots_end_in_one_state(world: &World, expected: &Slots) {
    let rows = world.warehouse().live("slot").unwrap().rows().unwrap();
    let found: BTreeMap<Key, String> = rows.iter().map(|row| (key(row), text(row, "state"))).collect();
    assert_eq!(found.len(), rows.len(), "a slot is one row");
    let expected: BTreeMap<Key, String> =
        expected.iter().map(|(key, slot)| (key.clone(), slot.state.to_owned())).collect();
    assert_same(&found, &expected, "states");
    for row in &rows {
        let came = row["fulfilled_by"].is_string() && row["fulfilled_at"].is_string();
        assert_eq!(came, row["state"] == "fulfilled", "{row:?}");
    }
}

pub(super) fn nothing_is_fetched_without_need(world: &World, expected: &Slots) {
    let asked = world.asked.lock().unwrap().clone();
    let fetches = expected.iter().filter(|(_, slot)| slot.fetches > 0);
    let fetches: BTreeMap<Key, u32> = fetches.map(|(key, slot)| (key.clone(), slot.fetches)).collect();
    assert_same(&asked, &fetches, "fetches");
}

pub(super) fn each_deadline_is_told_once(world: &World, expected: &Slots) {
    let overdue: BTreeSet<Key> =
        expected.iter().filter(|(_, slot)| slot.is_overdue).map(|(key, _)| key.clone()).collect();
    let mut noted: BTreeMap<Key, BTreeSet<String>> = BTreeMap::new();
    for line in lines(world, "slot").iter().filter(|line| line["overdue_at"].is_string()) {
        noted.entry(key(line)).or_default().insert(text(line, "overdue_at"));
    }
    assert_eq!(noted.keys().cloned().collect::<BTreeSet<_>>(), overdue, "overdue slots");
    assert!(noted.values().all(|instants| instants.len() == 1), "each is found overdue once: {noted:?}");

    let mut told: BTreeMap<Key, usize> = BTreeMap::new();
    let mut standing: BTreeMap<String, BTreeSet<DateTime<Utc>>> = BTreeMap::new();
    for line in lines(world, "alert").iter().filter(|line| line["kind"] == "overdue") {
        let feed_id = text(line, "feed_id");
        let slots: Vec<DateTime<Utc>> = serde_json::from_str(line["slots"].as_str().unwrap()).unwrap();
        let stood = standing.remove(&feed_id).unwrap_or_default();
        if line["resolved_at"].is_null() {
            for slot in slots.iter().filter(|slot| !stood.contains(slot)) {
                *told.entry((feed_id.clone(), *slot)).or_default() += 1;
            }
            standing.insert(feed_id, slots.into_iter().collect());
        }
    }
    assert_same(&told, &overdue.into_iter().map(|key| (key, 1)).collect(), "alerts of a slot");
    let planner = Planner::open(&world.warehouse()).unwrap();
    for feed in &world.feeds {
        let outstanding: BTreeSet<_> = planner.outstanding(&feed.feed_id).iter().map(|slot| slot.slot_at).collect();
        assert_eq!(standing.remove(&feed.feed_id).unwrap_or_default(), outstanding, "{} at the end", feed.feed_id);
    }
}

pub(super) fn runs_tell_what_ran(world: &World, expected: &Slots) {
    let mut found: BTreeMap<Key, Vec<String>> = BTreeMap::new();
    for row in world.warehouse().live("run").unwrap().rows().unwrap() {
        assert_eq!(row["asked_by"], "schedule");
        let is_over = matches!(row["outcome"].as_str(), Some("failed" | "done" | "nothing_new" | "stopped"));
        assert_eq!(row["finished_at"].is_string(), is_over, "{row:?}");
        assert_eq!(row["error"].is_string(), matches!(row["outcome"].as_str(), Some("failed")) || stopped_after(&row));
        found.entry(key(&row)).or_default().push(text(&row, "outcome"));
    }
    let mut outcomes: BTreeMap<Key, Vec<String>> = BTreeMap::new();
    for (key, slot) in expected.iter().filter(|(_, slot)| !slot.outcomes.is_empty()) {
        outcomes.insert(key.clone(), slot.outcomes.iter().map(|outcome| (*outcome).to_owned()).collect());
    }
    for outcomes in found.values_mut().chain(outcomes.values_mut()) {
        outcomes.sort();
    }
    assert_same(&found, &outcomes, "runs");
}

/// A run that was stopped while it waited to ask again says why it waited.
fn stopped_after(row: &LiveRow) -> bool {
    row["outcome"] == "stopped" && row["error"] == "the source cannot be reached"
}

pub(super) async fn batches_are_those_of_the_slots(world: &World, expected: &Slots) {
    let release = world.warehouse().latest().await.unwrap().unwrap();
    let session = release.session(&Limits::default()).unwrap();
    let sql = "select feed_id, slot_at, landed_at, on_time from system.batch where reporter <> 'anze'";
    let mut found: BTreeMap<Key, Option<bool>> = BTreeMap::new();
    for batch in session.sql(sql).await.unwrap().collect().await.unwrap() {
        let feeds = cast(batch.column(0), &DataType::Utf8).unwrap();
        let instants = |column: usize| cast(batch.column(column), &DataType::Int64).unwrap();
        let (slots, landed) = (instants(1), instants(2));
        let on_time = batch.column(3).as_boolean();
        for row in 0..batch.num_rows() {
            let at = |column: &datafusion::arrow::array::ArrayRef| {
                DateTime::from_timestamp_micros(column.as_primitive::<Int64Type>().value(row)).unwrap()
            };
            let key = (feeds.as_string::<i32>().value(row).to_owned(), at(&slots));
            let modelled = expected[&key].landed_at.unwrap();
            assert!((at(&landed) - modelled).abs() <= Duration::hours(1), "{key:?} landed {}", at(&landed));
            let on_time = datafusion::arrow::array::Array::is_valid(on_time, row).then(|| on_time.value(row));
            assert!(found.insert(key, on_time).is_none(), "a slot has one batch");
        }
    }
    let fulfilled = expected.iter().filter_map(|(key, slot)| {
        let landed = slot.landed_at?;
        Some((key.clone(), slot.due_at.map(|due| landed <= due)))
    });
    assert_same(&found, &fulfilled.collect(), "batches");
}

fn key(row: &LiveRow) -> Key {
    (text(row, "feed_id"), text(row, "slot_at").parse().unwrap())
}

fn text(row: &LiveRow, column: &str) -> String {
    row.get(column).and_then(Value::as_str).unwrap_or_default().to_owned()
}

/// Every line of a live table, replaced ones too.
fn lines(world: &World, table: &str) -> Vec<LiveRow> {
    let text = std::fs::read_to_string(world.folder.path().join(format!("data/live/{table}.ndjson"))).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Compares by key, and names the keys that differ rather than both maps.
fn assert_same<V: PartialEq + std::fmt::Debug>(found: &BTreeMap<Key, V>, expected: &BTreeMap<Key, V>, what: &str) {
    let keys: BTreeSet<&Key> = found.keys().chain(expected.keys()).collect();
    let differ = keys.into_iter().filter(|key| found.get(*key) != expected.get(*key));
    let differ: Vec<String> =
        differ.map(|key| format!("{key:?}: found {:?}, expected {:?}", found.get(key), expected.get(key))).collect();
    assert!(differ.is_empty(), "{what} differ in {} places:\n{}", differ.len(), differ.join("\n"));
}
