//! A publication: changes to many tables, prepared beside the last release, visible all at once.
//!
//! Files are written and tables committed first; the release's manifest is created last. A crash
//! before that leaves garbage and commits that no release names; the next writer starts again
//! from the release, whatever the logs say beyond it.

mod amendments;
mod arrivals;
mod files;
mod findings;
mod snapshot;
mod versions;
mod working;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use chrono::{DateTime, NaiveDate, Utc};
use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::json::ReaderBuilder;
use datafusion::prelude::SessionContext;
use sha2::{Digest, Sha256};

pub use arrivals::{Arrival, Outcome, RowWarning, Upserted};
pub use snapshot::{Absence, Snapshot};
use working::WorkingTable;

use crate::contract;
use crate::error::{Error, ErrorKind, Result};
use crate::live::LiveRow;
use crate::release::{Manifest, Release, release_tables};
use crate::table::{DataFile, TableKind, TableName, TableVersion};
use crate::warehouse::{Lease, Warehouse};

/// The one writer of a warehouse.
#[derive(Debug)]
pub struct Writer {
    warehouse: Arc<Warehouse>,
    _lease: Lease,
    /// Where each log ends, as this writer, the only one, left it.
    heads: Mutex<HashMap<TableName, Head>>,
}

/// The newest version in a table's log, with its files.
#[derive(Debug, Clone)]
struct Head {
    version: u64,
    files: Arc<Vec<DataFile>>,
}

impl Writer {
    pub(crate) fn new(warehouse: Arc<Warehouse>, lease: Lease) -> Self {
        Self { warehouse, _lease: lease, heads: Mutex::default() }
    }

    /// The warehouse it writes.
    pub fn warehouse(&self) -> &Arc<Warehouse> {
        &self.warehouse
    }

    fn head(&self, table: &TableName) -> Option<Head> {
        self.heads.lock().unwrap_or_else(PoisonError::into_inner).get(table).cloned()
    }

    fn remember_head(&self, table: &TableName, head: Head) {
        self.heads.lock().unwrap_or_else(PoisonError::into_inner).insert(table.clone(), head);
    }

    /// Starts the next release over the last one.
    ///
    /// `at` is the instant of publication and `day` its observation day.
    ///
    /// # Errors
    /// Storage, Corrupt.
    pub async fn begin(&self, at: DateTime<Utc>, day: NaiveDate) -> Result<Publication<'_>> {
        let last = self.warehouse.latest().await?;
        let manifest = match &last {
            Some(release) => Manifest {
                release: release.number() + 1,
                published_at: at,
                day,
                batches: Vec::new(),
                ..release.manifest().clone()
            },
            None => Manifest { published_at: at, ..Manifest::first(day) },
        };
        Ok(Publication {
            writer: self,
            last,
            manifest,
            tables: BTreeMap::new(),
            touched: HashSet::new(),
            noted: BTreeMap::new(),
            replayed: BTreeMap::new(),
        })
    }
}

/// The next release while it is being prepared.
pub struct Publication<'w> {
    writer: &'w Writer,
    last: Option<Arc<Release>>,
    manifest: Manifest,
    tables: BTreeMap<TableName, WorkingTable>,
    /// Datasets whose current rows changed.
    touched: HashSet<String>,
    /// Rows for system tables, written as one file a table when the release is published.
    noted: BTreeMap<String, Vec<LiveRow>>,
    /// Records of batches of earlier releases that this one loads.
    replayed: BTreeMap<String, BTreeSet<i64>>,
}

/// A state to return to, where a batch turns out to be held whole.
pub struct Savepoint {
    files: BTreeMap<TableName, Vec<DataFile>>,
    touched: HashSet<String>,
}

