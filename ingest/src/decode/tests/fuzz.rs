//! Random files: nothing panics, every record has one number, and where blocks end makes no
//! difference. Each property runs for `ANZE_FUZZ_SECONDS` (default 5; `tests/run` and
//! `tests/campaign fuzz` set more).

use std::time::{Duration, Instant};

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestCaseError, TestRng, TestRunner};

use super::*;

/// Runs a property on ever new input until its time is up.
#[expect(clippy::disallowed_methods, reason = "how long a test runs is set from outside")]
fn for_a_while<S: Strategy>(seed: u8, strategy: &S, property: impl Fn(S::Value) -> Result<(), TestCaseError>) {
    let seconds = std::env::var("ANZE_FUZZ_SECONDS").ok().and_then(|text| text.parse().ok()).unwrap_or(5);
    let until = Instant::now() + Duration::from_secs(seconds);
    let config = Config { cases: 64, failure_persistence: None, ..Config::default() };
    let algorithm = proptest::test_runner::RngAlgorithm::ChaCha;
    let mut runner = TestRunner::new_with_rng(config, TestRng::from_seed(algorithm, &[seed; 32]));
    while Instant::now() < until {
        if let Err(error) = runner.run(strategy, &property) {
            panic!("{error}");
        }
    }
}

/// Bytes with a liking for what parts fields, records and characters.
fn pieces() -> impl Strategy<Value = Vec<u8>> {
    let marks = prop::sample::select(vec![
        b",".to_vec(),
        b"\n".to_vec(),
        b"\r\n".to_vec(),
        b"\r".to_vec(),
        b"\"".to_vec(),
        b"\"\"".to_vec(),
        b"{".to_vec(),
        b"}".to_vec(),
        b"[".to_vec(),
        b":".to_vec(),
        b"\\".to_vec(),
        b"\\u0000".to_vec(),
        b"\0".to_vec(),
        b"\xEF\xBB\xBF".to_vec(),
        b"\x81".to_vec(),
        b"\x81\x30\x81\x30".to_vec(),
        b"\xFF".to_vec(),
        "甲".as_bytes().to_vec(),
        "𠮷".as_bytes().to_vec(),
        b"null".to_vec(),
        b"2026-02-30".to_vec(),
        b"-9223372036854775808".to_vec(),
        b"1e309".to_vec(),
        b"91330100799655058B".to_vec(),
        "91330100799655058B,甲,A,3,x,330102,2026-01-01,\n".as_bytes().to_vec(),
        br#"{"uscc":"91330100799655058B","name":"x"}"#.to_vec(),
        b"\"uscc\":".to_vec(),
        b"\"name\":\"x\"".to_vec(),
    ]);
    let piece = prop_oneof![6 => marks, 2 => "[ -~]{0,12}".prop_map(String::into_bytes), 1 => vec(any::<u8>(), 0..8)];
    vec(piece, 0..60).prop_map(|pieces| pieces.concat())
}

/// What a file comes to: rows and faults, or the reason of its refusal.
fn outcome(format: &str, block_bytes: usize, bytes: &[u8]) -> Result<Outcome, String> {
    let limits = Limits { block_bytes, record_bytes: 200, chunk_rows: 1 + block_bytes % 7 };
    decode_with("agency", format, limits, &[], bytes).map_err(|error| error.to_string())
}

/// Every record has one number, from 1, and none is missing.
fn is_accounted(outcome: &Outcome) -> Result<(), TestCaseError> {
    let rows = outcome.rows.iter().map(|row| row.row_no);
    let mut numbers: Vec<u64> = rows.chain(outcome.rejected.iter().map(|record| record.row_no)).collect();
    numbers.sort_unstable();
    prop_assert_eq!(&numbers, &(1..=numbers.len() as u64).collect::<Vec<_>>());
    Ok(())
}

fn holds(format: &str, bytes: &[u8], block: usize) -> Result<(), TestCaseError> {
    let whole = outcome(format, 1 << 20, bytes);
    if let Ok(outcome) = &whole {
        is_accounted(outcome)?;
    }
    prop_assert_eq!(outcome(format, block, bytes), whole);
    Ok(())
}

