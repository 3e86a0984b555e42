//! A table while it is being changed.

use std::collections::HashSet;
use std::sync::Arc;

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::SchemaRef;

use super::Publication;
use super::files::{self, Layout, NewFile};
use crate::contract;
use crate::error::{Error, ErrorKind, Result};
use crate::release::release_tables;
use crate::store::Store;
use crate::table::{DataFile, TableLog, TableName, TableVersion};

/// One table between two releases.
pub(super) struct WorkingTable {
    pub(super) name: TableName,
    pub(super) schema: SchemaRef,
    pub(super) store: Store,
    pub(super) layout: Layout,
    log: TableLog,
    /// Newest version in the log, with its files; beyond the release's after a crash.
    head: Option<(u64, Vec<DataFile>)>,
    /// The files of the last release.
    pub(super) released: Vec<DataFile>,
    /// The files of the release being prepared.
    pub(super) files: Vec<DataFile>,
    /// Files of rows that this publication brought; some may have been dropped again.
    fresh: HashSet<String>,
    parts: u32,
}

impl WorkingTable {
    pub(super) fn changed(&self) -> bool {
        self.files != self.released
    }

    /// A place for the next data file; its name begins with the number of the commit that will add it.
    pub(super) fn new_file(&mut self) -> NewFile {
        let part = self.parts;
        self.parts += 1;
        NewFile {
            store: self.store.clone(),
            table: self.name.clone(),
            path: format!("{:010}-{part:04}.parquet", self.next_version()),
            schema: Arc::clone(&self.schema),
            layout: self.layout.clone(),
        }
    }

    fn next_version(&self) -> u64 {
        self.head.as_ref().map_or(1, |(version, _)| version + 1)
    }

    pub(super) fn preview(&self) -> TableVersion {
        TableVersion { name: self.name.clone(), version: self.next_version(), files: Arc::new(self.files.clone()) }
    }

    /// The rows that this publication brought, without the old rows of files written anew.
    pub(super) fn fresh(&self) -> TableVersion {
        let files = self.files.iter().filter(|file| self.fresh.contains(&file.path)).cloned().collect();
        TableVersion { name: self.name.clone(), version: self.next_version(), files: Arc::new(files) }
    }

    /// Appends batches as one file.
    pub(super) async fn append(&mut self, batches: Vec<RecordBatch>) -> Result<()> {
        if batches.iter().all(|batch| batch.num_rows() == 0) {
            return Ok(());
        }
        let file = self.new_file().write(batches).await?;
        self.push_fresh(file);
        Ok(())
    }

    /// Adds a file of rows that this publication brings.
    pub(super) fn push_fresh(&mut self, file: DataFile) {
        self.fresh.insert(file.path.clone());
        self.files.push(file);
    }

    /// Puts a file in the place of another one.
    pub(super) fn replace(&mut self, position: usize, file: DataFile) {
        if self.fresh.contains(&self.files[position].path) {
            self.fresh.insert(file.path.clone());
        }
        self.files[position] = file;
    }

    /// Folds small files together, so that a table that grows by a little every day does not become
    /// a table of thousands of files.
    pub(super) async fn fold_small_files(&mut self) -> Result<()> {
        let deletions =
            |file: &DataFile| files::text_bounds(file, crate::release::VERSION_STATE) == Some(("deleted", "deleted"));
        let (small, others): (Vec<DataFile>, Vec<DataFile>) =
            self.files.iter().cloned().partition(|file| file.rows < SMALL_ROWS && !deletions(file));
        if small.len() <= SMALL_FILES {
            return Ok(());
        }
        let mut batches = Vec::new();
        for file in &small {
            for batch in files::read(&self.store, &self.name, file, None).await? {
                batches.push(files::conform(&batch?, &self.schema)?);
            }
        }
        let folded = self.new_file().write(batches).await?;
        self.files = others;
        self.files.push(folded);
        Ok(())
    }

    pub(super) async fn commit(&mut self, at_ms: i64) -> Result<TableVersion> {
        if self.head.is_none() {
            self.log.create(&self.schema).await?;
            self.head = Some((0, Vec::new()));
        }
        let version = self.next_version();
        let head = self.head.take().map(|(_, files)| files).unwrap_or_default();
        self.log.commit(version, &head, &self.files, at_ms).await?;
        self.head = Some((version, self.files.clone()));
        self.released.clone_from(&self.files);
        Ok(TableVersion { name: self.name.clone(), version, files: Arc::new(self.files.clone()) })
    }
}

impl Publication<'_> {
    /// The working copy of a table, opened at the last release.
    pub(super) async fn working(&mut self, name: &TableName) -> Result<&mut WorkingTable> {
        if !self.tables.contains_key(name) {
            let table = self.open(name).await?;
            self.tables.insert(name.clone(), table);
        }
        self.tables
            .get_mut(name)
            .ok_or_else(|| Error::new(ErrorKind::Internal, format!("{} was not opened", name.path())))
    }

    /// Takes a table out, to give it back later.
    pub(super) async fn take_working(&mut self, name: &TableName) -> Result<WorkingTable> {
        match self.tables.remove(name) {
            Some(table) => Ok(table),
            None => self.open(name).await,
        }
    }

    async fn open(&self, name: &TableName) -> Result<WorkingTable> {
        let warehouse = &self.writer.warehouse;
        let schema = release_tables(contract::builtin())
            .into_iter()
            .find(|(candidate, _)| candidate == name)
            .map(|(_, schema)| schema)
            .ok_or_else(|| Error::new(ErrorKind::Internal, format!("no contract for {}", name.path())))?;
        let log = TableLog::new(warehouse.store(), name.clone())?;
        let released = self.manifest.tables.get(&name.path()).copied();
        let files = match released {
            Some(version) => warehouse.table_version(name.clone(), version).await?.files.to_vec(),
            None => Vec::new(),
        };
        let head = if let Some(known) = self.writer.head(name) {
            Some((known.version, known.files.to_vec()))
        } else if log.exists().await? {
            let newest = log.newest(released.unwrap_or(0)).await?;
            let files = if Some(newest) == released { files.clone() } else { log.read(newest).await?.files.to_vec() };
            Some((newest, files))
        } else {
            None
        };
        Ok(WorkingTable {
            layout: Layout::of(name),
            name: name.clone(),
            schema,
            store: warehouse.store().clone(),
            log,
            head,
            released: files.clone(),
            files,
            fresh: HashSet::new(),
            parts: 0,
        })
    }
}

/// A file with fewer rows than this is small.
const SMALL_ROWS: u64 = 32 * 1024;
/// More small files than this are folded together.
const SMALL_FILES: usize = 8;
