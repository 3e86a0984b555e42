//! Changing what the books of a release say: a held record is replayed, a held batch released.
//!
//! Rows are taken out of the files that hold them, of which only those are written anew, and are
//! appended again with their new values.

use std::collections::{BTreeMap, HashSet};

use datafusion::arrow::array::{Array, AsArray, BooleanArray, RecordBatch};
use datafusion::arrow::compute::{cast, filter_record_batch, not};
use datafusion::arrow::datatypes::DataType;
use datafusion::arrow::json::LineDelimitedWriter;

use super::{DatasetChange, Publication, files, versions};
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
        let working = self.working(&TableName::new(TableKind::System, table)).await?;
        let mut position = 0;
        while let Some(file) = working.files.get(position).cloned() {
            let before = taken.len();
            if may_hold(&file, column, values) {
                let mut kept = Vec::new();
                for batch in files::read(&working.store, &working.name, &file, None).await? {
                    kept.push(take_from(&files::conform(&batch?, &working.schema)?, column, values, &mut taken)?);
                }
                let gone = (taken.len() - before) as u64;
                if gone == file.rows {
                    working.files.remove(position);
                    continue;
                }
                if gone > 0 {
                    let file = working.new_file().write(kept).await?;
                    working.replace(position, file);
                }
            }
            position += 1;
        }
        for batch in self.noted.take(table)? {
            let kept = take_from(&batch, column, values, &mut taken)?;
            self.noted.add_batch(table, kept);
        }
        Ok(taken)
    }

    /// Replaces all rows of a system table, unless they are there already.
    ///
    /// # Errors
    /// Storage, Corrupt.
    pub async fn renew_system(&mut self, table: &str, rows: Vec<LiveRow>) -> Result<()> {
        let working = self.working(&TableName::new(TableKind::System, table)).await?;
        let mut standing = Vec::new();
        for file in &working.files {
            for batch in files::read(&working.store, &working.name, file, None).await? {
                standing.extend(live_rows(&files::conform(&batch?, &working.schema)?)?);
            }
        }
        if comparable(&standing) == comparable(&rows) { Ok(()) } else { self.replace_system(table, rows).await }
    }
}

impl DatasetChange {
    /// Files rows in the history that never became current because a newer truth stands.
    ///
    /// # Errors
    /// Storage.
    pub async fn supersede(&mut self, rows: &RecordBatch) -> Result<()> {
        let all: Vec<u32> = (0..rows.num_rows() as u32).collect();
        let superseded = versions::history_rows(&self.contract, rows, &all, "superseded", vec![None; all.len()])?;
        self.history.append(vec![superseded]).await
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

/// Moves the rows that hold one of the values to `taken`, and gives back the others.
fn take_from(
    batch: &RecordBatch,
    column: &str,
    values: &HashSet<String>,
    taken: &mut Vec<LiveRow>,
) -> Result<RecordBatch> {
    let wanted = holds(batch, column, values)?;
    taken.extend(live_rows(&filter_record_batch(batch, &wanted)?)?);
    Ok(filter_record_batch(batch, &not(&wanted)?)?)
}

/// Rows of a system table as JSON objects, without those of their values that are missing.
///
/// # Errors
/// Internal.
pub fn live_rows(batch: &RecordBatch) -> Result<Vec<LiveRow>> {
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
