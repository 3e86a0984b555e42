//! Changing what the books of a release say: a held record is replayed, a held batch released.
//!
//! Rows are taken out of the files that hold them, of which only those are written anew, and are
//! appended again with their new values.

use std::collections::{BTreeMap, HashSet};

use datafusion::arrow::array::{Array, AsArray, BooleanArray, RecordBatch};
use datafusion::arrow::compute::{cast, filter_record_batch, not};
use datafusion::arrow::datatypes::DataType;
use datafusion::arrow::json::LineDelimitedWriter;
use serde_json::Value;

use super::{Publication, files, versions};
use crate::contract::Contract;
use crate::error::{Error, ErrorKind, Result};
use crate::live::LiveRow;
use crate::table::{DataFile, TableKind, TableName};

impl Publication<'_> {
    /// Takes the rows whose `column` has one of `values` out of a system table; what is to stay
    /// must be appended again. Missing values are absent from the rows.
    ///
    /// # Errors
    /// Storage, Corrupt.
    pub async fn take_system(&mut self, table: &str, column: &str, values: &HashSet<String>) -> Result<Vec<LiveRow>> {
        let mut taken = Vec::new();
        if values.is_empty() {
            return Ok(taken);
        }
        let name = TableName::new(TableKind::System, table);
        let store = self.writer.warehouse.store().clone();
        let working = self.working(&name).await?;
        let mut left = Vec::with_capacity(working.files.len());
        for file in working.files.clone() {
            if !may_hold(&file, column, values) {
                left.push(file);
                continue;
            }
            let (before, mut kept) = (taken.len(), Vec::new());
            for batch in files::read(&store, &name, &file, None).await? {
                let batch = files::conform(&batch?, &working.schema)?;
                let wanted = holds(&batch, column, values)?;
                taken.extend(live_rows(&filter_record_batch(&batch, &wanted)?)?);
                kept.push(filter_record_batch(&batch, &not(&wanted)?)?);
            }
            let gone = (taken.len() - before) as u64;
            if gone == 0 {
                left.push(file);
            } else if gone < file.rows {
                left.push(files::write(&store, working, kept).await?);
            }
        }
        working.files = left;
        if let Some(noted) = self.noted.get_mut(table) {
            let (out, stay): (Vec<_>, Vec<_>) = std::mem::take(noted)
                .into_iter()
                .partition(|row| row.get(column).and_then(Value::as_str).is_some_and(|value| values.contains(value)));
            *noted = stay;
            taken.extend(out);
        }
        Ok(taken)
    }

    /// Replaces all rows of a system table, unless they are there already.
    ///
    /// # Errors
    /// Storage, Corrupt.
    pub async fn renew_system(&mut self, table: &str, rows: Vec<LiveRow>) -> Result<()> {
        let name = TableName::new(TableKind::System, table);
        let store = self.writer.warehouse.store().clone();
        let working = self.working(&name).await?;
        let mut standing = Vec::new();
        for file in &working.files {
            for batch in files::read(&store, &name, file, None).await? {
                standing.extend(live_rows(&files::conform(&batch?, &working.schema)?)?);
            }
        }
        if comparable(&standing) == comparable(&rows) { Ok(()) } else { self.replace_system(table, rows).await }
    }

    /// Files rows in the history that never became current because a newer truth stands.
    ///
    /// # Errors
    /// Storage.
    pub async fn supersede(&mut self, contract: &Contract, rows: &RecordBatch) -> Result<()> {
        let all: Vec<u32> = (0..rows.num_rows() as u32).collect();
        let superseded = versions::history_rows(contract, rows, &all, "superseded", vec![None; all.len()])?;
        self.append(TableName::new(TableKind::History, &contract.name), &[superseded]).await
    }

    /// Notes which records of a batch of an earlier release are loaded in this one.
    pub fn note_replayed(&mut self, batch_id: &str, rows: impl IntoIterator<Item = u64>) {
        let rows = rows.into_iter().filter_map(|row| i64::try_from(row).ok());
        self.replayed.entry(batch_id.to_owned()).or_default().extend(rows);
    }

    /// The batches with rows that this release loads, as a list for SQL.
    pub(super) fn loaded_batches(&self) -> String {
        let ids = self.manifest.batches.iter().chain(self.replayed.keys());
        ids.map(|id| format!("'{id}'")).collect::<Vec<_>>().join(", ")
    }

    /// Whether a finding is about a row that this release loads: of a replayed batch only those.
    pub(super) fn is_about_a_loaded_row(&self, finding: &LiveRow) -> bool {
        let of_batch = finding.get("batch_id").and_then(Value::as_str).and_then(|id| self.replayed.get(id));
        let row_no = finding.get("row_no").and_then(Value::as_i64);
        of_batch.is_none_or(|rows| row_no.is_some_and(|row_no| rows.contains(&row_no)))
    }
}

fn may_hold(file: &DataFile, column: &str, values: &HashSet<String>) -> bool {
    match files::text_bounds(file, column) {
        Some((low, high)) => values.iter().any(|value| low <= value.as_str() && value.as_str() <= high),
        None => true,
    }
}

fn holds(batch: &RecordBatch, column: &str, values: &HashSet<String>) -> Result<BooleanArray> {
    let found = batch
        .column_by_name(column)
        .ok_or_else(|| Error::new(ErrorKind::Internal, format!("a system table without the column {column}")))?;
    let text = cast(found, &DataType::Utf8)?;
    let text = text.as_string::<i32>();
    Ok((0..text.len()).map(|row| Some(text.is_valid(row) && values.contains(text.value(row)))).collect())
}

fn live_rows(batch: &RecordBatch) -> Result<Vec<LiveRow>> {
    let mut writer = LineDelimitedWriter::new(Vec::new());
    writer.write(batch)?;
    writer.finish()?;
    let lines = writer.into_inner();
    let lines = lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    lines.map(|line| Ok(serde_json::from_slice(line)?)).collect()
}

/// Rows as they compare: whatever their order, and a null as a missing value.
fn comparable(rows: &[LiveRow]) -> Vec<BTreeMap<&str, String>> {
    let mut all: Vec<BTreeMap<&str, String>> = rows
        .iter()
        .map(|row| {
            let given = row.iter().filter(|(_, value)| !value.is_null());
            given.map(|(name, value)| (name.as_str(), value.to_string())).collect()
        })
        .collect();
    all.sort();
    all
}
