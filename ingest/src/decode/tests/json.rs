//! JSON: one document with a list of records.

use std::io::{Read, Seek, SeekFrom};

use super::*;

const ROOT: &str = "format.kind = 'json'";
const BELOW: &str = "format.kind = 'json'\nformat.path = '/data/records'";

fn values(outcome: &Outcome) -> Vec<String> {
    outcome.rows.iter().map(|row| row.values.join("|")).collect()
}

#[test]
fn the_elements_of_the_list_are_the_records() {
    let text = r#" [ {"insurer_code":"PICC","year":2026,"amount":9007199254740993.01} ,
        {"amount": "0.10",
         "year": "2026", "insurer_code": "\u4eba\u4fdd", "note": {"x": ["]", "}"]}}]
    "#;
    let outcome = decode("budget", ROOT, text.as_bytes());
    assert!(outcome.held().is_empty(), "{:?}", outcome.held());
    assert_eq!(values(&outcome), ["PICC|2026|9007199254740993.01|", "人保|2026|0.10|"]);
    assert_eq!(outcome.rows[0].span.offset, 3, "behind a blank, a bracket and a blank");
    assert_eq!(outcome.rows.iter().map(|row| row.row_no).collect::<Vec<_>>(), [1, 2]);
}

#[test]
fn the_list_is_found_where_path_says() {
    let text = r#"{"code":0,"other":{"records":[{"amount":9}]},"data":{"total":1,"records":[
        {"insurer_code":"PICC","year":2026,"amount":1}],"more":[1,2]},"end":null}"#;
    let outcome = decode("budget", BELOW, text.as_bytes());
    assert!(outcome.held().is_empty());
    assert_eq!(values(&outcome), ["PICC|2026|1.00|"]);
    assert!(decode("budget", BELOW, br#"{"data":{"records":[]}}"#).rows.is_empty());
}

#[test]
fn a_broken_element_is_held_alone() {
    let good = r#"{"insurer_code":"PICC","year":2026,"amount":1}"#;
    for (element, fault) in [
        (r#"{"insurer_code":"PICC","year":2026,"amount":01}"#, "invalid_json"),
        (r#"["PICC",2026,1]"#, "not_an_object"),
        ("12", "not_an_object"),
        ("null", "not_an_object"),
        (r#"{"insurer_code":"PICC","year":2026,"amount":1,"year":2}"#, "duplicate_key"),
        (r#"{"insurer_code":"PICC","year":2026,"amount":[1]}"#, "amount nested_value"),
        (r#"{"insurer_code":"PICC","year":2026}"#, "amount required"),
    ] {
        let outcome = decode("budget", ROOT, format!("[{good},{element},{good}]").as_bytes());
        assert_eq!(outcome.held(), [(2, fault.to_owned())], "{element}");
    }
}

#[test]
fn a_document_that_does_not_close_is_refused_whole() {
    let good = r#"{"insurer_code":"PICC","year":2026,"amount":1}"#;
    for text in [
        String::new(),
        format!("[{good}"),
        format!("[{good},"),
        format!("[{good},]"),
        format!("[{good} {good}]"),
        format!("[{good}]]"),
        format!("[{good},{{\"a\":[1}}]"),
        format!("[{good},{{\"a\":\"x]"),
    ] {
        assert_eq!(refusal("budget", ROOT, text.as_bytes()).rule, Rule::DamagedFile, "{text}");
    }
    let text = format!("{{\"data\":{{\"records\":[{good}]}}");
    assert_eq!(refusal("budget", BELOW, text.as_bytes()).rule, Rule::DamagedFile);
}

#[test]
fn a_document_without_the_list_is_refused() {
    for text in [r#"{"data":{}}"#, r#"{"data":{"records":{"a":1}}}"#, r#"{"data":[]}"#, "[]"] {
        let refused = refusal("budget", BELOW, text.as_bytes());
        assert_eq!(refused.rule, Rule::MissingRecords, "{text}");
        assert!(refused.message.en.contains("/data/records"), "{refused:?}");
    }
}

#[test]
fn where_blocks_end_makes_no_difference_to_json() {
    let long = "太".repeat(60);
    let text = format!(
        "{{\"data\":{{\"records\":[{{\"insurer_code\":\"a\\\"]\",\"year\":2026,\"amount\":1}},\
         {{\"insurer_code\":\"{long}\",\"year\":2026,\"amount\":2}} , 7,\n\
         {{\"insurer_code\":\"矿\",\"year\":2026,\"amount\":3}}]}},\"z\":[\"\\\\\"]}}"
    );
    let limits = |block_bytes, chunk_rows| Limits { block_bytes, record_bytes: 60, chunk_rows };
    let whole = decode_with("budget", BELOW, limits(1 << 20, 9), &[], text.as_bytes()).unwrap();
    assert_eq!(whole.held(), [(2, "record_too_long".to_owned()), (3, "not_an_object".to_owned())]);
    assert_eq!(values(&whole), ["a\"]|2026|1.00|", "矿|2026|3.00|"]);
    for block_bytes in 1..=64 {
        for chunk_rows in [1, 9] {
            let limits = limits(block_bytes, chunk_rows);
            let blocks = decode_with("budget", BELOW, limits, &[], text.as_bytes()).unwrap();
            assert_eq!(blocks, whole, "blocks of {block_bytes} bytes, chunks of {chunk_rows} rows");
        }
    }
}

/// A document that is made while it is read: `[`, then as many elements as wanted, then `]`.
struct Endless {
    element: Vec<u8>,
    elements: u64,
    at: u64,
}

impl Endless {
    fn len(&self) -> u64 {
        1 + self.elements * self.element.len() as u64 + 2
    }
}

impl Read for Endless {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let (element, len) = (self.element.len() as u64, self.len());
        let mut read = 0;
        for byte in buffer.iter_mut().take(usize::try_from(len - self.at).unwrap_or(usize::MAX)) {
            *byte = match self.at {
                0 => b'[',
                at if at == len - 1 => b']',
                at if at == len - 2 => b'1',
                at => self.element[((at - 1) % element) as usize],
            };
            self.at += 1;
            read += 1;
        }
        Ok(read)
    }
}

impl Seek for Endless {
    fn seek(&mut self, to: SeekFrom) -> std::io::Result<u64> {
        let SeekFrom::Start(at) = to else { panic!("a stream is only begun again") };
        self.at = at;
        Ok(at)
    }
}

#[test]
fn a_document_of_any_size_is_read_in_chunks_of_bounded_size() {
    let element = br#"{"insurer_code":"PICC","year":2026,"amount":1},"#.to_vec();
    let endless = Endless { element, elements: 1_000_000, at: 0 };
    let limits = Limits { block_bytes: 1 << 16, ..Limits::default() };
    let mut rows = 0;
    for chunk in Records::open(endless, &format(ROOT).with_limits(limits)).unwrap() {
        let chunk = chunk.unwrap();
        assert!(chunk.bytes.capacity() <= 1 << 18, "{}", chunk.bytes.capacity());
        rows += chunk.row_no.len();
    }
    assert_eq!(rows, 1_000_001);
}
