//! Asking for leads: a page of them, one by its name, or how many there are.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use anze_warehouse::Release;
use chrono::NaiveDate;
use datafusion::arrow::array::{Array, AsArray, RecordBatch, StringArray};
use datafusion::arrow::compute::concat_batches;
use datafusion::arrow::datatypes::{DataType, Int64Type};
use datafusion::functions::expr_fn::coalesce;
use datafusion::functions_aggregate::expr_fn::count;
use datafusion::logical_expr::{Expr, JoinType, cast};
use datafusion::prelude::{DataFrame, col, lit};
use datafusion::scalar::ScalarValue;
use serde::Serialize;

use super::ask::{LeadDays, LeadRequest, city};
use super::columns::{self, DEPARTMENT, INSURER, KIND, LEAD_ID, REGION, SECTOR, SINCE, STATE};
use super::cursor::Cursor;
use super::family::{Family, families, family_of};
use super::rows;
use crate::dimension::{Dimension, UNKNOWN};
use crate::error::{Error, Result};
use crate::evidence::MOST_ROWS;
use crate::province::Province;
use crate::session::{self, Observed};

/// One lead, as it is handed out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Lead {
    /// Hash of kind, subject and key: the same in every release.
    pub lead_id: String,
    /// Its kind.
    pub kind: String,
    /// What is looked into: unit, insurer, agency, reporter or market.
    pub subject_kind: String,
    /// Its code.
    pub subject_id: String,
    /// Its name, where known.
    pub subject_name: Option<String>,
    /// The county, or what the row has.
    pub region_code: Option<String>,
    /// Its name.
    pub region_name: Option<String>,
    /// Sector.
    pub sector: Option<String>,
    /// Its name.
    pub sector_name: Option<String>,
    /// Department.
    pub department: Option<String>,
    /// Insurer.
    pub insurer_code: Option<String>,
    /// Its name.
    pub insurer_name: Option<String>,
    /// Since when, or the day of the event.
    pub since: Option<String>,
    /// 元.
    pub amount: Option<String>,
    /// Persons.
    pub heads: Option<i64>,
    /// The rule broken: of the dataset `rule`, a finding, or the metric that measures it.
    pub rule_id: String,
    /// What was found, in the unit of the kind.
    pub found: Option<String>,
    /// What the rule asks for.
    pub required: Option<String>,
    /// Who deferred cover, and by what document.
    pub deferral: Option<String>,
    /// What else is to be said.
    pub detail: Option<String>,
    /// The dataset of its row.
    pub dataset: String,
    /// The key of its row.
    pub key: String,
    /// The batch that brought the row.
    pub batch_id: Option<String>,
    /// The record in the landed file, from 1.
    pub row_no: Option<i64>,
    /// open, confirmed or dismissed.
    pub state: String,
    /// Who reviewed it last.
    pub reviewed_by: Option<String>,
    /// When, RFC 3339 with +08:00.
    pub reviewed_at: Option<String>,
    /// Why.
    pub review_reason: Option<String>,
}

/// A page of leads, the longest standing first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LeadPage {
    /// The release.
    pub release: u64,
    /// The observation day.
    pub observed_until: NaiveDate,
    /// The leads.
    pub rows: Vec<Lead>,
    /// Where the next page begins; none after the last.
    pub next: Option<String>,
}

/// How many leads of a kind and state there are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LeadCount {
    /// The kind.
    pub kind: String,
    /// The member of the dimension asked for; `unknown` where the row has none.
    pub member: Option<String>,
    /// open, confirmed or dismissed.
    pub state: String,
    /// Their number.
    pub leads: i64,
}

/// A page of leads on a release, from a cursor on; with `since` only those that did not stand in that
/// earlier release, each release asked for its own days.
///
/// # Errors
/// Question, also for a cursor that belongs to another question or release.
pub async fn leads(
    release: &Arc<Release>,
    request: &LeadRequest,
    since: Option<&Arc<Release>>,
    cursor: Option<&str>,
    limit: usize,
) -> Result<LeadPage> {
    if !(1..=MOST_ROWS).contains(&limit) {
        return Err(Error::question(format!("a page has 1 to {MOST_ROWS} rows, not {limit}")));
    }
    let observed = session::observed(release, request.observed_until).await?;
    let question = request.digest() ^ since.map_or(0, |since| since.number().wrapping_add(1));
    let after = cursor.map(|text| Cursor::read(text, release.number(), question)).transpose()?;
    let mut frame = asked(request, &observed).await?;
    if let Some(since) = since {
        let before = names_in(since, request).await?;
        let before = observed.context.read_batch(before)?;
        frame = frame.join(before, JoinType::LeftAnti, &[LEAD_ID], &["known_lead"], None)?;
    }
    if let Some(after) = &after {
        let (since, id) = (lit(day(after.since)), lit(after.lead_id.as_str()));
        frame = frame.filter(standing().gt(since.clone()).or(standing().eq(since).and(col(LEAD_ID).gt(id))))?;
    }
    let frame = frame.sort(vec![standing().sort(true, false), col(LEAD_ID).sort(true, false)])?;
    let mut rows = read(frame.limit(0, Some(limit + 1))?, &observed).await?;
    let more = rows.len() > limit;
    rows.truncate(limit);
    let next = rows.last().filter(|_| more).map(|last| {
        let since = last.since.as_deref().and_then(|day| day.parse().ok()).unwrap_or_default();
        Cursor { since, lead_id: last.lead_id.clone() }.write(release.number(), question)
    });
    Ok(LeadPage { release: release.number(), observed_until: observed.until, rows, next })
}

