//! How a row goes wrong on its way: each kind is one a contract or the decoder must catch, for this
//! row alone.

use super::chance::Chance;
use super::credit_code::with_wrong_check;
use super::dataset::{Column, Dataset, Kind};
use super::dialect::{Dates, Layout};
use super::record::Cell;
use super::scribe::{Extent, INVALID_BYTE_MARK, Scribe};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Breakage {
    WrongCheckCharacter,
    UnknownCode,
    UnknownRegion,
    UnknownInsurer,
    ImpossibleDate,
    EndBeforeStart,
    NumberTooLarge,
    TooManyFractionDigits,
    NotANumber,
    NegativeAmount,
    MissingKey,
    FutureEvent,
    EmbeddedNul,
    InvalidByte,
    WrongQuote,
    TruncatedLine,
    TooManyFields,
}

impl Breakage {
    pub(crate) const ALL: [Breakage; 17] = [
        Breakage::WrongCheckCharacter,
        Breakage::UnknownCode,
        Breakage::UnknownRegion,
        Breakage::UnknownInsurer,
        Breakage::ImpossibleDate,
        Breakage::EndBeforeStart,
        Breakage::NumberTooLarge,
        Breakage::TooManyFractionDigits,
        Breakage::NotANumber,
        Breakage::NegativeAmount,
        Breakage::MissingKey,
        Breakage::FutureEvent,
        Breakage::EmbeddedNul,
        Breakage::InvalidByte,
        Breakage::WrongQuote,
        Breakage::TruncatedLine,
        Breakage::TooManyFields,
    ];
}

/// Breaks the row in this way if it has what it takes, and says how much of it to write.
pub(super) fn break_row(
    breakage: Breakage,
    dataset: Dataset,
    scribe: &Scribe,
    chance: &mut Chance,
    row: &mut [Cell<'_>],
) -> Option<Extent> {
    match breakage {
        Breakage::TruncatedLine => return Some(Extent::CutShort),
        // A JSON object with an unknown name more is as good as before.
        Breakage::TooManyFields if scribe.layout() == Layout::Ndjson => return None,
        Breakage::TooManyFields => return Some(Extent::Overlong),
        Breakage::EndBeforeStart => end_before_start(dataset, row)?,
        _ => {
            let columns = dataset.columns();
            let candidates: Vec<usize> = scribe
                .places()
                .filter(|place| *place < columns.len())
                .filter(|place| can_hit(breakage, dataset, &columns[*place], &row[*place]))
                .collect();
            if candidates.is_empty() {
                return None;
            }
            let place = chance.pick(&candidates);
            row[place] = spoilt(breakage, scribe, &row[place]);
        }
    }
    Some(Extent::Whole)
}

fn can_hit(breakage: Breakage, dataset: Dataset, column: &Column, cell: &Cell<'_>) -> bool {
    let filled = !matches!(cell, Cell::Empty);
    match breakage {
        Breakage::WrongCheckCharacter => {
            matches!((column.kind, cell), (Kind::CreditCode, Cell::Text(code)) if is_credit_code(code))
        }
        Breakage::UnknownCode => filled && matches!(column.kind, Kind::Codes(_)),
        Breakage::UnknownRegion => filled && matches!(column.kind, Kind::Region),
        Breakage::UnknownInsurer => matches!(column.kind, Kind::Insurer),
        Breakage::ImpossibleDate => filled && matches!(column.kind, Kind::Day | Kind::EventDay),
        Breakage::NumberTooLarge | Breakage::TooManyFractionDigits => filled && matches!(column.kind, Kind::Money),
        Breakage::NotANumber => filled && matches!(column.kind, Kind::Money | Kind::Int),
        Breakage::NegativeAmount => never_negative(dataset).contains(&column.name),
        Breakage::MissingKey => matches!(column.kind, Kind::Key),
        Breakage::FutureEvent => filled && matches!(column.kind, Kind::EventDay | Kind::EventMoment),
        Breakage::EmbeddedNul | Breakage::InvalidByte | Breakage::WrongQuote => {
            matches!(column.kind, Kind::Text)
        }
        Breakage::EndBeforeStart | Breakage::TruncatedLine | Breakage::TooManyFields => false,
    }
}

fn spoilt<'a>(breakage: Breakage, scribe: &Scribe, cell: &Cell<'_>) -> Cell<'a> {
    let text = match breakage {
        Breakage::WrongCheckCharacter => match cell {
            Cell::Text(code) => with_wrong_check(code),
            _ => return Cell::Empty,
        },
        Breakage::ImpossibleDate => match scribe.dates() {
            Dates::Iso | Dates::IsoWithZone => "2025-02-30".to_owned(),
            Dates::Slashes => "2025/02/30".to_owned(),
            Dates::Compact => "20250230".to_owned(),
        },
        Breakage::FutureEvent => return five_years_later(cell),
        Breakage::MissingKey => return Cell::Empty,
        Breakage::WrongQuote => return Cell::Verbatim("\"停工\"整改".to_owned()),
        Breakage::InvalidByte => format!("停{INVALID_BYTE_MARK}工"),
        Breakage::EmbeddedNul => "停\0工".to_owned(),
        Breakage::UnknownRegion => "330199".to_owned(),
        Breakage::UnknownInsurer => "XXPC".to_owned(),
        Breakage::NumberTooLarge => "99999999999999999999".to_owned(),
        Breakage::TooManyFractionDigits => "1234.123456789".to_owned(),
        Breakage::NotANumber => "壹万元整".to_owned(),
        Breakage::NegativeAmount => "-1".to_owned(),
        _ => "待定".to_owned(),
    };
    Cell::Spoilt(text)
}

fn is_credit_code(code: &str) -> bool {
    code.len() == 18 && code.starts_with("91")
}

fn never_negative(dataset: Dataset) -> &'static [&'static str] {
    match dataset {
        Dataset::Policy => &["premium_written", "death_limit_per_person", "insured_persons"],
        Dataset::Unit => &["employees"],
        Dataset::Claim => &["reserve"],
        _ => &[],
    }
}

/// Puts the end of the row's span before its start, where it has both.
fn end_before_start(dataset: Dataset, row: &mut [Cell<'_>]) -> Option<()> {
    let (start, end) = match dataset {
        Dataset::Policy => ("inception", "expiry"),
        Dataset::Service => ("started_at", "finished_at"),
        Dataset::Hazard => ("found_at", "rectified_on"),
        Dataset::Claim => ("reported_at", "paid_at"),
        _ => return None,
    };
    let place = |name| dataset.columns().iter().position(|column| column.name == name);
    let (start, end) = (place(start)?, place(end)?);
    row[end] = match (&row[start], &row[end]) {
        (Cell::Day(start), Cell::Day(_)) => Cell::Day(start.plus(-10)),
        (Cell::Moment(start), Cell::Day(_)) => Cell::Day(start.day().plus(-10)),
        (Cell::Moment(start), Cell::Moment(_)) => Cell::Moment(start.plus_hours(-30)),
        _ => return None,
    };
    Some(())
}

/// A wrong digit in the year.
fn five_years_later<'a>(cell: &Cell<'_>) -> Cell<'a> {
    match cell {
        Cell::Day(day) => Cell::Day(day.plus_years(5)),
        Cell::Moment(moment) => Cell::Moment(moment.plus_hours(5 * 365 * 24)),
        _ => Cell::Empty,
    }
}
