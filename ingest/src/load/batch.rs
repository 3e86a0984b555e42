//! One batch while it is being loaded: what was read of it and what became of its rows.

use anze_warehouse::contract::Contract;
use anze_warehouse::lineage;
use anze_warehouse::publication::{Arrival, Keys, Outcome, Written};
use datafusion::arrow::array::{Array, ArrayRef, AsArray, BooleanArray, RecordBatch, new_empty_array};
use datafusion::arrow::compute::{concat, concat_batches};
use datafusion::arrow::datatypes::Int64Type;
use datafusion::arrow::util::display::{ArrayFormatter, FormatOptions};

use super::cursor::CursorWatch;
use super::{BatchReport, Due, Outcomes};
use crate::check::{Checked, Held, Reason, Remark};
use crate::decode::Span;
use crate::error::{Error, ErrorKind, Result};
use crate::feed::Mode;

/// Published, or held whole for a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BatchState {
    /// Its valid rows are in the release.
    Published,
    /// Nothing of it is.
    Held,
}

impl BatchState {
    /// Its name in tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Published => "published",
            Self::Held => "held",
        }
    }
}

/// A remark for the findings.
pub(super) struct Finding {
    pub(super) key: String,
    pub(super) row_no: u64,
    pub(super) reason: Reason,
}

/// A batch being loaded.
pub(super) struct Loading {
    pub(super) due: Due,
    rows: Vec<RecordBatch>,
    deleted: Vec<BooleanArray>,
    gathered: usize,
    gathered_bytes: usize,
    /// Of a snapshot the keys of all rows.
    present: Vec<RecordBatch>,
    remarks: Vec<Remark>,
    /// Records held, but for those that are in the books already, and how many those are.
    pub(super) held: Vec<Held>,
    held_in_books: u64,
    /// Held by their key's owner in a contest that may be run again.
    held_in_contest: u64,
    /// Remarks, but for those that are written already and wait to be kept.
    pub(super) findings: Vec<Finding>,
    pub(super) findings_written: Vec<Written>,
    pub(super) refused: Option<(String, String)>,
    /// How far its feed's cursor moves with it.
    pub(super) cursor: Option<CursorWatch>,
    read: u64,
    accepted: u64,
    superseded: u64,
    unchanged: u64,
}

impl Loading {
    pub(super) fn new(due: Due) -> Self {
        Self {
            cursor: CursorWatch::of(&due),
            due,
            rows: Vec::new(),
            deleted: Vec::new(),
            gathered: 0,
            gathered_bytes: 0,
            present: Vec::new(),
            remarks: Vec::new(),
            held: Vec::new(),
            held_in_books: 0,
            held_in_contest: 0,
            findings: Vec::new(),
            findings_written: Vec::new(),
            refused: None,
            read: 0,
            accepted: 0,
            superseded: 0,
            unchanged: 0,
        }
    }

    /// Rows gathered that have not contended.
    pub(super) fn rows(&self) -> usize {
        self.gathered
    }

    /// About how many bytes they take.
    pub(super) fn bytes(&self) -> usize {
        self.gathered_bytes
    }

    /// Gathers checked rows.
    pub(super) fn add(&mut self, checked: Checked) -> Result<()> {
        self.read += checked.rows_read;
        self.held.extend(checked.held);
        self.remarks.extend(checked.remarks);
        if self.due.feed.mode == Mode::Snapshot {
            self.present.push(keys_alone(&self.due.feed.contract, &checked.held_rows)?);
            self.present.push(keys_alone(&self.due.feed.contract, &checked.rows)?);
        }
        if let Some(deleted) = checked.deleted {
            self.deleted.push(deleted);
        }
        self.gathered += checked.rows.num_rows();
        self.gathered_bytes += checked.rows.get_array_memory_size();
        self.rows.push(checked.rows);
        Ok(())
    }

    pub(super) fn refuse(&mut self, reason: (String, String)) {
        self.refused.get_or_insert(reason);
    }

    pub(super) fn is_without_rows(&self) -> bool {
        self.read == 0
    }

    pub(super) fn is_held(&self) -> bool {
        self.refused.is_some()
    }

    /// Rows that count as present in a snapshot.
    pub(super) fn present(&self) -> &[RecordBatch] {
        &self.present
    }

    fn all_held(&self) -> u64 {
        self.held.len() as u64 + self.held_in_books
    }

    /// Takes the held records whose bytes can be read where they stand, for the books.
    pub(super) fn take_standing(&mut self) -> Vec<Held> {
        let (standing, others) = std::mem::take(&mut self.held).into_iter().partition(|held| held.span.len > 0);
        self.held = others;
        let standing: Vec<Held> = standing;
        self.held_in_books += standing.len() as u64;
        standing
    }

