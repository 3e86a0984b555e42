//! Reading and writing the Parquet files of a table.

use std::collections::BTreeMap;
use std::sync::Arc;

use datafusion::arrow::array::{Array, RecordBatch, StringArray};
use datafusion::arrow::compute::{max_string, min_string};
use datafusion::arrow::datatypes::{DataType, SchemaRef};
use datafusion::parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};
use datafusion::parquet::arrow::{ArrowWriter, ProjectionMask};
use datafusion::parquet::basic::{Compression, ZstdLevel};
use datafusion::parquet::file::properties::{EnabledStatistics, WriterProperties};

use super::working::WorkingTable;
use crate::error::{Error, ErrorKind, Result};
use crate::store::Store;
use crate::table::{DataFile, FileStats, TableName};

/// Rows of one row group: what a scan reads or skips as one.
const ROWS_PER_GROUP: usize = 256 * 1024;

/// Writes batches as one new file of a table; encoding runs off the async threads.
pub(super) async fn write(store: &Store, table: &mut WorkingTable, batches: Vec<RecordBatch>) -> Result<DataFile> {
    let path = table.next_part();
    let schema = Arc::clone(&table.schema);
    let (bytes, stats) = tokio::task::spawn_blocking(move || encode(&schema, &batches))
        .await
        .map_err(|error| Error::caused(ErrorKind::Internal, "writing a file was interrupted", error))??;
    let file = DataFile { path, size: bytes.len() as u64, rows: stats.num_records, stats };
    store.replace(&format!("{}/{}", table.name.path(), file.path), bytes).await?;
    Ok(file)
}

fn encode(schema: &SchemaRef, batches: &[RecordBatch]) -> Result<(Vec<u8>, FileStats)> {
    let level = ZstdLevel::try_new(1)?;
    let properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(level))
        .set_max_row_group_row_count(Some(ROWS_PER_GROUP))
        .set_statistics_enabled(EnabledStatistics::Chunk)
        .build();
    let mut writer = ArrowWriter::try_new(Vec::new(), Arc::clone(schema), Some(properties))?;
    let mut stats = FileStats::default();
    for batch in batches.iter().filter(|batch| batch.num_rows() > 0) {
        let batch = batch.clone().with_schema(Arc::clone(schema))?;
        note(&mut stats, &batch);
        writer.write(&batch)?;
    }
    Ok((writer.into_inner()?, stats))
}

/// Statistics of text columns: they hold the keys, and prune files by key.
fn note(stats: &mut FileStats, batch: &RecordBatch) {
    stats.num_records += batch.num_rows() as u64;
    for (field, column) in batch.schema().fields().iter().zip(batch.columns()) {
        if field.data_type() != &DataType::Utf8 {
            continue;
        }
        let Some(text) = column.as_any().downcast_ref::<StringArray>() else { continue };
        *stats.null_count.entry(field.name().clone()).or_default() += text.null_count() as i64;
        widen(&mut stats.min_values, field.name(), min_string(text), |new, old| new < old);
        widen(&mut stats.max_values, field.name(), max_string(text), |new, old| new > old);
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

/// Reads a file, all columns or those named, in their storage order.
pub(super) async fn read(
    store: &Store,
    table: &TableName,
    file: &DataFile,
    columns: Option<&[&str]>,
) -> Result<ParquetRecordBatchReader> {
    let path = format!("{}/{}", table.path(), file.path);
    let bytes = store.read(&path).await?.ok_or_else(|| {
        Error::new(
            ErrorKind::Corrupt,
            format!("{path} is named by a release and is not there; restore it from a backup"),
        )
    })?;
    let builder = ParquetRecordBatchReaderBuilder::try_new(bytes)?.with_batch_size(64 * 1024);
    let mask = match columns {
        Some(names) => ProjectionMask::columns(builder.parquet_schema(), names.iter().copied()),
        None => ProjectionMask::all(),
    };
    Ok(builder.with_projection(mask).build()?)
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
