//! The stored versions that the arrivals meet: current rows of the same keys, and deletions.

use std::sync::Arc;

use bytes::Bytes;
use datafusion::arrow::array::{RecordBatch, StringArray, UInt32Array};
use datafusion::arrow::compute::{concat_batches, take_record_batch};
use datafusion::arrow::datatypes::SchemaRef;
use futures::{StreamExt, TryStreamExt, stream};

use super::{Incoming, clocks};
use crate::contract::Contract;
use crate::error::Result;
use crate::lineage;
use crate::publication::{DatasetChange, files};
use crate::release::VERSION_STATE;
use crate::store::Store;
use crate::table::{DataFile, TableName};

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
    pub(super) async fn existing(&self, incoming: &Arc<Incoming>) -> Result<Existing> {
        let table = &self.data;
        let bounds = incoming.text_bounds(&self.contract);
        let misses = |file: &DataFile| bounds.as_ref().is_some_and(|bounds| bounds.misses(file));
        let mut looks = Vec::new();
        for (number, file) in table.files.iter().enumerate().filter(|(_, file)| !misses(file)) {
            looks.push(look(
                number as u32,
                table.store.clone(),
                table.name.clone(),
                file.clone(),
                Arc::clone(&table.schema),
                Arc::clone(incoming),
            ));
        }
        // A few at a time: each holds its file in memory.
        let looked: Vec<(u32, Matches)> = stream::iter(looks).buffered(FILES_AT_ONCE).try_collect().await?;
        let mut found = Existing {
            rows: RecordBatch::new_empty(Arc::clone(&table.schema)),
            file: Vec::new(),
            place: Vec::new(),
            files: table.files.clone(),
            of_key: vec![None; incoming.keys],
            clock: Vec::new(),
            deleted: vec![None; incoming.keys],
        };
        let mut batches = Vec::new();
        for (number, matches) in looked {
            for (place, key) in matches.places {
                found.of_key[key as usize] = Some(found.place.len() as u32);
                found.place.push(place);
                found.file.push(number);
            }
            batches.extend(matches.rows);
        }
        found.rows = concat_batches(&table.schema, &batches)?;
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

/// Files looked into side by side.
const FILES_AT_ONCE: usize = 4;

/// What a file holds of the arriving keys.
struct Matches {
    /// Places in the file with the number of the key, in order of place.
    places: Vec<(usize, u32)>,
    /// The rows at these places.
    rows: Vec<RecordBatch>,
}

/// Reads a file and looks for arriving keys in it.
async fn look(
    number: u32,
    store: Store,
    table: TableName,
    file: DataFile,
    schema: SchemaRef,
    incoming: Arc<Incoming>,
) -> Result<(u32, Matches)> {
    let bytes = files::bytes(&store, &table, &file).await?;
    Ok((number, files::blocking(move || matching(bytes, &schema, &incoming)).await?))
}

/// Looks for arriving keys in a file: first at the key columns alone, and at whole rows only where
/// one of them stands.
fn matching(bytes: Bytes, schema: &SchemaRef, incoming: &Incoming) -> Result<Matches> {
    let columns: Vec<&str> = incoming.encoder.columns.iter().map(String::as_str).collect();
    let mut found = Matches { places: Vec::new(), rows: Vec::new() };
    let mut offset = 0;
    for batch in files::read_bytes(bytes.clone(), Some(&columns))? {
        let batch = batch?;
        let encoded = incoming.encoder.encode(&batch)?;
        for row in 0..batch.num_rows() {
            if let Some(key) = incoming.number_of(encoded.row(row)) {
                found.places.push((offset + row, key));
            }
        }
        offset += batch.num_rows();
    }
    if found.places.is_empty() {
        return Ok(found);
    }
    let mut offset = 0;
    let mut next = found.places.iter().map(|(place, _)| *place).peekable();
    for batch in files::read_bytes(bytes, None)? {
        let batch = files::conform(&batch?, schema)?;
        let end = offset + batch.num_rows();
        let picked: Vec<u32> =
            std::iter::from_fn(|| next.next_if(|place| *place < end)).map(|place| (place - offset) as u32).collect();
        offset = end;
        if !picked.is_empty() {
            found.rows.push(take_record_batch(&batch, &UInt32Array::from(picked))?);
        }
    }
    Ok(found)
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
