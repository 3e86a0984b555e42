//! Writing a sheet of `metric_value`: the months that a release touched are put in the place of what was
//! there, all others stay as they are.

use std::collections::{BTreeMap, BTreeSet};

use datafusion::arrow::array::{BooleanArray, RecordBatch};
use datafusion::arrow::compute::filter_record_batch;

use super::working::WorkingTable;
use super::{Head, Writer, files};
use crate::error::Result;
use crate::metric_values::{METRIC_ID, MONTH, Sheet, table};
use crate::release::Release;
use crate::table::DataFile;

/// The values of one month that were computed anew.
#[derive(Debug, Clone)]
pub struct MonthValues {
    /// The month, `2026-03`.
    pub month: String,
    /// Which metrics: what is there of these goes. `None`: of all.
    pub metrics: Option<BTreeSet<String>>,
    /// Their rows, in the schema of `metric_value`.
    pub rows: Vec<RecordBatch>,
}

impl Writer {
    /// Makes the next sheet out of the newest: with the months computed anew on `release`, and with no
    /// other months than `all`. `notes` are for whoever makes the one after it.
    ///
    /// The files are written and the table is committed first; then one small object says that this
    /// version follows the release.
    ///
    /// # Errors
    /// Storage, Busy.
    pub async fn follow(
        &self,
        release: &Release,
        anew: Vec<MonthValues>,
        all: &BTreeSet<String>,
        notes: serde_json::Value,
    ) -> Result<Sheet> {
        // A commit by a writer that lost its lease would be in the way of the one that has it.
        self.lease.confirm().await?;
        let mut publication = self.begin(release.published_at(), release.day()).await?;
        let mut working = publication.take_working(&table()).await?;
        let mut files: BTreeMap<String, DataFile> = working
            .files
            .drain(..)
            .filter_map(|file| Some((files::text_bounds(&file, MONTH)?.0.to_owned(), file)))
            .filter(|(month, _)| all.contains(month))
            .collect();
        for month in anew {
            let mut rows = match (&month.metrics, files.remove(&month.month)) {
                (Some(metrics), Some(old)) => others(&working, &old, metrics).await?,
                _ => Vec::new(),
            };
            rows.extend(month.rows);
            if rows.iter().any(|batch| batch.num_rows() > 0) {
                files.insert(month.month, working.new_file().write(rows).await?);
            }
        }
        working.files = files.into_values().collect();
        // A file's place in the log is by its name; the months need no order.
        working.files.sort_by(|a, b| a.path.cmp(&b.path));
        let version = match working.changed() {
            true => {
                let version = working.commit(release.published_at().timestamp_millis()).await?;
                let head = Head { version: version.version, files: version.files };
                self.remember_head(&working.name, head.clone());
                head.version
            }
            false => publication.manifest.tables.get(&table().path()).copied().unwrap_or_default(),
        };
        self.lease.confirm().await?;
        let sheet = Sheet { release: release.number(), version };
        self.warehouse.metric_values().follow(sheet.clone(), notes).await?;
        Ok(sheet)
    }
}

/// The rows of a file that are of other metrics.
async fn others(table: &WorkingTable, file: &DataFile, metrics: &BTreeSet<String>) -> Result<Vec<RecordBatch>> {
    let mut kept = Vec::new();
    for batch in files::read(&table.store, &table.name, file, None).await? {
        let batch = files::conform(&batch?, &table.schema)?;
        let ids = super::versions::text(&batch, METRIC_ID)?;
        let keep: BooleanArray = ids.iter().map(|id| id.map(|id| !metrics.contains(id))).collect();
        kept.push(filter_record_batch(&batch, &keep)?);
    }
    Ok(kept)
}
