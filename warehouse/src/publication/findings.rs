//! Findings: remarks on accepted rows, and how they clear by themselves.
//!
//! A missing reference never holds a row. It is noted when the row is published without its other
//! side, and cleared in the release that brings the other side or a newer version of the row.

use std::collections::BTreeMap;
use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, Int64Array, RecordBatch, StringArray};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Int64Type};
use datafusion::catalog::MemorySchemaProvider;
use datafusion::common::TableReference;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::prelude::SessionContext;
use futures::TryStreamExt;

use super::Publication;
use super::noted::system_rows;
use super::references::{Naming, Newcomers, look_up};
use crate::contract::{self, Contract, Reference};
use crate::error::{Error, ErrorKind, Result};
use crate::lineage;
use crate::release::ParquetTable;
use crate::session::{CATALOG, Limits};
use crate::table::{TableKind, TableName, TableVersion};

pub(super) const FINDING: &str = "finding";

impl Publication<'_> {
    /// Notes new findings and clears those that no longer hold.
    ///
    /// Only the rows that this release brought are looked at: a finding ends when its row goes to
    /// the history or when the other side arrives, and begins with a row.
    pub(super) async fn settle_findings(&mut self) -> Result<()> {
        if self.touched.is_empty() {
            return Ok(());
        }
        // First, so that a finding of a row that was replaced within this release clears as well.
        self.write_noted_of(FINDING).await?;
        self.clear_findings().await?;
        self.note_missing_sides().await?;
        self.note_overlaps().await
    }

    /// What this publication brings to a table of a dataset; `None`: no row.
    pub(super) fn fresh(&self, kind: TableKind, dataset: &str) -> Option<TableVersion> {
        let table = self.tables.get(&TableName::new(kind, dataset)).filter(|_| self.touched.contains(dataset))?;
        Some(table.fresh()).filter(|fresh| fresh.rows() > 0)
    }

    /// A table as it would be published now.
    async fn standing(&self, name: TableName) -> Result<Option<TableVersion>> {
        if let Some(table) = self.tables.get(&name) {
            return Ok(Some(table.preview()));
        }
        match self.manifest.tables.get(&name.path()) {
            Some(version) => Ok(Some(self.writer.warehouse.table_version(name, *version).await?)),
            None => Ok(None),
        }
    }

    async fn note_missing_sides(&mut self) -> Result<()> {
        let datasets = contract::builtin().datasets();
        let fresh: Vec<(Arc<Contract>, TableVersion)> = datasets
            .iter()
            .filter_map(|contract| Some((Arc::clone(contract), self.fresh(TableKind::Data, &contract.name)?)))
            .collect();
        let mut standing = BTreeMap::new();
        for reference in fresh.iter().flat_map(|(contract, _)| &contract.references) {
            if let Some(version) = self.standing(TableName::new(TableKind::Data, &reference.dataset)).await? {
                standing.insert(reference.dataset.clone(), version);
            }
        }
        let (store, planner) = (self.writer.warehouse.store().clone(), crate::session::planner()?);
        let mut newcomers = Newcomers::new(&store, planner, fresh);
        loop {
            let namings = newcomers.next().await?;
            if namings.is_empty() && newcomers.is_done() {
                return Ok(());
            }
            for naming in look_up(&store, namings, &standing).await? {
                if let Some(found) = self.missing_side(&naming)? {
                    self.note_rows(FINDING, found).await?;
                }
            }
        }
    }

    fn missing_side(&self, naming: &Naming) -> Result<Option<RecordBatch>> {
        let (contract, rows) = (&naming.contract, naming.missing()?);
        if rows.num_rows() == 0 {
            return Ok(None);
        }
        let reference = naming.reference();
        let column =
            |name: &str| super::references::columns(&rows, &[name.to_owned()]).map(|mut column| column.remove(0));
        let found = Found {
            key: joined_text(&super::references::columns(&rows, &contract.key)?)?,
            feed_id: column(lineage::FEED_ID)?,
            batch_id: column(lineage::BATCH_ID)?,
            row_no: column(lineage::ROW_NO)?,
            value: joined_text(&super::references::columns(&rows, &reference.columns)?)?,
        };
        self.noted_as(&found, contract, &Remark::of(reference)).map(Some)
    }

    async fn note_overlaps(&mut self) -> Result<()> {
        for contract in contract::builtin().datasets() {
            let Some(sql) = overlapping(contract) else { continue };
            let Some(fresh) = self.fresh(TableKind::Data, &contract.name) else { continue };
            let session = self.with_fresh(contract, &fresh).await?;
            let mut found: SendableRecordBatchStream = session.sql(&sql).await?.execute_stream().await?;
            while let Some(batch) = found.try_next().await? {
                if batch.num_rows() > 0 {
                    let noted = self.noted_as(&Found::of(&batch)?, contract, &OVERLAP)?;
                    self.note_rows(FINDING, noted).await?;
                }
            }
        }
        Ok(())
    }

    /// A session over the release as it would be, in which `fresh.<dataset>` has the rows it brings.
    async fn with_fresh(&self, contract: &Contract, fresh: &TableVersion) -> Result<SessionContext> {
        let session = self.session(&Limits::default()).await?;
        let catalog = session.catalog(CATALOG).ok_or_else(|| Error::new(ErrorKind::Internal, "no catalog"))?;
        catalog.register_schema("fresh", Arc::new(MemorySchemaProvider::new()))?;
        let rows = ParquetTable::new(fresh, &contract.table_schema());
        session.register_table(TableReference::full(CATALOG, "fresh", contract.name.as_str()), Arc::new(rows))?;
        Ok(session)
    }

    /// Rows of `system.finding` from what was found.
    fn noted_as(&self, found: &Found, contract: &Contract, remark: &Remark<'_>) -> Result<RecordBatch> {
        let count = found.batch_id.len();
        let text = |column: &ArrayRef| cast(column, &DataType::Utf8);
        let all = |text: &str| -> ArrayRef { Arc::new(StringArray::new_repeated(text, count)) };
        let release = i64::try_from(self.release_number()).unwrap_or(i64::MAX);
        // An ended row of a snapshot has no line of its own.
        let row_no: Int64Array =
            found.row_no.as_primitive::<Int64Type>().iter().map(|number| Some(number.unwrap_or(0))).collect();
        let columns = vec![
            ("dataset", all(&contract.name)),
            ("key", text(&found.key)?),
            ("feed_id", text(&found.feed_id)?),
            ("batch_id", text(&found.batch_id)?),
            ("row_no", Arc::new(row_no) as ArrayRef),
            ("rule", all(remark.rule)),
            ("column_name", all(remark.column)),
            ("value", text(&found.value)?),
            ("message_zh", all(remark.message)),
            ("message_en", all(remark.message_en)),
            ("found_in", Arc::new(Int64Array::from(vec![release; count]))),
        ];
        system_rows(FINDING, count, columns)
    }
}

