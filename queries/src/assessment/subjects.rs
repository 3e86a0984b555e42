//! Who is assessed: every subject of a kind, whether or not any row is about it.

use chrono::NaiveDate;
use datafusion::arrow::array::{Array, AsArray};
use datafusion::arrow::datatypes::{DataType, Date32Type};
use datafusion::logical_expr::cast;
use datafusion::prelude::{col, lit};

use super::scheme::SubjectKind;
use crate::dimension::Dimension;
use crate::error::Result;
use crate::province::Province;
use crate::session::Observed;

/// One subject.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Subject {
    pub(crate) code: String,
    pub(crate) name: String,
}

/// Every subject of a kind, by code: the province's places that stand on the day, the departments that
/// answer for a high-hazard sector, the insurers.
pub(crate) async fn subjects(observed: &Observed, kind: SubjectKind, day: NaiveDate) -> Result<Vec<Subject>> {
    let mut codes = match kind {
        SubjectKind::City | SubjectKind::County => places(observed, kind.name(), day).await?,
        SubjectKind::Department => {
            let sectors = observed.context.table("sector").await?.filter(col("high_hazard"))?;
            texts(sectors.select(vec![cast(col("department"), DataType::Utf8)])?.collect().await?)
        }
        SubjectKind::Insurer => {
            let insurers = observed.context.table("insurer").await?;
            texts(insurers.select(vec![cast(col("code"), DataType::Utf8)])?.collect().await?)
        }
    };
    codes.sort();
    codes.dedup();
    let dimension: Dimension = kind.dimension();
    let named = |code: String| Subject { name: observed.names.name(dimension, &code), code };
    Ok(codes.into_iter().map(named).collect())
}

async fn places(observed: &Observed, level: &str, day: NaiveDate) -> Result<Vec<String>> {
    let regions = observed.context.table("region").await?.filter(col("level").eq(lit(level)))?.select(vec![
        cast(col("code"), DataType::Utf8),
        col("valid_from"),
        col("valid_to"),
    ])?;
    let province = Province::of(observed.context.state().config());
    let day = Date32Type::from_naive_date(day);
    let mut codes = Vec::new();
    for batch in regions.collect().await? {
        let places = batch.column(0).as_string::<i32>();
        let from = batch.column(1).as_primitive::<Date32Type>();
        let to = batch.column(2).as_primitive::<Date32Type>();
        for row in 0..batch.num_rows() {
            let begun = from.is_null(row) || from.value(row) <= day;
            let stands = begun && (to.is_null(row) || day < to.value(row));
            if stands && places.value(row).starts_with(&province.code()[..2]) {
                codes.push(places.value(row).to_owned());
            }
        }
    }
    Ok(codes)
}

fn texts(batches: Vec<datafusion::arrow::array::RecordBatch>) -> Vec<String> {
    let of = |batch: &datafusion::arrow::array::RecordBatch| {
        batch.column(0).as_string::<i32>().iter().flatten().map(str::to_owned).collect::<Vec<_>>()
    };
    batches.iter().flat_map(of).collect()
}
