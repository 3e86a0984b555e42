//! The period of an assessment: a calendar year, half or quarter, or as much of it as has passed.

use chrono::{Datelike, Days, Months, NaiveDate};

use super::document::Period;
use super::scheme::Scheme;
use crate::error::{Error, Result};

/// How long a period is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PeriodKind {
    /// A calendar year.
    Year,
    /// From January or July on.
    Half,
    /// From January, April, July or October on.
    Quarter,
}

impl PeriodKind {
    /// A kind by its name.
    pub(crate) fn parse(name: &str) -> Option<Self> {
        match name {
            "year" => Some(Self::Year),
            "half" => Some(Self::Half),
            "quarter" => Some(Self::Quarter),
            _ => None,
        }
    }

    fn months(self) -> u32 {
        match self {
            Self::Year => 12,
            Self::Half => 6,
            Self::Quarter => 3,
        }
    }

    /// The first day of the period that holds a day.
    fn start(self, day: NaiveDate) -> NaiveDate {
        let month = day.month0() / self.months() * self.months() + 1;
        NaiveDate::from_ymd_opt(day.year(), month, 1).unwrap_or(day)
    }

    /// The first day after the period that begins on a day.
    fn end(self, start: NaiveDate) -> NaiveDate {
        start.checked_add_months(Months::new(self.months())).unwrap_or(start)
    }

    fn label(self, start: NaiveDate) -> String {
        let year = start.year();
        match self {
            Self::Year => format!("{year}"),
            Self::Half => format!("{year}H{}", start.month0() / 6 + 1),
            Self::Quarter => format!("{year}Q{}", start.month0() / 3 + 1),
        }
    }
}

/// The period asked for; without days the last one that is over.
///
/// # Errors
/// Question: the days are no period of the scheme, the scheme is not valid for it, or it is not known yet.
pub(crate) fn period(
    scheme: &Scheme,
    from: Option<NaiveDate>,
    to: Option<NaiveDate>,
    observed_until: NaiveDate,
) -> Result<Period> {
    let kind = scheme.period;
    let tomorrow = observed_until.checked_add_days(Days::new(1)).unwrap_or(observed_until);
    let from = match (from, to) {
        (Some(from), _) => from,
        (None, Some(to)) => kind.start(to.checked_sub_days(Days::new(1)).unwrap_or(to)),
        (None, None) => {
            let current = kind.start(tomorrow);
            kind.start(current.checked_sub_days(Days::new(1)).unwrap_or(current))
        }
    };
    if kind.start(from) != from {
        let start = kind.start(from);
        return Err(Error::question(format!(
            "the scheme {} assesses periods that begin on days such as {start}, not {from}",
            scheme.id
        )));
    }
    let end = kind.end(from);
    let to = to.unwrap_or(end);
    if to <= from || to > end {
        let message = format!(
            "from {from} the period ends with {end} (exclusive) at the latest, and has at least a day; to is {to}"
        );
        return Err(Error::question(message));
    }
    if to > tomorrow {
        let message = format!(
            "the period runs to {to} (exclusive), and what is known ends with {observed_until}; so far: --from {from} --to {tomorrow}"
        );
        return Err(Error::question(message));
    }
    if from < scheme.valid_from || scheme.valid_to.is_some_and(|last| from > last) {
        let last = scheme.valid_to.map_or("further notice".to_owned(), |last| last.to_string());
        let message = format!(
            "the scheme {} is valid from {} until {last}, not for the period from {from}",
            scheme.id, scheme.valid_from
        );
        return Err(Error::question(message));
    }
    Ok(Period { name: kind.label(from), from, to, partial: to < end })
}

impl Period {
    /// Its last day: metrics of a day are taken on it.
    pub fn last_day(&self) -> NaiveDate {
        self.to.checked_sub_days(Days::new(1)).unwrap_or(self.to)
    }
}
