//! Delimited text: RFC 4180 strictly, with any mix of line ends.
//!
//! What a record is: up to a CR, LF or CRLF outside quotes. Lines without anything but spaces are no
//! records. A field is quoted as a whole or not at all. A quote that breaks this holds its record,
//! and never more: one that is opened and not properly closed holds its first physical line alone,
//! and reading resumes at the next line.

mod specials;

use super::cell::{Cell, Cells};
use super::cut::{Bounds, Progress};
use super::encoding::TextEncoding;
use super::failure::FileRefused;
use super::records::{DOUBLED, POSITION, QUOTED, RecordChunk, RecordFault, unreadable_header};
use specials::Specials;

/// Fewest columns at which a line with the right number of fields, met inside quotes, is taken for
/// a record of its own; with fewer, ordinary text could look like one.
const TELLING_WIDTH: usize = 6;

/// Cuts CSV into records and fields.
#[derive(Debug, Clone)]
pub(super) struct CsvSplitter {
    delimiter: u8,
    quote: Option<u8>,
    /// Fields a record must have; none while the header is looked for.
    width: Option<usize>,
}

/// A line of bytes: where it ends, and where the next one starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Line {
    end: usize,
    pub(super) next: usize,
}

/// The end of the physical line at `from`; `None` if the bytes end before it is sure.
pub(super) fn line_end(bytes: &[u8], from: usize, at_end: bool) -> Option<Line> {
    match memchr::memchr2(b'\r', b'\n', &bytes[from..]) {
        Some(length) => after_line_end(bytes, from + length, at_end),
        None => at_end.then_some(Line { end: bytes.len(), next: bytes.len() }),
    }
}

/// The line that ends with the CR or LF at `end`; `None` if an LF may yet follow the CR.
#[inline]
fn after_line_end(bytes: &[u8], end: usize, at_end: bool) -> Option<Line> {
    let next = match (bytes[end], bytes.get(end + 1)) {
        (b'\r', Some(b'\n')) => end + 2,
        (b'\r', None) if !at_end => return None,
        _ => end + 1,
    };
    Some(Line { end, next })
}

/// The record being read.
#[derive(Debug, Clone, Copy)]
struct Open {
    /// Where it starts, and how many field ends stood before it.
    start: usize,
    first_end: usize,
    /// A line end was met inside quotes.
    spans_lines: bool,
}

/// What a record turned out to be.
enum Verdict {
    Record,
    Blank,
    Fault(RecordFault),
}

impl CsvSplitter {
    pub(super) fn new(delimiter: u8, quote: Option<u8>) -> Self {
        Self { delimiter, quote, width: None }
    }

    pub(super) fn with_width(self, width: usize) -> Self {
        Self { width: Some(width), ..self }
    }

    /// Splits as many whole records as there are.
    pub(super) fn split(&self, bytes: &[u8], bounds: Bounds, chunk: &mut RecordChunk) -> Progress {
        // Without quoting the delimiter stands in for the quote: it is always recognised first.
        let quote = self.quote.unwrap_or(self.delimiter);
        let mut specials = Specials::from(bytes, 0, self.delimiter, quote);
        let mut open = Open { start: 0, first_end: chunk.ends.len(), spans_lines: false };
        let mut field_start = 0;
        let mut flags = 0;
        loop {
            let fault = loop {
                let Some(at) = specials.next() else {
                    break None;
                };
                let byte = bytes[at];
                if byte == self.delimiter {
                    chunk.ends.push(at as u32 | flags);
                    flags = 0;
                    field_start = at + 1;
                } else if byte == b'\n' || byte == b'\r' {
                    let Some(line) = after_line_end(bytes, at, bounds.at_end) else {
                        break None;
                    };
                    chunk.ends.push(at as u32 | flags);
                    flags = 0;
                    match self.verdict(bytes, open, at, chunk.ends.len() - open.first_end, bounds) {
                        Verdict::Record => chunk.push(open.start, at),
                        Verdict::Blank => chunk.ends.truncate(open.first_end),
                        Verdict::Fault(fault) => break Some(fault),
                    }
                    if line.next == at + 2 {
                        specials.next();
                    }
                    field_start = line.next;
                    open = Open { start: line.next, first_end: chunk.ends.len(), spans_lines: false };
                    if chunk.next_row == bounds.stop_row {
                        return Progress::up_to(open.start);
                    }
                } else if byte == quote {
                    if at != field_start {
                        break Some(self.quote_fault(open));
                    }
                    match self.quoted_field(bytes, &mut specials, &mut open, bounds) {
                        Quoted::Closed { flags: found } => flags = found,
                        Quoted::Broken => break Some(self.quote_fault(open)),
                        Quoted::Unclosed => break Some(RecordFault::UnclosedQuote),
                        Quoted::Incomplete => {
                            chunk.ends.truncate(open.first_end);
                            return Progress::up_to(open.start);
                        }
                    }
                }
            };
            let fault = match fault {
                Some(fault) => fault,
                None => match self.last_record(bytes, open, flags, bounds, chunk) {
                    Ok(progress) => return progress,
                    Err(fault) => fault,
                },
            };
            chunk.ends.truncate(open.first_end);
            match hold_line(bytes, open.start, fault, bounds, chunk) {
                Ok(next) => {
                    open = Open { start: next, first_end: chunk.ends.len(), spans_lines: false };
                    field_start = next;
                    flags = 0;
                    specials.seek(next);
                    if chunk.next_row == bounds.stop_row {
                        return Progress::up_to(next);
                    }
                }
                Err(progress) => return progress,
            }
        }
    }

