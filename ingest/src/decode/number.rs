//! Numbers from plain digits, exactly: no floating point, no rounding, no guessing.

use super::failure::Rule;

/// 10^0 … 10^38, all that an `i128` holds.
const POWERS: [i128; 39] = {
    let mut powers = [1; 39];
    let mut at = 1;
    while at < powers.len() {
        powers[at] = powers[at - 1] * 10;
        at += 1;
    }
    powers
};

/// An exact positive number to multiply by: `mantissa` · 10^-`places`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Factor {
    mantissa: i128,
    places: u32,
}

impl Factor {
    /// Reads a factor such as `10000` or `0.01`.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let written = digits(text.as_bytes()).ok()?;
        // Eighteen digits are more than any unit of money needs, and keep products within range.
        let usable = !written.negative && (1..POWERS[18]).contains(&written.mantissa) && written.places <= 18;
        usable.then_some(Self { mantissa: written.mantissa, places: written.places })
    }
}

/// How the numbers of a column are read.
#[derive(Debug, Clone)]
pub(super) struct NumberShape {
    /// Digits in all.
    pub(super) precision: u8,
    /// Digits after the point; the value read is in units of the last one.
    pub(super) scale: u8,
    pub(super) factor: Option<Factor>,
    /// The separator of thousands, where the feed has declared one.
    pub(super) thousands: Option<u8>,
}

impl NumberShape {
    /// Reads numbers of up to 18 digits as most are written; `None` sends the caller to [`Self::read`].
    #[inline]
    pub(super) fn quick(&self, text: &[u8]) -> Option<i128> {
        let (negative, text) = match text {
            [b'-', rest @ ..] => (true, rest),
            _ => (false, text),
        };
        // Nineteen digits fit an u64.
        if text.is_empty() || text.len() > 19 {
            return None;
        }
        let (whole, rest) = leading_digits(text, 0);
        let (mantissa, rest, places) = match rest {
            [] => (whole, rest, 0),
            [b'.', fraction @ ..] if !fraction.is_empty() => {
                let (mantissa, rest) = leading_digits(fraction, whole);
                (mantissa, rest, fraction.len() as u32)
            }
            _ => return None,
        };
        if !rest.is_empty() {
            return None;
        }
        let scale = u32::from(self.scale);
        if self.factor.is_some() || places > scale {
            return self.scaled(negative, i128::from(mantissa), places).ok();
        }
        let value = i128::from(mantissa).checked_mul(POWERS[(scale - places) as usize])?;
        (value < POWERS[usize::from(self.precision)]).then_some(if negative { -value } else { value })
    }

    /// Reads a number, or tells what is wrong with it.
    pub(super) fn read(&self, text: &str) -> Result<i128, Rule> {
        let written = match self.thousands {
            Some(separator) if text.as_bytes().contains(&separator) => {
                digits(&without_separators(text.as_bytes(), separator).ok_or(Rule::NotANumber)?)?
            }
            _ => digits(text.as_bytes())?,
        };
        self.scaled(written.negative, written.mantissa, written.places)
    }

    /// `mantissa` · 10^-`places` · factor in units of the last digit of the type, if it is exact.
    fn scaled(&self, negative: bool, mut mantissa: i128, mut places: u32) -> Result<i128, Rule> {
        if let Some(factor) = self.factor {
            mantissa = mantissa.checked_mul(factor.mantissa).ok_or(Rule::NumberTooLarge)?;
            places += factor.places;
        }
        let scale = u32::from(self.scale);
        let value = if places <= scale {
            mantissa.checked_mul(POWERS[(scale - places) as usize]).ok_or(Rule::NumberTooLarge)?
        } else {
            let divisor = POWERS.get((places - scale) as usize).copied().unwrap_or(i128::MAX);
            if mantissa % divisor != 0 {
                return Err(Rule::TooManyFractionDigits);
            }
            mantissa / divisor
        };
        match value < POWERS[usize::from(self.precision)] {
            true => Ok(if negative { -value } else { value }),
            false => Err(Rule::NumberTooLarge),
        }
    }
}

