//! The evidence of every member of a dimension at once: how many rows, the first of them, or all.

use std::collections::HashMap;

use anze_warehouse::lineage;
use datafusion::arrow::array::{Array, ArrayRef, AsArray};
use datafusion::arrow::datatypes::{DataType, Int64Type};
use datafusion::functions_aggregate::expr_fn::sum;
use datafusion::functions_window::expr_fn::row_number;
use datafusion::logical_expr::{Expr, ExprFunctionExt, cast, when};
use datafusion::prelude::{DataFrame, col, lit};

use super::{Side, on_side, order, shares};
use crate::assessment::{CaseCounts, SampleRow};
use crate::cases::{DATASET, DENOMINATOR, KEY, NUMERATOR};
use crate::dimension::Dimension;
use crate::error::Result;
use crate::groups::quantity;
use crate::question::Question;
use crate::session::Observed;

const PLACE: &str = "place_among_rows";

/// Number of rows on each side, by member.
pub(crate) async fn counts(
    question: &Question<'_>,
    observed: &Observed,
    by: Dimension,
) -> Result<HashMap<String, CaseCounts>> {
    let of = |side: Side| Ok::<_, crate::Error>(sum(when(on_side(question, side), lit(1_i64)).otherwise(lit(0_i64))?));
    let frame = rows_of(question, observed, by).await?.aggregate(
        vec![col(by.column())],
        vec![
            of(Side::Denominator)?.alias("denominators"),
            of(Side::Numerator)?.alias("numerators"),
            of(Side::Gap)?.alias("gaps"),
        ],
    )?;
    let columns = vec![text(by.column()), col("denominators"), col("numerators"), col("gaps")];
    let mut counts = HashMap::new();
    for batch in frame.select(columns)?.collect().await? {
        let number = |column: usize, row: usize| {
            u64::try_from(batch.column(column).as_primitive::<Int64Type>().value(row)).unwrap_or_default()
        };
        for row in 0..batch.num_rows() {
            let member = batch.column(0).as_string::<i32>().value(row).to_owned();
            let found = CaseCounts { denominator: number(1, row), numerator: number(2, row), gap: number(3, row) };
            counts.insert(member, found);
        }
    }
    Ok(counts)
}

/// The first rows of a side of each member, in the order of evidence.
pub(crate) async fn samples(
    question: &Question<'_>,
    observed: &Observed,
    by: Dimension,
    side: Side,
    most: usize,
) -> Result<HashMap<String, Vec<SampleRow>>> {
    let dimensions = dimensions(question);
    let order = order(question, &dimensions);
    let place = row_number()
        .partition_by(vec![col(by.column())])
        .order_by(order.iter().map(|name| col(*name).sort(true, false)).collect())
        .build()?
        .alias(PLACE);
    let most = i64::try_from(most).unwrap_or(i64::MAX);
    let frame = rows_of(question, observed, by).await?.filter(on_side(question, side))?;
    let frame = frame.window(vec![place])?.filter(cast(col(PLACE), DataType::Int64).lt_eq(lit(most)))?;
    let frame = frame.sort(vec![col(by.column()).sort(true, false), col(PLACE).sort(true, false)])?;
    by_member(frame, by).await
}

/// Every row with a share of either side, by member.
pub(crate) async fn whole(
    question: &Question<'_>,
    observed: &Observed,
    by: Dimension,
) -> Result<HashMap<String, Vec<SampleRow>>> {
    let either = on_side(question, Side::Denominator).or(on_side(question, Side::Numerator));
    by_member(rows_of(question, observed, by).await?.filter(either)?, by).await
}

fn dimensions(question: &Question<'_>) -> Vec<Dimension> {
    question.metric.dimensions.iter().copied().filter(|dimension| *dimension != Dimension::Month).collect()
}

async fn rows_of(question: &Question<'_>, observed: &Observed, by: Dimension) -> Result<DataFrame> {
    let dimensions = dimensions(question);
    shares(question, observed, &dimensions, &order(question, &dimensions), &[by]).await
}

async fn by_member(frame: DataFrame, by: Dimension) -> Result<HashMap<String, Vec<SampleRow>>> {
    let columns = vec![
        text(by.column()).alias("of_member"),
        text(DATASET).alias("of_dataset_named"),
        text(KEY).alias("of_key"),
        text(lineage::BATCH_ID).alias("of_batch"),
        col(lineage::ROW_NO).alias("of_row"),
        col(NUMERATOR),
        col(DENOMINATOR),
    ];
    let mut found: HashMap<String, Vec<SampleRow>> = HashMap::new();
    for batch in frame.select(columns)?.collect().await? {
        let text = |column: usize, row: usize| batch.column(column).as_string::<i32>().value(row).to_owned();
        let row_nos = batch.column(4).as_primitive::<Int64Type>();
        for row in 0..batch.num_rows() {
            let read = SampleRow {
                dataset: text(1, row),
                key: text(2, row),
                batch_id: Some(text(3, row)).filter(|batch| !batch.is_empty()),
                row_no: row_nos.is_valid(row).then(|| row_nos.value(row)).filter(|row_no| *row_no > 0),
                numerator: json(batch.column(5), row)?,
                denominator: json(batch.column(6), row)?,
            };
            found.entry(text(0, row)).or_default().push(read);
        }
    }
    Ok(found)
}

fn text(name: &str) -> Expr {
    cast(col(name), DataType::Utf8)
}

fn json(column: &ArrayRef, row: usize) -> Result<serde_json::Value> {
    Ok(serde_json::to_value(quantity(column, row)?).unwrap_or_default())
}
