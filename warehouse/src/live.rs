//! Live tables: what cannot wait for a release, kept as append-only files beside the tables.
//!
//! Each is `live/<table>.ndjson`; a line is a row, and a later line with the same key replaces an
//! earlier one. A torn last line (a crash while appending) is not a row.

mod chained;
mod segments;

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::arrow::json::ReaderBuilder;
use datafusion::catalog::{MemTable, Session, TableProvider};
use datafusion::datasource::TableType;
use datafusion::error::DataFusionError;
use datafusion::logical_expr::Expr;
use datafusion::physical_plan::ExecutionPlan;
use serde_json::{Map, Value};

use crate::contract::Contract;
use crate::error::{Error, ErrorKind, Result};
use crate::store::{Store, Syncs};

pub use chained::{Chain, ChainedFile};
pub(crate) use segments::Segments;

/// The system tables that are live.
const LIVE: [&str; 10] = [
    "access_log",
    "alert",
    "assessment",
    "assessment_score",
    "feed",
    "lead_review",
    "maintenance",
    "run",
    "slot",
    "token",
];

/// Whether a system table is live rather than part of a release.
pub fn is_live(table: &str) -> bool {
    LIVE.contains(&table)
}

/// One row: values by column name. Dates `YYYY-MM-DD`, instants RFC 3339.
pub type LiveRow = Map<String, Value>;

/// The file behind a live table: append a row, read all.
#[derive(Debug, Clone)]
pub struct LiveFile {
    path: PathBuf,
    /// Where it lies in a bucket instead.
    segments: Option<Segments>,
    key: Vec<String>,
    syncs: Syncs,
}

impl LiveFile {
    /// The file of a live table; it need not exist yet.
    pub fn new(store: &Store, contract: &Contract) -> Self {
        let path = store.path().join("live").join(format!("{}.ndjson", contract.name));
        let (key, syncs) = (contract.key.clone(), store.syncs().clone());
        Self { path, segments: segments(store, contract), key, syncs }
    }

    /// Appends rows and syncs; each replaces the row of its key.
    ///
    /// # Errors
    /// Storage.
    pub fn append(&self, rows: &[LiveRow]) -> Result<()> {
        if let Some(segments) = &self.segments {
            return segments.append(|_| lines(rows));
        }
        if let Some(folder) = self.path.parent() {
            self.syncs.create_folders(folder)?;
        }
        let mut text = String::new();
        if self.ends_torn()? {
            text.push('\n');
        }
        text.push_str(&String::from_utf8_lossy(&lines(rows)?));
        let is_new = !self.path.exists();
        let mut file = OpenOptions::new().create(true).append(true).open(&self.path)?;
        file.write_all(text.as_bytes())?;
        self.syncs.data(&file)?;
        if is_new { Ok(self.syncs.folder_of(&self.path)?) } else { Ok(()) }
    }

    /// Replaces the whole table.
    ///
    /// # Errors
    /// Storage.
    pub fn replace(&self, rows: &[LiveRow]) -> Result<()> {
        if let Some(segments) = &self.segments {
            return segments.replace(lines(rows)?);
        }
        let unfinished = self.path.with_extension("unfinished");
        if let Some(folder) = self.path.parent() {
            self.syncs.create_folders(folder)?;
        }
        let mut file = File::create(&unfinished)?;
        file.write_all(&lines(rows)?)?;
        self.syncs.file(&file)?;
        std::fs::rename(&unfinished, &self.path)?;
        Ok(self.syncs.folder_of(&self.path)?)
    }

