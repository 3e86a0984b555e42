//! The stored versions that the arrivals meet: current rows of the same keys, and deletions.

use std::sync::Arc;

use datafusion::arrow::array::{RecordBatch, StringArray, UInt32Array};
use datafusion::arrow::compute::{concat_batches, take_record_batch};

use super::{Incoming, clocks};
use crate::contract::Contract;
use crate::error::Result;
use crate::lineage;
use crate::publication::working::WorkingTable;
use crate::publication::{DatasetChange, files};
use crate::release::VERSION_STATE;
use crate::table::DataFile;

/// What is stored of the arriving keys.
pub(in crate::publication) struct Existing {
    /// Current rows of arriving keys.
    pub(super) rows: RecordBatch,
    /// File of each of those rows.
    pub(super) file: Vec<u32>,
    /// Place in its file.
    pub(super) place: Vec<usize>,
    /// The files.
    pub(super) files: Vec<DataFile>,
    /// Row in `rows` by key number.
    pub(super) of_key: Vec<Option<u32>>,
    /// Clock of each row.
    pub(super) clock: Vec<i64>,
    /// Newest deletion by key number: its clock and whose key it is.
    pub(super) deleted: Vec<Option<(i64, String)>>,
}

impl DatasetChange {
    pub(super) async fn existing(&self, incoming: &Incoming) -> Result<Existing> {
        let table = &self.data;
        let (schema, candidates) = (Arc::clone(&table.schema), table.files.clone());
        let mut found = Existing {
            rows: RecordBatch::new_empty(Arc::clone(&schema)),
            file: Vec::new(),
            place: Vec::new(),
            files: candidates.clone(),
            of_key: vec![None; incoming.keys],
            clock: Vec::new(),
            deleted: vec![None; incoming.keys],
        };
        let bounds = incoming.text_bounds(&self.contract);
        let mut batches = Vec::new();
        for (number, file) in candidates.iter().enumerate() {
            if bounds.as_ref().is_some_and(|bounds| bounds.misses(file)) {
                continue;
            }
            let matches = matching(table, file, incoming).await?;
            if matches.is_empty() {
                continue;
            }
            let mut offset = 0;
            let mut next = matches.iter().peekable();
            for batch in files::read(&table.store, &table.name, file, None).await? {
                let batch = files::conform(&batch?, &schema)?;
                let mut picked = Vec::new();
                while let Some(&&(place, key)) = next.peek() {
                    if place >= offset + batch.num_rows() {
                        break;
                    }
                    found.of_key[key as usize] = Some(found.place.len() as u32);
                    found.place.push(place);
                    found.file.push(number as u32);
                    picked.push((place - offset) as u32);
                    next.next();
                }
                offset += batch.num_rows();
                if !picked.is_empty() {
                    batches.push(take_record_batch(&batch, &UInt32Array::from(picked))?);
                }
            }
        }
        found.rows = concat_batches(&schema, &batches)?;
        found.clock = clocks(&found.rows)?;
        self.deletions(incoming, &mut found).await?;
        Ok(found)
    }

    /// Deletions stand in the history, in files of their own.
    async fn deletions(&self, incoming: &Incoming, found: &mut Existing) -> Result<()> {
        let table = &self.history;
        let with_deletions: Vec<DataFile> = table
            .files
            .iter()
            .filter(|file| files::text_bounds(file, VERSION_STATE) == Some(("deleted", "deleted")))
            .cloned()
            .collect();
        let mut columns: Vec<&str> = self.contract.key.iter().map(String::as_str).collect();
        columns.extend([lineage::SOURCE_UPDATED_AT, lineage::LANDED_AT, lineage::KEY_REPORTER]);
        for file in &with_deletions {
            for batch in files::read(&table.store, &table.name, file, Some(&columns)).await? {
                let batch = batch?;
                let (encoded, clock) = (incoming.encoder.encode(&batch)?, clocks(&batch)?);
                let owner = super::text(&batch, lineage::KEY_REPORTER)?;
                for (row, clock) in clock.into_iter().enumerate() {
                    let Some(key) = incoming.number_of(encoded.row(row)) else { continue };
                    let known = &mut found.deleted[key as usize];
                    if known.as_ref().is_none_or(|(newest, _)| *newest <= clock) {
                        *known = Some((clock, owner.value(row).to_owned()));
                    }
                }
            }
        }
        Ok(())
    }
}

/// Places of arriving keys in a file, with the key's number, in order of place.
async fn matching(table: &WorkingTable, file: &DataFile, incoming: &Incoming) -> Result<Vec<(usize, u32)>> {
    let columns: Vec<&str> = incoming.encoder.columns.iter().map(String::as_str).collect();
    let mut matches = Vec::new();
    let mut offset = 0;
    for batch in files::read(&table.store, &table.name, file, Some(&columns)).await? {
        let batch = batch?;
        let encoded = incoming.encoder.encode(&batch)?;
        for row in 0..batch.num_rows() {
            if let Some(key) = incoming.number_of(encoded.row(row)) {
                matches.push((offset + row, key));
            }
        }
        offset += batch.num_rows();
    }
    Ok(matches)
}

/// Smallest and largest arriving value of one text key column.
struct Bounds {
    column: String,
    low: String,
    high: String,
}

impl Bounds {
    fn misses(&self, file: &DataFile) -> bool {
        files::text_bounds(file, &self.column)
            .is_some_and(|(low, high)| self.high.as_str() < low || self.low.as_str() > high)
    }
}

impl Incoming {
    fn text_bounds(&self, contract: &Contract) -> Option<Bounds> {
        use datafusion::arrow::compute::{max_string, min_string};
        contract.key.iter().find_map(|column| {
            let text = self.rows.column_by_name(column)?.as_any().downcast_ref::<StringArray>()?;
            let (low, high) = (min_string(text)?, max_string(text)?);
            // An empty key part (`~`) would be missing from the bounds.
            (datafusion::arrow::array::Array::null_count(text) == 0).then(|| Bounds {
                column: column.clone(),
                low: low.to_owned(),
                high: high.to_owned(),
            })
        })
    }
}
