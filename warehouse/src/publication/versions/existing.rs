//! The stored versions that the arrivals meet: current rows of the same keys, and deletions.

use std::sync::Arc;

use bytes::Bytes;
use datafusion::arrow::array::{RecordBatch, UInt32Array};
use datafusion::arrow::compute::{concat_batches, take_record_batch};
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::parquet::arrow::ProjectionMask;
use datafusion::parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder, RowSelection,
};
use datafusion::parquet::file::metadata::RowGroupMetaData;
use futures::{StreamExt, TryStreamExt, stream};

use super::arriving::{Arriving, candidates};
use super::{Incoming, clocks};
use crate::error::Result;
use crate::lineage;
use crate::publication::DatasetChange;
use crate::publication::files::{self, Picked, conform};
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
    /// Stands for a file where a row is not written yet.
    pub(super) resting: u32,
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
        let misses = |file: &DataFile| incoming.arriving.as_ref().is_some_and(|arriving| misses(arriving, file));
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
        let mut looked: Vec<(u32, Matches)> = stream::iter(looks).buffered(files::FILES_AT_ONCE).try_collect().await?;
        let resting = table.files.len() as u32;
        if let Some(rested) = &self.resting {
            let (rested, schema, incoming) = (rested.clone(), Arc::clone(&table.schema), Arc::clone(incoming));
            looked.push((resting, files::blocking(move || among(&rested, &schema, &incoming)).await?));
        }
        let mut found = Existing {
            rows: RecordBatch::new_empty(Arc::clone(&table.schema)),
            file: Vec::new(),
            place: Vec::new(),
            files: table.files.clone(),
            resting,
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

/// Looks for arriving keys in a file: first at the key columns alone, where the bounds of a row group allow
/// one of them, and at whole rows only where one stands.
fn matching(bytes: Bytes, schema: &SchemaRef, incoming: &Incoming) -> Result<Matches> {
    let metadata = ArrowReaderMetadata::load(&bytes, ArrowReaderOptions::new())?;
    let columns = incoming.encoder.columns.iter().map(String::as_str);
    let keys = ProjectionMask::columns(metadata.parquet_schema(), columns);
    let reader = |group: usize| {
        ParquetRecordBatchReaderBuilder::new_with_metadata(bytes.clone(), metadata.clone())
            .with_row_groups(vec![group])
            .with_batch_size(64 * 1024)
    };
    let mut found = Matches { places: Vec::new(), rows: Vec::new() };
    let mut first_row = 0;
    for (number, group) in metadata.metadata().row_groups().iter().enumerate() {
        let rows = usize::try_from(group.num_rows()).unwrap_or_default();
        let before = found.places.len();
        if incoming.arriving.as_ref().is_none_or(|arriving| may_hold(arriving, group)) {
            let mut offset = first_row;
            for batch in reader(number).with_projection(keys.clone()).build()? {
                let batch = batch?;
                found.places.extend(meeting(&batch, offset, incoming)?);
                offset += batch.num_rows();
            }
        }
        let places: Vec<usize> = found.places[before..].iter().map(|(place, _)| place - first_row).collect();
        if !places.is_empty() {
            found.rows.extend(whole_rows(reader(number), rows, &places, schema)?);
        }
        first_row += rows;
    }
    Ok(found)
}

/// Looks for arriving keys among rows in memory.
fn among(rested: &Picked, schema: &SchemaRef, incoming: &Incoming) -> Result<Matches> {
    let mut places = meeting(rested.batch(), 0, incoming)?;
    places.retain(|(place, _)| rested.counts(*place));
    let picked: UInt32Array = places.iter().map(|(place, _)| *place as u32).collect();
    Ok(Matches { places, rows: vec![conform(&take_record_batch(rested.batch(), &picked)?, schema)?] })
}

/// Places of the rows that have an arriving key, counted from the place of the first row, with its number.
fn meeting(rows: &RecordBatch, first: usize, incoming: &Incoming) -> Result<Vec<(usize, u32)>> {
    let candidates = candidates(incoming.arriving.as_ref(), rows);
    let encoded = incoming.encoder.encode(&take_record_batch(rows, &UInt32Array::from(candidates.clone()))?)?;
    let keys = candidates.into_iter().enumerate().filter_map(|(place, row)| {
        let key = incoming.number_of(encoded.row(place))?;
        Some((first + row as usize, key))
    });
    Ok(keys.collect())
}

/// The whole rows at some places of a row group, which are in order.
fn whole_rows(
    reader: ParquetRecordBatchReaderBuilder<Bytes>,
    rows: usize,
    places: &[usize],
    schema: &SchemaRef,
) -> Result<Vec<RecordBatch>> {
    // Where many stand, skipping between them costs more than reading all.
    let dense = places.len() * DENSE > rows;
    let reader = match dense {
        true => reader,
        false => {
            let ranges = places.iter().map(|place| *place..*place + 1);
            // What is read keeps the room of a whole batch, and there is a piece of every group of the table.
            reader.with_batch_size(places.len()).with_row_selection(RowSelection::from_consecutive_ranges(ranges, rows))
        }
    };
    let mut found = Vec::new();
    let mut offset = 0;
    let mut next = places.iter().copied().peekable();
    for batch in reader.build()? {
        let batch = conform(&batch?, schema)?;
        let end = offset + batch.num_rows();
        match dense {
            false => found.push(batch),
            true => {
                let picked =
                    std::iter::from_fn(|| next.next_if(|place| *place < end)).map(|place| (place - offset) as u32);
                let picked: UInt32Array = picked.collect();
                if !picked.is_empty() {
                    found.push(take_record_batch(&batch, &picked)?);
                }
            }
        }
        offset = end;
    }
    Ok(found)
}

/// One row in so many is dense.
const DENSE: usize = 16;

/// Whether a row group may hold an arriving key, by the bounds of its column.
fn may_hold(arriving: &Arriving, group: &RowGroupMetaData) -> bool {
    let column = group.columns().iter().find(|column| column.column_path().string() == arriving.column);
    let bounds = column.and_then(|column| {
        let statistics = column.statistics()?;
        Some((statistics.min_bytes_opt()?, statistics.max_bytes_opt()?))
    });
    bounds.is_none_or(|(low, high)| arriving.any_within(low, high))
}

/// Whether a file holds none of the arriving keys, by its bounds.
fn misses(arriving: &Arriving, file: &DataFile) -> bool {
    files::text_bounds(file, &arriving.column)
        .is_some_and(|(low, high)| !arriving.any_within(low.as_bytes(), high.as_bytes()))
}
