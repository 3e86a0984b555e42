//! Reading and writing the Parquet files of a table.

mod groups;
mod picked;
mod rewrite;

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::sync::Arc;

use bytes::Bytes;
use datafusion::arrow::array::{Array, RecordBatch, StringArray};
use datafusion::arrow::compute::{max_string, min_string};
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};
use datafusion::parquet::arrow::arrow_writer::ArrowRowGroupWriterFactory;
use datafusion::parquet::arrow::{ArrowWriter, ProjectionMask};
use datafusion::parquet::basic::Compression;
use datafusion::parquet::file::properties::{EnabledStatistics, WriterProperties};
use datafusion::parquet::file::writer::SerializedFileWriter;
use datafusion::parquet::schema::types::ColumnPath;

use groups::Group;
pub(super) use picked::Picked;

use crate::contract::{self, ColumnType};
use crate::error::{Error, ErrorKind, Result};
use crate::lineage;
use crate::release::VERSION_STATE;
use crate::store::Store;
use crate::table::{DataFile, FileStats, TableKind, TableName};

/// Row groups of one file. A group is what a scan reads or skips as one, and what is written anew where a
/// row is replaced: many groups make corrections cheap, few make scans quick.
const GROUPS_PER_FILE: usize = 16;
/// Rows of one row group, whatever the size of its file.
const ROWS_PER_GROUP: RangeInclusive<usize> = 4 * 1024..=128 * 1024;

/// Share of the row groups without a key that are read for it all the same.
const FALSELY_MET: f64 = 0.01;

/// Files read or written side by side: each is held in memory, and there may be hundreds.
pub(super) const FILES_AT_ONCE: usize = 4;

/// How the columns of a table are laid out in its files.
#[derive(Debug, Clone)]
pub(super) struct Layout {
    /// Text columns whose smallest and largest value each file notes, for finding keys and batches.
    bounded: Vec<String>,
    /// Columns in which nearly every value is another: a dictionary would only cost.
    distinct: Vec<String>,
    /// Text columns of the key, by which one row is looked for: row groups without it are passed over by a
    /// bloom filter (decision 0032).
    identifying: Vec<String>,
    /// Rows of one row group: the least and the most.
    rows_per_group: RangeInclusive<usize>,
}

impl Layout {
    pub(super) fn of(table: &TableName) -> Self {
        let contracts = contract::builtin();
        let contract = match table.kind {
            TableKind::System => contracts.system_table(&table.name),
            TableKind::Data | TableKind::History => contracts.dataset(&table.name),
        };
        let key = contract.map_or(&[][..], |contract| contract.key.as_slice());
        let bounded = key.iter().map(String::as_str).chain([lineage::BATCH_ID, VERSION_STATE]);
        let single_key = (key.len() == 1).then(|| key[0].as_str());
        let distinct = single_key.into_iter().chain([lineage::ROW_NO, lineage::SOURCE_UPDATED_AT, "raw"]);
        let is_text = |name: &&String| {
            let column = contract.and_then(|contract| contract.column(name));
            column.is_some_and(|column| column.kind == ColumnType::Text)
        };
        let identifying = key.iter().filter(|_| table.kind != TableKind::System).filter(is_text);
        let owned = |name: &str| name.to_owned();
        Self {
            bounded: bounded.map(owned).collect(),
            distinct: distinct.map(owned).collect(),
            identifying: identifying.cloned().collect(),
            rows_per_group: ROWS_PER_GROUP,
        }
    }
}

/// A place for one new file of a table, so that several can be written side by side.
#[derive(Debug, Clone)]
pub(super) struct NewFile {
    pub(super) store: Store,
    pub(super) table: TableName,
    pub(super) path: String,
    pub(super) schema: SchemaRef,
    pub(super) layout: Layout,
}

impl NewFile {
    /// Writes batches; encoding runs off the async threads.
    pub(super) async fn write(self, batches: Vec<RecordBatch>) -> Result<DataFile> {
        self.write_from(move || Ok(batches)).await
    }

    /// Writes rows of a batch.
    pub(super) async fn write_picked(self, picked: Picked) -> Result<DataFile> {
        let (schema, layout) = (Arc::clone(&self.schema), self.layout.clone());
        self.keep(move || encode_picked(&schema, &layout, &picked)).await
    }

    /// Writes an older file of the table again, without the rows at some places, which are in order.
    pub(super) async fn write_without(self, old: DataFile, gone: Vec<usize>) -> Result<DataFile> {
        let bytes = bytes(&self.store, &self.table, &old).await?;
        let (schema, layout) = (Arc::clone(&self.schema), self.layout.clone());
        self.keep(move || rewrite::without(&bytes, &old.stats, &schema, &layout, &gone)).await
    }

