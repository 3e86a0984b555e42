//! How a value becomes points (metrics.md, "Target-responsibility assessment"): exact from end to end.

use std::collections::BTreeMap;

use super::exact::Exact;
use super::scheme::{Gate, Indicator, Scoring, Step};

/// What a metric says of a subject.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Its value.
    Value(Exact),
    /// There are cases, but the quantile lies beyond what was observed: it scores as the worst.
    NotReached,
    /// Nothing to divide by: not applicable.
    Empty,
}

/// What a metric says of a subject, and of each of its sectors where they are weighed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reading {
    pub(crate) whole: Outcome,
    pub(crate) sectors: BTreeMap<String, Outcome>,
}

impl Scoring {
    /// The points of an outcome out of a weight; none where it is not applicable.
    pub(crate) fn points(&self, weight: &Exact, outcome: &Outcome) -> Option<Exact> {
        let (zero, one) = (Exact::whole(0), Exact::whole(1));
        let x = match outcome {
            Outcome::Empty => return None,
            Outcome::NotReached => None,
            Outcome::Value(x) => Some(x),
        };
        Some(match (self, x) {
            (Self::Linear { lo, hi }, Some(x)) => {
                // The reader of schemes refuses lo = hi.
                let share = x.less(lo).over(&hi.less(lo))?;
                weight.times(&share.within(&zero, &one))
            }
            (Self::Linear { .. }, None) => zero,
            (Self::Steps { steps, otherwise }, Some(x)) => {
                let step = steps.iter().find(|step| step.matches(x));
                weight.times(step.map_or(otherwise, |step| &step.share))
            }
            (Self::Steps { steps, otherwise }, None) => {
                let worst = steps.iter().map(|step| &step.share).min().unwrap_or(otherwise);
                weight.times(worst.min(otherwise))
            }
            (Self::Deduct { per, each, most }, x) => {
                let taken_off = match x {
                    // Nothing is added for what lies below zero.
                    Some(x) => x.over(per)?.floor().times(each).within(&zero, most),
                    None => most.clone(),
                };
                weight.less(&taken_off).max(zero)
            }
        })
    }
}

impl Step {
    fn matches(&self, x: &Exact) -> bool {
        self.at_least.as_ref().is_none_or(|least| x >= least) && self.at_most.as_ref().is_none_or(|most| x <= most)
    }
}

impl Gate {
    /// Whether a value passes; of what has no value there is nothing to doubt.
    pub(crate) fn passes(&self, outcome: &Outcome) -> bool {
        let bounds = Step { at_least: self.at_least.clone(), at_most: self.at_most.clone(), share: Exact::whole(1) };
        match outcome {
            Outcome::Value(x) => bounds.matches(x),
            Outcome::NotReached => false,
            Outcome::Empty => true,
        }
    }
}

/// The points of an indicator out of its own weight, before what is not applicable is shared out; none
/// where it is not applicable. With sector weights each sector is scored by itself and the points are their
/// weighted mean, over the sectors that the scheme names and that have a value.
pub(crate) fn raw_points(indicator: &Indicator, reading: &Reading) -> Option<Exact> {
    if indicator.sector_weights.is_empty() {
        return indicator.scoring.points(&indicator.weight, &reading.whole);
    }
    let mut points = Exact::whole(0);
    let mut weights = Exact::whole(0);
    for (sector, weight) in &indicator.sector_weights {
        let of_sector =
            reading.sectors.get(sector).and_then(|outcome| indicator.scoring.points(&indicator.weight, outcome));
        if let Some(of_sector) = of_sector {
            points = points.plus(&of_sector.times(weight));
            weights = weights.plus(weight);
        }
    }
    points.over(&weights)
}

/// An indicator's weight and points once the weight of what is not applicable is shared among the others in
/// proportion.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Scored {
    pub(crate) weight: Exact,
    pub(crate) points: Exact,
}

