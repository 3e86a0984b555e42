//! A publication: changes to many tables, prepared beside the last release, visible all at once.
//!
//! Files are written and tables committed first; the release's manifest is created last. A crash
//! before that leaves garbage and commits that no release names; the next writer starts again
//! from the release, whatever the logs say beyond it.

mod amendments;
mod arrivals;
mod change;
mod cleared;
mod files;
mod findings;
mod noted;
mod references;
mod snapshot;
mod values;
mod versions;
mod wanted;
mod working;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use chrono::{DateTime, NaiveDate, Utc};
use datafusion::arrow::array::RecordBatch;
use datafusion::prelude::SessionContext;
use futures::future::join_all;
use sha2::{Digest, Sha256};

pub use amendments::live_rows;
pub use arrivals::{Arrival, Keys, Outcome, RowWarning, Upserted};
pub use change::{DatasetChange, Savepoint, Written};
pub(crate) use files::count_rows;
use noted::Noted;
pub use noted::system_rows;
pub use snapshot::{Absence, Snapshot};
pub use values::MonthValues;
use working::WorkingTable;

use crate::contract;
use crate::error::{Error, ErrorKind, Result};
use crate::live::LiveRow;
use crate::metric_values;
use crate::release::{Manifest, Release, release_tables};
use crate::table::{DataFile, TableKind, TableName, TableVersion};
use crate::warehouse::{Lease, Warehouse};

/// System tables that a batch may have very many rows for.
const BOOKS: [&str; 2] = ["finding", "quarantine"];
/// Rows of a system table that wait in memory to be written as one file.
const NOTED_ROWS: usize = 64 * 1024;

/// The one writer of a warehouse.
#[derive(Debug)]
pub struct Writer {
    warehouse: Arc<Warehouse>,
    lease: Lease,
    /// A release was published since a lease was taken over from a holder that may still write.
    fenced: std::sync::atomic::AtomicBool,
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
        let fenced = std::sync::atomic::AtomicBool::new(!lease.is_taken_over());
        Self { warehouse, lease, fenced, heads: Mutex::default() }
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

    /// As a process that stands still: its lease shows no sign of life any more.
    #[cfg(test)]
    pub(crate) fn stand_still(&self) {
        self.lease.stand_still();
    }

    /// Makes sure that a writer whose lease was taken over can publish nothing any more: the number that it
    /// would give to its release is taken. `false` where nothing is published yet, so that there is none.
    pub(crate) async fn fence_off(&self, at: DateTime<Utc>) -> Result<bool> {
        if self.fenced.load(std::sync::atomic::Ordering::Relaxed) {
            return Ok(true);
        }
        let Some(last) = self.warehouse.latest().await? else { return Ok(false) };
        self.begin(at, last.day()).await?.publish().await?;
        Ok(true)
    }

