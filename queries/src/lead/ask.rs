//! A question for leads: which, of when, where, and how far the asker may see.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use chrono::{DateTime, Datelike, Days, NaiveDate, Utc};
use datafusion::arrow::datatypes::DataType;
use datafusion::functions::expr_fn::{concat, starts_with, substring};
use datafusion::logical_expr::{Expr, cast, when};
use datafusion::prelude::{col, lit};

use super::columns::{DEPARTMENT, INSURER, REGION, SECTOR, STATE, SUBJECT_ID};
use super::family::Family;
use crate::catalogue::Kind;
use crate::dimension::UNKNOWN;
use crate::error::{Error, Result};
use crate::province::Province;
use crate::statement::Value;
use crate::suggestion::did_you_mean;

/// What somebody asks, as typed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct LeadRequest {
    /// The kind; every kind without one.
    pub kind: Option<String>,
    /// The day, for kinds of a day; the observation day by default.
    pub as_of: Option<NaiveDate>,
    /// First day of the period, for kinds of a period; 1 January of the observation day's year by default.
    pub from: Option<NaiveDate>,
    /// First day after the period; the day after the observation day by default.
    pub to: Option<NaiveDate>,
    /// What is known of: the end of this day; the release's day by default.
    pub observed_until: Option<NaiveDate>,
    /// Only leads with these members: city, county, sector, department, insurer, subject, state.
    pub filters: BTreeMap<String, String>,
    /// Parameters of the kind, by name.
    pub params: BTreeMap<String, String>,
    /// How far the asker may see.
    pub within: LeadScope,
    /// Reviews after this instant count as not made; none: all count.
    pub reviewed_until: Option<DateTime<Utc>>,
}

/// A limit of places, sectors and insurers; an empty list is no limit. A lead without the attribute is
/// outside every limit of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct LeadScope {
    /// The beginnings of region codes.
    pub regions: Vec<String>,
    /// Sectors.
    pub sectors: Vec<String>,
    /// Insurers.
    pub insurers: Vec<String>,
}

/// What leads can be limited to.
const FILTERS: [&str; 7] = ["city", "county", "sector", "department", "insurer", "subject", "state"];

/// The days of a question, all of them settled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct LeadDays {
    as_of: NaiveDate,
    from: NaiveDate,
    to: NaiveDate,
    until: NaiveDate,
}

impl LeadRequest {
    /// Its days at an observation day.
    pub(super) fn days(&self, until: NaiveDate) -> Result<LeadDays> {
        let as_of = self.as_of.unwrap_or(until);
        if as_of > until {
            return Err(Error::question(format!(
                "leads as of {as_of} are not known yet: what is known ends with {until}"
            )));
        }
        let from = self.from.unwrap_or_else(|| new_year(until));
        let to = self.to.unwrap_or_else(|| day_after(until));
        if from >= to {
            let message = "has no day in it: from is the first day, to the first day after it";
            return Err(Error::question(format!("from {from} to {to} {message}")));
        }
        Ok(LeadDays { as_of, from, to, until })
    }

    /// Refuses days that its kind is not about.
    pub(super) fn fits(&self, family: &Family) -> Result<()> {
        let kind = self.kind.as_deref().unwrap_or_default();
        let over_period = self.from.is_some() || self.to.is_some();
        match family.span {
            Kind::AsOf if over_period => {
                Err(Error::question(format!("{kind} is about a day: ask with as_of, not with from and to")))
            }
            Kind::Period if self.as_of.is_some() => {
                Err(Error::question(format!("{kind} is about a period: ask with from and to, not with as_of")))
            }
            _ => Ok(()),
        }
    }

