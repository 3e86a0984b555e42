//! Columns computed from several of theirs. What computes them is handed in (`[expressions]` of a feed,
//! planned by the engine): here they are texts of a record, read like any other cell.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use datafusion::arrow::array::{Array, RecordBatch, StringArray};
use datafusion::arrow::datatypes::SchemaRef;

use super::cell::{Cell, Cells};
use super::failure::Rule;

/// Something that computes one text a record from columns of theirs.
pub trait Derive: fmt::Debug + Send + Sync {
    /// The titles of the columns it reads.
    fn columns(&self) -> &[String];

    /// One text a record; `source` holds `columns()` in their order, as text without outer blanks,
    /// with null tokens as null.
    fn derive(&self, source: &RecordBatch) -> Derived;
}

/// The computed texts of some records.
#[derive(Debug)]
pub struct Derived {
    /// One a record; null where there is no value, or none could be computed.
    pub texts: StringArray,
    /// Records for which it failed, ascending, and why.
    pub failed: Vec<(usize, String)>,
}

/// A computed column, bound to the fields of a file.
#[derive(Debug)]
pub(super) struct Computed {
    pub(super) derive: Arc<dyn Derive>,
    /// Fields of the columns it reads.
    pub(super) fields: Vec<usize>,
    /// Their schema, all text.
    pub(super) schema: SchemaRef,
}

/// Computed texts as cells of one field.
pub(super) struct DerivedCells {
    derived: Derived,
    /// By record: what is wrong with a cell that was read, or with the computation.
    faults: HashMap<usize, (Rule, String)>,
}

impl DerivedCells {
    /// `unreadable` names records with a cell that is no value, which no computation can use.
    pub(super) fn new(mut derived: Derived, unreadable: Vec<(usize, Rule, String)>) -> Self {
        let failed = std::mem::take(&mut derived.failed);
        let mut faults: HashMap<_, _> =
            failed.into_iter().map(|(row, why)| (row, (Rule::ExpressionFailed, why))).collect();
        faults.extend(unreadable.into_iter().map(|(row, rule, text)| (row, (rule, text))));
        Self { derived, faults }
    }
}

impl Cells for DerivedCells {
    fn rows(&self) -> usize {
        self.derived.texts.len()
    }

    fn cell(&self, row: usize, _: usize) -> Cell<'_> {
        match self.faults.get(&row) {
            Some((rule, text)) => Cell::Faulty(*rule, text),
            None if self.derived.texts.is_null(row) => Cell::Missing,
            None => Cell::Plain(self.derived.texts.value(row)),
        }
    }

    fn plain(&self, row: usize, field: usize) -> &[u8] {
        match self.cell(row, field) {
            Cell::Plain(text) => text.as_bytes(),
            _ => &[],
        }
    }
}
