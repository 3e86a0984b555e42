//! What a run did, for the command line and HTTP alike.

use anze_ingest::load::BatchReport;
use anze_ingest::run::RunReport;
use serde_json::{Map, Value, json};

use crate::output::Report;

/// Columns of the table of batches.
const COLUMNS: [&str; 8] = [
    "feed_id",
    "dataset",
    "state",
    "rows_read",
    "rows_accepted",
    "rows_superseded",
    "rows_unchanged",
    "rows_quarantined",
];

/// The report for programs.
pub fn json(report: &RunReport) -> Value {
    json!({
        "release": report.release.as_ref().map(|release| release.number()),
        "batches": report.batches.iter().map(batch).collect::<Vec<_>>(),
        "failures": report.failures.iter().map(|(feed, error)| json!({"feed_id": feed, "error": error.to_string()})).collect::<Vec<_>>(),
        "held": report.has_held(),
    })
}

/// The same for people, from what [`json`] wrote: it may have come from a running server.
pub fn report(done: Value) -> Report {
    let list = |name: &str| done.get(name).and_then(Value::as_array).cloned().unwrap_or_default();
    let rows: Vec<Map<String, Value>> =
        list("batches").into_iter().filter_map(|row| row.as_object().cloned()).collect();
    let mut notes = Vec::new();
    for row in &rows {
        if let (Some(feed), Some(reason)) = (row["feed_id"].as_str(), row["reason"].as_str()) {
            notes.push(format!("{feed}: {reason}"));
        }
    }
    for failure in list("failures") {
        let text = |name: &str| failure.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        notes.push(format!("{} 失败 failed: {}", text("feed_id"), text("error")));
    }
    notes.push(match done.get("release").and_then(Value::as_u64) {
        Some(release) => format!("发布 published: release {release}"),
        None => "没有新数据，未发布 nothing new, nothing published".to_owned(),
    });
    let held: i64 = rows.iter().filter_map(|row| row["rows_quarantined"].as_i64()).sum();
    if held > 0 {
        notes.push(format!("暂扣 {held} 行 rows held; look at them with: anze quarantine list"));
    }
    let columns = if rows.is_empty() { Vec::new() } else { COLUMNS.map(String::from).to_vec() };
    Report { json: done, columns, rows, notes, ..Report::default() }
}

fn batch(batch: &BatchReport) -> Value {
    json!({
        "batch_id": batch.delivery.batch_id,
        "feed_id": batch.delivery.feed_id,
        "dataset": batch.dataset,
        "object": batch.delivery.object,
        "state": batch.state.name(),
        "rows_read": batch.read,
        "rows_accepted": batch.accepted,
        "rows_superseded": batch.superseded,
        "rows_unchanged": batch.unchanged,
        "rows_quarantined": batch.quarantined,
        "reason": batch.reason.as_ref().map(|(zh, en)| format!("{zh} / {en}")),
    })
}
