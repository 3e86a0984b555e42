//! A scheme computed on a release: subjects, values, points, ranks, grades.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use anze_warehouse::Release;
use chrono::{DateTime, Utc};

use super::document::{
    Capped, ConfirmedLead, IndicatorScore, IndicatorUsed, Outside, Period, Provisional, Scores, SectorScore,
    SubjectScore,
};
use super::exact::Exact;
use super::measured::{Cell, Measured, cells_by_feed, cells_of, kept, measured, missing};
use super::ranking::{DIGITS, capped, grade, ranks};
use super::scheme::{Gate, Indicator, Scheme, Scoring, SubjectKind};
use super::scoring::{Outcome, Reading, Scored, score};
use super::subjects::{Subject, subjects};
use super::{batches, leads, rules};
use crate::catalogue::{Catalogue, Kind, Metric};
use crate::error::Result;
use crate::session::{self, Observed};

/// The metrics that tell an empty roster from one that nobody needs.
const ROSTER: [&str; 2] = ["coverage_rate", "roster_completeness_rate"];

/// Computes the scores of a scheme; its subjects are those of the scheme as given.
pub(super) async fn scores(
    catalogue: &Catalogue,
    release: &Arc<Release>,
    scheme: &Scheme,
    period: &Period,
    reviews_until: DateTime<Utc>,
) -> Result<Scores> {
    let observed = session::observed(release, None).await?;
    let listed = subjects(&observed, scheme.subjects, period.last_day()).await?;
    let mut used = Vec::new();
    for indicator in &scheme.indicators {
        let measured = measured(catalogue, &observed, scheme.subjects, indicator, period).await?;
        let doubts = match &indicator.gate {
            Some(gate) => doubts(catalogue, &observed, scheme.subjects, gate, period).await?,
            None => BTreeMap::new(),
        };
        used.push(Used { metric: catalogue.expect(&indicator.metric)?, indicator, measured, doubts });
    }
    let empty_rosters = empty_rosters(catalogue, &observed, scheme.subjects, period).await?;
    let leads = leads::confirmed(release, scheme, period, reviews_until).await?;
    let mut found: Vec<Totalled> =
        listed.iter().map(|subject| totalled(scheme, subject, &used, &empty_rosters, &leads)).collect();
    let totals: Vec<Option<Exact>> = found.iter().map(|one| one.total.clone()).collect();
    for (one, rank) in found.iter_mut().zip(ranks(&totals)) {
        one.score.rank = rank;
    }
    let mut subjects: Vec<SubjectScore> = found.into_iter().map(|one| one.score).collect();
    in_order(&mut subjects);
    Ok(Scores {
        indicators: used.iter().map(|used| used.described(period)).collect(),
        outside: used.iter().flat_map(|used| used.outside(&observed, scheme.subjects, &listed)).collect(),
        rules: rules::used(catalogue, &observed, scheme).await?,
        batches: batches::of_rows(&observed, &subjects).await?,
        subjects,
        leads,
    })
}

/// By rank, then code; those without a score last.
pub(super) fn in_order(subjects: &mut [SubjectScore]) {
    subjects.sort_by(|a, b| (a.rank.is_none(), a.rank, &a.code).cmp(&(b.rank.is_none(), b.rank, &b.code)));
}

/// An indicator with all that is known of it.
struct Used<'a> {
    metric: &'a Metric,
    indicator: &'a Indicator,
    measured: Measured,
    /// By subject: the gate that it does not pass.
    doubts: BTreeMap<String, Provisional>,
}

struct Totalled {
    score: SubjectScore,
    /// As shown.
    total: Option<Exact>,
}

