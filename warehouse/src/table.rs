//! Delta tables: the only place that knows the table format.
//!
//! A table's version is a list of Parquet files. We write the files and commit add and remove actions; there
//! is one writer, so a commit never has to be rebased. Entries go only with the releases that need them.

mod replay;
mod trim;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use datafusion::arrow::datatypes::SchemaRef;
use datafusion::object_store::prefix::PrefixStore;
use deltalake_core::kernel::engine::arrow_conversion::TryIntoKernel;
use deltalake_core::kernel::transaction::CommitData;
use deltalake_core::kernel::{Action, Add, EagerSnapshot, Remove, StructType, Version};
use deltalake_core::logstore::{CommitOrBytes, LogStoreRef, StorageConfig, default_logstore};
use deltalake_core::operations::create::CreateBuilder;
use deltalake_core::protocol::{DeltaOperation, SaveMode};
use deltalake_core::{DeltaTable, Path, checkpoints};
use serde::{Deserialize, Serialize};

use crate::error::{Error, ErrorKind, Result};
use crate::metric_values::METRIC_VALUE;
use crate::store::Store;

/// A checkpoint is written every so many commits, so that opening a table stays quick.
const COMMITS_PER_CHECKPOINT: Version = 20;

/// The kind of a table, which is its folder and its schema in SQL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TableKind {
    /// Current rows of a dataset: schema `public`, folder `tables`.
    Data,
    /// Replaced and superseded versions: schema `history`, folder `history`.
    History,
    /// The warehouse's own books: schema `system`, folder `system`.
    System,
}

/// Which table.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TableName {
    /// Its kind.
    pub kind: TableKind,
    /// The dataset or system table.
    pub name: String,
}

impl TableName {
    /// A table by kind and name.
    pub fn new(kind: TableKind, name: impl Into<String>) -> Self {
        Self { kind, name: name.into() }
    }

    /// `tables/policy`: its folder below the warehouse, and its name in manifests.
    pub fn path(&self) -> String {
        let folder = match self.kind {
            TableKind::Data => "tables",
            TableKind::History => "history",
            TableKind::System => "system",
        };
        format!("{folder}/{}", self.name)
    }

    /// Reads what [`TableName::path`] wrote.
    pub fn parse(path: &str) -> Option<Self> {
        let (folder, name) = path.split_once('/')?;
        let kind = match folder {
            "tables" => TableKind::Data,
            "history" => TableKind::History,
            "system" => TableKind::System,
            _ => return None,
        };
        Some(Self::new(kind, name))
    }

    /// The schema in SQL.
    pub fn sql_schema(&self) -> &'static str {
        match self.kind {
            TableKind::Data => "public",
            TableKind::History => "history",
            // Beside the datasets, where tools that know nothing of ours look.
            TableKind::System if self.name == METRIC_VALUE => "public",
            TableKind::System => "system",
        }
    }
}

/// One Parquet file of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataFile {
    /// Name below the table's folder.
    pub path: String,
    /// Size in bytes.
    pub size: u64,
    /// Number of rows.
    pub rows: u64,
    /// Statistics as the table format writes them.
    pub stats: FileStats,
}

impl DataFile {
    /// As a log says it.
    fn logged(path: String, size: i64, stats: Option<&str>) -> Result<Self> {
        let stats: FileStats = match stats {
            Some(text) => serde_json::from_str(text)?,
            None => FileStats::default(),
        };
        Ok(Self { path, size: u64::try_from(size).unwrap_or_default(), rows: stats.num_records, stats })
    }
}

/// Statistics of a file: rows, and the smallest and largest value of the columns used for pruning.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FileStats {
    /// Number of rows.
    pub num_records: u64,
    /// Smallest values, text columns only.
    #[serde(default)]
    pub min_values: BTreeMap<String, String>,
    /// Largest values, text columns only.
    #[serde(default)]
    pub max_values: BTreeMap<String, String>,
    /// Number of nulls.
    #[serde(default)]
    pub null_count: BTreeMap<String, i64>,
}

impl FileStats {
    /// Adds those of more rows of the same columns.
    pub(crate) fn absorb(&mut self, more: Self) {
        self.num_records += more.num_records;
        for (column, count) in more.null_count {
            *self.null_count.entry(column).or_default() += count;
        }
        for (bounds, more, beyond) in [
            (&mut self.min_values, more.min_values, (|new, old| new < old) as fn(&str, &str) -> bool),
            (&mut self.max_values, more.max_values, |new, old| new > old),
        ] {
            for (column, bound) in more {
                match bounds.get(&column) {
                    // An empty bound says that none is known.
                    Some(known) if known.is_empty() || !(bound.is_empty() || beyond(&bound, known)) => {}
                    _ => drop(bounds.insert(column, bound)),
                }
            }
        }
    }
}

/// A table at one version: what a release names.
#[derive(Debug, Clone)]
pub struct TableVersion {
    /// Which table.
    pub name: TableName,
    /// Version in its log.
    pub version: Version,
    /// Its files, in the order they were added.
    pub files: Arc<Vec<DataFile>>,
}

impl TableVersion {
    /// Number of rows.
    pub fn rows(&self) -> u64 {
        self.files.iter().map(|file| file.rows).sum()
    }
}

/// The log of one table, for reading any version and for committing the next.
#[derive(Clone)]
pub struct TableLog {
    name: TableName,
    log: LogStoreRef,
}

