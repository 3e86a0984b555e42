//! Exact fractions: what scores are computed with, so that no rounding decides between two grades.

use std::cmp::Ordering;
use std::fmt;

use num_bigint::{BigInt, Sign};
use serde_json::Number;

use crate::quantity::{Quantity, number, rounded, significant};

/// An exact fraction in its lowest terms; the denominator is above zero.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Exact {
    n: BigInt,
    d: BigInt,
}

impl Exact {
    /// A whole number.
    pub(crate) fn whole(number: i64) -> Self {
        Self { n: BigInt::from(number), d: BigInt::from(1) }
    }

    /// A sum of cases.
    pub(crate) fn of(quantity: Quantity) -> Self {
        let (units, scale) = quantity.parts();
        Self::reduced(BigInt::from(units), BigInt::from(10).pow(scale.into()))
    }

    /// Numerator over denominator; none where the denominator is not above zero.
    pub(crate) fn ratio(numerator: Quantity, denominator: Quantity) -> Option<Self> {
        let denominator = Self::of(denominator);
        (denominator.n.sign() == Sign::Plus).then(|| Self::of(numerator).over(&denominator)).flatten()
    }

    /// Reads a decimal without exponent (`0.80`, `-3`, `20`), or a fraction as [`fmt::Display`] writes it.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        if let Some((n, d)) = text.split_once('/') {
            let (n, d): (BigInt, BigInt) = (n.parse().ok()?, d.parse().ok()?);
            return (d.sign() == Sign::Plus).then(|| Self::reduced(n, d));
        }
        let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
        let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, ""));
        let digits = |part: &str| part.bytes().all(|digit| digit.is_ascii_digit());
        if whole.is_empty() || !digits(whole) || !digits(fraction) || unsigned.ends_with('.') || text.len() > 40 {
            return None;
        }
        let units: BigInt = format!("{whole}{fraction}").parse().ok()?;
        let units = if text.starts_with('-') { -units } else { units };
        Some(Self::reduced(units, BigInt::from(10).pow(u32::try_from(fraction.len()).ok()?)))
    }

    fn reduced(n: BigInt, d: BigInt) -> Self {
        let (mut a, mut b) = (BigInt::from(n.magnitude().clone()), d.clone());
        while b.sign() != Sign::NoSign {
            let rest = &a % &b;
            a = std::mem::replace(&mut b, rest);
        }
        if a == BigInt::from(1) { Self { n, d } } else { Self { n: &n / &a, d: &d / &a } }
    }

    pub(crate) fn plus(&self, other: &Self) -> Self {
        Self::reduced(&self.n * &other.d + &other.n * &self.d, &self.d * &other.d)
    }

    pub(crate) fn less(&self, other: &Self) -> Self {
        Self::reduced(&self.n * &other.d - &other.n * &self.d, &self.d * &other.d)
    }

    pub(crate) fn times(&self, other: &Self) -> Self {
        Self::reduced(&self.n * &other.n, &self.d * &other.d)
    }

    /// None where the other is zero.
    pub(crate) fn over(&self, other: &Self) -> Option<Self> {
        match other.n.sign() {
            Sign::NoSign => None,
            Sign::Plus => Some(Self::reduced(&self.n * &other.d, &self.d * &other.n)),
            Sign::Minus => Some(Self::reduced(-(&self.n * &other.d), -(&self.d * &other.n))),
        }
    }

    /// The largest whole number that is not above it.
    pub(crate) fn floor(&self) -> Self {
        let whole = &self.n / &self.d;
        let below = self.n.sign() == Sign::Minus && &whole * &self.d != self.n;
        Self { n: if below { whole - 1 } else { whole }, d: BigInt::from(1) }
    }

    /// Held between two bounds.
    pub(crate) fn within(self, least: &Self, most: &Self) -> Self {
        self.max(least.clone()).min(most.clone())
    }

    pub(crate) fn is_above_zero(&self) -> bool {
        self.n.sign() == Sign::Plus
    }

    /// With so many digits after the point at most, half away from zero.
    pub(crate) fn to_digits(&self, digits: u32) -> Number {
        let scaled = rounded(&(&self.n * BigInt::from(10).pow(digits)), &self.d);
        number(&scaled, digits as usize)
    }

    /// The same, as a fraction to go on with.
    pub(crate) fn rounded(&self, digits: u32) -> Self {
        let scale = BigInt::from(10).pow(digits);
        Self::reduced(rounded(&(&self.n * &scale), &self.d), scale)
    }

    /// With 17 significant digits, as the values of metrics have.
    pub(crate) fn to_number(&self) -> Option<Number> {
        significant(&self.n, &self.d)
    }
}

