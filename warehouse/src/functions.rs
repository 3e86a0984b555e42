//! SQL functions over one row that row rules, marts and analysts share.

use std::sync::Arc;

use chrono::{DateTime, Days, NaiveDate, NaiveTime, TimeZone};
use chrono_tz::Asia::Shanghai;
use datafusion::arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Date32Array};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Date32Type, TimestampMicrosecondType};
use datafusion::common::{ScalarValue, plan_err};
use datafusion::error::Result;
use datafusion::logical_expr::interval_arithmetic::Interval;
use datafusion::logical_expr::preimage::PreimageResult;
use datafusion::logical_expr::simplify::SimplifyContext;
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

use crate::{credit_code, lineage};

/// The functions a session always has: `local_date(timestamp)` and `is_credit_code(text)`.
pub fn row_functions() -> Vec<ScalarUDF> {
    vec![ScalarUDF::new_from_impl(LocalDate::new()), ScalarUDF::new_from_impl(IsCreditCode::new())]
}

const MICROS_PER_DAY: i64 = 86_400_000_000;
/// Asia/Shanghai has been UTC+8 without summer time since 1992.
const SHANGHAI_OFFSET_MICROS: i64 = 8 * 3_600_000_000;
const FIRST_MICRO_OF_1992_UTC: i64 = 694_224_000_000_000;

/// The day in Asia/Shanghai on which an instant falls.
///
/// The instant is in microseconds since 1970 in UTC; the day in days since 1970.
pub fn local_day(micros: i64) -> i32 {
    let days = if micros >= FIRST_MICRO_OF_1992_UTC {
        (micros + SHANGHAI_OFFSET_MICROS).div_euclid(MICROS_PER_DAY)
    } else {
        let local = DateTime::from_timestamp_micros(micros).map(|utc| utc.with_timezone(&Shanghai).date_naive());
        let day = local.unwrap_or(NaiveDate::MIN);
        day.signed_duration_since(NaiveDate::default()).num_days()
    };
    i32::try_from(days).unwrap_or(i32::MAX)
}

/// The first microsecond, in UTC, of a day in Asia/Shanghai.
fn first_micro(day: NaiveDate) -> Option<i64> {
    let midnight = day.and_time(NaiveTime::MIN);
    // Summer time began at midnight in 1986–1991 and in the 1940s: the day then starts later.
    (0..4)
        .find_map(|quarter| {
            let time = midnight + chrono::Duration::minutes(30 * quarter);
            Shanghai.from_local_datetime(&time).earliest()
        })
        .map(|instant| instant.timestamp_micros())
}

/// `local_date(timestamp) -> date`: the day in Asia/Shanghai, in which all days of metrics.md are.
#[derive(Debug, PartialEq, Eq, Hash)]
struct LocalDate {
    signature: Signature,
}

impl LocalDate {
    fn new() -> Self {
        Self { signature: Signature::user_defined(Volatility::Immutable) }
    }
}

impl ScalarUDFImpl for LocalDate {
    fn name(&self) -> &str {
        "local_date"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, arguments: &[DataType]) -> Result<Vec<DataType>> {
        match arguments {
            [
                DataType::Timestamp(_, _) | DataType::Null | DataType::Utf8 | DataType::Utf8View | DataType::LargeUtf8,
            ] => Ok(vec![lineage::instant()]),
            [other] => plan_err!("local_date takes a timestamp, not {other}"),
            _ => plan_err!("local_date takes one timestamp"),
        }
    }

    fn return_type(&self, _arguments: &[DataType]) -> Result<DataType> {
        Ok(DataType::Date32)
    }

    fn is_strict(&self) -> bool {
        true
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        over_one_array(args, |array| {
            let instants = cast(array, &lineage::instant())?;
            let days: Date32Array = instants.as_primitive::<TimestampMicrosecondType>().unary(local_day);
            Ok(Arc::new(days))
        })
    }

    /// `local_date(t) <= day` becomes `t < the next midnight`, which prunes files.
    fn preimage(&self, args: &[Expr], day: &Expr, info: &SimplifyContext) -> Result<PreimageResult> {
        let ([instant], Some(ScalarValue::Date32(Some(day)))) = (args, day.as_literal()) else {
            return Ok(PreimageResult::None);
        };
        if info.get_data_type(instant)? != lineage::instant() {
            return Ok(PreimageResult::None);
        }
        let Some(day) = Date32Type::to_naive_date_opt(*day) else { return Ok(PreimageResult::None) };
        let next = day.checked_add_days(Days::new(1));
        let (Some(first), Some(end)) = (first_micro(day), next.and_then(first_micro)) else {
            return Ok(PreimageResult::None);
        };
        let bound = |micros| ScalarValue::TimestampMicrosecond(Some(micros), Some("UTC".into()));
        let interval = Box::new(Interval::try_new(bound(first), bound(end))?);
        Ok(PreimageResult::Range { expr: instant.clone(), interval })
    }
}

