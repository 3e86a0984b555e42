//! Which open findings end with a release: their row goes to the history, or their other side comes.
//!
//! Findings are read so many at a time that memory stays bounded, and only the files that hold one
//! that ends are written anew.

use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::Bytes;
use datafusion::arrow::array::{Array, ArrayRef, AsArray, Int64Array, RecordBatch, StringArray, UInt32Array};
use datafusion::arrow::compute::{concat_batches, filter_record_batch, is_null, take};
use datafusion::arrow::datatypes::{Int64Type, Schema, SchemaRef};
use futures::{StreamExt, TryStreamExt, stream};

use super::findings::{FINDING, joined_text};
use super::references::columns;
use super::wanted::Wanted;
use super::{Publication, files};
use crate::contract;
use crate::error::Result;
use crate::lineage;
use crate::store::Store;
use crate::table::{DataFile, TableKind, TableName, TableVersion};

/// What tells what a finding is about.
const ABOUT: [&str; 6] = ["dataset", "batch_id", "row_no", "rule", "value", "cleared_in"];

/// Some findings of one file that are not cleared.
struct Open {
    findings: RecordBatch,
    /// Their places in the file.
    place: Vec<u32>,
}

impl Publication<'_> {
    /// Sets `cleared_in` on the findings that end with this release.
    pub(super) async fn clear_findings(&mut self) -> Result<()> {
        let finding = TableName::new(TableKind::System, FINDING);
        let files = self.working(&finding).await?.files.clone();
        for file in files {
            let open = self.open_findings(&file).await?;
            let ended = if open.place.is_empty() { BTreeSet::new() } else { self.ended(&open).await? };
            if !ended.is_empty() {
                self.clear(&file, &ended).await?;
            }
        }
        Ok(())
    }

    async fn open_findings(&mut self, file: &DataFile) -> Result<Open> {
        let table = self.working(&TableName::new(TableKind::System, FINDING)).await?;
        let about = table.schema.fields().iter().filter(|field| ABOUT.contains(&field.name().as_str())).cloned();
        let schema = Arc::new(Schema::new(about.collect::<Vec<_>>()));
        let bytes = files::bytes(&table.store, &table.name, file).await?;
        files::blocking(move || {
            let (mut open, mut place, mut offset) = (Vec::new(), Vec::new(), 0);
            for batch in files::read_bytes(bytes, Some(&ABOUT))? {
                let batch = files::conform(&batch?, &schema)?;
                let is_open = is_null(&columns(&batch, &["cleared_in".to_owned()])?[0])?;
                place.extend((0..batch.num_rows()).filter(|row| is_open.value(*row)).map(|row| offset + row as u32));
                open.push(filter_record_batch(&batch, &is_open)?);
                offset += batch.num_rows() as u32;
            }
            Ok(Open { findings: concat_batches(&schema, &open)?, place })
        })
        .await
    }

    /// Places in their file of the findings that end.
    async fn ended(&self, open: &Open) -> Result<BTreeSet<u32>> {
        let text = |name: &str| columns(&open.findings, &[name.to_owned()]).map(|mut column| column.remove(0));
        let (dataset, rule) = (text("dataset")?, text("rule")?);
        let (dataset, rule): (&StringArray, &StringArray) = (dataset.as_string(), rule.as_string());
        let mut looks = Vec::new();
        for contract in contract::builtin().datasets() {
            let of_dataset: Vec<u32> =
                (0..dataset.len()).filter(|row| dataset.value(*row) == contract.name).map(|row| row as u32).collect();
            if of_dataset.is_empty() {
                continue;
            }
            if let Some(gone) = self.fresh(TableKind::History, &contract.name) {
                let row = [lineage::BATCH_ID, lineage::ROW_NO].map(str::to_owned);
                let about = columns(&open.findings, &row)?;
                looks.extend(Look::new(&of_dataset, &about, gone, &row, Compared::AsTheyAre)?);
            }
            for reference in &contract.references {
                let Some(arrived) = self.fresh(TableKind::Data, &reference.dataset) else { continue };
                let of_rule: Vec<u32> =
                    of_dataset.iter().copied().filter(|row| rule.value(*row as usize) == reference.name).collect();
                let names = &reference.dataset_columns;
                looks.extend(Look::new(&of_rule, &[text("value")?], arrived, names, Compared::Joined)?);
            }
        }
        let store = self.writer.warehouse.store();
        let met = stream::iter(looks).map(|look| look.met(store)).buffered(files::FILES_AT_ONCE);
        let met: Vec<Vec<u32>> = met.try_collect().await?;
        Ok(met.into_iter().flatten().map(|row| open.place[row as usize]).collect())
    }

    /// Writes a file of findings anew, some of them cleared by this release.
    async fn clear(&mut self, file: &DataFile, ended: &BTreeSet<u32>) -> Result<()> {
        let release = i64::try_from(self.release_number()).unwrap_or(i64::MAX);
        let table = self.working(&TableName::new(TableKind::System, FINDING)).await?;
        let Some(position) = table.files.iter().position(|standing| standing.path == file.path) else { return Ok(()) };
        let bytes = files::bytes(&table.store, &table.name, file).await?;
        let (schema, ended) = (Arc::clone(&table.schema), ended.clone());
        let written = table.new_file().write_from(move || with_cleared(bytes, &schema, &ended, release)).await?;
        table.replace(position, written);
        Ok(())
    }
}

