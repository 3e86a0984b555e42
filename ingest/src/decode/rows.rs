//! From the records of a chunk to typed rows: the second half of decoding.

mod told;

use std::collections::HashMap;
use std::sync::Arc;

use datafusion::arrow::array::{
    ArrayRef, AsArray, RecordBatch, RecordBatchOptions, StringBuilder, TimestampMicrosecondArray, UInt32Array,
    new_null_array,
};
use datafusion::arrow::compute::take;
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimestampMicrosecondType};

use super::cell::{Cell, Cells};
use super::column::{ColumnBuilder, Findings};
use super::csv::CsvCells;
use super::derived::{Computed, DerivedCells};
use super::failure::{CellFailure, FileRefused, RejectedRecord, Rule, Span};
use super::format::{Format, Layout};
use super::grid::GridCells;
use super::mapping::{BoundColumn, Mapping, Source};
use super::ndjson;
use super::records::{Header, RecordChunk, keep_others};
use super::text::{self, Readable};
use told::{missing_columns, no_duplicates, unreadable_column};

/// Rows read in one go over all columns, so that their bytes are still in the cache of the core.
const STRIP: usize = 256;

/// Typed rows of some consecutive records, and what was wrong with the others.
#[derive(Debug)]
pub struct DecodedChunk {
    /// The contract's columns in order, of the records that came apart; absent and unreadable values
    /// are null.
    pub rows: RecordBatch,
    /// The source's own clock in UTC; null where the feed does not give it.
    pub source_updated_at: TimestampMicrosecondArray,
    /// Number of each row's record in the file, from 1, counting every record.
    pub row_no: Vec<u64>,
    /// Where each row's record stands in the landed file; nowhere in workbooks and Parquet.
    pub spans: Vec<Span>,
    /// Values that could not be read, by row and in the order of the contract.
    pub failures: Vec<CellFailure>,
    /// Values that were read with a remark, likewise.
    pub warnings: Vec<CellFailure>,
    /// Records held alone, by number.
    pub rejected: Vec<RejectedRecord>,
    /// The extra source columns as text, if there are any.
    pub source: Option<RecordBatch>,
    /// NDJSON and JSON: keys met in this chunk that nobody asked for.
    pub unknown_keys: Vec<String>,
    bytes: Vec<u8>,
    base: u64,
}

impl DecodedChunk {
    /// The landed bytes at one of this chunk's spans.
    pub fn raw(&self, span: Span) -> &[u8] {
        let start = span.offset.checked_sub(self.base).and_then(|start| usize::try_from(start).ok());
        let piece = start.and_then(|start| self.bytes.get(start..start + span.len as usize));
        piece.unwrap_or_default()
    }
}

/// Reads the values of records; many threads may use one at the same time.
#[derive(Debug)]
pub struct RowReader {
    format: Format,
    schema: SchemaRef,
    /// The contract's columns, then `source_updated_at`.
    columns: Vec<BoundColumn>,
    /// Fields of the extra source columns, and their schema.
    extra: Vec<usize>,
    extra_schema: SchemaRef,
    /// Titles of the fields; for NDJSON and JSON the wanted keys alone.
    titles: Vec<String>,
    unknown_columns: Vec<String>,
    /// NDJSON and JSON: the field of every wanted key.
    keys: HashMap<String, usize>,
}

