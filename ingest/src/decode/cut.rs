//! Reading a stream in blocks and cutting it into records.
//!
//! The cutting looks at raw bytes and at nothing else. What it decides about a record never depends
//! on where a block ends.

use std::io::Read;

use super::csv::CsvSplitter;
use super::failure::{DecodeError, FileRefused};
use super::format::{Format, Layout, Limits};
use super::json::JsonSplitter;
use super::ndjson::NdjsonSplitter;
use super::records::{Header, RecordChunk};

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
#[derive(Debug)]
enum Splitter {
    Csv(CsvSplitter),
    Ndjson(NdjsonSplitter),
    Json(JsonSplitter),
}

impl Splitter {
    fn split(&mut self, bytes: &[u8], bounds: Bounds, chunk: &mut RecordChunk) -> Result<Progress, FileRefused> {
        match self {
            Self::Csv(csv) => Ok(csv.split(bytes, bounds, chunk)),
            Self::Ndjson(ndjson) => Ok(ndjson.split(bytes, bounds, chunk)),
            Self::Json(json) => json.split(bytes, bounds, chunk),
        }
    }

    /// The start of the next line, or `None` if the bytes do not hold it for sure.
    fn next_line(&self, bytes: &[u8], at_end: bool) -> Option<usize> {
        match self {
            Self::Csv(_) => super::csv::line_end(bytes, 0, at_end).map(|line| line.next),
            // JSON passes over long records by itself.
            Self::Ndjson(_) | Self::Json(_) => memchr::memchr(b'\n', bytes).map(|at| at + 1),
        }
    }
}

/// The records of a stream.
pub(super) struct Cut {
    reader: Box<dyn Read + Send>,
    splitter: Splitter,
    limits: Limits,
    /// Bytes read and not yet handed out, and their offset in the stream.
    carry: Vec<u8>,
    base: u64,
    next_row: u64,
    at_end: bool,
    in_long_line: bool,
}

impl Cut {
    /// Reads as far as the first data record; for CSV that is past the header.
    pub(super) fn open(reader: Box<dyn Read + Send>, format: &Format) -> Result<(Header, Self), DecodeError> {
        let limits = Limits {
            // Positions inside a chunk have 30 bits.
            block_bytes: format.limits.block_bytes.clamp(1, 1 << 28),
            record_bytes: format.limits.record_bytes.clamp(1, 1 << 28),
            chunk_rows: format.limits.chunk_rows.max(1),
        };
        let splitter = match &format.layout {
            Layout::Csv { delimiter, quote, .. } => Splitter::Csv(CsvSplitter::new(*delimiter, *quote)),
            Layout::Json { path } => Splitter::Json(JsonSplitter::new(path)),
            _ => Splitter::Ndjson(NdjsonSplitter),
        };
        let mut cut = Self {
            reader,
            splitter,
            limits,
            carry: Vec::new(),
            base: 0,
            next_row: 1,
            at_end: false,
            in_long_line: false,
        };
        cut.skip_mark(format)?;
        let header = match format.layout {
            Layout::Csv { header_row, .. } => cut.read_header(format, header_row)?,
            _ => Header::default(),
        };
        Ok((header, cut))
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

    fn read_header(&mut self, format: &Format, header_row: u32) -> Result<Header, DecodeError> {
        let Splitter::Csv(splitter) = &self.splitter else {
            return Ok(Header::default());
        };
        let splitter = splitter.clone();
        loop {
            let bounds = self.bounds(u64::from(header_row) + 1);
            let Some(header) = splitter.header(&self.carry, bounds)? else {
                self.read_block()?;
                continue;
            };
            let titles = header.titles(&self.carry, format.encoding)?;
            let text = format.readable(&self.carry[..header.next]).trim_end().to_owned();
            self.splitter = Splitter::Csv(splitter.with_width(header.width()));
            self.take(header.next);
            return Ok(Header { titles, text, ..Header::default() });
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

    /// The next records, or `None` at the end of the stream.
    pub(super) fn next_chunk(&mut self) -> Result<Option<RecordChunk>, DecodeError> {
        if self.carry.len() < self.limits.block_bytes && !self.at_end {
            self.read_block()?;
        }
        loop {
            if self.in_long_line {
                self.pass_long_line()?;
            }
            let mut chunk = RecordChunk::at(self.base, self.next_row);
            let stop_row = self.next_row + self.limits.chunk_rows as u64;
            let bounds = self.bounds(stop_row);
            let progress = self.splitter.split(&self.carry, bounds, &mut chunk)?;
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
