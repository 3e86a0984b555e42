//! Upserts: which version of a key is current, and what becomes of the others.
//!
//! A version is newer by `(coalesce(source_updated_at, landed_at), order of arrival)`. The new
//! rows are held in memory; of the table only the files that hold their keys are read, and only
//! the files with a replaced row are written anew.

mod arriving;
mod contest;
mod existing;
mod receipt;

use std::collections::HashMap;
use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, RecordBatch, StringArray, UInt32Array};
use datafusion::arrow::compute::{concat_batches, take_record_batch};
use datafusion::arrow::datatypes::SchemaRef;
use futures::future::{try_join_all, try_join3};
use futures::{StreamExt, TryStreamExt, stream};
use hashbrown::HashTable;

use arriving::Arriving;
use contest::Contest;
use existing::Existing;

use super::arrivals::{Arrival, Upserted};
use super::{DatasetChange, files};
use crate::contract::Contract;
use crate::error::Result;
use crate::lineage;
use crate::release::{REPLACED_BY, VERSION_STATE, history_schema};

impl DatasetChange {
    /// Loads the valid rows of one or more batches into a dataset, in their order of arrival.
    ///
    /// Rows that lose, and the versions they replace, go to the history. Nothing is visible
    /// before [`super::Publication::publish`].
    ///
    /// # Errors
    /// Storage, Corrupt.
    pub async fn upsert(&mut self, arrivals: &[Arrival]) -> Result<Upserted> {
        self.contend(arrivals, Rest::Nothing).await
    }

    /// The same for a part of a batch of which more follows. The rows that it makes current rest in memory
    /// until the next part has replaced some of them, so that those are not written twice.
    ///
    /// # Errors
    /// Storage, Corrupt.
    pub async fn upsert_part(&mut self, arrival: &Arrival) -> Result<Upserted> {
        self.contend(std::slice::from_ref(arrival), Rest::Current).await
    }

    async fn contend(&mut self, arrivals: &[Arrival], rest: Rest) -> Result<Upserted> {
        let stands = !self.data.files.is_empty() || self.resting.is_some();
        let incoming = Arc::new(Incoming::new(&self.contract, arrivals, stands)?);
        if incoming.rows.num_rows() == 0 {
            if rest == Rest::Nothing {
                self.write_resting().await?;
            }
            return Ok(Upserted {
                outcomes: vec![Vec::new(); arrivals.len()],
                warnings: Vec::new(),
                outlived_in_batch: 0,
            });
        }
        let existing = self.existing(&incoming).await?;
        let contest = Contest::run(&self.contract, arrivals, &incoming, &existing)?;
        self.store_outcome(&incoming, &existing, &contest, rest).await?;
        Ok(contest.into_upserted(arrivals))
    }

    /// Writes the outcome, all files side by side: those that hold replaced rows again, without
    /// those rows; the rows that are current now; the versions for the history.
    async fn store_outcome(
        &mut self,
        incoming: &Incoming,
        existing: &Existing,
        contest: &Contest,
        rest: Rest,
    ) -> Result<()> {
        let current = contest.current_rows(&incoming.rows)?;
        self.touched |= current.num_rows() > 0 || contest.replaces_any();
        let mut fresh = Vec::new();
        if let Some(rested) = self.resting.take() {
            fresh.push(rested.without(contest.replaced_in(existing, existing.resting)));
        }
        match rest {
            Rest::Nothing => fresh.push(current),
            Rest::Current => self.resting = Some(current),
        }
        let history = contest.history(&self.contract, &incoming.rows, existing)?;
        let (data, versions) = (&mut self.data, &mut self.history);
        let mut rewritten = Vec::new();
        for (path, rows) in contest.replaced_places(existing) {
            let Some(position) = data.files.iter().position(|file| file.path == path) else { continue };
            let old = data.files[position].clone();
            let new = (rows.len() as u64 != old.rows).then(|| data.new_file());
            rewritten.push(async move {
                let Some(new) = new else { return Ok((path, None)) };
                Ok::<_, crate::Error>((path, Some(new.write_without(old, rows).await?)))
            });
        }
        let rewritten = stream::iter(rewritten).buffered(files::FILES_AT_ONCE).try_collect::<Vec<_>>();
        let fresh = fresh.into_iter().filter(|rows| rows.num_rows() > 0);
        let fresh: Vec<_> = fresh.map(|rows| data.new_file().write_picked(rows)).collect();
        let history: Vec<_> = history
            .into_iter()
            .filter(|batch| batch.num_rows() > 0)
            .map(|batch| versions.new_file().write(vec![batch]))
            .collect();
        let (rewritten, fresh, history) = try_join3(rewritten, try_join_all(fresh), try_join_all(history)).await?;
        for (path, file) in rewritten {
            let Some(position) = data.files.iter().position(|file| file.path == path) else { continue };
            match file {
                Some(file) => data.replace(position, file),
                None => drop(data.files.remove(position)),
            }
        }
        fresh.into_iter().for_each(|file| data.push_fresh(file));
        history.into_iter().for_each(|file| versions.push_fresh(file));
        Ok(())
    }