    /// Writes the batches that `make` gives, which runs off the async threads as well.
    pub(super) async fn write_from(
        self,
        make: impl FnOnce() -> Result<Vec<RecordBatch>> + Send + 'static,
    ) -> Result<DataFile> {
        let (schema, layout) = (Arc::clone(&self.schema), self.layout.clone());
        self.keep(move || encode(&schema, &layout, &make()?)).await
    }

    async fn keep(self, make: impl FnOnce() -> Result<(Vec<u8>, FileStats)> + Send + 'static) -> Result<DataFile> {
        let Self { store, table, path, .. } = self;
        let (bytes, stats) = blocking(make).await?;
        let file = DataFile { path, size: bytes.len() as u64, rows: stats.num_records, stats };
        store.replace(&format!("{}/{}", table.path(), file.path), bytes).await?;
        Ok(file)
    }
}

/// Runs what keeps a core busy off the async threads.
pub(super) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| Error::caused(ErrorKind::Internal, "work on a file was interrupted", error))?
}

/// Rows of each row group of a file with so many rows.
fn rows_per_group(layout: &Layout, rows: usize) -> usize {
    rows.div_ceil(GROUPS_PER_FILE).clamp(*layout.rows_per_group.start(), *layout.rows_per_group.end())
}

/// A file that is begun, and what encodes its row groups.
fn begun(schema: &SchemaRef, layout: &Layout) -> Result<(SerializedFileWriter<Vec<u8>>, ArrowRowGroupWriterFactory)> {
    // Fresh files are read and written anew for some days before they rest: LZ4 costs a fraction
    // of what Zstandard does, above all in small files (decision 0008).
    let mut properties = WriterProperties::builder()
        .set_compression(Compression::LZ4_RAW)
        .set_statistics_enabled(EnabledStatistics::Chunk);
    for name in &layout.distinct {
        properties = properties.set_column_dictionary_enabled(ColumnPath::from(name.as_str()), false);
    }
    for name in &layout.identifying {
        // Made for a full group, then folded to what the group's own keys need.
        let (column, most) = (ColumnPath::from(name.as_str()), *layout.rows_per_group.end() as u64);
        properties = properties
            .set_column_bloom_filter_max_ndv(column.clone(), most)
            .set_column_bloom_filter_fpp(column, FALSELY_MET);
    }
    let writer = ArrowWriter::try_new(Vec::new(), Arc::clone(schema), Some(properties.build()))?;
    Ok(writer.into_serialized_writer()?)
}

fn encode(schema: &SchemaRef, layout: &Layout, batches: &[RecordBatch]) -> Result<(Vec<u8>, FileStats)> {
    let rows = batches.iter().map(RecordBatch::num_rows).sum();
    encode_groups(schema, layout, cut(batches, rows_per_group(layout, rows)), Ok)
}

fn encode_picked(schema: &SchemaRef, layout: &Layout, picked: &Picked) -> Result<(Vec<u8>, FileStats)> {
    let (rows, step) = (picked.num_rows(), rows_per_group(layout, picked.num_rows()));
    let groups = (0..rows).step_by(step).map(|first| first..rows.min(first + step)).collect();
    encode_groups(schema, layout, groups, |range| Ok(vec![picked.rows(range)?]))
}

/// Encodes row groups side by side; `rows_of` gives the rows of one where it is encoded.
fn encode_groups<G: Send>(
    schema: &SchemaRef,
    layout: &Layout,
    groups: Vec<G>,
    rows_of: impl Fn(G) -> Result<Vec<RecordBatch>> + Sync,
) -> Result<(Vec<u8>, FileStats)> {
    let (mut writer, factory) = begun(schema, layout)?;
    let groups = groups::side_by_side(groups.into_iter().enumerate().collect(), |(place, group)| {
        let rows = rows_of(group)?.into_iter().map(|rows| Ok(rows.with_schema(Arc::clone(schema))?));
        Group::encode(&factory, place, schema, layout, rows)
    })?;
    let mut stats = FileStats::default();
    groups.into_iter().try_for_each(|group| group.append(&mut writer, &mut stats))?;
    Ok((writer.into_inner()?, stats))
}

