//! From the bytes of a chunk to UTF-8, and to the records that are no text.

use std::borrow::Cow;

use super::encoding::TextEncoding;
use super::records::{POSITION, RecordChunk};

/// The records of a chunk in UTF-8.
#[derive(Debug)]
pub(super) struct Readable<'a> {
    pub(super) text: Cow<'a, str>,
    /// Starts of records and ends of fields in `text`, where they are others than in the chunk.
    pub(super) moved: Option<Places>,
    /// The records that are no text, in order; what `text` has of them means nothing.
    pub(super) invalid: Vec<Invalid>,
}

/// Starts of records and ends of fields, with the flags of the splitter.
#[derive(Debug)]
pub(super) struct Places {
    pub(super) starts: Vec<u32>,
    pub(super) ends: Vec<u32>,
}

/// Bytes of a record that are no text in the declared encoding: the first ones of each record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Invalid {
    pub(super) row: usize,
    pub(super) field: usize,
    /// Position in the chunk.
    pub(super) position: usize,
}

/// Decodes `bytes`, in which `chunk` tells where the records are; `width` is their number of fields.
pub(super) fn readable<'a>(bytes: &'a [u8], chunk: &RecordChunk, width: usize, encoding: TextEncoding) -> Readable<'a> {
    if !encoding.is_utf8() {
        return transcoded(bytes, chunk, width, encoding);
    }
    match std::str::from_utf8(bytes) {
        Ok(text) => Readable { text: Cow::Borrowed(text), moved: None, invalid: Vec::new() },
        Err(_) => patched(bytes, chunk, width),
    }
}

/// Puts a question mark over every byte that is no UTF-8, so that all others stay where they are.
#[cold]
fn patched<'a>(bytes: &[u8], chunk: &RecordChunk, width: usize) -> Readable<'a> {
    let mut patched = bytes.to_vec();
    let mut invalid: Vec<Invalid> = Vec::new();
    let mut from = 0;
    while let Err(error) = std::str::from_utf8(&patched[from..]) {
        let position = from + error.valid_up_to();
        let end = error.error_len().map_or(patched.len(), |len| position + len);
        patched[position..end].fill(b'?');
        from = end;
        // Bytes of records already held, and of blank lines, belong to no row.
        let row = chunk.starts.partition_point(|start| *start as usize <= position).checked_sub(1);
        let row = row.filter(|row| position < (chunk.starts[*row] + chunk.lens[*row]) as usize);
        if let Some(row) = row.filter(|row| invalid.last().is_none_or(|invalid| invalid.row != *row)) {
            let ends = &chunk.ends[row * width..(row + 1) * width];
            let field = ends.partition_point(|end| ((end & POSITION) as usize) < position);
            invalid.push(Invalid { row, field, position });
        }
    }
    let text = String::from_utf8_lossy(&patched).into_owned();
    Readable { text: Cow::Owned(text), moved: None, invalid }
}

/// Writes the records anew, with one byte between fields and records.
fn transcoded<'a>(bytes: &[u8], chunk: &RecordChunk, width: usize, encoding: TextEncoding) -> Readable<'a> {
    let mut text = Vec::with_capacity(bytes.len() + bytes.len() / 2);
    let mut places =
        Places { starts: Vec::with_capacity(chunk.starts.len()), ends: Vec::with_capacity(chunk.ends.len()) };
    let mut invalid: Vec<Invalid> = Vec::new();
    let mut decoded = String::new();
    for (row, (start, ends)) in chunk.starts.iter().zip(chunk.ends.chunks_exact(width)).enumerate() {
        places.starts.push(text.len() as u32);
        let mut from = *start as usize;
        let mut field = 0;
        while field < width {
            // The fields up to the first one that is not ASCII are copied in one go.
            let rest = &bytes[from..*start as usize + chunk.lens[row] as usize];
            let ascii_until = from + encoding.ascii_len(rest);
            let is_ascii = |end: &&u32| (**end & POSITION) as usize <= ascii_until;
            let ascii_fields = ends[field..].iter().take_while(is_ascii).count();
            let moved_by = (text.len() as u32).wrapping_sub(from as u32);
            places.ends.extend(ends[field..field + ascii_fields].iter().map(|end| moved(*end, moved_by)));
            field += ascii_fields;
            if let Some(last) = field.checked_sub(1).filter(|_| ascii_fields > 0) {
                let end = (ends[last] & POSITION) as usize;
                text.extend_from_slice(&bytes[from..end]);
                text.push(b'\n');
                from = end + 1;
            }
            if let Some(end) = ends.get(field) {
                let to = (end & POSITION) as usize;
                decoded.clear();
                if let Err(offset) = encoding.decode(&bytes[from..to], &mut decoded)
                    && invalid.last().is_none_or(|invalid| invalid.row != row)
                {
                    invalid.push(Invalid { row, field, position: from + offset });
                }
                text.extend_from_slice(decoded.as_bytes());
                places.ends.push(text.len() as u32 | (end & !POSITION));
                text.push(b'\n');
                from = to + 1;
                field += 1;
            }
        }
    }
    let text = String::from_utf8(text).expect("it is put together from ASCII and decoded text");
    Readable { text: Cow::Owned(text), moved: Some(places), invalid }
}

/// A field end moved by so many bytes, with its flags.
#[inline]
fn moved(end: u32, by: u32) -> u32 {
    (end & POSITION).wrapping_add(by) | (end & !POSITION)
}
