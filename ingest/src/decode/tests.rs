//! Whole files, from bytes to rows and faults.

use std::collections::BTreeMap;

use anze_warehouse::contract::builtin;
use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::util::display::array_value_to_string;
use serde::Deserialize;

use super::*;

#[derive(Deserialize)]
struct Feed {
    #[serde(default)]
    format: FormatConfig,
    #[serde(default)]
    columns: BTreeMap<String, ColumnConfig>,
    #[serde(default)]
    constants: BTreeMap<String, ConstantConfig>,
}

/// A row as text, and every fault of it by column and rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) row_no: u64,
    span: Span,
    pub(super) values: Vec<String>,
    pub(super) faults: Vec<String>,
    warnings: Vec<String>,
}

impl Row {
    pub(super) fn is_clean(&self) -> bool {
        self.faults.is_empty()
    }
}

/// All that came of a file, whatever its chunks were.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Outcome {
    pub(super) rows: Vec<Row>,
    pub(super) rejected: Vec<RejectedRecord>,
    messages: Vec<Message>,
    source: Vec<Vec<String>>,
    clock: Vec<Option<i64>>,
}

impl Outcome {
    /// Row numbers with the rules that their records break.
    pub(super) fn held(&self) -> Vec<(u64, String)> {
        let rejected = self.rejected.iter().map(|record| (record.row_no, record.rule.to_string()));
        let failed = self.rows.iter().flat_map(|row| row.faults.iter().map(|fault| (row.row_no, fault.clone())));
        let mut held: Vec<_> = rejected.chain(failed).collect();
        held.sort();
        held
    }
}

fn format(toml: &str) -> Format {
    Format::new(&toml::from_str::<Feed>(toml).unwrap().format).unwrap()
}

fn texts(batch: &RecordBatch, row: usize) -> Vec<String> {
    batch.columns().iter().map(|column| array_value_to_string(column, row).unwrap()).collect()
}

pub(super) fn decode_with(
    dataset: &str,
    toml: &str,
    limits: Limits,
    extra: &[&str],
    bytes: &[u8],
) -> Result<Outcome, DecodeError> {
    let feed: Feed = toml::from_str(toml).unwrap();
    let contract = builtin().dataset(dataset).unwrap();
    let format = Format::new(&feed.format).unwrap().with_limits(limits);
    let mapping = Mapping::new(&feed.columns, &feed.constants, contract).unwrap();
    let extra: Vec<String> = extra.iter().map(ToString::to_string).collect();
    let mut outcome = Outcome::default();
    for chunk in Decoder::open(bytes, &format, &mapping, &extra)? {
        let chunk = chunk?;
        let named = |failure: &CellFailure| {
            let column = contract.columns.get(failure.column).map_or("source_updated_at", |column| &column.name);
            format!("{column} {}", failure.rule)
        };
        for row in 0..chunk.rows.num_rows() {
            let of_row = |failures: &[CellFailure]| -> Vec<String> {
                failures.iter().filter(|failure| failure.row == row).map(named).collect()
            };
            let end = chunk.spans[row].offset + u64::from(chunk.spans[row].len);
            assert_eq!(chunk.raw(chunk.spans[row]), &bytes[chunk.spans[row].offset as usize..end as usize]);
            outcome.rows.push(Row {
                row_no: chunk.row_no[row],
                span: chunk.spans[row],
                values: texts(&chunk.rows, row),
                faults: of_row(&chunk.failures),
                warnings: of_row(&chunk.warnings),
            });
            outcome.source.extend(chunk.source.as_ref().map(|source| texts(source, row)));
        }
        outcome.clock.extend(chunk.source_updated_at.iter());
        outcome.messages.extend(chunk.failures.iter().map(|failure| failure.message.clone()));
        outcome.rejected.extend(chunk.rejected);
    }
    Ok(outcome)
}

fn decode(dataset: &str, toml: &str, bytes: &[u8]) -> Outcome {
    decode_with(dataset, toml, Limits::default(), &[], bytes).unwrap()
}

