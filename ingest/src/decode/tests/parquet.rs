//! Parquet: typed columns, read as exact text.

use std::sync::Arc;

use datafusion::arrow::array::{
    ArrayRef, BinaryArray, Date32Array, Decimal128Array, Float64Array, Int64Array, ListArray, StringArray,
    TimestampMicrosecondArray,
};
use datafusion::arrow::datatypes::Int32Type;
use datafusion::parquet::arrow::ArrowWriter;

use super::*;

const PARQUET: &str = "format.kind = 'parquet'";

fn file(columns: Vec<(&str, ArrayRef)>) -> Vec<u8> {
    let batch = RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, array)| (name, array, true)));
    let batch = batch.unwrap();
    let mut bytes = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut bytes, batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    bytes
}

fn budgets() -> Vec<(&'static str, ArrayRef)> {
    let amounts = Decimal128Array::from(vec![Some(12_345), None, Some(-100)]).with_precision_and_scale(20, 3).unwrap();
    vec![
        ("insurer_code", Arc::new(StringArray::from(vec![Some("PICC"), Some("人\"保\""), None])) as ArrayRef),
        ("year", Arc::new(Int64Array::from(vec![2026, 2027, 2028])) as ArrayRef),
        ("amount", Arc::new(amounts) as ArrayRef),
        ("reported_spend", Arc::new(Float64Array::from(vec![0.1, 1e20, 1e15])) as ArrayRef),
    ]
}

#[test]
fn values_are_exact_and_go_through_the_mapping() {
    let toml = format!("{PARQUET}\ncolumns.amount = {{ to = 'amount', scale = 10 }}");
    let outcome = decode("budget", &toml, &file(budgets()));
    assert_eq!(outcome.rows[0].values, ["PICC", "2026", "123.45", "0.10"]);
    assert_eq!(outcome.rows[1].values[0], "人\"保\"");
    assert_eq!(
        outcome.held(),
        [
            (2, "amount required".to_owned()),
            (2, "reported_spend number_too_large".to_owned()),
            (3, "insurer_code required".to_owned()),
        ]
    );
    assert_eq!(outcome.rows[2].values[1..], ["2028", "-1.00", "1000000000000000.00"]);
    let bytes = file(budgets());
    let (span, raw) = record_at(Cursor::new(bytes), &format(PARQUET), 2).unwrap().unwrap();
    assert_eq!(span.len, 0, "it stands at no bytes of its own");
    let raw: serde_json::Value = serde_json::from_slice(&raw).unwrap();
    let expected = serde_json::json!({
        "insurer_code": "人\"保\"", "year": "2027", "reported_spend": "100000000000000000000"
    });
    assert_eq!(raw, expected);
}

#[test]
fn days_and_instants_keep_their_meaning() {
    // 2026-01-01 is day 20454; 2026-01-01T00:00:00Z are 1767225600 seconds.
    let micros = 1_767_225_600_000_001;
    let with_zone =
        |zone: &str| Arc::new(TimestampMicrosecondArray::from(vec![micros]).with_timezone(zone)) as ArrayRef;
    let of = |clock: ArrayRef| {
        vec![
            ("day", Arc::new(Date32Array::from(vec![20_454])) as ArrayRef),
            ("is_workday", Arc::new(datafusion::arrow::array::BooleanArray::from(vec![false])) as ArrayRef),
            ("source_updated_at", clock),
        ]
    };
    // A declared format is for texts; these are no texts.
    let toml = format!("{PARQUET}\ncolumns.day = {{ to = 'day', format = '%Y/%m/%d' }}");
    for (clock, expected) in [
        (with_zone("UTC"), micros),
        (with_zone("+08:00"), micros),
        (Arc::new(TimestampMicrosecondArray::from(vec![micros])) as ArrayRef, micros - 8 * 3_600_000_000),
    ] {
        let outcome = decode("calendar", &toml, &file(of(clock)));
        assert!(outcome.held().is_empty(), "{:?}", outcome.held());
        assert_eq!(outcome.rows[0].values[..2], ["2026-01-01", "false"]);
        assert_eq!(outcome.clock, [Some(expected)]);
    }
}

#[test]
fn a_nested_column_is_refused_if_it_is_wanted_and_passed_over_if_not() {
    let lists = ListArray::from_iter_primitive::<Int32Type, _, _>((0..3).map(|_| Some(vec![Some(1), Some(2)])));
    let bytes = BinaryArray::from_iter_values([b"a", b"b", b"c"]);
    let mut columns = budgets();
    columns.push(("明细", Arc::new(lists)));
    columns.push(("图片", Arc::new(bytes)));
    let file = file(columns);
    assert_eq!(decode("budget", PARQUET, &file).rows.len(), 3);
    for title in ["明细", "图片"] {
        let toml = format!("{PARQUET}\ncolumns.'{title}' = 'reported_spend'");
        let refused = refusal("budget", &toml, &file);
        assert_eq!(refused.rule, Rule::UnreadableColumn);
        assert!(refused.message.zh.contains(title), "{refused:?}");
    }
}

#[test]
fn what_is_no_parquet_or_cut_short_is_refused() {
    let whole = file(budgets());
    assert_eq!(refusal("budget", PARQUET, b"insurer_code,year\n").rule, Rule::WrongFormat);
    assert_eq!(refusal("budget", PARQUET, b"").rule, Rule::WrongFormat);
    assert_eq!(refusal("budget", PARQUET, &whole[..whole.len() / 2]).rule, Rule::WrongFormat);
    let mut broken = whole.clone();
    let footer_len = whole.len() - 8;
    broken[footer_len..footer_len + 4].copy_from_slice(&[0xFF, 0xFF, 0xFF, 0x7F]);
    assert_eq!(refusal("budget", PARQUET, &broken).rule, Rule::DamagedFile);
}

#[test]
fn chunks_are_bounded_whatever_the_batches_are() {
    let rows = 10_000;
    let columns = vec![
        ("insurer_code", Arc::new(StringArray::from_iter_values((0..rows).map(|_| "PICC"))) as ArrayRef),
        ("year", Arc::new(Int64Array::from_iter_values(0..rows)) as ArrayRef),
        ("amount", Arc::new(Int64Array::from_iter_values(0..rows)) as ArrayRef),
    ];
    let limits = Limits { block_bytes: 10_000, ..Limits::default() };
    let outcome = decode_with("budget", PARQUET, limits, &[], &file(columns)).unwrap();
    let numbers: Vec<u64> = outcome.rows.iter().map(|row| row.row_no).collect();
    assert_eq!(numbers, (1..=rows as u64).collect::<Vec<_>>());
    assert_eq!(outcome.rows[9_999].values[2], "9999.00");
}
