//! Workbooks of the old kind (xls) and of the binary kind (xlsb), written by hand record by record.

use std::io::{Cursor, Write};

use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use super::*;

const XLSX: &str = "format.kind = 'xlsx'";

/// What stands in a cell.
#[derive(Debug, Clone, Copy)]
enum Value {
    Text(&'static str),
    /// One of the workbook's shared texts.
    Shared(u32),
    Number(f64),
    /// A serial number formatted as a day.
    Day(f64),
    Error,
}
use Value::{Day, Error, Number, Shared, Text};

/// Cells by row and column from 0.
type Cells = Vec<(u16, u16, Value)>;

fn budgets() -> Cells {
    vec![
        (0, 0, Shared(0)),
        (0, 1, Shared(1)),
        (0, 2, Shared(2)),
        (1, 0, Text("PICC")),
        (1, 1, Number(2026.0)),
        (1, 2, Number(12.5)),
        // Row 2 is empty; the third record has an error for its amount.
        (3, 0, Text("太保")),
        (3, 1, Number(2025.0)),
        (3, 2, Error),
    ]
}

const TITLES: [&str; 3] = ["insurer_code", "year", "amount"];

/// Sheets in a workbook of the old kind: BIFF8 records in a stream, in a container of sectors.
fn xls(sheets: &[(&str, Cells)], shared: &[&str]) -> Vec<u8> {
    fn record(kind: u16, data: &[u8]) -> Vec<u8> {
        [&kind.to_le_bytes(), &(data.len() as u16).to_le_bytes(), data].concat()
    }
    let wide = |text: &str| text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>();
    let long_text = |text: &str| [&(text.encode_utf16().count() as u16).to_le_bytes()[..], &[1], &wide(text)].concat();
    let begin = |kind: u16| {
        let rest = [0; 12];
        record(0x0809, &[&0x0600_u16.to_le_bytes()[..], &kind.to_le_bytes(), &rest].concat())
    };
    let end = record(0x000A, &[]);
    let format = |number: u16| record(0x00E0, &[&[0, 0][..], &number.to_le_bytes(), &[0; 16]].concat());
    // General, and the built-in day.
    let mut head = [begin(5), format(0), format(14)].concat();
    let texts: Vec<u8> = shared.iter().flat_map(|text| long_text(text)).collect();
    let count = (shared.len() as u32).to_le_bytes();
    // A record holds 8,224 bytes; what is longer goes on in the next.
    let mut pieces = [&count[..], &count, &texts].concat();
    let rest = pieces.split_off(pieces.len().min(8224));
    let mut texts = record(0x00FC, &pieces);
    for piece in rest.chunks(8222) {
        texts.extend(record(0x003C, &[&[1], piece].concat()));
    }
    let bodies: Vec<Vec<u8>> = sheets
        .iter()
        .map(|(_, cells)| {
            let cells = cells.iter().map(|(row, column, value)| {
                let place = |format: u16| [row.to_le_bytes(), column.to_le_bytes(), format.to_le_bytes()].concat();
                match value {
                    Text(text) => record(0x0204, &[place(0), long_text(text)].concat()),
                    Shared(number) => record(0x00FD, &[place(0), number.to_le_bytes().to_vec()].concat()),
                    Number(number) => record(0x0203, &[place(0), number.to_le_bytes().to_vec()].concat()),
                    Day(serial) => record(0x0203, &[place(1), serial.to_le_bytes().to_vec()].concat()),
                    // #N/A
                    Error => record(0x0205, &[place(0), vec![0x2A, 1]].concat()),
                }
            });
            [begin(0x10), cells.collect::<Vec<_>>().concat(), end.clone()].concat()
        })
        .collect();
    let name = |name: &str| [&[0, 0, name.len() as u8, 0][..], name.as_bytes()].concat();
    let names: usize = sheets.iter().map(|(text, _)| 4 + 4 + name(text).len()).sum();
    let mut at = head.len() + names + texts.len() + end.len();
    for ((text, _), body) in sheets.iter().zip(&bodies) {
        head.extend(record(0x0085, &[(at as u32).to_le_bytes().to_vec(), name(text)].concat()));
        at += body.len();
    }
    container([head, texts, end, bodies.concat()].concat())
}

/// The stream `Workbook` in sectors of 512 bytes: the tables of chains, the folder, the stream.
fn container(mut stream: Vec<u8>) -> Vec<u8> {
    // A shorter one would lie in sectors of 64 bytes.
    stream.resize(stream.len().max(4096), 0);
    let sectors = stream.len().div_ceil(512);
    let tables = (sectors + 1 + sectors / 100 + 1).div_ceil(128);
    let first = tables as u32 + 1;
    let mut next: Vec<u32> = vec![0xFFFF_FFFD; tables];
    next.push(0xFFFF_FFFE);
    next.extend((first + 1..first + sectors as u32).chain([0xFFFF_FFFE]));
    next.resize(tables * 128, 0xFFFF_FFFF);
    let entry = |name: &str, kind: u8, start: u32, size: u32| {
        let mut entry = vec![0; 128];
        let units: Vec<u8> = name.encode_utf16().flat_map(u16::to_le_bytes).collect();
        entry[..units.len()].copy_from_slice(&units);
        entry[64] = units.len() as u8 + 2;
        entry[66] = kind;
        entry[116..120].copy_from_slice(&start.to_le_bytes());
        entry[120..124].copy_from_slice(&size.to_le_bytes());
        entry
    };
    let folder =
        [entry("Root Entry", 5, 0xFFFF_FFFE, 0), entry("Workbook", 2, first, stream.len() as u32), vec![0; 256]]
            .concat();
    let mut head = vec![0; 512];
    head[..8].copy_from_slice(b"\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1");
    for (at, number) in [(26, 3_u16), (28, 0xFFFE), (30, 9), (32, 6)] {
        head[at..at + 2].copy_from_slice(&number.to_le_bytes());
    }
    for (at, number) in [(44, tables as u32), (48, tables as u32), (56, 4096), (60, 0xFFFF_FFFE), (68, 0xFFFF_FFFE)] {
        head[at..at + 4].copy_from_slice(&number.to_le_bytes());
    }
    for place in 0..109 {
        let table = if place < tables { place as u32 } else { 0xFFFF_FFFF };
        head[76 + place * 4..80 + place * 4].copy_from_slice(&table.to_le_bytes());
    }
    stream.resize(sectors * 512, 0);
    [head, next.iter().flat_map(|number| number.to_le_bytes()).collect(), folder, stream].concat()
}

/// One sheet in a workbook of the binary kind.
fn xlsb(cells: &Cells, shared: &[&str]) -> Vec<u8> {
    fn record(kind: u16, data: &[u8]) -> Vec<u8> {
        let kind = if kind < 128 { vec![kind as u8] } else { vec![kind as u8 | 0x80, (kind >> 7) as u8] };
        let size = [data.len() as u8 | 0x80, (data.len() >> 7) as u8 | 0x80, (data.len() >> 14) as u8];
        [&kind[..], &size, data].concat()
    }
    let wide = |text: &str| {
        let units: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        [&(units.len() as u32 / 2).to_le_bytes()[..], &units].concat()
    };
    let workbook = [
        record(0x0083, &[]),
        record(0x008F, &[]),
        record(0x009C, &[&[0; 4][..], &1_u32.to_le_bytes(), &wide("rId1"), &wide("预算")].concat()),
        record(0x0090, &[]),
        record(0x009D, &[0; 26]),
        record(0x0084, &[]),
    ]
    .concat();
    let mut sheet = [record(0x0081, &[]), record(0x0094, &[0; 16]), record(0x0091, &[])].concat();
    let mut open = None;
    for (row, column, value) in cells {
        if open != Some(row) {
            sheet.extend(record(0x0000, &[&u32::from(*row).to_le_bytes()[..], &[0; 13]].concat()));
            open = Some(row);
        }
        let place = |format: u32| [u32::from(*column).to_le_bytes(), format.to_le_bytes()].concat();
        sheet.extend(match value {
            Text(text) => record(0x0006, &[place(0), wide(text)].concat()),
            Shared(number) => record(0x0007, &[place(0), number.to_le_bytes().to_vec()].concat()),
            Number(number) => record(0x0005, &[place(0), number.to_le_bytes().to_vec()].concat()),
            Day(serial) => record(0x0005, &[place(1), serial.to_le_bytes().to_vec()].concat()),
            Error => record(0x0003, &[place(0), vec![0x2A]].concat()),
        });
    }
    sheet.extend([record(0x0092, &[]), record(0x0082, &[])].concat());
    let count = (shared.len() as u32).to_le_bytes();
    let mut texts = record(0x009F, &[count, count].concat());
    texts.extend(shared.iter().flat_map(|text| record(0x0013, &[vec![0], wide(text)].concat())));
    texts.extend(record(0x00A0, &[]));
    let format = |number: u16| record(0x002F, &[&[0, 0][..], &number.to_le_bytes(), &[0; 12]].concat());
    let styles = [record(0x0269, &2_u32.to_le_bytes()), format(0), format(14), record(0x026A, &[])].concat();
    let relations = "<Relationships xmlns=\"http://schemas.openxmlformats.org/package/2006/relationships\">\
                     <Relationship Id=\"rId1\" Type=\"x/worksheet\" Target=\"worksheets/sheet1.bin\"/></Relationships>";
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in [
        ("[Content_Types].xml", b"<Types/>".as_slice()),
        ("xl/workbook.bin", &workbook),
        ("xl/_rels/workbook.bin.rels", relations.as_bytes()),
        ("xl/styles.bin", &styles),
        ("xl/sharedStrings.bin", &texts),
        ("xl/worksheets/sheet1.bin", &sheet),
    ] {
        writer.start_file(name, SimpleFileOptions::default()).unwrap();
        writer.write_all(bytes).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

#[test]
fn workbooks_of_all_kinds_are_told_apart_by_content_and_read_alike() {
    for (kind, bytes) in [("xls", xls(&[("预算表", budgets())], &TITLES)), ("xlsb", xlsb(&budgets(), &TITLES))] {
        let outcome = decode("budget", XLSX, &bytes);
        assert_eq!(outcome.held(), [(3, "amount cell_error".to_owned())], "{kind}");
        assert_eq!(outcome.rows[0].values[..3], ["PICC", "2026", "12.50"], "{kind}");
        assert_eq!(outcome.rows[1].values[..2], ["太保", "2025"], "{kind}");
        assert_eq!(outcome.rows[1].row_no, 3, "{kind}: empty rows leave gaps");
    }
}

#[test]
fn a_day_in_another_kind_of_workbook_is_a_day_and_a_number_is_not() {
    let titles = ["uscc", "name", "qualification", "expert_count", "region_code", "valid_from"];
    let row = |row: u16, from: Value| -> Cells {
        let values = [Text("91330100799655058B"), Text("甲"), Text("A"), Number(3.0), Number(330_102.0), from];
        (0..).zip(values).map(|(column, value)| (row, column, value)).collect()
    };
    let header =
        (0..).zip(0..titles.len() as u32).map(|(column, number)| (0, column, Shared(number))).collect::<Cells>();
    let cells: Cells = [header, row(1, Day(46027.0)), row(2, Number(46027.0))].concat();
    for (kind, bytes) in [("xls", xls(&[("a", cells.clone())], &titles)), ("xlsb", xlsb(&cells, &titles))] {
        let outcome = decode("agency", XLSX, &bytes);
        assert_eq!(outcome.held(), [(2, "valid_from not_a_date".to_owned())], "{kind}");
        assert_eq!(outcome.rows[0].values[5..7], ["330102", "2026-01-05"], "{kind}");
    }
}

#[test]
fn a_sheet_of_an_old_workbook_is_chosen_by_name_or_number() {
    let bytes = xls(&[("first", vec![(0, 0, Text("x"))]), ("second", budgets())], &TITLES);
    for sheet in ["'second'", "2"] {
        assert_eq!(decode("budget", &format!("{XLSX}\nformat.sheet = {sheet}"), &bytes).rows.len(), 2, "{sheet}");
    }
    assert_eq!(refusal("budget", &format!("{XLSX}\nformat.sheet = 'third'"), &bytes).rule, Rule::MissingSheet);
}

#[test]
fn an_old_workbook_of_a_few_kilobytes_cannot_take_the_memory_of_hundreds_of_full_sheets() {
    let corners: Cells = vec![(0, 0, Text("a")), (u16::MAX, 255, Text("b"))];
    let mut sheets = vec![("budget", budgets())];
    assert!(decode_with("budget", XLSX, Limits::default(), &[], &xls(&sheets, &TITLES)).is_ok());
    sheets.push(("corners", corners));
    let refused = refusal("budget", XLSX, &xls(&sheets, &TITLES));
    assert_eq!(refused.rule, Rule::UnpacksTooFar);
    assert!(refused.message.en.contains("save it as xlsx"), "{refused:?}");
}

#[test]
fn one_long_text_in_every_cell_of_an_old_workbook_is_refused_before_it_is_copied_into_each() {
    let long = "长".repeat(30_000);
    // Ten thousand cells of 90,000 bytes would be 900 MB.
    let many: Cells = (0..10_000).map(|row| (row, 0, Shared(3))).collect();
    let shared = [TITLES[0], TITLES[1], TITLES[2], &long, "short"];
    let few: Cells = budgets().into_iter().chain((10..20).map(|row| (row, 5, Shared(3)))).collect();
    assert!(decode_with("budget", XLSX, Limits::default(), &[], &xls(&[("few", few)], &shared)).is_ok());
    assert_eq!(refusal("budget", XLSX, &xls(&[("many", many)], &shared)).rule, Rule::UnpacksTooFar);
}

#[test]
fn no_byte_of_another_kind_of_workbook_can_be_lost_or_turned_without_rows_or_a_refusal() {
    for bytes in [xls(&[("a", budgets())], &TITLES), xlsb(&budgets(), &TITLES)] {
        let tried = |bytes: &[u8], what: &str| match decode_with("budget", XLSX, Limits::default(), &[], bytes) {
            Ok(_) | Err(DecodeError::Refused(_)) => {}
            Err(error) => panic!("{what}: {error:?}"),
        };
        for at in (0..bytes.len()).step_by(13) {
            tried(&bytes[..at], &format!("cut at {at}"));
            for flip in [0x01, 0x10, 0xFF] {
                let mut turned = bytes.clone();
                turned[at] ^= flip;
                tried(&turned, &format!("{flip:#x} at {at}"));
            }
        }
    }
}
