//! Decoding: landed files become typed rows and named faults, in a stream of bounded memory.
//!
//! Two steps, so that a caller can put them on two threads: [`Records`] cuts bytes into records,
//! [`RowReader`] reads their values. [`Decoder`] is both in turn.
//!
//! Another format is one file here, an arm of `Layout`, and an arm where its records are cut and
//! its cells are read.

mod cell;
mod column;
mod csv;
mod encoding;
mod failure;
mod format;
mod instant;
mod mapping;
mod message;
mod ndjson;
mod nearest;
mod number;
mod pattern;
mod records;
mod rows;
mod text;
mod trace;
mod zone;

#[cfg(test)]
mod fuzz;
#[cfg(test)]
mod hostile;
#[cfg(test)]
mod tests;

use std::io::Read;
use std::sync::Arc;

pub use failure::{CellFailure, ConfigFault, DecodeError, FileRefused, Message, RejectedRecord, Rule, Span};
pub use format::{Format, FormatConfig, FormatKind, Limits};
pub use mapping::{ColumnConfig, ConstantConfig, Mapping};
pub use records::{RecordChunk, Records};
pub use rows::{DecodedChunk, RowReader};
pub use trace::record_at;

/// A landed file being decoded.
#[derive(Debug)]
pub struct Decoder<R> {
    records: Records<R>,
    reader: Arc<RowReader>,
}

impl<R: Read> Decoder<R> {
    /// Reads the header and binds the mapping to it.
    ///
    /// `extra` are columns of theirs wanted as text besides, under their own titles. A file without
    /// a readable header, with one title twice, or without a required column is refused.
    pub fn open(reader: R, format: &Format, mapping: &Mapping, extra: &[String]) -> Result<Self, DecodeError> {
        let records = Records::open(reader, format)?;
        let reader = RowReader::bind(format, mapping, records.titles(), extra)?;
        Ok(Self { records, reader: Arc::new(reader) })
    }

    /// Columns of the header that neither the mapping nor the contract nor `extra` names.
    pub fn unknown_columns(&self) -> &[String] {
        self.reader.unknown_columns()
    }

    /// The two steps, to be run apart.
    pub fn split(self) -> (Records<R>, Arc<RowReader>) {
        (self.records, self.reader)
    }
}

impl<R: Read> Iterator for Decoder<R> {
    type Item = Result<DecodedChunk, DecodeError>;

    fn next(&mut self) -> Option<Self::Item> {
        let chunk = self.records.next()?;
        Some(chunk.map(|chunk| self.reader.read(chunk)))
    }
}
