//! Rows that the last part of a large batch made current and that are not written yet: what the next
//! part replaces in memory need not be written, read and written again.

use datafusion::arrow::array::{BooleanArray, RecordBatch};
use datafusion::arrow::compute::filter_record_batch;

use crate::error::Result;

/// Current rows of a dataset that stand in no file yet.
pub(in crate::publication) struct Resting(RecordBatch);

impl Resting {
    pub(super) fn of(rows: RecordBatch) -> Self {
        Self(rows)
    }

    pub(super) fn rows(&self) -> &RecordBatch {
        &self.0
    }

    /// The rows but for those at some places.
    pub(super) fn without(self, gone: &[usize]) -> Result<RecordBatch> {
        if gone.is_empty() {
            return Ok(self.0);
        }
        let mut keep = vec![true; self.0.num_rows()];
        gone.iter().for_each(|place| keep[*place] = false);
        Ok(filter_record_batch(&self.0, &BooleanArray::from(keep))?)
    }
}
