//! Dates and times as written, before any zone is applied.

use super::failure::Rule;
use super::zone::Zone;

const SECOND: i64 = 1_000_000;
const DAY: i64 = 86_400 * SECOND;
/// Years outside are slips of the pen or stand for *never*; the latter is declared as a null token.
const YEARS: std::ops::RangeInclusive<i32> = 1900..=2200;

/// A date, perhaps with a time of day and an offset from UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Written {
    /// Days since 1970-01-01.
    pub(super) day: i32,
    /// Microseconds since midnight, if a time is written.
    pub(super) time: Option<i64>,
    /// Seconds east of UTC, if an offset is written.
    pub(super) offset: Option<i32>,
}

/// Why a text is no date or time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unreadable {
    /// Not written in the expected way.
    Shape,
    /// Written rightly, but wrong.
    Wrong(Rule),
}

impl Unreadable {
    /// The rule, with the column's own name for a text of another shape.
    pub(super) fn rule(self, shape: Rule) -> Rule {
        match self {
            Self::Shape => shape,
            Self::Wrong(rule) => rule,
        }
    }
}

impl Written {
    /// The day, if the value is one: no time, or midnight.
    ///
    /// With an offset, midnight as written counts, and so does midnight in the feed's zone: systems
    /// that keep days as instants print `2025-12-31T16:00:00Z` for the first of January in Shanghai.
    pub(super) fn date(self, zone: Zone) -> Result<i32, Rule> {
        match (self.time, self.offset) {
            (None | Some(0), _) => Ok(self.day),
            (Some(time), Some(offset)) => {
                let utc = i64::from(self.day) * DAY + time - i64::from(offset) * SECOND;
                let local = zone.to_local(utc).filter(|local| local % DAY == 0).ok_or(Rule::NotADate)?;
                i32::try_from(local / DAY).map_err(|_| Rule::DateOutOfRange)
            }
            (Some(_), None) => Err(Rule::NotADate),
        }
    }

    /// Microseconds since 1970 in UTC; a missing time is midnight, a missing offset the zone's.
    pub(super) fn instant(self, zone: Zone) -> Result<i64, Rule> {
        let local = i64::from(self.day) * DAY + self.time.unwrap_or(0);
        match self.offset {
            Some(offset) => Ok(local - i64::from(offset) * SECOND),
            None => zone.to_utc(local),
        }
    }
}

/// `2026-01-31` in its most common form; `None` sends the caller to [`iso`].
#[inline]
pub(super) fn quick_day(text: &[u8]) -> Option<i32> {
    let text: &[u8; 10] = text.try_into().ok()?;
    if text[4] != b'-' || text[7] != b'-' {
        return None;
    }
    let year = two(text[0], text[1])? * 100 + two(text[2], text[3])?;
    day(year, two(text[5], text[6])?, two(text[8], text[9])?).ok()
}

/// ISO 8601 as databases and RFC 3339 write it: `YYYY-MM-DD`, then perhaps `T` or a space,
/// `HH:MM[:SS[.ffffff]]`, then perhaps `Z` or `±HH[[:]MM]`.
pub(super) fn iso(text: &[u8]) -> Result<Written, Unreadable> {
    let (date, rest) = text.split_at_checked(10).ok_or(Unreadable::Shape)?;
    if date[4] != b'-' || date[7] != b'-' {
        return Err(Unreadable::Shape);
    }
    let number = |high: usize| two(date[high], date[high + 1]).ok_or(Unreadable::Shape);
    let (year, month, day_of_month) = (number(0)? * 100 + number(2)?, number(5)?, number(8)?);
    let day = day(year, month, day_of_month);
    let [b'T' | b't' | b' ', clock @ ..] = rest else {
        return match rest.is_empty() {
            true => Ok(Written { day: day.map_err(Unreadable::Wrong)?, time: None, offset: None }),
            false => Err(Unreadable::Shape),
        };
    };
    let (time, rest) = iso_clock(clock)?;
    let offset = iso_offset(rest)?;
    Ok(Written { day: day.map_err(Unreadable::Wrong)?, time: Some(time.map_err(Unreadable::Wrong)?), offset })
}

/// Reads `HH:MM[:SS[.f…]]` and gives what follows it. A time that is well written but wrong is an
/// inner error: the shape of the rest is judged first.
fn iso_clock(text: &[u8]) -> Result<(Result<i64, Rule>, &[u8]), Unreadable> {
    let [h1, h2, b':', m1, m2, rest @ ..] = text else {
        return Err(Unreadable::Shape);
    };
    let hour = two(*h1, *h2).ok_or(Unreadable::Shape)?;
    let minute = two(*m1, *m2).ok_or(Unreadable::Shape)?;
    let [b':', s1, s2, rest @ ..] = rest else {
        return Ok((time(hour, minute, 0, 0), rest));
    };
    let second = two(*s1, *s2).ok_or(Unreadable::Shape)?;
    let [b'.', rest @ ..] = rest else {
        return Ok((time(hour, minute, second, 0), rest));
    };
    let (micros, rest) = fraction(rest).ok_or(Unreadable::Shape)?;
    Ok((micros.and_then(|micros| time(hour, minute, second, micros)), rest))
}

