//! Reading the cells of one column into an Arrow array.
//!
//! The order is that of datasets.md: trim, null tokens, codes, format, scale, type, code list. Most
//! values need none of the first ones, so each type has a quick way for them; what the quick way
//! does not recognise goes the full way, which alone decides what is wrong.

use std::borrow::Cow;
use std::collections::HashMap;
use std::ops::{Range, RangeInclusive};
use std::sync::Arc;

use anze_warehouse::contract::TextFormat;
use anze_warehouse::credit_code;
use datafusion::arrow::array::{
    ArrayRef, BooleanBuilder, Date32Builder, Decimal128Builder, Int64Builder, StringArray, StringBuilder,
    TimestampMicrosecondBuilder,
};
use datafusion::arrow::datatypes::{DataType, TimeUnit};

use super::cell::{Cell, Cells, has_blank_edge};
use super::failure::{CellFailure, Rule};
use super::instant::{self, Unreadable, Written};
use super::message;
use super::number::NumberShape;
use super::pattern::Pattern;
use super::zone::Zone;

/// How the values of one column of a contract are read.
#[derive(Debug, Clone)]
pub(super) struct ColumnReader {
    /// Position in the contract.
    pub(super) position: usize,
    /// What the file calls it.
    pub(super) title: String,
    pub(super) is_required: bool,
    pub(super) nulls: Vec<String>,
    /// Their codes to ours; others pass.
    pub(super) translations: HashMap<String, String>,
    /// The code list; empty: any value.
    pub(super) list: Vec<String>,
    pub(super) kind: Kind,
}

/// What a column makes of its text.
#[derive(Debug, Clone)]
pub(super) enum Kind {
    Text { format: Option<TextFormat> },
    Int { shape: NumberShape, range: RangeInclusive<i128> },
    Decimal { shape: NumberShape, range: RangeInclusive<i128> },
    Date { pattern: Option<Pattern>, zone: Zone, range: RangeInclusive<i128> },
    Timestamp { pattern: Option<Pattern>, zone: Zone },
    Bool,
}

/// What was found wrong or remarkable while reading.
#[derive(Debug, Default)]
pub(super) struct Findings {
    pub(super) failures: Vec<CellFailure>,
    pub(super) warnings: Vec<CellFailure>,
}

impl ColumnReader {
    /// The Arrow type of its arrays.
    pub(super) fn arrow(&self) -> DataType {
        match &self.kind {
            Kind::Text { .. } => DataType::Utf8,
            Kind::Int { .. } => DataType::Int64,
            Kind::Decimal { shape, .. } => DataType::Decimal128(shape.precision, shape.scale as i8),
            Kind::Date { .. } => DataType::Date32,
            Kind::Timestamp { .. } => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
            Kind::Bool => DataType::Boolean,
        }
    }

    /// Reads all cells of a field at once.
    pub(super) fn read_all<C: Cells>(&self, cells: &C, field: usize, findings: &mut Findings) -> ArrayRef {
        let mut column = ColumnBuilder::new(self, field, cells.rows());
        column.read(cells, 0..cells.rows(), findings);
        column.finish(findings)
    }

    /// Whether most values mean what they look like: none is translated, and only the empty text is null.
    fn is_plain(&self) -> bool {
        self.translations.is_empty() && self.nulls.iter().all(String::is_empty)
    }

    /// Reads a cell the full way.
    fn full<T>(
        &self,
        cell: Cell<'_>,
        row: usize,
        findings: &mut Findings,
        parse: impl FnOnce(&str) -> Result<T, Rule>,
    ) -> Option<T> {
        let text = match cell {
            Cell::Nested => {
                findings.failures.push(self.finding(row, Rule::NestedValue, ""));
                return None;
            }
            _ => cell.text().filter(|text| !self.nulls.iter().any(|null| null == text)),
        };
        let Some(text) = text else {
            let is_uncalculated = matches!(cell, Cell::Uncalculated);
            let rule = if is_uncalculated { Rule::Uncalculated } else { Rule::Required };
            if self.is_required {
                findings.failures.push(self.finding(row, rule, ""));
            } else if is_uncalculated {
                findings.warnings.push(self.finding(row, rule, ""));
            }
            return None;
        };
        if let Cell::Faulty(rule, _) = cell {
            findings.failures.push(self.finding(row, rule, &text));
            return None;
        }
        let translated = self.translations.get(text.as_ref()).map_or(text.as_ref(), String::as_str);
        match parse(translated) {
            Ok(value) => Some(value),
            Err(rule) => {
                let rule = damage(&text).unwrap_or(rule);
                findings.failures.push(self.finding(row, rule, &text));
                None
            }
        }
    }

