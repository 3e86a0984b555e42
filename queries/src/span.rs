//! What an answer is about in time: the end of a day, or a half-open period.

use chrono::{Datelike, Days, Months, NaiveDate};

/// A day or a period.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Span {
    /// The end of a day.
    AsOf(NaiveDate),
    /// `[from, to)`.
    Period {
        /// First day.
        from: NaiveDate,
        /// First day after it.
        to: NaiveDate,
    },
}

impl Span {
    /// Its last day.
    pub fn last_day(self) -> NaiveDate {
        match self {
            Self::AsOf(day) => day,
            Self::Period { to, .. } => to.checked_sub_days(Days::new(1)).unwrap_or(to),
        }
    }
}

/// A calendar month of a period, cut to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Month {
    year: i32,
    month: u32,
    /// First day in the period.
    pub(crate) from: NaiveDate,
    /// First day after it, or the end of the period.
    pub(crate) to: NaiveDate,
}

impl Month {
    /// Every calendar month that a period touches, in order.
    pub(crate) fn all(from: NaiveDate, to: NaiveDate) -> Vec<Self> {
        let mut months = Vec::new();
        let mut start = from;
        while start < to {
            let next = first_of_month(start).checked_add_months(Months::new(1)).unwrap_or(to);
            months.push(Self { year: start.year(), month: start.month(), from: start, to: next.min(to) });
            start = next;
        }
        months
    }

    /// `2026-03`.
    pub(crate) fn label(self) -> String {
        format!("{:04}-{:02}", self.year, self.month)
    }

    /// The month as a period.
    pub(crate) fn period(self) -> Span {
        Span::Period { from: self.from, to: self.to }
    }
}

/// The first day of a day's month.
pub(crate) fn first_of_month(day: NaiveDate) -> NaiveDate {
    day.with_day(1).unwrap_or(day)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    #[test]
    fn months_are_cut_to_the_period_and_cross_the_year() {
        let months = Month::all(day("2025-12-15"), day("2026-02-10"));
        let spans: Vec<_> = months.iter().map(|m| (m.label(), m.from.to_string(), m.to.to_string())).collect();
        let expected = [
            ("2025-12", "2025-12-15", "2026-01-01"),
            ("2026-01", "2026-01-01", "2026-02-01"),
            ("2026-02", "2026-02-01", "2026-02-10"),
        ];
        let expected: Vec<_> = expected.map(|(a, b, c)| (a.into(), b.into(), c.into())).into();
        assert_eq!(spans, expected);
    }

    #[test]
    fn an_empty_period_has_no_month() {
        assert!(Month::all(day("2026-02-10"), day("2026-02-10")).is_empty());
    }
}