impl TableLog {
    /// The log of a table; nothing is read or created yet.
    pub fn new(store: &Store, name: TableName) -> Result<Self> {
        let location = store.url(&name.path())?;
        let folder = Path::from_url_path(location.path())
            .map_err(|error| Error::caused(ErrorKind::Internal, "a table's folder has no path", error))?;
        let inside = Arc::new(PrefixStore::new(Arc::clone(store.root()), folder));
        let log = default_logstore(inside, Arc::clone(store.root()), &location, &StorageConfig::default());
        Ok(Self { name, log })
    }

    /// Reads one version.
    ///
    /// # Errors
    /// Storage, or Corrupt where the log says what it must not.
    pub async fn read(&self, version: Version) -> Result<TableVersion> {
        let snapshot = EagerSnapshot::try_new(self.log.as_ref(), Some(version)).await?;
        let mut files = Vec::with_capacity(snapshot.log_data().num_files());
        for view in snapshot.log_data().iter() {
            files.push(DataFile::logged(view.path().into_owned(), view.size(), view.stats().as_deref())?);
        }
        // Names begin with the number of the commit that added them: this is the order of adding.
        files.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(TableVersion { name: self.name.clone(), version, files: Arc::new(files) })
    }

    /// The newest version in the log, from a version known to exist.
    pub async fn newest(&self, from: Version) -> Result<Version> {
        Ok(self.log.get_latest_version(from).await?)
    }

    /// Whether the table was ever created.
    pub async fn exists(&self) -> Result<bool> {
        Ok(self.log.is_delta_table_location().await?)
    }

    /// Creates the table as version 0: no files, and no clean-up of the log but ours.
    pub async fn create(&self, schema: &SchemaRef) -> Result<()> {
        let kernel: StructType = schema
            .as_ref()
            .try_into_kernel()
            .map_err(|error| Error::caused(ErrorKind::Internal, "a schema has no Delta form", error))?;
        CreateBuilder::new()
            .with_log_store(Arc::clone(&self.log))
            .with_table_name(self.name.path())
            .with_columns(kernel.fields().cloned())
            .with_configuration([
                ("delta.enableExpiredLogCleanup".to_owned(), Some("false".to_owned())),
                ("delta.checkpointInterval".to_owned(), Some(COMMITS_PER_CHECKPOINT.to_string())),
            ])
            .await?;
        Ok(())
    }

    /// Commits `version`, turning the files at the head of the log into `files`.
    ///
    /// # Errors
    /// Busy, where somebody else wrote that version: there must be one writer.
    pub async fn commit(&self, version: Version, head: &[DataFile], files: &[DataFile], at_ms: i64) -> Result<()> {
        let actions = changes(head, files, at_ms);
        let operation = DeltaOperation::Write { mode: SaveMode::Append, partition_by: None, predicate: None };
        let data = CommitData::new(actions, operation, HashMap::new(), Vec::new());
        let bytes = data
            .get_bytes()
            .map_err(|error| Error::caused(ErrorKind::Internal, "a commit could not be written as JSON", error))?;
        let operation_id = Default::default();
        let ours = CommitOrBytes::LogBytes(bytes.clone());
        if let Err(error) = self.log.write_commit_entry(version, ours, operation_id).await {
            // The answer to the try that wrote it may have been lost on its way, and another try was refused.
            let there = self.log.read_commit_entry(version).await.ok().flatten();
            if there.is_none() {
                let what = format!("version {version} of {} could not be written", self.name.path());
                return Err(Error::caused(ErrorKind::Storage, what, error));
            }
            if there != Some(bytes) {
                let what = format!("{} has a version {version} already: is there a second writer?", self.name.path());
                return Err(Error::caused(ErrorKind::Busy, what, error));
            }
        }
        if version > 0 && version.is_multiple_of(COMMITS_PER_CHECKPOINT) {
            self.checkpoint(version).await?;
        }
        Ok(())
    }

    /// Writes a checkpoint of a version, if it has none.
    async fn checkpoint(&self, version: Version) -> Result<()> {
        let mut table = DeltaTable::new(Arc::clone(&self.log));
        table.load_version(version).await?;
        Ok(checkpoints::create_checkpoint(&table, None).await?)
    }
}

fn changes(head: &[DataFile], files: &[DataFile], at_ms: i64) -> Vec<Action> {
    let kept: HashMap<&str, ()> = files.iter().map(|file| (file.path.as_str(), ())).collect();
    let there: HashMap<&str, ()> = head.iter().map(|file| (file.path.as_str(), ())).collect();
    let removed = head.iter().filter(|file| !kept.contains_key(file.path.as_str())).map(|file| {
        Action::Remove(Remove {
            path: file.path.clone(),
            data_change: true,
            deletion_timestamp: Some(at_ms),
            extended_file_metadata: Some(true),
            partition_values: Some(HashMap::new()),
            size: i64::try_from(file.size).ok(),
            ..Remove::default()
        })
    });
    let added = files.iter().filter(|file| !there.contains_key(file.path.as_str())).map(|file| {
        Action::Add(Add {
            path: file.path.clone(),
            size: i64::try_from(file.size).unwrap_or(i64::MAX),
            modification_time: at_ms,
            data_change: true,
            stats: serde_json::to_string(&file.stats).ok(),
            ..Add::default()
        })
    });
    removed.chain(added).collect()
}
