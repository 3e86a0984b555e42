//! The records of a landed file, chunk by chunk, whatever its format.
//!
//! Getting at records makes nothing of their values, so that it can run ahead of the reading of
//! values on a thread of its own, and so that `trace` finds a record exactly where decoding found it.

use std::fmt;

use super::cut::Cut;
use super::failure::{DecodeError, FileRefused, Rule, Span};
use super::foreign::Foreign;
use super::format::{Format, Layout};
use super::grid::Place;
use super::packed::{self, Input};
use super::{parquet, xlsx};

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
    /// Of rendered records: where the values stand, and what they are.
    pub(super) places: Vec<Place>,
    /// The bytes are a rendering of ours and stand nowhere in the file.
    pub(super) is_rendered: bool,
}

impl RecordChunk {
    pub(super) fn at(base: u64, next_row: u64) -> Self {
        Self { base, next_row, ..Self::default() }
    }

    pub(super) fn rendered(next_row: u64) -> Self {
        Self { next_row, is_rendered: true, ..Self::default() }
    }

    pub(super) fn is_empty(&self) -> bool {
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
        if self.is_rendered {
            return Span { offset: 0, len: 0 };
        }
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

impl RecordChunk {
    /// Drops all records but one.
    pub(super) fn keep_only(&mut self, row_no: u64) {
        let count = self.starts.len().max(1);
        let (fields, places) = (self.ends.len() / count, self.places.len() / count);
        let others: Vec<usize> = (0..self.row_no.len()).filter(|row| self.row_no[*row] != row_no).collect();
        self.faults.retain(|fault| fault.row_no == row_no);
        if places > 0 {
            keep_others(&mut self.places, &others, places);
        }
        self.remove(&others, fields.max(1));
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

/// What a file says about its columns, before its records.
#[derive(Debug, Default)]
pub(super) struct Header {
    /// Titles in their order, trimmed; none for formats whose records name their own.
    pub(super) titles: Vec<String>,
    /// Columns that hold no single values, and what they hold.
    pub(super) unreadable: Vec<(String, String)>,
    /// As it stands there, for people.
    pub(super) text: String,
}

/// The records of a landed file.
pub struct Records {
    header: Header,
    engine: Engine,
}

/// How records are got at.
enum Engine {
    /// Cut from the bytes here.
    Cut(Box<Cut>),
    /// Read by a library on a thread of its own.
    Foreign(Foreign),
}

impl Records {
    /// Unpacks the file and reads as far as its first data record, past a header if it has one.
    pub fn open(reader: impl Input + 'static, format: &Format) -> Result<Self, DecodeError> {
        let input = Box::new(reader);
        let (header, engine) = match &format.layout {
            Layout::Csv { .. } | Layout::Ndjson | Layout::Json { .. } => {
                let (header, cut) = Cut::open(packed::stream(input, &format.packing)?, format)?;
                (header, Engine::Cut(Box::new(cut)))
            }
            Layout::Sheet(sheet) => {
                let input = packed::workbook(input, &format.packing)?;
                let (header, foreign) = xlsx::open(input, sheet, format)?;
                (header, Engine::Foreign(foreign))
            }
            Layout::Parquet => {
                let input = packed::seekable(input, &format.packing)?;
                let (header, foreign) = parquet::open(input, format)?;
                (header, Engine::Foreign(foreign))
            }
        };
        Ok(Self { header, engine })
    }

    /// Titles of the columns as the header gives them, trimmed; none for NDJSON and JSON.
    pub fn titles(&self) -> &[String] {
        &self.header.titles
    }

    pub(super) fn header(&self) -> &Header {
        &self.header
    }
}

impl Iterator for Records {
    type Item = Result<RecordChunk, DecodeError>;

    fn next(&mut self) -> Option<Self::Item> {
        match &mut self.engine {
            Engine::Cut(cut) => cut.next_chunk().transpose(),
            Engine::Foreign(foreign) => foreign.next_chunk().transpose(),
        }
    }
}

impl fmt::Debug for Records {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Records").field("header", &self.header).finish_non_exhaustive()
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
