//! What the metrics say of every subject: asked of the metric engine, one question for all subjects.

use std::collections::{BTreeMap, HashMap};

use serde_json::Value as Json;

use super::document::{CaseCounts, Period, SampleRow};
use super::exact::Exact;
use super::scheme::{Indicator, SubjectKind};
use super::scoring::Outcome;
use crate::answer::{Figure, Row};
use crate::catalogue::{Catalogue, Kind, Metric, Unit, ValueOf};
use crate::dimension::Dimension;
use crate::engine::rows;
use crate::error::{Error, ErrorKind, Result};
use crate::evidence::{self, Side};
use crate::quantity::Quantity;
use crate::question::{MetricRequest, Question};
use crate::session::Observed;

/// A cell of a metric.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Cell {
    pub(crate) numerator: Quantity,
    pub(crate) denominator: Option<Quantity>,
    pub(crate) outcome: Outcome,
}

/// What one metric says, by subject.
#[derive(Debug, Default)]
pub(crate) struct Measured {
    pub(crate) cells: BTreeMap<String, Cell>,
    /// By subject, then sector; only where sectors are weighed.
    pub(crate) sectors: HashMap<String, BTreeMap<String, Cell>>,
    pub(crate) counts: HashMap<String, CaseCounts>,
    pub(crate) samples: HashMap<String, Vec<SampleRow>>,
    pub(crate) without_rule: i64,
    pub(crate) provisional: bool,
}

/// Rows of evidence kept with each subject and indicator.
pub(crate) const SAMPLE: usize = 5;

/// A question to a metric about all subjects; a metric of a day is asked for the period's last day.
pub(crate) fn request(
    metric: &Metric,
    by: Vec<Dimension>,
    params: &BTreeMap<String, String>,
    period: &Period,
) -> MetricRequest {
    let over_period = metric.kind == Kind::Period;
    MetricRequest {
        id: metric.id.clone(),
        by: by.iter().map(|dimension| dimension.name().to_owned()).collect(),
        as_of: (!over_period).then(|| period.last_day()),
        from: over_period.then_some(period.from),
        to: over_period.then_some(period.to),
        params: params.clone(),
        ..MetricRequest::default()
    }
}

/// What an indicator's metric says of every subject, with its rows.
pub(crate) async fn measured(
    catalogue: &Catalogue,
    observed: &Observed,
    subjects: SubjectKind,
    indicator: &Indicator,
    period: &Period,
) -> Result<Measured> {
    let metric = catalogue.expect(&indicator.metric)?;
    let dimension = dimension(subjects, metric)?;
    let asked = request(metric, vec![dimension], &indicator.params, period);
    let question = Question::read(catalogue, observed, &asked)?;
    let answer = rows(&question, observed).await?;
    let mut measured = Measured {
        cells: cells(metric, &answer.rows, dimension),
        without_rule: answer.without_rule,
        provisional: answer.provisional,
        ..Measured::default()
    };
    if !indicator.sector_weights.is_empty() {
        let asked = request(metric, vec![dimension, Dimension::Sector], &indicator.params, period);
        let answer = rows(&Question::read(catalogue, observed, &asked)?, observed).await?;
        for row in &answer.rows {
            if let (Some(subject), Some(sector)) = (row.member(dimension), row.member(Dimension::Sector)) {
                let of_subject = measured.sectors.entry(subject.to_owned()).or_default();
                of_subject.insert(sector.to_owned(), cell(metric, row));
            }
        }
    }
    measured.counts = evidence::counts(&question, observed, dimension).await?;
    measured.samples = evidence::samples(&question, observed, dimension, side_of(metric), SAMPLE).await?;
    Ok(measured)
}

/// The first rows of an indicator, of each subject.
pub(crate) async fn samples(
    catalogue: &Catalogue,
    observed: &Observed,
    subjects: SubjectKind,
    indicator: &Indicator,
    period: &Period,
    most: usize,
) -> Result<HashMap<String, Vec<SampleRow>>> {
    let metric = catalogue.expect(&indicator.metric)?;
    let dimension = dimension(subjects, metric)?;
    let asked = request(metric, vec![dimension], &indicator.params, period);
    let question = Question::read(catalogue, observed, &asked)?;
    evidence::samples(&question, observed, dimension, side_of(metric), most).await
}

