//! Rows at some places of a batch. They are taken out row group by row group as they are encoded: a large
//! batch of which a few rows do not count is never held twice.

use std::ops::Range;

use datafusion::arrow::array::{RecordBatch, UInt32Array};
use datafusion::arrow::compute::take_record_batch;

use crate::error::Result;

/// Rows of a batch that count.
#[derive(Debug, Clone)]
pub(in crate::publication) struct Picked {
    rows: RecordBatch,
    /// Their places, in order; `None`: all count.
    places: Option<Vec<u32>>,
}

impl Picked {
    /// The rows at some places, which are in order.
    pub(in crate::publication) fn of(rows: RecordBatch, places: Vec<u32>) -> Self {
        let places = (places.len() < rows.num_rows()).then_some(places);
        Self { rows, places }
    }

    /// The batch with the rows that count and the others.
    pub(in crate::publication) fn batch(&self) -> &RecordBatch {
        &self.rows
    }

    pub(in crate::publication) fn counts(&self, place: usize) -> bool {
        self.places.as_ref().is_none_or(|places| places.binary_search(&(place as u32)).is_ok())
    }

    /// How many rows count.
    pub(in crate::publication) fn num_rows(&self) -> usize {
        self.places.as_ref().map_or(self.rows.num_rows(), Vec::len)
    }

    /// The same but for the rows at some places of the batch.
    pub(in crate::publication) fn without(self, mut gone: Vec<usize>) -> Self {
        if gone.is_empty() {
            return self;
        }
        gone.sort_unstable();
        let mut places = self.places.unwrap_or_else(|| (0..self.rows.num_rows() as u32).collect());
        places.retain(|place| gone.binary_search(&(*place as usize)).is_err());
        Self { rows: self.rows, places: Some(places) }
    }

    /// Some of the rows that count, by their number among these.
    pub(super) fn rows(&self, range: Range<usize>) -> Result<RecordBatch> {
        match &self.places {
            None => Ok(self.rows.slice(range.start, range.len())),
            Some(places) => Ok(take_record_batch(&self.rows, &UInt32Array::from(places[range].to_vec()))?),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use datafusion::arrow::array::{ArrayRef, Int32Array};

    use super::*;

    fn numbers(rows: &RecordBatch) -> Vec<i32> {
        rows.column(0).as_any().downcast_ref::<Int32Array>().unwrap().values().to_vec()
    }

    #[test]
    fn rows_that_do_not_count_are_passed_over_and_the_places_stay_those_of_the_batch() {
        let column: ArrayRef = Arc::new(Int32Array::from_iter_values(10..20));
        let batch = RecordBatch::try_from_iter([("n", column)]).unwrap();
        let all = Picked::of(batch.clone(), (0..10).collect());
        assert_eq!(numbers(&all.rows(3..5).unwrap()), [13, 14]);
        let some = Picked::of(batch, vec![1, 4, 5, 9]).without(vec![9, 4, 7]);
        assert_eq!(some.num_rows(), 2);
        assert_eq!((some.counts(1), some.counts(4), some.counts(7)), (true, false, false));
        assert_eq!(numbers(&some.rows(0..2).unwrap()), [11, 15]);
        assert_eq!(numbers(&all.without(vec![0]).rows(0..1).unwrap()), [11]);
    }
}
