//! The deliveries of the rows that are kept with an assessment.

use std::collections::{BTreeMap, BTreeSet};

use datafusion::arrow::array::{Array, AsArray};
use datafusion::arrow::datatypes::DataType;
use datafusion::logical_expr::cast;
use datafusion::prelude::{col, lit};

use super::document::{LandedBatch, SubjectScore};
use crate::error::Result;
use crate::session::Observed;

/// The batches of all kept rows, by id.
pub(super) async fn of_rows(observed: &Observed, subjects: &[SubjectScore]) -> Result<BTreeMap<String, LandedBatch>> {
    let rows = subjects.iter().flat_map(|subject| &subject.indicators).flat_map(|indicator| &indicator.sample);
    let ids: BTreeSet<&str> = rows.filter_map(|row| row.batch_id.as_deref()).collect();
    if ids.is_empty() {
        return Ok(BTreeMap::new());
    }
    let wanted = col("batch_id").in_list(ids.into_iter().map(lit).collect(), false);
    let columns = ["batch_id", "feed_id", "dataset", "object", "sha256", "landed_path"];
    let texts = columns.map(|name| cast(col(name), DataType::Utf8).alias(name)).to_vec();
    let found = observed.context.table("system.batch").await?.filter(wanted)?.select(texts)?;
    let mut batches = BTreeMap::new();
    for batch in found.collect().await? {
        for row in 0..batch.num_rows() {
            let text = |column: usize| {
                let texts = batch.column(column).as_string::<i32>();
                if texts.is_valid(row) { texts.value(row).to_owned() } else { String::new() }
            };
            let landed = LandedBatch {
                feed_id: text(1),
                dataset: text(2),
                object: text(3),
                sha256: text(4),
                landed_path: text(5),
            };
            batches.insert(text(0), landed);
        }
    }
    Ok(batches)
}
