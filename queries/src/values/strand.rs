//! What a metric declares about its months: for each of its sources, on which days a row counts.
//!
//! Without such a declaration any change of a table that the metric reads alters every month, and so does
//! every day that passes.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;

/// `[[months]]` of a metric's TOML.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct StrandEntry {
    of: String,
    from: Option<String>,
    to: Option<String>,
    earlier: Option<String>,
    #[serde(default)]
    columns: Vec<String>,
    #[serde(default)]
    waits: Vec<String>,
    due: Option<String>,
    after: Option<String>,
}

/// One source of a metric, and on which days a row of it counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Strand {
    /// A mart, `seen.<dataset>` or a table.
    pub(crate) of: String,
    /// The column with the first day; `None`: the row counts in every month.
    pub(crate) from: Option<String>,
    /// The last day.
    pub(crate) to: Until,
    /// So many days before the first day it counts already.
    pub(crate) earlier: i32,
    /// The columns that matter; empty: all but the lineage.
    pub(crate) columns: Vec<String>,
    /// While all of these are missing, every day that passes alters what the row counts.
    pub(crate) waits: Vec<String>,
    /// The passing of the day in this column alters what the row counts.
    pub(crate) due: Option<String>,
    /// So does the day that comes so many days after the first.
    pub(crate) after: Option<i32>,
}

/// The last day on which a row counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Until {
    /// The first is the last.
    SameDay,
    /// That of a column; where it is missing there is no last day.
    Column(String),
    /// The last of the first day's year.
    EndOfYear,
    /// There is none.
    Never,
}

impl Strand {
    /// Reads a declaration; `days_of` gives the default of a parameter in days.
    pub(crate) fn read(entry: StrandEntry, days_of: &dyn Fn(&str) -> Option<i32>) -> Result<Self, String> {
        let days = |name: &String| days_of(name).ok_or_else(|| format!("months: {name} is no parameter in days"));
        let to = match entry.to.as_deref() {
            None => Until::SameDay,
            Some("end_of_year") => Until::EndOfYear,
            Some("never") => Until::Never,
            Some(column) => Until::Column(column.to_owned()),
        };
        if entry.from.is_none() && (to != Until::SameDay || entry.earlier.is_some() || entry.after.is_some()) {
            return Err(format!("months: {} has no from, so every month has all of its rows", entry.of));
        }
        Ok(Self {
            earlier: entry.earlier.as_ref().map(days).transpose()?.unwrap_or(0),
            after: entry.after.as_ref().map(days).transpose()?,
            of: entry.of,
            from: entry.from,
            to,
            columns: entry.columns,
            waits: entry.waits,
            due: entry.due,
        })
    }

    /// The columns that it names.
    pub(crate) fn named(&self) -> impl Iterator<Item = &str> {
        let to = match &self.to {
            Until::Column(column) => Some(column),
            Until::SameDay | Until::EndOfYear | Until::Never => None,
        };
        let single = self.from.iter().chain(to).chain(&self.due);
        single.chain(&self.columns).chain(&self.waits).map(String::as_str)
    }
}

/// Tells one strand from another: its whole declaration as text.
impl fmt::Display for Strand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:?} {:?} {}", self.of, self.from, self.to, self.earlier)?;
        write!(f, " {:?} {:?} {:?} {:?}", self.columns, self.waits, self.due, self.after)
    }
}

/// Strands by source, each once.
pub(super) fn by_source<'s>(strands: impl Iterator<Item = &'s Strand>) -> BTreeMap<&'s str, Vec<&'s Strand>> {
    let mut sources: BTreeMap<&str, Vec<&Strand>> = BTreeMap::new();
    for strand in strands {
        let of_source = sources.entry(&strand.of).or_default();
        if !of_source.contains(&strand) {
            of_source.push(strand);
        }
    }
    sources
}
