//! The rules and service norms that an assessment's metrics look up, as they stood in its release.

use std::collections::BTreeMap;

use datafusion::arrow::array::{Array, AsArray, RecordBatch};
use datafusion::arrow::datatypes::DataType;
use datafusion::logical_expr::{Expr, cast};
use datafusion::prelude::{col, lit};

use super::document::RuleRow;
use super::scheme::Scheme;
use crate::catalogue::{Catalogue, Metric};
use crate::error::Result;
use crate::session::Observed;

/// What service norms are called among the rules of a metric.
const NORMS: &str = "service_norm";

/// Every row of the rules that the scheme's metrics and gates look up, and the targets of its metrics.
pub(crate) async fn used(catalogue: &Catalogue, observed: &Observed, scheme: &Scheme) -> Result<Vec<RuleRow>> {
    let gates = scheme.indicators.iter().filter_map(|indicator| indicator.gate.as_ref()).map(|gate| &gate.metric);
    let ids = scheme.indicators.iter().map(|indicator| &indicator.metric).chain(gates);
    let metrics: Vec<&Metric> = ids.map(|id| catalogue.expect(id)).collect::<Result<_>>()?;
    let named: Vec<&str> = metrics.iter().flat_map(|metric| metric.rules.iter().map(String::as_str)).collect();
    let targets: Vec<String> = metrics.iter().map(|metric| format!("target.{}", metric.id)).collect();
    let mut ids: Vec<Expr> = named.iter().filter(|id| **id != NORMS).map(|id| lit(*id)).collect();
    ids.extend(targets.iter().map(|id| lit(id.as_str())));
    let mut rows = table(observed, "rule", Some(col("rule_id").in_list(ids, false))).await?;
    if named.contains(&NORMS) {
        rows.extend(table(observed, NORMS, None).await?);
    }
    rows.sort_by(|a, b| (&a.dataset, &a.values).cmp(&(&b.dataset, &b.values)));
    Ok(rows)
}

async fn table(observed: &Observed, dataset: &str, which: Option<Expr>) -> Result<Vec<RuleRow>> {
    let mut frame = observed.context.table(dataset).await?;
    if let Some(which) = which {
        frame = frame.filter(which)?;
    }
    let columns: Vec<String> = frame.schema().fields().iter().map(|field| field.name().clone()).collect();
    let texts = columns.iter().map(|name| cast(col(name.as_str()), DataType::Utf8).alias(name)).collect::<Vec<_>>();
    let batches = frame.select(texts)?.collect().await?;
    Ok(batches.iter().flat_map(|batch| rows(dataset, batch)).collect())
}

fn rows(dataset: &str, batch: &RecordBatch) -> Vec<RuleRow> {
    let schema = batch.schema();
    let row = |row: usize| {
        let values: BTreeMap<String, String> = schema
            .fields()
            .iter()
            .zip(batch.columns())
            .filter(|(_, column)| column.is_valid(row))
            .map(|(field, column)| (field.name().clone(), column.as_string::<i32>().value(row).to_owned()))
            .collect();
        RuleRow { dataset: dataset.to_owned(), values }
    };
    (0..batch.num_rows()).map(row).collect()
}