/// Appends the digits at the start of a text to a number, and gives what follows them.
#[inline(always)]
fn leading_digits(text: &[u8], mut number: u64) -> (u64, &[u8]) {
    for (at, byte) in text.iter().enumerate() {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return (number, &text[at..]);
        }
        number = number.wrapping_mul(10).wrapping_add(u64::from(digit));
    }
    (number, &[])
}

/// A number as written: ±`mantissa` · 10^-`places`.
struct Written {
    negative: bool,
    mantissa: i128,
    places: u32,
}

/// Reads `-`, digits, a point, digits. A number may start with the point (Oracle writes `.5`), but
/// not end with it, and has neither `+` nor exponent.
fn digits(text: &[u8]) -> Result<Written, Rule> {
    let (negative, text) = match text {
        [b'-', rest @ ..] => (true, rest),
        _ => (false, text),
    };
    let (whole, fraction) = match text.iter().position(|byte| *byte == b'.') {
        Some(at) if at + 1 < text.len() => (&text[..at], &text[at + 1..]),
        Some(_) => return Err(Rule::NotANumber),
        None => (text, &[][..]),
    };
    let all_digits = |part: &[u8]| part.iter().all(u8::is_ascii_digit);
    if text.is_empty() || !all_digits(whole) || !all_digits(fraction) {
        return Err(Rule::NotANumber);
    }
    // Zeros that say nothing do not count as digits.
    let whole = &whole[whole.iter().take_while(|byte| **byte == b'0').count()..];
    let fraction = &fraction[..fraction.iter().rposition(|byte| *byte != b'0').map_or(0, |last| last + 1)];
    if whole.len() > 38 {
        return Err(Rule::NumberTooLarge);
    }
    if whole.len() + fraction.len() > 38 {
        return Err(Rule::TooManyFractionDigits);
    }
    let mantissa = whole.iter().chain(fraction).fold(0, |value, byte| value * 10 + i128::from(byte - b'0'));
    Ok(Written { negative, mantissa, places: fraction.len() as u32 })
}