    /// What to make of the bytes after the last line end.
    fn last_record(
        &self,
        bytes: &[u8],
        open: Open,
        flags: u32,
        bounds: Bounds,
        chunk: &mut RecordChunk,
    ) -> Result<Progress, RecordFault> {
        let end = bytes.len();
        if !bounds.at_end {
            // Certainly too long, even if the line end is the next byte.
            return match end - open.start > bounds.record_bytes + 2 {
                true => Err(if open.spans_lines { RecordFault::UnclosedQuote } else { RecordFault::TooLong }),
                false => {
                    chunk.ends.truncate(open.first_end);
                    Ok(Progress::up_to(open.start))
                }
            };
        }
        if open.start < end {
            chunk.ends.push(end as u32 | flags);
            match self.verdict(bytes, open, end, chunk.ends.len() - open.first_end, bounds) {
                Verdict::Record => chunk.push(open.start, end),
                Verdict::Blank => chunk.ends.truncate(open.first_end),
                Verdict::Fault(fault) => return Err(fault),
            }
        }
        Ok(Progress::up_to(end))
    }

    /// Judges the record from `open.start` to `end`.
    #[inline]
    fn verdict(&self, bytes: &[u8], open: Open, end: usize, fields: usize, bounds: Bounds) -> Verdict {
        let is_ordinary = self.width == Some(fields) && fields > 1 && !open.spans_lines;
        match is_ordinary && end - open.start <= bounds.record_bytes {
            true => Verdict::Record,
            false => self.unusual_verdict(&bytes[open.start..end], open.spans_lines, fields, bounds),
        }
    }

    #[cold]
    fn unusual_verdict(&self, record: &[u8], spans_lines: bool, fields: usize, bounds: Bounds) -> Verdict {
        if record.len() > bounds.record_bytes {
            let fault = if spans_lines { RecordFault::UnclosedQuote } else { RecordFault::TooLong };
            return Verdict::Fault(fault);
        }
        let Some(width) = self.width else {
            return Verdict::Record;
        };
        if fields == 1 && record.iter().all(|byte| *byte == b' ') {
            return Verdict::Blank;
        }
        match (spans_lines, fields == width) {
            (true, true) if !self.swallows_a_record(record, width) => Verdict::Record,
            (true, _) => Verdict::Fault(RecordFault::UnclosedQuote),
            (false, true) => Verdict::Record,
            (false, false) => Verdict::Fault(RecordFault::Fields { found: fields }),
        }
    }