/// Microseconds from the digits of a fraction, and what follows them; finer digits must be zeros.
pub(super) fn fraction(text: &[u8]) -> Option<(Result<i64, Rule>, &[u8])> {
    let len = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    if len == 0 {
        return None;
    }
    let (digits, rest) = text.split_at(len);
    let micros = (0..6).fold(0, |micros, at| micros * 10 + digits.get(at).map_or(0, |digit| i64::from(digit - b'0')));
    let exact = digits.iter().skip(6).all(|digit| *digit == b'0');
    Some((if exact { Ok(micros) } else { Err(Rule::TooManyFractionDigits) }, rest))
}

/// Reads nothing, `Z` or `±HH[[:]MM]` up to the end of the text.
pub(super) fn iso_offset(text: &[u8]) -> Result<Option<i32>, Unreadable> {
    let (sign, hours, minutes) = match text {
        [] => return Ok(None),
        [b'Z' | b'z'] => return Ok(Some(0)),
        [sign, h1, h2] => (sign, two(*h1, *h2), Some(0)),
        [sign, h1, h2, m1, m2] | [sign, h1, h2, b':', m1, m2] => (sign, two(*h1, *h2), two(*m1, *m2)),
        _ => return Err(Unreadable::Shape),
    };
    let (Some(hours), Some(minutes)) = (hours, minutes) else {
        return Err(Unreadable::Shape);
    };
    let sign = match sign {
        b'+' => 1,
        b'-' => -1,
        _ => return Err(Unreadable::Shape),
    };
    match hours <= 18 && minutes <= 59 {
        true => Ok(Some(sign * (hours * 3_600 + minutes * 60))),
        false => Err(Unreadable::Wrong(Rule::ImpossibleTime)),
    }
}

/// Microseconds since midnight; neither 24:00 nor a leap second is a time of ours.
pub(super) fn time(hour: i32, minute: i32, second: i32, micros: i64) -> Result<i64, Rule> {
    match (0..24).contains(&hour) && (0..60).contains(&minute) && (0..60).contains(&second) {
        true => Ok(i64::from(hour * 3_600 + minute * 60 + second) * SECOND + micros),
        false => Err(Rule::ImpossibleTime),
    }
}

/// Days since 1970-01-01 of a day in the Gregorian calendar.
#[inline]
pub(super) fn day(year: i32, month: i32, day: i32) -> Result<i32, Rule> {
    const LENGTHS: [i32; 12] = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let Some(length) = usize::try_from(month - 1).ok().and_then(|month| LENGTHS.get(month)) else {
        return Err(Rule::ImpossibleDate);
    };
    if day < 1 || day > length + i32::from(is_leap && month == 2) {
        return Err(Rule::ImpossibleDate);
    }
    if !YEARS.contains(&year) {
        return Err(Rule::DateOutOfRange);
    }
    // Years that start in March have their leap day last, so that days before a month are linear.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days_before_month = (153 * month + 2) / 5;
    Ok(year * 365 + year / 4 - year / 100 + year / 400 + days_before_month + day - 1 - DAYS_TO_1970)
}

/// Days from 0000-03-01 to 1970-01-01.
const DAYS_TO_1970: i32 = 719_468;

