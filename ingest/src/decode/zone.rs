//! From the clock on a feed's wall to UTC.

use chrono::{DateTime, MappedLocalTime, Offset, TimeZone};
use chrono_tz::Tz;

use super::failure::Rule;

const SECOND: i64 = 1_000_000;
/// Since this day China's clocks have stood at +08:00 without summer time.
const SHANGHAI_FIXED_SINCE: i64 = 8_035 * 86_400 * SECOND;
const SHANGHAI_OFFSET: i64 = 8 * 3_600 * SECOND;

/// The time zone of times that carry none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Zone(Tz);

impl Zone {
    pub(super) fn named(name: &str) -> Result<Self, String> {
        name.parse().map(Self).map_err(|_| format!("\"{name}\" is not a time zone; write it as Asia/Shanghai or UTC"))
    }

    /// The zone itself.
    pub(super) fn tz(self) -> Tz {
        self.0
    }

    /// Microseconds since 1970 of a local time, as UTC.
    ///
    /// Times that the clocks skipped or showed twice are not guessed at.
    pub(super) fn to_utc(self, local: i64) -> Result<i64, Rule> {
        if self.0 == Tz::Asia__Shanghai && local >= SHANGHAI_FIXED_SINCE {
            return Ok(local - SHANGHAI_OFFSET);
        }
        let clock = DateTime::from_timestamp_micros(local).ok_or(Rule::ImpossibleTime)?.naive_utc();
        match self.0.offset_from_local_datetime(&clock) {
            MappedLocalTime::Single(offset) => Ok(local - i64::from(offset.fix().local_minus_utc()) * SECOND),
            MappedLocalTime::None => Err(Rule::ImpossibleTime),
            MappedLocalTime::Ambiguous(..) => Err(Rule::AmbiguousTime),
        }
    }

    /// What the clocks of the zone show at an instant.
    pub(super) fn to_local(self, utc: i64) -> Option<i64> {
        let instant = DateTime::from_timestamp_micros(utc)?.naive_utc();
        let offset = self.0.offset_from_utc_datetime(&instant).fix();
        Some(utc + i64::from(offset.local_minus_utc()) * SECOND)
    }
}

#[cfg(test)]
mod tests {
    use chrono::NaiveDate;

    use super::*;

    fn micros(year: i32, month: u32, day: u32, hour: u32) -> i64 {
        let day = NaiveDate::from_ymd_opt(year, month, day).unwrap();
        day.and_hms_opt(hour, 0, 0).unwrap().and_utc().timestamp_micros()
    }

    #[test]
    fn shanghai_is_eight_hours_ahead() {
        let zone = Zone::named("Asia/Shanghai").unwrap();
        assert_eq!(zone.to_utc(micros(2026, 1, 1, 0)), Ok(micros(2025, 12, 31, 16)));
        assert_eq!(zone.to_utc(micros(1992, 1, 1, 0)), Ok(micros(1991, 12, 31, 16)));
        assert_eq!(zone.to_local(micros(2025, 12, 31, 16)), Some(micros(2026, 1, 1, 0)));
    }

    #[test]
    fn the_short_cut_starts_on_the_first_day_of_1992() {
        assert_eq!(micros(1992, 1, 1, 0), SHANGHAI_FIXED_SINCE);
    }

    #[test]
    fn the_summer_time_of_1986_to_1991_is_known() {
        let zone = Zone::named("Asia/Shanghai").unwrap();
        assert_eq!(zone.to_utc(micros(1990, 7, 1, 12)), Ok(micros(1990, 7, 1, 3)));
    }

    #[test]
    fn skipped_and_repeated_times_are_not_guessed() {
        // Berlin 2026: the clocks skip 02:00-03:00 on 29 March and repeat it on 25 October.
        let zone = Zone::named("Europe/Berlin").unwrap();
        assert_eq!(zone.to_utc(micros(2026, 3, 29, 2)), Err(Rule::ImpossibleTime));
        assert_eq!(zone.to_utc(micros(2026, 10, 25, 2)), Err(Rule::AmbiguousTime));
        assert_eq!(zone.to_utc(micros(2026, 7, 1, 12)), Ok(micros(2026, 7, 1, 10)));
    }

    #[test]
    fn an_unknown_zone_is_refused() {
        assert!(Zone::named("Asia/Hangzhou").unwrap_err().contains("Asia/Hangzhou"));
    }
}
