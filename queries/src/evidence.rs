//! Evidence: the very cases behind an answer, each with its share and its lineage.

mod by_subject;
mod cursor;

use std::sync::Arc;

use anze_warehouse::{Release, lineage};
use chrono::NaiveDate;
use datafusion::arrow::array::{Array, AsArray, RecordBatch};
use datafusion::arrow::datatypes::{DataType, Int64Type};
use datafusion::functions::expr_fn::coalesce;
use datafusion::functions_aggregate::expr_fn::sum;
use datafusion::logical_expr::{Expr, cast};
use datafusion::prelude::{DataFrame, col, lit};
use serde::ser::SerializeMap;
use serde::{Deserialize, Serialize, Serializer};

use crate::answer::{Member, member_entries, span_entries};
use crate::cases::{DATASET, DAYS, DENOMINATOR, EVENT, KEY, NUMERATOR, WITHOUT_RULE, cases};
use crate::catalogue::{Catalogue, ValueOf};
use crate::concentration;
use crate::dimension::Dimension;
use crate::error::{Error, Result};
use crate::groups::quantity;
use crate::quantity::Quantity;
use crate::question::{MetricRequest, Question};
use crate::session::{self, Observed};
use crate::span::Span;
pub(crate) use by_subject::{counts, samples, whole};
use cursor::{Cursor, Place};

/// Most rows of one page.
pub const MOST_ROWS: usize = 10_000;

/// Which cases of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// Cases whose denominator is not matched by their numerator; the share is the difference.
    Gap,
    /// Cases with a share of the numerator.
    Numerator,
    /// Cases with a share of the denominator.
    Denominator,
}

impl Side {
    /// A side by its name.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Gap, Self::Numerator, Self::Denominator].into_iter().find(|side| side.name() == name)
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Gap => "gap",
            Self::Numerator => "numerator",
            Self::Denominator => "denominator",
        }
    }
}

/// A page of evidence. Over all pages the shares add up to the answer.
#[derive(Debug, Clone, PartialEq)]
pub struct EvidencePage {
    /// The metric.
    pub metric: String,
    /// Its Chinese title.
    pub title: String,
    /// Which cases.
    pub side: Side,
    /// The release.
    pub release: u64,
    /// The observation day.
    pub observed_until: NaiveDate,
    /// The day or the period.
    pub span: Span,
    /// The rows, by dataset and key.
    pub rows: Vec<EvidenceRow>,
    /// Where the next page begins; none after the last.
    pub next: Option<String>,
}

/// One case.
#[derive(Debug, Clone, PartialEq)]
pub struct EvidenceRow {
    /// Its member of every dimension of the metric but the month.
    pub members: Vec<Member>,
    /// The dataset of its row.
    pub dataset: String,
    /// The key of its row, parts joined by commas.
    pub key: String,
    /// The batch that brought the row.
    pub batch_id: Option<String>,
    /// The record in the landed file, from 1.
    pub row_no: Option<i64>,
    /// Its share of the numerator.
    pub numerator: Quantity,
    /// Its share of the denominator.
    pub denominator: Quantity,
    /// Its share of the side asked for.
    pub share: Quantity,
    /// Days to the event or to censoring, of survival metrics.
    pub days: Option<i64>,
    /// Whether the event came, of survival metrics.
    pub event: Option<bool>,
}

