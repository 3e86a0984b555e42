//! Writes rows as bytes, the way one sender does. This is the inner loop of the demo: cells go
//! straight into the file's buffer, without a string between.

use super::dataset::{Column, Dataset};
use super::day::{Day, Moment};
use super::dialect::{Dates, Dialect, Encoding, Layout, written_columns};
use super::record::Cell;

pub(super) struct Scribe {
    dialect: Dialect,
    columns: Vec<WrittenColumn>,
    encoder: Option<Gb18030>,
    /// A line in UTF-8 before it is encoded otherwise.
    line: Vec<u8>,
}

struct WrittenColumn {
    /// Place of the cell in the row.
    place: usize,
    header: String,
    ten_thousands: bool,
    words: Option<&'static [(&'static str, &'static str)]>,
}

/// How much of a record is written.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Extent {
    Whole,
    /// The line breaks off in the middle.
    CutShort,
    /// Two fields too many.
    Overlong,
}

/// Stands for a byte that no encoding allows, until the line is encoded.
pub(super) const INVALID_BYTE_MARK: char = '\u{1}';

impl Scribe {
    /// `clocked` feeds carry the sender's clock after the columns, `voidable` ones the state.
    pub(super) fn new(
        dialect: Dialect,
        dataset: Dataset,
        constants: &[(&'static str, &'static str)],
        clocked: Option<Column>,
        voidable: Option<Column>,
    ) -> Self {
        let width = dataset.columns().len();
        let mut columns: Vec<WrittenColumn> = written_columns(dataset, constants)
            .map(|(place, column)| WrittenColumn::new(&dialect, place, column))
            .collect();
        columns.extend(clocked.map(|clock| WrittenColumn::new(&dialect, width, &clock)));
        columns.extend(voidable.map(|state| WrittenColumn::new(&dialect, width + 1, &state)));
        let encoder = (dialect.encoding == Encoding::Gb18030).then(Gb18030::new);
        Scribe { dialect, columns, encoder, line: Vec::with_capacity(512) }
    }

