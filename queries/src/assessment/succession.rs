//! A successor: what moved since the assessment that it corrects, and why.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use anze_warehouse::Release;
use serde::{Deserialize, Serialize};
use serde_json::{Number, Value};

use super::document::{Assessment, ConfirmedLead, IndicatorScore, Period, RuleRow, SampleRow, SubjectScore};
use super::measured::request;
use super::scheme::{Scheme, SubjectKind};
use crate::catalogue::Catalogue;
use crate::error::{Error, Result};
use crate::evidence;
use crate::question::Question;
use crate::session;

/// Changed rows listed with each subject and indicator; their number says how many there are.
const MOST_ROWS: usize = 20;

/// What moved since an earlier assessment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Succession {
    /// The earlier one.
    pub id: String,
    /// Its SHA-256, where it is frozen.
    pub sha256: Option<String>,
    /// Its release.
    pub release: u64,
    /// What differs between the two beside the rows.
    pub causes: Vec<Cause>,
    /// The subjects of which anything moved, in the order of the new ranks.
    pub moved: Vec<Moved>,
}

/// What differs between two assessments beside the rows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "cause", rename_all = "snake_case")]
pub enum Cause {
    /// Another release: rows arrived, were corrected or ended.
    Release {
        /// Before and after.
        releases: [u64; 2],
    },
    /// Another text of the scheme.
    Scheme {
        /// Before and after.
        versions: [u32; 2],
    },
    /// Metrics whose definition changed.
    Definitions {
        /// Their ids.
        metrics: Vec<String>,
    },
    /// Rules that came, went or changed.
    Rules {
        /// Only before.
        before: Vec<RuleRow>,
        /// Only after.
        after: Vec<RuleRow>,
    },
    /// Leads confirmed before only, or after only.
    Leads {
        /// Only before.
        before: Vec<ConfirmedLead>,
        /// Only after.
        after: Vec<ConfirmedLead>,
    },
}

impl Succession {
    /// Number of changed rows that are listed.
    pub fn rows(&self) -> usize {
        self.moved.iter().flat_map(|moved| &moved.indicators).map(|indicator| indicator.rows.len()).sum()
    }
}

/// A subject of which something moved; before and after.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Moved {
    /// Its code.
    pub code: String,
    /// Its name.
    pub name: String,
    /// Totals.
    pub total: [Option<Number>; 2],
    /// Ranks.
    pub rank: [Option<u32>; 2],
    /// Grades.
    pub grade: [Option<String>; 2],
    /// The indicators of which something moved.
    pub indicators: Vec<MovedIndicator>,
}

/// An indicator of which something moved; before and after.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MovedIndicator {
    /// The metric.
    pub metric: String,
    /// Points.
    pub points: [Option<Number>; 2],
    /// Values.
    pub value: [Option<Number>; 2],
    /// Numerators.
    pub numerator: [Value; 2],
    /// Denominators.
    pub denominator: [Value; 2],
    /// Number of rows whose shares came, went or changed.
    pub rows_changed: u64,
    /// The first of them.
    pub rows: Vec<RowChange>,
}

/// A row of evidence that came, went or changed its shares: by which delivery is said by its batch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RowChange {
    /// As it counted before.
    pub before: Option<SampleRow>,
    /// As it counts now.
    pub after: Option<SampleRow>,
}

/// One side of a comparison: the assessment, its scheme and its release.
pub(super) struct Compared<'a> {
    pub(super) assessment: &'a Assessment,
    pub(super) scheme: &'a Scheme,
    pub(super) release: &'a Arc<Release>,
}

/// What moved between two assessments of the same subjects and period, and why.
pub(super) async fn succession(
    catalogue: &Catalogue,
    before: &Compared<'_>,
    sha256: Option<String>,
    after: &Compared<'_>,
) -> Result<Succession> {
    let (old, new) = (before.assessment, after.assessment);
    if (old.subjects, &old.period.from, &old.period.to) != (new.subjects, &new.period.from, &new.period.to) {
        let message = format!(
            "{} is about {} from {} to {}; a successor is about the same",
            old.id,
            old.subjects.name(),
            old.period.from,
            old.period.to
        );
        return Err(Error::question(message));
    }
    let mut moved: Vec<Moved> = new.scores.subjects.iter().filter_map(|subject| moved(old, subject)).collect();
    for metric in moved_metrics(&moved) {
        let rows_before = rows(catalogue, before, &metric).await?;
        let rows_after = rows(catalogue, after, &metric).await?;
        for subject in &mut moved {
            let code = subject.code.clone();
            if let Some(indicator) = subject.indicators.iter_mut().find(|indicator| indicator.metric == metric) {
                let (count, rows) = changes(rows_before.get(&code), rows_after.get(&code));
                indicator.rows_changed = count;
                indicator.rows = rows;
            }
        }
    }
    Ok(Succession { id: old.id.clone(), sha256, release: old.release.release, causes: causes(old, new), moved })
}

fn moved(old: &Assessment, new: &SubjectScore) -> Option<Moved> {
    let before = old.scores.subject(&new.code);
    let of = |metric: &str| before?.indicators.iter().find(|indicator| indicator.metric == metric);
    let indicators: Vec<MovedIndicator> =
        new.indicators.iter().filter_map(|indicator| moved_indicator(of(&indicator.metric), indicator)).collect();
    let total = [before.and_then(|before| before.total.clone()), new.total.clone()];
    let rank = [before.and_then(|before| before.rank), new.rank];
    let grade = [before.and_then(|before| before.grade.clone()), new.grade.clone()];
    let same = total[0] == total[1] && rank[0] == rank[1] && grade[0] == grade[1] && indicators.is_empty();
    (!same).then(|| Moved { code: new.code.clone(), name: new.name.clone(), total, rank, grade, indicators })
}

