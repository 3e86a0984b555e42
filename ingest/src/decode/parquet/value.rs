//! The values of a Parquet column as exact text.

use chrono::{DateTime, NaiveDate};
use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Date32Array, Decimal128Array, Decimal256Array, Float32Array, Float64Array,
    Int64Array, StringArray, StringViewArray, UInt64Array,
};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{
    DataType, Date32Type, Decimal128Type, Decimal256Type, Float32Type, Float64Type, Int64Type, TimeUnit, UInt64Type,
};
use datafusion::arrow::error::ArrowError;

use crate::decode::failure::Rule;
use crate::decode::rendered::Rendering;

/// A column of a batch.
pub(super) enum Values {
    Nothing,
    Text(StringArray),
    View(StringViewArray),
    Truth(BooleanArray),
    Int(Int64Array),
    Unsigned(UInt64Array),
    Single(Float32Array),
    Double(Float64Array),
    Decimal(Decimal128Array),
    Wide(Decimal256Array),
    Day(Date32Array),
    /// Counted since 1970 in UTC, or by a clock that says no zone.
    Instant {
        counts: Int64Array,
        unit: TimeUnit,
        has_zone: bool,
    },
}

impl Values {
    /// Whether a column of this type holds single values that can be written.
    pub(super) fn can_be(kind: &DataType) -> bool {
        use DataType::{
            Boolean, Date32, Date64, Decimal32, Decimal64, Decimal128, Decimal256, LargeUtf8, Null, Time32, Time64,
            Timestamp, Utf8, Utf8View,
        };
        kind.is_integer()
            || kind.is_floating()
            || matches!(
                kind,
                Null | Utf8
                    | LargeUtf8
                    | Utf8View
                    | Boolean
                    | Date32
                    | Date64
                    | Decimal32(..)
                    | Decimal64(..)
                    | Decimal128(..)
                    | Decimal256(..)
                    | Time32(_)
                    | Time64(_)
                    | Timestamp(..)
            )
    }

    /// The values of an array of such a type.
    pub(super) fn of(array: &ArrayRef) -> Result<Self, ArrowError> {
        let to = |kind: DataType| cast(array, &kind);
        Ok(match array.data_type() {
            DataType::Null => Self::Nothing,
            DataType::Utf8View => Self::View(array.as_string_view().clone()),
            DataType::Boolean => Self::Truth(array.as_boolean().clone()),
            DataType::UInt64 => Self::Unsigned(array.as_primitive::<UInt64Type>().clone()),
            kind if kind.is_integer() => Self::Int(to(DataType::Int64)?.as_primitive::<Int64Type>().clone()),
            DataType::Float64 => Self::Double(array.as_primitive::<Float64Type>().clone()),
            kind if kind.is_floating() => Self::Single(to(DataType::Float32)?.as_primitive::<Float32Type>().clone()),
            DataType::Decimal256(..) => Self::Wide(array.as_primitive::<Decimal256Type>().clone()),
            DataType::Decimal32(precision, scale)
            | DataType::Decimal64(precision, scale)
            | DataType::Decimal128(precision, scale) => {
                let kind = DataType::Decimal128(*precision, *scale);
                Self::Decimal(to(kind)?.as_primitive::<Decimal128Type>().clone())
            }
            DataType::Date32 | DataType::Date64 => {
                Self::Day(to(DataType::Date32)?.as_primitive::<Date32Type>().clone())
            }
            DataType::Timestamp(unit, zone) => Self::Instant {
                counts: to(DataType::Int64)?.as_primitive::<Int64Type>().clone(),
                unit: *unit,
                has_zone: zone.is_some(),
            },
            _ => Self::Text(to(DataType::Utf8)?.as_string::<i32>().clone()),
        })
    }

    /// Writes one value.
    pub(super) fn write(&self, row: usize, field: usize, rows: &mut Rendering) {
        match self {
            _ if self.is_null(row) => {}
            Self::Nothing => {}
            Self::Text(values) => rows.text(field, values.value(row)),
            Self::View(values) => rows.text(field, values.value(row)),
            Self::Truth(values) => rows.text(field, &values.value(row).to_string()),
            Self::Int(values) => rows.text(field, &values.value(row).to_string()),
            Self::Unsigned(values) => rows.text(field, &values.value(row).to_string()),
            // The shortest digits that mean this number, without an exponent.
            Self::Single(values) => rows.text(field, &values.value(row).to_string()),
            Self::Double(values) => rows.text(field, &values.value(row).to_string()),
            Self::Decimal(values) => rows.text(field, &values.value_as_string(row)),
            Self::Wide(values) => rows.text(field, &values.value_as_string(row)),
            Self::Day(values) => match NaiveDate::from_epoch_days(values.value(row)) {
                Some(day) => rows.moment(field, &day.format("%Y-%m-%d").to_string()),
                None => rows.faulty(field, Rule::ImpossibleDate, &values.value(row).to_string()),
            },
            Self::Instant { counts, unit, has_zone } => match instant(counts.value(row), *unit) {
                Some(at) if *has_zone => rows.moment(field, &at.format("%Y-%m-%dT%H:%M:%S%.fZ").to_string()),
                Some(at) => rows.moment(field, &at.format("%Y-%m-%d %H:%M:%S%.f").to_string()),
                None => rows.faulty(field, Rule::ImpossibleTime, &counts.value(row).to_string()),
            },
        }
    }

    fn is_null(&self, row: usize) -> bool {
        match self {
            Self::Nothing => true,
            Self::Text(values) => values.is_null(row),
            Self::View(values) => values.is_null(row),
            Self::Truth(values) => values.is_null(row),
            Self::Int(values) => values.is_null(row),
            Self::Unsigned(values) => values.is_null(row),
            Self::Single(values) => values.is_null(row),
            Self::Double(values) => values.is_null(row),
            Self::Decimal(values) => values.is_null(row),
            Self::Wide(values) => values.is_null(row),
            Self::Day(values) => values.is_null(row),
            Self::Instant { counts, .. } => counts.is_null(row),
        }
    }
}

fn instant(count: i64, unit: TimeUnit) -> Option<DateTime<chrono::Utc>> {
    let per_second = match unit {
        TimeUnit::Second => 1,
        TimeUnit::Millisecond => 1_000,
        TimeUnit::Microsecond => 1_000_000,
        TimeUnit::Nanosecond => 1_000_000_000,
    };
    let nanos = count.rem_euclid(per_second) * (1_000_000_000 / per_second);
    DateTime::from_timestamp(count.div_euclid(per_second), u32::try_from(nanos).ok()?)
}
