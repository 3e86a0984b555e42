//! An answer, written exactly as interface.md prints it.

use chrono::NaiveDate;
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use serde_json::Number;

use crate::catalogue::Unit;
use crate::dimension::Dimension;
use crate::quantity::Quantity;
use crate::span::Span;

/// The answer to a question.
#[derive(Debug, Clone, PartialEq)]
pub struct MetricAnswer {
    /// The metric.
    pub metric: String,
    /// Its Chinese title.
    pub title: String,
    /// Unit of the values.
    pub unit: Unit,
    /// The release it was computed on.
    pub release: u64,
    /// The observation day.
    pub observed_until: NaiveDate,
    /// The day or the period.
    pub span: Span,
    /// Dimensions of the rows, in order.
    pub by: Vec<Dimension>,
    /// One row for each group with cases; exactly one without dimensions.
    pub rows: Vec<Row>,
    /// Cases left out because no rule applies to them.
    pub without_rule: i64,
    /// Whether workdays were counted beyond the published calendar.
    pub provisional: bool,
    /// Feeds whose latest due slot was unfulfilled at the release.
    pub stale_feeds: Vec<String>,
}

/// One row of an answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// Its member of each dimension.
    pub members: Vec<Member>,
    /// The day or the period that it was computed over: the month's own where months are a dimension.
    pub span: Span,
    /// Number of cases of the denominator; not handed out.
    pub cases: i64,
    /// The day, in the trend of a metric of a day.
    pub as_of: Option<NaiveDate>,
    /// Sum of the cases' numerators.
    pub numerator: Quantity,
    /// Sum of the cases' denominators; none of a metric that only counts.
    pub denominator: Option<Quantity>,
    /// The value; none where there is nothing to divide by, or where it is not reached.
    pub value: Option<Figure>,
    /// The target that a rule sets for this metric, place, sector and day.
    pub target: Option<Number>,
    /// Further figures of the metric, by name.
    pub fields: Vec<(String, Option<Number>)>,
    /// There are cases, but the quantile lies beyond what was observed.
    pub not_reached: bool,
    /// What else stands beside it, by name: the same figure of an earlier span, of the province, of the nation.
    pub compared: Vec<(&'static str, Compared)>,
}

/// A figure that a row is compared with.
#[derive(Debug, Clone, PartialEq)]
pub enum Compared {
    /// A figure of the same metric.
    Cell {
        /// What it was computed over.
        span: Span,
        /// As of [`Row::numerator`].
        numerator: Quantity,
        /// As of [`Row::denominator`].
        denominator: Option<Quantity>,
        /// As of [`Row::value`].
        value: Option<Figure>,
        /// As of [`Row::fields`].
        fields: Vec<(String, Option<Number>)>,
        /// As of [`Row::not_reached`].
        not_reached: bool,
    },
    /// A value that somebody published.
    Published(Number),
    /// Too few cases lie outside what the asker may see.
    Suppressed(Span),
    /// There is none.
    Nothing,
}

/// A member of a dimension.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// The dimension.
    pub dimension: Dimension,
    /// Its code; `unknown` where the reference or attribute is missing.
    pub code: String,
    /// Its Chinese name.
    pub name: String,
}

/// A value: a number, or an amount of money, which is a text in JSON.
#[derive(Debug, Clone, PartialEq)]
pub enum Figure {
    /// An exact number.
    Number(Number),
    /// A sum of cases.
    Quantity(Quantity),
}

impl Row {
    /// The code of its member of a dimension.
    pub fn member(&self, dimension: Dimension) -> Option<&str> {
        self.members.iter().find(|member| member.dimension == dimension).map(|member| member.code.as_str())
    }
}

impl Serialize for Figure {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Number(number) => number.serialize(serializer),
            Self::Quantity(quantity) => quantity.serialize(serializer),
        }
    }
}

impl Serialize for MetricAnswer {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("metric", &self.metric)?;
        map.serialize_entry("title", &self.title)?;
        map.serialize_entry("unit", self.unit.name())?;
        map.serialize_entry("release", &self.release)?;
        map.serialize_entry("observed_until", &self.observed_until)?;
        span_entries(&mut map, self.span)?;
        map.serialize_entry("by", &self.by)?;
        map.serialize_entry("rows", &self.rows)?;
        map.serialize_entry("without_rule", &self.without_rule)?;
        map.serialize_entry("provisional", &self.provisional)?;
        map.serialize_entry("stale_feeds", &self.stale_feeds)?;
        map.end()
    }
}

impl Serialize for Row {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        member_entries(&mut map, &self.members)?;
        if let Some(day) = self.as_of {
            map.serialize_entry("as_of", &day)?;
        }
        map.serialize_entry("numerator", &self.numerator)?;
        map.serialize_entry("denominator", &self.denominator)?;
        map.serialize_entry("value", &self.value)?;
        if let Some(target) = &self.target {
            map.serialize_entry("target", target)?;
        }
        for (name, figure) in &self.fields {
            map.serialize_entry(name, figure)?;
        }
        if self.not_reached {
            map.serialize_entry("not_reached", &true)?;
        }
        for (name, compared) in &self.compared {
            map.serialize_entry(name, compared)?;
        }
        map.end()
    }
}

impl Serialize for Compared {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if *self == Self::Nothing {
            return serializer.serialize_none();
        }
        let mut map = serializer.serialize_map(None)?;
        match self {
            Self::Cell { span, numerator, denominator, value, fields, not_reached } => {
                span_entries(&mut map, *span)?;
                map.serialize_entry("numerator", numerator)?;
                map.serialize_entry("denominator", denominator)?;
                map.serialize_entry("value", value)?;
                for (name, figure) in fields {
                    map.serialize_entry(name, figure)?;
                }
                if *not_reached {
                    map.serialize_entry("not_reached", &true)?;
                }
            }
            Self::Published(value) => map.serialize_entry("value", value)?,
            Self::Suppressed(span) => {
                span_entries(&mut map, *span)?;
                for name in ["numerator", "denominator", "value"] {
                    map.serialize_entry(name, &None::<i64>)?;
                }
                map.serialize_entry("suppressed", &true)?;
            }
            Self::Nothing => {}
        }
        map.end()
    }
}

impl From<Row> for Compared {
    fn from(row: Row) -> Self {
        let Row { span, numerator, denominator, value, fields, not_reached, .. } = row;
        Self::Cell { span, numerator, denominator, value, fields, not_reached }
    }
}

/// `as_of`, or `from` and `to`.
pub(crate) fn span_entries<M: SerializeMap>(map: &mut M, span: Span) -> Result<(), M::Error> {
    match span {
        Span::AsOf(day) => map.serialize_entry("as_of", &day),
        Span::Period { from, to } => {
            map.serialize_entry("from", &from)?;
            map.serialize_entry("to", &to)
        }
    }
}

/// `city`, `city_name`, …; months name themselves.
pub(crate) fn member_entries<M: SerializeMap>(map: &mut M, members: &[Member]) -> Result<(), M::Error> {
    for member in members {
        map.serialize_entry(member.dimension.name(), &member.code)?;
        if let Some(column) = member.dimension.name_column() {
            map.serialize_entry(&column, &member.name)?;
        }
    }
    Ok(())
}
