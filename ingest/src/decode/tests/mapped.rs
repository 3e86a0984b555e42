//! What a feed says of its columns, and files that do not have them.

use super::*;

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
    let mut decoder = Decoder::open(Cursor::new(bytes), &format(""), &mapping, &["state".to_owned()]).unwrap();
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
