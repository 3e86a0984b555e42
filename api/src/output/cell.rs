//! One Arrow value as text or JSON.

use chrono::{DateTime, Utc};
use datafusion::arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{
    DataType, Date32Type, Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, Schema,
    TimeUnit, TimestampMicrosecondType, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use datafusion::arrow::error::ArrowError;
use datafusion::arrow::util::display::{ArrayFormatter, FormatOptions};
use serde_json::{Number, Value};

/// A value on its way out.
#[derive(Debug, Clone, PartialEq)]
pub enum Cell {
    Null,
    Bool(bool),
    /// A number exactly as its digits say: counts, ratios.
    Number(String),
    /// Text, money, days, instants.
    Text(String),
    /// Lists and structures.
    Nested(Value),
}

impl Cell {
    /// As it stands in a table or CSV; null is empty.
    pub fn text(&self) -> String {
        match self {
            Self::Null => String::new(),
            Self::Bool(value) => value.to_string(),
            Self::Number(text) | Self::Text(text) => text.clone(),
            Self::Nested(value) => value.to_string(),
        }
    }

    /// As it stands in JSON.
    pub fn json(&self) -> Value {
        match self {
            Self::Null => Value::Null,
            Self::Bool(value) => Value::Bool(*value),
            // Kept digit by digit; what is no JSON number (NaN) is null.
            Self::Number(text) => text.parse::<Number>().map_or(Value::Null, Value::Number),
            Self::Text(text) => Value::String(text.clone()),
            Self::Nested(value) => value.clone(),
        }
    }
}

/// The columns of a batch, ready to be read cell by cell.
pub struct Cells {
    columns: Vec<ArrayRef>,
    rows: usize,
}

impl Cells {
    /// Prepares a batch: unusual layouts are brought into the usual ones, once per column.
    pub fn of(batch: &RecordBatch) -> Result<Self, ArrowError> {
        let columns = batch.columns().iter().map(usual).collect::<Result<_, _>>()?;
        Ok(Self { columns, rows: batch.num_rows() })
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// One row's cells, in the order of the columns.
    pub fn row(&self, row: usize) -> impl Iterator<Item = Cell> + '_ {
        self.columns.iter().map(move |column| cell(column, row))
    }
}

/// Text as plain UTF-8 and instants in microseconds; everything else stays.
fn usual(column: &ArrayRef) -> Result<ArrayRef, ArrowError> {
    match column.data_type() {
        DataType::LargeUtf8 | DataType::Utf8View => cast(column, &DataType::Utf8),
        DataType::Dictionary(_, value) => usual(&cast(column, value)?),
        DataType::Date64 => cast(column, &DataType::Date32),
        DataType::Float16 => cast(column, &DataType::Float32),
        DataType::Timestamp(unit, zone) if *unit != TimeUnit::Microsecond => {
            cast(column, &DataType::Timestamp(TimeUnit::Microsecond, zone.clone()))
        }
        DataType::Decimal32(precision, scale) | DataType::Decimal64(precision, scale) => {
            cast(column, &DataType::Decimal128(*precision, *scale))
        }
        _ => Ok(ArrayRef::clone(column)),
    }
}

fn cell(column: &ArrayRef, row: usize) -> Cell {
    if column.is_null(row) {
        return Cell::Null;
    }
    match column.data_type() {
        DataType::Null => Cell::Null,
        DataType::Boolean => Cell::Bool(column.as_boolean().value(row)),
        DataType::Int8 => number(column.as_primitive::<Int8Type>().value(row)),
        DataType::Int16 => number(column.as_primitive::<Int16Type>().value(row)),
        DataType::Int32 => number(column.as_primitive::<Int32Type>().value(row)),
        DataType::Int64 => number(column.as_primitive::<Int64Type>().value(row)),
        DataType::UInt8 => number(column.as_primitive::<UInt8Type>().value(row)),
        DataType::UInt16 => number(column.as_primitive::<UInt16Type>().value(row)),
        DataType::UInt32 => number(column.as_primitive::<UInt32Type>().value(row)),
        DataType::UInt64 => number(column.as_primitive::<UInt64Type>().value(row)),
        DataType::Float32 => float(f64::from(column.as_primitive::<Float32Type>().value(row))),
        DataType::Float64 => float(column.as_primitive::<Float64Type>().value(row)),
        DataType::Decimal128(_, _) => {
            let text = column.as_primitive::<Decimal128Type>().value_as_string(row);
            if is_ratio(column.data_type()) { Cell::Number(text) } else { Cell::Text(text) }
        }
        DataType::Utf8 => Cell::Text(column.as_string::<i32>().value(row).to_owned()),
        DataType::Date32 => match column.as_primitive::<Date32Type>().value_as_date(row) {
            Some(day) => Cell::Text(day.format("%Y-%m-%d").to_string()),
            None => displayed(column, row),
        },
        DataType::Timestamp(TimeUnit::Microsecond, zone) => {
            let micros = column.as_primitive::<TimestampMicrosecondType>().value(row);
            match (DateTime::<Utc>::from_timestamp_micros(micros), zone) {
                (Some(at), Some(_)) => Cell::Text(super::instant(at)),
                (Some(at), None) => Cell::Text(at.naive_utc().format("%Y-%m-%dT%H:%M:%S%.f").to_string()),
                (None, _) => displayed(column, row),
            }
        }
        DataType::List(_) => nested(&column.as_list::<i32>().value(row)),
        DataType::LargeList(_) => nested(&column.as_list::<i64>().value(row)),
        DataType::Struct(fields) => {
            let parts = column.as_struct();
            let object =
                fields.iter().zip(parts.columns()).map(|(field, part)| (field.name().clone(), part_of(part, row)));
            Cell::Nested(Value::Object(object.collect()))
        }
        _ => displayed(column, row),
    }
}

/// The contract's type `ratio`; every other decimal is money or must stay exact, so it is text.
fn is_ratio(kind: &DataType) -> bool {
    matches!(kind, DataType::Decimal128(9, 6))
}

fn number(value: impl ToString) -> Cell {
    Cell::Number(value.to_string())
}

fn float(value: f64) -> Cell {
    if value.is_finite() { Cell::Number(Value::from(value).to_string()) } else { Cell::Null }
}

fn nested(items: &ArrayRef) -> Cell {
    Cell::Nested(Value::Array((0..items.len()).map(|item| part_of(items, item)).collect()))
}

fn part_of(part: &ArrayRef, row: usize) -> Value {
    usual(part).map_or(Value::Null, |part| cell(&part, row).json())
}

fn displayed(column: &ArrayRef, row: usize) -> Cell {
    let options = FormatOptions::default();
    match ArrayFormatter::try_new(column.as_ref(), &options) {
        Ok(formatter) => Cell::Text(formatter.value(row).to_string()),
        Err(_) => Cell::Null,
    }
}

/// The name of a type in answers: the words of the contracts where they have one.
pub fn type_name(kind: &DataType) -> String {
    match kind {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => "text".to_owned(),
        DataType::Boolean => "bool".to_owned(),
        kind if kind.is_integer() => "int".to_owned(),
        kind if kind.is_floating() => "float".to_owned(),
        kind if is_ratio(kind) => "ratio".to_owned(),
        DataType::Decimal128(precision, scale) | DataType::Decimal256(precision, scale) => {
            format!("decimal({precision},{scale})")
        }
        DataType::Date32 | DataType::Date64 => "date".to_owned(),
        DataType::Timestamp(_, Some(_)) => "timestamp".to_owned(),
        DataType::Timestamp(_, None) => "timestamp without time zone".to_owned(),
        DataType::Dictionary(_, value) => type_name(value),
        DataType::List(item) | DataType::LargeList(item) => format!("list({})", type_name(item.data_type())),
        other => other.to_string().to_lowercase(),
    }
}

/// Whether a column reads better flush right.
pub fn is_numeric(kind: &DataType) -> bool {
    kind.is_numeric()
}

/// The names of the columns.
pub fn names(schema: &Schema) -> Vec<String> {
    schema.fields().iter().map(|field| field.name().clone()).collect()
}

#[cfg(test)]
pub mod tests {
    use std::sync::Arc;

    use datafusion::arrow::array::{
        BooleanArray, Date32Array, Decimal128Array, Float64Array, Int64Array, StringViewArray,
        TimestampMicrosecondArray, TimestampNanosecondArray,
    };

    use super::*;

    /// Two rows of every common type: one of values, one of nulls.
    pub fn example() -> RecordBatch {
        let money = Decimal128Array::from(vec![Some(123_456_i128), None]).with_precision_and_scale(18, 2).unwrap();
        let ratio = Decimal128Array::from(vec![Some(812_500_i128), None]).with_precision_and_scale(9, 6).unwrap();
        let at = TimestampMicrosecondArray::from(vec![Some(1_782_757_800_000_000), None]).with_timezone("UTC");
        let columns: Vec<(&str, ArrayRef)> = vec![
            ("name", Arc::new(StringViewArray::from(vec![Some("杭州, \"市\""), None]))),
            ("count", Arc::new(Int64Array::from(vec![Some(9_007_199_254_740_993), None]))),
            ("money", Arc::new(money)),
            ("ratio", Arc::new(ratio)),
            ("day", Arc::new(Date32Array::from(vec![Some(20_634), None]))),
            ("at", Arc::new(at)),
            ("open", Arc::new(BooleanArray::from(vec![Some(true), None]))),
            ("share", Arc::new(Float64Array::from(vec![Some(f64::NAN), None]))),
        ];
        RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, column)| (name, column, true)))
            .unwrap()
    }

    #[test]
    fn every_type_has_its_form() {
        let cells = Cells::of(&example()).unwrap();
        let row: Vec<Value> = cells.row(0).map(|cell| cell.json()).collect();
        let expected = r#"["杭州, \"市\"",9007199254740993,"1234.56",0.812500,"2026-06-30","2026-06-30T02:30:00+08:00",true,null]"#;
        assert_eq!(Value::Array(row).to_string(), expected);
        assert!(cells.row(1).all(|cell| cell == Cell::Null));
    }

    #[test]
    fn instants_without_a_zone_show_none() {
        let at: ArrayRef = Arc::new(TimestampNanosecondArray::from(vec![1_782_757_800_500_000_000]));
        let batch = RecordBatch::try_from_iter([("at", at)]).unwrap();
        let shown = Cells::of(&batch).unwrap().row(0).next();
        assert_eq!(shown, Some(Cell::Text("2026-06-29T18:30:00.500".into())));
    }

    #[test]
    fn types_are_named_as_in_the_contracts() {
        let schema = example().schema();
        let named: Vec<String> = schema.fields().iter().map(|field| type_name(field.data_type())).collect();
        assert_eq!(named, ["text", "int", "decimal(18,2)", "ratio", "date", "timestamp", "bool", "float"]);
    }
}