impl Publication<'_> {
    /// Number the release will have.
    pub fn release_number(&self) -> u64 {
        self.manifest.release
    }

    /// The release it builds on.
    pub fn last(&self) -> Option<&Arc<Release>> {
        self.last.as_ref()
    }

    /// Notes a batch as part of the release.
    pub fn note_batch(&mut self, batch_id: &str) {
        self.manifest.batches.push(batch_id.to_owned());
    }

    /// Where a feed's incremental source stands after this release.
    pub fn set_cursor(&mut self, feed_id: &str, cursor: String) {
        self.manifest.cursors.insert(feed_id.to_owned(), cursor);
    }

    /// Appends rows to a system table of the release.
    pub fn append_system(&mut self, table: &str, rows: Vec<LiveRow>) {
        self.noted.entry(table.to_owned()).or_default().extend(rows);
    }

    /// Replaces all rows of a system table of the release.
    ///
    /// # Errors
    /// Storage.
    pub async fn replace_system(&mut self, table: &str, rows: Vec<LiveRow>) -> Result<()> {
        self.working(&TableName::new(TableKind::System, table)).await?.files.clear();
        self.noted.insert(table.to_owned(), rows);
        Ok(())
    }

    /// Writes the rows noted for system tables, one file a table.
    async fn write_noted(&mut self) -> Result<()> {
        for (table, rows) in std::mem::take(&mut self.noted) {
            if rows.is_empty() {
                continue;
            }
            let contract = contract::builtin()
                .system_table(&table)
                .ok_or_else(|| Error::new(ErrorKind::Internal, format!("no system table {table}")))?;
            let schema = contract.table_schema();
            let mut decoder = ReaderBuilder::new(Arc::clone(&schema)).with_batch_size(rows.len()).build_decoder()?;
            for row in &rows {
                // As text: numbers are kept exactly, which the decoder's own serialiser does not know.
                decoder.decode(serde_json::to_string(row)?.as_bytes())?;
            }
            let batch = decoder.flush()?.unwrap_or_else(|| RecordBatch::new_empty(schema));
            self.append(TableName::new(TableKind::System, table), &[batch]).await?;
        }
        Ok(())
    }

    /// The rows as they would be published now, for look-ups and for deriving further tables.
    ///
    /// # Errors
    /// Storage, Corrupt.
    pub async fn session(&self, limits: &crate::session::Limits) -> Result<SessionContext> {
        let session = crate::session::build(limits, Some(self.writer.warehouse.store()))?;
        self.preview().await?.register(&session)?;
        Ok(session)
    }

    /// Remembers the state before a batch.
    pub fn savepoint(&self) -> Savepoint {
        Savepoint {
            files: self.tables.iter().map(|(name, table)| (name.clone(), table.files.clone())).collect(),
            touched: self.touched.clone(),
        }
    }

    /// Forgets everything since a savepoint; files written since are garbage.
    pub fn restore(&mut self, savepoint: Savepoint) {
        for (name, table) in &mut self.tables {
            match savepoint.files.get(name) {
                Some(files) => table.files.clone_from(files),
                None => table.files.clone_from(&table.released),
            }
        }
        self.touched = savepoint.touched;
    }

    /// Whether anything would change.
    pub fn is_empty(&self) -> bool {
        self.tables.values().all(|table| !table.changed()) && self.manifest.batches.is_empty() && self.noted.is_empty()
    }

    /// Commits every changed table, then creates the manifest: the release is there, whole.
    ///
    /// # Errors
    /// Storage, Busy. The last release stands.
    pub async fn publish(mut self) -> Result<Arc<Release>> {
        let begun = Instant::now();
        self.settle_findings().await?;
        let settled_ms = begun.elapsed().as_millis();
        self.note_release()?;
        self.write_noted().await?;
        self.fold_small_files().await?;
        let written_ms = begun.elapsed().as_millis();
        let at_ms = self.manifest.published_at.timestamp_millis();
        for (name, table) in &mut self.tables {
            if !table.changed() {
                continue;
            }
            let version = table.commit(at_ms).await?;
            self.manifest.tables.insert(name.path(), version.version);
            let head = Head { version: version.version, files: Arc::clone(&version.files) };
            self.writer.remember_head(name, head);
            self.writer.warehouse.remember_version(&version);
        }
        self.manifest.contracts = contracts_digest();
        self.manifest.create(self.writer.warehouse.store()).await?;
        let number = self.manifest.release;
        let duration_ms = begun.elapsed().as_millis();
        tracing::debug!(release = number, settled_ms, written_ms, duration_ms, "published");
        self.writer
            .warehouse
            .release(number)
            .await?
            .ok_or_else(|| Error::new(ErrorKind::Internal, format!("release {number} vanished after publishing")))
    }

    fn note_release(&mut self) -> Result<()> {
        let manifest = &self.manifest;
        let row = serde_json::json!({
            "release": manifest.release,
            "published_at": manifest.published_at.to_rfc3339(),
            "day": manifest.day.to_string(),
            "batches": manifest.batches.len(),
            "tables": serde_json::to_string(&manifest.tables)?,
        });
        if let serde_json::Value::Object(row) = row {
            self.append_system("release", vec![row]);
        }
        Ok(())
    }

    /// The release as it would be, for reading only.
    async fn preview(&self) -> Result<Release> {
        let mut versions: Vec<TableVersion> = self.tables.values().map(WorkingTable::preview).collect();
        for (name, _) in release_tables(contract::builtin()) {
            if let Some(version) = self.manifest.tables.get(&name.path())
                && !self.tables.contains_key(&name)
            {
                versions.push(self.writer.warehouse.table_version(name, *version).await?);
            }
        }
        Release::new(self.writer.warehouse.store(), self.manifest.clone(), versions)
    }
}

/// SHA-256 over the contracts inside this binary: which checks a release was made under.
fn contracts_digest() -> String {
    let mut digest = Sha256::new();
    for (name, text) in crate::embedded::TABLES.iter().chain(crate::embedded::SYSTEM) {
        digest.update(name.as_bytes());
        digest.update([0]);
        digest.update(text.as_bytes());
        digest.update([0]);
    }
    digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}
