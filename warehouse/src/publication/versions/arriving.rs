//! The arriving keys, for asking quickly what cannot hold any of them: a file, a row group, a row.
//!
//! Of a key of several columns only the first text column without gaps is looked at. Nearly every row of a
//! large table is passed over by one bit; the exact comparison is left for the few others.

use std::sync::{Arc, OnceLock};

use datafusion::arrow::array::{Array, RecordBatch, StringArray};

use crate::contract::Contract;

/// One text column of the arriving keys.
pub(in crate::publication) struct Arriving {
    pub(super) column: String,
    values: StringArray,
    /// Rows of `values` in the order of their values, once somebody asks.
    sorted: OnceLock<Vec<u32>>,
    /// A bit for each hash that some value has.
    bits: Vec<u64>,
    hasher: ahash::RandomState,
}

/// Bits for each arriving value: of rows that hold none, one in so many is looked at in vain.
const BITS_PER_VALUE: usize = 32;

impl Arriving {
    pub(super) fn new(contract: &Contract, rows: &RecordBatch) -> Option<Self> {
        let (column, values) = contract.key.iter().find_map(|name| {
            let text = rows.column_by_name(name)?.as_any().downcast_ref::<StringArray>()?;
            // An empty key part (`~`) is in no bounds and has no hash.
            (text.null_count() == 0 && !text.is_empty()).then(|| (name.clone(), text.clone()))
        })?;
        let size = (values.len() * BITS_PER_VALUE).next_power_of_two().max(64);
        let mut arriving = Self {
            column,
            values,
            sorted: OnceLock::new(),
            bits: vec![0; size / 64],
            hasher: ahash::RandomState::with_seeds(1, 2, 3, 4),
        };
        for row in 0..arriving.values.len() {
            let (word, bit) = arriving.place(arriving.values.value(row));
            arriving.bits[word] |= bit;
        }
        Some(arriving)
    }

    fn place(&self, value: &str) -> (usize, u64) {
        let hash = self.hasher.hash_one(value) as usize;
        ((hash / 64) & (self.bits.len() - 1), 1 << (hash % 64))
    }

    /// Whether some value lies between two bounds, both included.
    pub(super) fn any_within(&self, low: &[u8], high: &[u8]) -> bool {
        let value = |row: &u32| self.values.value(*row as usize).as_bytes();
        let sorted = self.sorted.get_or_init(|| {
            let mut sorted: Vec<u32> = (0..self.values.len() as u32).collect();
            sorted.sort_unstable_by_key(|row| self.values.value(*row as usize));
            sorted
        });
        let first = sorted.partition_point(|row| value(row) < low);
        sorted.get(first).is_some_and(|row| value(row) <= high)
    }

    /// The rows of a batch that may hold one of the values.
    pub(super) fn candidates(&self, batch: &RecordBatch) -> Option<Vec<u32>> {
        let text = batch.column_by_name(&self.column)?.as_any().downcast_ref::<StringArray>()?;
        let may_hold = |row: &u32| {
            let row = *row as usize;
            let (word, bit) = self.place(text.value(row));
            text.is_valid(row) && self.bits[word] & bit != 0
        };
        Some((0..text.len() as u32).filter(may_hold).collect())
    }
}

/// All rows of a batch, where no column tells them apart.
pub(super) fn candidates(arriving: Option<&Arc<Arriving>>, batch: &RecordBatch) -> Vec<u32> {
    arriving.and_then(|arriving| arriving.candidates(batch)).unwrap_or_else(|| (0..batch.num_rows() as u32).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract;

    fn arriving(numbers: &[&str]) -> Arriving {
        let contract = contract::builtin().dataset("claim").unwrap();
        let rows = batch(numbers);
        Arriving::new(contract, &rows).unwrap()
    }

    fn batch(numbers: &[&str]) -> RecordBatch {
        RecordBatch::try_from_iter([("claim_no", Arc::new(StringArray::from(numbers.to_vec())) as _)]).unwrap()
    }

    #[test]
    fn bounds_between_two_arriving_keys_hold_none_of_them() {
        let arriving = arriving(&["C5", "C1", "C9"]);
        let within = |low: &str, high: &str| arriving.any_within(low.as_bytes(), high.as_bytes());
        assert!(!within("C2", "C4"));
        assert!(!within("C6", "C8"));
        assert!(within("C2", "C5") && within("C9", "D") && within("C1", "C1") && within("A", "Z"));
        assert!(!within("D", "E") && !within("A", "B"));
    }

    #[test]
    fn every_arriving_key_is_a_candidate_and_hardly_any_other() {
        let keys: Vec<String> = (0..1_000).map(|number| format!("C{number}")).collect();
        let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
        let arriving = arriving(&keys);
        assert_eq!(arriving.candidates(&batch(&keys)).unwrap().len(), 1_000);
        let others: Vec<String> = (1_000..11_000).map(|number| format!("C{number}")).collect();
        let others: Vec<&str> = others.iter().map(String::as_str).collect();
        let in_vain = arriving.candidates(&batch(&others)).unwrap().len();
        assert!(in_vain < 600, "{in_vain} of 10,000");
    }
}
