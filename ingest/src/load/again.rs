//! Reading landed records again: chosen ones of a batch, or a batch that was held whole.
//!
//! They keep the batch, row number and landing they had, so that clocks and lineage stay true.

use std::collections::BTreeSet;
use std::sync::Arc;

use anze_warehouse::lineage;
use anze_warehouse::live::LiveRow;
use anze_warehouse::publication::{DatasetChange, Outcome, Publication, live_rows};
use datafusion::arrow::array::{AsArray, BooleanArray, RecordBatch};
use datafusion::arrow::compute::{filter, filter_record_batch};
use datafusion::arrow::datatypes::Int64Type;

use super::batch::Loading;
use super::parts::{Part, Parts};
use super::{BatchReport, Due, Outcomes, dataset, per_arrival, record};
use crate::check::{Checked, KnownCodes};
use crate::error::{Error, ErrorKind, Result};
use crate::landing::Landing;

/// Which records of a landed file are wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// All of them.
    All,
    /// Those with these numbers.
    Rows(BTreeSet<u64>),
}

/// Records of one landed file, read and checked again by the feed and the contract of today.
pub(crate) struct Again {
    loading: Loading,
    /// Records that the file has now.
    records: u64,
    outlived: u64,
}

impl Again {
    /// Reads a landed file once and keeps the wanted records.
    ///
    /// # Errors
    /// Warehouse.
    pub(crate) async fn read(landing: &Landing, due: Due, wanted: &Wanted, codes: KnownCodes) -> Result<Self> {
        let contract = Arc::clone(&due.feed.contract);
        let mut parts = Parts::of(landing, &contract, &due, codes)?;
        let mut again = Self { loading: Loading::new(due), records: 0, outlived: 0 };
        while let Some(part) = parts.next().await {
            match part? {
                Part::Refused(reason) => again.loading.refuse(reason),
                Part::Checked(checked) => {
                    again.records += checked.rows_read;
                    again.loading.add(match wanted {
                        Wanted::All => *checked,
                        Wanted::Rows(rows) => only(*checked, rows)?,
                    })?;
                }
            }
        }
        Ok(again)
    }

    /// Records that the file has when it is read as its feed says today.
    pub(crate) fn records(&self) -> u64 {
        self.records
    }

    /// Why the file cannot be read, or is over its feed's limits.
    pub(crate) fn refused(&self) -> Option<&(String, String)> {
        self.loading.refused.as_ref()
    }

    /// Applies the feed's limit on held records.
    pub(crate) fn judge(&mut self) {
        self.loading.judge();
    }

    /// Lets the records of several batches of one dataset contend, in their order of arrival.
    ///
    /// # Errors
    /// Warehouse.
    pub(crate) async fn contend(change: &mut DatasetChange, batches: &mut [&mut Self]) -> Result<()> {
        let before = change.savepoint();
        if Self::contend_together(change, batches).await? {
            return Ok(());
        }
        // Which batch a row was outlived in is known only where each contends alone.
        change.restore(before);
        for batch in batches {
            Self::contend_together(change, std::slice::from_mut(batch)).await?;
        }
        Ok(())
    }

    /// Whether it could be settled whose rows were outlived.
    async fn contend_together(change: &mut DatasetChange, batches: &mut [&mut Self]) -> Result<bool> {
        let contract = Arc::clone(change.contract());
        let arrivals = batches.iter().map(|batch| batch.loading.arrival(&contract)).collect::<Result<Vec<_>>>()?;
        let upserted = change.upsert(&arrivals).await?;
        if upserted.outlived_in_batch > 0 && batches.len() > 1 {
            return Ok(false);
        }
        for ((batch, arrival), outcomes) in batches.iter_mut().zip(&arrivals).zip(per_arrival(&upserted)) {
            batch.outlived = upserted.outlived_in_batch;
            batch.loading.settle_rows(&contract, arrival, outcomes)?;
        }
        Ok(true)
    }

    /// Files the valid records in the history: a newer snapshot stands, which they cannot undo.
    ///
    /// # Errors
    /// Warehouse.
    pub(crate) async fn supersede(&mut self, change: &mut DatasetChange) -> Result<()> {
        let contract = Arc::clone(change.contract());
        let arrival = self.loading.arrival(&contract)?;
        change.supersede(&arrival.rows).await?;
        let superseded = vec![Outcome::Superseded; arrival.rows.num_rows()];
        let outcomes: Outcomes<'_> = (&superseded, Vec::new());
        self.loading.settle_rows(&contract, &arrival, outcomes)
    }

    /// What became of the records, with their rows for the books.
    ///
    /// # Errors
    /// Warehouse, where they do not add up.
    pub(crate) fn settled(&self, landing: &Landing, release: u64) -> Result<Settled> {
        Ok(Settled {
            report: self.loading.report()?,
            outlived: self.outlived,
            held: live_rows(&record::quarantine(landing, &self.loading)?)?,
            findings: record::findings(&self.loading, release)?,
        })
    }
}

/// What became of records that were read again.
pub(crate) struct Settled {
    /// How many became what; `read` counts the wanted ones.
    pub(crate) report: BatchReport,
    /// Rows of the batch, loaded before, that one of these took the place of.
    pub(crate) outlived: u64,
    /// Rows of `system.quarantine` of those still held, with the reasons of today.
    pub(crate) held: Vec<LiveRow>,
    /// Rows of `system.finding`.
    pub(crate) findings: RecordBatch,
}

/// Loads a batch that was held whole once more, under the limits of the feed given.
///
/// # Errors
/// Warehouse.
pub(crate) async fn load_again(
    publication: &mut Publication<'_>,
    landing: &Landing,
    due: Due,
    codes: KnownCodes,
) -> Result<BatchReport> {
    let change = publication.change(&due.feed.contract).await?;
    let (change, reports) = dataset(change, landing.clone(), vec![due], codes).await?;
    publication.accept(change);
    let report = reports.into_iter().next();
    report.ok_or_else(|| Error::new(ErrorKind::Warehouse, "a batch was loaded again and not accounted for"))
}

fn only(mut checked: Checked, wanted: &BTreeSet<u64>) -> Result<Checked> {
    let numbers = checked
        .rows
        .column_by_name(lineage::ROW_NO)
        .ok_or_else(|| Error::new(ErrorKind::Warehouse, "rows without a row number"))?
        .as_primitive::<Int64Type>();
    let kept: BooleanArray =
        numbers.values().iter().map(|number| Some(wanted.contains(&number.unsigned_abs()))).collect();
    checked.deleted = match checked.deleted {
        Some(deleted) => Some(filter(&deleted, &kept)?.as_boolean().clone()),
        None => None,
    };
    checked.rows = filter_record_batch(&checked.rows, &kept)?;
    checked.held.retain(|held| wanted.contains(&held.row_no));
    checked.remarks.retain(|remark| wanted.contains(&remark.row_no));
    checked.rows_read = (checked.rows.num_rows() + checked.held.len()) as u64;
    Ok(checked)
}