    /// Its limits as conditions on the view's columns.
    pub(super) fn conditions(&self) -> Result<Vec<Expr>> {
        let mut conditions = Vec::new();
        for (name, member) in &self.filters {
            conditions.push(match name.as_str() {
                "city" => is(city()?, member),
                "county" => is(col(REGION), member),
                "sector" => is(col(SECTOR), member),
                "department" => is(col(DEPARTMENT), member),
                "insurer" => is(col(INSURER), member),
                "subject" => is(col(SUBJECT_ID), member),
                "state" if ["open", "confirmed", "dismissed"].contains(&member.as_str()) => is(col(STATE), member),
                "state" => {
                    return Err(Error::question(format!("`{member}` is neither open, confirmed nor dismissed")));
                }
                other => {
                    let (hint, there) = (did_you_mean(other, FILTERS), FILTERS.join(", "));
                    return Err(Error::question(format!("leads have no dimension `{other}`{hint}; they have {there}")));
                }
            });
        }
        let LeadScope { regions, sectors, insurers } = &self.within;
        let begins = |region: &String| starts_with(col(REGION), lit(region.as_str()));
        conditions.extend(regions.iter().map(begins).reduce(Expr::or));
        let among = |column, members: &[String]| {
            col(column).in_list(members.iter().map(|member| lit(member.as_str())).collect(), false)
        };
        conditions.extend((!sectors.is_empty()).then(|| among(SECTOR, sectors)));
        conditions.extend((!insurers.is_empty()).then(|| among(INSURER, insurers)));
        Ok(conditions)
    }

    /// Tells this question from others, for cursors.
    pub(super) fn digest(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.hash(&mut hasher);
        hasher.finish()
    }
}

impl LeadDays {
    /// The values of a family's placeholders. Inside a family of a day, a metric of a period is asked for
    /// the year to date; inside one of a period, a metric of a day is asked for its last day.
    pub(super) fn values(
        &self,
        family: &Family,
        given: &BTreeMap<String, String>,
        province: &Province,
    ) -> Result<BTreeMap<String, Value>> {
        let (as_of, from, to) = match family.span {
            Kind::AsOf => (self.as_of, new_year(self.as_of), day_after(self.as_of)),
            Kind::Period => (day_before(self.to).min(self.until), self.from, self.to),
        };
        if let Some(stray) = given.keys().find(|name| family.params.iter().all(|param| param.name != **name)) {
            let names: Vec<&str> = family.params.iter().map(|param| param.name.as_str()).collect();
            let there = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
            let hint = did_you_mean(stray, names);
            return Err(Error::question(format!("there is no parameter `{stray}`{hint}; there are {there}")));
        }
        let params = family.params.iter().map(|param| {
            let value = match given.get(&param.name) {
                Some(text) => param.read(text).map_err(Error::question)?,
                None => param.default.clone(),
            };
            Ok((param.name.clone(), value))
        });
        let mut values: BTreeMap<String, Value> = params.collect::<Result<_>>()?;
        values.insert("province".to_owned(), province.value());
        for (name, day) in [("as_of", as_of), ("from", from), ("to", to), ("observed_until", self.until)] {
            values.insert(name.to_owned(), Value::Date(day));
        }
        Ok(values)
    }
}

/// Equal to a member; `unknown` is what has none.
fn is(column: Expr, member: &str) -> Expr {
    match member {
        UNKNOWN => column.clone().is_null().or(column.eq(lit(UNKNOWN))),
        member => column.eq(lit(member)),
    }
}

/// The city of the row's region: its first four digits and `00`.
pub(super) fn city() -> Result<Expr> {
    let digits = concat(vec![substring(col(REGION), lit(1_i64), lit(4_i64)), lit("00")]);
    Ok(cast(when(col(REGION).is_not_null(), digits).end()?, DataType::Utf8View))
}

fn new_year(day: NaiveDate) -> NaiveDate {
    NaiveDate::from_ymd_opt(day.year(), 1, 1).unwrap_or(day)
}

fn day_after(day: NaiveDate) -> NaiveDate {
    day.checked_add_days(Days::new(1)).unwrap_or(day)
}

fn day_before(day: NaiveDate) -> NaiveDate {
    day.checked_sub_days(Days::new(1)).unwrap_or(day)
}