impl RowReader {
    /// Binds a mapping to the columns of a file.
    pub(super) fn bind(
        format: &Format,
        mapping: &Mapping,
        header: &Header,
        extra: &[String],
    ) -> Result<Self, FileRefused> {
        let wanted = || mapping.titles().chain(extra.iter().map(String::as_str));
        if let Some((title, kind)) = header.unreadable.iter().find(|(title, _)| wanted().any(|wanted| wanted == *title))
        {
            return Err(unreadable_column(title, kind));
        }
        let mut titles = header.titles.clone();
        let mut keys = HashMap::new();
        match format.layout {
            Layout::Csv { .. } | Layout::Sheet(_) | Layout::Parquet => no_duplicates(&titles)?,
            Layout::Ndjson | Layout::Json { .. } => {
                for title in wanted() {
                    keys.entry(title.to_owned()).or_insert_with(|| {
                        titles.push(title.to_owned());
                        titles.len() - 1
                    });
                }
            }
        }
        let field_of = |title: &str| titles.iter().position(|candidate| candidate == title);
        let (columns, uncomputable) = mapping.bind(format, field_of)?;
        let extra_fields: Vec<Option<usize>> = extra.iter().map(|title| field_of(title)).collect();
        let missing: Vec<&str> = columns
            .iter()
            .filter(|column| column.reader.is_required && matches!(column.source, Source::Absent))
            .map(|column| column.reader.title.as_str())
            .chain(
                extra.iter().zip(&extra_fields).filter(|(_, field)| field.is_none()).map(|(title, _)| title.as_str()),
            )
            .chain(uncomputable)
            .collect();
        if !missing.is_empty() {
            return Err(missing_columns(&missing, &titles));
        }
        let unknown_columns =
            titles.iter().filter(|title| !wanted().any(|wanted| wanted == **title)).cloned().collect();
        let extra_schema =
            Schema::new(extra.iter().map(|title| Field::new(title, DataType::Utf8, true)).collect::<Vec<_>>());
        Ok(Self {
            format: format.clone(),
            schema: mapping.schema(),
            columns,
            extra: extra_fields.into_iter().flatten().collect(),
            extra_schema: Arc::new(extra_schema),
            titles,
            unknown_columns,
            keys,
        })
    }

    /// Columns of the header that nobody asked for.
    pub fn unknown_columns(&self) -> &[String] {
        &self.unknown_columns
    }

    /// Reads a chunk.
    pub fn read(&self, mut chunk: RecordChunk) -> DecodedChunk {
        let mut rejected: Vec<RejectedRecord> = chunk
            .faults
            .iter()
            .map(|fault| {
                let message = self.split_message(fault.fault);
                RejectedRecord {
                    row_no: fault.row_no,
                    span: chunk.span(fault.start, fault.len),
                    rule: message.0,
                    message: message.1,
                }
            })
            .collect();
        let bytes = std::mem::take(&mut chunk.bytes);
        // Rendered records are UTF-8, and have places instead of fields between delimiters.
        let width = match self.format.layout {
            Layout::Csv { .. } => self.titles.len(),
            Layout::Ndjson | Layout::Json { .. } => 1,
            Layout::Sheet(_) | Layout::Parquet => 0,
        };
        let Readable { text, mut moved, invalid } = text::readable(&bytes, &chunk, width, self.format.encoding);
        if !invalid.is_empty() {
            rejected.extend(invalid.iter().map(|invalid| self.no_text(&chunk, invalid)));
            let rows: Vec<usize> = invalid.iter().map(|invalid| invalid.row).collect();
            chunk.remove(&rows, width);
            if let Some(places) = &mut moved {
                keep_others(&mut places.starts, &rows, 1);
                keep_others(&mut places.ends, &rows, width);
            }
        }
        let (starts, ends) = match &moved {
            Some(places) => (&places.starts, &places.ends),
            None => (&chunk.starts, &chunk.ends),
        };
        let mut unknown_keys = Vec::new();
        let read = match self.format.layout {
            Layout::Csv { quote, .. } => {
                self.read_cells(&CsvCells { text: &text, starts, ends, width, quote: quote.unwrap_or(b'"') })
            }
            Layout::Sheet(_) | Layout::Parquet => {
                self.read_cells(&GridCells::new(&text, &chunk.places, self.titles.len()))
            }
            Layout::Ndjson | Layout::Json { .. } => {
                let lines = starts.iter().zip(ends).map(|(start, end)| *start..*end);
                let found = ndjson::find(&text, lines, &self.keys, self.titles.len());
                unknown_keys = found.unknown;
                let rows: Vec<usize> = found.rejected.iter().map(|(row, ..)| *row).collect();
                rejected.extend(found.rejected.into_iter().map(|(row, rule, message)| RejectedRecord {
                    row_no: chunk.row_no[row],
                    span: chunk.span(chunk.starts[row], chunk.lens[row]),
                    rule,
                    message,
                }));
                let read = self.read_cells(&GridCells::new(&text, &found.places, self.titles.len()));
                chunk.remove(&rows, width);
                read
            }
        };
        rejected.sort_by_key(|record| record.row_no);
        let Read { rows, source_updated_at, source, mut findings } = read;
        findings.failures.sort_by_key(|failure| (failure.row, failure.column));
        findings.warnings.sort_by_key(|warning| (warning.row, warning.column));
        drop(text);
        DecodedChunk {
            rows,
            source_updated_at,
            spans: chunk.starts.iter().zip(&chunk.lens).map(|(start, len)| chunk.span(*start, *len)).collect(),
            row_no: chunk.row_no,
            failures: findings.failures,
            warnings: findings.warnings,
            rejected,
            source,
            unknown_keys,
            bytes,
            base: chunk.base,
        }
    }

