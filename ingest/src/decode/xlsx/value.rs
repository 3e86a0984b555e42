//! What a cell says, as text.

use std::borrow::Cow;

use calamine::{CellErrorType, DataType, ExcelDateTime};
use chrono::{Datelike, NaiveTime, Timelike};

use crate::decode::failure::Rule;

/// 2^53: whole numbers beyond are not all kept apart by what spreadsheets compute with.
const EXACT: f64 = 9_007_199_254_740_992.0;
/// The day after 9999-12-31 in the date system of 1900.
const SERIALS: f64 = 2_958_466.0;

/// What stands in a cell.
#[derive(Debug)]
pub(super) enum Given<'a> {
    Empty,
    /// A formula whose result is not in the file.
    Uncalculated,
    Text(&'a str),
    Number(f64),
    Whole(i64),
    Truth(bool),
    /// A number in a cell that is formatted as a date, time or duration.
    Moment(ExcelDateTime),
    /// A date or time in ISO 8601.
    Iso(&'a str),
    Error(&'a CellErrorType),
}

impl<'a> Given<'a> {
    /// What the library read.
    pub(super) fn of(value: &'a impl DataType, has_formula: bool) -> Self {
        if let Some(text) = value.get_string() {
            Self::Text(text)
        } else if let Some(number) = value.get_float() {
            Self::Number(number)
        } else if let Some(moment) = value.get_datetime() {
            Self::Moment(moment)
        } else if let Some(number) = value.get_int() {
            Self::Whole(number)
        } else if let Some(truth) = value.get_bool() {
            Self::Truth(truth)
        } else if let Some(error) = value.get_error() {
            Self::Error(error)
        } else if let Some(text) = value.get_datetime_iso() {
            Self::Iso(text)
        } else if let Some(text) = value.get_duration_iso() {
            Self::Text(text)
        } else if has_formula {
            Self::Uncalculated
        } else {
            Self::Empty
        }
    }

    /// The same as text.
    pub(super) fn shown(self) -> Shown<'a> {
        match self {
            Self::Empty => Shown::Nothing,
            Self::Uncalculated => Shown::Uncalculated,
            Self::Text(text) => Shown::Text(text.into()),
            Self::Number(number) if number.abs() > EXACT => Shown::Faulty(Rule::DigitsLost, number.to_string()),
            Self::Number(number) => Shown::Text(fifteen_digits(number).into()),
            Self::Whole(number) => Shown::Text(number.to_string().into()),
            Self::Truth(truth) => Shown::Text(truth.to_string().into()),
            Self::Moment(moment) if moment.is_duration() => Shown::Text(duration(moment.as_f64()).into()),
            Self::Moment(moment) => date_and_time(&moment),
            Self::Iso(text) => Shown::Moment(text.into()),
            Self::Error(error) => Shown::Faulty(Rule::CellError, error.to_string()),
        }
    }
}

/// A cell as text, and what kind of text it is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Shown<'a> {
    Nothing,
    Uncalculated,
    Text(Cow<'a, str>),
    /// A date or time in ISO 8601.
    Moment(Cow<'a, str>),
    /// What is no value, and why.
    Faulty(Rule, String),
}

impl Shown<'_> {
    /// The text, if there is any.
    pub(super) fn text(&self) -> Option<&str> {
        match self {
            Self::Nothing | Self::Uncalculated => None,
            Self::Text(text) | Self::Moment(text) => Some(text),
            Self::Faulty(_, text) => Some(text),
        }
    }
}

/// A number with the fifteen digits that spreadsheets show and mean: a sum of money ends in .56, not
/// in .5600000000000001. Whole numbers have no point, and none has an exponent.
fn fifteen_digits(number: f64) -> String {
    let text = number.to_string();
    let digits = text.bytes().filter(u8::is_ascii_digit).count();
    let zeros = text.bytes().take_while(|byte| matches!(byte, b'-' | b'0' | b'.')).filter(u8::is_ascii_digit).count();
    if number.fract() == 0.0 || digits - zeros <= 15 {
        return text;
    }
    format!("{number:.14e}").parse::<f64>().map_or(text, |rounded| rounded.to_string())
}

fn date_and_time(moment: &ExcelDateTime) -> Shown<'static> {
    let serial = moment.as_f64();
    let impossible = |text: String| Shown::Faulty(Rule::ImpossibleDate, text);
    if !(0.0..SERIALS).contains(&serial) {
        return impossible(serial.to_string());
    }
    let Some(read) = moment.as_datetime() else {
        return impossible(serial.to_string());
    };
    // A time of day without a day.
    if serial < 1.0 {
        return Shown::Text(read.format("%H:%M:%S").to_string().into());
    }
    // The day that spreadsheets have and the calendar has not.
    if (60.0..61.0).contains(&serial) && read.year() == 1900 {
        return impossible("1900-02-29".into());
    }
    let format = match read.time() == NaiveTime::MIN {
        true => "%Y-%m-%d",
        false if read.nanosecond() == 0 => "%Y-%m-%d %H:%M:%S",
        false => "%Y-%m-%d %H:%M:%S%.3f",
    };
    Shown::Moment(read.format(format).to_string().into())
}

