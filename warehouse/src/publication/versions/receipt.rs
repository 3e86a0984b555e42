//! Which of two versions with one clock was received later: that one counts.
//!
//! Batches are loaded in the order in which they landed, so the arriving row is the later receipt,
//! unless it is a record of an earlier batch that was held and is replayed.

use datafusion::arrow::array::{Array, AsArray, RecordBatch};
use datafusion::arrow::datatypes::{Int64Type, TimestampMicrosecondType};

use super::{Existing, Incoming, text};
use crate::error::{Error, ErrorKind, Result};
use crate::lineage;

/// Whether the stored row was received after the arriving one: by landing, in one file by row.
pub(super) fn is_later(existing: &Existing, stored: usize, incoming: &Incoming, row: usize) -> Result<bool> {
    let (old, new) = (landed_at(&existing.rows, stored)?, landed_at(&incoming.rows, row)?);
    if old != new {
        return Ok(old > new);
    }
    let of_one_batch =
        text(&existing.rows, lineage::BATCH_ID)?.value(stored) == text(&incoming.rows, lineage::BATCH_ID)?.value(row);
    // A row without a number was ended by a snapshot, not sent: a sent one takes its place.
    let (old, new) = (row_no(&existing.rows, stored)?, row_no(&incoming.rows, row)?);
    Ok(of_one_batch && old.zip(new).is_some_and(|(old, new)| old > new))
}

fn landed_at(rows: &RecordBatch, row: usize) -> Result<Option<i64>> {
    let column = column(rows, lineage::LANDED_AT)?.as_primitive::<TimestampMicrosecondType>();
    Ok(column.is_valid(row).then(|| column.value(row)))
}

fn row_no(rows: &RecordBatch, row: usize) -> Result<Option<i64>> {
    let column = column(rows, lineage::ROW_NO)?.as_primitive::<Int64Type>();
    Ok(column.is_valid(row).then(|| column.value(row)))
}

fn column<'r>(rows: &'r RecordBatch, name: &str) -> Result<&'r dyn Array> {
    let column = rows.column_by_name(name).map(AsRef::as_ref);
    column.ok_or_else(|| Error::new(ErrorKind::Internal, format!("no lineage column {name}")))
}
