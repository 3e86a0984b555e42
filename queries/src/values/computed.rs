//! The rows of one metric and month.

use std::sync::Arc;

use anze_warehouse::publication::system_rows;
use datafusion::arrow::array::{ArrayRef, Date32Array, Decimal128Array, Int64Array, RecordBatch, StringArray};
use datafusion::arrow::datatypes::Date32Type;

use crate::answer::{Figure, Row};
use crate::dimension::Dimension;
use crate::engine;
use crate::error::{Error, ErrorKind, Result};
use crate::groups::{Group, groups_by_each};
use crate::quantity::Quantity;
use crate::question::Question;
use crate::session::Observed;
use crate::span::{Month, Span};

/// Digits after the point of numerators and denominators.
const PARTS_SCALE: u8 = 6;
/// Digits after the point of values.
const VALUE_SCALE: u8 = 9;
/// Digits of all three.
const PRECISION: u8 = 38;

/// The sums of a question in total and by each dimension of its metric but the month.
pub(super) async fn groups(question: &Question<'_>, observed: &Observed) -> Result<Vec<(Option<Dimension>, Group)>> {
    let dimensions: Vec<Dimension> =
        question.metric.dimensions.iter().copied().filter(|dimension| *dimension != Dimension::Month).collect();
    let groups = groups_by_each(question, &question.span, observed, &dimensions).await;
    groups.map_err(|error| match error.kind() {
        ErrorKind::Statement => question.metric.fault(&error),
        _ => error,
    })
}

/// The rows of a question over a month, one for each group that an answer would show.
pub(super) fn rows(
    question: &Question<'_>,
    month: Month,
    observed: &Observed,
    release: u64,
    groups: Vec<(Option<Dimension>, Group)>,
) -> Result<RecordBatch> {
    let (mut names, mut members, mut found) = (Vec::new(), Vec::new(), Vec::<Row>::new());
    for (dimension, group) in groups {
        let of_dimension = Question { by: dimension.into_iter().collect(), ..question.clone() };
        let member = group.members.first().cloned().unwrap_or_default();
        let Some(row) = engine::row(&of_dimension, observed, &question.span, None, group) else { continue };
        names.push(dimension.map_or("", Dimension::name));
        members.push(member);
        found.push(row);
    }
    let count = found.len();
    let as_of = match question.span {
        Span::AsOf(day) => Some(Date32Type::from_naive_date(day)),
        Span::Period { .. } => None,
    };
    let parts = |part: fn(&Row) -> Option<Quantity>| -> Result<ArrayRef> {
        let units: Vec<Option<i128>> = found
            .iter()
            .map(|row| part(row).map(|part| at_scale(part, PARTS_SCALE)).transpose())
            .collect::<Result<_>>()?;
        Ok(Arc::new(Decimal128Array::from(units).with_precision_and_scale(PRECISION, PARTS_SCALE as i8)?))
    };
    let values: Vec<Option<i128>> =
        found.iter().map(|row| row.value.as_ref().map(figure).transpose()).collect::<Result<_>>()?;
    let release = i64::try_from(release).unwrap_or(i64::MAX);
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("metric_id", Arc::new(StringArray::from(vec![question.metric.id.as_str(); count]))),
        ("month", Arc::new(StringArray::from(vec![month.label(); count]))),
        ("as_of", Arc::new(Date32Array::from(vec![as_of; count]))),
        ("dimension", Arc::new(StringArray::from(names))),
        ("member", Arc::new(StringArray::from(members))),
        ("numerator", parts(|row| Some(row.numerator))?),
        ("denominator", parts(|row| row.denominator)?),
        ("value", Arc::new(Decimal128Array::from(values).with_precision_and_scale(PRECISION, VALUE_SCALE as i8)?)),
        ("release", Arc::new(Int64Array::from(vec![release; count]))),
    ];
    Ok(system_rows("metric_value", count, columns)?)
}

pub(super) fn figure(figure: &Figure) -> Result<i128> {
    match figure {
        Figure::Quantity(quantity) => at_scale(*quantity, VALUE_SCALE),
        Figure::Number(number) => {
            let text = number.to_string();
            let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
            let units = format!("{whole}{fraction}").parse().map_err(|_| beyond(&text))?;
            let scale = u8::try_from(fraction.len()).map_err(|_| beyond(&text))?;
            at_scale(Quantity::Decimal { units, scale }, VALUE_SCALE)
        }
    }
}

/// A quantity in units of 10^−`scale`; what is finer is rounded half away from zero.
pub(super) fn at_scale(quantity: Quantity, scale: u8) -> Result<i128> {
    let (units, has) = quantity.parts();
    let power = |digits: u8| 10_i128.checked_pow(digits.into()).ok_or_else(|| beyond(&quantity.to_string()));
    if has <= scale {
        return units.checked_mul(power(scale - has)?).ok_or_else(|| beyond(&quantity.to_string()));
    }
    let power = power(has - scale)?;
    let (whole, rest) = (units / power, units % power);
    Ok(whole + if rest.abs() * 2 >= power { units.signum() } else { 0 })
}

fn beyond(text: &str) -> Error {
    Error::new(ErrorKind::Limit, format!("{text} has more digits than metric_value keeps"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_kept_to_nine_digits_half_away_from_zero() {
        let of = |text: &str| figure(&Figure::Number(text.parse().unwrap())).unwrap();
        assert_eq!(of("0.66666666666666667"), 666_666_667);
        assert_eq!(of("-0.0000000005"), -1);
        assert_eq!(of("-0.00000000049"), 0);
        assert_eq!(of("17"), 17_000_000_000);
        assert_eq!(figure(&Figure::Quantity(Quantity::Decimal { units: -105, scale: 2 })).unwrap(), -1_050_000_000);
    }

    #[test]
    fn what_does_not_fit_is_refused_and_not_cut() {
        assert!(at_scale(Quantity::Decimal { units: i128::MAX, scale: 0 }, 6).is_err());
    }
}
