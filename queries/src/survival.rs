//! The Kaplan–Meier estimate, exact: S(t) is a fraction of whole numbers.

use std::collections::BTreeMap;

use num_bigint::BigUint;

/// Digits after the point of a share.
pub(crate) const SHARE_SCALE: i8 = 18;

/// A share between 0 and 1 as a fraction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fraction {
    numerator: u64,
    denominator: u64,
}

impl Fraction {
    /// Reads `0.5`, `0.1`, `1`.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (whole, digits) = text.split_once('.').unwrap_or((text, ""));
        let denominator = 10_u64.checked_pow(u32::try_from(digits.len()).ok()?)?;
        let numerator: u64 = format!("{whole}{digits}").parse().ok()?;
        (numerator <= denominator).then_some(Self { numerator, denominator })
    }

    fn approximate(&self) -> f64 {
        self.numerator as f64 / self.denominator as f64
    }
}

/// Cases by the day of their event or censoring; at equal days events come before censoring.
#[derive(Debug, Default)]
pub(crate) struct Survival {
    /// Day → (events, cases).
    days: BTreeMap<i64, (u64, u64)>,
}

impl Survival {
    /// Adds cases that ended on a day, some of them with the event.
    pub(crate) fn add(&mut self, day: i64, events: u64, cases: u64) {
        let entry = self.days.entry(day).or_default();
        entry.0 += events;
        entry.1 += cases;
    }

    /// The days in order, each with its events and cases.
    pub(crate) fn days(&self) -> impl Iterator<Item = (i64, u64, u64)> {
        self.days.iter().map(|(day, (events, cases))| (*day, *events, *cases))
    }

    /// Bytes held.
    pub(crate) fn size(&self) -> usize {
        self.days.len() * 3 * size_of::<u64>()
    }

    /// The smallest t with S(t) ≤ `survival`; none where there is no such t.
    pub(crate) fn quantile(&self, survival: &Fraction) -> Option<i64> {
        let threshold = survival.approximate();
        let mut estimate = 1.0_f64;
        let mut steps = Vec::new();
        for step in self.steps() {
            estimate *= step.left() as f64 / step.at_risk as f64;
            let day = step.day;
            steps.push(step);
            // Each step rounds twice, by at most 2⁻⁵³ of the value; four times that is plenty.
            let margin = (steps.len() + 1) as f64 * 4.0 * f64::EPSILON;
            let at_most = if (estimate - threshold).abs() > margin * estimate.max(threshold) {
                estimate < threshold
            } else {
                let (numerator, denominator) = product(&steps);
                numerator * survival.denominator <= denominator * survival.numerator
            };
            if at_most {
                return Some(day);
            }
        }
        None
    }

    /// 1 − S(n) in units of 10⁻¹⁸, rounded half up; none without cases.
    pub(crate) fn share_within(&self, days: i64) -> Option<i128> {
        if self.days.is_empty() {
            return None;
        }
        let steps: Vec<_> = self.steps().take_while(|step| step.day <= days).collect();
        let (left, denominator) = product(&steps);
        let gone = (&denominator - left) * 10_u64.pow(SHARE_SCALE.unsigned_abs().into());
        let doubled = gone * 2_u32 + &denominator;
        i128::try_from(doubled / (denominator * 2_u32)).ok()
    }

    /// The days with events, each with the number still at risk.
    fn steps(&self) -> impl Iterator<Item = Step> {
        let mut at_risk: u64 = self.days.values().map(|(_, cases)| cases).sum();
        self.days.iter().filter_map(move |(day, (events, cases))| {
            let step = Step { day: *day, events: *events, at_risk };
            at_risk -= cases;
            (*events > 0).then_some(step)
        })
    }
}

/// A day with events.
#[derive(Debug, Clone, Copy)]
struct Step {
    day: i64,
    events: u64,
    at_risk: u64,
}

impl Step {
    fn left(&self) -> u64 {
        self.at_risk - self.events
    }
}

/// S after the steps: numerator and denominator.
fn product(steps: &[Step]) -> (BigUint, BigUint) {
    let of = |part: fn(&Step) -> u64| steps.iter().map(|step| BigUint::from(part(step))).product();
    (of(Step::left), of(|step| step.at_risk))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn survival(cases: &[(i64, bool)]) -> Survival {
        let mut survival = Survival::default();
        for (day, event) in cases {
            survival.add(*day, u64::from(*event), 1);
        }
        survival
    }

    fn median(cases: &[(i64, bool)]) -> Option<i64> {
        survival(cases).quantile(&Fraction::parse("0.5").unwrap())
    }

    #[test]
    fn the_median_of_four_paid_claims_is_the_second_because_half_is_at_most_half() {
        // S(3) = 3/4, S(5) = 2/4.
        assert_eq!(median(&[(3, true), (5, true), (8, true), (9, true)]), Some(5));
    }

    #[test]
    fn an_open_claim_leaves_the_risk_set_after_the_payments_of_its_day() {
        // Day 5: 3 at risk, 1 paid: 2/3. Day 7: 1 at risk, 1 paid: 0.
        assert_eq!(median(&[(5, true), (5, false), (7, true)]), Some(7));
        // Were the open one censored first, S(5) would be 1/2 and the median 5.
    }

    #[test]
    fn a_payment_on_the_day_of_the_report_counts_at_day_0() {
        assert_eq!(median(&[(0, true), (0, true), (4, false)]), Some(0));
    }

    #[test]
    fn without_enough_payments_there_is_no_median() {
        assert_eq!(median(&[(1, true), (2, false), (3, false)]), None);
        assert_eq!(median(&[]), None);
    }

    #[test]
    fn a_tie_that_floating_point_misses_is_decided_by_whole_numbers() {
        // 49 of 98, in two steps of 49/98 · … : S = (98−7)/98 · (91−42)/91 = 49/98 = 1/2 exactly.
        let mut survival = Survival::default();
        survival.add(3, 7, 7);
        survival.add(4, 42, 42);
        survival.add(9, 0, 49);
        assert_eq!(survival.quantile(&Fraction::parse("0.5").unwrap()), Some(4));
        // One more at risk and it is just above a half.
        survival.add(9, 0, 1);
        assert_eq!(survival.quantile(&Fraction::parse("0.5").unwrap()), None);
    }

    #[test]
    fn shares_within_days_are_exact_to_18_digits() {
        let three = survival(&[(2, true), (10, true), (11, false)]);
        assert_eq!(three.share_within(1), Some(0));
        assert_eq!(three.share_within(2), Some(333_333_333_333_333_333));
        assert_eq!(three.share_within(10), Some(666_666_666_666_666_667));
        assert_eq!(three.share_within(60), Some(666_666_666_666_666_667));
        assert_eq!(survival(&[]).share_within(10), None);
    }

    #[test]
    fn only_shares_between_0_and_1_are_thresholds() {
        assert_eq!(Fraction::parse("0.1"), Some(Fraction { numerator: 1, denominator: 10 }));
        assert_eq!(Fraction::parse("1.5"), None);
        assert_eq!(Fraction::parse("-0.5"), None);
        assert_eq!(Fraction::parse("half"), None);
    }
}