    /// Whether a record over several lines looks like several records joined by two stray quotes:
    /// a line inside it is a whole record of its own, or its first and last line are as wide as one.
    fn swallows_a_record(&self, record: &[u8], width: usize) -> bool {
        if width < TELLING_WIDTH {
            return false;
        }
        let mut lines = Vec::new();
        let mut from = 0;
        while let Some(line) = line_end(record, from, true).filter(|_| from < record.len()) {
            lines.push(&record[from..line.end]);
            from = line.next;
        }
        let bare_width = |line: &[u8]| memchr::memchr_iter(self.delimiter, line).count() + 1;
        let [first, inner @ .., last] = lines.as_slice() else {
            return false;
        };
        (bare_width(first) >= width && bare_width(last) == width)
            || inner.iter().any(|line| bare_width(line) >= width && self.width_alone(line) == Some(width))
    }

    /// Fields of a line that is a sound record by itself.
    fn width_alone(&self, line: &[u8]) -> Option<usize> {
        let alone = Self { width: None, ..self.clone() };
        let mut chunk = RecordChunk::default();
        alone.split(line, Bounds { at_end: true, record_bytes: line.len(), stop_row: u64::MAX }, &mut chunk);
        (chunk.starts.len() == 1 && chunk.faults.is_empty()).then_some(chunk.ends.len())
    }

    fn quote_fault(&self, open: Open) -> RecordFault {
        if open.spans_lines { RecordFault::UnclosedQuote } else { RecordFault::BadQuote }
    }

    /// Reads a quoted field from after its opening quote to its closing one.
    fn quoted_field(&self, bytes: &[u8], specials: &mut Specials<'_>, open: &mut Open, bounds: Bounds) -> Quoted {
        let mut flags = QUOTED;
        while let Some(at) = specials.next() {
            if at - open.start > bounds.record_bytes {
                return Quoted::Unclosed;
            }
            let byte = bytes[at];
            if Some(byte) != self.quote {
                open.spans_lines |= byte == b'\n' || byte == b'\r';
                continue;
            }
            match bytes.get(at + 1) {
                Some(next) if *next == byte => {
                    flags |= DOUBLED;
                    specials.next();
                }
                Some(next) if *next == self.delimiter || matches!(next, b'\r' | b'\n') => {
                    return Quoted::Closed { flags };
                }
                None if bounds.at_end => return Quoted::Closed { flags },
                None => return Quoted::Incomplete,
                Some(_) => return Quoted::Broken,
            }
        }
        match bounds.at_end || bytes.len() - open.start > bounds.record_bytes + 2 {
            true => Quoted::Unclosed,
            false => Quoted::Incomplete,
        }
    }

    /// Finds the header; `None` if more bytes are needed. `bounds.stop_row` is one past its number.
    pub(super) fn header(&self, bytes: &[u8], bounds: Bounds) -> Result<Option<Header>, FileRefused> {
        let mut chunk = RecordChunk { next_row: 1, ..RecordChunk::default() };
        let progress = self.split(bytes, bounds, &mut chunk);
        let last_fault = chunk.faults.last().filter(|fault| fault.row_no + 1 == chunk.next_row);
        if progress.in_long_line || last_fault.is_some_and(|fault| fault.row_no + 1 == bounds.stop_row) {
            return Err(unreadable_header("表头这一行的引号有误或过长", "the header has a wrong quote or is too long"));
        }
        if chunk.next_row < bounds.stop_row {
            return match bounds.at_end {
                true => {
                    let header_row = bounds.stop_row - 1;
                    Err(unreadable_header(
                        format!("文件在第 {header_row} 行的表头之前就结束了"),
                        format!("the file ends before its header in line {header_row}"),
                    ))
                }
                false => Ok(None),
            };
        }
        let start = chunk.starts.last().copied().unwrap_or_default();
        let ends = chunk.ends.split_off(chunk.ends.partition_point(|end| (end & POSITION) < start));
        Ok(Some(Header { start, ends, quote: self.quote.unwrap_or(b'"'), next: progress.consumed }))
    }
}

/// What became of a quoted field.
enum Quoted {
    /// Properly closed; the flags belong to its end.
    Closed { flags: u32 },
    /// Something else than a delimiter or line end follows its closing quote.
    Broken,
    /// No closing quote within the file or the size limit.
    Unclosed,
    /// More bytes are needed to tell.
    Incomplete,
}

