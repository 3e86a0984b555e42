//! Answering: cases summed up by dimension and month, with values, names and targets.

use std::cmp::Ordering;
use std::sync::Arc;

use anze_warehouse::Release;
use datafusion::arrow::datatypes::Date32Type;
use num_bigint::BigInt;
use serde_json::Number;

use crate::answer::{Figure, Member, MetricAnswer, Row};
use crate::catalogue::{Catalogue, Unit, ValueOf};
use crate::dimension::{Dimension, UNKNOWN};
use crate::error::{Error, Result};
use crate::groups::{Group, groups};
use crate::quantity::{Quantity, number, quotient};
use crate::question::{MetricRequest, Question};
use crate::rule_book::VALUE_SCALE;
use crate::session::{self, Observed};
use crate::span::{Month, Span};

/// A question by month computes each of them; more would be a mistake in the dates.
const MOST_MONTHS: usize = 240;

/// Answers a question on a release.
///
/// # Errors
/// Question, where it asks for what does not exist; Limit and Internal from the engine.
pub async fn answer(catalogue: &Catalogue, release: &Arc<Release>, request: &MetricRequest) -> Result<MetricAnswer> {
    let observed = session::observed(release, request.observed_until).await?;
    let question = Question::read(catalogue, &observed, request)?;
    let rows = rows(&question, &observed).await?;
    Ok(assemble(&question, &observed, release, rows))
}

/// Puts an answer together around its rows.
pub(crate) fn assemble(question: &Question<'_>, observed: &Observed, release: &Release, rows: Rows) -> MetricAnswer {
    MetricAnswer {
        metric: question.metric.id.clone(),
        title: question.metric.title.clone(),
        unit: question.metric.unit,
        release: release.number(),
        observed_until: observed.until,
        span: question.span,
        by: question.by.clone(),
        rows: rows.rows,
        without_rule: rows.without_rule,
        provisional: rows.provisional,
        stale_feeds: observed.stale_feeds.clone(),
    }
}

/// The rows of an answer in order, and what is said of all of them.
#[derive(Debug, Default)]
pub(crate) struct Rows {
    pub(crate) rows: Vec<Row>,
    /// Number of cases without a rule.
    pub(crate) without_rule: i64,
    /// Whether workdays were counted beyond the published calendar.
    pub(crate) provisional: bool,
}

impl Rows {
    fn add(&mut self, question: &Question<'_>, observed: &Observed, span: &Span, month: Option<Month>, group: Group) {
        self.without_rule += group.without_rule;
        self.provisional |= group.provisional > 0;
        self.rows.extend(row(question, observed, span, month, group));
    }
}

/// The rows of an answer.
pub(crate) async fn rows(question: &Question<'_>, observed: &Observed) -> Result<Rows> {
    rows_over(question, observed, &spans(question)?).await
}

/// What a question is computed over: its span, or each of its months under the month's name.
pub(crate) fn spans(question: &Question<'_>) -> Result<Vec<(Span, Option<Month>)>> {
    let months = match (question.span, question.by.contains(&Dimension::Month)) {
        (Span::Period { from, to }, true) => Month::all(from, to),
        _ => return Ok(vec![(question.span, None)]),
    };
    if months.len() > MOST_MONTHS {
        let count = months.len();
        return Err(Error::question(format!("{count} months are more than the {MOST_MONTHS} of one answer")));
    }
    Ok(months.into_iter().map(|month| (month.period(), Some(month))).collect())
}

/// The rows of an answer over these spans, in order.
pub(crate) async fn rows_over(
    question: &Question<'_>,
    observed: &Observed,
    spans: &[(Span, Option<Month>)],
) -> Result<Rows> {
    let by: Vec<Dimension> = question.by.iter().copied().filter(|by| *by != Dimension::Month).collect();
    let mut all = Rows::default();
    for (span, month) in spans {
        for group in summed(question, span, observed, &by).await? {
            all.add(question, observed, span, *month, group);
        }
    }
    all.rows.sort_by(|a, b| in_order(&a.members, &b.members));
    Ok(all)
}

