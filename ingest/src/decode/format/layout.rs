//! How records and fields are laid out in a file; one arm a format.

use serde::Deserialize;

use super::{FormatConfig, FormatKind, TextEncoding};

/// How records and fields are laid out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::decode) enum Layout {
    Csv {
        delimiter: u8,
        quote: Option<u8>,
        header_row: u32,
    },
    Ndjson,
    /// The keys and positions that lead to the list of records.
    Json {
        path: Vec<String>,
    },
    Sheet(SheetLayout),
    Parquet,
}

/// Where in a workbook the table is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::decode) struct SheetLayout {
    /// None: the first visible sheet.
    pub(in crate::decode) sheet: Option<SheetChoice>,
    /// First row of the header, from 1.
    pub(in crate::decode) header_row: u32,
    /// Rows of the header, at least one.
    pub(in crate::decode) header_rows: u32,
}

/// Which sheet of a workbook is read.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged, expecting = "the name of a sheet, or its number from 1")]
pub enum SheetChoice {
    /// By its place in the workbook, from 1, hidden sheets counted.
    Number(u32),
    /// By its name, exactly.
    Name(String),
}

impl Layout {
    pub(super) fn new(config: &FormatConfig, encoding: TextEncoding, fault: &mut impl FnMut(&str, String)) -> Self {
        match config.kind {
            FormatKind::Csv => csv(config, encoding, fault),
            FormatKind::Ndjson => Self::Ndjson,
            FormatKind::Json => json(config, encoding, fault),
            FormatKind::Xlsx => sheet(config, fault),
            FormatKind::Parquet => Self::Parquet,
        }
    }
}

fn header_row(config: &FormatConfig, fault: &mut impl FnMut(&str, String)) -> u32 {
    let header_row = config.header_row.unwrap_or(1);
    if header_row == 0 {
        fault("header_row", "records are counted from 1".into());
    }
    header_row
}

fn sheet(config: &FormatConfig, fault: &mut impl FnMut(&str, String)) -> Layout {
    const MOST_HEADER_ROWS: u32 = 10;
    if config.sheet == Some(SheetChoice::Number(0)) {
        fault("sheet", "sheets are counted from 1".into());
    }
    let header_rows = config.header_rows.unwrap_or(1);
    if !(1..=MOST_HEADER_ROWS).contains(&header_rows) {
        fault("header_rows", format!("a header has between 1 and {MOST_HEADER_ROWS} rows"));
    }
    Layout::Sheet(SheetLayout { sheet: config.sheet.clone(), header_row: header_row(config, fault), header_rows })
}

fn json(config: &FormatConfig, encoding: TextEncoding, fault: &mut impl FnMut(&str, String)) -> Layout {
    if b"[]{}\"\\:,".iter().any(|byte| !encoding.stands_alone(*byte)) {
        let message = format!(
            "in {} brackets can be part of a character; JSON documents are utf-8, or use ndjson",
            encoding.name()
        );
        fault("encoding", message);
    }
    let pointer = config.path.as_deref().unwrap_or_default();
    if !pointer.is_empty() && !pointer.starts_with('/') {
        fault("path", format!("\"{pointer}\" is no JSON Pointer; write it as /data/records"));
    }
    let part = |part: &str| part.replace("~1", "/").replace("~0", "~");
    Layout::Json { path: pointer.split('/').skip(1).map(part).collect() }
}

fn csv(config: &FormatConfig, encoding: TextEncoding, fault: &mut impl FnMut(&str, String)) -> Layout {
    let delimiter = match config.delimiter.as_deref().unwrap_or(",").as_bytes() {
        [byte] if byte.is_ascii_alphanumeric() || matches!(byte, b'\r' | b'\n' | 0) => {
            fault("delimiter", format!("{:?} cannot part fields", char::from(*byte)));
            b','
        }
        [byte] => *byte,
        _ => {
            fault("delimiter", "the delimiter must be one ASCII character, such as \",\" or \"\\t\"".into());
            b','
        }
    };
    let quote = match config.quote.as_deref().unwrap_or("\"").as_bytes() {
        [] => None,
        [byte] if byte.is_ascii_graphic() && !byte.is_ascii_alphanumeric() => Some(*byte),
        _ => {
            fault("quote", "the quote must be one ASCII sign, or empty if nothing is quoted".into());
            None
        }
    };
    for (key, byte) in [("delimiter", Some(delimiter)), ("quote", quote)] {
        if let Some(byte) = byte.filter(|byte| !encoding.stands_alone(*byte)) {
            let message = format!(
                "in {} the byte of {:?} can be part of a character; use a comma, semicolon or tab",
                encoding.name(),
                char::from(byte)
            );
            fault(key, message);
        }
    }
    if quote == Some(delimiter) {
        fault("quote", "the quote cannot be the delimiter".into());
    }
    Layout::Csv { delimiter, quote, header_row: header_row(config, fault) }
}