/// `1,234,567.8` without its separators; `None` if they do not part groups of three.
fn without_separators(text: &[u8], separator: u8) -> Option<Vec<u8>> {
    let (whole, fraction) = text.split_at(text.iter().position(|byte| *byte == b'.').unwrap_or(text.len()));
    let (sign, whole) = whole.split_at(usize::from(whole.first() == Some(&b'-')));
    let mut groups = whole.split(|byte| *byte == separator);
    let first = groups.next()?;
    if fraction.contains(&separator) || !(1..=3).contains(&first.len()) {
        return None;
    }
    let mut plain = [sign, first].concat();
    for group in groups {
        if group.len() != 3 {
            return None;
        }
        plain.extend_from_slice(group);
    }
    plain.extend_from_slice(fraction);
    Some(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn money() -> NumberShape {
        NumberShape { precision: 18, scale: 2, factor: None, thousands: None }
    }

    fn int() -> NumberShape {
        NumberShape { precision: 19, scale: 0, factor: None, thousands: None }
    }

    fn read(shape: &NumberShape, text: &str) -> Result<i128, Rule> {
        let read = shape.read(text);
        if let Some(quick) = shape.quick(text.as_bytes()) {
            assert_eq!(read, Ok(quick), "the quick way reads {text} otherwise");
        }
        read
    }

    #[test]
    fn money_is_read_in_fen() {
        for (text, fen) in [
            ("0", 0),
            ("12", 1_200),
            ("12.3", 1_230),
            ("12.34", 1_234),
            ("-12.34", -1_234),
            ("-0", 0),
            ("-0.00", 0),
            (".5", 50),
            ("-.5", -50),
            ("007", 700),
            ("12.340000000000000000000000000000000000000000000", 1_234),
            ("0000000000000000000000000000000000000000000000012", 1_200),
            ("9999999999999999.99", 999_999_999_999_999_999),
        ] {
            assert_eq!(read(&money(), text), Ok(fen), "{text}");
        }
    }

    #[test]
    fn what_is_no_number_is_held() {
        for text in [
            "", "-", ".", "5.", "+5", "1e3", "1E3", "1.2.3", "--1", "1-", "0x10", "12元", "1,234", "１２", "٣", "NaN",
            "1 234", "inf", "1_000",
        ] {
            assert_eq!(read(&money(), text), Err(Rule::NotANumber), "{text}");
        }
    }

    #[test]
    fn a_third_digit_after_the_point_is_held_and_not_rounded() {
        for text in ["0.001", "1.005", "-1.999", "0.00000000000000000000000000000000000000000000001"] {
            assert_eq!(read(&money(), text), Err(Rule::TooManyFractionDigits), "{text}");
        }
        assert_eq!(read(&money(), "1.500"), Ok(150), "a zero says nothing");
    }

    #[test]
    fn more_than_eighteen_digits_are_too_large() {
        assert_eq!(read(&money(), "10000000000000000"), Err(Rule::NumberTooLarge));
        assert_eq!(read(&money(), "-10000000000000000"), Err(Rule::NumberTooLarge));
        assert_eq!(read(&money(), &"9".repeat(60)), Err(Rule::NumberTooLarge));
        let widest = NumberShape { precision: 38, scale: 0, factor: None, thousands: None };
        assert_eq!(read(&widest, &"9".repeat(38)), Ok(POWERS[38] - 1));
        assert_eq!(read(&widest, &"9".repeat(39)), Err(Rule::NumberTooLarge));
    }

    #[test]
    fn ten_thousand_yuan_become_yuan_exactly() {
        let shape = NumberShape { factor: Factor::parse("10000"), ..money() };
        assert_eq!(read(&shape, "1.23456"), Ok(1_234_560), "1.23456 万元 are 12345.60 元");
        assert_eq!(read(&shape, "1.234567"), Ok(1_234_567));
        assert_eq!(read(&shape, "1.2345678"), Err(Rule::TooManyFractionDigits));
        assert_eq!(read(&shape, "999999999999.999999"), Ok(999_999_999_999_999_999));
        assert_eq!(read(&shape, "1000000000000"), Err(Rule::NumberTooLarge));
    }

    #[test]
    fn percents_become_fractions_of_one() {
        let ratio = NumberShape { precision: 9, scale: 6, factor: Factor::parse("0.01"), thousands: None };
        assert_eq!(read(&ratio, "5.25"), Ok(52_500));
        assert_eq!(read(&ratio, "5.25001"), Err(Rule::TooManyFractionDigits));
        let halves = NumberShape { factor: Factor::parse("0.5"), ..money() };
        assert_eq!(read(&halves, "0.02"), Ok(1));
        assert_eq!(read(&halves, "0.01"), Err(Rule::TooManyFractionDigits), "half a fen");
    }

    #[test]
    fn a_factor_is_positive_and_plain() {
        for text in ["0", "-1", "1e4", "", "1000000000000000000", "0.0000000000000000001"] {
            assert_eq!(Factor::parse(text), None, "{text}");
        }
    }

    #[test]
    fn thousands_are_parted_in_threes_or_not_at_all() {
        let shape = NumberShape { thousands: Some(b','), ..money() };
        assert_eq!(read(&shape, "1,234,567.89"), Ok(123_456_789));
        assert_eq!(read(&shape, "-1,234"), Ok(-123_400));
        assert_eq!(read(&shape, "1234567.89"), Ok(123_456_789));
        for text in ["1,23", "12,34,567", ",123", "1,234,", "1234,567", "1.234,5", "1,,234", "-,123"] {
            assert_eq!(read(&shape, text), Err(Rule::NotANumber), "{text}");
        }
    }

    #[test]
    fn whole_numbers_may_carry_a_zero_fraction() {
        assert_eq!(read(&int(), "3.0"), Ok(3));
        assert_eq!(read(&int(), "3.00"), Ok(3));
        assert_eq!(read(&int(), "3.5"), Err(Rule::TooManyFractionDigits), "the column calls it not_an_int");
        assert_eq!(read(&int(), "9223372036854775807"), Ok(i128::from(i64::MAX)));
    }
}
