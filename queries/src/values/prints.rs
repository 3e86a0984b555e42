//! Prints: one number a month for each strand of a source, made of the rows that count in that month.
//!
//! A row's number is a hash of 128 bits over its values; a print is the sum of those of its rows. A row
//! that counts from one month to another is added where it begins and taken off where it ends, and the
//! sums run on from month to month: the cost does not grow with rows times months. Two prints that are
//! equal by chance would leave a month as it was; the odds are one in 2^128.

use std::collections::BTreeMap;

use anze_warehouse::functions::local_day;
use anze_warehouse::lineage;
use chrono::{Datelike, NaiveDate};
use datafusion::arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Date32Type, TimeUnit, TimestampMicrosecondType};
use datafusion::arrow::row::{RowConverter, SortField};
use datafusion::prelude::{DataFrame, col};
use futures::TryStreamExt;
use sha2::{Digest, Sha256};

use super::strand::{Strand, Until};
use crate::error::{Error, ErrorKind, Result};
use crate::span::Month;

/// Months since year 0: neighbours differ by 1.
fn index(day: i32) -> i64 {
    match Date32Type::to_naive_date_opt(day) {
        Some(day) => i64::from(day.year()) * 12 + i64::from(day.month0()),
        None => i64::from(day.signum()) * i64::from(i32::MAX),
    }
}

/// The prints of a strand by month, in the order of `months`, from the rows of its source.
pub(super) struct Printing<'s> {
    strand: &'s Strand,
    until: NaiveDate,
    first: i64,
    /// What begins in each month less what ended before it.
    changes: Vec<u128>,
}

impl<'s> Printing<'s> {
    pub(super) fn new(strand: &'s Strand, until: NaiveDate, months: &[Month]) -> Self {
        let first = months.first().map_or(0, |month| index(Date32Type::from_naive_date(month.from)));
        Self { strand, until, first, changes: vec![0; months.len()] }
    }

    fn add(&mut self, batch: &RecordBatch) -> Result<()> {
        let numbers = self.numbers(batch)?;
        let from = self.strand.from.as_deref().map(|name| days(batch, name)).transpose()?;
        let to = match &self.strand.to {
            Until::Column(name) => Some(days(batch, name)?),
            Until::SameDay | Until::EndOfYear | Until::Never => None,
        };
        for (row, number) in numbers.into_iter().enumerate() {
            let (first, last) = match &from {
                None => (i64::MIN, i64::MAX),
                Some(from) if from.is_null(row) => continue,
                Some(from) => {
                    let day = from.as_primitive::<Date32Type>().value(row);
                    let last = match (&self.strand.to, &to) {
                        (Until::SameDay, _) => index(day),
                        (Until::EndOfYear, _) => index(day).div_euclid(12) * 12 + 11,
                        (Until::Column(_), Some(to)) if to.is_valid(row) => {
                            index(to.as_primitive::<Date32Type>().value(row))
                        }
                        (Until::Column(_) | Until::Never, _) => i64::MAX,
                    };
                    (index(day.saturating_sub(self.strand.earlier)), last)
                }
            };
            self.count(first, last, number);
        }
        Ok(())
    }

    /// Has a row count from one month to another, both included.
    fn count(&mut self, first: i64, last: i64, number: u128) {
        if last < first {
            return;
        }
        let mut change = |month: i64, number: u128| {
            let place = month.saturating_sub(self.first).max(0);
            let place = usize::try_from(place).ok().and_then(|place| self.changes.get_mut(place));
            if let Some(sum) = place {
                *sum = sum.wrapping_add(number);
            }
        };
        if last < self.first {
            return;
        }
        change(first, number);
        if last < i64::MAX {
            change(last + 1, number.wrapping_neg());
        }
    }

