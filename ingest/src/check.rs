//! Checks: the contract's rules over whole columns, and what they hold or remark on.

mod codes;
mod events;
mod rules;

use std::sync::Arc;

use anze_warehouse::contract::{Contract, Severity};
use anze_warehouse::lineage;
use chrono::{DateTime, Utc};
use datafusion::arrow::array::{
    ArrayRef, AsArray, BooleanArray, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray, new_null_array,
};
use datafusion::arrow::compute::{filter, filter_record_batch};
use datafusion::arrow::datatypes::{DataType, TimestampMicrosecondType};

pub use codes::KnownCodes;
use rules::RowRules;
pub use rules::check_contracts;

use crate::decode::{CellFailure, DecodedChunk, Message, Rule, Span};
use crate::error::Result;
use crate::expression::SourceExpression;

/// Where a batch comes from, as its rows will say.
#[derive(Debug, Clone)]
pub struct Origin {
    /// Its batch.
    pub batch_id: String,
    /// Its feed.
    pub feed_id: String,
    /// Who answers for it.
    pub reporter: String,
    /// When it landed.
    pub landed_at: DateTime<Utc>,
}

/// Why a record is held or remarked on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reason {
    /// Name of the rule.
    pub rule: String,
    /// Column it is about; empty: the whole record.
    pub column: String,
    /// Reason in Chinese.
    pub message_zh: String,
    /// Reason in English.
    pub message_en: String,
}

/// A record that must be held: all reasons, the first in contract order leading.
#[derive(Debug, Clone)]
pub struct Held {
    /// Number of the record.
    pub row_no: u64,
    /// Where it lies in the landed file.
    pub span: Span,
    /// Why.
    pub reasons: Vec<Reason>,
}

/// A remark on a row that is not held.
#[derive(Debug, Clone)]
pub struct Remark {
    /// Number of the record.
    pub row_no: u64,
    /// What about it.
    pub reason: Reason,
}

/// A checked part of a batch.
#[derive(Debug)]
pub struct Checked {
    /// Valid rows in the dataset's table schema.
    pub rows: RecordBatch,
    /// Which of them delete their key.
    pub deleted: Option<BooleanArray>,
    /// Records held.
    pub held: Vec<Held>,
    /// Keys of held rows that could be read, for snapshots: the contract's columns.
    pub held_rows: RecordBatch,
    /// Remarks on valid rows.
    pub remarks: Vec<Remark>,
    /// How many records were read.
    pub rows_read: u64,
}

/// Checks of one batch.
pub struct Checker {
    contract: Arc<Contract>,
    rules: RowRules,
    codes: KnownCodes,
    deletion: Option<Arc<SourceExpression>>,
    origin: Origin,
}

impl Checker {
    /// Checks for a batch of a dataset.
    ///
    /// # Errors
    /// Refused, where a rule does not plan: a check that cannot run is an error, never a pass.
    pub fn new(
        contract: &Arc<Contract>,
        codes: KnownCodes,
        deleted_when: Option<Arc<SourceExpression>>,
        origin: Origin,
    ) -> Result<Self> {
        Ok(Self {
            contract: Arc::clone(contract),
            rules: RowRules::plan(contract)?,
            codes,
            deletion: deleted_when,
            origin,
        })
    }

    /// The source columns that `deleted_when` names.
    pub fn source_columns(&self) -> &[String] {
        self.deletion.as_ref().map_or(&[], |deletion| deletion.columns())
    }

