//! A cron expression with seconds, in the zone of the deployment.

use std::str::FromStr;

use chrono::{DateTime, Utc};
use croner::Cron;
use croner::parser::{CronParser, Seconds};

use super::ZONE;

/// A cron expression that parses: `0 30 2 * * *`, seconds first.
#[derive(Debug, Clone)]
pub struct CronSchedule {
    text: String,
    cron: Cron,
}

impl CronSchedule {
    /// Reads a cron expression; the message says what is wrong.
    pub fn parse(text: &str) -> Result<Self, String> {
        let parser = CronParser::builder().seconds(Seconds::Required).build();
        match parser.parse(text) {
            Ok(cron) => Ok(Self { text: text.to_owned(), cron }),
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
        let next = self.cron.find_next_occurrence(&after.with_timezone(&ZONE), false).ok()?;
        Some(next.with_timezone(&Utc))
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
    use chrono::TimeZone;

    use super::*;

    #[test]
    fn slots_are_counted_in_shanghai() {
        let schedule = CronSchedule::parse("0 30 2 * * *").unwrap();
        let after = Utc.with_ymd_and_hms(2026, 1, 1, 0, 0, 0).unwrap();
        let until = Utc.with_ymd_and_hms(2026, 1, 3, 18, 30, 0).unwrap();
        let slots = schedule.slots(after, until);
        // 02:30 in Shanghai is 18:30 UTC of the day before.
        assert_eq!(slots.len(), 3);
        assert_eq!(slots[0], Utc.with_ymd_and_hms(2026, 1, 1, 18, 30, 0).unwrap());
        assert_eq!(slots[2], until);
    }

    #[test]
    fn a_schedule_without_seconds_is_refused() {
        assert!(CronSchedule::parse("30 2 * * *").is_err());
    }
}