fn refusal(dataset: &str, toml: &str, bytes: &[u8]) -> FileRefused {
    match decode_with(dataset, toml, Limits::default(), &[], bytes) {
        Err(DecodeError::Refused(refused)) => refused,
        other => panic!("the file should have been refused: {other:?}"),
    }
}

pub(super) const HEADER: &[u8] = b"uscc,name,qualification,expert_count,equipment,region_code,valid_from,valid_to\n";
const GOOD: &[u8] = "91330100799655058B,甲,A,3,x,330102,2026-01-01,\n".as_bytes();

/// A file of agencies with one record between two good ones.
fn between(record: &[u8]) -> Vec<u8> {
    [HEADER, GOOD, record, b"\n", GOOD].concat()
}

#[test]
fn values_become_the_types_of_the_contract() {
    let outcome = decode("agency", "", &[HEADER, GOOD].concat());
    let [row] = outcome.rows.as_slice() else { panic!("one row") };
    assert_eq!(row.values, ["91330100799655058B", "甲", "A", "3", "x", "330102", "2026-01-01", ""]);
    assert_eq!((row.row_no, row.span.offset), (1, HEADER.len() as u64));
    assert_eq!(row.span.len as usize, GOOD.len() - 1, "without the line end");
    assert!(outcome.held().is_empty());
}

#[test]
fn every_broken_record_is_held_alone() {
    let broken: [(&[u8], &str); 9] = [
        (b"91330100799655058B,x,A", "too_few_fields"),
        (b"91330100799655058B,x,A,3,x,330102,2026-01-01,,", "too_many_fields"),
        (b"91330100799655058B,a\"b,A,3,x,330102,2026-01-01,", "bad_quote"),
        (b"91330100799655058B,\"a\"b,A,3,x,330102,2026-01-01,", "bad_quote"),
        (b"91330100799655058B, \"a\",A,3,x,330102,2026-01-01,", "bad_quote"),
        (b"91330100799655058B,\"a,A,3,x,330102,2026-01-01,", "unclosed_quote"),
        (b"91330100799655058B,x,A,3,x,330102,2026-01-01,\"", "unclosed_quote"),
        (b"91330100799655058B,\xFF,A,3,x,330102,2026-01-01,", "invalid_encoding"),
        (b"91330100799655058B,x,A,3,\xE7\x9F,330102,2026-01-01,", "invalid_encoding"),
    ];
    for (record, rule) in broken {
        let outcome = decode("agency", "", &between(record));
        let shown = String::from_utf8_lossy(record).into_owned();
        assert_eq!(outcome.held(), [(2, rule.to_owned())], "{shown}");
        assert_eq!(outcome.rows.iter().map(|row| row.row_no).collect::<Vec<_>>(), [1, 3], "{shown}");
        assert_eq!(outcome.rejected[0].span.offset as usize, HEADER.len() + GOOD.len(), "{shown}");
        assert_eq!(outcome.rejected[0].span.len as usize, record.len(), "{shown}");
    }
}