    /// Holds the batch whole where more of it is held than its feed allows.
    pub(super) fn judge(&mut self) {
        let held = self.all_held() + self.held_in_contest;
        let limit = self.due.feed.policy.max_quarantined;
        if limit.is_exceeded_by(held, self.read) {
            let read = self.read;
            self.refuse((
                format!("{read} 条记录中有 {held} 条不合格，超过上限 {limit}，整批暂存待人工处理"),
                format!("{held} of {read} records are held, over the feed's limit of {limit}; the whole batch is held"),
            ));
        }
    }

    /// Counts what a contest would hold, before it is made final.
    pub(super) fn weigh(&mut self, (outcomes, _): &Outcomes<'_>) {
        let refused = outcomes.iter().filter(|outcome| matches!(outcome, Outcome::KeyOfAnother { .. }));
        self.held_in_contest = refused.count() as u64;
        self.judge();
    }

    /// The gathered rows as one arrival, given away: they contend once.
    pub(super) fn take_arrival(&mut self, contract: &Contract) -> Result<Arrival> {
        let rows = joined(contract, std::mem::take(&mut self.rows))?;
        self.arrived(rows)
    }

    /// The gathered rows as one arrival, which may have to contend again.
    pub(super) fn arrival(&self, contract: &Contract) -> Result<Arrival> {
        let rows = concat_batches(&contract.table_schema(), &self.rows)?;
        self.arrived(rows)
    }

    fn arrived(&self, rows: RecordBatch) -> Result<Arrival> {
        let keys = match self.due.feed.mode {
            Mode::Append => Keys::AreNew,
            Mode::Upsert | Mode::Snapshot => Keys::MayReturn,
        };
        Ok(Arrival { rows, deleted: self.deletions()?, takes_over: self.due.feed.takes_over.clone(), keys })
    }

    fn deletions(&self) -> Result<Option<BooleanArray>> {
        if self.deleted.is_empty() {
            return Ok(None);
        }
        let parts: Vec<&dyn Array> = self.deleted.iter().map(|part| part as &dyn Array).collect();
        Ok(Some(concat(&parts)?.as_boolean().clone()))
    }

    /// Takes the outcomes of the gathered rows and lets the rows go.
    pub(super) fn settle_rows(
        &mut self,
        contract: &Contract,
        arrival: &Arrival,
        (outcomes, warnings): Outcomes<'_>,
    ) -> Result<()> {
        if let Some(cursor) = &mut self.cursor {
            cursor.see(&arrival.rows, outcomes);
        }
        let row_no = row_numbers(&arrival.rows)?;
        for (row, outcome) in outcomes.iter().enumerate() {
            match outcome {
                Outcome::Accepted => self.accepted += 1,
                Outcome::Superseded => self.superseded += 1,
                Outcome::Unchanged => self.unchanged += 1,
                Outcome::KeyOfAnother { owner } => {
                    self.held.push(key_of_another(contract, &arrival.rows, row, row_no[row], owner)?);
                }
            }
        }
        let keys = KeyText::new(contract, &arrival.rows)?;
        for remark in std::mem::take(&mut self.remarks) {
            let Ok(row) = row_no.binary_search(&remark.row_no) else { continue };
            if outcomes.get(row) == Some(&Outcome::Accepted) {
                self.findings.push(Finding { key: keys.of(row)?, row_no: remark.row_no, reason: remark.reason });
            }
        }
        for (row, rule) in warnings {
            let reason = contest_remark(contract, rule);
            self.findings.push(Finding { key: keys.of(row)?, row_no: row_no[row], reason });
        }
        self.rows.clear();
        self.deleted.clear();
        self.gathered = 0;
        self.gathered_bytes = 0;
        self.held_in_contest = 0;
        Ok(())
    }

    /// Rows of an earlier segment that a later one replaced were never current outside their batch.
    pub(super) fn outlive(&mut self, rows: u64) {
        self.accepted -= rows;
        self.superseded += rows;
    }

