//! Days and moments of the simulated province: plain integers with the zone built in, because
//! millions of them are compared and printed. Asia/Shanghai has had no summer time since 1991.

use chrono::{DateTime, Datelike, NaiveDate, Utc};

const DAY_SECONDS: i64 = 86_400;
const SHANGHAI_OFFSET_SECONDS: i64 = 8 * 3_600;
const EPOCH_FROM_CE: i32 = 719_163;

/// A day in Asia/Shanghai, counted from 1970-01-01.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Day(i32);

/// A second of time, counted from 1970-01-01 in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Moment(i64);

impl Day {
    /// The day of a date that exists; `month` is 1 to 12. Howard Hinnant's `days_from_civil`.
    pub(super) const fn of(year: i32, month: u32, day: u32) -> Self {
        let year = if month <= 2 { year - 1 } else { year };
        let era = year.div_euclid(400);
        let year_of_era = year.rem_euclid(400);
        let shifted_month = (month as i32 + 9) % 12;
        let day_of_year = (153 * shifted_month + 2) / 5 + day as i32 - 1;
        let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
        Day(era * 146_097 + day_of_era - 719_468)
    }

    pub(super) fn from_date(date: NaiveDate) -> Self {
        Day(date.num_days_from_ce() - EPOCH_FROM_CE)
    }

    pub(super) fn date(self) -> NaiveDate {
        NaiveDate::from_num_days_from_ce_opt(self.0 + EPOCH_FROM_CE).unwrap_or(NaiveDate::MAX)
    }

    /// Year, month and day of the month. Howard Hinnant's `civil_from_days`.
    pub(super) fn civil(self) -> (i32, u32, u32) {
        let shifted = self.0 + 719_468;
        let era = shifted.div_euclid(146_097);
        let day_of_era = shifted.rem_euclid(146_097);
        let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let shifted_month = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
        let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
        let year = year_of_era + era * 400 + i32::from(month <= 2);
        (year, month as u32, day as u32)
    }

    pub(super) fn year(self) -> i32 {
        self.civil().0
    }

    pub(super) fn month(self) -> u32 {
        self.civil().1
    }

    pub(super) const fn plus(self, days: i32) -> Self {
        Day(self.0 + days)
    }

    pub(super) fn minus(self, earlier: Day) -> i32 {
        self.0 - earlier.0
    }

    /// The same day of the year `years` later; 29 February becomes 28 February.
    pub(super) fn plus_years(self, years: i32) -> Self {
        let (year, month, day) = self.civil();
        Day::of(year + years, month, if month == 2 { day.min(28) } else { day })
    }

    pub(super) fn is_sunday(self) -> bool {
        (self.0 + 4).rem_euclid(7) == 0
    }

    pub(super) fn at(self, hour: i64, minute: i64) -> Moment {
        Moment(i64::from(self.0) * DAY_SECONDS - SHANGHAI_OFFSET_SECONDS + hour * 3_600 + minute * 60)
    }
}

impl Moment {
    pub(super) fn day(self) -> Day {
        Day((self.0 + SHANGHAI_OFFSET_SECONDS).div_euclid(DAY_SECONDS) as i32)
    }

    /// Hour, minute and second on the clock in Shanghai.
    pub(super) fn clock(self) -> (u32, u32, u32) {
        let second = (self.0 + SHANGHAI_OFFSET_SECONDS).rem_euclid(DAY_SECONDS) as u32;
        (second / 3_600, second / 60 % 60, second % 60)
    }

    pub(super) fn plus_seconds(self, seconds: i64) -> Self {
        Moment(self.0 + seconds)
    }

    pub(super) fn plus_minutes(self, minutes: i64) -> Self {
        Moment(self.0 + minutes * 60)
    }

    pub(super) fn plus_hours(self, hours: i64) -> Self {
        Moment(self.0 + hours * 3_600)
    }

    pub(super) fn utc(self) -> DateTime<Utc> {
        DateTime::from_timestamp(self.0, 0).unwrap_or(DateTime::<Utc>::MAX_UTC)
    }
}

/// The first day of the lunar year, when nobody inspects anything.
const SPRING_FESTIVALS: [Day; 16] = [
    Day::of(2015, 2, 19),
    Day::of(2016, 2, 8),
    Day::of(2017, 1, 28),
    Day::of(2018, 2, 16),
    Day::of(2019, 2, 5),
    Day::of(2020, 1, 25),
    Day::of(2021, 2, 12),
    Day::of(2022, 2, 1),
    Day::of(2023, 1, 22),
    Day::of(2024, 2, 10),
    Day::of(2025, 1, 29),
    Day::of(2026, 2, 17),
    Day::of(2027, 2, 6),
    Day::of(2028, 1, 26),
    Day::of(2029, 2, 13),
    Day::of(2030, 2, 3),
];

/// From ten days before the Spring Festival to twelve days after it.
pub(super) fn in_spring_festival(day: Day) -> bool {
    SPRING_FESTIVALS.iter().any(|first| (-10..=12).contains(&day.minus(*first)))
}

/// The fishing moratorium: 1 May to 16 September.
pub(super) fn in_fishing_moratorium(day: Day) -> bool {
    let (_, month, of_month) = day.civil();
    (5..=8).contains(&month) || (month == 9 && of_month <= 16)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_and_dates_agree_with_chrono() {
        for days in (-2_000..40_000).step_by(13) {
            let day = Day(days);
            let date = day.date();
            assert_eq!(day.civil(), (date.year(), date.month(), date.day()));
            assert_eq!(Day::of(date.year(), date.month(), date.day()), day);
            assert_eq!(Day::from_date(date), day);
        }
    }

    #[test]
    fn a_moment_has_the_day_and_the_clock_of_shanghai() {
        let moment = Day::of(2025, 3, 1).at(0, 30);
        assert_eq!(moment.utc().to_rfc3339(), "2025-02-28T16:30:00+00:00");
        assert_eq!(moment.day(), Day::of(2025, 3, 1));
        assert_eq!(moment.clock(), (0, 30, 0));
    }

    #[test]
    fn the_moratorium_ends_on_16_september() {
        assert!(in_fishing_moratorium(Day::of(2025, 9, 16)));
        assert!(!in_fishing_moratorium(Day::of(2025, 9, 17)));
        assert!(!in_fishing_moratorium(Day::of(2025, 4, 30)));
    }
}