/// The names of all leads that a request finds in a release.
async fn names_in(release: &Arc<Release>, request: &LeadRequest) -> Result<RecordBatch> {
    let observed = session::observed(release, request.observed_until).await?;
    // What was decided since then is no news of the row.
    let request = LeadRequest { filters: without_state(&request.filters), ..request.clone() };
    let names = asked(&request, &observed).await?.select(vec![col(LEAD_ID).alias("known_lead")])?;
    let schema = Arc::clone(names.schema().inner());
    Ok(concat_batches(&schema, &names.collect().await?)?)
}

fn without_state(filters: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    filters.iter().filter(|(name, _)| *name != STATE).map(|(name, member)| (name.clone(), member.clone())).collect()
}

/// One lead by its name; none where it does not stand in the release or is out of the asker's reach.
///
/// # Errors
/// Question.
pub async fn lead(release: &Arc<Release>, request: &LeadRequest, lead_id: &str) -> Result<Option<Lead>> {
    let observed = session::observed(release, request.observed_until).await?;
    let frame = asked(request, &observed).await?.filter(col(LEAD_ID).eq(lit(lead_id)))?;
    Ok(read(frame, &observed).await?.pop())
}

/// How many leads there are, by kind and state, and by the members of a dimension where one is given:
/// city, county, sector, department or insurer.
///
/// # Errors
/// Question.
pub async fn lead_counts(
    release: &Arc<Release>,
    request: &LeadRequest,
    by: Option<Dimension>,
) -> Result<Vec<LeadCount>> {
    let observed = session::observed(release, request.observed_until).await?;
    let member = match by {
        None => lit(ScalarValue::Utf8(None)),
        Some(Dimension::City) => known(city()?),
        Some(Dimension::County) => known(col(REGION)),
        Some(Dimension::Sector) => known(col(SECTOR)),
        Some(Dimension::Department) => known(col(DEPARTMENT)),
        Some(Dimension::Insurer) => known(col(INSURER)),
        Some(other) => return Err(Error::question(format!("leads are not counted by {other}"))),
    };
    let frame = asked(request, &observed).await?;
    let text = |value: Expr| cast(value, DataType::Utf8);
    let frame = frame
        .select(vec![text(col(KIND)).alias(KIND), text(member).alias("member"), text(col(STATE)).alias(STATE)])?
        .aggregate(vec![col(KIND), col("member"), col(STATE)], vec![count(lit(1_i64)).alias("leads")])?
        .sort(vec![col(KIND).sort(true, false), col("member").sort(true, false), col(STATE).sort(true, false)])?;
    let mut counts = Vec::new();
    for batch in frame.collect().await? {
        let text = |column: usize| batch.column(column).as_string::<i32>();
        let leads = batch.column(3).as_primitive::<Int64Type>();
        for row in 0..batch.num_rows() {
            counts.push(LeadCount {
                kind: text(0).value(row).to_owned(),
                member: text(1).is_valid(row).then(|| text(1).value(row).to_owned()),
                state: text(2).value(row).to_owned(),
                leads: leads.value(row),
            });
        }
    }
    Ok(counts)
}

fn known(column: Expr) -> Expr {
    coalesce(vec![column, cast(lit(UNKNOWN), DataType::Utf8View)])
}

/// Everything that a request asks for.
async fn asked(request: &LeadRequest, observed: &Observed) -> Result<DataFrame> {
    let days = request.days(observed.until)?;
    let families = match &request.kind {
        None if !request.params.is_empty() => {
            return Err(Error::question("parameters belong to a kind; name one"));
        }
        None => families()?
            .iter()
            .map(|family| with_values(family, &days, &request.params, &observed.province))
            .collect::<Result<Vec<_>>>()?,
        Some(kind) => {
            let family = family_of(kind)?;
            request.fits(family)?;
            vec![with_values(family, &days, &request.params, &observed.province)?]
        }
    };
    let mut frame = rows::of_families(&observed.context, &families, request.reviewed_until).await?;
    if let Some(kind) = &request.kind {
        frame = frame.filter(col(KIND).eq(lit(kind.as_str())))?;
    }
    for condition in request.conditions()? {
        frame = frame.filter(condition)?;
    }
    Ok(frame)
}