    fn finding(&self, row: usize, rule: Rule, value: &str) -> CellFailure {
        CellFailure { row, column: self.position, rule, message: message::of(rule, value, self) }
    }

    fn in_list(&self, text: &str) -> bool {
        self.list.is_empty() || self.list.iter().any(|code| code == text)
    }

    /// Digits before the point that the type holds.
    pub(super) fn whole_digits(&self) -> u8 {
        match &self.kind {
            Kind::Int { .. } => 18,
            Kind::Decimal { shape, .. } => shape.precision - shape.scale,
            _ => 0,
        }
    }

    /// Digits after the point that the type holds.
    pub(super) fn fraction_digits(&self) -> u8 {
        match &self.kind {
            Kind::Decimal { shape, .. } => shape.scale,
            Kind::Timestamp { .. } | Kind::Date { .. } => 6,
            _ => 0,
        }
    }

    /// The declared format.
    pub(super) fn pattern(&self) -> Option<&str> {
        match &self.kind {
            Kind::Date { pattern, .. } | Kind::Timestamp { pattern, .. } => pattern.as_ref().map(Pattern::text),
            _ => None,
        }
    }

    /// The code list.
    pub(super) fn codes(&self) -> &[String] {
        &self.list
    }

    /// Least and greatest value allowed, as people write them.
    pub(super) fn range_shown(&self) -> (Option<String>, Option<String>) {
        let (range, scale) = match &self.kind {
            Kind::Int { range, .. } => (range, 0),
            Kind::Decimal { range, shape } => (range, u32::from(shape.scale)),
            _ => return (None, None),
        };
        let shown = |bound: i128| {
            let unit = 10_i128.pow(scale);
            let fraction = format!("{:0width$}", (bound % unit).unsigned_abs(), width = scale as usize);
            let sign = if bound < 0 { "-" } else { "" };
            let number = format!("{sign}{}.{fraction}", (bound / unit).unsigned_abs());
            number.trim_end_matches('0').trim_end_matches('.').to_owned()
        };
        let least = Some(*range.start()).filter(|bound| *bound != i128::MIN).map(shown);
        let greatest = Some(*range.end()).filter(|bound| *bound != i128::MAX).map(shown);
        (least, greatest)
    }
}

/// A column that grows row by row.
#[derive(Debug)]
pub(super) struct ColumnBuilder<'a> {
    reader: &'a ColumnReader,
    field: usize,
    values: Values,
}

#[derive(Debug)]
enum Values {
    Text(StringBuilder),
    Int(Int64Builder),
    Decimal(Decimal128Builder),
    Date(Date32Builder),
    Timestamp(TimestampMicrosecondBuilder),
    Bool(BooleanBuilder),
}

impl<'a> ColumnBuilder<'a> {
    /// An empty column that will read one field of every record.
    pub(super) fn new(reader: &'a ColumnReader, field: usize, rows: usize) -> Self {
        let values = match &reader.kind {
            Kind::Text { .. } => Values::Text(StringBuilder::with_capacity(rows, rows * 16)),
            Kind::Int { .. } => Values::Int(Int64Builder::with_capacity(rows)),
            Kind::Decimal { .. } => {
                Values::Decimal(Decimal128Builder::with_capacity(rows).with_data_type(reader.arrow()))
            }
            Kind::Date { .. } => Values::Date(Date32Builder::with_capacity(rows)),
            Kind::Timestamp { .. } => {
                Values::Timestamp(TimestampMicrosecondBuilder::with_capacity(rows).with_timezone("UTC"))
            }
            Kind::Bool => Values::Bool(BooleanBuilder::with_capacity(rows)),
        };
        Self { reader, field, values }
    }