async fn summed(question: &Question<'_>, span: &Span, observed: &Observed, by: &[Dimension]) -> Result<Vec<Group>> {
    groups(question, span, observed, by).await.map_err(|error| match error.kind() {
        crate::ErrorKind::Statement => question.metric.fault(&error),
        _ => error,
    })
}

/// A row for a group. A group appears when its denominator has a case; one with a numerator alone
/// appears too, so that the rows still add up to the total; without dimensions there is one row.
pub(crate) fn row(
    question: &Question<'_>,
    observed: &Observed,
    span: &Span,
    month: Option<Month>,
    group: Group,
) -> Option<Row> {
    if !question.by.is_empty() && group.cases == 0 && group.numerator.is_zero() {
        return None;
    }
    let mut codes = group.members.iter();
    let members: Vec<Member> = question
        .by
        .iter()
        .filter_map(|dimension| {
            let code = match (dimension, month) {
                (Dimension::Month, Some(month)) => month.label(),
                _ => codes.next()?.clone(),
            };
            let name = observed.names.name(*dimension, &code);
            Some(Member { dimension: *dimension, code, name })
        })
        .collect();
    let value = value(question, &group);
    let survival = matches!(question.metric.value, ValueOf::KaplanMeier { .. });
    Some(Row {
        target: target(question, observed, span, &members),
        members,
        span: *span,
        as_of: None,
        cases: group.cases,
        numerator: group.numerator,
        denominator: question.metric.value.has_denominator().then_some(group.denominator),
        not_reached: survival && group.cases > 0 && value.is_none(),
        value,
        fields: group.fields,
        compared: Vec::new(),
    })
}

/// A row of which there is no case, beside one that has some.
pub(crate) fn empty_row(question: &Question<'_>, observed: &Observed, span: Span, like: &Row) -> Row {
    let numerator = like.numerator.nothing();
    Row {
        members: like.members.clone(),
        span,
        as_of: None,
        cases: 0,
        numerator,
        denominator: like.denominator.map(Quantity::nothing),
        value: match question.metric.value {
            ValueOf::Tally { .. } => Some(Figure::Quantity(numerator)),
            _ => None,
        },
        target: target(question, observed, &span, &like.members),
        fields: like.fields.iter().map(|(name, _)| (name.clone(), None)).collect(),
        not_reached: false,
        compared: Vec::new(),
    }
}

fn value(question: &Question<'_>, group: &Group) -> Option<Figure> {
    if let ValueOf::KaplanMeier { .. } = question.metric.value {
        return group.quantile.map(|days| Figure::Number(Number::from(days)));
    }
    if let ValueOf::Tally { .. } = question.metric.value {
        return Some(Figure::Quantity(group.numerator));
    }
    let divided = |times| quotient(group.numerator, group.denominator, times).map(Figure::Number);
    match question.metric.unit {
        Unit::Ratio | Unit::Yuan | Unit::Mean | Unit::Days | Unit::Index => divided(1),
        Unit::PerMille => divided(1000),
        // Nothing to count among is no count of 0.
        Unit::Count | Unit::Amount => (group.denominator.parts().0 > 0).then_some(Figure::Quantity(group.numerator)),
    }
}

/// The target for a figure's place and sector on the last day of its span.
fn target(question: &Question<'_>, observed: &Observed, span: &Span, members: &[Member]) -> Option<Number> {
    let of = |dimension: Dimension| {
        let member = members.iter().find(|member| member.dimension == dimension);
        member.map(|member| member.code.as_str()).or_else(|| question.filter(dimension))
    };
    let region = of(Dimension::County).or_else(|| of(Dimension::City)).unwrap_or(observed.province.code());
    let day = Date32Type::from_naive_date(span.last_day());
    let id = format!("target.{}", question.metric.id);
    let rule = observed.rules.find(&id, Some(region), of(Dimension::Sector), day)?;
    Some(number(&BigInt::from(rule.value), usize::from(VALUE_SCALE.unsigned_abs())))
}

/// By code, dimension after dimension; `unknown` comes last.
pub(crate) fn in_order(a: &[Member], b: &[Member]) -> Ordering {
    let rank = |member: &Member| (member.code == UNKNOWN, member.code.clone());
    a.iter().map(rank).cmp(b.iter().map(rank))
}