    /// The places in the row that this sender writes.
    pub(super) fn places(&self) -> impl Iterator<Item = usize> + '_ {
        self.columns.iter().map(|column| column.place)
    }

    pub(super) fn dates(&self) -> Dates {
        self.dialect.dates
    }

    pub(super) fn layout(&self) -> Layout {
        self.dialect.layout
    }

    pub(super) fn write_header(&mut self, out: &mut Vec<u8>) {
        if self.dialect.encoding == Encoding::Utf8WithBom {
            out.extend_from_slice("\u{feff}".as_bytes());
        }
        if self.dialect.layout == Layout::Ndjson {
            return;
        }
        let mut line = std::mem::take(&mut self.line);
        line.clear();
        for (place, column) in self.columns.iter().enumerate() {
            if place > 0 {
                line.push(self.delimiter());
            }
            line.extend_from_slice(column.header.as_bytes());
        }
        self.end_line(&mut line);
        self.encode(&line, out);
        self.line = line;
    }

    pub(super) fn write(&mut self, row: &[Cell<'_>], extent: Extent, out: &mut Vec<u8>) {
        let mut line = std::mem::take(&mut self.line);
        line.clear();
        if self.dialect.layout == Layout::Ndjson {
            self.write_object(row, extent, &mut line);
        } else {
            self.write_fields(row, extent, &mut line);
        }
        self.end_line(&mut line);
        self.encode(&line, out);
        self.line = line;
    }

    fn write_fields(&self, row: &[Cell<'_>], extent: Extent, line: &mut Vec<u8>) {
        let columns = match extent {
            Extent::CutShort => &self.columns[..self.columns.len() / 2],
            Extent::Whole | Extent::Overlong => &self.columns[..],
        };
        for (place, column) in columns.iter().enumerate() {
            if place > 0 {
                line.push(self.delimiter());
            }
            self.write_field(column, &row[column.place], line);
        }
        if extent == Extent::Overlong {
            for _ in 0..2 {
                line.push(self.delimiter());
                line.extend_from_slice(b"0");
            }
        }
    }

    fn write_field(&self, column: &WrittenColumn, cell: &Cell<'_>, line: &mut Vec<u8>) {
        let quote_all = self.dialect.layout == Layout::Semicolons;
        match cell {
            Cell::Verbatim(text) => line.extend_from_slice(text.as_bytes()),
            Cell::Empty if quote_all => line.extend_from_slice(b"NULL"),
            Cell::Empty => {}
            Cell::Text(text) => self.write_text(column.word(text), quote_all, line),
            Cell::Spoilt(text) => self.write_text(text, quote_all, line),
            _ if quote_all => {
                line.push(b'"');
                self.write_value(column, cell, line);
                line.push(b'"');
            }
            _ => self.write_value(column, cell, line),
        }
    }

    fn write_text(&self, text: &str, quote_all: bool, line: &mut Vec<u8>) {
        let delimiter = self.delimiter();
        let needs_quotes = quote_all || text.bytes().any(|byte| byte == delimiter || byte == b'"' || byte == b'\n');
        if !needs_quotes {
            line.extend_from_slice(text.as_bytes());
            return;
        }
        line.push(b'"');
        for byte in text.bytes() {
            if byte == b'"' {
                line.push(b'"');
            }
            line.push(byte);
        }
        line.push(b'"');
    }

    fn write_object(&self, row: &[Cell<'_>], extent: Extent, line: &mut Vec<u8>) {
        line.push(b'{');
        let mut first = true;
        for column in &self.columns {
            let cell = &row[column.place];
            if matches!(cell, Cell::Empty) {
                continue;
            }
            if !first {
                line.push(b',');
            }
            first = false;
            line.push(b'"');
            line.extend_from_slice(column.header.as_bytes());
            line.extend_from_slice(b"\":");
            self.write_json_value(column, cell, line);
        }
        line.push(b'}');
        if extent == Extent::CutShort {
            line.truncate(line.len() / 2);
        }
    }

    fn write_json_value(&self, column: &WrittenColumn, cell: &Cell<'_>, line: &mut Vec<u8>) {
        match cell {
            Cell::Text(text) => write_json_text(column.word(text), line),
            Cell::Spoilt(text) => write_json_text(text, line),
            Cell::Verbatim(text) => line.extend_from_slice(text.as_bytes()),
            Cell::Flag(flag) => line.extend_from_slice(if *flag { b"true" } else { b"false" }),
            Cell::Day(_) | Cell::Moment(_) => {
                line.push(b'"');
                self.write_value(column, cell, line);
                line.push(b'"');
            }
            _ => self.write_value(column, cell, line),
        }
    }

    fn write_value(&self, column: &WrittenColumn, cell: &Cell<'_>, line: &mut Vec<u8>) {
        let thousands = self.dialect.layout == Layout::Semicolons;
        match cell {
            Cell::Int(value) => write_integer(*value, line),
            Cell::Fen(fen) if column.ten_thousands => write_decimal(*fen, 6, false, line),
            Cell::Fen(fen) => write_decimal(*fen, 2, thousands, line),
            Cell::Millionths(value) => write_decimal(*value, 6, false, line),
            Cell::TenThousandths(value) => write_decimal(*value, 4, false, line),
            Cell::Day(day) => write_day(*day, self.dialect.dates, line),
            Cell::Moment(moment) => write_moment(*moment, self.dialect.dates, line),
            Cell::Flag(flag) => {
                line.extend_from_slice(if *flag { "是" } else { "否" }.as_bytes());
            }
            Cell::Empty | Cell::Text(_) | Cell::Spoilt(_) | Cell::Verbatim(_) => {}
        }
    }

    fn delimiter(&self) -> u8 {
        match self.dialect.layout {
            Layout::Semicolons => b';',
            Layout::Pipes => b'|',
            Layout::Csv | Layout::Ndjson => b',',
        }
    }

    fn end_line(&self, line: &mut Vec<u8>) {
        if self.dialect.layout == Layout::Semicolons {
            line.push(b'\r');
        }
        line.push(b'\n');
    }

    fn encode(&mut self, line: &[u8], out: &mut Vec<u8>) {
        let begin = out.len();
        match &mut self.encoder {
            Some(encoder) => encoder.encode(line, out),
            None => out.extend_from_slice(line),
        }
        for byte in &mut out[begin..] {
            if *byte == INVALID_BYTE_MARK as u8 {
                *byte = 0xff;
            }
        }
    }
}

impl WrittenColumn {
    fn new(dialect: &Dialect, place: usize, column: &Column) -> Self {
        WrittenColumn {
            place,
            header: dialect.header(column),
            ten_thousands: dialect.writes_ten_thousands(column),
            words: dialect.words(column),
        }
    }

    /// The sender's word for a code; other values stand for themselves.
    fn word<'a>(&self, code: &'a str) -> &'a str {
        match self.words {
            None => code,
            Some(words) => words.iter().find(|(of, _)| *of == code).map_or(code, |(_, word)| word),
        }
    }
}

/// GB18030 with a memory: encoding_rs searches its tables for every character it encodes, and a
/// province writes the same few thousand over and over.
struct Gb18030 {
    /// The bytes of each character of the basic plane, the first in the low byte; 0 = not yet known.
    known: Vec<u32>,
}

impl Gb18030 {
    fn new() -> Self {
        Gb18030 { known: vec![0; 0x1_0000] }
    }

    fn encode(&mut self, line: &[u8], out: &mut Vec<u8>) {
        for character in String::from_utf8_lossy(line).chars() {
            if character.is_ascii() {
                out.push(character as u8);
                continue;
            }
            let Some(known) = self.known.get_mut(character as usize) else {
                out.push(b'?');
                continue;
            };
            if *known == 0 {
                let mut utf8 = [0; 4];
                let (bytes, _, _) = encoding_rs::GB18030.encode(character.encode_utf8(&mut utf8));
                *known = bytes.iter().rev().fold(0, |word, byte| word << 8 | u32::from(*byte));
            }
            let bytes = known.to_le_bytes();
            let length = if *known > 0xffff { 4 } else { 2 };
            out.extend_from_slice(&bytes[..length]);
        }
    }
}

