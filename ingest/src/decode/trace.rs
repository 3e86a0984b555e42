//! Finding one record of a landed file again, exactly as decoding found it.

use std::io::Read;

use super::failure::{DecodeError, Span};
use super::format::Format;
use super::records::Records;

/// The bytes of a record without its line end, and where they stand; `None` if the file has fewer
/// records. Of a record over the size limit only the first bytes.
pub fn record_at(reader: impl Read, format: &Format, row_no: u64) -> Result<Option<(Span, Vec<u8>)>, DecodeError> {
    for chunk in Records::open(reader, format)? {
        let chunk = chunk?;
        if row_no >= chunk.next_row {
            continue;
        }
        let held = chunk.faults.iter().find(|fault| fault.row_no == row_no).map(|fault| (fault.start, fault.len));
        let split = || chunk.row_no.binary_search(&row_no).ok().map(|row| (chunk.starts[row], chunk.lens[row]));
        return Ok(held.or_else(split).map(|(start, len)| {
            let bytes = &chunk.bytes[start as usize..(start + len) as usize];
            (chunk.span(start, len), bytes.to_vec())
        }));
    }
    Ok(None)
}
