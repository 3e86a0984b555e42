//! Reading a landed file in blocks and cutting it into records.
//!
//! The cutting looks at raw bytes and at nothing else, so that it can run ahead of the reading of
//! values on a thread of its own, and so that `trace` finds a record exactly where decoding found it.
//! What it decides about a record never depends on where a block ends.

use std::io::Read;

use super::csv::CsvSplitter;
use super::failure::{DecodeError, FileRefused, Rule, Span};
use super::format::{Format, Layout, Limits};
use super::ndjson::NdjsonSplitter;

/// Ends of fields are positions with two flags; this bit says that the field is quoted …
pub(super) const QUOTED: u32 = 1 << 31;
/// … and this one that it has doubled quotes inside.
pub(super) const DOUBLED: u32 = 1 << 30;
pub(super) const POSITION: u32 = DOUBLED - 1;

/// Why a record did not come apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RecordFault {
    /// Another number of fields than the header has.
    Fields {
        found: usize,
    },
    BadQuote,
    UnclosedQuote,
    TooLong,
}

/// A record held alone while splitting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct SplitFault {
    pub(super) row_no: u64,
    pub(super) start: u32,
    pub(super) len: u32,
    pub(super) fault: RecordFault,
}

/// Some consecutive records of a landed file: the bytes, and where in them the records are.
#[derive(Debug, Clone, Default)]
pub struct RecordChunk {
    pub(super) bytes: Vec<u8>,
    /// Offset of `bytes` in the file.
    pub(super) base: u64,
    /// Number of the next record, from 1.
    pub(super) next_row: u64,
    /// Start and length in `bytes` of every record that came apart, without line end.
    pub(super) starts: Vec<u32>,
    pub(super) lens: Vec<u32>,
    pub(super) row_no: Vec<u64>,
    /// The end of every field of these records; the next field starts one byte later.
    pub(super) ends: Vec<u32>,
    pub(super) faults: Vec<SplitFault>,
}

impl RecordChunk {
    fn at(base: u64, next_row: u64) -> Self {
        Self { base, next_row, ..Self::default() }
    }

    fn is_empty(&self) -> bool {
        self.starts.is_empty() && self.faults.is_empty()
    }

    /// Adds a record that came apart.
    #[inline]
    pub(super) fn push(&mut self, start: usize, end: usize) {
        self.starts.push(start as u32);
        self.lens.push((end - start) as u32);
        self.row_no.push(self.next_row);
        self.next_row += 1;
    }

    /// Adds a record that did not.
    pub(super) fn push_fault(&mut self, start: usize, end: usize, fault: RecordFault) {
        let (start, len) = (start as u32, (end - start) as u32);
        self.faults.push(SplitFault { row_no: self.next_row, start, len, fault });
        self.next_row += 1;
    }

    /// Where a piece of `bytes` stands in the file.
    pub(super) fn span(&self, start: u32, len: u32) -> Span {
        Span { offset: self.base + u64::from(start), len }
    }

    /// Removes records by position; `rows` is in order, `width` the number of fields of a record.
    pub(super) fn remove(&mut self, rows: &[usize], width: usize) {
        if rows.is_empty() {
            return;
        }
        keep_others(&mut self.starts, rows, 1);
        keep_others(&mut self.lens, rows, 1);
        keep_others(&mut self.row_no, rows, 1);
        keep_others(&mut self.ends, rows, width);
    }
}

/// Removes the items of some rows from a list with `width` items a row.
pub(super) fn keep_others<T>(items: &mut Vec<T>, rows: &[usize], width: usize) {
    let mut position = 0;
    let mut rows = rows.iter().peekable();
    items.retain(|_| {
        let row = position / width;
        position += 1;
        while rows.next_if(|removed| **removed < row).is_some() {}
        rows.peek() != Some(&&row)
    });
}

/// How far a splitter came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Progress {
    /// Bytes that are done with.
    pub(super) consumed: usize,
    /// The rest of a line over the size limit is still to come and to be passed over.
    pub(super) in_long_line: bool,
}

impl Progress {
    pub(super) fn up_to(consumed: usize) -> Self {
        Self { consumed, in_long_line: false }
    }
}

/// What a splitter may do with the bytes at hand.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    /// The file ends where the bytes end.
    pub(super) at_end: bool,
    /// Longest record.
    pub(super) record_bytes: usize,
    /// Stop before this record.
    pub(super) stop_row: u64,
}

/// Cuts bytes into records; one arm a format.
#[derive(Debug, Clone)]
enum Splitter {
    Csv(CsvSplitter),
    Ndjson(NdjsonSplitter),
}

impl Splitter {
    fn split(&self, bytes: &[u8], bounds: Bounds, chunk: &mut RecordChunk) -> Progress {
        match self {
            Self::Csv(csv) => csv.split(bytes, bounds, chunk),
            Self::Ndjson(ndjson) => ndjson.split(bytes, bounds, chunk),
        }
    }

    /// The start of the next line, or `None` if the bytes do not hold it for sure.
    fn next_line(&self, bytes: &[u8], at_end: bool) -> Option<usize> {
        match self {
            Self::Csv(_) => super::csv::line_end(bytes, 0, at_end).map(|line| line.next),
            Self::Ndjson(_) => memchr::memchr(b'\n', bytes).map(|at| at + 1),
        }
    }
}

/// The records of a landed file, chunk by chunk.
#[derive(Debug)]
pub struct Records<R> {
    reader: R,
    splitter: Splitter,
    limits: Limits,
    /// Bytes read and not yet handed out, and their offset in the file.
    carry: Vec<u8>,
    base: u64,
    next_row: u64,
    at_end: bool,
    in_long_line: bool,
    titles: Vec<String>,
}

