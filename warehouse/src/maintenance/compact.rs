//! Compaction: the files of each table put together, in a release with the same rows.

use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::error::Result;
use crate::metric_values;
use crate::publication::Writer;
use crate::table::TableName;

/// What a compaction did.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct CompactReport {
    /// The release with fewer files; none where nothing was to be done.
    pub release: Option<u64>,
    /// The tables written anew.
    pub tables: Vec<CompactedTable>,
}

/// A table written anew.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CompactedTable {
    /// `tables/policy`
    pub table: String,
    /// Files before.
    pub before: usize,
    /// Files after.
    pub after: usize,
}

/// Which tables are written anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compaction {
    /// All whose files can be fewer.
    All,
    /// Those with many files that are far from full; a few more or less cost readers nothing.
    Worthwhile,
}

/// More files that are far from full than this are worth writing a table anew.
const MANY_FILES: usize = 16;

impl Writer {
    /// Puts files together that are far from full. The release that shows them keeps the observation day
    /// of the last one, for nothing else has changed.
    ///
    /// # Errors
    /// Storage, Corrupt, Busy: the last release stands.
    pub async fn compact(&self, at: DateTime<Utc>, which: Compaction) -> Result<CompactReport> {
        let mut report = CompactReport::default();
        let Some(last) = self.warehouse().latest().await? else { return Ok(report) };
        // Releases are in the order of their publication, whatever the clock says.
        let mut publication = self.begin(at.max(last.published_at()), last.day()).await?;
        for path in last.manifest().tables.keys() {
            let Some(name) = TableName::parse(path) else { continue };
            if name == metric_values::table() {
                // One file a month, so that a month is replaced without the others.
                continue;
            }
            let before = publication.file_count(&name).await?;
            if which == Compaction::Worthwhile && publication.unfilled(&name).await? <= MANY_FILES {
                continue;
            }
            publication.compact(&name).await?;
            let after = publication.file_count(&name).await?;
            if after < before {
                report.tables.push(CompactedTable { table: path.clone(), before, after });
            }
        }
        if !report.tables.is_empty() {
            report.release = Some(publication.publish().await?.number());
        }
        Ok(report)
    }
}
