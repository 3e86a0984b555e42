//! Declared formats of dates and times: the plain part of `strftime`.

use super::instant::{self, Unreadable, Written};

/// One piece of a format.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    /// Bytes that must stand there.
    Literal(String),
    Year,
    Month,
    Day,
    Hour,
    Minute,
    Second,
    /// A point and digits, or nothing.
    Fraction,
    /// `Z` or `±HH[[:]MM]`, last.
    Offset,
}

/// A compiled format such as `%Y/%m/%d`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pattern {
    pieces: Vec<Piece>,
    text: String,
}

impl Pattern {
    /// Compiles a format, or tells what in it is not understood.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        const KNOWN: &str = "%Y %m %d %H %M %S %.f %z %F %T %%";
        let mut pieces = Vec::new();
        let mut rest = text;
        while let Some(at) = rest.find('%') {
            push_literal(&mut pieces, &rest[..at]);
            rest = &rest[at + 1..];
            let spec =
                ["-Y", "-m", "-d", "-H", "-M", "-S", ".f", ":z", "Y", "m", "d", "H", "M", "S", "z", "F", "T", "%"]
                    .into_iter()
                    .find(|spec| rest.starts_with(spec))
                    .ok_or_else(|| {
                        let unknown: String = rest.chars().take(1).collect();
                        format!("\"%{unknown}\" in \"{text}\" is not understood; use {KNOWN}")
                    })?;
            rest = &rest[spec.len()..];
            match spec.trim_start_matches(['-', ':']) {
                "Y" => pieces.push(Piece::Year),
                "m" => pieces.push(Piece::Month),
                "d" => pieces.push(Piece::Day),
                "H" => pieces.push(Piece::Hour),
                "M" => pieces.push(Piece::Minute),
                "S" => pieces.push(Piece::Second),
                ".f" => pieces.push(Piece::Fraction),
                "z" => pieces.push(Piece::Offset),
                "F" => pieces.extend([Piece::Year, dash(), Piece::Month, dash(), Piece::Day]),
                "T" => pieces.extend([Piece::Hour, colon(), Piece::Minute, colon(), Piece::Second]),
                _ => push_literal(&mut pieces, "%"),
            }
        }
        push_literal(&mut pieces, rest);
        let pattern = Self { pieces, text: text.into() };
        pattern.validate()?;
        Ok(pattern)
    }

    fn validate(&self) -> Result<(), String> {
        let count = |piece: &Piece| self.pieces.iter().filter(|candidate| *candidate == piece).count();
        for (piece, name) in [(Piece::Year, "%Y"), (Piece::Month, "%m"), (Piece::Day, "%d")] {
            if count(&piece) != 1 {
                return Err(format!("\"{}\" must name {name} once", self.text));
            }
        }
        for (piece, name) in
            [(Piece::Hour, "%H"), (Piece::Minute, "%M"), (Piece::Second, "%S"), (Piece::Fraction, "%.f")]
        {
            if count(&piece) > 1 {
                return Err(format!("\"{}\" names {name} twice", self.text));
            }
        }
        if count(&Piece::Hour) == 0 && self.pieces.iter().any(|piece| matches!(piece, Piece::Minute | Piece::Second)) {
            return Err(format!("\"{}\" has minutes or seconds without the hour, %H", self.text));
        }
        if self.pieces.iter().rev().skip(1).any(|piece| *piece == Piece::Offset) {
            return Err(format!("%z must stand last in \"{}\"", self.text));
        }
        Ok(())
    }

    /// The format as declared.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// Reads a text written in this format and in no other way.
    ///
    /// Months, days and times may be written with one digit, unless they touch another number:
    /// in `%Y%m%d`, `2026115` could be two days.
    pub(super) fn read(&self, text: &[u8]) -> Result<Written, Unreadable> {
        let mut rest = text;
        let (mut year, mut month, mut day) = (0, 0, 0);
        let (mut hour, mut minute, mut second) = (None, 0, 0);
        let mut micros = Ok(0);
        let mut offset = None;
        for (at, piece) in self.pieces.iter().enumerate() {
            let widest = if *piece == Piece::Year { 4 } else { 2 };
            let touches = self.pieces.get(at + 1).is_some_and(Piece::is_number)
                || at.checked_sub(1).and_then(|before| self.pieces.get(before)).is_some_and(Piece::is_number);
            let narrowest = if touches || widest == 4 { widest } else { 1 };
            let mut number = || take_number(&mut rest, narrowest, widest).ok_or(Unreadable::Shape);
            match piece {
                Piece::Year => year = number()?,
                Piece::Month => month = number()?,
                Piece::Day => day = number()?,
                Piece::Hour => hour = Some(number()?),
                Piece::Minute => minute = number()?,
                Piece::Second => second = number()?,
                Piece::Literal(literal) => rest = rest.strip_prefix(literal.as_bytes()).ok_or(Unreadable::Shape)?,
                Piece::Fraction => {
                    if let [b'.', digits @ ..] = rest {
                        (micros, rest) = instant::fraction(digits).ok_or(Unreadable::Shape)?;
                    }
                }
                Piece::Offset => {
                    offset = Some(instant::iso_offset(rest)?.ok_or(Unreadable::Shape)?);
                    rest = &[];
                }
            }
        }
        if !rest.is_empty() {
            return Err(Unreadable::Shape);
        }
        let wrong = Unreadable::Wrong;
        let day = instant::day(year, month, day).map_err(wrong)?;
        let micros = micros.map_err(wrong)?;
        let time = hour.map(|hour| instant::time(hour, minute, second, micros)).transpose().map_err(wrong)?;
        Ok(Written { day, time, offset })
    }
}

