//! A chunk's records as a grid: where in its text the value of every field stands, and what it is.

use super::cell::{Cell, Cells};
use super::failure::Rule;

/// Where the value of a field stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) start: u32,
    pub(super) end: u32,
    pub(super) kind: Kind,
}

/// What stands there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Missing,
    Null,
    Plain,
    /// With the escapes of JSON.
    Escaped,
    Nested,
    /// A date or time in ISO 8601, whatever format the column declares.
    Moment,
    Faulty(Rule),
    Uncalculated,
}

/// A field without a value.
pub(super) const ABSENT: Place = Place { start: 0, end: 0, kind: Kind::Missing };

/// The values of some records.
#[derive(Debug)]
pub(super) struct GridCells<'a> {
    text: &'a str,
    places: &'a [Place],
    width: usize,
}

impl<'a> GridCells<'a> {
    /// A grid of `width` fields a record, whose places lie within `text`.
    pub(super) fn new(text: &'a str, places: &'a [Place], width: usize) -> Self {
        Self { text, places, width }
    }
}

impl Cells for GridCells<'_> {
    fn rows(&self) -> usize {
        self.places.len() / self.width.max(1)
    }

    #[inline]
    fn cell(&self, row: usize, field: usize) -> Cell<'_> {
        let place = self.places[row * self.width + field];
        let text = self.text.get(place.start as usize..place.end as usize).unwrap_or_default();
        match place.kind {
            Kind::Missing | Kind::Null => Cell::Missing,
            Kind::Plain => Cell::Plain(text),
            Kind::Escaped => Cell::Escaped(text),
            Kind::Nested => Cell::Nested,
            Kind::Moment => Cell::Moment(text),
            Kind::Faulty(rule) => Cell::Faulty(rule, text),
            Kind::Uncalculated => Cell::Uncalculated,
        }
    }

    #[inline]
    fn plain(&self, row: usize, field: usize) -> &[u8] {
        let place = self.places[row * self.width + field];
        match place.kind {
            Kind::Plain => self.text.as_bytes().get(place.start as usize..place.end as usize).unwrap_or_default(),
            _ => &[],
        }
    }
}