fn totalled(
    scheme: &Scheme,
    subject: &Subject,
    used: &[Used<'_>],
    empty_rosters: &BTreeMap<String, Provisional>,
    leads: &[ConfirmedLead],
) -> Totalled {
    let readings: Vec<Reading> = used.iter().map(|used| used.reading(&subject.code)).collect();
    let (scored, total) = score(&scheme.indicators, &readings);
    let total = total.map(|total| total.rounded(DIGITS));
    let count = |kind: &str| leads.iter().filter(|lead| lead.kind == kind && lead.subject == subject.code).count();
    let kinds: BTreeSet<&String> = scheme.vetoes.iter().map(|veto| &veto.lead).collect();
    let counts = kinds.into_iter().map(|kind| (kind.clone(), u32::try_from(count(kind)).unwrap_or(u32::MAX)));
    let counts: BTreeMap<String, u32> = counts.collect();
    let (grade, capped) = graded(scheme, total.as_ref(), &counts);
    let score = SubjectScore {
        code: subject.code.clone(),
        name: subject.name.clone(),
        total: total.as_ref().map(|total| total.to_digits(DIGITS)),
        rank: None,
        grade,
        capped,
        leads: counts,
        provisional: empty_rosters.get(&subject.code).cloned().into_iter().collect(),
        indicators: used.iter().zip(scored).map(|(used, scored)| used.score(&subject.code, scored)).collect(),
    };
    Totalled { score, total }
}

/// The grade of a total after the vetoes, and those that were met.
pub(super) fn graded(
    scheme: &Scheme,
    total: Option<&Exact>,
    counts: &BTreeMap<String, u32>,
) -> (Option<String>, Vec<Capped>) {
    let Some(total) = total else { return (None, Vec::new()) };
    let by_points = grade(&scheme.grades, total);
    let mut given = by_points;
    let mut met = Vec::new();
    for veto in &scheme.vetoes {
        let confirmed = counts.get(&veto.lead).copied().unwrap_or_default();
        if confirmed >= veto.confirmed_at_least {
            given = capped(&scheme.grades, given, &veto.cap_grade);
            met.push(Capped {
                lead: veto.lead.clone(),
                confirmed,
                cap_grade: veto.cap_grade.clone(),
                by_points: by_points.to_owned(),
            });
        }
    }
    (Some(given.to_owned()), met)
}

impl Used<'_> {
    fn cell(&self, subject: &str) -> Cell {
        self.measured.cells.get(subject).cloned().unwrap_or_else(|| missing(self.metric))
    }

    fn reading(&self, subject: &str) -> Reading {
        let sectors = self.measured.sectors.get(subject).into_iter().flatten();
        Reading {
            whole: self.cell(subject).outcome,
            sectors: sectors.map(|(sector, cell)| (sector.clone(), cell.outcome.clone())).collect(),
        }
    }

    fn score(&self, subject: &str, scored: Option<Scored>) -> IndicatorScore {
        let cell = self.cell(subject);
        let (value, exact) = written(&cell.outcome);
        let mut provisional: Vec<Provisional> = self.doubts.get(subject).cloned().into_iter().collect();
        if self.measured.provisional {
            provisional.push(Provisional::Calendar);
        }
        IndicatorScore {
            metric: self.indicator.metric.clone(),
            numerator: kept(cell.numerator),
            denominator: cell.denominator.map_or(serde_json::Value::Null, kept),
            value,
            exact,
            not_reached: cell.outcome == Outcome::NotReached,
            weight: scored.as_ref().map(|scored| scored.weight.to_digits(DIGITS)),
            points: scored.as_ref().map(|scored| scored.points.to_digits(DIGITS)),
            sectors: self.sectors(subject),
            provisional,
            cases: self.measured.counts.get(subject).copied().unwrap_or_default(),
            sample: self.measured.samples.get(subject).cloned().unwrap_or_default(),
        }
    }

    fn sectors(&self, subject: &str) -> Vec<SectorScore> {
        let weighed = |sector: &String| self.indicator.sector_weights.contains_key(sector);
        let sectors = self.measured.sectors.get(subject).into_iter().flatten().filter(|(sector, _)| weighed(sector));
        let score = |(sector, cell): (&String, &Cell)| {
            let (value, exact) = written(&cell.outcome);
            SectorScore {
                sector: sector.clone(),
                numerator: kept(cell.numerator),
                denominator: cell.denominator.map_or(serde_json::Value::Null, kept),
                value,
                exact,
                not_reached: cell.outcome == Outcome::NotReached,
            }
        };
        sectors.map(score).collect()
    }

    /// Members of the metric's dimension that are none of the subjects.
    fn outside(&self, observed: &Observed, kind: SubjectKind, subjects: &[Subject]) -> Vec<Outside> {
        let strangers =
            self.measured.cells.iter().filter(|(code, _)| subjects.iter().all(|subject| subject.code != **code));
        let outside = |(code, cell): (&String, &Cell)| Outside {
            metric: self.indicator.metric.clone(),
            member: code.clone(),
            name: observed.names.name(kind.dimension(), code),
            numerator: kept(cell.numerator),
            denominator: cell.denominator.map_or(serde_json::Value::Null, kept),
        };
        strangers.map(outside).collect()
    }

    fn described(&self, period: &Period) -> IndicatorUsed {
        let indicator = self.indicator;
        IndicatorUsed {
            metric: indicator.metric.clone(),
            title: self.metric.title.clone(),
            title_en: self.metric.title_en.clone(),
            unit: self.metric.unit.name().to_owned(),
            weight: indicator.weight(),
            scoring: indicator.scoring.to_string(),
            as_of: (self.metric.kind == Kind::AsOf).then(|| period.last_day()),
            params: indicator.params.clone(),
            sector_weights: indicator
                .sector_weights
                .iter()
                .map(|(code, weight)| (code.clone(), weight.to_digits(6)))
                .collect(),
            gate: indicator.gate.as_ref().map(ToString::to_string),
            without_rule: self.measured.without_rule,
            provisional: self.measured.provisional,
        }
    }
}