fn write_json_text(text: &str, line: &mut Vec<u8>) {
    line.push(b'"');
    for byte in text.bytes() {
        match byte {
            b'"' => line.extend_from_slice(b"\\\""),
            b'\\' => line.extend_from_slice(b"\\\\"),
            b'\n' => line.extend_from_slice(b"\\n"),
            _ => line.push(byte),
        }
    }
    line.push(b'"');
}

fn write_integer(value: i64, line: &mut Vec<u8>) {
    let mut digits = [0; 20];
    let mut place = digits.len();
    let mut rest = value.unsigned_abs();
    loop {
        place -= 1;
        digits[place] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    if value < 0 {
        line.push(b'-');
    }
    line.extend_from_slice(&digits[place..]);
}

/// `units` of 10^-`scale`, all fraction digits written, in groups of three if wanted.
fn write_decimal(units: i64, scale: u32, thousands: bool, line: &mut Vec<u8>) {
    let one = 10i64.pow(scale);
    if units < 0 {
        line.push(b'-');
    }
    let whole = (units / one).abs();
    if thousands && whole >= 1_000 {
        let begin = line.len();
        write_integer(whole, line);
        let mut at = line.len();
        while at > begin + 3 {
            at -= 3;
            line.insert(at, b',');
        }
    } else {
        write_integer(whole, line);
    }
    line.push(b'.');
    let mut rest = (units % one).abs();
    let mut place = one / 10;
    for _ in 0..scale {
        line.push(b'0' + (rest / place) as u8);
        rest %= place;
        place = (place / 10).max(1);
    }
}

fn write_two_digits(value: u32, line: &mut Vec<u8>) {
    line.push(b'0' + (value / 10) as u8);
    line.push(b'0' + (value % 10) as u8);
}

fn write_day_with(day: Day, separator: Option<u8>, line: &mut Vec<u8>) {
    let (year, month, of_month) = day.civil();
    write_two_digits(year as u32 / 100, line);
    write_two_digits(year as u32 % 100, line);
    line.extend(separator);
    write_two_digits(month, line);
    line.extend(separator);
    write_two_digits(of_month, line);
}

fn write_day(day: Day, dates: Dates, line: &mut Vec<u8>) {
    match dates {
        Dates::Iso | Dates::IsoWithZone => write_day_with(day, Some(b'-'), line),
        Dates::Slashes => write_day_with(day, Some(b'/'), line),
        Dates::Compact => write_day_with(day, None, line),
    }
}

fn write_moment(moment: Moment, dates: Dates, line: &mut Vec<u8>) {
    let (separator, between) = match dates {
        Dates::Iso | Dates::IsoWithZone => (b'-', b'T'),
        Dates::Slashes => (b'/', b' '),
        Dates::Compact => (b'-', b' '),
    };
    write_day_with(moment.day(), Some(separator), line);
    line.push(between);
    let (hour, minute, second) = moment.clock();
    write_two_digits(hour, line);
    line.push(b':');
    write_two_digits(minute, line);
    line.push(b':');
    write_two_digits(second, line);
    if dates == Dates::IsoWithZone {
        line.extend_from_slice(b"+08:00");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decimal(units: i64, scale: u32, thousands: bool) -> String {
        let mut line = Vec::new();
        write_decimal(units, scale, thousands, &mut line);
        String::from_utf8(line).unwrap()
    }

    #[test]
    fn decimals_keep_every_digit_and_the_sign() {
        assert_eq!(decimal(123_456_789, 2, true), "1,234,567.89");
        assert_eq!(decimal(-5, 2, false), "-0.05");
        assert_eq!(decimal(-100_000, 2, true), "-1,000.00");
        assert_eq!(decimal(99_999, 2, true), "999.99");
        assert_eq!(decimal(3_050_007, 6, false), "3.050007");
    }

    #[test]
    fn what_is_written_in_gb18030_reads_back() {
        let mut out = Vec::new();
        let mut encoder = Gb18030::new();
        let line = "浙岱渔00017,衢江区,㐂,ok";
        encoder.encode(line.as_bytes(), &mut out);
        encoder.encode(line.as_bytes(), &mut out);
        let (read, _, had_errors) = encoding_rs::GB18030.decode(&out);
        assert!(!had_errors);
        assert_eq!(read, format!("{line}{line}"));
    }

    #[test]
    fn a_text_with_a_delimiter_or_a_quote_is_quoted() {
        let scribe = Scribe::new(Dialect::PLAIN, Dataset::Insurer, &[], None, None);
        let mut line = Vec::new();
        scribe.write_text("四色\"图\",加", false, &mut line);
        assert_eq!(String::from_utf8(line).unwrap(), "\"四色\"\"图\"\",加\"");
    }
}