/// A page of the cases on one side of an answer, in a total order, from a cursor on.
///
/// `by` of the request is without effect: every row names its member of every dimension.
///
/// # Errors
/// Question, also for a cursor that belongs to another question or release.
pub async fn evidence(
    catalogue: &Catalogue,
    release: &Arc<Release>,
    request: &MetricRequest,
    side: Side,
    cursor: Option<String>,
    limit: usize,
) -> Result<EvidencePage> {
    if !(1..=MOST_ROWS).contains(&limit) {
        return Err(Error::question(format!("a page has 1 to {MOST_ROWS} rows, not {limit}")));
    }
    let observed = session::observed(release, request.observed_until).await?;
    let question = Question::read(catalogue, &observed, request)?;
    let after = cursor.map(|text| Cursor::read(&text, release.number(), request, side)).transpose()?;
    let mut rows =
        page(&question, &observed, side, after.as_ref(), limit + 1).await.map_err(|error| match error.kind() {
            crate::ErrorKind::Statement => question.metric.fault(&error),
            _ => error,
        })?;
    let more = rows.len() > limit;
    rows.truncate(limit);
    let next =
        rows.last().filter(|_| more).map(|row| Cursor { place: place(row) }.write(release.number(), request, side));
    Ok(EvidencePage {
        metric: question.metric.id.clone(),
        title: question.metric.title.clone(),
        side,
        release: release.number(),
        observed_until: observed.until,
        span: question.span,
        rows,
        next,
    })
}

