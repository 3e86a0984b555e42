//! A batch in the books of the release: `system.batch`, `system.quarantine`, `system.finding`.

use std::sync::Arc;

use anze_warehouse::live::LiveRow;
use anze_warehouse::publication::system_rows;
use datafusion::arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray, StringBuilder};
use serde_json::json;

use super::batch::{Finding, Loading};
use super::raw::raw_records;
use super::{BatchReport, Due};
use crate::check::{Held, Reason};
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
pub(super) fn quarantine(landing: &Landing, loading: &Loading) -> Result<RecordBatch> {
    let mut rows = HeldRows::default();
    let batch_id = &loading.due.delivery.batch_id;
    if let Some((zh, en)) = &loading.refused {
        let reason = Reason {
            rule: "batch_held".to_owned(),
            column: String::new(),
            message_zh: zh.clone(),
            message_en: en.clone(),
        };
        rows.add(format!("{batch_id}-batch"), None, None, std::slice::from_ref(&reason));
    }
    rows.add_all(landing, &loading.due, &loading.held)?;
    rows.finish(&loading.due)
}

/// The rows of `system.quarantine` of some held records.
pub(super) fn held(landing: &Landing, due: &Due, held: &[Held]) -> Result<RecordBatch> {
    let mut rows = HeldRows::default();
    rows.add_all(landing, due, held)?;
    rows.finish(due)
}

/// Held records, column by column.
#[derive(Default)]
struct HeldRows {
    ids: Vec<String>,
    row_no: Vec<Option<i64>>,
    raw: StringBuilder,
    rule: StringBuilder,
    column: StringBuilder,
    message_zh: StringBuilder,
    message_en: StringBuilder,
    failures: StringBuilder,
}

impl HeldRows {
    fn add_all(&mut self, landing: &Landing, due: &Due, held: &[Held]) -> Result<()> {
        let batch_id = &due.delivery.batch_id;
        let mut raw = raw_records(landing, due, held)?;
        for held in held {
            let raw = raw.remove(&held.row_no).unwrap_or_default();
            self.add(format!("{batch_id}-{}", held.row_no), Some(held.row_no), Some(raw), &held.reasons);
        }
        Ok(())
    }

    fn add(&mut self, id: String, row_no: Option<u64>, raw: Option<String>, reasons: &[Reason]) {
        let first = reasons.first();
        self.ids.push(id);
        self.row_no.push(row_no.and_then(|number| i64::try_from(number).ok()));
        self.raw.append_option(raw);
        self.rule.append_option(first.map(|reason| &reason.rule));
        self.column.append_option(first.map(|reason| &reason.column).filter(|column| !column.is_empty()));
        self.message_zh.append_option(first.map(|reason| &reason.message_zh));
        self.message_en.append_option(first.map(|reason| &reason.message_en));
        let all = reasons.iter().map(|reason| {
            json!({
                "rule": reason.rule,
                "column_name": reason.column,
                "message_zh": reason.message_zh,
                "message_en": reason.message_en,
            })
        });
        self.failures.append_value(serde_json::Value::from_iter(all).to_string());
    }

    fn finish(mut self, due: &Due) -> Result<RecordBatch> {
        let count = self.ids.len();
        let columns = vec![
            ("quarantine_id", Arc::new(StringArray::from(self.ids)) as ArrayRef),
            ("feed_id", all(&due.feed.feed_id, count)),
            ("dataset", all(&due.feed.contract.name, count)),
            ("batch_id", all(&due.delivery.batch_id, count)),
            ("row_no", Arc::new(Int64Array::from(self.row_no))),
            ("raw", Arc::new(self.raw.finish())),
            ("rule", Arc::new(self.rule.finish())),
            ("column_name", Arc::new(self.column.finish())),
            ("message_zh", Arc::new(self.message_zh.finish())),
            ("message_en", Arc::new(self.message_en.finish())),
            ("failures", Arc::new(self.failures.finish())),
            ("state", all("held", count)),
        ];
        Ok(system_rows("quarantine", count, columns)?)
    }
}

/// One text for every row.
fn all(text: &str, rows: usize) -> ArrayRef {
    Arc::new(StringArray::new_repeated(text, rows))
}

/// The rows of `system.finding` that the checks and the contest gave and that are not written yet;
/// references are noted when the release is published.
pub(super) fn findings(loading: &Loading, release: u64) -> Result<RecordBatch> {
    let due = &loading.due;
    let findings = loading.findings.as_slice();
    let count = findings.len();
    let text = |pick: fn(&Finding) -> &str| -> ArrayRef {
        Arc::new(findings.iter().map(|finding| Some(pick(finding))).collect::<StringArray>())
    };
    let row_no = findings.iter().map(|finding| i64::try_from(finding.row_no).ok());
    let release = i64::try_from(release).unwrap_or(i64::MAX);
    let columns = vec![
        ("dataset", all(&due.feed.contract.name, count)),
        ("key", text(|finding| &finding.key)),
        ("feed_id", all(&due.feed.feed_id, count)),
        ("batch_id", all(&due.delivery.batch_id, count)),
        ("row_no", Arc::new(row_no.collect::<Int64Array>()) as ArrayRef),
        ("rule", text(|finding| &finding.reason.rule)),
        ("column_name", text(|finding| &finding.reason.column)),
        ("message_zh", text(|finding| &finding.reason.message_zh)),
        ("message_en", text(|finding| &finding.reason.message_en)),
        ("found_in", Arc::new(Int64Array::from(vec![release; count]))),
    ];
    Ok(system_rows("finding", count, columns)?)
}

fn row(value: serde_json::Value) -> LiveRow {
    match value {
        serde_json::Value::Object(row) => row,
        _ => LiveRow::new(),
    }
}