fn moved_indicator(old: Option<&IndicatorScore>, new: &IndicatorScore) -> Option<MovedIndicator> {
    let value = |of: fn(&IndicatorScore) -> &Value| [old.map(of).cloned().unwrap_or(Value::Null), of(new).clone()];
    let number = |of: fn(&IndicatorScore) -> &Option<Number>| [old.and_then(|old| of(old).clone()), of(new).clone()];
    let moved = MovedIndicator {
        metric: new.metric.clone(),
        points: number(|one| &one.points),
        value: number(|one| &one.value),
        numerator: value(|one| &one.numerator),
        denominator: value(|one| &one.denominator),
        rows_changed: 0,
        rows: Vec::new(),
    };
    let same = moved.points[0] == moved.points[1]
        && moved.numerator[0] == moved.numerator[1]
        && moved.denominator[0] == moved.denominator[1]
        && moved.value[0] == moved.value[1];
    (!same).then_some(moved)
}

fn moved_metrics(moved: &[Moved]) -> Vec<String> {
    let mut metrics: Vec<String> =
        moved.iter().flat_map(|subject| &subject.indicators).map(|indicator| indicator.metric.clone()).collect();
    metrics.sort();
    metrics.dedup();
    metrics
}

/// Every row of an indicator by subject; none where the scheme does not have it.
async fn rows(catalogue: &Catalogue, side: &Compared<'_>, metric: &str) -> Result<HashMap<String, Vec<SampleRow>>> {
    let Some(indicator) = side.scheme.indicators.iter().find(|indicator| indicator.metric == metric) else {
        return Ok(HashMap::new());
    };
    let (subjects, period): (SubjectKind, &Period) = (side.assessment.subjects, &side.assessment.period);
    let metric = catalogue.expect(metric)?;
    let Some(dimension) = subjects.dimension_of(metric) else { return Ok(HashMap::new()) };
    let observed = session::observed(side.release, None).await?;
    let asked = request(metric, vec![dimension], &indicator.params, period);
    let question = Question::read(catalogue, &observed, &asked)?;
    evidence::whole(&question, &observed, dimension).await
}

/// The rows whose shares differ: how many, and the first of them by dataset and key.
fn changes(before: Option<&Vec<SampleRow>>, after: Option<&Vec<SampleRow>>) -> (u64, Vec<RowChange>) {
    let by_key = |rows: Option<&'_ Vec<SampleRow>>| {
        let mut found: BTreeMap<(String, String), Vec<SampleRow>> = BTreeMap::new();
        for row in rows.into_iter().flatten() {
            found.entry((row.dataset.clone(), row.key.clone())).or_default().push(row.clone());
        }
        found
    };
    let (mut old, new) = (by_key(before), by_key(after));
    let shares = |rows: &[SampleRow]| {
        let mut shares: Vec<String> = rows.iter().map(|row| format!("{}/{}", row.numerator, row.denominator)).collect();
        shares.sort();
        shares
    };
    let mut found = Vec::new();
    for (key, rows) in new {
        let earlier = old.remove(&key).unwrap_or_default();
        if shares(&earlier) != shares(&rows) {
            found.push((key, RowChange { before: earlier.into_iter().next(), after: rows.into_iter().next() }));
        }
    }
    found.extend(old.into_iter().map(|(key, rows)| (key, RowChange { before: rows.into_iter().next(), after: None })));
    found.sort_by(|a, b| a.0.cmp(&b.0));
    let count = found.len() as u64;
    (count, found.into_iter().take(MOST_ROWS).map(|(_, change)| change).collect())
}

fn causes(old: &Assessment, new: &Assessment) -> Vec<Cause> {
    let mut causes = Vec::new();
    if old.release.release != new.release.release {
        causes.push(Cause::Release { releases: [old.release.release, new.release.release] });
    }
    if old.scheme.sha256 != new.scheme.sha256 {
        causes.push(Cause::Scheme { versions: [old.scheme.version, new.scheme.version] });
    }
    let redefined = new
        .definitions
        .iter()
        .filter(|one| old.definitions.iter().any(|other| other.metric == one.metric && other.sha256 != one.sha256));
    let metrics: Vec<String> = redefined.map(|one| one.metric.clone()).collect();
    if !metrics.is_empty() {
        causes.push(Cause::Definitions { metrics });
    }
    let (before, after) = only(&old.scores.rules, &new.scores.rules);
    if !before.is_empty() || !after.is_empty() {
        causes.push(Cause::Rules { before, after });
    }
    let (before, after) = only(&old.scores.leads, &new.scores.leads);
    if !before.is_empty() || !after.is_empty() {
        causes.push(Cause::Leads { before, after });
    }
    causes
}

fn only<T: Clone + PartialEq>(old: &[T], new: &[T]) -> (Vec<T>, Vec<T>) {
    let without = |these: &[T], those: &[T]| these.iter().filter(|one| !those.contains(one)).cloned().collect();
    (without(old, new), without(new, old))
}
