//! CSV: records, values, blocks and the way back to the bytes.

use super::*;

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
        let (found, raw) =
            record_at(Cursor::new(bytes.clone()), &format("").with_limits(limits), *row_no).unwrap().unwrap();
        assert_eq!(found, *span, "record {row_no}");
        assert_eq!(raw, &bytes[span.offset as usize..span.offset as usize + span.len as usize], "record {row_no}");
    }
    let beyond = records.len() as u64 + 1;
    assert_eq!(record_at(Cursor::new(bytes.clone()), &format("").with_limits(limits), beyond).unwrap(), None);
    assert_eq!(record_at(Cursor::new(bytes.clone()), &format("").with_limits(limits), 0).unwrap(), None);
}
