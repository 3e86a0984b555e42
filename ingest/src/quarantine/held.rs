//! Held records, as the quarantine of a release lists them.

use std::collections::{BTreeMap, HashMap, HashSet};

use chrono::{DateTime, Utc};
use datafusion::arrow::array::{Array, ArrayRef, AsArray, StringArray};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Int64Type, TimestampMicrosecondType};
use datafusion::logical_expr::{Expr, col, lit};
use datafusion::prelude::SessionContext;
use serde::Deserialize;

use super::HeldSelection;
use crate::error::Result;

/// The rule of the row that stands for a batch held whole.
pub(super) const BATCH_HELD: &str = "batch_held";

/// One held record, or a batch that is held whole.
#[derive(Debug, Clone)]
pub(crate) struct HeldRow {
    pub(super) quarantine_id: String,
    /// `None`: the batch as a whole.
    pub(super) row_no: Option<u64>,
    pub(super) rule: String,
    failures: Option<String>,
}

/// One reason of a held record.
#[derive(Debug, Deserialize)]
pub(super) struct Failure {
    pub(super) rule: String,
    pub(super) message_en: String,
}

impl HeldRow {
    /// All reasons.
    pub(super) fn failures(&self) -> Vec<Failure> {
        self.failures.as_deref().and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default()
    }
}

/// The held records of a selection, by batch.
pub(crate) type HeldByBatch = BTreeMap<String, Vec<HeldRow>>;

/// Reads what is held.
pub(crate) async fn select(session: &SessionContext, selection: &HeldSelection) -> Result<HeldByBatch> {
    read(session, selection, lit(true)).await
}

/// Reads what is held for a code that nobody knew, among other reasons or alone.
pub(super) async fn select_unknown_codes(session: &SessionContext) -> Result<HeldByBatch> {
    read(session, &HeldSelection::default(), col("failures").like(lit("%unknown_%"))).await
}

async fn read(session: &SessionContext, selection: &HeldSelection, condition: Expr) -> Result<HeldByBatch> {
    let held = col("state").eq(lit("held")).and(condition);
    let mut frame = session.table("system.quarantine").await?.filter(held)?;
    for (column, value) in [("feed_id", &selection.feed), ("batch_id", &selection.batch), ("rule", &selection.rule)] {
        if let Some(value) = value {
            frame = frame.filter(col(column).eq(lit(value.as_str())))?;
        }
    }
    let columns = ["quarantine_id", "batch_id", "row_no", "rule", "failures"];
    let mut held = HeldByBatch::new();
    for batch in frame.select_columns(&columns)?.collect().await? {
        let text = |column: usize| text_of(batch.column(column));
        let (id, batch_id, rule, failures) = (text(0)?, text(1)?, text(3)?, text(4)?);
        let row_no = batch.column(2).as_primitive::<Int64Type>();
        for row in 0..batch.num_rows() {
            let of_batch = held.entry(batch_id.value(row).to_owned()).or_default();
            of_batch.push(HeldRow {
                quarantine_id: id.value(row).to_owned(),
                row_no: row_no.is_valid(row).then(|| row_no.value(row).unsigned_abs()),
                rule: rule.value(row).to_owned(),
                failures: failures.is_valid(row).then(|| failures.value(row).to_owned()),
            });
        }
    }
    Ok(held)
}

/// The batches that are held whole.
pub(crate) async fn batches_held_whole(session: &SessionContext) -> Result<HashSet<String>> {
    let frame = session.table("system.batch").await?.filter(col("state").eq(lit("held")))?;
    let mut held = HashSet::new();
    for batch in frame.select_columns(&["batch_id"])?.collect().await? {
        held.extend(text_of(batch.column(0))?.iter().flatten().map(str::to_owned));
    }
    Ok(held)
}

/// When the newest published snapshot of each feed landed.
pub(super) async fn newest_snapshots(session: &SessionContext) -> Result<HashMap<String, DateTime<Utc>>> {
    let sql = "select feed_id, max(landed_at) from system.batch \
               where mode = 'snapshot' and state = 'published' group by feed_id";
    let mut newest = HashMap::new();
    for batch in session.sql(sql).await?.collect().await? {
        let (feed, landed) = (text_of(batch.column(0))?, batch.column(1).as_primitive::<TimestampMicrosecondType>());
        for row in (0..batch.num_rows()).filter(|row| landed.is_valid(*row)) {
            if let Some(at) = DateTime::from_timestamp_micros(landed.value(row)) {
                newest.insert(feed.value(row).to_owned(), at);
            }
        }
    }
    Ok(newest)
}

fn text_of(column: &ArrayRef) -> Result<StringArray> {
    Ok(cast(column, &DataType::Utf8)?.as_string::<i32>().clone())
}