    fn read_cells<C: Cells>(&self, cells: &C) -> Read {
        let count = cells.rows();
        let mut findings = Findings::default();
        let mut builders: Vec<Option<ColumnBuilder<'_>>> = self
            .columns
            .iter()
            .map(|column| match column.source {
                Source::Field(field) => Some(ColumnBuilder::new(&column.reader, field, count)),
                _ => None,
            })
            .collect();
        for start in (0..count).step_by(STRIP) {
            for builder in builders.iter_mut().flatten() {
                builder.read(cells, start..(start + STRIP).min(count), &mut findings);
            }
        }
        let mut arrays: Vec<ArrayRef> = builders
            .into_iter()
            .zip(&self.columns)
            .map(|(builder, column)| match (builder, &column.source) {
                (Some(builder), _) => builder.finish(&mut findings),
                (None, Source::Computed(computed)) => {
                    column.reader.read_all(&self.computed(computed, cells), 0, &mut findings)
                }
                (None, Source::Constant(value)) => repeated(value, count),
                (None, _) => new_null_array(&column.reader.arrow(), count),
            })
            .collect();
        let clock = arrays.pop();
        let source_updated_at = clock.and_then(|clock| clock.as_primitive_opt::<TimestampMicrosecondType>().cloned());
        Read {
            rows: batch(&self.schema, arrays, count),
            source_updated_at: source_updated_at.unwrap_or_else(|| TimestampMicrosecondArray::new_null(count)),
            source: (!self.extra.is_empty()).then(|| self.extra_columns(cells)),
            findings,
        }
    }

    /// The extra source columns: trimmed text, null tokens as null.
    fn extra_columns<C: Cells>(&self, cells: &C) -> RecordBatch {
        let columns = self.extra.iter().map(|field| self.source_text(*field, cells)).collect();
        batch(&self.extra_schema, columns, cells.rows())
    }

    fn source_text<C: Cells>(&self, field: usize, cells: &C) -> ArrayRef {
        let mut values = StringBuilder::with_capacity(cells.rows(), cells.rows() * 8);
        for row in 0..cells.rows() {
            let text = cells.cell(row, field).text();
            values.append_option(text.filter(|text| !self.format.nulls.iter().any(|null| null == text)));
        }
        Arc::new(values.finish())
    }

    /// The cells of a computed column. Where one that it is made of is no value, nothing is computed
    /// from it: what is wrong with that one is said.
    fn computed<C: Cells>(&self, computed: &Computed, cells: &C) -> DerivedCells {
        let texts = computed.fields.iter().map(|field| self.source_text(*field, cells)).collect();
        let derived = computed.derive.derive(&batch(&computed.schema, texts, cells.rows()));
        let mut unreadable = Vec::new();
        // Cells of delimited text are texts and nothing else.
        let may_be_unreadable = !matches!(self.format.layout, Layout::Csv { .. });
        for field in computed.fields.iter().filter(|_| may_be_unreadable) {
            for row in 0..cells.rows() {
                match cells.cell(row, *field) {
                    Cell::Faulty(rule, text) => unreadable.push((row, rule, text.to_owned())),
                    Cell::Nested => unreadable.push((row, Rule::NestedValue, self.titles[*field].clone())),
                    Cell::Uncalculated => unreadable.push((row, Rule::Uncalculated, self.titles[*field].clone())),
                    _ => {}
                }
            }
        }
        DerivedCells::new(derived, unreadable)
    }
}

struct Read {
    rows: RecordBatch,
    source_updated_at: TimestampMicrosecondArray,
    source: Option<RecordBatch>,
    findings: Findings,
}

fn batch(schema: &SchemaRef, columns: Vec<ArrayRef>, rows: usize) -> RecordBatch {
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    RecordBatch::try_new_with_options(Arc::clone(schema), columns, &options)
        .expect("the columns are built from the schema's types, each with one value a row")
}

/// One value for every row.
fn repeated(value: &ArrayRef, rows: usize) -> ArrayRef {
    take(value, &UInt32Array::from(vec![0; rows]), None).expect("position 0 is within an array of one")
}
