//! A publication: changes to many tables, prepared beside the last release, visible all at once.
//!
//! Files are written and tables committed first; the release's manifest is created last. A crash
//! before that leaves garbage and commits that no release names; the next writer starts again
//! from the release, whatever the logs say beyond it.

mod amendments;
mod arrivals;
mod change;
mod files;
mod findings;
mod noted;
mod snapshot;
mod versions;
mod working;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use chrono::{DateTime, NaiveDate, Utc};
use datafusion::prelude::SessionContext;
use futures::future::try_join_all;
use sha2::{Digest, Sha256};

pub use amendments::live_rows;
pub use arrivals::{Arrival, Keys, Outcome, RowWarning, Upserted};
pub use change::{DatasetChange, Savepoint};
use noted::Noted;
pub use noted::system_rows;
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

    /// The rows as they would be published now, for look-ups and for deriving further tables.
    ///
    /// # Errors
    /// Storage, Corrupt.
    pub async fn session(&self, limits: &crate::session::Limits) -> Result<SessionContext> {
        let session = crate::session::build(limits, Some(self.writer.warehouse.store()))?;
        self.preview().await?.register(&session)?;
        Ok(session)
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
        let written_ms = begun.elapsed().as_millis();
        let at_ms = self.manifest.published_at.timestamp_millis();
        // Side by side: most of it is waiting for the disk.
        let changed = self.tables.iter_mut().filter(|(_, table)| table.changed());
        let committed = try_join_all(changed.map(|(name, table)| async move {
            table.fold_small_files().await?;
            let version = table.commit(at_ms).await?;
            Ok::<_, Error>((name, version))
        }));
        for (name, version) in committed.await? {
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
