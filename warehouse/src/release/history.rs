//! `history.<dataset>`: every version of every key, for ever.
//!
//! Stored are the versions that are not current (replaced, superseded on arrival, deleted); the
//! view adds the current ones, so that one name answers "what did we ever know of this key".

use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::catalog::TableProvider;
use datafusion::catalog::view::ViewTable;
use datafusion::datasource::provider_as_source;
use datafusion::logical_expr::{LogicalPlanBuilder, cast, col, lit};
use datafusion::scalar::ScalarValue;

use crate::contract::Contract;
use crate::error::Result;

/// What became of a version: `current`, `replaced`, `superseded` or `deleted`.
pub(crate) const VERSION_STATE: &str = "version_state";
/// The batch whose version took its place.
pub(crate) const REPLACED_BY: &str = "replaced_by";

/// The storage schema of a dataset's history.
pub(crate) fn schema(contract: &Contract) -> SchemaRef {
    let table = contract.table_schema();
    let own = [
        Arc::new(Field::new(VERSION_STATE, DataType::Utf8, true)),
        Arc::new(Field::new(REPLACED_BY, DataType::Utf8, true)),
    ];
    Arc::new(Schema::new(table.fields().iter().cloned().chain(own).collect::<Vec<_>>()))
}

/// The view over the stored versions and the current ones.
pub(super) fn every_version(
    stored: Arc<dyn TableProvider>,
    current: Arc<dyn TableProvider>,
) -> Result<Arc<dyn TableProvider>> {
    let columns: Vec<_> = current.schema().fields().iter().map(|field| col(field.name().as_str())).collect();
    let text = |value: Option<&str>| cast(lit(ScalarValue::Utf8(value.map(str::to_owned))), DataType::Utf8View);
    let now = LogicalPlanBuilder::scan("now", provider_as_source(current), None)?.project(
        columns.into_iter().chain([text(Some("current")).alias(VERSION_STATE), text(None).alias(REPLACED_BY)]),
    )?;
    let stored_columns: Vec<_> = stored.schema().fields().iter().map(|field| col(field.name().as_str())).collect();
    let before = LogicalPlanBuilder::scan("before", provider_as_source(stored), None)?.project(stored_columns)?;
    let plan = before.union(now.build()?)?.build()?;
    Ok(Arc::new(ViewTable::new(plan, None)))
}
