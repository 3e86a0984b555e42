//! Workbooks: sheets, headers and what stands in cells.

use super::workbook::{Cell, texts as cells, truth};
use super::workbook::{Sheet, Workbook, day, error, formula, moment, none, number, shared, text, zipped};
use super::*;

const XLSX: &str = "format.kind = 'xlsx'";
const TITLES: [&str; 8] =
    ["uscc", "name", "qualification", "expert_count", "equipment", "region_code", "valid_from", "valid_to"];
const USCC: &str = "91330100799655058B";

/// A workbook of agencies with these rows under our own titles.
fn agencies(rows: Vec<Vec<Cell>>) -> Workbook {
    let rows = [vec![cells(&TITLES)], rows].concat();
    Workbook { shared: vec!["甲 &amp; 乙", "A"], ..Workbook::of(vec![Sheet::of("机构", rows)]) }
}

fn agency(count: Cell, region: Cell, from: Cell) -> Vec<Cell> {
    vec![text(USCC), shared(0), shared(1), count, none(), region, from]
}

fn good() -> Vec<Cell> {
    agency(number("3"), text("010000"), day("46027"))
}

#[test]
fn cells_become_the_types_of_the_contract() {
    let outcome = decode("agency", XLSX, &agencies(vec![good()]).bytes());
    assert!(outcome.held().is_empty(), "{:?}", outcome.held());
    let values = [USCC, "甲 & 乙", "A", "3", "", "010000", "2026-01-05", ""];
    assert_eq!(outcome.rows[0].values, values);
    assert_eq!(outcome.rows[0].span, Span { offset: 0, len: 0 });
}

#[test]
fn codes_typed_as_numbers_have_no_point_and_lost_digits_are_told() {
    let rows = vec![
        agency(number("3.0"), number("330100"), day("46027")),
        agency(number("0.30000000000000004"), number("330100"), day("46027")),
        agency(number("3"), number("330102199001011234"), day("46027")),
        agency(number("3"), text("330102199001011234"), day("46027")),
    ];
    let outcome = decode("agency", XLSX, &agencies(rows).bytes());
    assert_eq!(outcome.held(), [(2, "expert_count not_an_int".to_owned()), (3, "region_code digits_lost".to_owned())]);
    assert_eq!(outcome.rows[0].values[5], "330100");
    assert_eq!(outcome.rows[3].values[5], "330102199001011234");
}

#[test]
fn only_a_cell_formatted_as_a_date_is_a_date() {
    for (from, expected) in [
        (day("46027"), Ok("2026-01-05")),
        (moment("46027"), Ok("2026-01-05")),
        (text("2026-01-05"), Ok("2026-01-05")),
        (number("46027"), Err("valid_from not_a_date")),
        (moment("46027.5"), Err("valid_from not_a_date")),
        (day("60"), Err("valid_from impossible_date")),
        (day("0.5"), Err("valid_from not_a_date")),
        (day("-3"), Err("valid_from impossible_date")),
        (day("2900000"), Err("valid_from date_out_of_range")),
    ] {
        let what = format!("{from:?}");
        let outcome = decode("agency", XLSX, &agencies(vec![agency(number("3"), text("330102"), from)]).bytes());
        match expected {
            Ok(day) => {
                assert!(outcome.held().is_empty(), "{what}: {:?}", outcome.held());
                assert_eq!(outcome.rows[0].values[6], day, "{what}");
            }
            Err(fault) => assert_eq!(outcome.held(), [(1, fault.to_owned())], "{what}"),
        }
    }
}

#[test]
fn a_declared_format_is_for_texts_and_a_date_needs_none() {
    let toml = format!("{XLSX}\ncolumns.valid_from = {{ to = 'valid_from', format = '%Y/%m/%d' }}");
    let rows = vec![
        agency(number("3"), text("330102"), text("2026/01/05")),
        agency(number("3"), text("330102"), day("46027")),
        agency(number("3"), text("330102"), text("2026-01-05")),
    ];
    let outcome = decode("agency", &toml, &agencies(rows).bytes());
    assert_eq!(outcome.held(), [(3, "valid_from not_a_date".to_owned())]);
    assert_eq!(outcome.rows[0].values[6], outcome.rows[1].values[6]);
}

#[test]
fn the_date_system_of_1904_is_told_by_the_workbook() {
    let mut workbook = agencies(vec![agency(number("3"), text("330102"), day("44565"))]);
    workbook.is_1904 = true;
    assert_eq!(decode("agency", XLSX, &workbook.bytes()).rows[0].values[6], "2026-01-05");
}

#[test]
fn times_and_truths_are_read() {
    let rows = vec![
        cells(&["day", "is_workday", "source_updated_at"]),
        vec![day("46027"), truth("1"), moment("46027.354166666664")],
        vec![day("46028"), text("否"), day("46027")],
    ];
    let outcome = decode("calendar", XLSX, &Workbook::of(vec![Sheet::of("日历", rows)]).bytes());
    assert!(outcome.held().is_empty(), "{:?}", outcome.held());
    assert_eq!(outcome.rows[0].values[..2], ["2026-01-05", "true"]);
    assert_eq!(outcome.rows[1].values[..2], ["2026-01-06", "false"]);
    // 08:30 and midnight in Shanghai; 2026-01-05T00:00:00Z are 1767571200 seconds.
    let midnight = (1_767_571_200 - 8 * 3_600) * 1_000_000;
    assert_eq!(outcome.clock, [Some(midnight + 30_600_000_000), Some(midnight)]);
}

