//! A cron expression with seconds, in a zone.
//!
//! Each local time names at most one slot. A local time that the clocks skip stands for the first
//! instant after the gap; one that comes twice stands for its first coming.

use std::str::FromStr;

use chrono::{DateTime, Duration, NaiveDateTime, TimeZone, Timelike, Utc};
use chrono_tz::Tz;
use croner::Cron;
use croner::parser::{CronParser, Seconds};

use super::ZONE;

/// A cron expression that parses: `0 30 2 * * *`, seconds first.
#[derive(Debug, Clone)]
pub struct CronSchedule {
    text: String,
    cron: Cron,
    zone: Tz,
}

impl CronSchedule {
    /// Reads a cron expression in the deployment's zone; the message says what is wrong.
    pub fn parse(text: &str) -> Result<Self, String> {
        Self::in_zone(text, ZONE)
    }

    /// Reads a cron expression in a zone; the message says what is wrong.
    pub fn in_zone(text: &str, zone: Tz) -> Result<Self, String> {
        let parser = CronParser::builder().seconds(Seconds::Required).build();
        match parser.parse(text) {
            Ok(cron) => Ok(Self { text: text.to_owned(), cron, zone }),
            Err(error) => Err(format!(
                "`{text}` is no schedule ({error}); write seconds, minutes, hours, day, month, weekday: \"0 30 2 * * *\""
            )),
        }
    }

    /// As it was written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The slots after `after`, up to and including `until`, oldest first.
    pub fn slots(&self, after: DateTime<Utc>, until: DateTime<Utc>) -> Vec<DateTime<Utc>> {
        let mut slots = Vec::new();
        let mut last = after;
        while let Some(next) = self.next(last) {
            if next > until {
                break;
            }
            slots.push(next);
            last = next;
        }
        slots
    }

    /// The first slot after an instant.
    pub fn next(&self, after: DateTime<Utc>) -> Option<DateTime<Utc>> {
        // Local time is counted as if it were UTC, which has no gaps, and in whole seconds: the
        // cron crate carries a fraction along into what it finds.
        let mut local = after.with_timezone(&self.zone).naive_local().with_nanosecond(0)?;
        loop {
            local = self.cron.find_next_occurrence(&local.and_utc(), false).ok()?.naive_utc();
            let instant = self.instant(local)?;
            if instant > after {
                return Some(instant);
            }
        }
    }

    fn instant(&self, local: NaiveDateTime) -> Option<DateTime<Utc>> {
        if let Some(instant) = self.zone.from_local_datetime(&local).earliest() {
            return Some(instant.with_timezone(&Utc));
        }
        // Clocks change at whole minutes, and never by more than a day.
        let minute = local.with_second(0)?;
        (1..=24 * 60).find_map(|later| {
            let local = minute.checked_add_signed(Duration::minutes(later))?;
            self.zone.from_local_datetime(&local).earliest().map(|instant| instant.with_timezone(&Utc))
        })
    }
}

impl FromStr for CronSchedule {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::parse(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    fn slots(text: &str, zone: Tz, after: &str, until: &str) -> Vec<String> {
        let schedule = CronSchedule::in_zone(text, zone).unwrap();
        let slots = schedule.slots(at(after), at(until)).into_iter();
        slots.map(|slot| slot.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true)).collect()
    }

    #[test]
    fn slots_are_counted_in_shanghai() {
        // 02:30 in Shanghai is 18:30 UTC of the day before.
        assert_eq!(
            slots("0 30 2 * * *", ZONE, "2026-01-01T00:00:00Z", "2026-01-03T18:30:00Z"),
            ["2026-01-01T18:30:00Z", "2026-01-02T18:30:00Z", "2026-01-03T18:30:00Z"]
        );
    }

    #[test]
    fn a_schedule_without_seconds_is_refused() {
        assert!(CronSchedule::parse("30 2 * * *").is_err());
    }

    #[test]
    fn a_slot_stands_at_its_whole_second_whenever_it_is_looked_for() {
        let schedule = CronSchedule::parse("0 30 2 * * *").unwrap();
        let slot = at("2026-01-01T18:30:00Z");
        for before in ["2026-01-01T18:29:58.700Z", "2026-01-01T18:29:59.500Z", "2026-01-01T18:29:59.999999Z"] {
            assert_eq!(schedule.next(at(before)), Some(slot), "{before}");
        }
        assert_eq!(schedule.next(at("2026-01-01T18:30:00.2Z")), Some(at("2026-01-02T18:30:00Z")));
    }

    #[test]
    fn a_local_time_that_the_clocks_skip_is_one_slot_at_the_end_of_the_gap() {
        // New York, 8 March 2026: 02:00 EST becomes 03:00 EDT, which is 07:00 UTC.
        let new_york = chrono_tz::America::New_York;
        assert_eq!(
            slots("0 30 2 * * *", new_york, "2026-03-07T00:00:00Z", "2026-03-09T23:00:00Z"),
            ["2026-03-07T07:30:00Z", "2026-03-08T07:00:00Z", "2026-03-09T06:30:00Z"]
        );
        // Berlin, 29 March 2026: 02:00 CET becomes 03:00 CEST, which is 01:00 UTC.
        assert_eq!(
            slots("0 30 2 * * *", chrono_tz::Europe::Berlin, "2026-03-28T12:00:00Z", "2026-03-30T12:00:00Z"),
            ["2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z"]
        );
        // Every half hour: 02:00, 02:30 and 03:00 are one instant and one slot.
        assert_eq!(
            slots("0 */30 * * * *", new_york, "2026-03-08T06:00:00Z", "2026-03-08T08:00:00Z"),
            ["2026-03-08T06:30:00Z", "2026-03-08T07:00:00Z", "2026-03-08T07:30:00Z", "2026-03-08T08:00:00Z"]
        );
    }

    #[test]
    fn a_local_time_that_comes_twice_is_one_slot_at_its_first_coming() {
        // New York, 1 November 2026: 02:00 EDT becomes 01:00 EST; 01:30 EDT is 05:30 UTC.
        let new_york = chrono_tz::America::New_York;
        let after = ["2026-10-31T06:00:00Z", "2026-11-01T05:29:59Z"];
        for after in after {
            assert_eq!(
                slots("0 30 1 * * *", new_york, after, "2026-11-02T12:00:00Z"),
                ["2026-11-01T05:30:00Z", "2026-11-02T06:30:00Z"],
                "{after}"
            );
        }
        // Looked for between the two comings, and during the second hour, it is over.
        for after in ["2026-11-01T05:45:00Z", "2026-11-01T06:15:00Z"] {
            assert_eq!(
                slots("0 30 1 * * *", new_york, after, "2026-11-02T12:00:00Z"),
                ["2026-11-02T06:30:00Z"],
                "{after}"
            );
        }
        // Berlin, 25 October 2026: 03:00 CEST becomes 02:00 CET; 02:30 CEST is 00:30 UTC.
        assert_eq!(
            slots("0 30 2 * * *", chrono_tz::Europe::Berlin, "2026-10-24T12:00:00Z", "2026-10-26T12:00:00Z"),
            ["2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"]
        );
    }
}
