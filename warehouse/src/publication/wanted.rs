//! Keys that are looked for among the rows of other tables, held exactly and compared as bytes.

use datafusion::arrow::array::{Array, ArrayRef, AsArray, StringArray};
use datafusion::arrow::compute::{cast, max_string, min_string};
use datafusion::arrow::datatypes::DataType;
use datafusion::arrow::row::{RowConverter, Rows, SortField};
use hashbrown::HashTable;

use super::files;
use crate::error::Result;
use crate::table::DataFile;

/// Keys as bytes that are equal where the keys are.
enum KeyBytes {
    /// Of one text column: its texts, as they are.
    Text(StringArray),
    Rows(Rows),
}

impl KeyBytes {
    fn len(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Rows(rows) => rows.num_rows(),
        }
    }

    fn bytes(&self, row: usize) -> &[u8] {
        match self {
            Self::Text(text) => text.value(row).as_bytes(),
            Self::Rows(rows) => rows.row(row).data(),
        }
    }

    fn is_null(&self, row: usize) -> bool {
        // Of several columns a null is a value of its own, which no wanted key has.
        matches!(self, Self::Text(text) if text.is_null(row))
    }
}

/// The keys of some rows, each looked for once however many rows have it.
pub(super) struct Wanted {
    converter: RowConverter,
    types: Vec<DataType>,
    keys: KeyBytes,
    /// The first row of each key.
    first: HashTable<u32>,
    /// By row: the first row with the same key.
    same_as: Vec<u32>,
    /// By first row: whether its key was met.
    is_met: Vec<bool>,
    left: usize,
    hasher: ahash::RandomState,
    /// Smallest and largest value of the first column, where it is text.
    bounds: Option<(String, String)>,
}

impl Wanted {
    /// Looks for the keys that these columns make, all of one length and without nulls.
    pub(super) fn new(columns: &[ArrayRef]) -> Result<Self> {
        let types: Vec<DataType> = columns.iter().map(|column| column.data_type().clone()).collect();
        let converter = RowConverter::new(types.iter().cloned().map(SortField::new).collect())?;
        let keys = keys(&converter, columns)?;
        let hasher = ahash::RandomState::with_seeds(5, 6, 7, 8);
        let mut first: HashTable<u32> = HashTable::new();
        let mut same_as = Vec::with_capacity(keys.len());
        for row in 0..keys.len() {
            let key = keys.bytes(row);
            let hash = hasher.hash_one(key);
            let known = first.find(hash, |&known| keys.bytes(known as usize) == key).copied();
            same_as.push(known.unwrap_or_else(|| {
                first.insert_unique(hash, row as u32, |&known| hasher.hash_one(keys.bytes(known as usize)));
                row as u32
            }));
        }
        let text = columns.first().and_then(|column| column.as_string_opt::<i32>());
        let bounds = text.and_then(|text| Some((min_string(text)?.to_owned(), max_string(text)?.to_owned())));
        let (is_met, left) = (vec![false; keys.len()], first.len());
        Ok(Self { converter, types, keys, first, same_as, is_met, left, hasher, bounds })
    }

    /// Meets rows that may have the keys, in the columns of the same order; nulls are no keys.
    pub(super) fn meet(&mut self, columns: &[ArrayRef]) -> Result<()> {
        let fitted = columns.iter().zip(&self.types).map(|(column, of)| cast(column, of));
        let found = keys(&self.converter, &fitted.collect::<std::result::Result<Vec<_>, _>>()?)?;
        for row in (0..found.len()).filter(|row| !found.is_null(*row)) {
            let key = found.bytes(row);
            let hash = self.hasher.hash_one(key);
            if let Some(&known) = self.first.find(hash, |&known| self.keys.bytes(known as usize) == key)
                && !std::mem::replace(&mut self.is_met[known as usize], true)
            {
                self.left -= 1;
            }
        }
        Ok(())
    }

    /// Whether the key of a row was met.
    pub(super) fn is_met(&self, row: usize) -> bool {
        self.is_met[self.same_as[row] as usize]
    }

    /// Whether no key is left to be met.
    pub(super) fn is_done(&self) -> bool {
        self.left == 0
    }

    /// Whether a file cannot have any of the keys, by what is noted of one of its columns, the one
    /// that the first column of the keys is compared with.
    pub(super) fn misses(&self, file: &DataFile, column: &str) -> bool {
        let known = self.bounds.as_ref().zip(files::text_bounds(file, column));
        known.is_some_and(|((low, high), (least, greatest))| high.as_str() < least || low.as_str() > greatest)
    }
}

/// Columns as keys.
fn keys(converter: &RowConverter, columns: &[ArrayRef]) -> Result<KeyBytes> {
    let text = columns.first().filter(|_| columns.len() == 1).and_then(|column| column.as_string_opt::<i32>());
    match text {
        Some(text) => Ok(KeyBytes::Text(text.clone())),
        None => Ok(KeyBytes::Rows(converter.convert_columns(columns)?)),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use datafusion::arrow::array::Int64Array;

    use super::*;

    fn texts(texts: &[Option<&str>]) -> ArrayRef {
        Arc::new(StringArray::from(texts.to_vec()))
    }

    #[test]
    fn a_key_is_met_for_all_rows_that_have_it_and_nulls_meet_nothing() {
        let mut wanted = Wanted::new(&[texts(&[Some("a"), Some("b"), Some("a"), Some("")])]).unwrap();
        wanted.meet(&[texts(&[None, Some("c")])]).unwrap();
        assert_eq!((0..4).map(|row| wanted.is_met(row)).collect::<Vec<_>>(), [false; 4]);
        wanted.meet(&[texts(&[Some("a"), Some("a")])]).unwrap();
        assert_eq!((0..4).map(|row| wanted.is_met(row)).collect::<Vec<_>>(), [true, false, true, false]);
        assert!(!wanted.is_done());
        wanted.meet(&[texts(&[Some(""), Some("b")])]).unwrap();
        assert!(wanted.is_done());
    }

    #[test]
    fn parts_of_a_key_are_not_mixed_up() {
        let numbers = |numbers: &[i64]| -> ArrayRef { Arc::new(Int64Array::from(numbers.to_vec())) };
        let mut wanted = Wanted::new(&[texts(&[Some("a"), Some("a")]), numbers(&[1, 12])]).unwrap();
        wanted.meet(&[texts(&[Some("a1"), Some("a")]), numbers(&[2, 12])]).unwrap();
        assert!(!wanted.is_met(0));
        assert!(wanted.is_met(1));
    }
}
