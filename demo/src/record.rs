//! A version of a record on its way to a file: the cells in the order of its dataset's columns,
//! before any sender's habits of writing touch them.

use super::dataset::Dataset;
use super::day::{Day, Moment};

/// One value. Money is in fen, ratios in millionths, factors in ten-thousandths: all exact.
#[derive(Clone, Debug)]
pub(super) enum Cell<'a> {
    Empty,
    Text(&'a str),
    Int(i64),
    Fen(i64),
    Millionths(i64),
    TenThousandths(i64),
    Day(Day),
    Moment(Moment),
    Flag(bool),
    /// A value no contract accepts, quoted as the format wants it.
    Spoilt(String),
    /// Written as it stands, whatever the format would need.
    Verbatim(String),
}

pub(super) trait Record {
    const DATASET: Dataset;

    /// Appends one cell for each column of the dataset, in its order.
    fn cells<'a>(&'a self, row: &mut Vec<Cell<'a>>);

    /// The sender withdraws the record; only some feeds can say so.
    fn is_void(&self) -> bool {
        false
    }
}

/// A state of a record and when its owner entered it.
#[derive(Clone)]
pub(super) struct Version<R> {
    pub(super) entered_at: Moment,
    pub(super) record: R,
}

impl<R> Version<R> {
    pub(super) fn new(entered_at: Moment, record: R) -> Self {
        Version { entered_at, record }
    }
}

pub(super) fn text(value: Option<&str>) -> Cell<'_> {
    value.map_or(Cell::Empty, Cell::Text)
}

pub(super) fn int<'a>(value: Option<i64>) -> Cell<'a> {
    value.map_or(Cell::Empty, Cell::Int)
}

pub(super) fn fen<'a>(value: Option<i64>) -> Cell<'a> {
    value.map_or(Cell::Empty, Cell::Fen)
}

pub(super) fn day<'a>(value: Option<Day>) -> Cell<'a> {
    value.map_or(Cell::Empty, Cell::Day)
}

pub(super) fn moment<'a>(value: Option<Moment>) -> Cell<'a> {
    value.map_or(Cell::Empty, Cell::Moment)
}
