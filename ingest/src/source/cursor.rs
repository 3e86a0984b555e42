//! Cursors: how far an incremental source was read.
//!
//! A release keeps, for a feed with a cursor, the greatest value of the cursor's column in rows
//! that passed the checks, with the name of the column. The next run asks for what is not before
//! that value less the lag. Rows read twice are no harm: they contend again and are unchanged.

use std::fmt;

use anze_warehouse::contract::{Column, ColumnType};
use chrono::{DateTime, Days, NaiveDate, TimeDelta, Utc};
use serde::Deserialize;

use super::SourceConfig;
use crate::decode::Mapping;
use crate::span::Span;

const DAY_SECONDS: u64 = 86_400;

/// `cursor = { column = "source_updated_at", lag = "2d" }`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CursorConfig {
    /// Of an HTTP source: a column of ours. Of a database: a column of theirs, which becomes one of
    /// ours unchanged.
    pub column: String,
    /// How much before the greatest value is read again, for rows that were written late. Of whole
    /// numbers there is none.
    pub lag: Option<Span>,
}

/// Whose name a cursor's column has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Named {
    /// A column of the dataset, or `source_updated_at`.
    Ours,
    /// A column of the source.
    Theirs,
}

/// A place in the order of a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Position {
    /// A whole number.
    Number(i64),
    /// A day.
    Day(NaiveDate),
    /// An instant, to the microsecond.
    Instant(DateTime<Utc>),
}

impl Position {
    /// Reads what [`fmt::Display`] writes.
    pub fn parse(text: &str) -> Option<Self> {
        if let Ok(number) = text.parse() {
            return Some(Self::Number(number));
        }
        if let Ok(day) = NaiveDate::parse_from_str(text, "%Y-%m-%d") {
            return Some(Self::Day(day));
        }
        DateTime::parse_from_rfc3339(text).ok().map(|at| Self::Instant(at.to_utc()))
    }

    /// Whether it has the kind of another.
    pub fn is_like(self, other: Self) -> bool {
        std::mem::discriminant(&self) == std::mem::discriminant(&other)
    }

    /// The place a lag before it; of days, whole days are taken off.
    fn before(self, lag: Span) -> Self {
        match self {
            Self::Number(number) => Self::Number(number),
            Self::Day(day) => {
                let days = Days::new(lag.0.as_secs().div_ceil(DAY_SECONDS));
                Self::Day(day.checked_sub_days(days).unwrap_or(NaiveDate::MIN))
            }
            Self::Instant(at) => {
                let lag = TimeDelta::from_std(lag.0).unwrap_or(TimeDelta::MAX);
                Self::Instant(at.checked_sub_signed(lag).unwrap_or(DateTime::UNIX_EPOCH))
            }
        }
    }
}

/// `42`, `2026-01-31` or `2026-01-31T08:00:00.000000Z`: of one kind, instants and days sort as text.
impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => number.fmt(f),
            Self::Day(day) => day.format("%Y-%m-%d").fmt(f),
            Self::Instant(at) => at.format("%Y-%m-%dT%H:%M:%S%.6fZ").fmt(f),
        }
    }
}

/// A feed's cursor with the column of ours that holds its values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FeedCursor {
    /// The column as the feed names it.
    column: String,
    /// The column of ours.
    pub ours: String,
    lag: Option<Span>,
}