/// Batches as groups of so many rows, the last of fewer.
fn cut(batches: &[RecordBatch], rows_per_group: usize) -> Vec<Vec<RecordBatch>> {
    let mut groups = Vec::new();
    let (mut group, mut room) = (Vec::new(), rows_per_group);
    for batch in batches {
        let mut first = 0;
        while first < batch.num_rows() {
            let length = room.min(batch.num_rows() - first);
            group.push(batch.slice(first, length));
            first += length;
            room -= length;
            if room == 0 {
                groups.push(std::mem::take(&mut group));
                room = rows_per_group;
            }
        }
    }
    if !group.is_empty() {
        groups.push(group);
    }
    groups
}

/// Statistics of the columns that prune files.
fn note(stats: &mut FileStats, layout: &Layout, batch: &RecordBatch) {
    stats.num_records += batch.num_rows() as u64;
    for name in &layout.bounded {
        let text = batch.column_by_name(name).and_then(|column| column.as_any().downcast_ref::<StringArray>());
        let Some(text) = text else { continue };
        *stats.null_count.entry(name.clone()).or_default() += text.null_count() as i64;
        widen(&mut stats.min_values, name, min_string(text), |new, old| new < old);
        widen(&mut stats.max_values, name, max_string(text), |new, old| new > old);
    }
}

/// Longest bound kept; a longer text would bloat the log, so the column goes without bounds.
const LONGEST_BOUND: usize = 64;

fn widen(bounds: &mut BTreeMap<String, String>, column: &str, value: Option<&str>, beyond: fn(&str, &str) -> bool) {
    let Some(value) = value else { return };
    match bounds.get(column) {
        Some(old) if old.is_empty() || !beyond(value, old) => {}
        _ => {
            let kept = if value.len() > LONGEST_BOUND { String::new() } else { value.to_owned() };
            bounds.insert(column.to_owned(), kept);
        }
    }
}

/// The bounds of a text column in a file; `None` where they are not known.
pub(super) fn text_bounds<'f>(file: &'f DataFile, column: &str) -> Option<(&'f str, &'f str)> {
    let (low, high) = (file.stats.min_values.get(column)?, file.stats.max_values.get(column)?);
    (!low.is_empty() && !high.is_empty()).then_some((low.as_str(), high.as_str()))
}

/// The bytes of a file, for [`read_bytes`].
pub(super) async fn bytes(store: &Store, table: &TableName, file: &DataFile) -> Result<Bytes> {
    let path = format!("{}/{}", table.path(), file.path);
    store.read(&path).await?.ok_or_else(|| {
        Error::new(
            ErrorKind::Corrupt,
            format!("{path} is named by a release and is not there; restore it from a backup"),
        )
    })
}

/// Reads a file, all columns or those named, in their storage order.
pub(super) fn read_bytes(bytes: Bytes, columns: Option<&[&str]>) -> Result<ParquetRecordBatchReader> {
    let builder = ParquetRecordBatchReaderBuilder::try_new(bytes)?.with_batch_size(64 * 1024);
    let mask = match columns {
        Some(names) => ProjectionMask::columns(builder.parquet_schema(), names.iter().copied()),
        None => ProjectionMask::all(),
    };
    Ok(builder.with_projection(mask).build()?)
}

/// Reads a file, all columns or those named, in their storage order.
pub(super) async fn read(
    store: &Store,
    table: &TableName,
    file: &DataFile,
    columns: Option<&[&str]>,
) -> Result<ParquetRecordBatchReader> {
    read_bytes(bytes(store, table, file).await?, columns)
}

/// Decodes a whole file and counts its rows.
///
/// # Errors
/// Corrupt, where the file is not there; Storage, where it does not decode.
pub(crate) async fn count_rows(store: &Store, path: &str) -> Result<u64> {
    let bytes = store.read(path).await?;
    let bytes = bytes.ok_or_else(|| Error::new(ErrorKind::Corrupt, format!("{path} is not there")))?;
    blocking(move || {
        let mut rows = 0;
        for batch in read_bytes(bytes, None)? {
            rows += batch?.num_rows() as u64;
        }
        Ok(rows)
    })
    .await
}

/// A batch of a file with the columns of today's schema: columns added since are null.
pub(super) fn conform(batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch> {
    if batch.schema().fields() == schema.fields() {
        return Ok(batch.clone());
    }
    let columns = schema.fields().iter().map(|field| match batch.column_by_name(field.name()) {
        Some(column) => Arc::clone(column),
        None => datafusion::arrow::array::new_null_array(field.data_type(), batch.num_rows()),
    });
    Ok(RecordBatch::try_new(Arc::clone(schema), columns.collect())?)
}