    /// Reads some more rows.
    pub(super) fn read<C: Cells>(&mut self, cells: &C, rows: Range<usize>, findings: &mut Findings) {
        let (reader, field) = (self.reader, self.field);
        let is_plain = reader.is_plain();
        match (&mut self.values, &reader.kind) {
            (Values::Text(values), Kind::Text { format }) => {
                for row in rows {
                    match cells.cell(row, field) {
                        Cell::Plain(text) if is_plain && is_ready(text) && reader.accepts(*format, text) => {
                            values.append_value(text);
                        }
                        cell => reader.full_text(*format, cell, row, findings, values),
                    }
                }
            }
            (Values::Int(values), Kind::Int { shape, range }) => {
                let read = |text: &str| {
                    let not_an_int = |rule| if rule == Rule::TooManyFractionDigits { Rule::NotAnInt } else { rule };
                    shape.read(text).map_err(not_an_int).and_then(|number| int(number, range))
                };
                for row in rows {
                    let quick = |text: &[u8]| shape.quick(text).and_then(|number| int(number, range).ok());
                    match Some(cells.plain(row, field)).filter(|_| is_plain).and_then(quick) {
                        Some(number) => values.append_value(number),
                        None => values.append_option(reader.full(cells.cell(row, field), row, findings, read)),
                    }
                }
            }
            (Values::Decimal(values), Kind::Decimal { shape, range }) => {
                let read = |text: &str| shape.read(text).and_then(|number| within(number, range));
                for row in rows {
                    let quick = |text: &[u8]| shape.quick(text).filter(|number| range.contains(number));
                    match Some(cells.plain(row, field)).filter(|_| is_plain).and_then(quick) {
                        Some(number) => values.append_value(number),
                        None => values.append_option(reader.full(cells.cell(row, field), row, findings, read)),
                    }
                }
            }
            (Values::Date(values), Kind::Date { pattern, zone, range }) => {
                let read = |text: &[u8], pattern: Option<&Pattern>| {
                    let quick = if pattern.is_none() { instant::quick_day(text) } else { None };
                    let day = match quick {
                        Some(day) => day,
                        None => written(text, pattern).map_err(|error| error.rule(Rule::NotADate))?.date(*zone)?,
                    };
                    within(i128::from(day), range).map(|_| day)
                };
                for row in rows {
                    let quick = |text: &[u8]| read(text, pattern.as_ref()).ok();
                    match Some(cells.plain(row, field)).filter(|_| is_plain).and_then(quick) {
                        Some(day) => values.append_value(day),
                        None => {
                            let cell = cells.cell(row, field);
                            let pattern = pattern.as_ref().filter(|_| !matches!(cell, Cell::Moment(_)));
                            values
                                .append_option(reader.full(cell, row, findings, |text| read(text.as_bytes(), pattern)));
                        }
                    }
                }
            }
            (Values::Timestamp(values), Kind::Timestamp { pattern, zone }) => {
                let read = |text: &[u8]| instant(text, pattern.as_ref(), *zone);
                for row in rows {
                    let quick = |text: &[u8]| read(text).ok();
                    match Some(cells.plain(row, field)).filter(|_| is_plain).and_then(quick) {
                        Some(micros) => values.append_value(micros),
                        None => {
                            let cell = cells.cell(row, field);
                            let is_moment = matches!(cell, Cell::Moment(_));
                            values.append_option(reader.full(cell, row, findings, |text| match is_moment {
                                true => moment(text.as_bytes(), *zone),
                                false => read(text.as_bytes()),
                            }));
                        }
                    }
                }
            }
            (Values::Bool(values), _) => {
                for row in rows {
                    values.append_option(reader.full(cells.cell(row, field), row, findings, boolean));
                }
            }
            _ => unreachable!("new() pairs values with kinds"),
        }
    }

    /// The finished array; texts with characters that no text may have become null.
    pub(super) fn finish(self, findings: &mut Findings) -> ArrayRef {
        match self.values {
            Values::Text(mut values) => {
                let values = values.finish();
                match may_be_damaged(values.value_data()) {
                    true => Arc::new(self.reader.without_damaged(&values, findings)),
                    false => Arc::new(values),
                }
            }
            Values::Int(mut values) => Arc::new(values.finish()),
            Values::Decimal(mut values) => Arc::new(values.finish()),
            Values::Date(mut values) => Arc::new(values.finish()),
            Values::Timestamp(mut values) => Arc::new(values.finish()),
            Values::Bool(mut values) => Arc::new(values.finish()),
        }
    }
}

impl ColumnReader {
    /// Whether a text can be taken as it stands.
    #[inline]
    fn accepts(&self, format: Option<TextFormat>, text: &str) -> bool {
        self.in_list(text) && (format.is_none() || credit_code::is_valid(text))
    }