/// Scores one subject: one reading for each indicator, in order. None for what is not applicable; the total
/// is none where nothing is applicable.
pub(crate) fn score(indicators: &[Indicator], readings: &[Reading]) -> (Vec<Option<Scored>>, Option<Exact>) {
    let raw: Vec<Option<Exact>> =
        indicators.iter().zip(readings).map(|(indicator, reading)| raw_points(indicator, reading)).collect();
    let applicable = indicators.iter().zip(&raw).filter(|(_, points)| points.is_some());
    let applicable = applicable.fold(Exact::whole(0), |sum, (indicator, _)| sum.plus(&indicator.weight));
    let Some(scale) = Exact::whole(100).over(&applicable) else { return (vec![None; indicators.len()], None) };
    let scored: Vec<Option<Scored>> = indicators
        .iter()
        .zip(raw)
        .map(|(indicator, points)| {
            points.map(|points| Scored { weight: indicator.weight.times(&scale), points: points.times(&scale) })
        })
        .collect();
    let total = scored.iter().flatten().fold(Exact::whole(0), |sum, scored| sum.plus(&scored.points));
    (scored, Some(total))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn exact(text: &str) -> Exact {
        Exact::parse(text).unwrap()
    }

    fn linear(lo: &str, hi: &str) -> Scoring {
        Scoring::Linear { lo: exact(lo), hi: exact(hi) }
    }

    fn settlement() -> Scoring {
        let step = |most: &str, share: &str| Step { at_least: None, at_most: Some(exact(most)), share: exact(share) };
        Scoring::Steps { steps: vec![step("10", "1"), step("30", "0.6"), step("60", "0.3")], otherwise: exact("0") }
    }

    fn of(scoring: &Scoring, weight: &str, x: &str) -> String {
        scoring.points(&exact(weight), &Outcome::Value(exact(x))).unwrap().to_string()
    }

    #[test]
    fn a_linear_score_runs_from_lo_to_hi_and_is_clamped_outside() {
        let coverage = linear("0.80", "1.00");
        assert_eq!(of(&coverage, "20", "0.79"), "0");
        assert_eq!(of(&coverage, "20", "0.80"), "0");
        // (0.93 − 0.80) / 0.20 = 0.65 of 20.
        assert_eq!(of(&coverage, "20", "0.93"), "13");
        assert_eq!(of(&coverage, "20", "1"), "20");
        assert_eq!(of(&coverage, "20", "1.2"), "20");
    }

    #[test]
    fn less_is_better_where_hi_lies_below_lo() {
        let complaints = linear("20", "0");
        assert_eq!(of(&complaints, "5", "0"), "5");
        assert_eq!(of(&complaints, "5", "5"), "15/4");
        assert_eq!(of(&complaints, "5", "20"), "0");
        assert_eq!(of(&complaints, "5", "1000"), "0");
    }

    #[test]
    fn the_first_step_that_matches_counts_and_its_bounds_belong_to_it() {
        for (days, points) in [("10", "5"), ("10.5", "3"), ("30", "3"), ("31", "3/2"), ("60", "3/2"), ("61", "0")] {
            assert_eq!(of(&settlement(), "5", days), points, "{days}");
        }
        let both = Scoring::Steps {
            steps: vec![
                Step { at_least: Some(exact("2")), at_most: Some(exact("4")), share: exact("0.5") },
                Step { at_least: Some(exact("3")), at_most: None, share: exact("1") },
            ],
            otherwise: exact("0.25"),
        };
        for (x, points) in [("1", "5/2"), ("2", "5"), ("3", "5"), ("4", "5"), ("4.1", "10")] {
            assert_eq!(of(&both, "10", x), points, "{x}");
        }
    }

    #[test]
    fn whole_units_are_deducted_up_to_the_most_and_never_below_zero() {
        let deduct = |per: &str, each: &str, most: &str| Scoring::Deduct {
            per: exact(per),
            each: exact(each),
            most: exact(most),
        };
        let accidents = deduct("1", "1.5", "20");
        assert_eq!(of(&accidents, "20", "0"), "20");
        assert_eq!(of(&accidents, "20", "3"), "31/2");
        // 14 × 1.5 = 21 is more than 20.
        assert_eq!(of(&accidents, "20", "14"), "0");
        // 2.99 per 1 is 2 whole units.
        assert_eq!(of(&accidents, "20", "2.99"), "17");
        assert_eq!(of(&deduct("0.01", "2", "10"), "10", "0.035"), "4");
        assert_eq!(of(&accidents, "20", "-3"), "20", "nothing is added");
    }

    #[test]
    fn what_is_not_reached_scores_as_the_worst() {
        let worst =
            |scoring: &Scoring, weight: &str| scoring.points(&exact(weight), &Outcome::NotReached).unwrap().to_string();
        assert_eq!(worst(&linear("20", "0"), "5"), "0");
        assert_eq!(worst(&settlement(), "5"), "0");
        let deduct = Scoring::Deduct { per: exact("1"), each: exact("1"), most: exact("3") };
        assert_eq!(worst(&deduct, "5"), "2");
        let odd = Scoring::Steps {
            steps: vec![Step { at_least: Some(exact("90")), at_most: None, share: exact("0.1") }],
            otherwise: exact("0.5"),
        };
        assert_eq!(worst(&odd, "10"), "1");
    }

    fn indicator(metric: &str, weight: &str, scoring: Scoring) -> Indicator {
        Indicator {
            metric: metric.to_owned(),
            params: BTreeMap::new(),
            weight: exact(weight),
            scoring,
            sector_weights: BTreeMap::new(),
            gate: None,
        }
    }

    fn value(x: &str) -> Reading {
        Reading { whole: Outcome::Value(exact(x)), sectors: BTreeMap::new() }
    }

    fn empty() -> Reading {
        Reading { whole: Outcome::Empty, sectors: BTreeMap::new() }
    }

    #[test]
    fn the_weight_of_what_is_not_applicable_is_shared_in_proportion() {
        let indicators = [
            indicator("a", "60", linear("0.8", "1")),
            indicator("b", "20", linear("0.8", "1")),
            indicator("c", "20", Scoring::Deduct { per: exact("1"), each: exact("5"), most: exact("20") }),
        ];
        // b's 20 go to a and c as 60 : 20, so they weigh 75 and 25; a has half, c has 10 of 20, which is half.
        let (scored, total) = score(&indicators, &[value("0.9"), empty(), value("2")]);
        let weights: Vec<_> = scored.iter().map(|one| one.as_ref().map(|one| one.weight.to_string())).collect();
        assert_eq!(weights, [Some("75".to_owned()), None, Some("25".to_owned())]);
        let points: Vec<_> = scored.iter().flatten().map(|one| one.points.to_string()).collect();
        assert_eq!(points, ["75/2", "25/2"]);
        assert_eq!(total, Some(exact("50")));
    }

    #[test]
    fn nothing_applicable_is_no_score_and_not_zero() {
        let indicators = [indicator("a", "100", linear("0", "1"))];
        assert_eq!(score(&indicators, &[empty()]), (vec![None], None));
        assert_eq!(score(&indicators, &[value("0")]).1, Some(exact("0")));
    }

    #[test]
    fn sectors_are_scored_each_by_itself_and_weighed_among_those_with_a_value() {
        let weights = BTreeMap::from([("mine".to_owned(), exact("3")), ("hazchem".to_owned(), exact("1"))]);
        let weighed = Indicator { sector_weights: weights, ..indicator("a", "10", linear("0.8", "1")) };
        let sectors = |pairs: &[(&str, &str)]| Reading {
            whole: Outcome::Value(exact("0.5")),
            sectors: pairs.iter().map(|(sector, x)| ((*sector).to_owned(), Outcome::Value(exact(x)))).collect(),
        };
        // mine 1 → 10, hazchem 0.9 → 5: (3 × 10 + 5) / 4; fishery is not named and does not count.
        let reading = sectors(&[("mine", "1"), ("hazchem", "0.9"), ("fishery", "0")]);
        assert_eq!(raw_points(&weighed, &reading), Some(exact("8.75")));
        assert_eq!(raw_points(&weighed, &sectors(&[("hazchem", "0.9")])), Some(exact("5")));
        assert_eq!(raw_points(&weighed, &sectors(&[("fishery", "1")])), None);
    }

    #[test]
    fn a_gate_doubts_what_is_out_of_bounds_and_nothing_that_has_no_value() {
        let gate = Gate { metric: "m".into(), at_least: Some(exact("0.95")), at_most: None };
        assert!(gate.passes(&Outcome::Value(exact("0.95"))));
        assert!(!gate.passes(&Outcome::Value(exact("0.9499999999"))));
        assert!(gate.passes(&Outcome::Empty));
        assert!(!gate.passes(&Outcome::NotReached));
    }

    fn scorings() -> impl Strategy<Value = Scoring> {
        let number = (0_i64..200).prop_map(|hundredths| exact(&format!("{hundredths}/100")));
        let share = (0_i64..=100).prop_map(|hundredths| exact(&format!("{hundredths}/100")));
        let pair = (number.clone(), number.clone()).prop_filter("lo and hi differ", |(lo, hi)| lo != hi);
        prop_oneof![
            pair.prop_map(|(lo, hi)| Scoring::Linear { lo, hi }),
            (proptest::collection::vec((number.clone(), share.clone()), 1..4), share).prop_map(|(steps, otherwise)| {
                let step = |(most, share)| Step { at_least: None, at_most: Some(most), share };
                Scoring::Steps { steps: steps.into_iter().map(step).collect(), otherwise }
            }),
            (1_i64..10, 1_i64..10, 1_i64..20).prop_map(|(per, each, most)| Scoring::Deduct {
                per: Exact::whole(per),
                each: Exact::whole(each),
                most: Exact::whole(most),
            }),
        ]
    }

    fn readings() -> impl Strategy<Value = Reading> {
        let outcome = prop_oneof![
            4 => (-100_i64..300).prop_map(|hundredths| Outcome::Value(exact(&format!("{hundredths}/100")))),
            1 => Just(Outcome::Empty),
            1 => Just(Outcome::NotReached),
        ];
        outcome.prop_map(|whole| Reading { whole, sectors: BTreeMap::new() })
    }

    proptest! {
        #[test]
        fn points_lie_between_nothing_and_the_weight_and_the_weights_sum_to_a_hundred(
            parts in proptest::collection::vec((1_i64..50, scorings(), readings()), 1..8)
        ) {
            let indicators: Vec<_> = parts.iter().map(|(weight, scoring, _)| indicator("m", &weight.to_string(), scoring.clone())).collect();
            let readings: Vec<_> = parts.iter().map(|(_, _, reading)| reading.clone()).collect();
            let (scored, total) = score(&indicators, &readings);
            let mut weights = Exact::whole(0);
            for one in scored.iter().flatten() {
                prop_assert!(one.points >= Exact::whole(0) && one.points <= one.weight, "{one:?}");
                weights = weights.plus(&one.weight);
            }
            match total {
                Some(total) => {
                    prop_assert_eq!(weights, Exact::whole(100));
                    prop_assert!(total >= Exact::whole(0) && total <= Exact::whole(100));
                }
                None => prop_assert!(readings.iter().all(|reading| reading.whole == Outcome::Empty)),
            }
        }

        #[test]
        fn the_order_of_the_indicators_does_not_matter(
            parts in proptest::collection::vec((1_i64..50, scorings(), readings()), 1..6)
        ) {
            let total = |parts: &[(i64, Scoring, Reading)]| {
                let indicators: Vec<_> = parts.iter().map(|(weight, scoring, _)| indicator("m", &weight.to_string(), scoring.clone())).collect();
                let readings: Vec<_> = parts.iter().map(|(_, _, reading)| reading.clone()).collect();
                score(&indicators, &readings).1
            };
            let reversed: Vec<_> = parts.iter().rev().cloned().collect();
            prop_assert_eq!(total(&parts), total(&reversed));
        }

        #[test]
        fn a_better_value_never_loses_points_on_a_line(a in -100_i64..300, b in -100_i64..300, lo in 0_i64..100, hi in 0_i64..100) {
            prop_assume!(lo != hi);
            let scoring = linear(&format!("{lo}/100"), &format!("{hi}/100"));
            let points = |x: i64| scoring.points(&Exact::whole(10), &Outcome::Value(exact(&format!("{x}/100")))).unwrap();
            let (worse, better) = if (hi > lo) == (a < b) { (a, b) } else { (b, a) };
            prop_assert!(points(worse) <= points(better));
        }
    }
}