#[test]
fn every_wrong_value_holds_its_row_and_names_its_column() {
    let wrong = [
        (",甲,A,3,x,330102,2026-01-01,", "uscc required"),
        ("9133,甲,A,3,x,330102,2026-01-01,", "uscc not_a_credit_code"),
        ("91330100799655058C,甲,A,3,x,330102,2026-01-01,", "uscc bad_check_character"),
        ("91330100799655058B,\u{3000} ,A,3,x,330102,2026-01-01,", "name required"),
        ("91330100799655058B,甲\0乙,A,3,x,330102,2026-01-01,", "name control_character"),
        ("91330100799655058B,甲\u{7F},A,3,x,330102,2026-01-01,", "name control_character"),
        ("91330100799655058B,甲\u{85},A,3,x,330102,2026-01-01,", "name control_character"),
        ("91330100799655058B,甲\u{FFFD},A,3,x,330102,2026-01-01,", "name replacement_character"),
        ("91330100799655058B,甲,A,three,x,330102,2026-01-01,", "expert_count not_a_number"),
        ("91330100799655058B,甲,A,1e3,x,330102,2026-01-01,", "expert_count not_a_number"),
        ("91330100799655058B,甲,A,3\0,x,330102,2026-01-01,", "expert_count control_character"),
        ("91330100799655058B,甲,A,2.5,x,330102,2026-01-01,", "expert_count not_an_int"),
        ("91330100799655058B,甲,A,9223372036854775808,x,330102,2026-01-01,", "expert_count number_too_large"),
        ("91330100799655058B,甲,A,3,x,330102,2026-02-30,", "valid_from impossible_date"),
        ("91330100799655058B,甲,A,3,x,330102,2026/01/01,", "valid_from not_a_date"),
        ("91330100799655058B,甲,A,3,x,330102,2026-01-01 08:00:00,", "valid_from not_a_date"),
        ("91330100799655058B,甲,A,3,x,330102,2026-01-01,9999-12-31", "valid_to date_out_of_range"),
    ];
    for (record, fault) in wrong {
        let outcome = decode("agency", "", &between(record.as_bytes()));
        assert_eq!(outcome.held(), [(2, fault.to_owned())], "{record:?}");
        assert_eq!(outcome.rows.len(), 3, "{record:?}");
    }
}

#[test]
fn all_faults_of_a_row_are_told_in_the_order_of_the_contract() {
    let outcome = decode("agency", "", &between(b"91330100799655058C,,A,x,x,330102,2026-02-30,"));
    let expected =
        ["uscc bad_check_character", "name required", "expert_count not_a_number", "valid_from impossible_date"];
    assert_eq!(outcome.rows[1].faults, expected);
    assert_eq!(outcome.rows[1].values[2], "A", "what could be read is there");
}

#[test]
fn rows_that_need_the_full_way_are_read_too() {
    let outcome = decode(
        "agency",
        "",
        &between(
            " 91330100799655058b ,\"甲 \"\"乙\"\"\", A\u{3000},3.0,\"x,\ny\",330102,2026-01-01 00:00:00,\"\""
                .as_bytes(),
        ),
    );
    assert!(outcome.held().is_empty(), "{:?}", outcome.held());
    let row = &outcome.rows[1];
    assert_eq!(row.values, ["91330100799655058B", "甲 \"乙\"", "A", "3", "x,\ny", "330102", "2026-01-01", ""]);
    assert_eq!(row.warnings, ["uscc upper_cased"]);
}

#[test]
fn line_ends_may_be_mixed_and_blank_lines_are_no_records() {
    let text = "\u{FEFF}day,is_workday\r\n2026-01-01,否\r2026-01-02,是\n\r\n   \n\"2026-01-03\",0\r\n\r\r2026-01-04,1";
    let outcome = decode("calendar", "", text.as_bytes());
    let rows: Vec<_> = outcome.rows.iter().map(|row| (row.row_no, row.values.join(" "))).collect();
    let expected = [(1, "2026-01-01 false"), (2, "2026-01-02 true"), (3, "2026-01-03 false"), (4, "2026-01-04 true")];
    assert_eq!(rows, expected.map(|(row_no, values)| (row_no, values.to_owned())));
    assert!(outcome.rejected.is_empty());
}

#[test]
fn a_truncated_last_line_is_held_and_a_whole_one_is_not() {
    let outcome = decode("agency", "", &[HEADER, GOOD, b"91330100799655058B,x,A,3"].concat());
    assert_eq!(outcome.held(), [(2, "too_few_fields".to_owned())]);
    let outcome = decode("agency", "", &[HEADER, GOOD.strip_suffix(b"\n").unwrap()].concat());
    assert!(outcome.held().is_empty());
    assert_eq!(outcome.rows.len(), 1);
}