    /// Writes what rests, as it is.
    async fn write_resting(&mut self) -> Result<()> {
        let Some(rested) = self.resting.take() else { return Ok(()) };
        if rested.num_rows() > 0 {
            let file = self.data.new_file().write_picked(rested).await?;
            self.data.push_fresh(file);
        }
        Ok(())
    }
}

/// What an upsert leaves in memory.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Rest {
    Nothing,
    /// The rows that are current at its end.
    Current,
}

/// The rows of all arrivals, with their keys numbered.
pub(super) struct Incoming {
    pub(super) rows: RecordBatch,
    /// Which arrival each row belongs to.
    pub(super) arrival: Vec<u32>,
    /// Number of each row's key.
    pub(super) key: Vec<u32>,
    /// How many keys there are.
    pub(super) keys: usize,
    pub(super) encoder: KeyEncoder,
    numbers: HashTable<u32>,
    /// Encoded bytes of each key, by number.
    bytes: datafusion::arrow::row::Rows,
    first_row: Vec<u32>,
    hasher: ahash::RandomState,
    /// Clock of each row, microseconds.
    pub(super) clock: Vec<i64>,
    /// For passing over what holds none of the keys.
    pub(super) arriving: Option<Arc<Arriving>>,
}

impl Incoming {
    /// `stands`: whether anything is stored that could have one of the keys.
    fn new(contract: &Contract, arrivals: &[Arrival], stands: bool) -> Result<Self> {
        let schema = contract.table_schema();
        let rows = concat_batches(&schema, arrivals.iter().map(|arrival| &arrival.rows))?;
        let arrival = arrivals
            .iter()
            .enumerate()
            .flat_map(|(number, arrival)| std::iter::repeat_n(number as u32, arrival.rows.num_rows()))
            .collect();
        let encoder = KeyEncoder::new(contract, &schema)?;
        let bytes = encoder.encode(&rows)?;
        let hasher = ahash::RandomState::with_seeds(1, 2, 3, 4);
        let mut numbers: HashTable<u32> = HashTable::with_capacity(rows.num_rows());
        let mut first_row: Vec<u32> = Vec::with_capacity(rows.num_rows());
        let mut key = Vec::with_capacity(rows.num_rows());
        for row in 0..rows.num_rows() {
            let encoded = bytes.row(row);
            let hash = hasher.hash_one(encoded.data());
            let number = match numbers.find(hash, |&number| bytes.row(first_row[number as usize] as usize) == encoded) {
                Some(&number) => number,
                None => {
                    let number = first_row.len() as u32;
                    first_row.push(row as u32);
                    numbers.insert_unique(hash, number, |&number| {
                        hasher.hash_one(bytes.row(first_row[number as usize] as usize).data())
                    });
                    number
                }
            };
            key.push(number);
        }
        let clock = clocks(&rows)?;
        let arriving = stands.then(|| Arriving::new(contract, &rows)).flatten().map(Arc::new);
        Ok(Self {
            arriving,
            keys: first_row.len(),
            arrival,
            key,
            encoder,
            numbers,
            bytes,
            first_row,
            hasher,
            clock,
            rows,
        })
    }

