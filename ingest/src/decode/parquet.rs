//! Parquet: columns by name, read in batches; every value is written as exact text, so that a
//! feed's mapping means the same as for any other format.
//!
//! The types are those of the Parquet schema alone. Columns of lists, structures and bytes hold no
//! single values: they are left out, and a feed that maps one is refused.

mod footer;
mod input;
mod value;

use std::sync::Arc;

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::{DataType, Field, Schema};
use datafusion::parquet::arrow::ProjectionMask;
use datafusion::parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder,
};
use datafusion::parquet::file::reader::Length;

use super::failure::{DecodeError, FileRefused, Rule};
use super::foreign::{Foreign, Outlet, broken};
use super::format::{Format, Limits};
use super::packed::{AnyInput, Limit, too_dense};
use super::records::{Header, unreadable_header};
use super::rendered::Rendering;
use input::SharedInput;
use value::Values;

/// Rows read at a time.
const BATCH_ROWS: usize = 4096;

/// Opens a file as far as its schema.
pub(super) fn open(input: AnyInput, format: &Format) -> Result<(Header, Foreign), DecodeError> {
    let limits = format.limits;
    let limit = Limit { bytes: format.packing.max_bytes, ratio: format.packing.max_ratio };
    Foreign::start("parquet", move |outlet| read(SharedInput::new(input)?, limits, limit, outlet))
}

fn read(mut input: SharedInput, limits: Limits, limit: Limit, outlet: &Outlet) -> Result<(), DecodeError> {
    if !input.has_mark()? {
        return Err(FileRefused::new(
            Rule::WrongFormat,
            "文件不是完整的 Parquet 文件",
            "the file is no Parquet file, or it is cut short",
        )
        .into());
    }
    match input.footer(footer::MOST_BYTES)? {
        Some(bytes) if footer::is_sound(&bytes) => {}
        _ => return Err(broken("its footer cannot be read").into()),
    }
    let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
    let found = ArrowReaderMetadata::load(&input, options).map_err(|error| broken(&error.to_string()))?;
    weigh(&found, input.len(), limit)?;

    let (kept, header) = columns(found.schema());
    if header.titles.is_empty() {
        return Err(
            unreadable_header("Parquet 文件没有可读取的列", "the Parquet file has no column that can be read").into()
        );
    }
    let titles = header.titles.clone();
    let options = ArrowReaderOptions::new().with_schema(Arc::new(with_views(found.schema())));
    let metadata = ArrowReaderMetadata::try_new(Arc::clone(found.metadata()), options)
        .map_err(|error| broken(&error.to_string()))?;
    let projection = ProjectionMask::roots(metadata.parquet_schema(), kept);
    let batches = ParquetRecordBatchReaderBuilder::new_with_metadata(input, metadata)
        .with_projection(projection)
        .with_batch_size(BATCH_ROWS.min(limits.chunk_rows.max(1)))
        .build()
        .map_err(|error| broken(&error.to_string()))?;

    outlet.header(header)?;
    let mut rows = Rendering::new(titles.iter().map(String::as_str), limits);
    let mut row_no = 0;
    for batch in batches {
        write(&batch.map_err(|error| broken(&error.to_string()))?, &mut row_no, &mut rows, outlet)?;
    }
    match rows.rest() {
        Some(chunk) => outlet.chunk(chunk),
        None => Ok(()),
    }
}

/// Refuses files that unpack too far by what they say of themselves.
fn weigh(found: &ArrowReaderMetadata, file_bytes: u64, limit: Limit) -> Result<(), FileRefused> {
    const FREE_ROWS: u64 = 16 << 20;
    let groups = found.metadata().row_groups();
    let bytes = groups.iter().fold(0_u64, |sum, group| sum.saturating_add(group.total_byte_size().unsigned_abs()));
    if bytes > limit.bytes {
        let most = limit.bytes;
        return Err(FileRefused::new(
            Rule::UnpacksTooFar,
            format!("文件解压后超过上限 {most} 字节；如确有需要，请调整 format.max_unpacked_bytes"),
            format!("the file unpacks to more than {most} bytes; raise format.max_unpacked_bytes if that is right"),
        ));
    }
    let rows = found.metadata().file_metadata().num_rows().unsigned_abs();
    match rows > FREE_ROWS && rows / file_bytes.max(1) > limit.ratio {
        true => Err(too_dense(limit.ratio)),
        false => Ok(()),
    }
}

/// The positions of the columns that can be read, and the header they make.
fn columns(schema: &Schema) -> (Vec<usize>, Header) {
    let mut kept = Vec::new();
    let mut header = Header::default();
    for (position, field) in schema.fields().iter().enumerate() {
        if Values::can_be(field.data_type()) {
            kept.push(position);
            header.titles.push(field.name().trim().to_owned());
        } else {
            header.unreadable.push((field.name().trim().to_owned(), field.data_type().to_string()));
        }
    }
    header.text = serde_json::Value::from(header.titles.clone()).to_string();
    (kept, header)
}

/// The schema with texts as views: a long text that a dictionary holds once stays one in memory.
fn with_views(schema: &Schema) -> Schema {
    let fields = schema.fields().iter().map(|field| match field.data_type() {
        DataType::Utf8 | DataType::LargeUtf8 => Arc::new(Field::clone(field).with_data_type(DataType::Utf8View)),
        _ => Arc::clone(field),
    });
    Schema::new(fields.collect::<Vec<_>>())
}

fn write(batch: &RecordBatch, row_no: &mut u64, rows: &mut Rendering, outlet: &Outlet) -> Result<(), DecodeError> {
    let columns = batch.columns().iter().map(Values::of).collect::<Result<Vec<_>, _>>();
    let columns = columns.map_err(|error| broken(&error.to_string()))?;
    for row in 0..batch.num_rows() {
        *row_no += 1;
        rows.open(*row_no);
        for (field, values) in columns.iter().enumerate() {
            values.write(row, field, rows);
        }
        if let Some(chunk) = rows.close() {
            outlet.chunk(chunk)?;
        }
    }
    Ok(())
}
