//! Snapshots: a file that is the whole truth for its reporter ends what it no longer names.

use std::collections::HashSet;
use std::sync::Arc;

use chrono::{DateTime, NaiveDate, Utc};
use datafusion::arrow::array::{
    Array, BooleanArray, Date32Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray,
};
use datafusion::arrow::compute::{concat_batches, filter_record_batch};

use super::arrivals::{Arrival, Keys};
use super::versions::{KeyEncoder, text};
use super::{DatasetChange, files};
use crate::contract::Contract;
use crate::error::Result;
use crate::lineage;

/// A snapshot whose rows have been loaded.
pub struct Snapshot<'s> {
    /// Whose whole truth it is.
    pub reporter: &'s str,
    /// Its feed.
    pub feed_id: &'s str,
    /// Its batch.
    pub batch_id: &'s str,
    /// When it landed.
    pub landed_at: DateTime<Utc>,
    /// The slot's day, on which absent rows end.
    pub day: NaiveDate,
    /// Rows that count as present, held ones included; only the key columns are looked at.
    pub present: &'s [RecordBatch],
}

/// What a snapshot would end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Absence {
    /// Rows of the reporter that the snapshot no longer names.
    pub ended: u64,
    /// Rows of the reporter that stood before it.
    pub of: u64,
}

impl DatasetChange {
    /// Ends the reporter's rows that a snapshot no longer names, and says how many they were.
    ///
    /// The caller decides by the counts whether the batch must be held, and restores its savepoint.
    ///
    /// # Errors
    /// Storage, Corrupt.
    pub async fn end_absent(&mut self, snapshot: &Snapshot<'_>) -> Result<Absence> {
        self.assert_all_written();
        let contract = Arc::clone(&self.contract);
        let schema = Arc::clone(&self.data.schema);
        let encoder = KeyEncoder::new(&contract, &schema)?;
        let mut present = HashSet::new();
        for batch in snapshot.present {
            let encoded = encoder.encode(batch)?;
            present.extend((0..batch.num_rows()).map(|row| encoded.row(row).owned()));
        }
        let (mut absent, mut of) = (Vec::new(), 0);
        for file in &self.data.files {
            for batch in files::read(&self.data.store, &self.data.name, file, None).await? {
                let batch = files::conform(&batch?, &schema)?;
                let standing = stands(&contract, &batch, snapshot)?;
                of += standing.true_count() as u64;
                let encoded = encoder.encode(&batch)?;
                let gone: BooleanArray = (0..batch.num_rows())
                    .map(|row| Some(standing.value(row) && !present.contains(&encoded.row(row).owned())))
                    .collect();
                if gone.true_count() > 0 {
                    absent.push(filter_record_batch(&batch, &gone)?);
                }
            }
        }
        let absent = concat_batches(&schema, &absent)?;
        let ended = absent.num_rows() as u64;
        if ended > 0 {
            let arrival = ending(&contract, absent, snapshot)?;
            self.upsert(&[arrival]).await?;
        }
        Ok(Absence { ended, of })
    }
}

/// Which rows are the reporter's and have not ended by the snapshot's day.
fn stands(contract: &Contract, batch: &RecordBatch, snapshot: &Snapshot<'_>) -> Result<BooleanArray> {
    let reporter = text(batch, lineage::REPORTER)?;
    let day = days(snapshot.day);
    let end = contract
        .span_end
        .as_ref()
        .and_then(|end| batch.column_by_name(end))
        .and_then(|column| column.as_any().downcast_ref::<Date32Array>().cloned());
    let ended = |row: usize| end.as_ref().is_some_and(|end| end.is_valid(row) && end.value(row) <= day);
    Ok((0..batch.num_rows()).map(|row| Some(reporter.value(row) == snapshot.reporter && !ended(row))).collect())
}

/// The versions that end rows: the row as it was, ended on the slot's day or deleted, by the
/// snapshot's batch and without a line of its own. They keep the source's clock, so that the same
/// row named again later wins as the later receipt.
fn ending(contract: &Contract, rows: RecordBatch, snapshot: &Snapshot<'_>) -> Result<Arrival> {
    let schema = rows.schema();
    let count = rows.num_rows();
    let mut columns = rows.columns().to_vec();
    let mut set = |name: &str, column: Arc<dyn Array>| -> Result<()> {
        columns[schema.index_of(name)?] = column;
        Ok(())
    };
    set(lineage::BATCH_ID, Arc::new(StringArray::from(vec![snapshot.batch_id; count])))?;
    set(lineage::ROW_NO, Arc::new(Int64Array::new_null(count)))?;
    set(lineage::FEED_ID, Arc::new(StringArray::from(vec![snapshot.feed_id; count])))?;
    let landed = TimestampMicrosecondArray::from(vec![snapshot.landed_at.timestamp_micros(); count]);
    set(lineage::LANDED_AT, Arc::new(landed.with_timezone("UTC")))?;
    if let Some(end) = &contract.span_end {
        set(end, Arc::new(Date32Array::from(vec![days(snapshot.day); count])))?;
    }
    let deleted = contract.span_end.is_none().then(|| BooleanArray::from(vec![true; count]));
    Ok(Arrival { rows: RecordBatch::try_new(schema, columns)?, deleted, takes_over: Vec::new(), keys: Keys::MayReturn })
}

fn days(day: NaiveDate) -> i32 {
    day.signed_duration_since(NaiveDate::default()).num_days() as i32
}
