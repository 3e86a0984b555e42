//! The workday calendar: from the dataset; after its last day weekdays count as workdays.

use std::collections::BTreeMap;

use chrono::{DateTime, Datelike, Days, NaiveDate, TimeZone, Utc, Weekday};
use datafusion::arrow::array::{Array, AsArray};
use datafusion::arrow::datatypes::Date32Type;
use datafusion::prelude::SessionContext;

use super::ZONE;
use crate::error::Result;
use crate::feed::Deadline;

/// Which days are workdays.
#[derive(Debug, Clone, Default)]
pub struct Workdays {
    published: BTreeMap<NaiveDate, bool>,
}

impl Workdays {
    /// Reads the calendar a session sees.
    ///
    /// # Errors
    /// Warehouse.
    pub async fn read(session: &SessionContext) -> Result<Self> {
        let mut published = BTreeMap::new();
        for batch in session.sql("select day, is_workday from calendar").await?.collect().await? {
            let days = batch.column(0).as_primitive::<Date32Type>();
            let workdays = batch.column(1).as_boolean();
            for row in (0..batch.num_rows()).filter(|row| workdays.is_valid(*row)) {
                if let Some(day) =
                    NaiveDate::default().checked_add_signed(chrono::Duration::days(days.value(row).into()))
                {
                    published.insert(day, workdays.value(row));
                }
            }
        }
        Ok(Self { published })
    }

    /// Whether a day is a workday; by the weekday where the calendar does not say.
    pub fn is_workday(&self, day: NaiveDate) -> bool {
        self.published.get(&day).copied().unwrap_or(!matches!(day.weekday(), Weekday::Sat | Weekday::Sun))
    }

    /// Whether the calendar says nothing about a day, so that what follows from it is provisional.
    pub fn is_provisional(&self, day: NaiveDate) -> bool {
        self.published.last_key_value().is_none_or(|(last, _)| day > *last)
    }

    /// The n-th workday after a day; the day itself for n = 0.
    pub fn after(&self, day: NaiveDate, workdays: u32) -> NaiveDate {
        let (mut found, mut left) = (day, workdays);
        while left > 0 {
            let Some(next) = found.checked_add_days(Days::new(1)) else { break };
            found = next;
            if self.is_workday(found) {
                left -= 1;
            }
        }
        found
    }

    /// Until when a slot must be fulfilled.
    pub fn due(&self, slot_day: NaiveDate, deadline: &Deadline) -> Option<DateTime<Utc>> {
        let day = self.after(slot_day, deadline.workdays);
        ZONE.from_local_datetime(&day.and_time(deadline.at)).earliest().map(|due| due.with_timezone(&Utc))
    }
}

impl FromIterator<(NaiveDate, bool)> for Workdays {
    fn from_iter<T: IntoIterator<Item = (NaiveDate, bool)>>(days: T) -> Self {
        Self { published: days.into_iter().collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    #[test]
    fn a_holiday_and_its_made_up_saturday_are_counted_as_published() {
        let mut published = BTreeMap::new();
        // National Day 2026: Thursday 1 October to Wednesday 7 October off, Saturday 10 October worked.
        for off in 1..=7 {
            published.insert(NaiveDate::from_ymd_opt(2026, 10, off).unwrap(), false);
        }
        published.insert(day("2026-10-10"), true);
        let calendar = Workdays { published };
        assert_eq!(calendar.after(day("2026-09-30"), 1), day("2026-10-08"));
        assert_eq!(calendar.after(day("2026-10-09"), 1), day("2026-10-10"));
        assert_eq!(calendar.after(day("2026-10-10"), 1), day("2026-10-12"));
    }

    #[test]
    fn after_the_last_published_day_weekdays_count_and_the_answer_is_provisional() {
        let calendar = Workdays { published: BTreeMap::from([(day("2026-12-31"), true)]) };
        assert_eq!(calendar.after(day("2027-01-01"), 1), day("2027-01-04"));
        assert!(calendar.is_provisional(day("2027-01-04")));
        assert!(!calendar.is_provisional(day("2026-12-31")));
    }
}