/// What makes the order total: rows equal in all of it are added up.
fn order(question: &Question<'_>, dimensions: &[Dimension]) -> Vec<&'static str> {
    let mut order = vec![DATASET, KEY, lineage::BATCH_ID, lineage::ROW_NO];
    order.extend(dimensions.iter().map(|dimension| dimension.column()));
    if let ValueOf::KaplanMeier { .. } = question.metric.value {
        order.extend([DAYS, EVENT]);
    }
    order
}

fn place(row: &EvidenceRow) -> Vec<Place> {
    let text = |text: &str| Place::Text(text.to_owned());
    let mut place = vec![text(&row.dataset), text(&row.key), text(row.batch_id.as_deref().unwrap_or_default())];
    place.push(Place::Int(row.row_no.unwrap_or_default()));
    place.extend(row.members.iter().map(|member| text(&member.code)));
    place.extend(row.days.map(Place::Int));
    place.extend(row.event.map(|event| Place::Int(event.into())));
    place
}

async fn page(
    question: &Question<'_>,
    observed: &Observed,
    side: Side,
    after: Option<&Cursor>,
    limit: usize,
) -> Result<Vec<EvidenceRow>> {
    let dimensions: Vec<Dimension> =
        question.metric.dimensions.iter().copied().filter(|dimension| *dimension != Dimension::Month).collect();
    let order = order(question, &dimensions);
    let frame = shares(question, observed, &dimensions, &order, &[]).await?.filter(on_side(question, side))?;
    let frame = match after.and_then(|cursor| cursor.after(&order)) {
        Some(after) => frame.filter(after)?,
        None => frame,
    };
    let columns = order.iter().map(|name| match comparable_type(name) {
        DataType::Utf8View => cast(col(*name), DataType::Utf8).alias(*name),
        _ => col(*name),
    });
    let frame = frame
        .sort(order.iter().map(|name| col(*name).sort(true, false)).collect())?
        .limit(0, Some(limit))?
        .select(columns.chain([col(NUMERATOR), col(DENOMINATOR)]).collect::<Vec<_>>())?;
    let mut rows = Vec::new();
    for batch in frame.collect().await? {
        for row in 0..batch.num_rows() {
            rows.push(evidence_row(&batch, row, side, &dimensions, observed)?);
        }
    }
    Ok(rows)
}

/// The cases of a question, one row each with its shares, in columns without nulls; what is spread over
/// parties is so within each member of `within`.
async fn shares(
    question: &Question<'_>,
    observed: &Observed,
    dimensions: &[Dimension],
    order: &[&str],
    within: &[Dimension],
) -> Result<DataFrame> {
    let comparable = order.iter().map(|name| comparable(name).alias(*name)).collect();
    let frame = cases(question, &question.span, observed, dimensions).await?.filter(col(WITHOUT_RULE).is_false())?;
    let frame = match question.metric.value {
        ValueOf::Concentration { .. } => concentration::parts(frame, within)?,
        ValueOf::Sums { .. } | ValueOf::Tally { .. } | ValueOf::KaplanMeier { .. } => frame,
    };
    Ok(frame.select([comparable, vec![col(NUMERATOR), col(DENOMINATOR)]].concat())?.aggregate(
        order.iter().map(|name| col(*name)).collect(),
        vec![sum(col(NUMERATOR)).alias(NUMERATOR), sum(col(DENOMINATOR)).alias(DENOMINATOR)],
    )?)
}

/// Whether a case has a share of a side.
fn on_side(question: &Question<'_>, side: Side) -> Expr {
    let zero = |name| coalesce(vec![col(name), lit(0_i64)]);
    match side {
        // Of what is only counted nothing is missing.
        Side::Gap if !question.metric.value.has_denominator() => lit(false),
        Side::Gap => zero(DENOMINATOR).not_eq(zero(NUMERATOR)),
        Side::Numerator => zero(NUMERATOR).not_eq(lit(0_i64)),
        Side::Denominator => zero(DENOMINATOR).not_eq(lit(0_i64)),
    }
}

fn comparable_type(name: &str) -> DataType {
    match name {
        lineage::ROW_NO | DAYS | EVENT => DataType::Int64,
        _ => DataType::Utf8View,
    }
}

/// A column of the order without nulls: they would compare to nothing.
fn comparable(name: &str) -> Expr {
    let kind = comparable_type(name);
    let nothing = if kind == DataType::Int64 { lit(0_i64) } else { cast(lit(""), DataType::Utf8View) };
    coalesce(vec![cast(col(name), kind), nothing])
}

fn evidence_row(
    batch: &RecordBatch,
    row: usize,
    side: Side,
    dimensions: &[Dimension],
    observed: &Observed,
) -> Result<EvidenceRow> {
    let text = |column: usize| batch.column(column).as_string::<i32>().value(row).to_owned();
    let int = |name: &str| {
        let column = batch.column_by_name(name)?.as_primitive::<Int64Type>();
        column.is_valid(row).then(|| column.value(row))
    };
    let last = batch.num_columns();
    let numerator = quantity(batch.column(last - 2), row)?;
    let denominator = quantity(batch.column(last - 1), row)?;
    let members = dimensions.iter().enumerate().map(|(place, dimension)| {
        let code = text(4 + place);
        Member { dimension: *dimension, name: observed.names.name(*dimension, &code), code }
    });
    Ok(EvidenceRow {
        members: members.collect(),
        dataset: text(0),
        key: text(1),
        batch_id: Some(text(2)).filter(|batch| !batch.is_empty()),
        row_no: int(lineage::ROW_NO).filter(|row_no| *row_no > 0),
        numerator,
        denominator,
        share: match side {
            Side::Gap => denominator.less(numerator),
            Side::Numerator => numerator,
            Side::Denominator => denominator,
        },
        days: int(DAYS),
        event: int(EVENT).map(|event| event == 1),
    })
}

impl Serialize for EvidencePage {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("metric", &self.metric)?;
        map.serialize_entry("title", &self.title)?;
        map.serialize_entry("side", &self.side)?;
        map.serialize_entry("release", &self.release)?;
        map.serialize_entry("observed_until", &self.observed_until)?;
        span_entries(&mut map, self.span)?;
        map.serialize_entry("rows", &self.rows)?;
        map.serialize_entry("next", &self.next)?;
        map.end()
    }
}

impl Serialize for EvidenceRow {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        // The dimension `dataset` is the dataset the case is about: it stands before its lineage.
        member_entries(&mut map, &self.members)?;
        map.serialize_entry("dataset", &self.dataset)?;
        map.serialize_entry("key", &self.key)?;
        map.serialize_entry("batch_id", &self.batch_id)?;
        map.serialize_entry("row_no", &self.row_no)?;
        map.serialize_entry("numerator", &self.numerator)?;
        map.serialize_entry("denominator", &self.denominator)?;
        map.serialize_entry("share", &self.share)?;
        if let (Some(days), Some(event)) = (self.days, self.event) {
            map.serialize_entry("days", &days)?;
            map.serialize_entry("event", &event)?;
        }
        map.end()
    }
}