type WithValues = (&'static Family, BTreeMap<String, crate::statement::Value>);

fn with_values(
    family: &'static Family,
    days: &LeadDays,
    params: &BTreeMap<String, String>,
    province: &Province,
) -> Result<WithValues> {
    Ok((family, days.values(family, params, province)?))
}

/// What pages are ordered by: since when; unknown comes first.
fn standing() -> Expr {
    coalesce(vec![col(SINCE), lit(day(NaiveDate::default()))])
}

fn day(day: NaiveDate) -> ScalarValue {
    ScalarValue::Date32(Some(datafusion::arrow::datatypes::Date32Type::from_naive_date(day)))
}

async fn read(frame: DataFrame, observed: &Observed) -> Result<Vec<Lead>> {
    let texts: Vec<Expr> = columns::all().map(|(name, _)| cast(col(name), DataType::Utf8).alias(name)).collect();
    let batches = frame.select(texts)?.collect().await?;
    let mut leads: Vec<Lead> =
        batches.iter().flat_map(|batch| (0..batch.num_rows()).map(|row| of_row(batch, row, observed))).collect();
    let names = unit_names(&leads, observed).await?;
    for lead in leads.iter_mut().filter(|lead| lead.subject_kind == "unit") {
        lead.subject_name = names.get(&lead.subject_id).cloned();
    }
    Ok(leads)
}

fn of_row(batch: &RecordBatch, row: usize, observed: &Observed) -> Lead {
    let text = |name: &str| {
        let column: &StringArray = batch.column_by_name(name)?.as_string();
        column.is_valid(row).then(|| column.value(row).to_owned())
    };
    let int = |name: &str| text(name).and_then(|digits| digits.parse().ok());
    let named = |dimension, code: &Option<String>| code.as_deref().map(|code| observed.names.name(dimension, code));
    let must = |name: &str| text(name).unwrap_or_default();
    let (region_code, sector, insurer_code) = (text(REGION), text(SECTOR), text(INSURER));
    let (subject_kind, subject_id) = (must("subject_kind"), must("subject_id"));
    let subject_name = match subject_kind.as_str() {
        "insurer" => Some(observed.names.name(Dimension::Insurer, &subject_id)),
        "agency" => Some(observed.names.name(Dimension::Agency, &subject_id)),
        _ => None,
    };
    Lead {
        lead_id: must(LEAD_ID),
        kind: must(KIND),
        subject_kind,
        subject_id,
        subject_name,
        region_name: named(Dimension::County, &region_code),
        sector_name: named(Dimension::Sector, &sector),
        insurer_name: named(Dimension::Insurer, &insurer_code),
        region_code,
        sector,
        department: text(DEPARTMENT),
        insurer_code,
        since: text(SINCE),
        amount: text("amount"),
        heads: int("heads"),
        rule_id: must("rule_id"),
        found: text("found").map(without_needless_digits),
        required: text("required").map(without_needless_digits),
        deferral: text("deferral"),
        detail: text("detail"),
        dataset: must("dataset"),
        key: must("key"),
        batch_id: text("batch_id"),
        row_no: int("row_no"),
        state: must(STATE),
        reviewed_by: text("reviewed_by"),
        reviewed_at: text("reviewed_at").map(in_shanghai),
        review_reason: text("review_reason"),
    }
}

fn without_needless_digits(text: String) -> String {
    match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text,
    }
}

/// An instant in UTC as answers show it.
fn in_shanghai(text: String) -> String {
    let parsed = chrono::DateTime::parse_from_rfc3339(&text).ok();
    let zone = chrono::FixedOffset::east_opt(8 * 3600);
    match (parsed, zone) {
        (Some(instant), Some(zone)) => {
            instant.with_timezone(&zone).to_rfc3339_opts(chrono::SecondsFormat::AutoSi, false)
        }
        _ => text,
    }
}

async fn unit_names(leads: &[Lead], observed: &Observed) -> Result<HashMap<String, String>> {
    let mut units: Vec<&str> =
        leads.iter().filter(|lead| lead.subject_kind == "unit").map(|lead| lead.subject_id.as_str()).collect();
    units.sort_unstable();
    units.dedup();
    if units.is_empty() {
        return Ok(HashMap::new());
    }
    let text = |name: &str| cast(col(name), DataType::Utf8).alias(name);
    let among = col("unit_id").in_list(units.into_iter().map(lit).collect(), false);
    let frame = observed.context.table("unit").await?.filter(among)?.select(vec![text("unit_id"), text("name")])?;
    let mut names = HashMap::new();
    for batch in frame.collect().await? {
        let (ids, own): (&StringArray, &StringArray) = (batch.column(0).as_string(), batch.column(1).as_string());
        names.extend(ids.iter().zip(own).filter_map(|(id, name)| Some((id?.to_owned(), name?.to_owned()))));
    }
    Ok(names)
}
