//! Small tables as text: a head of column names, then a line for each row, cells between `|`.

use std::sync::Arc;

use anze_warehouse::contract::{self, ColumnType};
use chrono::{DateTime, FixedOffset, NaiveDateTime, TimeZone};
use datafusion::arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use datafusion::arrow::compute::{CastOptions, cast_with_options};
use datafusion::arrow::datatypes::{DataType, Field, Schema};
use datafusion::arrow::util::display::{ArrayFormatter, FormatOptions};
use serde_json::{Map, Value as Json};

/// Head and rows; an empty cell is null.
fn cells(text: &str) -> (Vec<&str>, Vec<Vec<Option<&str>>>) {
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let head: Vec<&str> = split_line(lines.next().unwrap_or_default());
    let rows = lines
        .map(|line| {
            let row: Vec<_> = split_line(line).into_iter().map(|cell| (!cell.is_empty()).then_some(cell)).collect();
            assert_eq!(row.len(), head.len(), "a row has other cells than the head: {line}");
            row
        })
        .collect();
    (head, rows)
}

fn split_line(line: &str) -> Vec<&str> {
    line.split('|').map(str::trim).collect()
}

/// Rows of a dataset, typed by its contract; lineage is made up where the table does not give it.
pub(crate) fn batch(table: &str, text: &str) -> RecordBatch {
    let (head, rows) = cells(text);
    let contracts = contract::builtin();
    let contract = match table.strip_prefix("system.") {
        Some(name) => contracts.system_table(name),
        None => contracts.dataset(table),
    };
    let contract = contract.unwrap_or_else(|| panic!("no dataset {table}"));
    let mut fields = Vec::new();
    let mut columns: Vec<ArrayRef> = Vec::new();
    for (place, name) in head.iter().enumerate() {
        let column = contract.column(name).unwrap_or_else(|| panic!("{table} has no column {name}"));
        let texts: Vec<Option<&str>> = rows.iter().map(|row| row[place]).collect();
        columns.push(typed(&texts, column.kind));
        fields.push(Field::new(*name, column.kind.arrow(), true));
    }
    if !table.starts_with("system.") {
        let row_no: Vec<i64> = (1..).take(rows.len()).collect();
        columns.push(Arc::new(StringArray::from(vec![format!("{table}-1"); rows.len()])));
        fields.push(Field::new("batch_id", DataType::Utf8, true));
        columns.push(Arc::new(Int64Array::from(row_no)));
        fields.push(Field::new("row_no", DataType::Int64, true));
    }
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).unwrap()
}

fn typed(texts: &[Option<&str>], kind: ColumnType) -> ArrayRef {
    match kind {
        ColumnType::Timestamp => {
            let micros: Vec<Option<i64>> = texts.iter().map(|text| text.map(instant)).collect();
            Arc::new(TimestampMicrosecondArray::from(micros).with_timezone("UTC"))
        }
        other => {
            let options = CastOptions { safe: false, ..CastOptions::default() };
            cast_with_options(&StringArray::from(texts.to_vec()), &other.arrow(), &options).unwrap()
        }
    }
}

/// An instant with its zone, or one in Asia/Shanghai without.
fn instant(text: &str) -> i64 {
    if let Ok(instant) = DateTime::parse_from_rfc3339(text) {
        return instant.timestamp_micros();
    }
    let local = NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M")
        .or_else(|_| NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S"))
        .unwrap_or_else(|_| panic!("no instant: {text}"));
    let shanghai = FixedOffset::east_opt(8 * 3600).unwrap();
    shanghai.from_local_datetime(&local).unwrap().timestamp_micros()
}

/// The rows of a batch, every value as its text.
pub(super) fn json(batch: &RecordBatch) -> Vec<Json> {
    let options = FormatOptions::default().with_null("");
    let columns: Vec<_> = batch.columns().iter().map(|c| ArrayFormatter::try_new(c, &options).unwrap()).collect();
    let fields = batch.schema().fields().clone();
    (0..batch.num_rows())
        .map(|row| {
            let pairs = fields.iter().zip(&columns).map(|(field, column)| {
                let text = column.value(row).to_string();
                (field.name().clone(), if text.is_empty() { Json::Null } else { Json::String(text) })
            });
            Json::Object(pairs.collect::<Map<_, _>>())
        })
        .collect()
}

/// Compares rows with a table: every row, in order, in the columns that the table names.
pub(super) fn assert_rows(expected: &str, given: &[Json], place: &str) {
    let (head, rows) = cells(expected);
    let shown = || given.iter().map(Json::to_string).collect::<Vec<_>>().join("\n");
    assert_eq!(rows.len(), given.len(), "{place}: other rows than expected:\n{}", shown());
    for (row, given_row) in rows.iter().zip(given) {
        for (name, cell) in head.iter().zip(row) {
            let given_cell = &given_row[*name];
            assert!(same(*cell, given_cell), "{place}: {name} is {given_cell}, not {cell:?}:\n{}", shown());
        }
    }
}

/// Equal as text; a fraction such as `2/3` is compared as a number.
fn same(expected: Option<&str>, given: &Json) -> bool {
    let Some(expected) = expected else { return given.is_null() };
    let text = match given {
        Json::String(text) => text.clone(),
        Json::Null => return false,
        other => other.to_string(),
    };
    match expected.split_once('/') {
        Some((n, d)) => {
            let fraction = n.trim().parse::<f64>().ok().zip(d.trim().parse::<f64>().ok()).map(|(n, d)| n / d);
            let given = text.parse::<f64>().ok();
            fraction.zip(given).is_some_and(|(fraction, given)| (fraction - given).abs() <= 1e-15 * fraction.abs())
        }
        None => text == expected,
    }
}
