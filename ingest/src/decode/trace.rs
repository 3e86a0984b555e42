//! Finding records of a landed file again, exactly as decoding found them.

use std::collections::{BTreeMap, BTreeSet};

use super::failure::{DecodeError, Span};
use super::format::Format;
use super::mapping::Mapping;
use super::packed::Input;
use super::records::{RecordChunk, Records};
use super::rows::{DecodedChunk, RowReader};

/// One record found again.
#[derive(Debug)]
pub struct Traced {
    /// Where it stands; of no length where the format has no such place.
    pub span: Span,
    /// Its bytes without its line end; of a workbook or Parquet file a line of JSON made of its
    /// cells. Of a record over the size limit only the first bytes.
    pub bytes: Vec<u8>,
    /// The header of the file as text; empty for formats without one.
    pub header: String,
    /// The record alone, read by a mapping.
    pub read: DecodedChunk,
}

/// The bytes of a record without its line end, and where they stand; `None` if the file has no
/// such record. Of a record over the size limit only the first bytes.
pub fn record_at(
    reader: impl Input + 'static,
    format: &Format,
    row_no: u64,
) -> Result<Option<(Span, Vec<u8>)>, DecodeError> {
    Ok(chunk_of(&mut Records::open(reader, format)?, row_no)?.and_then(|chunk| record(&chunk, row_no)))
}

/// The bytes of several records, in one pass over the file.
pub fn records_at(
    reader: impl Input + 'static,
    format: &Format,
    row_nos: &BTreeSet<u64>,
) -> Result<BTreeMap<u64, Vec<u8>>, DecodeError> {
    let mut records = Records::open(reader, format)?;
    let mut found = BTreeMap::new();
    let mut wanted = row_nos.iter().copied().peekable();
    while let Some(next) = wanted.peek().copied() {
        let Some(chunk) = chunk_of(&mut records, next)? else { break };
        while let Some(row_no) = wanted.next_if(|row_no| *row_no < chunk.next_row) {
            found.extend(record(&chunk, row_no).map(|(_, bytes)| (row_no, bytes)));
        }
    }
    Ok(found)
}

/// A record, and how a mapping reads it now; `None` if the file has no such record.
pub fn traced(
    reader: impl Input + 'static,
    format: &Format,
    mapping: &Mapping,
    row_no: u64,
) -> Result<Option<Traced>, DecodeError> {
    let mut records = Records::open(reader, format)?;
    let row_reader = RowReader::bind(format, mapping, records.header(), &[])?;
    let Some(mut chunk) = chunk_of(&mut records, row_no)? else { return Ok(None) };
    let Some((span, bytes)) = record(&chunk, row_no) else { return Ok(None) };
    chunk.keep_only(row_no);
    Ok(Some(Traced { span, bytes, header: records.header().text.clone(), read: row_reader.read(chunk) }))
}

/// The chunk that holds a record, if any does.
fn chunk_of(records: &mut Records, row_no: u64) -> Result<Option<RecordChunk>, DecodeError> {
    for chunk in records {
        let chunk = chunk?;
        if row_no < chunk.next_row {
            return Ok(Some(chunk));
        }
    }
    Ok(None)
}

fn record(chunk: &RecordChunk, row_no: u64) -> Option<(Span, Vec<u8>)> {
    let held = chunk.faults.iter().find(|fault| fault.row_no == row_no).map(|fault| (fault.start, fault.len));
    let split = || chunk.row_no.binary_search(&row_no).ok().map(|row| (chunk.starts[row], chunk.lens[row]));
    held.or_else(split).map(|(start, len)| {
        let bytes = &chunk.bytes[start as usize..(start + len) as usize];
        (chunk.span(start, len), bytes.to_vec())
    })
}