#[test]
fn two_stray_quotes_do_not_swallow_what_lies_between() {
    // The quote opened in the second record is closed, in form, by the stray one in the fourth: read
    // as one record, they would have eight fields and hide three records.
    let opened = b"91330100799655058B,\"x,A,3,x,330102,2026-01-01,\n";
    let stray = b"91330100799655058B,x\",A,3,x,330102,2026-01-01,\n";
    let outcome = decode("agency", "", &[HEADER, GOOD, opened, GOOD, stray, GOOD].concat());
    assert_eq!(outcome.held(), [(2, "unclosed_quote".to_owned()), (4, "bad_quote".to_owned())]);
    assert_eq!(outcome.rows.iter().map(|row| row.row_no).collect::<Vec<_>>(), [1, 3, 5]);
    let outcome = decode("agency", "", &[HEADER, opened, stray, GOOD].concat());
    assert_eq!(outcome.held(), [(1, "unclosed_quote".to_owned()), (2, "bad_quote".to_owned())]);
}

#[test]
fn a_multi_line_record_of_the_wrong_width_gives_its_lines_back() {
    let outcome = decode("agency", "", &[HEADER, b"91330100799655058B,\"x,A\n", GOOD, b"y\",z\n", GOOD].concat());
    let held: Vec<_> = outcome.held();
    assert_eq!(held, [(1, "unclosed_quote".to_owned()), (3, "bad_quote".to_owned())]);
    assert_eq!(outcome.rows.len(), 2);
}

#[test]
fn a_text_of_several_lines_stays_one_value() {
    for text in ["第一行\n第二行", "a\r\nb\rc", "1,2,3\n4,5", "\n"] {
        let record = format!("91330100799655058B,甲,A,3,\"{text}\",330102,2026-01-01,");
        let outcome = decode("agency", "", &between(record.as_bytes()));
        assert!(outcome.held().is_empty(), "{text:?}");
        assert_eq!(outcome.rows[1].values[4], text);
        assert_eq!(outcome.rows[2].row_no, 3);
    }
}

#[test]
fn a_record_over_the_limit_is_held_and_the_next_one_read() {
    let limits = Limits { record_bytes: 100, ..Limits::default() };
    let long = [b"91330100799655058B,".as_slice(), &[b'x'; 200], b",A,3,x,330102,2026-01-01,"].concat();
    let outcome = decode_with("agency", "", limits, &[], &between(&long)).unwrap();
    assert_eq!(outcome.held(), [(2, "record_too_long".to_owned())]);
    assert_eq!(outcome.rejected[0].span.len, 100);
    assert_eq!(outcome.rows.len(), 2);
    let exact = [b"91330100799655058B,".as_slice(), &[b'x'; 56], b",A,3,x,330102,2026-01-01,"].concat();
    assert_eq!(exact.len(), 100);
    let outcome = decode_with("agency", "", limits, &[], &between(&exact)).unwrap();
    assert!(outcome.held().is_empty());
}

/// Everything that can go wrong, good records between, in UTF-8.
fn hostile() -> String {
    let good = "91330100799655058B,甲,\"A \"\"1\"\"\",3,\"x,\r\ny\",330102,2026-01-01,";
    let broken = [
        "91330100799655058C,甲,A,2.5,x,330102,2026-02-30,9999-12-31",
        "91330100799655058b,\u{3000}㐀矿𠮷 ,A,3,x,330102,2026-01-01,",
        "91330100799655058B,甲",
        "",
        "  ",
        "91330100799655058B,甲,A,3,x,330102,2026-01-01,,,",
        "91330100799655058B,a\"b,A,3,x,330102,2026-01-01,",
        "91330100799655058B,\"甲,A,3,x,330102,2026-01-01,",
        "91330100799655058B,甲\",A,3,x,330102,2026-01-01,",
        "91330100799655058B,\"甲\n乙\"丙,A,3,x,330102,2026-01-01,",
        "91330100799655058B,甲\0,A,3,x,330102,2026-01-01,",
        "91330100799655058B,甲甲甲甲甲甲甲甲甲甲甲甲甲甲甲甲甲甲甲甲甲甲甲甲甲甲甲甲甲甲甲甲甲甲甲甲,A,3,x,330102,2026-01-01,",
        "\"\"",
        "\"",
    ];
    let ends = ["\n", "\r\n", "\r"];
    let mut text = String::from("uscc,name,qualification,expert_count,equipment,region_code,valid_from,valid_to\r\n");
    for (at, broken) in broken.iter().enumerate() {
        text += &[broken, ends[at % 3], good, ends[(at + 1) % 3]].concat();
    }
    text + "91330100799655058B,\"甲"
}