/// Days as hours, minutes and seconds.
fn duration(days: f64) -> String {
    let seconds = (days.abs() * 86_400.0).round() as u64;
    let sign = if days < 0.0 { "-" } else { "" };
    format!("{sign}{}:{:02}:{:02}", seconds / 3_600, seconds / 60 % 60, seconds % 60)
}

#[cfg(test)]
mod tests {
    use calamine::{Data, ExcelDateTimeType};

    use super::*;

    fn shown(value: Data) -> Shown<'static> {
        match Given::of(&value, false).shown() {
            Shown::Text(text) => Shown::Text(text.into_owned().into()),
            Shown::Moment(text) => Shown::Moment(text.into_owned().into()),
            Shown::Faulty(rule, text) => Shown::Faulty(rule, text),
            Shown::Nothing => Shown::Nothing,
            Shown::Uncalculated => Shown::Uncalculated,
        }
    }

    fn text(number: f64) -> String {
        match shown(Data::Float(number)) {
            Shown::Text(text) => text.into_owned(),
            other => panic!("{number}: {other:?}"),
        }
    }

    fn day(serial: f64, is_1904: bool) -> Shown<'static> {
        shown(Data::DateTime(ExcelDateTime::new(serial, ExcelDateTimeType::DateTime, is_1904)))
    }

    #[test]
    fn numbers_are_written_as_spreadsheets_mean_them() {
        for (number, expected) in [
            (330_100.0, "330100"),
            (-5.0, "-5"),
            (0.1 + 0.2, "0.3"),
            (1_234.56 + 2e-13, "1234.56"),
            (0.05, "0.05"),
            (1e-7, "0.0000001"),
            (123_456_789_012_345.6, "123456789012346"),
            (9_007_199_254_740_991.0, "9007199254740991"),
            (1.0 / 3.0, "0.333333333333333"),
        ] {
            assert_eq!(text(number), expected);
        }
        // An identity card typed into a cell that is not formatted as text.
        let lost = shown(Data::Float(330_102_199_001_011_234_i64 as f64));
        assert!(matches!(lost, Shown::Faulty(Rule::DigitsLost, _)), "{lost:?}");
    }

    #[test]
    fn serials_are_days_of_either_date_system() {
        // 2026-01-05 is 46027 days after 1899-12-30, and 44565 after 1904-01-01.
        assert_eq!(day(46_027.0, false), Shown::Moment("2026-01-05".into()));
        assert_eq!(day(44_565.0, true), Shown::Moment("2026-01-05".into()));
        assert_eq!(day(46_027.0 + 8.5 / 24.0, false), Shown::Moment("2026-01-05 08:30:00".into()));
        assert_eq!(day(1.0, false), Shown::Moment("1900-01-01".into()));
        assert_eq!(day(61.0, false), Shown::Moment("1900-03-01".into()));
        assert_eq!(day(60.0, false), Shown::Faulty(Rule::ImpossibleDate, "1900-02-29".into()));
        assert_eq!(day(-1.0, false), Shown::Faulty(Rule::ImpossibleDate, "-1".into()));
        assert_eq!(day(0.5, false), Shown::Text("12:00:00".into()));
    }

    #[test]
    fn durations_truths_and_errors_are_said() {
        let span = ExcelDateTime::new(1.5, ExcelDateTimeType::TimeDelta, false);
        assert_eq!(shown(Data::DateTime(span)), Shown::Text("36:00:00".into()));
        assert_eq!(shown(Data::Bool(true)), Shown::Text("true".into()));
        assert_eq!(shown(Data::Error(CellErrorType::NA)), Shown::Faulty(Rule::CellError, "#N/A".into()));
        assert_eq!(shown(Data::Empty), Shown::Nothing);
        assert_eq!(Given::of(&Data::Empty, true).shown(), Shown::Uncalculated);
    }
}