#[test]
fn error_cells_hold_their_row_with_the_reason() {
    let rows = vec![good(), agency(error("#N/A"), text("330102"), day("46027")), good()];
    let outcome = decode("agency", XLSX, &agencies(rows.clone()).bytes());
    assert_eq!(outcome.held(), [(2, "expert_count cell_error".to_owned())]);
    assert!(outcome.messages[0].zh.contains("#N/A"), "{:?}", outcome.messages);
    // A feed may say that the error means nothing.
    let toml = format!("{XLSX}\nformat.null = ['', '#N/A']");
    assert!(decode("agency", &toml, &agencies(rows).bytes()).held().is_empty());
}

#[test]
fn a_formula_is_its_result_and_one_without_is_remarked_on_or_held() {
    let rows = vec![
        agency(formula(Some("7")), text("330102"), day("46027")),
        agency(formula(None), text("330102"), day("46027")),
        [vec![text(USCC), formula(None)], good().split_off(2)].concat(),
    ];
    let outcome = decode("agency", XLSX, &agencies(rows).bytes());
    assert_eq!(outcome.rows[0].values[3], "7");
    assert_eq!(outcome.rows[1].warnings, ["expert_count uncalculated"]);
    assert_eq!(outcome.held(), [(3, "name uncalculated".to_owned())]);
}

#[test]
fn rows_are_numbered_as_in_the_sheet_and_empty_ones_are_no_records() {
    let mut workbook = agencies(vec![good(), vec![none(), text(" ")], good()]);
    workbook.sheets[0].rows.push((9, [good(), vec![none(), text("批注")]].concat()));
    let bytes = workbook.bytes();
    let outcome = decode("agency", XLSX, &bytes);
    assert_eq!(outcome.rows.iter().map(|row| row.row_no).collect::<Vec<_>>(), [1, 3, 8]);
    assert!(outcome.held().is_empty());
    let raw = |row_no| record_at(Cursor::new(bytes.clone()), &format(XLSX), row_no).unwrap();
    assert_eq!(raw(2), None);
    let (span, line) = raw(8).unwrap();
    let line: serde_json::Value = serde_json::from_slice(&line).unwrap();
    assert_eq!(span.len, 0);
    assert_eq!((&line["name"], &line["valid_from"]), (&"甲 & 乙".into(), &"2026-01-05".into()));
    assert_eq!(line["I"], "批注", "beside the table, kept for people");
    let found = records_at(Cursor::new(bytes), &format(XLSX), &[1, 2, 3, 100].into_iter().collect()).unwrap();
    assert_eq!(found.into_keys().collect::<Vec<_>>(), [1, 3]);
}

#[test]
fn the_first_visible_sheet_is_read_or_the_one_that_is_named() {
    let one = |name| Sheet::of(name, vec![cells(&["insurer_code", "year", "amount"]), cells(&[name, "2026", "1"])]);
    let workbook = Workbook::of(vec![Sheet { state: "hidden", ..one("草稿") }, one("正式"), one("附表")]).bytes();
    for (toml, expected) in [
        ("", Some("正式")),
        ("format.sheet = '附表'", Some("附表")),
        ("format.sheet = 1", Some("草稿")),
        ("format.sheet = 3", Some("附表")),
        ("format.sheet = 4", None),
        ("format.sheet = '汇总'", None),
    ] {
        let toml = format!("{XLSX}\n{toml}");
        match expected {
            Some(name) => assert_eq!(decode("budget", &toml, &workbook).rows[0].values[0], name, "{toml}"),
            None => {
                let refused = refusal("budget", &toml, &workbook);
                assert_eq!(refused.rule, Rule::MissingSheet, "{toml}");
                assert!(refused.message.zh.contains("正式"), "{refused:?}");
            }
        }
    }
}

#[test]
fn a_header_of_two_rows_with_merged_cells_makes_titles_of_parts() {
    let rows = vec![
        cells(&["2026 年度预算"]),
        cells(&["机构", "年度", "金额", ""]),
        cells(&["", "", "预算", "自报"]),
        vec![text("PICC"), number("2026"), number("1.5"), number("1")],
    ];
    let merged = vec!["A1:D1", "A2:A3", "B2:B3", "C2:D2"];
    let workbook = Workbook::of(vec![Sheet { merged, ..Sheet::of("预算", rows) }]).bytes();
    let toml = r#"
        format = { kind = "xlsx", header_row = 2, header_rows = 2 }
        [columns]
        "机构" = "insurer_code"
        "年度" = "year"
        "金额/预算" = "amount"
        "金额/自报" = "reported_spend"
    "#;
    let outcome = decode("budget", toml, &workbook);
    assert_eq!(outcome.rows[0].values, ["PICC", "2026", "1.50", "1.00"]);
    assert_eq!(outcome.rows[0].row_no, 1);
    assert!(outcome.held().is_empty());
}