/// The findings of a file, some of them cleared by a release.
fn with_cleared(bytes: Bytes, schema: &SchemaRef, ended: &BTreeSet<u32>, release: i64) -> Result<Vec<RecordBatch>> {
    let (mut batches, mut offset) = (Vec::new(), 0);
    for batch in files::read_bytes(bytes, None)? {
        let batch = files::conform(&batch?, schema)?;
        let place = batch.schema().index_of("cleared_in")?;
        let before = batch.column(place).as_primitive::<Int64Type>().clone();
        let after: Int64Array = before
            .iter()
            .zip(offset..)
            .map(|(before, row)| before.or_else(|| ended.contains(&row).then_some(release)))
            .collect();
        offset += batch.num_rows() as u32;
        let mut columns = batch.columns().to_vec();
        columns[place] = Arc::new(after);
        batches.push(RecordBatch::try_new(batch.schema(), columns)?);
    }
    Ok(batches)
}

/// Some findings, looked for by some of their columns among the rows of a table.
struct Look {
    /// Their places among the open ones.
    rows: Vec<u32>,
    wanted: Wanted,
    table: TableVersion,
    /// Columns of the table.
    names: Vec<String>,
    compared: Compared,
}

impl Look {
    /// Looks for those of some findings that have all of the columns; `None`: there are none.
    fn new(
        some: &[u32],
        about: &[ArrayRef],
        table: TableVersion,
        names: &[String],
        compared: Compared,
    ) -> Result<Option<Self>> {
        let valid = some.iter().copied().filter(|row| about.iter().all(|column| column.is_valid(*row as usize)));
        let rows: Vec<u32> = valid.collect();
        if rows.is_empty() {
            return Ok(None);
        }
        let picked = UInt32Array::from(rows.clone());
        let about = about.iter().map(|column| take(column, &picked, None));
        let wanted = Wanted::new(&about.collect::<std::result::Result<Vec<_>, _>>()?)?;
        Ok(Some(Self { rows, wanted, table, names: names.to_vec(), compared }))
    }

    /// The findings whose columns stand in a row of the table.
    async fn met(self, store: &Store) -> Result<Vec<u32>> {
        let Self { rows, mut wanted, table, names, compared } = self;
        let is_first_alone = compared == Compared::AsTheyAre || names.len() == 1;
        let bounded = names.first().map_or("", String::as_str);
        for file in table.files.iter() {
            if wanted.is_done() || (is_first_alone && wanted.misses(file, bounded)) {
                continue;
            }
            let bytes = files::bytes(store, &table.name, file).await?;
            let names = names.clone();
            wanted = files::blocking(move || {
                let read: Vec<&str> = names.iter().map(String::as_str).collect();
                for batch in files::read_bytes(bytes, Some(&read))? {
                    let found = columns(&batch?, &names)?;
                    match compared {
                        Compared::AsTheyAre => wanted.meet(&found)?,
                        Compared::Joined => wanted.meet(&[joined_text(&found)?])?,
                    }
                }
                Ok(wanted)
            })
            .await?;
        }
        Ok(rows.into_iter().enumerate().filter(|(at, _)| wanted.is_met(*at)).map(|(_, row)| row).collect())
    }
}

/// How findings are compared with the columns of a table.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Compared {
    /// Column by column.
    AsTheyAre,
    /// Their value with the columns joined into one text.
    Joined,
}
