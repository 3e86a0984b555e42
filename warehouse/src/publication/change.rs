//! The part of a publication that concerns one dataset. It owns the dataset's tables while they
//! change, so that several datasets can be loaded side by side.

use std::collections::BTreeMap;
use std::sync::Arc;

use datafusion::arrow::array::RecordBatch;

use super::Publication;
use super::files::Picked;
use super::noted::Noted;
use super::working::{Aside, WorkingTable};
use super::{BOOKS, NOTED_ROWS};
use crate::contract::Contract;
use crate::error::{Error, ErrorKind, Result};
use crate::live::LiveRow;
use crate::table::{DataFile, TableKind, TableName};

/// One dataset while it changes. What it does is part of the publication once it is given back.
pub struct DatasetChange {
    pub(super) contract: Arc<Contract>,
    pub(super) data: WorkingTable,
    pub(super) history: WorkingTable,
    /// Current rows that are not written yet.
    pub(super) resting: Option<Picked>,
    release: u64,
    /// Whether current rows changed.
    pub(super) touched: bool,
    noted: Noted,
    /// Where rows for the books are written that are too many to be noted.
    books: BTreeMap<&'static str, Aside>,
    written: Vec<Written>,
    batches: Vec<String>,
    /// Where the feeds' incremental sources stand so far.
    standing: BTreeMap<String, String>,
    /// Those of them that this change moves.
    moved: BTreeMap<String, String>,
}

/// Rows of a system table that were written, and belong to no table before they are kept.
#[derive(Debug)]
pub struct Written {
    table: &'static str,
    file: DataFile,
}

/// A state to return to, where a batch turns out to be held whole.
pub struct Savepoint {
    data: Vec<DataFile>,
    history: Vec<DataFile>,
    touched: bool,
}

impl DatasetChange {
    /// Contract of the dataset.
    pub fn contract(&self) -> &Arc<Contract> {
        &self.contract
    }

    /// Number the release will have.
    pub fn release_number(&self) -> u64 {
        self.release
    }

    /// Notes a batch as part of the release.
    pub fn note_batch(&mut self, batch_id: &str) {
        self.batches.push(batch_id.to_owned());
    }

    /// Appends rows to a system table of the release.
    pub fn append_system(&mut self, table: &str, rows: Vec<LiveRow>) {
        self.noted.add(table, rows);
    }

    /// Appends rows in columns, as [`super::system_rows`] gives them.
    pub fn append_system_batch(&mut self, table: &str, rows: RecordBatch) {
        self.noted.add_batch(table, rows);
    }

    /// The same for many rows, which are written before all have come.
    ///
    /// # Errors
    /// Storage.
    pub async fn note_rows(&mut self, table: &'static str, rows: RecordBatch) -> Result<()> {
        self.noted.add_batch(table, rows);
        if self.noted.waiting(table) >= NOTED_ROWS {
            let rows = self.noted.take(table)?;
            let written = self.write_aside(table, rows).await?;
            self.keep(written);
        }
        Ok(())
    }

    /// Writes rows for a system table that are a part of the release only once they are kept.
    ///
    /// # Errors
    /// Storage; Internal, where the table has no place for it.
    pub async fn write_aside(&mut self, table: &'static str, rows: Vec<RecordBatch>) -> Result<Written> {
        let aside = self.books.get_mut(table);
        let aside =
            aside.ok_or_else(|| Error::new(ErrorKind::Internal, format!("nothing is written aside for {table}")))?;
        Ok(Written { table, file: aside.new_file().write(rows).await? })
    }

    /// Makes rows that were written aside part of the release.
    pub fn keep(&mut self, written: Written) {
        self.written.push(written);
    }

    /// Where a feed's incremental source stands so far.
    pub fn cursor(&self, feed_id: &str) -> Option<&str> {
        self.moved.get(feed_id).or_else(|| self.standing.get(feed_id)).map(String::as_str)
    }

    /// Where a feed's incremental source stands after this release.
    pub fn set_cursor(&mut self, feed_id: &str, cursor: String) {
        self.moved.insert(feed_id.to_owned(), cursor);
    }

    /// Remembers the state before a batch.
    pub fn savepoint(&self) -> Savepoint {
        self.assert_all_written();
        Savepoint { data: self.data.files.clone(), history: self.history.files.clone(), touched: self.touched }
    }

    /// Forgets everything since a savepoint; files written since are garbage.
    pub fn restore(&mut self, savepoint: Savepoint) {
        self.data.files = savepoint.data;
        self.history.files = savepoint.history;
        self.touched = savepoint.touched;
        self.resting = None;
    }

    /// What rests belongs to a batch of which more was said to follow.
    pub(super) fn assert_all_written(&self) {
        assert!(self.resting.is_none(), "{}: a batch was left before its last part", self.contract.name);
    }
}

impl Publication<'_> {
    /// Takes a dataset out of the publication to change it.
    ///
    /// # Errors
    /// Storage, Corrupt.
    pub async fn change(&mut self, contract: &Arc<Contract>) -> Result<DatasetChange> {
        let data = self.take_working(&TableName::new(TableKind::Data, &contract.name)).await?;
        let history = self.take_working(&TableName::new(TableKind::History, &contract.name)).await?;
        let mut books = BTreeMap::new();
        for table in BOOKS {
            books.insert(table, self.working(&TableName::new(TableKind::System, table)).await?.aside());
        }
        Ok(DatasetChange {
            books,
            written: Vec::new(),
            contract: Arc::clone(contract),
            data,
            history,
            resting: None,
            release: self.release_number(),
            touched: false,
            noted: Noted::default(),
            batches: Vec::new(),
            standing: self.manifest.cursors.clone(),
            moved: BTreeMap::new(),
        })
    }

    /// Takes a changed dataset back: its changes are part of the publication.
    pub fn accept(&mut self, change: DatasetChange) {
        change.assert_all_written();
        if change.touched {
            self.touched.insert(change.contract.name.clone());
        }
        self.noted.merge(change.noted);
        for Written { table, file } in change.written {
            // Opened when the change began.
            if let Some(working) = self.tables.get_mut(&TableName::new(TableKind::System, table)) {
                working.push_fresh(file);
            }
        }
        self.manifest.batches.extend(change.batches);
        self.manifest.cursors.extend(change.moved);
        for table in [change.data, change.history] {
            self.tables.insert(table.name.clone(), table);
        }
    }
}