    fn full_text(
        &self,
        format: Option<TextFormat>,
        cell: Cell<'_>,
        row: usize,
        findings: &mut Findings,
        values: &mut StringBuilder,
    ) {
        let mut was_raised = None;
        let text = self.full(cell, row, findings, |text| {
            let text = match format {
                Some(TextFormat::CreditCode) => {
                    let code = text.to_ascii_uppercase();
                    was_raised = (code != text).then(|| text.to_owned());
                    Cow::<str>::Owned(credit_code_of(code)?)
                }
                None => Cow::Owned(text.to_owned()),
            };
            if self.in_list(&text) { Ok(text) } else { Err(Rule::NotInCodeList) }
        });
        if let Some(text) = was_raised.filter(|_| text.is_some()) {
            findings.warnings.push(self.finding(row, Rule::UpperCased, &text));
        }
        values.append_option(text);
    }

    /// Nulls the texts with characters that no text may have, and reports them.
    #[cold]
    fn without_damaged(&self, values: &StringArray, findings: &mut Findings) -> StringArray {
        let sound = |(row, text): (usize, Option<&'_ str>)| {
            let rule = text.and_then(damage)?;
            findings.failures.push(self.finding(row, rule, text.unwrap_or_default()));
            Some(row)
        };
        let damaged: Vec<usize> = values.iter().enumerate().filter_map(sound).collect();
        let mut damaged = damaged.into_iter().peekable();
        values.iter().enumerate().map(|(row, text)| text.filter(|_| damaged.next_if_eq(&row).is_none())).collect()
    }
}

/// Whether a text is neither empty nor to be trimmed.
#[inline]
fn is_ready(text: &str) -> bool {
    !text.is_empty() && !has_blank_edge(text.as_bytes())
}

fn credit_code_of(code: String) -> Result<String, Rule> {
    match (credit_code::is_valid(&code), credit_code::has_shape(&code)) {
        (true, _) => Ok(code),
        (false, true) => Err(Rule::BadCheckCharacter),
        (false, false) => Err(Rule::NotACreditCode),
    }
}

#[inline]
fn within(number: i128, range: &RangeInclusive<i128>) -> Result<i128, Rule> {
    if range.contains(&number) { Ok(number) } else { Err(Rule::OutOfRange) }
}

#[inline]
fn int(number: i128, range: &RangeInclusive<i128>) -> Result<i64, Rule> {
    let int = i64::try_from(number).map_err(|_| Rule::NumberTooLarge)?;
    within(number, range).map(|_| int)
}

fn written(text: &[u8], pattern: Option<&Pattern>) -> Result<Written, Unreadable> {
    match pattern {
        Some(pattern) => pattern.read(text),
        None => instant::iso(text),
    }
}

/// An instant; a day without a time is one only if the declared format has no time.
fn instant(text: &[u8], pattern: Option<&Pattern>, zone: Zone) -> Result<i64, Rule> {
    let written = written(text, pattern).map_err(|error| error.rule(Rule::NotATimestamp))?;
    if written.time.is_none() && pattern.is_none() {
        return Err(Rule::NotATimestamp);
    }
    written.instant(zone)
}

/// The instant of a cell that the file itself calls a date or time; without a time it is midnight,
/// which spreadsheets do not tell from a day.
fn moment(text: &[u8], zone: Zone) -> Result<i64, Rule> {
    instant::iso(text).map_err(|error| error.rule(Rule::NotATimestamp))?.instant(zone)
}

fn boolean(text: &str) -> Result<bool, Rule> {
    match text {
        "true" | "1" | "是" => Ok(true),
        "false" | "0" | "否" => Ok(false),
        _ => Err(Rule::NotABool),
    }
}

/// The rule that a character breaks that no text may have: a control character, or U+FFFD.
fn damage(text: &str) -> Option<Rule> {
    text.chars().find_map(|char| match char {
        '\t' | '\n' | '\r' => None,
        char::REPLACEMENT_CHARACTER => Some(Rule::ReplacementCharacter),
        char if char.is_control() => Some(Rule::ControlCharacter),
        _ => None,
    })
}

/// Whether some text among many has such a character; looks at all of them at once.
fn may_be_damaged(text: &[u8]) -> bool {
    let is_control = |byte: &u8| (*byte < 0x20) & !matches!(byte, b'\t' | b'\n' | b'\r') | (*byte == 0x7F);
    // Whole steps without an early way out become vector code.
    let has_control = text.chunks(256).any(|step| step.iter().fold(false, |any, byte| any | is_control(byte)));
    // U+0080 to U+009F start with C2, which starts little else in Chinese text.
    has_control
        || !text.is_ascii()
            && (memchr::memmem::find(text, "\u{FFFD}".as_bytes()).is_some()
                || memchr::memchr_iter(0xC2, text).any(|at| text.get(at + 1).is_some_and(|next| *next < 0xA0)))
}