/// What is missing; of what is only counted, what was counted.
fn side_of(metric: &Metric) -> Side {
    if metric.value.has_denominator() { Side::Gap } else { Side::Numerator }
}

/// The cells of a metric by subject, without rows: what gates and the roster are asked for.
pub(crate) async fn cells_of(
    catalogue: &Catalogue,
    observed: &Observed,
    subjects: SubjectKind,
    metric: &str,
    period: &Period,
) -> Result<BTreeMap<String, Cell>> {
    let metric = catalogue.expect(metric)?;
    let dimension = dimension(subjects, metric)?;
    let asked = request(metric, vec![dimension], &BTreeMap::new(), period);
    let answer = rows(&Question::read(catalogue, observed, &asked)?, observed).await?;
    Ok(cells(metric, &answer.rows, dimension))
}

/// The cells of a metric by subject and feed; none where it knows no feeds.
pub(crate) async fn cells_by_feed(
    catalogue: &Catalogue,
    observed: &Observed,
    subjects: SubjectKind,
    metric: &str,
    period: &Period,
) -> Result<Vec<(String, String, Cell)>> {
    let metric = catalogue.expect(metric)?;
    if !metric.dimensions.contains(&Dimension::Feed) {
        return Ok(Vec::new());
    }
    let dimension = dimension(subjects, metric)?;
    let asked = request(metric, vec![dimension, Dimension::Feed], &BTreeMap::new(), period);
    let answer = rows(&Question::read(catalogue, observed, &asked)?, observed).await?;
    let by_feed = answer.rows.iter().filter_map(|row| {
        Some((row.member(dimension)?.to_owned(), row.member(Dimension::Feed)?.to_owned(), cell(metric, row)))
    });
    Ok(by_feed.collect())
}

fn dimension(subjects: SubjectKind, metric: &Metric) -> Result<Dimension> {
    subjects.dimension_of(metric).ok_or_else(|| {
        let message = format!("the metric {} has no dimension {}", metric.id, subjects.name());
        Error::new(ErrorKind::Catalogue, message)
    })
}

fn cells(metric: &Metric, rows: &[Row], dimension: Dimension) -> BTreeMap<String, Cell> {
    rows.iter().filter_map(|row| Some((row.member(dimension)?.to_owned(), cell(metric, row)))).collect()
}

fn cell(metric: &Metric, row: &Row) -> Cell {
    Cell { numerator: row.numerator, denominator: row.denominator, outcome: outcome(metric, row) }
}

/// What a subject has of which there is no row: nothing to divide by, or a count of nothing.
pub(crate) fn missing(metric: &Metric) -> Cell {
    let nothing = Quantity::Count(0);
    match metric.value {
        ValueOf::Tally { .. } => {
            Cell { numerator: nothing, denominator: None, outcome: Outcome::Value(Exact::whole(0)) }
        }
        _ => Cell { numerator: nothing, denominator: Some(nothing), outcome: Outcome::Empty },
    }
}

/// The value of a row, exact.
fn outcome(metric: &Metric, row: &Row) -> Outcome {
    if row.not_reached {
        return Outcome::NotReached;
    }
    let value = match metric.value {
        ValueOf::KaplanMeier { .. } => match &row.value {
            Some(Figure::Number(days)) => Exact::parse(&days.to_string()),
            _ => None,
        },
        ValueOf::Tally { .. } => Some(Exact::of(row.numerator)),
        ValueOf::Sums { .. } | ValueOf::Concentration { .. } => row.denominator.and_then(|denominator| {
            let ratio = Exact::ratio(row.numerator, denominator)?;
            Some(match metric.unit {
                Unit::PerMille => ratio.times(&Exact::whole(1000)),
                Unit::Count | Unit::Amount => Exact::of(row.numerator),
                Unit::Ratio | Unit::Yuan | Unit::Mean | Unit::Days | Unit::Index => ratio,
            })
        }),
    };
    value.map_or(Outcome::Empty, Outcome::Value)
}

/// A sum as documents keep it: counts as numbers, money as texts.
pub(crate) fn kept(quantity: Quantity) -> Json {
    serde_json::to_value(quantity).unwrap_or(Json::Null)
}
