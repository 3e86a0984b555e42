//! Exact numbers of answers: counts, decimals and the quotients of the two. No floats on the way.

use std::fmt;

use num_bigint::{BigInt, Sign};
use serde::{Serialize, Serializer};
use serde_json::Number;

/// Significant digits of a quotient: enough for every double to be told apart.
const SIGNIFICANT: usize = 17;

/// A sum of numerators or denominators.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quantity {
    /// A whole number; a number in JSON.
    Count(i64),
    /// An exact decimal, `units` × 10^−`scale`; a text in JSON, as money is.
    Decimal {
        /// The digits, without the point.
        units: i128,
        /// Digits after the point.
        scale: u8,
    },
}

impl Quantity {
    /// The number without its point, and its digits after the point.
    pub fn parts(self) -> (i128, u8) {
        match self {
            Self::Count(count) => (i128::from(count), 0),
            Self::Decimal { units, scale } => (units, scale),
        }
    }

    /// What is left of it without another, exact at the longer of the two scales.
    #[must_use]
    pub fn less(self, other: Self) -> Self {
        if let (Self::Count(this), Self::Count(that)) = (self, other) {
            return Self::Count(this - that);
        }
        let ((this, this_scale), (that, that_scale)) = (self.parts(), other.parts());
        let scale = this_scale.max(that_scale);
        let at_scale = |units: i128, from: u8| units * 10_i128.pow(u32::from(scale - from));
        Self::Decimal { units: at_scale(this, this_scale) - at_scale(that, that_scale), scale }
    }

    /// 0 of the same kind.
    #[must_use]
    pub(crate) fn nothing(self) -> Self {
        match self {
            Self::Count(_) => Self::Count(0),
            Self::Decimal { scale, .. } => Self::Decimal { units: 0, scale },
        }
    }

    /// Whether it is 0.
    pub fn is_zero(self) -> bool {
        self.parts().0 == 0
    }
}

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Count(count) => write!(f, "{count}"),
            Self::Decimal { units, scale } => f.write_str(&decimal(&BigInt::from(units), scale.into())),
        }
    }
}

impl Serialize for Quantity {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Count(count) => serializer.serialize_i64(*count),
            Self::Decimal { .. } => serializer.collect_str(self),
        }
    }
}

/// `times` × numerator ÷ denominator, to 17 significant digits, the last one rounded half away from
/// zero; none where the denominator is not above zero.
pub(crate) fn quotient(numerator: Quantity, denominator: Quantity, times: u32) -> Option<Number> {
    let ((n, n_scale), (d, d_scale)) = (numerator.parts(), denominator.parts());
    if d <= 0 {
        return None;
    }
    let n = BigInt::from(n) * times * BigInt::from(10).pow(d_scale.into());
    let d = BigInt::from(d) * BigInt::from(10).pow(n_scale.into());
    significant(&n, &d)
}

/// n ÷ d to 17 significant digits, the last one rounded half away from zero; d is above zero.
pub(crate) fn significant(n: &BigInt, d: &BigInt) -> Option<Number> {
    let digits = |number: &BigInt| number.magnitude().to_string().len();
    let scale = (SIGNIFICANT + digits(d)).saturating_sub(digits(n));
    let scaled = n * BigInt::from(10).pow(u32::try_from(scale).ok()?);
    Some(number(&rounded(&scaled, d), scale))
}

/// A decimal as a JSON number, without zeros at its end.
pub(crate) fn number(units: &BigInt, scale: usize) -> Number {
    let text = decimal(units, scale);
    let text = if scale > 0 { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
    text.parse().unwrap_or_else(|_| Number::from(0))
}

/// n ÷ d as a whole number, half away from zero; d is above zero.
pub(crate) fn rounded(n: &BigInt, d: &BigInt) -> BigInt {
    let magnitude = (n.magnitude() * 2_u32 + d.magnitude()) / (d.magnitude() * 2_u32);
    BigInt::from_biguint(if n.sign() == Sign::Minus { Sign::Minus } else { Sign::Plus }, magnitude)
}

fn decimal(units: &BigInt, scale: usize) -> String {
    let digits = format!("{:0>width$}", units.magnitude().to_string(), width = scale + 1);
    let (whole, fraction) = digits.split_at(digits.len() - scale);
    let sign = if units.sign() == Sign::Minus { "-" } else { "" };
    match fraction {
        "" => format!("{sign}{whole}"),
        fraction => format!("{sign}{whole}.{fraction}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn money(units: i128) -> Quantity {
        Quantity::Decimal { units, scale: 2 }
    }

    fn value(numerator: Quantity, denominator: Quantity) -> Option<String> {
        quotient(numerator, denominator, 1).map(|number| number.to_string())
    }

    #[test]
    fn quotients_are_cut_at_17_digits_and_lose_their_zeros() {
        let of = |n, d| value(Quantity::Count(n), Quantity::Count(d)).unwrap();
        assert_eq!(of(2, 3), "0.66666666666666667");
        assert_eq!(of(1, 2), "0.5");
        assert_eq!(of(3, 3), "1");
        assert_eq!(of(0, 7), "0");
        assert_eq!(of(1, 3_000), "0.00033333333333333333");
        assert_eq!(of(-2, 3), "-0.66666666666666667");
        assert!((of(55, 57).parse::<f64>().unwrap() - 55.0 / 57.0).abs() < 1e-16);
    }

    #[test]
    fn money_is_divided_exactly_whatever_its_size() {
        // 0.1 + 0.2 yuan over 0.3 yuan is 1, and a fen more is not.
        assert_eq!(value(money(30), money(30)), Some("1".into()));
        let large = 123_456_789_012_345_678_901;
        assert_eq!(value(money(large * 2), money(large)), Some("2".into()));
        assert_eq!(value(money(21), Quantity::Count(1)), Some("0.21".into()));
    }

    #[test]
    fn an_empty_or_negative_denominator_gives_no_value() {
        assert_eq!(value(Quantity::Count(1), Quantity::Count(0)), None);
        assert_eq!(value(money(1), money(-5)), None);
    }

    #[test]
    fn money_is_a_text_and_a_count_a_number() {
        let json = serde_json::to_string(&[money(-5), money(123_456), Quantity::Count(7)]).unwrap();
        assert_eq!(json, r#"["-0.05","1234.56",7]"#);
    }
}