#[test]
fn where_blocks_end_makes_no_difference() {
    let gb18030 = encoding_rs::GB18030.encode(&hostile()).0.into_owned();
    let damaged = |bytes: &[u8]| {
        let mut bytes = bytes.to_vec();
        let at = bytes.windows(4).position(|piece| piece == b",2.5").unwrap();
        bytes.splice(at - 1..at, *b"\x81\xFF");
        bytes
    };
    for (toml, bytes) in [
        ("", hostile().into_bytes()),
        ("", damaged(hostile().as_bytes())),
        ("format.encoding = 'gb18030'", gb18030.clone()),
        ("format.encoding = 'gb18030'", damaged(&gb18030)),
    ] {
        let limits = |block_bytes, chunk_rows| Limits { block_bytes, record_bytes: 120, chunk_rows };
        let whole = decode_with("agency", toml, limits(1 << 20, 1 << 16), &[], &bytes).unwrap();
        assert!(whole.rows.len() >= 14 && whole.rejected.len() >= 8, "{:?}", whole.held());
        for block_bytes in 1..=64 {
            for chunk_rows in [1, 3, 1 << 16] {
                let blocks = decode_with("agency", toml, limits(block_bytes, chunk_rows), &[], &bytes).unwrap();
                assert_eq!(blocks, whole, "blocks of {block_bytes} bytes, chunks of {chunk_rows} rows");
            }
        }
        let numbers: Vec<u64> = {
            let rows = whole.rows.iter().map(|row| row.row_no);
            let mut numbers: Vec<_> = rows.chain(whole.rejected.iter().map(|record| record.row_no)).collect();
            numbers.sort_unstable();
            numbers
        };
        assert_eq!(numbers, (1..=numbers.len() as u64).collect::<Vec<_>>(), "every record has one number");
    }
}

#[test]
fn trace_finds_every_record_byte_for_byte() {
    let bytes = hostile().into_bytes();
    let limits = Limits { record_bytes: 120, block_bytes: 33, chunk_rows: 4 };
    let outcome = decode_with("agency", "", limits, &[], &bytes).unwrap();
    let rows = outcome.rows.iter().map(|row| (row.row_no, row.span));
    let records: Vec<_> = rows.chain(outcome.rejected.iter().map(|record| (record.row_no, record.span))).collect();
    for (row_no, span) in &records {
        let (found, raw) = record_at(bytes.as_slice(), &format("").with_limits(limits), *row_no).unwrap().unwrap();
        assert_eq!(found, *span, "record {row_no}");
        assert_eq!(raw, &bytes[span.offset as usize..span.offset as usize + span.len as usize], "record {row_no}");
    }
    let beyond = records.len() as u64 + 1;
    assert_eq!(record_at(bytes.as_slice(), &format("").with_limits(limits), beyond).unwrap(), None);
    assert_eq!(record_at(bytes.as_slice(), &format("").with_limits(limits), 0).unwrap(), None);
}

#[test]
fn a_chinese_header_in_gb18030_is_mapped_and_named_in_messages() {
    let toml = r#"
        [format]
        encoding = "gb18030"
        thousands = ","
        [columns]
        "机构" = { to = "insurer_code", codes = { "人保" = "PICC" } }
        "年度" = "year"
        "金额(万元)" = { to = "amount", scale = 10000 }
    "#;
    let text = "机构,年度, 金额(万元) \n人保,2026,1.23456\nCPIC,2026,\"1,234.5\"\n人保,2026,1.2345678\n人保,2026,一万";
    let outcome = decode("budget", toml, &encoding_rs::GB18030.encode(text).0);
    let values: Vec<_> = outcome.rows.iter().map(|row| row.values.join("|")).collect();
    assert_eq!(values[..2], ["PICC|2026|12345.60|", "CPIC|2026|12345000.00|"]);
    assert_eq!(
        outcome.held(),
        [(3, "amount too_many_fraction_digits".to_owned()), (4, "amount not_a_number".to_owned())]
    );
    assert_eq!(outcome.messages[1].zh, "列“金额(万元)”的值“一万”不是数字");
    assert_eq!(outcome.messages[1].en, "column \"金额(万元)\": \"一万\" is not a number");
}

