//! Findings: remarks on accepted rows, and how they clear by themselves.
//!
//! A missing reference never holds a row. It is noted when the row is published without its other
//! side, and cleared in the release that brings the other side or a newer version of the row.

use std::collections::HashSet;

use datafusion::arrow::array::{Array, AsArray, Int64Array, RecordBatch, StringArray};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Int64Type};
use datafusion::prelude::SessionContext;
use std::sync::Arc;
use tokio::task::JoinHandle;

use super::{Publication, files};
use crate::contract::{self, Contract, Reference};
use crate::error::{Error, ErrorKind, Result};
use crate::live::LiveRow;
use crate::session::Limits;
use crate::table::{TableKind, TableName};

/// What tells one finding from another.
type FindingKey = (String, String, i64, String, String);

impl Publication<'_> {
    /// Notes new findings and clears those that no longer hold.
    pub(super) async fn settle_findings(&mut self) -> Result<()> {
        if self.touched.is_empty() {
            return Ok(());
        }
        let session = self.session(&Limits::default()).await?;
        let cleared = self.cleared(&session).await?;
        self.clear(&cleared).await?;
        let rows = self.new_findings(&session).await?;
        self.append_system("finding", rows);
        Ok(())
    }

    async fn cleared(&self, session: &SessionContext) -> Result<HashSet<FindingKey>> {
        let mut cleared = HashSet::new();
        if !self.manifest.tables.contains_key("system/finding") && !self.tables.contains_key(&finding_table()) {
            return Ok(cleared);
        }
        let open = open_rules(session).await?;
        if open.is_empty() {
            return Ok(cleared);
        }
        let picked = "select f.dataset, f.batch_id, f.row_no, f.rule, f.column_name from system.finding f";
        for contract in contract::builtin().datasets() {
            let name = &contract.name;
            if self.touched.contains(name) && open.iter().any(|(dataset, _)| dataset == name) {
                let sql = format!(
                    "{picked} left anti join {name} d on f.batch_id = d.batch_id and f.row_no = d.row_no \
                     where f.dataset = '{name}' and f.cleared_in is null"
                );
                collect_keys(session, &sql, &mut cleared).await?;
            }
            for reference in contract.references.iter().filter(|reference| self.touched.contains(&reference.dataset)) {
                if !open.contains(&(name.clone(), reference.name.clone())) {
                    continue;
                }
                let other = joined("o", &reference.dataset_columns);
                let sql = format!(
                    "{picked} left semi join {} o on f.value = {other} \
                     where f.dataset = '{name}' and f.rule = '{}' and f.cleared_in is null",
                    reference.dataset, reference.name
                );
                collect_keys(session, &sql, &mut cleared).await?;
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
        let store = self.writer.warehouse.store().clone();
        let name = finding_table();
        let table = self.working(&name).await?;
        for position in 0..table.files.len() {
            let file = table.files[position].clone();
            let mut changed = false;
            let mut batches = Vec::new();
            for batch in files::read(&store, &name, &file, None).await? {
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
                table.files[position] = files::write(&store, table, batches).await?;
            }
        }
        Ok(())
    }

    async fn new_findings(&self, session: &SessionContext) -> Result<Vec<LiveRow>> {
        let mut rows = Vec::new();
        let batches = self.loaded_batches();
        if batches.is_empty() {
            return Ok(rows);
        }
        let touched = || contract::builtin().datasets().iter().filter(|c| self.touched.contains(&c.name));
        let missing = touched().flat_map(|contract| {
            let ask = |reference| (missing_side(contract, reference, &batches), contract, Remark::of(reference));
            contract.references.iter().map(ask).collect::<Vec<_>>()
        });
        let overlaps = touched().filter_map(|contract| Some((overlapping(contract, &batches)?, contract, OVERLAP)));
        let asked: Vec<_> = missing.chain(overlaps).collect();
        // Side by side: each is small, and most of its time goes into planning.
        let answers: Vec<_> = asked.iter().map(|(sql, ..)| ask(session, sql)).collect();
        for ((_, contract, remark), answer) in asked.iter().zip(answers) {
            let found = answer.await.map_err(|error| {
                Error::caused(ErrorKind::Internal, "a look-up of references was interrupted", error)
            })??;
            rows.extend(self.noted(&found, contract, remark)?);
        }
        rows.retain(|finding| self.is_about_a_loaded_row(finding));
        Ok(rows)
    }

    fn noted(&self, found: &[RecordBatch], contract: &Contract, remark: &Remark<'_>) -> Result<Vec<LiveRow>> {
        let mut rows = Vec::new();
        for batch in found {
            let text = |column: usize| as_text(batch.column(column));
            let (key, feed, batch_id, row_no, value) = (text(0)?, text(1)?, text(2)?, text(3)?, text(4)?);
            for row in 0..batch.num_rows() {
                let cell = |column: &StringArray| column.is_valid(row).then(|| column.value(row).to_owned());
                let object = serde_json::json!({
                    "dataset": contract.name,
                    "key": cell(&key),
                    "feed_id": cell(&feed),
                    "batch_id": cell(&batch_id),
                    "row_no": cell(&row_no).and_then(|number| number.parse::<i64>().ok()).unwrap_or(0),
                    "rule": remark.rule,
                    "column_name": remark.column,
                    "value": cell(&value),
                    "message_zh": remark.message,
                    "message_en": remark.message_en,
                    "found_in": self.release_number(),
                });
                if let serde_json::Value::Object(object) = object {
                    rows.push(object);
                }
            }
        }
        Ok(rows)
    }
}

/// Runs a statement as a task of its own.
fn ask(session: &SessionContext, sql: &str) -> JoinHandle<datafusion::error::Result<Vec<RecordBatch>>> {
    let (session, sql) = (session.clone(), sql.to_owned());
    tokio::spawn(async move { session.sql(&sql).await?.collect().await })
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

fn finding_table() -> TableName {
    TableName::new(TableKind::System, "finding")
}

/// Columns as one text, as findings keep values and keys.
fn joined(alias: &str, columns: &[String]) -> String {
    let columns: Vec<String> = columns.iter().map(|column| format!("cast({alias}.{column} as varchar)")).collect();
    match columns.as_slice() {
        [only] => only.clone(),
        several => format!("concat_ws(',', {})", several.join(", ")),
    }
}

fn missing_side(contract: &Contract, reference: &Reference, batches: &str) -> String {
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
    let rows = format!("select * from {} d where d.batch_id in ({batches}) and {present}{when}", contract.name);
    format!(
        "select {}, d.feed_id, d.batch_id, cast(d.row_no as varchar), {} from ({rows}) d left anti join {} o on {on}",
        joined("d", &contract.key),
        joined("d", &reference.columns),
        reference.dataset
    )
}

/// Rows whose span overlaps that of another row with the same key but for its start.
fn overlapping(contract: &Contract, batches: &str) -> Option<String> {
    let (start, end) = (contract.span_start.as_ref()?, contract.span_end.as_ref()?);
    let same = contract
        .key
        .iter()
        .filter(|column| *column != start)
        .map(|column| format!("d.{column} = o.{column}"))
        .collect::<Vec<_>>()
        .join(" and ");
    Some(format!(
        "select distinct {key}, d.feed_id, d.batch_id, cast(d.row_no as varchar), cast(d.{start} as varchar) \
         from (select * from {name} where batch_id in ({batches})) d join {name} o on {same} \
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

async fn collect_keys(session: &SessionContext, sql: &str, into: &mut HashSet<FindingKey>) -> Result<()> {
    for batch in session.sql(sql).await?.collect().await? {
        into.extend(keys_of(&batch)?);
    }
    Ok(())
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