    /// What became of the batch. Every record read must be accounted for.
    pub(super) fn report(&self) -> Result<BatchReport> {
        let held_whole = self.is_held();
        let count = |count: u64| if held_whole { 0 } else { count };
        let report = BatchReport {
            delivery: self.due.delivery.clone(),
            dataset: self.due.feed.contract.name.clone(),
            state: if held_whole { BatchState::Held } else { BatchState::Published },
            reason: self.refused.clone(),
            read: self.read,
            accepted: count(self.accepted),
            superseded: count(self.superseded),
            unchanged: count(self.unchanged),
            quarantined: if held_whole { self.read } else { self.all_held() },
        };
        let sum = report.accepted + report.superseded + report.unchanged + report.quarantined;
        if sum == report.read {
            Ok(report)
        } else {
            let what = format!(
                "batch {} of feed {} does not add up: {} records read, {} accepted + {} superseded + {} unchanged + {} held",
                report.delivery.batch_id,
                report.delivery.feed_id,
                report.read,
                report.accepted,
                report.superseded,
                report.unchanged,
                report.quarantined
            );
            Err(Error::new(ErrorKind::Warehouse, what))
        }
    }
}

/// Batches as one, column by column, so that only one column at a time is there twice.
fn joined(contract: &Contract, batches: Vec<RecordBatch>) -> Result<RecordBatch> {
    let schema = contract.table_schema();
    let mut parts: Vec<Vec<ArrayRef>> = vec![Vec::with_capacity(batches.len()); schema.fields().len()];
    for batch in batches {
        let (_, columns, _) = batch.into_parts();
        parts.iter_mut().zip(columns).for_each(|(parts, column)| parts.push(column));
    }
    let columns = parts.into_iter().zip(schema.fields()).map(|(parts, field)| {
        let parts: Vec<&dyn Array> = parts.iter().map(AsRef::as_ref).collect();
        if parts.is_empty() { Ok(new_empty_array(field.data_type())) } else { concat(&parts) }
    });
    let columns = columns.collect::<std::result::Result<Vec<_>, _>>()?;
    Ok(RecordBatch::try_new(schema, columns)?)
}

/// The key columns of rows, which is all that a snapshot asks of what is present.
fn keys_alone(contract: &Contract, rows: &RecordBatch) -> Result<RecordBatch> {
    Ok(rows.project(&contract.key_positions())?)
}

fn row_numbers(rows: &RecordBatch) -> Result<Vec<u64>> {
    let column = rows
        .column_by_name(lineage::ROW_NO)
        .ok_or_else(|| Error::new(ErrorKind::Warehouse, "rows without a row number"))?;
    Ok(column.as_primitive::<Int64Type>().values().iter().map(|number| number.unsigned_abs()).collect())
}

fn key_of_another(contract: &Contract, rows: &RecordBatch, row: usize, row_no: u64, owner: &str) -> Result<Held> {
    let key = KeyText::new(contract, rows)?.of(row)?;
    let reason = Reason {
        rule: "key_of_another_reporter".to_owned(),
        column: contract.key.first().cloned().unwrap_or_default(),
        message_zh: format!("主键“{key}”由报送单位“{owner}”首先报送，其他单位不能修改"),
        message_en: format!("key `{key}` belongs to reporter `{owner}`, who sent it first"),
    };
    Ok(Held { row_no, span: Span { offset: 0, len: 0 }, reasons: vec![reason] })
}

fn contest_remark(contract: &Contract, rule: &str) -> Reason {
    let (zh, en) = match rule {
        "duplicate_key" => {
            ("同一批中主键重复，以较新的一条为准", "the key stands twice in the batch; the newer row counts")
        }
        "key_sent_again" => (
            "该数据源声明为追加方式（append），主键却再次报送且内容或时间不同；仍以较新的一条为准，请核实",
            "the feed says mode = \"append\" and sends the key again with another version; the newer one counts; ask why",
        ),
        _ => (
            "更新时间与现行记录相同而内容不同，以后到者为准",
            "same clock as the current version and other content; the later receipt counts",
        ),
    };
    Reason {
        rule: rule.to_owned(),
        column: contract.key.first().cloned().unwrap_or_default(),
        message_zh: zh.to_owned(),
        message_en: en.to_owned(),
    }
}

/// Keys as text, parts joined by commas, as traces and findings write them.
struct KeyText<'r> {
    parts: Vec<ArrayFormatter<'r>>,
}

impl<'r> KeyText<'r> {
    fn new(contract: &Contract, rows: &'r RecordBatch) -> Result<Self> {
        static OPTIONS: FormatOptions<'static> = FormatOptions::new();
        let parts = contract
            .key
            .iter()
            .filter_map(|name| rows.column_by_name(name))
            .map(|column| Ok(ArrayFormatter::try_new(column.as_ref(), &OPTIONS)?))
            .collect::<Result<_>>()?;
        Ok(Self { parts })
    }

    fn of(&self, row: usize) -> Result<String> {
        let parts: Vec<String> = self.parts.iter().map(|part| part.value(row).to_string()).collect();
        Ok(parts.join(","))
    }
}
