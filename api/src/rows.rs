//! Reading rows of one table of a release, in a total order, by conditions bound as values.

use anze_warehouse::Release;
use anze_warehouse::session::{CATALOG, Limits};
use datafusion::arrow::array::RecordBatch;
use datafusion::common::TableReference;
use datafusion::logical_expr::{Expr, SortExpr, col};
use serde_json::{Map, Value};

use crate::output::json::objects;
use crate::problem::{Problem, causes};

/// A row by column names.
pub type Row = Map<String, Value>;

/// Which rows of a table.
pub struct Selection<'a> {
    pub schema: &'a str,
    pub table: &'a str,
    /// Columns to read; none named means all.
    pub columns: &'a [&'a str],
    pub conditions: Vec<Expr>,
    pub order: Vec<SortExpr>,
    pub most: Option<usize>,
}

/// Reads the rows, in the form in which every answer shows values.
pub async fn select(release: &Release, limits: &Limits, selection: Selection<'_>) -> Result<Vec<Row>, Problem> {
    let batches = batches(release, limits, selection).await.map_err(|error| Problem::internal(&causes(&error)))?;
    let mut rows = Vec::new();
    for batch in &batches {
        rows.extend(objects(batch).map_err(|error| Problem::internal(&error))?);
    }
    Ok(rows)
}

async fn batches(
    release: &Release,
    limits: &Limits,
    selection: Selection<'_>,
) -> Result<Vec<RecordBatch>, datafusion::error::DataFusionError> {
    let session =
        release.session(limits).map_err(|error| datafusion::error::DataFusionError::External(Box::new(error)))?;
    let table = TableReference::full(CATALOG, selection.schema, selection.table);
    let mut frame = session.table(table).await?;
    for condition in selection.conditions {
        frame = frame.filter(condition)?;
    }
    if !selection.columns.is_empty() {
        frame = frame.select_columns(selection.columns)?;
    }
    if !selection.order.is_empty() {
        frame = frame.sort(selection.order)?;
    }
    if selection.most.is_some() {
        frame = frame.limit(0, selection.most)?;
    }
    frame.collect().await
}

/// Ascending order by columns.
pub fn by(columns: &[&str]) -> Vec<SortExpr> {
    columns.iter().map(|column| col(*column).sort(true, true)).collect()
}

/// A text of a row.
pub fn text<'a>(row: &'a Row, column: &str) -> Option<&'a str> {
    row.get(column).and_then(Value::as_str)
}
