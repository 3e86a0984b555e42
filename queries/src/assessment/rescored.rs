//! What if the weights were others: the kept values scored anew, without asking a metric again.

use std::collections::BTreeMap;

use super::document::{Assessment, IndicatorScore, Scores};
use super::exact::Exact;
use super::ranking::{DIGITS, ranks};
use super::run::{graded, in_order};
use super::scheme::Scheme;
use super::scoring::{Outcome, Reading, score};
use crate::catalogue::Catalogue;
use crate::error::Result;

/// The scores of an assessment under other weights, by metric; those not named stay. Nothing is kept.
///
/// # Errors
/// Question: no such indicator, or the weights do not sum to 100; Catalogue, where its scheme can no longer
/// be read.
pub fn what_if(catalogue: &Catalogue, assessment: &Assessment, weights: &BTreeMap<String, String>) -> Result<Scores> {
    let scheme = Scheme::from_text(&assessment.scheme.id, &assessment.scheme.text, catalogue)?;
    Ok(rescored(&scheme.with_weights(weights)?, &assessment.scores))
}

/// The kept values under a scheme with the same indicators.
pub(super) fn rescored(scheme: &Scheme, kept: &Scores) -> Scores {
    let mut scores = kept.clone();
    for (used, indicator) in scores.indicators.iter_mut().zip(&scheme.indicators) {
        used.weight = indicator.weight();
    }
    let mut totals = Vec::new();
    for subject in &mut scores.subjects {
        let readings: Vec<Reading> = subject.indicators.iter().map(reading).collect();
        let (scored, total) = score(&scheme.indicators, &readings);
        for (indicator, scored) in subject.indicators.iter_mut().zip(scored) {
            indicator.weight = scored.as_ref().map(|scored| scored.weight.to_digits(DIGITS));
            indicator.points = scored.as_ref().map(|scored| scored.points.to_digits(DIGITS));
        }
        let total = total.map(|total| total.rounded(DIGITS));
        (subject.grade, subject.capped) = graded(scheme, total.as_ref(), &subject.leads);
        subject.total = total.as_ref().map(|total| total.to_digits(DIGITS));
        totals.push(total);
    }
    for (subject, rank) in scores.subjects.iter_mut().zip(ranks(&totals)) {
        subject.rank = rank;
    }
    in_order(&mut scores.subjects);
    scores
}

fn reading(kept: &IndicatorScore) -> Reading {
    let sectors = kept.sectors.iter();
    Reading {
        whole: outcome(kept.exact.as_deref(), kept.not_reached),
        sectors: sectors.map(|one| (one.sector.clone(), outcome(one.exact.as_deref(), one.not_reached))).collect(),
    }
}

fn outcome(exact: Option<&str>, not_reached: bool) -> Outcome {
    match exact.and_then(Exact::parse) {
        Some(x) => Outcome::Value(x),
        None if not_reached => Outcome::NotReached,
        None => Outcome::Empty,
    }
}