/// A number of two digits.
#[inline]
pub(super) fn two(high: u8, low: u8) -> Option<i32> {
    let (high, low) = (high.wrapping_sub(b'0'), low.wrapping_sub(b'0'));
    (high <= 9 && low <= 9).then(|| i32::from(high) * 10 + i32::from(low))
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, Datelike, NaiveDate};

    use super::*;

    fn shanghai() -> Zone {
        Zone::named("Asia/Shanghai").unwrap()
    }

    fn date(text: &str) -> Result<String, Rule> {
        let read = iso(text.as_bytes()).map_err(|error| error.rule(Rule::NotADate));
        let day = read.and_then(|written| written.date(shanghai()))?;
        assert!(text.len() != 10 || quick_day(text.as_bytes()) == Some(day));
        Ok(NaiveDate::from_epoch_days(day).unwrap().to_string())
    }

    fn instant(text: &str) -> Result<String, Rule> {
        let read = iso(text.as_bytes()).map_err(|error| error.rule(Rule::NotATimestamp));
        let micros = read.and_then(|written| written.instant(shanghai()))?;
        Ok(DateTime::from_timestamp_micros(micros).unwrap().format("%F %T%.6f").to_string())
    }

    #[test]
    fn every_day_of_three_centuries_is_counted_as_chrono_counts_it() {
        let mut expected = NaiveDate::from_ymd_opt(1900, 1, 1).unwrap();
        while expected.year() <= 2200 {
            let text = expected.to_string();
            assert_eq!(quick_day(text.as_bytes()), Some(expected.to_epoch_days()), "{text}");
            expected = expected.succ_opt().unwrap();
        }
    }

    #[test]
    fn days_that_no_calendar_has_are_impossible() {
        for text in ["2026-02-29", "1900-02-29", "2026-13-01", "2026-00-10", "2026-04-31", "2026-01-00", "2026-01-32"] {
            assert_eq!(date(text), Err(Rule::ImpossibleDate), "{text}");
            assert_eq!(quick_day(text.as_bytes()), None);
        }
        assert_eq!(date("2024-02-29").unwrap(), "2024-02-29");
        assert_eq!(date("2000-02-29").unwrap(), "2000-02-29");
    }

    #[test]
    fn never_is_not_a_date() {
        for text in ["9999-12-31", "1899-12-31", "0001-01-01", "2201-01-01"] {
            assert_eq!(date(text), Err(Rule::DateOutOfRange), "{text}");
        }
    }

    #[test]
    fn only_iso_is_read_without_a_format() {
        for text in [
            "2026/01/05",
            "20260105",
            "2026-1-5",
            "05-01-2026",
            "2026-01-05x",
            "2026年1月5日",
            "2026-01-0５",
            "-026-01-05",
        ] {
            assert_eq!(date(text), Err(Rule::NotADate), "{text}");
        }
    }

    #[test]
    fn a_midnight_timestamp_is_a_date() {
        for text in [
            "2026-01-01 00:00:00",
            "2026-01-01T00:00:00",
            "2026-01-01 00:00:00.000",
            "2026-01-01 00:00",
            "2026-01-01T00:00:00+08:00",
            "2026-01-01T00:00:00Z",
            "2025-12-31T16:00:00Z",
            "2025-12-31T16:00:00.000Z",
        ] {
            assert_eq!(date(text).unwrap(), "2026-01-01", "{text}");
        }
        for text in ["2026-01-01 08:00:00", "2026-01-01T12:00:00Z", "2026-01-01 00:00:00.000001"] {
            assert_eq!(date(text), Err(Rule::NotADate), "{text}");
        }
    }

    #[test]
    fn times_without_a_zone_are_the_feeds() {
        assert_eq!(instant("2026-03-01 09:30:00").unwrap(), "2026-03-01 01:30:00.000000");
        assert_eq!(instant("2026-03-01T09:30:00.5").unwrap(), "2026-03-01 01:30:00.500000");
        assert_eq!(instant("2026-03-01 09:30:00.123456").unwrap(), "2026-03-01 01:30:00.123456");
        assert_eq!(instant("2026-03-01 09:30:00.123456000").unwrap(), "2026-03-01 01:30:00.123456");
        assert_eq!(instant("2026-03-01 09:30").unwrap(), "2026-03-01 01:30:00.000000");
    }

    #[test]
    fn a_written_offset_wins() {
        for text in [
            "2026-03-01T09:30:00+08:00",
            "2026-03-01T01:30:00Z",
            "2026-03-01t01:30:00z",
            "2026-02-28T20:00:00-0530",
            "2026-03-01 09:30:00+08",
        ] {
            assert_eq!(instant(text).unwrap(), "2026-03-01 01:30:00.000000", "{text}");
        }
    }

    #[test]
    fn times_that_no_clock_shows_are_impossible() {
        for text in ["2026-03-01 24:00:00", "2026-03-01 09:60:00", "2026-03-01 09:30:60", "2026-03-01T09:30:00+19:00"] {
            assert_eq!(instant(text), Err(Rule::ImpossibleTime), "{text}");
        }
        assert_eq!(instant("2026-02-30 09:30:00"), Err(Rule::ImpossibleDate));
        assert_eq!(instant("2026-03-01 09:30:00.1234567"), Err(Rule::TooManyFractionDigits));
    }

    #[test]
    fn other_writings_are_no_timestamps() {
        for text in [
            "2026-03-01 9:30:00",
            "2026-03-01  09:30:00",
            "2026-03-01 09:30:",
            "2026-03-01 09:30:00.",
            "2026-03-01 09",
            "1767225600",
        ] {
            assert_eq!(instant(text), Err(Rule::NotATimestamp), "{text}");
        }
    }
}
