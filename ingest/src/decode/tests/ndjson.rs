//! NDJSON: lines of objects.

use super::*;

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