impl<R: Read> Records<R> {
    /// Reads as far as the first data record; for CSV that is past the header.
    pub fn open(reader: R, format: &Format) -> Result<Self, DecodeError> {
        let limits = Limits {
            // Positions inside a chunk have 30 bits.
            block_bytes: format.limits.block_bytes.clamp(1, 1 << 28),
            record_bytes: format.limits.record_bytes.clamp(1, 1 << 28),
            chunk_rows: format.limits.chunk_rows.max(1),
        };
        let splitter = match format.layout {
            Layout::Csv { delimiter, quote, .. } => Splitter::Csv(CsvSplitter::new(delimiter, quote)),
            Layout::Ndjson => Splitter::Ndjson(NdjsonSplitter),
        };
        let mut records = Self {
            reader,
            splitter,
            limits,
            carry: Vec::new(),
            base: 0,
            next_row: 1,
            at_end: false,
            in_long_line: false,
            titles: Vec::new(),
        };
        records.skip_mark(format)?;
        if let Layout::Csv { header_row, .. } = format.layout {
            records.read_header(format, header_row)?;
        }
        Ok(records)
    }

    /// Titles of the columns as the header gives them, trimmed; none for NDJSON.
    pub fn titles(&self) -> &[String] {
        &self.titles
    }

    fn skip_mark(&mut self, format: &Format) -> Result<(), DecodeError> {
        const LONGEST_MARK: usize = 4;
        while self.carry.len() < LONGEST_MARK && !self.at_end {
            self.read_block()?;
        }
        let mark = format.encoding.mark(&self.carry)?;
        self.take(mark);
        Ok(())
    }

    fn read_header(&mut self, format: &Format, header_row: u32) -> Result<(), DecodeError> {
        let Splitter::Csv(splitter) = self.splitter.clone() else {
            return Ok(());
        };
        loop {
            let bounds = self.bounds(u64::from(header_row) + 1);
            let Some(header) = splitter.header(&self.carry, bounds)? else {
                self.read_block()?;
                continue;
            };
            self.titles = header.titles(&self.carry, format.encoding)?;
            self.splitter = Splitter::Csv(splitter.with_width(header.width()));
            self.take(header.next);
            return Ok(());
        }
    }

    fn bounds(&self, stop_row: u64) -> Bounds {
        Bounds { at_end: self.at_end, record_bytes: self.limits.record_bytes, stop_row }
    }

    /// Drops bytes from the front of the carry.
    fn take(&mut self, len: usize) {
        self.carry.drain(..len);
        self.base += len as u64;
    }

    fn read_block(&mut self) -> std::io::Result<()> {
        let block = self.limits.block_bytes;
        self.carry.reserve(block);
        let read = self.reader.by_ref().take(block as u64).read_to_end(&mut self.carry)?;
        self.at_end = read < block;
        Ok(())
    }

    /// The next records, or `None` at the end of the file.
    fn next_chunk(&mut self) -> std::io::Result<Option<RecordChunk>> {
        if self.carry.len() < self.limits.block_bytes && !self.at_end {
            self.read_block()?;
        }
        loop {
            if self.in_long_line {
                self.pass_long_line()?;
            }
            let mut chunk = RecordChunk::at(self.base, self.next_row);
            let stop_row = self.next_row + self.limits.chunk_rows as u64;
            let progress = self.splitter.split(&self.carry, self.bounds(stop_row), &mut chunk);
            self.in_long_line = progress.in_long_line;
            if chunk.is_empty() {
                self.take(progress.consumed);
                if self.at_end {
                    return Ok(None);
                }
                self.read_block()?;
                continue;
            }
            self.next_row = chunk.next_row;
            self.base += progress.consumed as u64;
            let mut rest = Vec::with_capacity(self.carry.len() - progress.consumed + self.limits.block_bytes);
            rest.extend_from_slice(&self.carry[progress.consumed..]);
            chunk.bytes = std::mem::replace(&mut self.carry, rest);
            chunk.bytes.truncate(progress.consumed);
            return Ok(Some(chunk));
        }
    }

    /// Passes over the rest of a line whose beginning was held as too long, without keeping it.
    fn pass_long_line(&mut self) -> std::io::Result<()> {
        loop {
            if let Some(next) = self.splitter.next_line(&self.carry, self.at_end) {
                self.in_long_line = false;
                self.take(next);
                return Ok(());
            }
            if self.at_end {
                self.in_long_line = false;
                self.take(self.carry.len());
                return Ok(());
            }
            // The last byte may be a CR whose LF is still to come.
            self.take(self.carry.len().saturating_sub(1));
            self.read_block()?;
        }
    }
}

impl<R: Read> Iterator for Records<R> {
    type Item = Result<RecordChunk, DecodeError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.next_chunk().map_err(DecodeError::from).transpose()
    }
}

/// A header that cannot be read.
pub(super) fn unreadable_header(zh: impl Into<String>, en: impl Into<String>) -> FileRefused {
    FileRefused::new(Rule::UnreadableHeader, zh, en)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn removing_rows_keeps_the_others_whole() {
        let mut items = vec![0, 1, 10, 11, 20, 21, 30, 31];
        keep_others(&mut items, &[0, 2], 2);
        assert_eq!(items, [10, 11, 30, 31]);
        keep_others(&mut items, &[1], 2);
        assert_eq!(items, [10, 11]);
    }
}
