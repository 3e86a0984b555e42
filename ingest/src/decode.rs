//! Decoding: landed files become typed rows and named faults, in a stream of bounded memory.
//!
//! Two steps, so that a caller can put them on two threads: [`Records`] cuts bytes into records,
//! [`RowReader`] reads their values. [`Decoder`] is both in turn.
//!
//! Text formats are cut into records here (`cut`). Formats of cells (workbooks, Parquet) are read by
//! their libraries on a thread of their own (`foreign`) and written as lines of JSON (`rendered`).
//! What is around a file is taken off before (`packed`).
//!
//! Another format is one file here, an arm of `FormatKind` and `Layout`, and an arm where records
//! are opened (`records`) and read (`rows`).

mod cell;
mod column;
mod csv;
mod cut;
mod derived;
mod encoding;
mod failure;
mod foreign;
mod format;
mod grid;
mod instant;
mod json;
mod mapping;
mod message;
mod ndjson;
mod nearest;
mod number;
mod packed;
mod parquet;
mod pattern;
mod records;
mod rendered;
mod rows;
mod text;
mod trace;
mod xlsx;
mod zone;

#[cfg(test)]
mod tests;

use std::sync::Arc;

pub use derived::{Derive, Derived};
pub use failure::{CellFailure, ConfigFault, DecodeError, FileRefused, Message, RejectedRecord, Rule, Span};
pub use format::{Compression, Format, FormatConfig, FormatKind, Limits, SheetChoice};
pub use mapping::{ColumnConfig, ConstantConfig, Mapping};
pub use packed::Input;
pub use records::{RecordChunk, Records};
pub use rows::{DecodedChunk, RowReader};
pub use trace::{Traced, record_at, records_at, traced};

/// A landed file being decoded.
#[derive(Debug)]
pub struct Decoder {
    records: Records,
    reader: Arc<RowReader>,
}

impl Decoder {
    /// Reads the header and binds the mapping to it.
    ///
    /// `extra` are columns of theirs wanted as text besides, under their own titles. A file without
    /// a readable header, with one title twice, or without a required column is refused.
    pub fn open(
        reader: impl Input + 'static,
        format: &Format,
        mapping: &Mapping,
        extra: &[String],
    ) -> Result<Self, DecodeError> {
        let records = Records::open(reader, format)?;
        let reader = RowReader::bind(format, mapping, records.header(), extra)?;
        Ok(Self { records, reader: Arc::new(reader) })
    }

    /// Columns of the header that neither the mapping nor the contract nor `extra` names.
    pub fn unknown_columns(&self) -> &[String] {
        self.reader.unknown_columns()
    }

    /// The two steps, to be run apart.
    pub fn split(self) -> (Records, Arc<RowReader>) {
        (self.records, self.reader)
    }
}

impl Iterator for Decoder {
    type Item = Result<DecodedChunk, DecodeError>;

    fn next(&mut self) -> Option<Self::Item> {
        let chunk = self.records.next()?;
        Some(chunk.map(|chunk| self.reader.read(chunk)))
    }
}