/// A value with 17 significant digits, and as a fraction.
fn written(outcome: &Outcome) -> (Option<serde_json::Number>, Option<String>) {
    match outcome {
        Outcome::Value(x) => (x.to_number(), Some(x.to_string())),
        Outcome::NotReached | Outcome::Empty => (None, None),
    }
}

/// The subjects that a gate doubts, with the feeds that are out of its bounds themselves.
async fn doubts(
    catalogue: &Catalogue,
    observed: &Observed,
    subjects: SubjectKind,
    gate: &Gate,
    period: &Period,
) -> Result<BTreeMap<String, Provisional>> {
    let cells = cells_of(catalogue, observed, subjects, &gate.metric, period).await?;
    let by_feed = cells_by_feed(catalogue, observed, subjects, &gate.metric, period).await?;
    let doubted = cells.into_iter().filter(|(_, cell)| !gate.passes(&cell.outcome)).map(|(subject, cell)| {
        let feeds = by_feed.iter().filter(|(of, _, cell)| *of == subject && !gate.passes(&cell.outcome));
        let doubt = Provisional::Gate {
            metric: gate.metric.clone(),
            value: written(&cell.outcome).0,
            feeds: feeds.map(|(_, feed, _)| feed.clone()).collect(),
        };
        (subject, doubt)
    });
    Ok(doubted.collect())
}

/// Territories and departments whose roster is empty where open high-hazard units stand. A department owns
/// its roster entries; which units it must list goes by the sector.
async fn empty_rosters(
    catalogue: &Catalogue,
    observed: &Observed,
    subjects: SubjectKind,
    period: &Period,
) -> Result<BTreeMap<String, Provisional>> {
    if subjects == SubjectKind::Insurer {
        return Ok(BTreeMap::new());
    }
    let [entries, units] = ROSTER;
    let entries = cells_of(catalogue, observed, subjects, entries, period).await?;
    let units = cells_of(catalogue, observed, subjects, units, period).await?;
    let empty = units.into_iter().filter_map(|(subject, cell)| {
        let open_units = cell.denominator.filter(|units| units.parts().0 > 0)?;
        let has_roster = entries.get(&subject).and_then(|cell| cell.denominator).is_some_and(|rows| !rows.is_zero());
        (!has_roster).then(|| (subject, Provisional::EmptyRoster { open_units: kept(open_units) }))
    });
    Ok(empty.collect())
}

impl std::fmt::Display for Scoring {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let short = |x: &Exact| x.to_digits(6);
        match self {
            Self::Linear { lo, hi } => write!(f, "linear {} → {}", short(lo), short(hi)),
            Self::Steps { steps, otherwise } => {
                f.write_str("steps ")?;
                for step in steps {
                    if let Some(least) = &step.at_least {
                        write!(f, "≥ {} ", short(least))?;
                    }
                    if let Some(most) = &step.at_most {
                        write!(f, "≤ {} ", short(most))?;
                    }
                    write!(f, "→ {}; ", short(&step.share))?;
                }
                write!(f, "otherwise {}", short(otherwise))
            }
            Self::Deduct { per, each, most } => {
                write!(f, "deduct {} per {}, at most {}", short(each), short(per), short(most))
            }
        }
    }
}

impl std::fmt::Display for Gate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.metric)?;
        if let Some(least) = &self.at_least {
            write!(f, " ≥ {}", least.to_digits(6))?;
        }
        if let Some(most) = &self.at_most {
            write!(f, " ≤ {}", most.to_digits(6))?;
        }
        Ok(())
    }
}
