//! Held records as they were delivered, read again from the landed file.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::FileExt;

use super::Due;
use crate::check::Held;
use crate::decode::records_at;
use crate::error::{Error, ErrorKind, Result};
use crate::landing::Landing;

/// Whether records can be read where decoding found them.
pub(super) fn stand_in_file(landing: &Landing, due: &Due) -> Result<bool> {
    Ok(due.feed.format.spans_are_in(&mut landing.open_file(&due.delivery.landed_path)?)?)
}

/// Held records as text by row number. Bytes that do not decode show as U+FFFD and stay whole in the
/// landed file.
///
/// Records of which decoding told the bytes are read there. The others, held when versions met or
/// delivered compressed or in cells, are found by number in one pass over the file.
pub(super) fn raw_records(landing: &Landing, due: &Due, held: &[Held]) -> Result<BTreeMap<u64, String>> {
    let format = &due.feed.format;
    let mut file = landing.open_file(&due.delivery.landed_path)?;
    let has_spans = format.spans_are_in(&mut file)?;
    let mut raw = BTreeMap::new();
    let mut by_number = BTreeSet::new();
    for held in held {
        if !has_spans || held.span.len == 0 {
            by_number.insert(held.row_no);
            continue;
        }
        let mut bytes = vec![0; held.span.len as usize];
        file.read_exact_at(&mut bytes, held.span.offset)?;
        raw.insert(held.row_no, format.readable(&bytes));
    }
    if !by_number.is_empty() {
        let again = landing.open(&due.delivery.landed_path)?;
        let found = records_at(again, format, &by_number)
            .map_err(|error| Error::caused(ErrorKind::Warehouse, "held records cannot be read again", error))?;
        raw.extend(found.into_iter().map(|(row_no, bytes)| (row_no, format.readable(&bytes))));
    }
    Ok(raw)
}