    /// The number of a key among the arrivals.
    fn number_of(&self, key: datafusion::arrow::row::Row<'_>) -> Option<u32> {
        let hash = self.hasher.hash_one(key.data());
        self.numbers.find(hash, |&number| self.bytes.row(self.first_row[number as usize] as usize) == key).copied()
    }
}

/// Turns key columns into comparable bytes.
pub(super) struct KeyEncoder {
    converter: datafusion::arrow::row::RowConverter,
    pub(super) columns: Vec<String>,
}

impl KeyEncoder {
    pub(super) fn new(contract: &Contract, schema: &SchemaRef) -> Result<Self> {
        let fields = contract
            .key
            .iter()
            .map(|name| Ok(datafusion::arrow::row::SortField::new(schema.field_with_name(name)?.data_type().clone())))
            .collect::<Result<Vec<_>>>()?;
        Ok(Self { converter: datafusion::arrow::row::RowConverter::new(fields)?, columns: contract.key.clone() })
    }

    pub(super) fn encode(&self, batch: &RecordBatch) -> Result<datafusion::arrow::row::Rows> {
        let columns = self
            .columns
            .iter()
            .map(|name| {
                batch.column_by_name(name).map(Arc::clone).ok_or_else(|| {
                    crate::Error::new(crate::ErrorKind::Internal, format!("key column {name} is not in the rows"))
                })
            })
            .collect::<Result<Vec<ArrayRef>>>()?;
        Ok(self.converter.convert_columns(&columns)?)
    }
}

/// `coalesce(source_updated_at, landed_at)` of each row, microseconds since the epoch.
pub(super) fn clocks(rows: &RecordBatch) -> Result<Vec<i64>> {
    use datafusion::arrow::array::TimestampMicrosecondArray;
    let instants = |name: &str| {
        rows.column_by_name(name)
            .and_then(|column| column.as_any().downcast_ref::<TimestampMicrosecondArray>())
            .ok_or_else(|| crate::Error::new(crate::ErrorKind::Internal, format!("no lineage column {name}")))
    };
    let (updated, landed) = (instants(lineage::SOURCE_UPDATED_AT)?, instants(lineage::LANDED_AT)?);
    let clock = |row: usize| match (updated.is_valid(row), landed.is_valid(row)) {
        (true, _) => updated.value(row),
        (false, true) => landed.value(row),
        (false, false) => i64::MIN,
    };
    Ok((0..rows.num_rows()).map(clock).collect())
}

pub(super) fn text<'b>(rows: &'b RecordBatch, name: &str) -> Result<&'b StringArray> {
    rows.column_by_name(name)
        .and_then(|column| column.as_any().downcast_ref::<StringArray>())
        .ok_or_else(|| crate::Error::new(crate::ErrorKind::Internal, format!("no text column {name}")))
}

/// Rows of a table for the history, with their state and the batch that took their place.
pub(super) fn history_rows(
    contract: &Contract,
    rows: &RecordBatch,
    picked: &[u32],
    state: &str,
    replaced_by: Vec<Option<&str>>,
) -> Result<RecordBatch> {
    let taken = take_record_batch(rows, &UInt32Array::from(picked.to_vec()))?;
    let mut columns = taken.columns().to_vec();
    columns.push(Arc::new(StringArray::from(vec![state; picked.len()])));
    columns.push(Arc::new(StringArray::from(replaced_by)));
    let schema = history_schema(contract);
    assert_eq!(schema.field(schema.fields().len() - 2).name(), VERSION_STATE);
    assert_eq!(schema.field(schema.fields().len() - 1).name(), REPLACED_BY);
    Ok(RecordBatch::try_new(schema, columns)?)
}

/// Rows of a file, by file: the places of replaced rows.
pub(super) type Places = HashMap<String, Vec<usize>>;