#[test]
fn bytes_that_are_no_text_are_told_with_their_offset_in_the_file() {
    let bytes = b"insurer_code,year,amount\nPICC,2026,1\nPI\xBF,2026,1\n";
    let outcome = decode("budget", "format.encoding = 'gb18030'", bytes);
    assert_eq!(outcome.held(), [(2, "invalid_encoding".to_owned())]);
    let message = &outcome.rejected[0].message;
    // 25 bytes of header and 12 of the first record, then "PI".
    assert!(message.en.contains("offset 39 ") && message.en.contains("\"insurer_code\""), "{}", message.en);
    assert!(message.zh.contains("第 39 字节"), "{}", message.zh);
}

#[test]
fn a_header_further_down_is_found_and_records_count_from_it() {
    let text = "2026 年预算\n\n\"制表\n人\",张\ninsurer_code,year,amount\nPICC,2026,1\n";
    let outcome = decode("budget", "format.header_row = 4", text.as_bytes());
    assert_eq!(outcome.rows.len(), 1);
    assert_eq!(outcome.rows[0].row_no, 1);
}

#[test]
fn files_that_cannot_be_read_are_refused_whole() {
    let utf16 = b"\xFF\xFEi\0n\0";
    let gb18030 = encoding_rs::GB18030.encode("机构,年度\n").0.into_owned();
    for (toml, bytes, rule) in [
        ("", b"".as_slice(), Rule::UnreadableHeader),
        ("", b"\n1,2\n", Rule::UnreadableHeader),
        ("format.header_row = 3", b"a,b\nc,d\n", Rule::UnreadableHeader),
        ("", b"insurer_code,\"year\nPICC,1\n", Rule::UnreadableHeader),
        ("", &gb18030, Rule::UnreadableHeader),
        ("", utf16, Rule::WrongEncoding),
        ("", b"insurer_code,year, year\n", Rule::DuplicateColumn),
        ("", b"insurer_code,year\n", Rule::MissingColumn),
        ("columns.a = 'amount'", b"insurer_code,year,amount\n", Rule::MissingColumn),
    ] {
        assert_eq!(refusal("budget", toml, bytes).rule, rule, "{}", String::from_utf8_lossy(bytes));
    }
    let refused = refusal("budget", "", b"insurer_code,year\n");
    assert!(refused.message.en.contains("\"amount\"") && refused.message.zh.contains("“amount”"), "{refused:?}");
}

#[test]
fn a_header_alone_is_a_file_without_rows() {
    assert_eq!(decode("budget", "", b"insurer_code,year,amount"), Outcome::default());
    assert_eq!(decode("budget", "", b"insurer_code,year,amount\r\n\r\n"), Outcome::default());
}

#[test]
fn columns_that_nobody_asked_for_are_named() {
    let feed: Feed = toml::from_str("columns.a = 'amount'\nconstants.year = 2026").unwrap();
    let mapping = Mapping::new(&feed.columns, &feed.constants, builtin().dataset("budget").unwrap()).unwrap();
    let bytes = b"insurer_code,a,amount,year,remark,state\nPICC,1,2,1999,x,y\n".as_slice();
    let mut decoder = Decoder::open(bytes, &format(""), &mapping, &["state".to_owned()]).unwrap();
    assert_eq!(decoder.unknown_columns(), ["amount", "year", "remark"], "mapped columns and constants come first");
    let chunk = decoder.next().unwrap().unwrap();
    assert_eq!(texts(&chunk.rows, 0), ["PICC", "2026", "1.00", ""]);
    assert_eq!(texts(&chunk.source.unwrap(), 0), ["y"]);
}

