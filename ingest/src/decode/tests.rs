//! Whole files, from bytes to rows and faults.

mod archives;
mod corpus;
mod csv;
mod derived;
mod fuzz;
mod hostile;
mod json;
mod mapped;
mod ndjson;
mod other_workbooks;
mod parquet;
mod workbook;
mod workbooks;

use std::collections::BTreeMap;
use std::io::Cursor;

use anze_warehouse::contract::builtin;
use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::util::display::array_value_to_string;
use serde::Deserialize;

use super::*;

/// The header of a file of agencies.
const HEADER: &[u8] = b"uscc,name,qualification,expert_count,equipment,region_code,valid_from,valid_to\n";

#[derive(Deserialize)]
struct Feed {
    #[serde(default)]
    format: FormatConfig,
    #[serde(default)]
    columns: BTreeMap<String, ColumnConfig>,
    #[serde(default)]
    constants: BTreeMap<String, ConstantConfig>,
}

/// A row as text, and every fault of it by column and rule.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Row {
    row_no: u64,
    span: Span,
    values: Vec<String>,
    faults: Vec<String>,
    warnings: Vec<String>,
}

impl Row {
    fn is_clean(&self) -> bool {
        self.faults.is_empty()
    }
}

/// All that came of a file, whatever its chunks were.
#[derive(Debug, Default, PartialEq, Eq)]
struct Outcome {
    rows: Vec<Row>,
    rejected: Vec<RejectedRecord>,
    messages: Vec<Message>,
    source: Vec<Vec<String>>,
    clock: Vec<Option<i64>>,
}

impl Outcome {
    /// Row numbers with the rules that their records break.
    fn held(&self) -> Vec<(u64, String)> {
        let rejected = self.rejected.iter().map(|record| (record.row_no, record.rule.to_string()));
        let failed = self.rows.iter().flat_map(|row| row.faults.iter().map(|fault| (row.row_no, fault.clone())));
        let mut held: Vec<_> = rejected.chain(failed).collect();
        held.sort();
        held
    }
}

fn format(toml: &str) -> Format {
    Format::new(&toml::from_str::<Feed>(toml).unwrap().format).unwrap()
}

fn texts(batch: &RecordBatch, row: usize) -> Vec<String> {
    batch.columns().iter().map(|column| array_value_to_string(column, row).unwrap()).collect()
}

fn decode_with(
    dataset: &str,
    toml: &str,
    limits: Limits,
    extra: &[&str],
    bytes: &[u8],
) -> Result<Outcome, DecodeError> {
    let feed: Feed = toml::from_str(toml).unwrap();
    let contract = builtin().dataset(dataset).unwrap();
    let format = Format::new(&feed.format).unwrap().with_limits(limits);
    let mapping = Mapping::new(&feed.columns, &feed.constants, contract).unwrap();
    let extra: Vec<String> = extra.iter().map(ToString::to_string).collect();
    let has_spans = format.spans_are_in(&mut Cursor::new(bytes)).unwrap();
    let mut outcome = Outcome::default();
    for chunk in Decoder::open(Cursor::new(bytes.to_vec()), &format, &mapping, &extra)? {
        let chunk = chunk?;
        let named = |failure: &CellFailure| {
            let column = contract.columns.get(failure.column).map_or("source_updated_at", |column| &column.name);
            format!("{column} {}", failure.rule)
        };
        for row in 0..chunk.rows.num_rows() {
            let of_row = |failures: &[CellFailure]| -> Vec<String> {
                failures.iter().filter(|failure| failure.row == row).map(named).collect()
            };
            let span = chunk.spans[row];
            if has_spans {
                let end = span.offset + u64::from(span.len);
                assert_eq!(chunk.raw(span), &bytes[span.offset as usize..end as usize]);
            }
            outcome.rows.push(Row {
                row_no: chunk.row_no[row],
                span: chunk.spans[row],
                values: texts(&chunk.rows, row),
                faults: of_row(&chunk.failures),
                warnings: of_row(&chunk.warnings),
            });
            outcome.source.extend(chunk.source.as_ref().map(|source| texts(source, row)));
        }
        outcome.clock.extend(chunk.source_updated_at.iter());
        outcome.messages.extend(chunk.failures.iter().map(|failure| failure.message.clone()));
        outcome.rejected.extend(chunk.rejected);
    }
    Ok(outcome)
}

fn decode(dataset: &str, toml: &str, bytes: &[u8]) -> Outcome {
    decode_with(dataset, toml, Limits::default(), &[], bytes).unwrap()
}

fn refusal(dataset: &str, toml: &str, bytes: &[u8]) -> FileRefused {
    match decode_with(dataset, toml, Limits::default(), &[], bytes) {
        Err(DecodeError::Refused(refused)) => refused,
        other => panic!("the file should have been refused: {other:?}"),
    }
}

#[test]
fn records_and_row_readers_can_go_to_other_threads() {
    fn is_send<T: Send>() {}
    fn is_shared<T: Send + Sync>() {}
    is_send::<Records>();
    is_send::<RecordChunk>();
    is_send::<DecodedChunk>();
    is_shared::<RowReader>();
}
