//! Leads as rows: what the families return, in one shape, named, and with what was decided about each.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use datafusion::arrow::datatypes::DataType;
use datafusion::execution::FunctionRegistry;
use datafusion::functions::expr_fn::coalesce;
use datafusion::logical_expr::{Expr, JoinType, case, cast};
use datafusion::prelude::{DataFrame, SessionContext, col, lit};
use datafusion::scalar::ScalarValue;

use super::columns::{self, DEPARTMENT, KEY, KIND, NEEDED, OCCASION, RULE, SECTOR, STATE, SUBJECT_ID, SUBJECT_KIND};
use super::family::Family;
use crate::error::{Error, Result};
use crate::functions;
use crate::statement::{Statement, Value};

/// The last review of each lead up to an instant. Two of one instant are one row of the table.
const REVIEWS: &str = "
    select
        last.lead_id as of_lead,
        last.state as reviewed_state,
        last.reviewed_by,
        last.reviewed_at,
        last.reason as review_reason
    from (
        select
            review.lead_id,
            review.state,
            review.reviewed_by,
            review.reviewed_at,
            review.reason,
            row_number() over (partition by review.lead_id order by review.reviewed_at desc) as place
        from system.lead_review as review
        where review.reviewed_at <= cast($reviewed_until as timestamp)
    ) as last
    where last.place = 1";
/// Later than every review.
const ALWAYS: &str = "2200-01-01 00:00:00";

/// The leads of some families, each with the values of its placeholders, reviewed up to an instant.
pub(super) async fn of_families(
    session: &SessionContext,
    families: &[(&Family, BTreeMap<String, Value>)],
    reviewed_until: Option<DateTime<Utc>>,
) -> Result<DataFrame> {
    let mut all: Option<DataFrame> = None;
    for (family, values) in families {
        let rows = of_family(session, family, values).await.map_err(|error| family.fault(&error))?;
        all = Some(match all {
            Some(all) => all.union(rows)?,
            None => rows,
        });
    }
    let all = all.ok_or_else(|| Error::question("there are no kinds of leads to ask for"))?;
    reviewed(session, with_department(session, all).await?, reviewed_until).await
}

/// What one family returns, in the columns of the view but the review's.
pub(super) async fn of_family(
    session: &SessionContext,
    family: &Family,
    values: &BTreeMap<String, Value>,
) -> Result<DataFrame> {
    let plan = family.statement.clone().bind(values)?.plan(session).await?;
    let frame = DataFrame::new(session.state(), plan);
    let given: Vec<String> = frame.schema().fields().iter().map(|field| field.name().clone()).collect();
    let has = |name: &str| given.iter().any(|own| own == name);
    if let Some(missing) = NEEDED.iter().find(|name| !has(name)) {
        return Err(Error::catalogue(format!("the column `{missing}` is missing")));
    }
    let known = |name: &str| name == OCCASION || columns::GIVEN.iter().any(|(known, _)| *known == name);
    if let Some(stray) = given.iter().find(|name| !known(name)) {
        return Err(Error::catalogue(format!("leads have no column `{stray}`")));
    }
    let value = |name: &str, kind: &DataType| match has(name) {
        true => Ok(cast(col(name), kind.clone())),
        false => Ok(lit(ScalarValue::try_from(kind)?)),
    };
    let mut selected: Vec<Expr> = columns::GIVEN
        .iter()
        .map(|(name, kind)| {
            let own = value(name, &kind.arrow())?;
            let own = if *name == RULE { coalesce(vec![own, rule_of_kind(family)?]) } else { own };
            Ok(own.alias(*name))
        })
        .collect::<Result<_>>()?;
    let parts = [KIND, SUBJECT_KIND, SUBJECT_ID, KEY, OCCASION];
    let parts = parts.iter().map(|name| value(name, &DataType::Utf8View)).collect::<Result<Vec<_>>>()?;
    selected.insert(0, session.state().udf(functions::LEAD_ID)?.call(parts).alias(columns::LEAD_ID));
    Ok(frame.select(selected)?)
}

/// The rule that a kind is declared with.
fn rule_of_kind(family: &Family) -> Result<Expr> {
    let text = |text: &str| cast(lit(text), DataType::Utf8View);
    let mut kinds = family.kinds.iter();
    let Some(first) = kinds.next() else { return Err(Error::catalogue("a family without kinds")) };
    let mut rules = case(cast(col(KIND), DataType::Utf8View)).when(text(&first.id), text(&first.rule));
    for kind in kinds {
        rules = rules.when(text(&kind.id), text(&kind.rule));
    }
    Ok(rules.end()?)
}

/// The row's own department, else its sector's.
async fn with_department(session: &SessionContext, leads: DataFrame) -> Result<DataFrame> {
    let sectors = session
        .table("sector")
        .await?
        .select(vec![col("code").alias("code_of_sector"), col(DEPARTMENT).alias("department_of_sector")])?;
    let joined = leads.join(sectors, JoinType::Left, &[SECTOR], &["code_of_sector"], None)?;
    let own = coalesce(vec![col(DEPARTMENT), cast(col("department_of_sector"), DataType::Utf8View)]);
    let selected = [(columns::LEAD_ID, columns::Type::Text)].into_iter().chain(columns::GIVEN);
    let selected: Vec<Expr> =
        selected.map(|(name, _)| if name == DEPARTMENT { own.clone().alias(DEPARTMENT) } else { col(name) }).collect();
    Ok(joined.select(selected)?)
}

async fn reviewed(
    session: &SessionContext,
    leads: DataFrame,
    reviewed_until: Option<DateTime<Utc>>,
) -> Result<DataFrame> {
    let until = reviewed_until.map_or_else(|| ALWAYS.to_owned(), |until| until.naive_utc().to_string());
    let values = BTreeMap::from([("reviewed_until".to_owned(), Value::Text(until))]);
    let plan = Statement::parse(REVIEWS)?.bind(&values)?.plan(session).await?;
    let reviews = DataFrame::new(session.state(), plan);
    let joined = leads.join(reviews, JoinType::Left, &[columns::LEAD_ID], &["of_lead"], None)?;
    let selected = columns::all().map(|(name, kind)| match name {
        STATE => {
            coalesce(vec![cast(col("reviewed_state"), kind.arrow()), cast(lit("open"), kind.arrow())]).alias(STATE)
        }
        other => cast(col(other), kind.arrow()).alias(other),
    });
    Ok(joined.select(selected.collect::<Vec<_>>())?)
}