#[test]
fn random_text_below_a_header_is_accounted_wherever_blocks_end() {
    for_a_while(1, &(pieces(), 1..40usize), |(bytes, block)| holds("", &[HEADER, &bytes].concat(), block));
}

#[test]
fn random_text_without_a_header_is_read_or_refused() {
    for_a_while(2, &(pieces(), 1..40usize), |(bytes, block)| holds("", &bytes, block));
}

#[test]
fn random_gb18030_is_accounted_wherever_blocks_end() {
    let format = "format.encoding = 'gb18030'";
    for_a_while(3, &(pieces(), 1..40usize), |(bytes, block)| holds(format, &[HEADER, &bytes].concat(), block));
}

#[test]
fn random_lines_of_objects_are_accounted_wherever_blocks_end() {
    for_a_while(4, &(pieces(), 1..40usize), |(bytes, block)| holds("format.kind = 'ndjson'", &bytes, block));
}

#[test]
fn random_text_through_every_kind_of_mapping_is_accounted() {
    let toml = r#"
        format.null = ["", "null"]
        format.thousands = ","
        columns.name = { to = "name", codes = { "甲" = "乙" }, null = ["x"] }
        columns.expert_count = { to = "expert_count", scale = 0.5 }
        columns.valid_from = { to = "valid_from", format = "%Y-%m-%d" }
        constants.region_code = "330102"
    "#;
    let contract = builtin().dataset("agency").unwrap();
    let feed: Feed = toml::from_str(toml).unwrap();
    let mut mapping = Mapping::new(&feed.columns, &feed.constants, contract).unwrap();
    let read_as = ColumnConfig { to: "equipment".to_owned(), ..ColumnConfig::default() };
    mapping.compute(&read_as, derived::Joined::of("equipment", "qualification")).unwrap();
    let read = |bytes: &[u8], block_bytes: usize| -> Result<Vec<(u64, Vec<String>, usize)>, String> {
        let limits = Limits { block_bytes, record_bytes: 200, chunk_rows: 1 + block_bytes % 7 };
        let format = Format::new(&feed.format).unwrap().with_limits(limits);
        let decoder = Decoder::open(Cursor::new(bytes.to_vec()), &format, &mapping, &[]);
        let mut rows = Vec::new();
        for chunk in decoder.map_err(|error| error.to_string())? {
            let chunk = chunk.map_err(|error| error.to_string())?;
            rows.extend(chunk.rejected.iter().map(|record| (record.row_no, Vec::new(), 1)));
            for row in 0..chunk.rows.num_rows() {
                let faults = chunk.failures.iter().filter(|failure| failure.row == row).count();
                rows.push((chunk.row_no[row], texts(&chunk.rows, row), faults));
            }
        }
        rows.sort();
        Ok(rows)
    };
    for_a_while(6, &(pieces(), 1..40usize), |(bytes, block)| {
        let file = [HEADER, &bytes].concat();
        let whole = read(&file, 1 << 20);
        if let Ok(rows) = &whole {
            let numbers: Vec<u64> = rows.iter().map(|(row_no, ..)| *row_no).collect();
            prop_assert_eq!(numbers, (1..=rows.len() as u64).collect::<Vec<_>>());
        }
        prop_assert_eq!(read(&file, block), whole);
        Ok(())
    });
}

#[test]
fn a_value_comes_back_as_it_was_written() {
    let text = "[^\\p{Cc}\u{FFFD}]{1,20}";
    for_a_while(5, &(text, 0..1_000_000i64), |(name, count)| {
        let quoted = format!("\"{}\"", name.replace('"', "\"\""));
        let record = format!("91330100799655058B,{quoted},A,{count},x,330102,2026-01-01,\n");
        let outcome = outcome("", 1 << 20, &[HEADER, record.as_bytes()].concat()).map_err(TestCaseError::fail)?;
        let trimmed = name.trim();
        prop_assume!(!trimmed.is_empty());
        prop_assert_eq!(outcome.rows.len(), 1);
        prop_assert_eq!(&outcome.rows[0].values[1], trimmed);
        prop_assert_eq!(&outcome.rows[0].values[3], &count.to_string());
        Ok(())
    });
}
