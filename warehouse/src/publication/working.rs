//! A table while it is being changed.

use std::collections::HashSet;
use std::sync::Arc;

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::SchemaRef;

use super::files::{self, Layout, NewFile};
use super::{Head, Publication, Writer};
use crate::contract;
use crate::error::{Error, ErrorKind, Result};
use crate::metric_values;
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
    /// Number of the writer's lease, where names of files must carry it.
    fence: Option<u64>,
}

impl WorkingTable {
    pub(super) fn changed(&self) -> bool {
        self.files != self.released
    }

    /// A place for the next data file; its name begins with the number of the commit that will add it.
    pub(super) fn new_file(&mut self) -> NewFile {
        self.parts += 1;
        self.file_at(self.parts - 1)
    }

    /// A place of its own for somebody who writes files while others change the table.
    pub(super) fn aside(&mut self) -> Aside {
        let first = self.parts.next_multiple_of(PARTS_ASIDE);
        self.parts = first + PARTS_ASIDE;
        Aside { file: self.file_at(first), version: self.next_version(), part: first, fence: self.fence }
    }

    fn file_at(&self, part: u32) -> NewFile {
        NewFile {
            store: self.store.clone(),
            table: self.name.clone(),
            path: path(self.next_version(), part, self.fence),
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
        let (small, others): (Vec<DataFile>, Vec<DataFile>) =
            self.files.iter().cloned().partition(|file| file.rows < SMALL_ROWS && !holds_deletions(file));
        if small.len() <= SMALL_FILES {
            return Ok(());
        }
        let folded = self.folded(&small).await?;
        self.files = others;
        self.files.push(folded);
        Ok(())
    }

    /// Puts neighbouring files that are far from full together, in files of up to [`FULL_ROWS`] rows, one
    /// after the other so that the memory stays that of one file.
    pub(super) async fn compact(&mut self) -> Result<()> {
        let mut compacted = Vec::with_capacity(self.files.len());
        let (deletions, others): (Vec<DataFile>, Vec<DataFile>) = self.files.iter().cloned().partition(holds_deletions);
        for files in [others, deletions] {
            let mut together: Vec<DataFile> = Vec::new();
            for file in files {
                if !is_unfilled(&file) {
                    compacted.push(file);
                    continue;
                }
                if together.iter().map(|file| file.rows).sum::<u64>() + file.rows > FULL_ROWS {
                    compacted.extend(self.one_of(std::mem::take(&mut together)).await?);
                }
                together.push(file);
            }
            compacted.extend(self.one_of(together).await?);
        }
        // Nothing but order changes where every file stayed alone.
        if compacted.len() < self.files.len() {
            self.files = compacted;
        }
        Ok(())
    }

    /// Number of files that are far from full.
    pub(super) fn unfilled(&self) -> usize {
        self.files.iter().filter(|file| is_unfilled(file)).count()
    }

    /// One file in the place of several; one alone stays as it is.
    async fn one_of(&mut self, files: Vec<DataFile>) -> Result<Option<DataFile>> {
        match files.len() {
            0 | 1 => Ok(files.into_iter().next()),
            _ => Ok(Some(self.folded(&files).await?)),
        }
    }

    /// The rows of several files in a new one.
    async fn folded(&mut self, files: &[DataFile]) -> Result<DataFile> {
        let mut batches = Vec::new();
        for file in files {
            for batch in files::read(&self.store, &self.name, file, None).await? {
                batches.push(files::conform(&batch?, &self.schema)?);
            }
        }
        self.new_file().write(batches).await
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

/// Where somebody writes files of a table that others change meanwhile.
pub(super) struct Aside {
    file: NewFile,
    version: u64,
    part: u32,
    fence: Option<u64>,
}

impl Aside {
    /// A place for the next file.
    pub(super) fn new_file(&mut self) -> NewFile {
        let file = NewFile { path: path(self.version, self.part, self.fence), ..self.file.clone() };
        self.part += 1;
        file
    }
}

fn path(version: u64, part: u32, fence: Option<u64>) -> String {
    match fence {
        Some(fence) => format!("{version:010}-{part:04}-{fence}.parquet"),
        None => format!("{version:010}-{part:04}.parquet"),
    }
}

impl Writer {
    /// Opens a table at a release; none: as if it had no rows.
    async fn open(&self, name: &TableName, released: Option<u64>) -> Result<WorkingTable> {
        let warehouse = &self.warehouse;
        let schema = release_tables(contract::builtin())
            .into_iter()
            .find(|(candidate, _)| candidate == name)
            .map(|(_, schema)| schema)
            .ok_or_else(|| Error::new(ErrorKind::Internal, format!("no contract for {}", name.path())))?;
        let log = TableLog::new(warehouse.store(), name.clone())?;
        let files = match released {
            Some(version) => warehouse.table_version(name.clone(), version).await?.files.to_vec(),
            None => Vec::new(),
        };
        let head = if let Some(known) = self.head(name) {
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
            fence: self.lease.fence(),
        })
    }

    /// Sets right a log that says something else than the newest release, or the sheet that follows it;
    /// whether it did.
    pub(crate) async fn settle_log(&self, name: &TableName) -> Result<bool> {
        let latest = self.warehouse.latest().await?;
        let named = latest.as_ref().and_then(|release| release.manifest().tables.get(&name.path()).copied());
        // What follows a release stands in the log beyond the version that the release names.
        let following = match *name == metric_values::table() {
            true => self.warehouse.metric_values().newest().await?,
            false => None,
        };
        let released = following.map(|sheet| sheet.version).or(named);
        let mut table = self.open(name, released).await?;
        let paths = |files: &[DataFile]| files.iter().map(|file| file.path.clone()).collect::<HashSet<_>>();
        let ahead = table.head.as_ref().is_some_and(|(_, files)| paths(files) != paths(&table.files));
        if ahead {
            let at_ms = latest.map_or(0, |release| release.published_at().timestamp_millis());
            let version = table.commit(at_ms).await?;
            self.remember_head(name, Head { version: version.version, files: version.files });
        }
        Ok(ahead)
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
        self.writer.open(name, self.manifest.tables.get(&name.path()).copied()).await
    }
}

/// Files of deletions stay apart: their statistics tell them (decision 0003).
fn holds_deletions(file: &DataFile) -> bool {
    files::text_bounds(file, crate::release::VERSION_STATE) == Some(("deleted", "deleted"))
}

/// Whether compaction puts a file together with others.
fn is_unfilled(file: &DataFile) -> bool {
    file.rows < FULL_ROWS / 2
}

/// What compaction puts into one file at most.
const FULL_ROWS: u64 = 512 * 1024;
/// Files that one place aside has numbers for.
const PARTS_ASIDE: u32 = 10_000;
/// A file with fewer rows than this is small.
const SMALL_ROWS: u64 = 32 * 1024;
/// More small files than this are folded together.
const SMALL_FILES: usize = 8;