impl PartialOrd for Exact {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Exact {
    fn cmp(&self, other: &Self) -> Ordering {
        (&self.n * &other.d).cmp(&(&other.n * &self.d))
    }
}

impl fmt::Display for Exact {
    /// `160/172` in lowest terms, `5` where it is whole.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.d == BigInt::from(1) {
            true => write!(f, "{}", self.n),
            false => write!(f, "{}/{}", self.n, self.d),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn exact(text: &str) -> Exact {
        Exact::parse(text).unwrap()
    }

    #[test]
    fn decimals_are_read_as_they_are_written() {
        assert_eq!(exact("0.80").to_string(), "4/5");
        assert_eq!(exact("-1.5").to_string(), "-3/2");
        assert_eq!(exact("20").to_string(), "20");
        assert_eq!(exact("160/172").to_string(), "40/43");
        for wrong in ["", ".5", "1.", "1e3", "inf", "nan", "1_000", "0x1", "1/0", "1/-2", "--1"] {
            assert_eq!(Exact::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn four_decimals_are_rounded_half_away_from_zero() {
        let four = |text: &str| exact(text).to_digits(4).to_string();
        assert_eq!(four("0.00005"), "0.0001");
        assert_eq!(four("-0.00005"), "-0.0001");
        assert_eq!(four("0.00004999999999999999999999"), "0");
        assert_eq!(four("13.65405"), "13.6541");
        assert_eq!(four("2/3"), "0.6667");
        assert_eq!(four("100"), "100");
        assert_eq!(exact("2/3").rounded(4), exact("0.6667"));
    }

    #[test]
    fn the_floor_of_what_is_below_zero_lies_further_below() {
        for (text, floor) in [("2.5", "2"), ("-2.5", "-3"), ("3", "3"), ("-3", "-3"), ("0", "0"), ("-1/3", "-1")] {
            assert_eq!(exact(text).floor(), exact(floor), "{text}");
        }
    }

    #[test]
    fn a_tenth_and_two_tenths_are_three_tenths() {
        assert_eq!(exact("0.1").plus(&exact("0.2")), exact("0.3"));
        assert_eq!(exact("1").over(&exact("0")), None);
        assert_eq!(exact("1").over(&exact("-2")), Some(exact("-0.5")));
    }

    fn fractions() -> impl Strategy<Value = Exact> {
        (any::<i32>(), 1_u32..).prop_map(|(n, d)| Exact::reduced(BigInt::from(n), BigInt::from(d)))
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(x in fractions()) {
            prop_assert_eq!(Exact::parse(&x.to_string()), Some(x));
        }

        #[test]
        fn sums_and_products_undo_each_other(x in fractions(), y in fractions()) {
            prop_assert_eq!(x.plus(&y).less(&y), x.clone());
            if y != exact("0") {
                prop_assert_eq!(x.times(&y).over(&y), Some(x));
            }
        }

        #[test]
        fn rounding_moves_by_half_a_unit_at_most(x in fractions()) {
            let rounded = exact(&x.to_digits(4).to_string());
            let off = rounded.less(&x);
            prop_assert!(off <= exact("0.00005") && off >= exact("-0.00005"));
        }

        #[test]
        fn the_order_is_that_of_the_differences(x in fractions(), y in fractions()) {
            let difference = x.less(&y);
            prop_assert_eq!(x.cmp(&y), difference.cmp(&Exact::whole(0)));
        }
    }
}
