//! A question to the catalogue, read against what exists: metric, days, dimensions, parameters.

use std::collections::BTreeMap;

use chrono::{Datelike, Days, NaiveDate};

use crate::catalogue::{Catalogue, Kind, Metric};
use crate::dimension::{Dimension, UNKNOWN};
use crate::error::{Error, Result};
use crate::province::Province;
use crate::session::Observed;
use crate::span::Span;
use crate::statement::Value;
use crate::suggestion::did_you_mean;

/// What somebody asks, as typed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct MetricRequest {
    /// The metric.
    pub id: String,
    /// Dimensions to break it down by, in order.
    pub by: Vec<String>,
    /// The day, for a metric of a day; the observation day by default.
    pub as_of: Option<NaiveDate>,
    /// First day of the period; 1 January of the observation day's year by default.
    pub from: Option<NaiveDate>,
    /// First day after the period; the day after the observation day by default.
    pub to: Option<NaiveDate>,
    /// What is known of: the end of this day; the release's day by default.
    pub observed_until: Option<NaiveDate>,
    /// Only cases with these members, by dimension.
    pub filters: BTreeMap<String, String>,
    /// Parameters, by name.
    pub params: BTreeMap<String, String>,
}

/// A question that can be answered.
#[derive(Debug, Clone)]
pub(crate) struct Question<'a> {
    pub(crate) metric: &'a Metric,
    pub(crate) by: Vec<Dimension>,
    pub(crate) span: Span,
    pub(crate) until: NaiveDate,
    pub(crate) province: Province,
    pub(crate) filters: Vec<(Dimension, String)>,
    pub(crate) params: BTreeMap<String, Value>,
}

impl<'a> Question<'a> {
    /// Reads a request.
    ///
    /// # Errors
    /// Question, naming what is wrong and the nearest name that exists.
    pub(crate) fn read(catalogue: &'a Catalogue, observed: &Observed, request: &MetricRequest) -> Result<Self> {
        let metric = catalogue.expect(&request.id)?;
        Ok(Self {
            by: by(metric, &request.by)?,
            span: span(metric, request, observed.until)?,
            until: observed.until,
            province: observed.province.clone(),
            filters: filters(metric, request, observed)?,
            params: params(metric, &request.params)?,
            metric,
        })
    }

    /// The values of the placeholders, for a day or a part of the period. `$province` is the
    /// deployment's.
    pub(crate) fn values(&self, span: &Span) -> BTreeMap<String, Value> {
        let mut values = self.params.clone();
        values.insert("province".to_owned(), self.province.value());
        let mut day = |name: &str, day: NaiveDate| values.insert(name.to_owned(), Value::Date(day));
        day("observed_until", self.until);
        match span {
            Span::AsOf(as_of) => {
                day("as_of", *as_of);
            }
            Span::Period { from, to } => {
                day("from", *from);
                day("to", *to);
            }
        }
        values
    }

    /// The member that the question itself fixes for a dimension.
    pub(crate) fn filter(&self, dimension: Dimension) -> Option<&str> {
        self.filters.iter().find(|(of, _)| *of == dimension).map(|(_, member)| member.as_str())
    }
}

fn dimension(metric: &Metric, name: &str) -> Result<Dimension> {
    match Dimension::parse(name).filter(|dimension| metric.dimensions.contains(dimension)) {
        Some(dimension) => Ok(dimension),
        None => {
            let names: Vec<&str> = metric.dimensions.iter().map(|dimension| dimension.name()).collect();
            let hint = did_you_mean(name, &names);
            let there = names.join(", ");
            Err(Error::question(format!("{} has no dimension `{name}`{hint}; it has {there}", metric.id)))
        }
    }
}

fn by(metric: &Metric, names: &[String]) -> Result<Vec<Dimension>> {
    let mut by = Vec::new();
    for name in names {
        let dimension = dimension(metric, name)?;
        if by.contains(&dimension) {
            return Err(Error::question(format!("the dimension `{name}` is asked for twice")));
        }
        by.push(dimension);
    }
    Ok(by)
}

fn span(metric: &Metric, request: &MetricRequest, until: NaiveDate) -> Result<Span> {
    let refuse = |message: String| Err(Error::question(format!("{} {message}", metric.id)));
    match metric.kind {
        Kind::AsOf if request.from.is_some() || request.to.is_some() => {
            refuse("is about a day: ask with as_of, not with from and to".to_owned())
        }
        Kind::AsOf => {
            let day = request.as_of.unwrap_or(until);
            if day > until {
                return refuse(format!("as of {day} is not known yet: what is known ends with {until}"));
            }
            Ok(Span::AsOf(day))
        }
        Kind::Period if request.as_of.is_some() => {
            refuse("is about a period: ask with from and to, not with as_of".to_owned())
        }
        Kind::Period => {
            let new_year = NaiveDate::from_ymd_opt(until.year(), 1, 1).unwrap_or(until);
            let from = request.from.unwrap_or(new_year);
            let tomorrow = until.checked_add_days(Days::new(1)).unwrap_or(until);
            let to = request.to.unwrap_or(tomorrow);
            if from >= to {
                let message = "has no day in it: from is the first day, to the first day after it";
                return refuse(format!("from {from} to {to} {message}"));
            }
            Ok(Span::Period { from, to })
        }
    }
}

fn filters(metric: &Metric, request: &MetricRequest, observed: &Observed) -> Result<Vec<(Dimension, String)>> {
    request
        .filters
        .iter()
        .map(|(name, member)| {
            let dimension = dimension(metric, name)?;
            if dimension == Dimension::Month {
                return Err(Error::question("a month is chosen with from and to, not with where"));
            }
            match observed.names.members(dimension) {
                Some(known) if member != UNKNOWN && !known.contains(&member.as_str()) => {
                    let hint = did_you_mean(member, known);
                    Err(Error::question(format!("there is no {dimension} `{member}`{hint}")))
                }
                _ => Ok((dimension, member.clone())),
            }
        })
        .collect()
}

fn params(metric: &Metric, given: &BTreeMap<String, String>) -> Result<BTreeMap<String, Value>> {
    if let Some(stray) = given.keys().find(|name| metric.param(name).is_none()) {
        let names: Vec<&str> = metric.params.iter().map(|param| param.name.as_str()).collect();
        let there = match names.as_slice() {
            [] => "it has none".to_owned(),
            names => format!("it has {}", names.join(", ")),
        };
        let hint = did_you_mean(stray, names);
        return Err(Error::question(format!("{} has no parameter `{stray}`{hint}; {there}", metric.id)));
    }
    metric
        .params
        .iter()
        .map(|param| {
            let value = match given.get(&param.name) {
                Some(text) => param.read(text).map_err(Error::question)?,
                None => param.default.clone(),
            };
            Ok((param.name.clone(), value))
        })
        .collect()
}
