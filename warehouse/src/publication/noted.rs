//! Rows for the system tables of a release, gathered while it is prepared and written as one file
//! a table when it is published.

use std::collections::BTreeMap;
use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, RecordBatch, new_null_array};
use datafusion::arrow::json::ReaderBuilder;

use crate::contract::{self, Contract};
use crate::error::{Error, ErrorKind, Result};
use crate::live::LiveRow;

/// Rows by system table.
#[derive(Debug, Default)]
pub(super) struct Noted {
    tables: BTreeMap<String, Rows>,
}

#[derive(Debug, Default)]
struct Rows {
    rows: Vec<LiveRow>,
    batches: Vec<RecordBatch>,
}

impl Noted {
    pub(super) fn add(&mut self, table: &str, rows: Vec<LiveRow>) {
        self.tables.entry(table.to_owned()).or_default().rows.extend(rows);
    }

    pub(super) fn add_batch(&mut self, table: &str, batch: RecordBatch) {
        if batch.num_rows() > 0 {
            self.tables.entry(table.to_owned()).or_default().batches.push(batch);
        }
    }

    /// How many rows of a table came in columns and wait to be written.
    pub(super) fn waiting(&self, table: &str) -> usize {
        self.tables.get(table).map_or(0, |noted| noted.batches.iter().map(RecordBatch::num_rows).sum())
    }

    pub(super) fn replace(&mut self, table: &str, rows: Vec<LiveRow>) {
        self.tables.insert(table.to_owned(), Rows { rows, batches: Vec::new() });
    }

    pub(super) fn merge(&mut self, other: Self) {
        for (table, rows) in other.tables {
            let ours = self.tables.entry(table).or_default();
            ours.rows.extend(rows.rows);
            ours.batches.extend(rows.batches);
        }
    }

    /// The tables with rows.
    pub(super) fn tables(&self) -> Vec<String> {
        self.tables.keys().cloned().collect()
    }

    /// Takes the rows of a table, in its schema.
    pub(super) fn take(&mut self, table: &str) -> Result<Vec<RecordBatch>> {
        let Some(noted) = self.tables.remove(table) else { return Ok(Vec::new()) };
        let mut batches = noted.batches;
        if !noted.rows.is_empty() {
            batches.push(read(system_table(table)?, &noted.rows)?);
        }
        Ok(batches)
    }
}

/// Rows of a system table from some of its columns, all of one length; the others are null.
///
/// # Errors
/// Internal, where the table or a column is unknown, or of another type.
pub fn system_rows(table: &str, rows: usize, columns: Vec<(&str, ArrayRef)>) -> Result<RecordBatch> {
    let schema = system_table(table)?.table_schema();
    let mut arrays: Vec<ArrayRef> =
        schema.fields().iter().map(|field| new_null_array(field.data_type(), rows)).collect();
    for (name, column) in columns {
        arrays[schema.index_of(name)?] = column;
    }
    Ok(RecordBatch::try_new(schema, arrays)?)
}

fn system_table(table: &str) -> Result<&'static Arc<Contract>> {
    contract::builtin()
        .system_table(table)
        .ok_or_else(|| Error::new(ErrorKind::Internal, format!("no system table {table}")))
}

fn read(contract: &Contract, rows: &[LiveRow]) -> Result<RecordBatch> {
    let schema = contract.table_schema();
    let mut decoder = ReaderBuilder::new(Arc::clone(&schema)).with_batch_size(rows.len()).build_decoder()?;
    for row in rows {
        // As text: numbers are kept exactly, which the decoder's own serialiser does not know.
        decoder.decode(serde_json::to_string(row)?.as_bytes())?;
    }
    Ok(decoder.flush()?.unwrap_or_else(|| RecordBatch::new_empty(schema)))
}
