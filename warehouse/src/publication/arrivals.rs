//! What arrives and what becomes of it.

use datafusion::arrow::array::{BooleanArray, RecordBatch};

/// The valid rows of one batch, in the order of the landed file.
#[derive(Debug, Clone)]
pub struct Arrival {
    /// Rows in the dataset's table schema; `key_reporter` is filled here and may be null.
    pub rows: RecordBatch,
    /// Which rows say that their key is deleted; `None`: none.
    pub deleted: Option<BooleanArray>,
    /// Reporters whose keys this feed may overwrite.
    pub takes_over: Vec<String>,
    /// What its feed says of its keys.
    pub keys: Keys,
}

/// What a feed says of the keys it sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Keys {
    /// One may come again, with a newer version.
    #[default]
    MayReturn,
    /// Each comes once: another version of one that came is remarked on.
    AreNew,
}

/// What became of a valid row (datasets.md, Versions).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It became the current version.
    Accepted,
    /// A newer version stands, in its own batch or before.
    Superseded,
    /// Equal in content and clock to the current version.
    Unchanged,
    /// The key belongs to another reporter: the row must be held.
    KeyOfAnother {
        /// Whose key it is.
        owner: String,
    },
}

/// A remark on an accepted row, for the findings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowWarning {
    /// Which arrival.
    pub arrival: usize,
    /// Which row of it.
    pub row: usize,
    /// Name of the rule: `duplicate_key`, `equal_clock` or `key_sent_again`.
    pub rule: &'static str,
}

/// The outcome of an upsert.
#[derive(Debug, Default)]
pub struct Upserted {
    /// For every arrival, what became of each of its rows.
    pub outcomes: Vec<Vec<Outcome>>,
    /// Remarks, in order of arrival.
    pub warnings: Vec<RowWarning>,
    /// Rows that an earlier part of the same batch had made current: they count as superseded now.
    pub outlived_in_batch: u64,
}