    /// Looks at the logs again before the next commit: a publication that failed may have written some.
    fn forget_heads(&self) {
        self.heads.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Starts the next release over the last one.
    ///
    /// `at` is the instant of publication and `day` its observation day.
    ///
    /// # Errors
    /// Storage, Corrupt.
    pub async fn begin(&self, at: DateTime<Utc>, day: NaiveDate) -> Result<Publication<'_>> {
        let last = self.warehouse.latest().await?;
        let mut manifest = match &last {
            Some(release) => Manifest {
                release: release.number() + 1,
                // A clock that was set back does not make a release known before the one it follows.
                published_at: at.max(release.published_at()),
                day,
                batches: Vec::new(),
                ..release.manifest().clone()
            },
            None => Manifest { published_at: at, ..Manifest::first(day) },
        };
        if let Some(sheet) = self.warehouse.metric_values().newest().await? {
            manifest.tables.insert(metric_values::table().path(), sheet.version);
        }
        Ok(Publication {
            writer: self,
            last,
            manifest,
            tables: BTreeMap::new(),
            touched: HashSet::new(),
            noted: Noted::default(),
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
    noted: Noted,
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

    /// Appends rows to a system table of the release.
    pub fn append_system(&mut self, table: &str, rows: Vec<LiveRow>) {
        self.noted.add(table, rows);
    }

    /// Replaces all rows of a system table of the release.
    ///
    /// # Errors
    /// Storage.
    pub async fn replace_system(&mut self, table: &str, rows: Vec<LiveRow>) -> Result<()> {
        self.working(&TableName::new(TableKind::System, table)).await?.files.clear();
        self.noted.replace(table, rows);
        Ok(())
    }

    /// Writes the rows noted for system tables, one file a table.
    async fn write_noted(&mut self) -> Result<()> {
        for table in self.noted.tables() {
            self.write_noted_of(&table).await?;
        }
        Ok(())
    }

    async fn write_noted_of(&mut self, table: &str) -> Result<()> {
        let batches = self.noted.take(table)?;
        if !batches.is_empty() {
            self.working(&TableName::new(TableKind::System, table)).await?.append(batches).await?;
        }
        Ok(())
    }

    /// Notes rows for a system table; many are written before all have come, so that they do not fill
    /// the memory.
    async fn note_rows(&mut self, table: &str, rows: RecordBatch) -> Result<()> {
        self.noted.add_batch(table, rows);
        if self.noted.waiting(table) >= NOTED_ROWS { self.write_noted_of(table).await } else { Ok(()) }
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

    /// Puts the small files of a table together.
    pub(crate) async fn compact(&mut self, name: &TableName) -> Result<()> {
        self.working(name).await?.compact().await
    }

    /// Number of files of a table that compaction would put together with others.
    pub(crate) async fn unfilled(&mut self, name: &TableName) -> Result<usize> {
        Ok(self.working(name).await?.unfilled())
    }

    /// Number of files of a table as it stands.
    pub(crate) async fn file_count(&mut self, name: &TableName) -> Result<usize> {
        Ok(self.working(name).await?.files.len())
    }

    /// Commits every changed table, then creates the manifest: the release is there, whole.
    ///
    /// # Errors
    /// Storage, Busy. The last release stands.
    pub async fn publish(mut self) -> Result<Arc<Release>> {
        let begun = Instant::now();
        // A commit by a writer that lost its lease would be in the way of the one that has it.
        self.writer.lease.confirm().await?;
        self.settle_findings().await?;
        let settled_ms = begun.elapsed().as_millis();
        self.note_release()?;
        self.write_noted().await?;
        let written_ms = begun.elapsed().as_millis();
        let at_ms = self.manifest.published_at.timestamp_millis();
        // Side by side: most of it is waiting for the disk.
        let changed = self.tables.iter_mut().filter(|(_, table)| table.changed());
        let commits = changed.map(|(name, table)| async move {
            table.fold_small_files().await?;
            let version = table.commit(at_ms).await?;
            Ok::<_, Error>((name, version))
        });
        // All are waited for: a commit that goes on behind a failed publication would meet the next one.
        let committed: Result<Vec<_>> = join_all(commits).await.into_iter().collect();
        for (name, version) in committed.inspect_err(|_| self.writer.forget_heads())? {
            self.manifest.tables.insert(name.path(), version.version);
            let head = Head { version: version.version, files: Arc::clone(&version.files) };
            self.writer.remember_head(name, head);
            self.writer.warehouse.remember_version(&version);
        }
        self.manifest.contracts = contracts_digest();
        self.writer.lease.confirm().await?;
        let created = self.manifest.create(self.writer.warehouse.store()).await;
        created.inspect_err(|_| self.writer.forget_heads())?;
        self.writer.fenced.store(true, std::sync::atomic::Ordering::Relaxed);
        let number = self.manifest.release;
        let duration_ms = begun.elapsed().as_millis();
        tracing::debug!(release = number, settled_ms, written_ms, duration_ms, "published");
        self.writer
            .warehouse
            .open_release(number)
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
        let warehouse = &self.writer.warehouse;
        Release::new(warehouse.store(), self.manifest.clone(), versions, warehouse.reading())
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
