//! A batch in the books of the release: `system.batch`, `system.quarantine`, `system.finding`.

use anze_warehouse::live::LiveRow;
use serde_json::json;

use super::batch::Loading;
use super::raw::raw_records;
use super::{BatchReport, Due};
use crate::check::Reason;
use crate::error::Result;
use crate::landing::Landing;

/// The row of `system.batch`.
pub(super) fn batch(due: &Due, report: &BatchReport) -> LiveRow {
    let delivery = &report.delivery;
    row(json!({
        "batch_id": delivery.batch_id,
        "feed_id": delivery.feed_id,
        "dataset": report.dataset,
        "reporter": due.feed.reporter,
        "mode": due.feed.mode.name(),
        "object": delivery.object,
        "sha256": delivery.sha256,
        "landed_path": delivery.landed_path,
        "bytes": delivery.bytes,
        "rows_read": report.read,
        "rows_accepted": report.accepted,
        "rows_superseded": report.superseded,
        "rows_unchanged": report.unchanged,
        "rows_quarantined": report.quarantined,
        "state": report.state.name(),
        "landed_at": delivery.landed_at.to_rfc3339(),
        "slot_at": delivery.slot_at.map(|at| at.to_rfc3339()),
        "on_time": due.on_time,
        "reason": report.reason.as_ref().map(|(zh, en)| format!("{zh} / {en}")),
    }))
}

/// The rows of `system.quarantine`: one per held record, and one for a batch held whole.
pub(super) fn quarantine(landing: &Landing, loading: &Loading) -> Result<Vec<LiveRow>> {
    let mut rows = Vec::with_capacity(loading.held.len() + 1);
    let due = &loading.due;
    let batch_id = &due.delivery.batch_id;
    if let Some((zh, en)) = &loading.refused {
        let reason = Reason {
            rule: "batch_held".to_owned(),
            column: String::new(),
            message_zh: zh.clone(),
            message_en: en.clone(),
        };
        rows.push(held_row(due, &format!("{batch_id}-batch"), None, None, std::slice::from_ref(&reason)));
    }
    if loading.held.is_empty() {
        return Ok(rows);
    }
    let mut raw = raw_records(landing, due, &loading.held)?;
    for held in &loading.held {
        let raw = raw.remove(&held.row_no).unwrap_or_default();
        let id = format!("{batch_id}-{}", held.row_no);
        rows.push(held_row(due, &id, Some(held.row_no), Some(raw), &held.reasons));
    }
    Ok(rows)
}

fn held_row(due: &Due, id: &str, row_no: Option<u64>, raw: Option<String>, reasons: &[Reason]) -> LiveRow {
    let first = reasons.first();
    let others: Vec<_> = reasons
        .iter()
        .map(|reason| {
            json!({
                "rule": reason.rule,
                "column_name": reason.column,
                "message_zh": reason.message_zh,
                "message_en": reason.message_en,
            })
        })
        .collect();
    row(json!({
        "quarantine_id": id,
        "feed_id": due.feed.feed_id,
        "dataset": due.feed.contract.name,
        "batch_id": due.delivery.batch_id,
        "row_no": row_no,
        "raw": raw,
        "rule": first.map(|reason| &reason.rule),
        "column_name": first.map(|reason| &reason.column).filter(|column| !column.is_empty()),
        "message_zh": first.map(|reason| &reason.message_zh),
        "message_en": first.map(|reason| &reason.message_en),
        "failures": serde_json::Value::from(others).to_string(),
        "state": "held",
    }))
}

/// The rows of `system.finding` that the checks and the contest gave; references are noted when
/// the release is published.
pub(super) fn findings(loading: &Loading, release: u64) -> Vec<LiveRow> {
    if loading.refused.is_some() {
        return Vec::new();
    }
    let due = &loading.due;
    loading
        .findings
        .iter()
        .map(|finding| {
            row(json!({
                "dataset": due.feed.contract.name,
                "key": finding.key,
                "feed_id": due.feed.feed_id,
                "batch_id": due.delivery.batch_id,
                "row_no": finding.row_no,
                "rule": finding.reason.rule,
                "column_name": finding.reason.column,
                "message_zh": finding.reason.message_zh,
                "message_en": finding.reason.message_en,
                "found_in": release,
            }))
        })
        .collect()
}

fn row(value: serde_json::Value) -> LiveRow {
    match value {
        serde_json::Value::Object(row) => row,
        _ => LiveRow::new(),
    }
}
