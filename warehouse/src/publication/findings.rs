//! Findings: remarks on accepted rows, and how they clear by themselves.
//!
//! A missing reference never holds a row. It is noted when the row is published without its other
//! side, and cleared in the release that brings the other side or a newer version of the row.

use std::collections::HashSet;
use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, Int64Array, RecordBatch, StringArray};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Int64Type};
use datafusion::catalog::MemorySchemaProvider;
use datafusion::common::TableReference;
use datafusion::prelude::SessionContext;
use tokio::task::JoinHandle;

use super::noted::system_rows;
use super::{Publication, files};
use crate::contract::{self, Contract, Reference};
use crate::error::{Error, ErrorKind, Result};
use crate::lineage;
use crate::release::ParquetTable;
use crate::session::{CATALOG, Limits};
use crate::table::{TableKind, TableName};

const FINDING: &str = "finding";

/// What tells one finding from another.
type FindingKey = (String, String, i64, String, String);

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
        let session = self.settling().await?;
        let cleared = self.cleared(&session).await?;
        self.clear(&cleared).await?;
        for found in self.new_findings(&session).await? {
            self.noted.add_batch(FINDING, found);
        }
        Ok(())
    }

    /// A session over the release as it would be, in which `fresh.<dataset>` has the current rows
    /// that it brings and `gone.<dataset>` the versions that it sends to the history.
    async fn settling(&self) -> Result<SessionContext> {
        let session = self.session(&Limits::default()).await?;
        let catalog = session.catalog(CATALOG).ok_or_else(|| Error::new(ErrorKind::Internal, "no catalog"))?;
        for (schema, kind) in [("fresh", TableKind::Data), ("gone", TableKind::History)] {
            catalog.register_schema(schema, Arc::new(MemorySchemaProvider::new()))?;
            for dataset in &self.touched {
                let Some(table) = self.tables.get(&TableName::new(kind, dataset)) else { continue };
                let rows = ParquetTable::new(&table.fresh(), &table.schema);
                session.register_table(TableReference::full(CATALOG, schema, dataset.as_str()), Arc::new(rows))?;
            }
        }
        Ok(session)
    }

    fn has_fresh(&self, kind: TableKind, dataset: &str) -> bool {
        self.touched.contains(dataset)
            && self.tables.get(&TableName::new(kind, dataset)).is_some_and(|table| table.fresh().rows() > 0)
    }

    async fn cleared(&self, session: &SessionContext) -> Result<HashSet<FindingKey>> {
        let mut cleared = HashSet::new();
        let open = open_rules(session).await?;
        if open.is_empty() {
            return Ok(cleared);
        }
        let picked = "select f.dataset, f.batch_id, f.row_no, f.rule, f.column_name from system.finding f";
        let mut asked = Vec::new();
        for contract in contract::builtin().datasets() {
            let name = &contract.name;
            if self.has_fresh(TableKind::History, name) && open.iter().any(|(dataset, _)| dataset == name) {
                asked.push(format!(
                    "{picked} left semi join gone.{name} g on f.batch_id = g.batch_id and f.row_no = g.row_no \
                     where f.dataset = '{name}' and f.cleared_in is null"
                ));
            }
            for reference in &contract.references {
                if !self.has_fresh(TableKind::Data, &reference.dataset)
                    || !open.contains(&(name.clone(), reference.name.clone()))
                {
                    continue;
                }
                let other = joined("o", &reference.dataset_columns);
                asked.push(format!(
                    "{picked} left semi join fresh.{} o on f.value = {other} \
                     where f.dataset = '{name}' and f.rule = '{}' and f.cleared_in is null",
                    reference.dataset, reference.name
                ));
            }
        }
        let answers: Vec<_> = asked.iter().map(|sql| ask(session, sql)).collect();
        for answer in answers {
            for batch in answered(answer).await? {
                cleared.extend(keys_of(&batch)?);
            }
        }
        Ok(cleared)
    }

    /// Sets `cleared_in` where a finding is cleared; only files that hold one are written anew.
    async fn clear(&mut self, cleared: &HashSet<FindingKey>) -> Result<()> {
        if cleared.is_empty() {
            return Ok(());
        }
        let release = i64::try_from(self.release_number()).unwrap_or(i64::MAX);
        let table = self.working(&TableName::new(TableKind::System, FINDING)).await?;
        for position in 0..table.files.len() {
            let file = table.files[position].clone();
            let bounds = files::text_bounds(&file, lineage::BATCH_ID);
            if bounds.is_some_and(|(low, high)| !cleared.iter().any(|key| (low..=high).contains(&key.1.as_str()))) {
                continue;
            }
            let mut changed = false;
            let mut batches = Vec::new();
            for batch in files::read(&table.store, &table.name, &file, None).await? {
                let batch = files::conform(&batch?, &table.schema)?;
                let keys = keys_of(&batch)?;
                let place = batch.schema().index_of("cleared_in")?;
                let before = batch.column(place).as_primitive::<Int64Type>().clone();
                let after: Int64Array = keys
                    .iter()
                    .enumerate()
                    .map(|(row, key)| match before.is_valid(row) {
                        true => Some(before.value(row)),
                        false => cleared.contains(key).then_some(release),
                    })
                    .collect();
                changed |= after.null_count() != before.null_count();
                let mut columns = batch.columns().to_vec();
                columns[place] = Arc::new(after);
                batches.push(RecordBatch::try_new(batch.schema(), columns)?);
            }
            if changed {
                let file = table.new_file().write(batches).await?;
                table.replace(position, file);
            }
        }
        Ok(())
    }

    async fn new_findings(&self, session: &SessionContext) -> Result<Vec<RecordBatch>> {
        let touched = || {
            let datasets = contract::builtin().datasets().iter();
            datasets.filter(|contract| self.has_fresh(TableKind::Data, &contract.name))
        };
        let missing = touched().flat_map(|contract| {
            let ask = |reference| (missing_side(contract, reference), contract, Remark::of(reference));
            contract.references.iter().map(ask).collect::<Vec<_>>()
        });
        let overlaps = touched().filter_map(|contract| Some((overlapping(contract)?, contract, OVERLAP)));
        let asked: Vec<_> = missing.chain(overlaps).collect();
        // Side by side: each is small, and most of its time goes into planning.
        let answers: Vec<_> = asked.iter().map(|(sql, ..)| ask(session, sql)).collect();
        let mut rows = Vec::new();
        for ((_, contract, remark), answer) in asked.iter().zip(answers) {
            for found in answered(answer).await?.iter().filter(|found| found.num_rows() > 0) {
                rows.push(self.noted_as(found, contract, remark)?);
            }
        }
        Ok(rows)
    }

    /// Rows of `system.finding` from the key, feed, batch, row number and value of what was found.
    fn noted_as(&self, found: &RecordBatch, contract: &Contract, remark: &Remark<'_>) -> Result<RecordBatch> {
        let count = found.num_rows();
        let text = |column: usize| cast(found.column(column), &DataType::Utf8);
        let all = |text: &str| -> ArrayRef { Arc::new(StringArray::new_repeated(text, count)) };
        let release = i64::try_from(self.release_number()).unwrap_or(i64::MAX);
        // An ended row of a snapshot has no line of its own.
        let row_no: Int64Array =
            found.column(3).as_primitive::<Int64Type>().iter().map(|number| Some(number.unwrap_or(0))).collect();
        let columns = vec![
            ("dataset", all(&contract.name)),
            ("key", text(0)?),
            ("feed_id", text(1)?),
            ("batch_id", text(2)?),
            ("row_no", Arc::new(row_no) as ArrayRef),
            ("rule", all(remark.rule)),
            ("column_name", all(remark.column)),
            ("value", text(4)?),
            ("message_zh", all(remark.message)),
            ("message_en", all(remark.message_en)),
            ("found_in", Arc::new(Int64Array::from(vec![release; count]))),
        ];
        system_rows(FINDING, count, columns)
    }
}

