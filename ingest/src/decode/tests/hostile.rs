//! Broken and made-up files: whatever they are, they end in rows that are right or in a refusal.

use std::io::Write;

use proptest::prelude::*;
use serde_json::Value;

use super::workbook::{Sheet, Workbook, number, texts as cells};
use super::*;

const CSV: &[u8] = b"insurer_code,year,amount\nPICC,2026,1\nPICC,2026,x\nCPIC,2026,2\n";

/// What comes of a file: its rows, or nothing where it is refused. Anything else fails the test.
fn outcome(toml: &str, limits: Limits, bytes: &[u8]) -> Option<Outcome> {
    match decode_with("budget", toml, limits, &[], bytes) {
        Ok(outcome) => Some(outcome),
        Err(DecodeError::Refused(_)) => None,
        Err(error) => panic!("a file is read or refused, not {error:?}: {bytes:?}"),
    }
}

fn gzip() -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(CSV).unwrap();
    encoder.finish().unwrap()
}

fn zip() -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
    writer.start_file("a.csv", zip::write::SimpleFileOptions::default()).unwrap();
    writer.write_all(CSV).unwrap();
    writer.finish().unwrap().into_inner()
}

#[test]
fn no_bit_of_an_archive_can_be_turned_and_change_a_row() {
    let plain = decode("budget", "", CSV);
    for bytes in [gzip(), zip()] {
        for bit in 0..bytes.len() * 8 {
            let mut turned = bytes.clone();
            turned[bit / 8] ^= 1 << (bit % 8);
            if let Some(outcome) = outcome("", Limits::default(), &turned) {
                assert_eq!(outcome, plain, "bit {bit} of {}", bytes.len() * 8);
            }
        }
    }
}

#[test]
fn no_byte_of_a_workbook_can_be_lost_and_change_a_row() {
    let rows = vec![
        cells(&["insurer_code", "year", "amount"]),
        [cells(&["PICC"]), vec![number("2026"), number("1")]].concat(),
    ];
    let toml = "format.kind = 'xlsx'";
    let bytes = Workbook::of(vec![Sheet::of("a", rows)]).bytes();
    let whole = decode("budget", toml, &bytes);
    assert_eq!(whole.rows.len(), 1);
    for at in (0..bytes.len()).step_by(7) {
        assert_eq!(outcome(toml, Limits::default(), &bytes[..at]), None, "{at} bytes");
        let mut turned = bytes.clone();
        turned[at] ^= 0x10;
        if let Some(outcome) = outcome(toml, Limits::default(), &turned) {
            assert_eq!(outcome, whole, "byte {at}");
        }
    }
}

/// Any JSON, a few levels deep.
fn json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        "[\\[\\]{}\",:\\\\ ]{0,6}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::hash_map(".{0,3}", inner, 0..4).prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn a_list_has_as_many_records_as_elements_wherever_blocks_end(
        elements in prop::collection::vec(json(), 0..6),
        beside in json(),
        block_bytes in 1_usize..80,
        is_pretty in any::<bool>(),
    ) {
        let count = elements.len();
        let document = serde_json::json!({"a": beside, "data": {"records": elements}, "z": beside});
        let text = if is_pretty { serde_json::to_vec_pretty(&document) } else { serde_json::to_vec(&document) }.unwrap();
        let toml = "format.kind = 'json'\nformat.path = '/data/records'";
        let limits = |block_bytes| Limits { block_bytes, record_bytes: 200, chunk_rows: 3 };
        let whole = outcome(toml, limits(1 << 20), &text).unwrap();
        prop_assert_eq!(whole.rows.len() + whole.rejected.len(), count);
        prop_assert_eq!(outcome(toml, limits(block_bytes), &text).unwrap(), whole);
        let cut = block_bytes * text.len() / 81;
        prop_assert_eq!(outcome(toml, limits(block_bytes), &text[..cut]), None);
    }

    #[test]
    fn text_that_looks_like_json_is_read_or_refused(
        text in "[\\[\\]{}\",:\\\\ 1a\n]{0,40}",
        block_bytes in 1_usize..20,
    ) {
        let limits = |block_bytes| Limits { block_bytes, record_bytes: 12, chunk_rows: 2 };
        let toml = "format.kind = 'json'";
        let whole = outcome(toml, limits(1 << 20), text.as_bytes());
        prop_assert_eq!(&outcome(toml, limits(block_bytes), text.as_bytes()), &whole);
        if let Ok(list) = serde_json::from_str::<Vec<Value>>(&text) {
            let whole = whole.unwrap();
            prop_assert_eq!(whole.rows.len() + whole.rejected.len(), list.len());
        }
    }
}