/// `is_credit_code(text) -> bool`: both check characters of GB 32100 hold.
#[derive(Debug, PartialEq, Eq, Hash)]
struct IsCreditCode {
    signature: Signature,
}

impl IsCreditCode {
    fn new() -> Self {
        Self { signature: Signature::user_defined(Volatility::Immutable) }
    }
}

impl ScalarUDFImpl for IsCreditCode {
    fn name(&self) -> &str {
        "is_credit_code"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, arguments: &[DataType]) -> Result<Vec<DataType>> {
        match arguments {
            [text @ (DataType::Utf8 | DataType::Utf8View)] => Ok(vec![text.clone()]),
            [DataType::LargeUtf8 | DataType::Null] => Ok(vec![DataType::Utf8]),
            [other] => plan_err!("is_credit_code takes a text, not {other}"),
            _ => plan_err!("is_credit_code takes one text"),
        }
    }

    fn return_type(&self, _arguments: &[DataType]) -> Result<DataType> {
        Ok(DataType::Boolean)
    }

    fn is_strict(&self) -> bool {
        true
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        over_one_array(args, |array| {
            let valid = |text: Option<&str>| text.map(credit_code::is_valid);
            let verdicts: BooleanArray = match array.data_type() {
                DataType::Utf8View => array.as_string_view().iter().map(valid).collect(),
                _ => cast(array, &DataType::Utf8)?.as_string::<i32>().iter().map(valid).collect(),
            };
            Ok(Arc::new(verdicts))
        })
    }
}

/// Applies a column function to its one argument; a constant stays a constant.
fn over_one_array(
    args: ScalarFunctionArgs,
    function: impl Fn(&dyn Array) -> Result<ArrayRef>,
) -> Result<ColumnarValue> {
    match args.args.first() {
        Some(ColumnarValue::Array(array)) => Ok(ColumnarValue::Array(function(array.as_ref())?)),
        Some(ColumnarValue::Scalar(value)) => {
            let result = function(value.to_array()?.as_ref())?;
            Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(&result, 0)?))
        }
        None => plan_err!("a function of one argument was called without it"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day_of(instant: &str) -> String {
        let micros = DateTime::parse_from_rfc3339(instant).unwrap().timestamp_micros();
        Date32Type::to_naive_date_opt(local_day(micros)).unwrap().to_string()
    }

    #[test]
    fn a_day_ends_at_midnight_in_shanghai_not_in_utc() {
        assert_eq!(day_of("2026-03-01T15:59:59.999999Z"), "2026-03-01");
        assert_eq!(day_of("2026-03-01T16:00:00Z"), "2026-03-02");
        assert_eq!(day_of("2024-02-29T00:00:00+08:00"), "2024-02-29");
        assert_eq!(day_of("2025-12-31T23:59:59+08:00"), "2025-12-31");
    }

    #[test]
    fn days_before_1992_follow_the_summer_time_of_those_years() {
        assert_eq!(day_of("1990-07-01T15:00:00Z"), "1990-07-02");
        assert_eq!(day_of("1969-12-31T15:59:59Z"), "1969-12-31");
    }

    #[test]
    fn the_first_microsecond_of_a_day_falls_on_that_day_and_the_one_before_does_not() {
        for text in ["1986-05-04", "1991-12-31", "1992-01-01", "2024-02-29", "2026-01-01"] {
            let day: NaiveDate = text.parse().unwrap();
            let first = first_micro(day).unwrap();
            let number = Date32Type::from_naive_date(day);
            assert_eq!((local_day(first), local_day(first - 1)), (number, number - 1), "{text}");
        }
    }

    #[tokio::test]
    async fn both_functions_answer_in_sql_for_constants_and_nulls() {
        let session = crate::session::build(&crate::session::Limits::default(), None).unwrap();
        let sql = "select local_date(timestamp '2026-03-01 16:00:00') = date '2026-03-02', \
                   local_date(null) is null, is_credit_code('91330100799655058B'), \
                   not is_credit_code('91330100799655058C'), is_credit_code(null) is null";
        let batches = session.sql(sql).await.unwrap().collect().await.unwrap();
        for column in batches[0].columns() {
            assert!(column.as_boolean().value(0));
        }
    }

    #[tokio::test]
    async fn a_comparison_with_a_day_becomes_a_comparison_of_instants() {
        let session = crate::session::build(&crate::session::Limits::default(), None).unwrap();
        let sql = "select 1 from (values (arrow_cast('2026-03-01T16:00:00', 'Timestamp(Microsecond, Some(\"UTC\"))'))) \
                   as event (happened_at) where local_date(happened_at) <= date '2026-03-01'";
        let plan = session.sql(sql).await.unwrap().into_optimized_plan().unwrap();
        assert!(!plan.display_indent().to_string().contains("local_date"), "{plan}");
        assert_eq!(session.sql(sql).await.unwrap().count().await.unwrap(), 0);
    }
}