/// Rows on their way.
type Answer = JoinHandle<datafusion::error::Result<Vec<RecordBatch>>>;

/// Runs a statement as a task of its own.
fn ask(session: &SessionContext, sql: &str) -> Answer {
    let (session, sql) = (session.clone(), sql.to_owned());
    tokio::spawn(async move { session.sql(&sql).await?.collect().await })
}

async fn answered(answer: Answer) -> Result<Vec<RecordBatch>> {
    let answer = answer
        .await
        .map_err(|error| Error::caused(ErrorKind::Internal, "a look-up of references was interrupted", error))?;
    Ok(answer?)
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

/// Columns as one text, as findings keep values and keys.
fn joined(alias: &str, columns: &[String]) -> String {
    let columns: Vec<String> = columns.iter().map(|column| format!("cast({alias}.{column} as varchar)")).collect();
    match columns.as_slice() {
        [only] => only.clone(),
        several => format!("concat_ws(',', {})", several.join(", ")),
    }
}

fn missing_side(contract: &Contract, reference: &Reference) -> String {
    let present =
        reference.columns.iter().map(|column| format!("d.{column} is not null")).collect::<Vec<_>>().join(" and ");
    let on = reference
        .columns
        .iter()
        .zip(&reference.dataset_columns)
        .map(|(ours, theirs)| format!("d.{ours} = o.{theirs}"))
        .collect::<Vec<_>>()
        .join(" and ");
    let when = reference.when.as_ref().map(|when| format!(" and ({when})")).unwrap_or_default();
    let rows = format!("select * from fresh.{} d where {present}{when}", contract.name);
    format!(
        "select {}, d.feed_id, d.batch_id, d.row_no, {} from ({rows}) d left anti join {} o on {on}",
        joined("d", &contract.key),
        joined("d", &reference.columns),
        reference.dataset
    )
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

/// The datasets and rules with open findings.
async fn open_rules(session: &SessionContext) -> Result<HashSet<(String, String)>> {
    let sql = "select distinct dataset, rule from system.finding where cleared_in is null";
    let mut open = HashSet::new();
    for batch in session.sql(sql).await?.collect().await? {
        let (dataset, rule) = (as_text(batch.column(0))?, as_text(batch.column(1))?);
        open.extend((0..batch.num_rows()).map(|row| (dataset.value(row).to_owned(), rule.value(row).to_owned())));
    }
    Ok(open)
}

fn keys_of(batch: &RecordBatch) -> Result<Vec<FindingKey>> {
    let text = |name: &str| {
        let column = batch
            .column_by_name(name)
            .ok_or_else(|| Error::new(ErrorKind::Internal, format!("findings lack {name}")))?;
        as_text(column)
    };
    let (dataset, batch_id, rule, column) = (text("dataset")?, text("batch_id")?, text("rule")?, text("column_name")?);
    let numbers = batch
        .column_by_name("row_no")
        .ok_or_else(|| Error::new(ErrorKind::Internal, "findings lack row_no"))?
        .as_primitive::<Int64Type>();
    Ok((0..batch.num_rows())
        .map(|row| {
            (
                dataset.value(row).to_owned(),
                batch_id.value(row).to_owned(),
                numbers.value(row),
                rule.value(row).to_owned(),
                column.value(row).to_owned(),
            )
        })
        .collect())
}

fn as_text(column: &datafusion::arrow::array::ArrayRef) -> Result<StringArray> {
    Ok(cast(column, &DataType::Utf8)?.as_string::<i32>().clone())
}
