//! Cases summed up by dimension.

use datafusion::arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use datafusion::arrow::datatypes::{DataType, Decimal128Type, Int64Type};
use datafusion::functions_aggregate::expr_fn::{count, sum};
use datafusion::logical_expr::{Expr, GroupingSet, cast, when};
use datafusion::prelude::{col, lit};
use num_bigint::BigInt;
use serde_json::Number;

use crate::cases::{DAYS, DENOMINATOR, EVENT, NUMERATOR, PROVISIONAL, WITHOUT_RULE, cases};
use crate::catalogue::{SurvivalField, ValueOf};
use crate::concentration::{self, Parties};
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

impl Group {
    /// That of no case at all, in total.
    pub(crate) fn empty() -> Self {
        Self {
            members: Vec::new(),
            numerator: Quantity::Count(0),
            denominator: Quantity::Count(0),
            cases: 0,
            without_rule: 0,
            provisional: 0,
            quantile: None,
            fields: Vec::new(),
        }
    }
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
    let value = &question.metric.value;
    let members: Vec<Expr> = by.iter().map(|dimension| col(dimension.column())).collect();
    let cases = cases(question, span, observed, by).await?;
    let frame = match value {
        ValueOf::Concentration { .. } => concentration::parties(cases, by)?,
        ValueOf::Sums { .. } | ValueOf::Tally { .. } | ValueOf::KaplanMeier { .. } => cases,
    };
    let frame = frame.aggregate(members, sums(value)?)?;
    let texts = by.iter().map(|dimension| cast(col(dimension.column()), DataType::Utf8));
    let rest = frame.schema().fields().iter().skip(by.len()).map(|field| col(field.name().as_str()));
    let selected: Vec<Expr> = texts.chain(rest).collect();

    let mut groups = Vec::new();
    for batch in frame.select(selected)?.collect().await? {
        for row in 0..batch.num_rows() {
            groups.push(group(&batch, row, by.len(), value)?);
        }
    }
    Ok(groups)
}

/// Sums up the cases of a span in total and by each of some dimensions alone, in one reading of them. Every
/// group comes with its dimension; the total has none, and is always there.
pub(crate) async fn groups_by_each(
    question: &Question<'_>,
    span: &Span,
    observed: &Observed,
    each: &[Dimension],
) -> Result<Vec<(Option<Dimension>, Group)>> {
    let value = &question.metric.value;
    let mut found = Vec::new();
    if let ValueOf::Concentration { .. } = value {
        // Amounts are shared out within a group: there is no one reading for several dimensions.
        for by in [None].into_iter().chain(each.iter().copied().map(Some)) {
            let dimensions: Vec<Dimension> = by.into_iter().collect();
            let groups = groups(question, span, observed, &dimensions).await?;
            found.extend(groups.into_iter().map(|group| (by, group)));
        }
        return Ok(found);
    }
    let sets = [Vec::new()].into_iter().chain(each.iter().map(|dimension| vec![col(dimension.column())]));
    let sets = Expr::GroupingSet(GroupingSet::GroupingSets(sets.collect()));
    let frame = cases(question, span, observed, each).await?.aggregate(vec![sets], sums(value)?)?;
    let texts = each.iter().map(|dimension| cast(col(dimension.column()), DataType::Utf8));
    let rest = frame.schema().fields().iter().filter(|field| !is_dimension(field.name(), each));
    let selected: Vec<Expr> = texts.chain(rest.map(|field| col(field.name().as_str()))).collect();
    for batch in frame.select(selected)?.collect().await? {
        for row in 0..batch.num_rows() {
            // A case always has a member: where there is none, the row is not of this dimension.
            let place = (0..each.len()).find(|place| batch.column(*place).is_valid(row));
            let members = place.map(|place| batch.column(place).as_string::<i32>().value(row).to_owned());
            let sums = batch.project(&(each.len()..batch.num_columns()).collect::<Vec<_>>())?;
            let group = Group { members: members.into_iter().collect(), ..group(&sums, row, 0, value)? };
            found.push((place.map(|place| each[place]), group));
        }
    }
    if !found.iter().any(|(dimension, _)| dimension.is_none()) {
        found.extend(groups(question, span, observed, &[]).await?.into_iter().map(|group| (None, group)));
    }
    Ok(found)
}

fn is_dimension(name: &str, of: &[Dimension]) -> bool {
    of.iter().any(|dimension| dimension.column() == name)
}