impl Piece {
    fn is_number(&self) -> bool {
        !matches!(self, Self::Literal(_) | Self::Fraction | Self::Offset)
    }
}

fn dash() -> Piece {
    Piece::Literal("-".into())
}

fn colon() -> Piece {
    Piece::Literal(":".into())
}

fn push_literal(pieces: &mut Vec<Piece>, text: &str) {
    match pieces.last_mut() {
        _ if text.is_empty() => {}
        Some(Piece::Literal(literal)) => literal.push_str(text),
        _ => pieces.push(Piece::Literal(text.into())),
    }
}

/// Takes as many digits as there are, between the two bounds.
fn take_number(rest: &mut &[u8], narrowest: usize, widest: usize) -> Option<i32> {
    let len = rest.iter().take(widest).take_while(|byte| byte.is_ascii_digit()).count();
    if len < narrowest {
        return None;
    }
    let (digits, after) = rest.split_at(len);
    *rest = after;
    Some(digits.iter().fold(0, |number, digit| number * 10 + i32::from(digit - b'0')))
}

#[cfg(test)]
mod tests {
    use chrono::NaiveDate;

    use super::*;
    use crate::decode::failure::Rule;
    use crate::decode::zone::Zone;

    fn date(format: &str, text: &str) -> Result<String, Rule> {
        let zone = Zone::named("Asia/Shanghai").unwrap();
        let read = Pattern::parse(format).unwrap().read(text.as_bytes());
        let day = read.map_err(|error| error.rule(Rule::NotADate)).and_then(|written| written.date(zone))?;
        Ok(NaiveDate::from_epoch_days(day).unwrap().to_string())
    }

    #[test]
    fn slashes_chinese_and_bare_digits_are_read() {
        assert_eq!(date("%Y/%m/%d", "2026/01/05").unwrap(), "2026-01-05");
        assert_eq!(date("%Y/%m/%d", "2026/1/5").unwrap(), "2026-01-05");
        assert_eq!(date("%Y年%m月%d日", "2026年1月15日").unwrap(), "2026-01-15");
        assert_eq!(date("%Y%m%d", "20260105").unwrap(), "2026-01-05");
        assert_eq!(date("%d.%m.%Y", "5.1.2026").unwrap(), "2026-01-05");
        assert_eq!(date("%Y/%m/%d %H:%M:%S", "2026/1/5 0:00:00").unwrap(), "2026-01-05", "midnight");
    }

    #[test]
    fn another_writing_is_held() {
        for (format, text) in [
            ("%Y/%m/%d", "2026-01-05"),
            ("%Y/%m/%d", "2026/01/05 "),
            ("%Y/%m/%d", "26/01/05"),
            ("%Y/%m/%d", "2026/01"),
            ("%Y/%m/%d", "2026/001/05"),
            ("%Y%m%d", "2026115"),
            ("%Y%m%d", "202601051"),
            ("%Y/%m/%d %H:%M", "2026/1/5 8:30"),
        ] {
            assert_eq!(date(format, text), Err(Rule::NotADate), "{format} {text}");
        }
        assert_eq!(date("%Y/%m/%d", "2026/02/30"), Err(Rule::ImpossibleDate));
    }

    #[test]
    fn times_fractions_and_offsets_are_read() {
        let read = |format: &str, text: &str| Pattern::parse(format).unwrap().read(text.as_bytes()).unwrap();
        let written = read("%d/%m/%Y %T%.f%z", "05/01/2026 08:30:15.25+0800");
        assert_eq!(written.time, Some((8 * 3_600 + 30 * 60 + 15) * 1_000_000 + 250_000));
        assert_eq!(written.offset, Some(8 * 3_600));
        assert_eq!(read("%Y%m%d%H%M%S", "20260105083015").time, Some((8 * 3_600 + 30 * 60 + 15) * 1_000_000));
        assert_eq!(read("%F %H:%M", "2026-01-05 8:30").time, Some((8 * 3_600 + 30 * 60) * 1_000_000));
        assert_eq!(read("%F", "2026-01-05").time, None);
    }

    #[test]
    fn a_format_that_cannot_give_a_day_is_refused() {
        for format in
            ["%Y-%m", "%y/%m/%d", "%Y/%m/%d %M", "%Y %Y %m %d", "%z %F", "%F %H %H", "%Y/%m/%d %", "yyyy-mm-dd"]
        {
            assert!(Pattern::parse(format).is_err(), "{format}");
        }
    }
}