#[test]
fn a_workbook_is_told_by_content_inside_an_archive_too() {
    let bytes = agencies(vec![good()]).bytes();
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut gzip, &bytes).unwrap();
    assert_eq!(decode("agency", XLSX, &gzip.finish().unwrap()).rows.len(), 1);
    let mut outer = zip::ZipWriter::new(Cursor::new(Vec::new()));
    outer.start_file("机构.xlsx", zip::write::SimpleFileOptions::default()).unwrap();
    std::io::Write::write_all(&mut outer, &bytes).unwrap();
    let outer = outer.finish().unwrap().into_inner();
    assert_eq!(decode("agency", XLSX, &outer).rows.len(), 1);
    // The other way about: a workbook where text is declared.
    assert_eq!(refusal("agency", "", &bytes).rule, Rule::WrongFormat);
    assert_eq!(refusal("agency", XLSX, HTML).rule, Rule::WrongFormat);
}

#[test]
fn a_workbook_with_too_many_shared_texts_is_refused_and_told_what_to_do() {
    let small = agencies(vec![good()]).bytes();
    let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let mut archive = zip::ZipArchive::new(Cursor::new(small)).unwrap();
    for index in 0..archive.len() {
        let part = archive.by_index(index).unwrap();
        if part.name().unwrap() != "xl/sharedStrings.xml" {
            writer.raw_copy_file(part).unwrap();
        }
    }
    let options = zip::write::SimpleFileOptions::default().compression_level(Some(1));
    writer.start_file("xl/sharedStrings.xml", options).unwrap();
    // 64 bytes a text, 16,384 texts a piece: 193 pieces are 193 MiB, one more than is read.
    let piece = format!("<si><t>{}</t></si>", "企".repeat(15) + "###").repeat(16 * 1024);
    assert_eq!(piece.len(), 1 << 20);
    for _ in 0..193 {
        std::io::Write::write_all(&mut writer, piece.as_bytes()).unwrap();
    }
    let refused = refusal("agency", XLSX, &writer.finish().unwrap().into_inner());
    assert_eq!(refused.rule, Rule::UnpacksTooFar);
    let en = "the shared texts of the workbook are over 192 MiB; send several files, or CSV";
    assert_eq!(refused.message.en, en);
    assert_eq!(refused.message.zh, "工作簿的共享文本超过 192 MiB，无法在有限内存中读取；请分成多个文件或改报 CSV");
}

const HTML: &[u8] = b"<html><table><tr><td>uscc</td></tr></table></html>";

#[test]
fn a_broken_workbook_is_refused_and_never_read_in_part() {
    let bytes = agencies(vec![good()]).bytes();
    assert_eq!(refusal("agency", XLSX, &bytes[..bytes.len() - 30]).rule, Rule::DamagedFile);
    let with_sheet = |sheet: &str, shared: &str| {
        let whole = agencies(vec![good()]).bytes();
        let mut archive = zip::ZipArchive::new(Cursor::new(whole)).unwrap();
        let mut parts = Vec::new();
        for index in 0..archive.len() {
            let mut part = archive.by_index(index).unwrap();
            let mut xml = String::new();
            std::io::Read::read_to_string(&mut part, &mut xml).unwrap();
            let name = part.name().unwrap().into_owned();
            let xml = match name.as_str() {
                "xl/worksheets/sheet1.xml" if !sheet.is_empty() => sheet.to_owned(),
                "xl/sharedStrings.xml" if !shared.is_empty() => shared.to_owned(),
                _ => xml,
            };
            parts.push((name, xml));
        }
        zipped(&parts)
    };
    let cell =
        |place: &str| format!("<worksheet><sheetData><row><c r=\"{place}\"><v>1</v></c></row></sheetData></worksheet>");
    for (what, sheet, shared) in [
        ("cut short", "<worksheet><sheetData><row r=\"1\"><c r=\"A1\"><v>1".to_owned(), String::new()),
        ("a cell outside", cell("ZZZZ1"), String::new()),
        ("a row outside", cell("A1048577"), String::new()),
        ("a missing shared text", String::new(), "<sst/>".to_owned()),
        (
            "room for 10^12 texts",
            String::new(),
            "<sst uniqueCount=\"1000000000000\"><si><t>A</t></si></sst>".to_owned(),
        ),
        ("an element over 4 MiB", format!("<worksheet><!--{}-->", "x".repeat(5 << 20)), String::new()),
    ] {
        assert_eq!(refusal("agency", XLSX, &with_sheet(&sheet, &shared)).rule, Rule::DamagedFile, "{what}");
    }
    let empty = "<worksheet><sheetData/></worksheet>";
    assert_eq!(refusal("agency", XLSX, &with_sheet(empty, "")).rule, Rule::UnreadableHeader);
    let toml = format!("{XLSX}\nformat.max_unpacked_bytes = 500");
    assert_eq!(refusal("agency", &toml, &bytes).rule, Rule::UnpacksTooFar);
}