/// The columns of a group, in the order in which [`group`] reads them.
fn sums(value: &ValueOf) -> Result<Vec<Expr>> {
    let number_of = |flag| Ok::<_, Error>(sum(when(col(flag), lit(1_i64)).otherwise(lit(0_i64))?).alias(flag));
    let mut sums = vec![
        sum(col(NUMERATOR)).alias(NUMERATOR),
        sum(col(DENOMINATOR)).alias(DENOMINATOR),
        count(col(DENOMINATOR)).alias(CASES),
        number_of(WITHOUT_RULE)?,
        number_of(PROVISIONAL)?,
    ];
    sums.extend(further(value));
    Ok(sums)
}

/// The columns of a group that not every metric has.
fn further(value: &ValueOf) -> Vec<Expr> {
    match value {
        ValueOf::Sums { further } | ValueOf::Tally { further } => {
            further.iter().map(|name| sum(col(name.as_str())).alias(name)).collect()
        }
        ValueOf::Concentration { .. } => Parties::columns().into(),
        ValueOf::KaplanMeier { survival, fields } => {
            let fields = fields.iter().map(|(name, field)| match field {
                SurvivalField::Quantile(survival) => quantile(survival).alias(name),
                SurvivalField::Within(days) => aggregate(WITHIN, vec![col(DAYS), col(EVENT), lit(*days)]).alias(name),
            });
            [quantile(survival).alias(VALUE)].into_iter().chain(fields).collect()
        }
    }
}

fn quantile(survival: &str) -> Expr {
    aggregate(QUANTILE, vec![col(DAYS), col(EVENT), lit(survival)])
}

fn aggregate(name: &str, arguments: Vec<Expr>) -> Expr {
    let [quantile, within] = functions::aggregates();
    if name == QUANTILE { quantile.call(arguments) } else { within.call(arguments) }
}

fn group(batch: &RecordBatch, row: usize, dimensions: usize, kind: &ValueOf) -> Result<Group> {
    let column = |place: usize| batch.column(dimensions + place);
    let text = |place: usize| batch.column(place).as_string::<i32>().value(row).to_owned();
    let int = |place: usize| value(column(place), row);
    Ok(Group {
        members: (0..dimensions).map(text).collect(),
        numerator: quantity(column(0), row)?,
        denominator: quantity(column(1), row)?,
        cases: int(2).unwrap_or_default(),
        without_rule: int(3).unwrap_or_default(),
        provisional: int(4).unwrap_or_default(),
        quantile: match kind {
            ValueOf::KaplanMeier { .. } => int(FURTHER),
            ValueOf::Sums { .. } | ValueOf::Tally { .. } | ValueOf::Concentration { .. } => None,
        },
        fields: fields(&batch.columns()[dimensions + FURTHER..], row, kind)?,
    })
}

/// Further figures of a group, from the columns of [`further`].
fn fields(columns: &[ArrayRef], row: usize, kind: &ValueOf) -> Result<Vec<(String, Option<Number>)>> {
    match kind {
        ValueOf::Sums { further } | ValueOf::Tally { further } => further
            .iter()
            .zip(columns)
            .map(|(name, column)| {
                let (units, scale) = quantity(column, row)?.parts();
                Ok((name.clone(), Some(number(&BigInt::from(units), scale.into()))))
            })
            .collect(),
        ValueOf::Concentration { fields } => {
            let parties = Parties {
                largest: quantity(&columns[0], row)?,
                total: quantity(&columns[1], row)?,
                count: value(&columns[2], row).unwrap_or_default(),
            };
            Ok(fields.iter().map(|(name, field)| (name.clone(), parties.figure(*field))).collect())
        }
        ValueOf::KaplanMeier { fields, .. } => {
            // The value itself stands first.
            let figures = fields.iter().zip(&columns[1..]).map(|((name, field), column)| {
                let figure = match field {
                    SurvivalField::Quantile(_) => value(column, row).map(Number::from),
                    SurvivalField::Within(_) => column
                        .is_valid(row)
                        .then(|| column.as_primitive::<Decimal128Type>().value(row))
                        .map(|units| number(&BigInt::from(units), usize::from(SHARE_SCALE.unsigned_abs()))),
                };
                (name.clone(), figure)
            });
            Ok(figures.collect())
        }
    }
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