    /// Checks a decoded chunk.
    ///
    /// # Errors
    /// Warehouse, where a check cannot run.
    pub fn check(&self, chunk: DecodedChunk) -> Result<Checked> {
        let count = chunk.rows.num_rows();
        let rows_read = (count + chunk.rejected.len()) as u64;
        let mut faults = Faults::new(count);
        for failure in chunk.failures {
            faults.add(failure.row, Some(failure.column), reason(&self.contract, failure));
        }
        let mut remarks: Vec<(usize, Reason)> =
            chunk.warnings.into_iter().map(|warning| (warning.row, reason(&self.contract, warning))).collect();
        let rows = self.codes.check(&self.contract, chunk.rows, &mut faults, &mut remarks)?;
        events::check(&self.contract, &rows, self.origin.landed_at, &mut faults);
        for (rule, broken) in self.rules.broken(&rows)? {
            for row in broken {
                let why = rules::reason(rule);
                match rule.severity {
                    Severity::Quarantine => {
                        faults.add(row, self.contract.position(&rule.columns[0]), why);
                    }
                    Severity::Warn => remarks.push((row, why)),
                }
            }
        }
        let deleted = match (&self.deletion, &chunk.source) {
            (Some(deletion), Some(source)) => {
                let (holds, failed) = deletion.holds(source)?;
                failed.into_iter().for_each(|(row, why)| faults.add(row, None, undecided(&why)));
                Some(holds)
            }
            _ => None,
        };
        let mut held: Vec<Held> = chunk
            .rejected
            .into_iter()
            .map(|rejected| Held {
                row_no: rejected.row_no,
                span: rejected.span,
                reasons: vec![stated(rejected.rule, String::new(), rejected.message)],
            })
            .collect();
        held.extend(faults.by_row.iter().filter(|(_, reasons)| !reasons.is_empty()).map(|(row, reasons)| Held {
            row_no: chunk.row_no[*row],
            span: chunk.spans[*row],
            reasons: reasons.iter().map(|(_, reason)| reason.clone()).collect(),
        }));
        held.sort_by_key(|record| record.row_no);
        let valid = faults.valid();
        let remarks = remarks
            .into_iter()
            .filter(|(row, _)| valid.value(*row))
            .map(|(row, reason)| Remark { row_no: chunk.row_no[row], reason })
            .collect();
        let held_rows = filter_record_batch(&rows, &datafusion::arrow::compute::not(&valid)?)?;
        let (rows, row_no, clock, deleted) = if faults.is_empty() {
            (rows, chunk.row_no, chunk.source_updated_at, deleted)
        } else {
            let deleted = deleted.map(|deleted| filter(&deleted, &valid)).transpose()?;
            let mut row_no = chunk.row_no;
            let mut place = 0..row_no.len();
            row_no.retain(|_| place.next().is_some_and(|row| valid.value(row)));
            let clock = filter(&chunk.source_updated_at, &valid)?;
            let clock = clock.as_primitive::<TimestampMicrosecondType>().clone();
            let deleted = deleted.map(|deleted| deleted.as_boolean().clone());
            (filter_record_batch(&rows, &valid)?, row_no, clock, deleted)
        };
        let rows = self.with_lineage(&rows, &row_no, &clock)?;
        Ok(Checked { rows, deleted, held, held_rows, remarks, rows_read })
    }

    fn with_lineage(
        &self,
        rows: &RecordBatch,
        row_no: &[u64],
        source_updated_at: &TimestampMicrosecondArray,
    ) -> Result<RecordBatch> {
        let count = rows.num_rows();
        let text = |value: &str| -> ArrayRef { Arc::new(StringArray::new_repeated(value, count)) };
        let landed = TimestampMicrosecondArray::from(vec![self.origin.landed_at.timestamp_micros(); count]);
        let mut columns = rows.columns().to_vec();
        // In the order of `lineage::NAMES`.
        columns.extend([
            text(&self.origin.batch_id),
            Arc::new(row_no.iter().map(|number| i64::try_from(*number).ok()).collect::<Int64Array>()) as ArrayRef,
            text(&self.origin.feed_id),
            text(&self.origin.reporter),
            Arc::new(landed.with_timezone("UTC")),
            Arc::new(source_updated_at.clone().with_timezone("UTC")),
            new_null_array(&DataType::Utf8, count),
        ]);
        assert_eq!(columns.len(), rows.num_columns() + lineage::NAMES.len());
        Ok(RecordBatch::try_new(self.contract.table_schema(), columns)?)
    }
}

fn reason(contract: &Contract, failure: CellFailure) -> Reason {
    let column = contract.columns.get(failure.column).map_or(String::new(), |column| column.name.clone());
    stated(failure.rule, column, failure.message)
}

/// Why a record is held of which it cannot be said whether it deletes its key.
fn undecided(why: &str) -> Reason {
    let message = Message {
        zh: format!("删除条件 deleted_when 无法计算：{why}"),
        en: format!("deleted_when cannot be computed for this record: {why}"),
    };
    stated(Rule::ExpressionFailed, String::new(), message)
}

fn stated(rule: Rule, column: String, message: Message) -> Reason {
    Reason { rule: rule.name().to_owned(), column, message_zh: message.zh, message_en: message.en }
}

/// Reasons to hold rows, kept in contract order.
pub(crate) struct Faults {
    by_row: std::collections::BTreeMap<usize, Vec<(usize, Reason)>>,
    rows: usize,
}

impl Faults {
    fn new(rows: usize) -> Self {
        Self { by_row: std::collections::BTreeMap::new(), rows }
    }

    /// Notes a reason to hold a row; `column` is its place in the contract.
    pub(crate) fn add(&mut self, row: usize, column: Option<usize>, reason: Reason) {
        let reasons = self.by_row.entry(row).or_default();
        let column = column.unwrap_or(usize::MAX);
        let place = reasons.partition_point(|(other, _)| *other <= column);
        reasons.insert(place, (column, reason));
    }

    fn is_empty(&self) -> bool {
        self.by_row.is_empty()
    }

    fn valid(&self) -> BooleanArray {
        let mut valid = vec![true; self.rows];
        self.by_row.keys().for_each(|row| valid[*row] = false);
        BooleanArray::from(valid)
    }
}