    /// The number of each row: its values, and what the passing of days makes of it.
    fn numbers(&self, batch: &RecordBatch) -> Result<Vec<u128>> {
        let strand = self.strand;
        let schema = batch.schema();
        let mut columns: Vec<ArrayRef> = Vec::new();
        for (field, column) in schema.fields().iter().zip(batch.columns()) {
            if strand.columns.is_empty() || strand.columns.contains(field.name()) {
                columns.push(std::sync::Arc::clone(column));
            }
        }
        let fields = columns.iter().map(|column| SortField::new(column.data_type().clone())).collect();
        let encoded = RowConverter::new(fields)?.convert_columns(&columns)?;
        let waits = strand.waits.iter().map(|name| column(batch, name).cloned()).collect::<Result<Vec<ArrayRef>>>()?;
        let due = strand.due.as_deref().map(|name| days(batch, name)).transpose()?;
        let from = strand.from.as_deref().filter(|_| strand.after.is_some());
        let from = from.map(|name| days(batch, name)).transpose()?;
        let today = Date32Type::from_naive_date(self.until);
        // Fixed seeds: the same rows must give the same numbers in the next process.
        let hashers = [ahash::RandomState::with_seeds(1, 2, 3, 4), ahash::RandomState::with_seeds(5, 6, 7, 8)];
        Ok((0..batch.num_rows())
            .map(|row| {
                let waiting = !waits.is_empty() && waits.iter().all(|column| column.is_null(row));
                let passed = |days: &Option<ArrayRef>, later: i32| {
                    days.as_ref().and_then(|days| {
                        let day = days.is_valid(row).then(|| days.as_primitive::<Date32Type>().value(row))?;
                        Some(today.cmp(&day.saturating_add(later)))
                    })
                };
                let state = (waiting.then_some(today), passed(&due, 0), passed(&from, strand.after.unwrap_or(0)));
                let [high, low] =
                    [0, 1].map(|place| u128::from(hashers[place].hash_one((encoded.row(row).data(), state))));
                (high << 64) | low
            })
            .collect())
    }

    /// The print of each month.
    fn finish(self) -> Vec<u128> {
        let mut sum = 0_u128;
        self.changes
            .into_iter()
            .map(|change| {
                sum = sum.wrapping_add(change);
                sum
            })
            .collect()
    }
}

/// Reads a source once for all of its strands, and gives the prints of each.
pub(super) async fn print(source: DataFrame, mut strands: Vec<Printing<'_>>) -> Result<Vec<Vec<u128>>> {
    let source = without_lineage(source, &strands)?;
    let mut batches = source.execute_stream().await?;
    while let Some(batch) = batches.try_next().await? {
        for strand in &mut strands {
            strand.add(&batch)?;
        }
    }
    Ok(strands.into_iter().map(Printing::finish).collect())
}

/// The columns that any of the strands looks at.
fn without_lineage(source: DataFrame, strands: &[Printing<'_>]) -> Result<DataFrame> {
    let all = strands.iter().any(|printing| printing.strand.columns.is_empty());
    let named = |name: &str| strands.iter().any(|printing| printing.strand.named().any(|other| other == name));
    let names: Vec<String> = source.schema().fields().iter().map(|field| field.name().clone()).collect();
    let wanted = names.iter().filter(|name| {
        // Where a row came from is no part of what it counts.
        let content = all && !lineage::is_lineage(name) && name.as_str() != "dataset" && name.as_str() != "key";
        content || named(name)
    });
    Ok(source.select(wanted.map(|name| col(name.as_str())).collect::<Vec<_>>())?)
}

fn column<'b>(batch: &'b RecordBatch, name: &str) -> Result<&'b ArrayRef> {
    batch.column_by_name(name).ok_or_else(|| Error::new(ErrorKind::Internal, format!("no column {name}")))
}

/// A column as days: an instant is the day in Asia/Shanghai on which it falls.
fn days(batch: &RecordBatch, name: &str) -> Result<ArrayRef> {
    let column = column(batch, name)?;
    match column.data_type() {
        DataType::Date32 => Ok(std::sync::Arc::clone(column)),
        DataType::Timestamp(TimeUnit::Microsecond, _) => {
            let instants = column.as_primitive::<TimestampMicrosecondType>();
            Ok(std::sync::Arc::new(instants.unary::<_, Date32Type>(local_day)))
        }
        _ => Ok(cast(column, &DataType::Date32)?),
    }
}

/// One number over all rows of some tables, whatever their month.
pub(super) async fn whole(tables: Vec<DataFrame>) -> Result<String> {
    let mut digest = Sha256::new();
    for table in tables {
        let strand = Strand {
            of: String::new(),
            from: None,
            to: Until::SameDay,
            earlier: 0,
            columns: Vec::new(),
            waits: Vec::new(),
            due: None,
            after: None,
        };
        let mut printing = Printing::new(&strand, NaiveDate::default(), &[]);
        printing.changes = vec![0];
        let source = without_lineage(table, std::slice::from_ref(&printing))?;
        for batch in source.collect().await? {
            printing.add(&batch)?;
        }
        digest.update(printing.finish().into_iter().next().unwrap_or_default().to_be_bytes());
    }
    Ok(digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Prints by month.
pub(super) type Prints = BTreeMap<String, String>;

/// Prints under the names of their months, as text.
pub(super) fn by_month(months: &[Month], prints: &[u128]) -> Prints {
    months.iter().zip(prints).map(|(month, print)| (month.label(), format!("{print:032x}"))).collect()
}