#[test]
fn an_extra_column_that_is_not_there_refuses_the_file() {
    let result = decode_with("budget", "", Limits::default(), &["状态"], b"insurer_code,year,amount\n");
    assert!(matches!(result, Err(DecodeError::Refused(refused)) if refused.rule == Rule::MissingColumn));
}

#[test]
fn null_tokens_come_before_codes_and_types() {
    let toml = r#"
        format.null = ["", "-"]
        columns.r = { to = "reported_spend", null = ["0"] }
        columns.i = { to = "insurer_code", codes = { "-" = "x" } }
    "#;
    let outcome = decode("budget", toml, b"i,year,amount,r\n-,2026,1,0\nPICC,2026,-,-\n");
    assert_eq!(
        outcome.held(),
        [
            (1, "insurer_code required".to_owned()),
            (2, "amount required".to_owned()),
            (2, "reported_spend not_a_number".to_owned())
        ]
    );
    assert_eq!(outcome.rows[0].values[3], "", "0 means nothing here");
}

#[test]
fn codes_ranges_and_times_are_checked_for_policies() {
    let header = "policy_no,unit_id,insurer_code,sector,region_code,policy_type,inception,expiry,premium_written,\
                  death_limit_per_person,insured_persons,commission_rate,issued_at,source_updated_at\n";
    let record = |policy_type: &str, premium: &str, rate: &str, issued: &str, clock: &str| {
        format!(
            "P1,U1,PICC,mine,330102,{policy_type},2026-01-01,2027-01-01,{premium},400000,12,{rate},{issued},{clock}\n"
        )
    };
    let text = [
        header.to_owned(),
        record("annual", "100.5", "0.05", "2026-01-01 08:00:00", "2026-01-01T00:00:00.000001Z"),
        record("yearly", "-1", "1.01", "2026-01-01", "yesterday"),
    ]
    .concat();
    let outcome = decode("policy", "", text.as_bytes());
    assert!(outcome.rows[0].faults.is_empty(), "{:?}", outcome.rows[0].faults);
    assert!(outcome.rows[0].values.contains(&"2026-01-01T00:00:00Z".to_owned()), "08:00 in Shanghai");
    assert_eq!(outcome.clock, [Some(1_767_225_600_000_001), None]);
    assert_eq!(
        outcome.rows[1].faults,
        [
            "policy_type not_in_code_list",
            "issued_at not_a_timestamp",
            "premium_written out_of_range",
            "commission_rate out_of_range",
            "source_updated_at not_a_timestamp"
        ]
    );
    let told: Vec<_> = outcome.messages.iter().map(|message| message.en.as_str()).collect();
    assert!(told[0].ends_with("is not one of annual, project"), "{told:?}");
    assert!(told[2].ends_with("is less than 0"), "{told:?}");
    assert!(told[3].ends_with("is not between 0 and 1"), "{told:?}");
}

const NDJSON: &str = "format.kind = 'ndjson'";

#[test]
fn numbers_of_ndjson_are_read_from_their_digits() {
    let text = "{\"insurer_code\":\"PICC\",\"year\":2026,\"amount\":9007199254740993.01}\r\n\n\
                {\"amount\": \"0.10\", \"year\": \"2026\", \"insurer_code\": \"\\u4eba\\u4fdd\", \"reported_spend\": null}\n\
                {\"insurer_code\":7,\"year\":2026.0,\"amount\":-0}";
    let outcome = decode("budget", NDJSON, text.as_bytes());
    let values: Vec<_> = outcome.rows.iter().map(|row| row.values.join("|")).collect();
    assert_eq!(values, ["PICC|2026|9007199254740993.01|", "人保|2026|0.10|", "7|2026|0.00|"]);
    assert_eq!(outcome.rows.iter().map(|row| row.row_no).collect::<Vec<_>>(), [1, 2, 3]);
    assert!(outcome.held().is_empty());
}