/// Key, feed, batch, row number and value of what was found.
struct Found {
    key: ArrayRef,
    feed_id: ArrayRef,
    batch_id: ArrayRef,
    row_no: ArrayRef,
    value: ArrayRef,
}

impl Found {
    /// From the columns of a statement, in this order.
    fn of(batch: &RecordBatch) -> Result<Self> {
        match batch.columns() {
            [key, feed_id, batch_id, row_no, value] => Ok(Self {
                key: Arc::clone(key),
                feed_id: Arc::clone(feed_id),
                batch_id: Arc::clone(batch_id),
                row_no: Arc::clone(row_no),
                value: Arc::clone(value),
            }),
            _ => Err(Error::new(ErrorKind::Internal, "findings come in five columns")),
        }
    }
}

/// Columns as one text, as findings keep values and keys: parts joined by commas, nulls left out.
pub(super) fn joined_text(columns: &[ArrayRef]) -> Result<ArrayRef> {
    let texts = columns.iter().map(|column| cast(column, &DataType::Utf8));
    let texts = texts.collect::<std::result::Result<Vec<_>, _>>()?;
    if let [only] = texts.as_slice() {
        return Ok(Arc::clone(only));
    }
    let parts: Vec<&StringArray> = texts.iter().map(|text| text.as_string::<i32>()).collect();
    let rows = parts.first().map_or(0, |part| part.len());
    let joined = (0..rows).map(|row| {
        let present: Vec<&str> = parts.iter().filter(|part| part.is_valid(row)).map(|part| part.value(row)).collect();
        Some(present.join(","))
    });
    Ok(Arc::new(joined.collect::<StringArray>()))
}

struct Remark<'r> {
    rule: &'r str,
    column: &'r str,
    message: &'r str,
    message_en: &'r str,
}

impl<'r> Remark<'r> {
    fn of(reference: &'r Reference) -> Self {
        let column = reference.columns.last().map_or("", String::as_str);
        Self { rule: &reference.name, column, message: &reference.message, message_en: &reference.message_en }
    }
}

const OVERLAP: Remark<'static> = Remark {
    rule: "overlapping_span",
    column: "valid_from",
    message: "与同一对象的另一条记录有效期重叠，请核对起止日期",
    message_en: "its span overlaps another row of the same subject; check the dates",
};

/// The same in SQL.
fn joined(alias: &str, columns: &[String]) -> String {
    let columns: Vec<String> = columns.iter().map(|column| format!("cast({alias}.{column} as varchar)")).collect();
    match columns.as_slice() {
        [only] => only.clone(),
        several => format!("concat_ws(',', {})", several.join(", ")),
    }
}

/// Rows whose span overlaps that of another row with the same key but for its start.
fn overlapping(contract: &Contract) -> Option<String> {
    let (start, end) = (contract.span_start.as_ref()?, contract.span_end.as_ref()?);
    let same = contract
        .key
        .iter()
        .filter(|column| *column != start)
        .map(|column| format!("d.{column} = o.{column}"))
        .collect::<Vec<_>>()
        .join(" and ");
    Some(format!(
        "select distinct {key}, d.feed_id, d.batch_id, d.row_no, cast(d.{start} as varchar) \
         from fresh.{name} d join {name} o on {same} \
         where d.{start} <> o.{start} and (o.{end} is null or d.{start} < o.{end}) \
         and (d.{end} is null or o.{start} < d.{end})",
        key = joined("d", &contract.key),
        name = contract.name,
    ))
}