impl FeedCursor {
    /// The cursor of a feed; `None`, where it has none.
    ///
    /// # Errors
    /// What is wrong with it, in a sentence.
    pub fn of(source: &SourceConfig, mapping: &Mapping) -> Result<Option<Self>, String> {
        let Some((config, named)) = source.cursor() else { return Ok(None) };
        let CursorConfig { column, lag } = config;
        let found: Option<&Column> = match named {
            Named::Ours => mapping.column(column),
            Named::Theirs => mapping.as_written(column),
        };
        let Some(ours) = found else {
            return Err(match named {
                Named::Ours => format!("cursor: the dataset has no column `{column}`"),
                Named::Theirs => format!(
                    "cursor: `{column}` must become one of our columns unchanged; write \"{column}\" = \
                     \"source_updated_at\" in [columns], without scale, codes or format"
                ),
            });
        };
        match (ours.kind, lag) {
            (ColumnType::Timestamp | ColumnType::Date, _) | (ColumnType::Int, None) => {
                Ok(Some(Self { column: column.clone(), ours: ours.name.clone(), lag: *lag }))
            }
            (ColumnType::Int, Some(_)) => Err(format!("cursor: `{column}` is a number; it has no lag")),
            _ => Err(format!("cursor: `{}` is no instant, day or whole number", ours.name)),
        }
    }

    /// What a release keeps for a position.
    pub fn kept(&self, position: Position) -> String {
        format!("{} {position}", self.column)
    }

    /// The position that a release keeps; `None`, where it is of another column.
    pub fn position(&self, kept: &str) -> Option<Position> {
        let (column, position) = kept.rsplit_once(' ')?;
        if column == self.column { Position::parse(position) } else { None }
    }

    /// From where the source is read on, by what the newest release keeps.
    pub fn start(&self, kept: &str) -> Option<Position> {
        let position = self.position(kept)?;
        Some(self.lag.map_or(position, |lag| position.before(lag)))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::decode::ColumnConfig;

    fn cursor(columns: &str, source: &str) -> Result<Option<FeedCursor>, String> {
        let contract = anze_warehouse::contract::builtin().dataset("policy").unwrap();
        let columns: BTreeMap<String, ColumnConfig> = toml::from_str(columns).unwrap();
        let mapping = Mapping::new(&columns, &BTreeMap::<String, String>::new(), contract).unwrap();
        let source = format!("kind = 'postgres'\nurl_env = 'DB'\ntable = 't'\n{source}");
        FeedCursor::of(&toml::from_str(&source).unwrap(), &mapping)
    }

    #[test]
    fn a_cursor_of_theirs_is_kept_with_its_name_and_read_on_from_before_the_lag() {
        let columns = "changed = 'source_updated_at'";
        let cursor = cursor(columns, "cursor = { column = 'changed', lag = '2d' }").unwrap().unwrap();
        assert_eq!(cursor.ours, "source_updated_at");
        let at = Position::parse("2026-03-01T08:00:00+08:00").unwrap();
        let kept = cursor.kept(at);
        assert_eq!(kept, "changed 2026-03-01T00:00:00.000000Z");
        assert_eq!(cursor.position(&kept), Some(at));
        assert_eq!(cursor.start(&kept).unwrap().to_string(), "2026-02-27T00:00:00.000000Z");
        assert_eq!(cursor.start("updated 2026-03-01T00:00:00.000000Z"), None, "another column starts anew");
    }

    #[test]
    fn a_lag_takes_whole_days_off_a_day_and_nothing_off_a_number() {
        let lag = Span(std::time::Duration::from_secs(DAY_SECONDS + 1));
        assert_eq!(Position::parse("2026-03-01").unwrap().before(lag).to_string(), "2026-02-27");
        assert_eq!(Position::parse("42").unwrap().before(lag), Position::Number(42));
        assert_eq!(Position::parse("yesterday"), None);
    }

    #[test]
    fn a_column_that_is_changed_on_its_way_or_has_no_order_is_no_cursor() {
        let scaled = "persons = { to = 'insured_persons', scale = 10 }";
        assert!(cursor(scaled, "cursor = { column = 'persons' }").is_err());
        assert!(cursor("", "cursor = { column = 'nowhere' }").is_err());
        assert!(cursor("", "cursor = { column = 'policy_no' }").is_err());
        assert!(cursor("", "cursor = { column = 'insured_persons', lag = '2d' }").is_err());
        assert!(cursor("", "cursor = { column = 'insured_persons' }").is_ok());
        assert!(cursor("", "cursor = { column = 'source_updated_at' }").is_ok());
        assert_eq!(cursor("", ""), Ok(None));
    }
}