#[test]
fn every_broken_line_of_ndjson_is_held_alone() {
    let good = r#"{"insurer_code":"PICC","year":2026,"amount":1}"#;
    for (line, fault) in [
        (r#"{"insurer_code":"PICC","year":2026,"amount":1"#, "invalid_json"),
        (r#"{"insurer_code":"PICC","year":2026,"amount":01}"#, "invalid_json"),
        ("{\"insurer_code\":\"PI\0CC\",\"year\":2026,\"amount\":1}", "control_character"),
        (r#"["PICC",2026,1]"#, "not_an_object"),
        (r#"{"insurer_code":"PICC","year":2026,"year":2026,"amount":1}"#, "duplicate_key"),
        (r#"{"insurer_code":"PICC","year":2026,"\u0079ear":2026,"amount":1}"#, "duplicate_key"),
        (r#"{"insurer_code":"PICC","year":2026,"amount":1,"x":1,"x":2}"#, "duplicate_key"),
        (r#"{"insurer_code":"PICC","year":2026,"amount":{"yuan":1}}"#, "amount nested_value"),
        (r#"{"insurer_code":"PICC","year":2026,"amount":1e5}"#, "amount not_a_number"),
        (r#"{"insurer_code":"PICC","year":2026,"amount":true}"#, "amount not_a_number"),
        (r#"{"insurer_code":"PICC","year":2026,"amount":null}"#, "amount required"),
        (r#"{"insurer_code":"PICC","year":2026}"#, "amount required"),
        (r#"{"insurer_code":"PI\u0000CC","year":2026,"amount":1}"#, "insurer_code control_character"),
        (r#"{"insurer_code":"PI\ufffdCC","year":2026,"amount":1}"#, "insurer_code replacement_character"),
    ] {
        let outcome = decode("budget", NDJSON, format!("{good}\n{line}\n{good}\n").as_bytes());
        assert_eq!(outcome.held(), [(2, fault.to_owned())], "{line:?}");
        let sound = outcome.rows.iter().filter(|row| row.faults.is_empty()).map(|row| row.row_no);
        assert_eq!(sound.collect::<Vec<_>>(), [1, 3], "{line:?}");
    }
}

#[test]
fn a_nested_value_that_nobody_asked_for_is_passed_over() {
    let line = r#"{"insurer_code":"PICC","meta":{"a":[1,{"b":null}]},"year":2026,"amount":1}"#;
    let outcome = decode("budget", NDJSON, line.as_bytes());
    assert!(outcome.held().is_empty());
    assert_eq!(outcome.rows[0].values[2], "1.00");
}

#[test]
fn ndjson_in_gb18030_and_in_small_blocks_is_the_same() {
    let text = "{\"机构\":\"人保\",\"year\":2026,\"amount\":1}\n{\"机构\":\"㐀\n{\"year\":2026,\"amount\":2,\"机构\":\"矿\"}\r\n\
                {\"机构\":\"太保太保太保太保太保太保太保太保太保太保太保太保\",\"year\":2026,\"amount\":3}\n";
    let bytes = encoding_rs::GB18030.encode(text).0.into_owned();
    let toml = "columns.'机构' = 'insurer_code'\n[format]\nkind = 'ndjson'\nencoding = 'gb18030'";
    let limits = |block_bytes| Limits { block_bytes, record_bytes: 60, chunk_rows: 2 };
    let whole = decode_with("budget", toml, limits(1 << 20), &[], &bytes).unwrap();
    assert_eq!(whole.held(), [(2, "invalid_json".to_owned()), (4, "record_too_long".to_owned())]);
    assert_eq!(whole.rows[1].values, ["矿", "2026", "2.00", ""]);
    for block_bytes in 1..=64 {
        assert_eq!(decode_with("budget", toml, limits(block_bytes), &[], &bytes).unwrap(), whole, "{block_bytes}");
    }
}

#[test]
fn records_and_row_readers_can_go_to_other_threads() {
    fn is_send<T: Send>() {}
    fn is_shared<T: Send + Sync>() {}
    is_send::<Records<std::fs::File>>();
    is_send::<RecordChunk>();
    is_send::<DecodedChunk>();
    is_shared::<RowReader>();
}