    /// The rows, by key: the last line of each key.
    ///
    /// # Errors
    /// Storage; Corrupt where a line other than the last does not parse.
    pub fn rows(&self) -> Result<Vec<LiveRow>> {
        let mut text = Vec::new();
        match (&self.segments, File::open(&self.path)) {
            (Some(segments), _) => text = segments.read()?,
            (None, Ok(mut file)) => {
                file.read_to_end(&mut text)?;
            }
            (None, Err(error)) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            (None, Err(error)) => return Err(error.into()),
        }
        let mut rows = BTreeMap::new();
        for line in text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            // A line that a crash tore is not a row; the append after it starts on a new line.
            let Ok(row) = serde_json::from_slice::<LiveRow>(line) else { continue };
            let key: Vec<String> =
                self.key.iter().map(|column| row.get(column).map(Value::to_string).unwrap_or_default()).collect();
            rows.insert(key, row);
        }
        Ok(rows.into_values().collect())
    }

    /// Its length in bytes: another length is another table.
    ///
    /// # Errors
    /// Storage.
    pub fn size_bytes(&self) -> Result<u64> {
        if let Some(segments) = &self.segments {
            return segments.size_bytes();
        }
        match std::fs::metadata(&self.path) {
            Ok(file) => Ok(file.len()),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(0),
            Err(error) => Err(error.into()),
        }
    }

    fn ends_torn(&self) -> Result<bool> {
        use std::io::{Seek, SeekFrom};
        let mut file = match File::open(&self.path) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(false),
            Err(error) => return Err(error.into()),
        };
        if file.metadata()?.len() == 0 {
            return Ok(false);
        }
        file.seek(SeekFrom::End(-1))?;
        let mut last = [0];
        file.read_exact(&mut last)?;
        Ok(last[0] != b'\n')
    }
}

/// Where a live table lies in a bucket, if the warehouse is in one.
fn segments(store: &Store, contract: &Contract) -> Option<Segments> {
    let bucket = store.in_bucket()?;
    Some(Segments::new(Arc::clone(bucket), format!("live/{}", contract.name)))
}

/// Rows as they are written, a line each.
fn lines(rows: &[LiveRow]) -> Result<Vec<u8>> {
    let mut text = Vec::new();
    for row in rows {
        serde_json::to_writer(&mut text, row)?;
        text.push(b'\n');
    }
    Ok(text)
}

/// The name of a file survives a power cut once its folder is synced.
fn sync_folder_of(file: &std::path::Path) -> Result<()> {
    match file.parent() {
        Some(folder) => Ok(File::open(folder)?.sync_all()?),
        None => Ok(()),
    }
}

/// A live table in SQL: read afresh at each scan.
#[derive(Debug)]
pub struct LiveTable {
    schema: SchemaRef,
    file: LiveFile,
}

impl LiveTable {
    /// The live table of a contract.
    pub fn new(store: &Store, contract: &Contract) -> Self {
        Self { schema: contract.table_schema(), file: LiveFile::new(store, contract) }
    }

    /// Its rows as one batch.
    pub fn batch(&self) -> Result<RecordBatch> {
        let rows = self.file.rows()?;
        let mut decoder = ReaderBuilder::new(Arc::clone(&self.schema)).build_decoder()?;
        for row in &rows {
            decoder.decode(serde_json::to_string(row)?.as_bytes())?;
        }
        let batch = decoder
            .flush()
            .map_err(|error| Error::caused(ErrorKind::Corrupt, "a live table does not fit its contract", error))?;
        Ok(batch.unwrap_or_else(|| RecordBatch::new_empty(Arc::clone(&self.schema))))
    }
}

#[async_trait]
impl TableProvider for LiveTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> datafusion::error::Result<Arc<dyn ExecutionPlan>> {
        let batch = self.batch().map_err(|error| DataFusionError::External(Box::new(error)))?;
        let table = MemTable::try_new(Arc::clone(&self.schema), vec![vec![batch]])?;
        table.scan(state, projection, filters, limit).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(text: &str) -> LiveRow {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn the_last_line_of_a_key_stands_and_a_torn_line_is_no_row() {
        let folder = tempfile::tempdir().unwrap();
        let file = LiveFile {
            path: folder.path().join("live/run.ndjson"),
            segments: None,
            key: vec!["run_id".into()],
            syncs: Syncs::default(),
        };
        file.append(&[row(r#"{"run_id":"a","outcome":"running"}"#)]).unwrap();
        file.append(&[row(r#"{"run_id":"a","outcome":"done"}"#)]).unwrap();
        let mut torn = OpenOptions::new().append(true).open(&file.path).unwrap();
        torn.write_all(br#"{"run_id":"b","#).unwrap();
        file.append(&[row(r#"{"run_id":"c","outcome":"done"}"#)]).unwrap();
        let rows = file.rows().unwrap();
        assert_eq!(rows.len(), 2);
        assert_eq!(rows[0]["outcome"], "done");
        assert_eq!(rows[1]["run_id"], "c");
    }
}
