//! Which open findings end with a release: their row goes to the history, or their other side comes.
//!
//! Findings are read so many at a time that memory stays bounded, and only the files that hold one
//! that ends are written anew.

use std::collections::BTreeSet;
use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, Int64Array, RecordBatch, StringArray, UInt32Array};
use datafusion::arrow::compute::{concat_batches, filter_record_batch, is_null, take};
use datafusion::arrow::datatypes::{Int64Type, Schema};

use super::findings::{FINDING, joined_text};
use super::references::columns;
use super::wanted::Wanted;
use super::{Publication, files};
use crate::contract;
use crate::error::Result;
use crate::lineage;
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
        let (mut open, mut place, mut offset) = (Vec::new(), Vec::new(), 0);
        for batch in files::read(&table.store, &table.name, file, Some(&ABOUT)).await? {
            let batch = files::conform(&batch?, &schema)?;
            let is_open = is_null(&columns(&batch, &["cleared_in".to_owned()])?[0])?;
            place.extend((0..batch.num_rows()).filter(|row| is_open.value(*row)).map(|row| offset + row as u32));
            open.push(filter_record_batch(&batch, &is_open)?);
            offset += batch.num_rows() as u32;
        }
        Ok(Open { findings: concat_batches(&schema, &open)?, place })
    }

    /// Places in their file of the findings that end.
    async fn ended(&self, open: &Open) -> Result<BTreeSet<u32>> {
        let text = |name: &str| columns(&open.findings, &[name.to_owned()]).map(|mut column| column.remove(0));
        let (dataset, rule) = (text("dataset")?, text("rule")?);
        let (dataset, rule): (&StringArray, &StringArray) = (dataset.as_string(), rule.as_string());
        let mut ended = BTreeSet::new();
        for contract in contract::builtin().datasets() {
            let of_dataset: Vec<u32> =
                (0..dataset.len()).filter(|row| dataset.value(*row) == contract.name).map(|row| row as u32).collect();
            if of_dataset.is_empty() {
                continue;
            }
            if let Some(gone) = self.fresh(TableKind::History, &contract.name) {
                let row = [lineage::BATCH_ID, lineage::ROW_NO].map(str::to_owned);
                let about = columns(&open.findings, &row)?;
                ended.extend(self.met(open, &of_dataset, &about, &gone, &row, Compared::AsTheyAre).await?);
            }
            for reference in &contract.references {
                let Some(arrived) = self.fresh(TableKind::Data, &reference.dataset) else { continue };
                let of_rule: Vec<u32> =
                    of_dataset.iter().copied().filter(|row| rule.value(*row as usize) == reference.name).collect();
                let value = [text("value")?];
                let found = self.met(open, &of_rule, &value, &arrived, &reference.dataset_columns, Compared::Joined);
                ended.extend(found.await?);
            }
        }
        Ok(ended)
    }

    /// Places of the findings, out of some, whose columns stand in the rows of a table.
    async fn met(
        &self,
        open: &Open,
        some: &[u32],
        about: &[ArrayRef],
        table: &TableVersion,
        names: &[String],
        compared: Compared,
    ) -> Result<Vec<u32>> {
        let valid = some.iter().copied().filter(|row| about.iter().all(|column| column.is_valid(*row as usize)));
        let rows: Vec<u32> = valid.collect();
        if rows.is_empty() {
            return Ok(Vec::new());
        }
        let picked = UInt32Array::from(rows.clone());
        let about = about.iter().map(|column| take(column, &picked, None));
        let mut wanted = Wanted::new(&about.collect::<std::result::Result<Vec<_>, _>>()?)?;
        let store = self.writer.warehouse.store();
        let read: Vec<&str> = names.iter().map(String::as_str).collect();
        let is_first_alone = compared == Compared::AsTheyAre || names.len() == 1;
        for file in table.files.iter() {
            let bounded = names.first().map_or("", String::as_str);
            if wanted.is_done() || (is_first_alone && wanted.misses(file, bounded)) {
                continue;
            }
            for batch in files::read(store, &table.name, file, Some(&read)).await? {
                let found = columns(&batch?, names)?;
                match compared {
                    Compared::AsTheyAre => wanted.meet(&found)?,
                    Compared::Joined => wanted.meet(&[joined_text(&found)?])?,
                }
            }
        }
        Ok(rows
            .iter()
            .enumerate()
            .filter(|(at, _)| wanted.is_met(*at))
            .map(|(_, row)| open.place[*row as usize])
            .collect())
    }

    /// Writes a file of findings anew, some of them cleared by this release.
    async fn clear(&mut self, file: &DataFile, ended: &BTreeSet<u32>) -> Result<()> {
        let release = i64::try_from(self.release_number()).unwrap_or(i64::MAX);
        let table = self.working(&TableName::new(TableKind::System, FINDING)).await?;
        let (mut batches, mut offset) = (Vec::new(), 0);
        for batch in files::read(&table.store, &table.name, file, None).await? {
            let batch = files::conform(&batch?, &table.schema)?;
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
        let Some(position) = table.files.iter().position(|standing| standing.path == file.path) else { return Ok(()) };
        let written = table.new_file().write(batches).await?;
        table.replace(position, written);
        Ok(())
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
