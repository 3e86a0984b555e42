//! Cases summed up by dimension.

use datafusion::arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use datafusion::arrow::datatypes::{DataType, Decimal128Type, Int64Type};
use datafusion::functions_aggregate::expr_fn::{count, sum};
use datafusion::logical_expr::{Expr, cast, when};
use datafusion::prelude::{col, lit};
use num_bigint::BigInt;
use serde_json::Number;

use crate::cases::{DAYS, DENOMINATOR, EVENT, NUMERATOR, PROVISIONAL, WITHOUT_RULE, cases};
use crate::catalogue::{SurvivalField, ValueOf};
use crate::dimension::Dimension;
use crate::error::{Error, ErrorKind, Result};
use crate::functions::{self, QUANTILE, WITHIN};
use crate::quantity::{Quantity, number};
use crate::question::Question;
use crate::session::Observed;
use crate::span::Span;
use crate::survival::SHARE_SCALE;

/// The sums of one group.
#[derive(Debug, Clone)]
pub(crate) struct Group {
    /// Its member of each dimension asked for.
    pub(crate) members: Vec<String>,
    pub(crate) numerator: Quantity,
    pub(crate) denominator: Quantity,
    /// Number of cases of the denominator.
    pub(crate) cases: i64,
    /// Number of cases without a rule.
    pub(crate) without_rule: i64,
    /// Number of cases whose workdays the calendar does not know.
    pub(crate) provisional: i64,
    /// The quantile of a survival metric, where it is reached.
    pub(crate) quantile: Option<i64>,
    /// Further figures, by name.
    pub(crate) fields: Vec<(String, Option<Number>)>,
}

const CASES: &str = "cases";
const VALUE: &str = "value";
/// Where, after the dimensions, the columns begin that not every metric has.
const FURTHER: usize = 5;

/// Sums up the cases of a span by dimensions (never by month). Without dimensions there is exactly
/// one group, with or without cases.
pub(crate) async fn groups(
    question: &Question<'_>,
    span: &Span,
    observed: &Observed,
    by: &[Dimension],
) -> Result<Vec<Group>> {
    let survival = match &question.metric.value {
        ValueOf::Sums { .. } => None,
        ValueOf::KaplanMeier { survival, fields } => Some((survival, fields.as_slice())),
    };
    let further = question.metric.value.sums();
    let number_of = |flag| Ok::<_, Error>(sum(when(col(flag), lit(1_i64)).otherwise(lit(0_i64))?).alias(flag));
    let mut sums = vec![
        sum(col(NUMERATOR)).alias(NUMERATOR),
        sum(col(DENOMINATOR)).alias(DENOMINATOR),
        count(col(DENOMINATOR)).alias(CASES),
        number_of(WITHOUT_RULE)?,
        number_of(PROVISIONAL)?,
    ];
    sums.extend(further.iter().map(|name| sum(col(name.as_str())).alias(name)));
    if let Some((survival, fields)) = survival {
        sums.push(quantile(survival).alias(VALUE));
        sums.extend(fields.iter().map(|(name, field)| match field {
            SurvivalField::Quantile(survival) => quantile(survival).alias(name),
            SurvivalField::Within(days) => aggregate(WITHIN, vec![col(DAYS), col(EVENT), lit(*days)]).alias(name),
        }));
    }
    let members: Vec<Expr> = by.iter().map(|dimension| col(dimension.column())).collect();
    let frame = cases(question, span, observed, by).await?.aggregate(members, sums)?;
    let texts = by.iter().map(|dimension| cast(col(dimension.column()), DataType::Utf8));
    let rest = frame.schema().fields().iter().skip(by.len()).map(|field| col(field.name().as_str()));
    let selected: Vec<Expr> = texts.chain(rest).collect();

    let mut groups = Vec::new();
    for batch in frame.select(selected)?.collect().await? {
        for row in 0..batch.num_rows() {
            groups.push(group(&batch, row, by.len(), further, survival.map(|(_, fields)| fields))?);
        }
    }
    Ok(groups)
}

fn quantile(survival: &str) -> Expr {
    aggregate(QUANTILE, vec![col(DAYS), col(EVENT), lit(survival)])
}

fn aggregate(name: &str, arguments: Vec<Expr>) -> Expr {
    let [quantile, within] = functions::aggregates();
    if name == QUANTILE { quantile.call(arguments) } else { within.call(arguments) }
}

fn group(
    batch: &RecordBatch,
    row: usize,
    dimensions: usize,
    further: &[String],
    fields: Option<&[(String, SurvivalField)]>,
) -> Result<Group> {
    let column = |place: usize| batch.column(dimensions + place);
    let text = |place: usize| batch.column(place).as_string::<i32>().value(row).to_owned();
    let int = |place: usize| value(column(place), row);
    let figures = fields.unwrap_or_default().iter().enumerate().map(|(place, (name, field))| {
        let column = column(FURTHER + 1 + place);
        let figure = match field {
            SurvivalField::Quantile(_) => value(column, row).map(Number::from),
            SurvivalField::Within(_) => column
                .is_valid(row)
                .then(|| column.as_primitive::<Decimal128Type>().value(row))
                .map(|units| number(&BigInt::from(units), usize::from(SHARE_SCALE.unsigned_abs()))),
        };
        Ok((name.clone(), figure))
    });
    let sums = further.iter().enumerate().map(|(place, name)| {
        let (units, scale) = quantity(column(FURTHER + place), row)?.parts();
        Ok((name.clone(), Some(number(&BigInt::from(units), scale.into()))))
    });
    Ok(Group {
        members: (0..dimensions).map(text).collect(),
        numerator: quantity(column(0), row)?,
        denominator: quantity(column(1), row)?,
        cases: int(2).unwrap_or_default(),
        without_rule: int(3).unwrap_or_default(),
        provisional: int(4).unwrap_or_default(),
        quantile: fields.and_then(|_| int(FURTHER)),
        fields: sums.chain(figures).collect::<Result<_>>()?,
    })
}

fn value(column: &ArrayRef, row: usize) -> Option<i64> {
    column.is_valid(row).then(|| column.as_primitive::<Int64Type>().value(row))
}

/// A sum as it stands in the engine's column; a sum of nothing is 0.
pub(crate) fn quantity(column: &ArrayRef, row: usize) -> Result<Quantity> {
    match column.data_type() {
        DataType::Int64 => Ok(Quantity::Count(value(column, row).unwrap_or_default())),
        DataType::Decimal128(_, scale) => {
            let units = column.is_valid(row).then(|| column.as_primitive::<Decimal128Type>().value(row));
            Ok(Quantity::Decimal { units: units.unwrap_or_default(), scale: scale.unsigned_abs() })
        }
        other => Err(Error::new(ErrorKind::Internal, format!("a sum of type {other} is not exact"))),
    }
}