/// Holds the physical line at `start` and gives the start of the next one.
#[cold]
fn hold_line(
    bytes: &[u8],
    start: usize,
    fault: RecordFault,
    bounds: Bounds,
    chunk: &mut RecordChunk,
) -> Result<usize, Progress> {
    let longest = start + bounds.record_bytes;
    match line_end(bytes, start, bounds.at_end) {
        Some(line) if line.end > longest => {
            chunk.push_fault(start, longest, RecordFault::TooLong);
            Ok(line.next)
        }
        Some(line) => {
            chunk.push_fault(start, line.end, fault);
            Ok(line.next)
        }
        None if bytes.len() > longest + 2 => {
            chunk.push_fault(start, longest, RecordFault::TooLong);
            Err(Progress { consumed: bytes.len().saturating_sub(1), in_long_line: true })
        }
        None => Err(Progress::up_to(start)),
    }
}

/// A header that was found.
#[derive(Debug)]
pub(super) struct Header {
    start: u32,
    ends: Vec<u32>,
    quote: u8,
    /// Where the first data record starts.
    pub(super) next: usize,
}

impl Header {
    /// Number of columns.
    pub(super) fn width(&self) -> usize {
        self.ends.len()
    }

    /// The titles, trimmed.
    pub(super) fn titles(&self, bytes: &[u8], encoding: TextEncoding) -> Result<Vec<String>, FileRefused> {
        let mut titles = Vec::with_capacity(self.ends.len());
        let mut start = self.start;
        for end in &self.ends {
            let mut text = String::new();
            let field = &bytes[start as usize..(end & POSITION) as usize];
            if encoding.decode(field, &mut text).is_err() {
                return Err(unreadable_header(
                    format!("表头不是 {} 编码的文字，请核对 format.encoding", encoding.name()),
                    format!("the header is not text in {}; check format.encoding", encoding.name()),
                ));
            }
            titles.push(cell(&text, *end, self.quote).text().unwrap_or_default().into_owned());
            start = (end & POSITION) + 1;
        }
        if titles.iter().all(String::is_empty) {
            return Err(unreadable_header(
                "表头这一行是空的，请核对 format.header_row",
                "the line of the header is blank; check format.header_row",
            ));
        }
        Ok(titles)
    }
}

/// The cell of a field from its text (quotes included) and its end with flags.
#[inline]
fn cell(text: &str, end: u32, quote: u8) -> Cell<'_> {
    if end & QUOTED == 0 {
        return Cell::Plain(text);
    }
    let inside = text.get(1..text.len().saturating_sub(1)).unwrap_or_default();
    if end & DOUBLED == 0 { Cell::Plain(inside) } else { Cell::Doubled(inside, quote) }
}

/// Whole records in UTF-8 with the ends of their fields.
#[derive(Debug)]
pub(super) struct CsvCells<'a> {
    pub(super) text: &'a str,
    pub(super) starts: &'a [u32],
    pub(super) ends: &'a [u32],
    pub(super) width: usize,
    pub(super) quote: u8,
}

impl Cells for CsvCells<'_> {
    fn rows(&self) -> usize {
        self.starts.len()
    }

    #[inline]
    fn cell(&self, row: usize, field: usize) -> Cell<'_> {
        let (start, end) = self.place(row, field);
        let text = self.text.get(start..(end & POSITION) as usize).unwrap_or_default();
        cell(text, end, self.quote)
    }

    #[inline(always)]
    fn plain(&self, row: usize, field: usize) -> &[u8] {
        let (start, end) = self.place(row, field);
        let (start, to) = match end & (QUOTED | DOUBLED) {
            0 => (start, (end & POSITION) as usize),
            QUOTED => (start + 1, ((end & POSITION) as usize).wrapping_sub(1)),
            _ => return &[],
        };
        self.text.as_bytes().get(start..to).unwrap_or_default()
    }
}

impl CsvCells<'_> {
    /// Where a field starts, and its end with flags.
    #[inline(always)]
    fn place(&self, row: usize, field: usize) -> (usize, u32) {
        // Within the grid this cannot wrap.
        let at = row.wrapping_mul(self.width).wrapping_add(field);
        let start = match field {
            0 => self.starts[row],
            _ => (self.ends[at - 1] & POSITION) + 1,
        };
        (start as usize, self.ends[at])
    }
}
