//! Cases: the rows a metric's SQL returns, in one shape whatever the metric.

use anze_warehouse::lineage;
use datafusion::arrow::datatypes::{DataType, SchemaRef};
use datafusion::common::ScalarValue;
use datafusion::functions::expr_fn::{coalesce, concat, nullif, substring};
use datafusion::logical_expr::{Expr, JoinType, cast, when};
use datafusion::prelude::{DataFrame, col, lit};

use crate::catalogue::{Metric, ValueOf};
use crate::concentration::{AMOUNT, PARTY};
use crate::dimension::{Dimension, UNKNOWN};
use crate::error::Result;
use crate::question::Question;
use crate::session::Observed;
use crate::span::Span;

pub(crate) const NUMERATOR: &str = "numerator";
pub(crate) const DENOMINATOR: &str = "denominator";
pub(crate) const WITHOUT_RULE: &str = "without_rule";
/// Whether workdays were counted over days that the calendar does not know.
pub(crate) const PROVISIONAL: &str = "provisional";
pub(crate) const DAYS: &str = "days";
pub(crate) const EVENT: &str = "event";
/// The dataset a case comes from.
pub(crate) const DATASET: &str = "dataset";
/// The key of the row, its parts joined by commas.
pub(crate) const KEY: &str = "key";

/// A column that a metric's SQL must return.
pub(crate) struct Column<'a> {
    pub(crate) name: &'a str,
    pub(crate) kind: ColumnKind,
    pub(crate) why: &'static str,
}

/// What values a column may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ColumnKind {
    /// A text that is a member of a dimension.
    Member,
    Text,
    Int,
    /// Whole or decimal, never a float.
    Exact,
    Bool,
}

impl ColumnKind {
    pub(crate) fn allows(self, kind: &DataType) -> bool {
        match self {
            Self::Member | Self::Text => matches!(kind, DataType::Utf8 | DataType::Utf8View | DataType::LargeUtf8),
            Self::Int => kind.is_integer(),
            Self::Exact => kind.is_integer() || matches!(kind, DataType::Decimal128(_, scale) if *scale >= 0),
            Self::Bool => *kind == DataType::Boolean,
        }
    }

    pub(crate) fn noun(self) -> &'static str {
        match self {
            Self::Member | Self::Text => "a text",
            Self::Int => "a whole number",
            Self::Exact => "a whole number or a decimal",
            Self::Bool => "true or false",
        }
    }
}

/// The columns a metric's SQL must return, each once and no others. Where sector is a dimension,
/// `department` may be left to the sector, so it is expected only where the SQL has it.
pub(crate) fn sql_columns<'a>(metric: &'a Metric, schema: &SchemaRef) -> Vec<Column<'a>> {
    let column = |name: &'a str, kind, why| Column { name, kind, why };
    let mut columns: Vec<Column<'a>> = metric
        .dimensions
        .iter()
        .filter(|dimension| match dimension {
            Dimension::City | Dimension::Month => false,
            Dimension::Department => !department_is_derived(metric, schema),
            _ => true,
        })
        .map(|dimension| column(dimension.column(), ColumnKind::Member, "a declared dimension"))
        .collect();
    columns.extend([
        column(DATASET, ColumnKind::Text, "where the case comes from"),
        column(KEY, ColumnKind::Text, "the key of the case's row"),
        column(lineage::BATCH_ID, ColumnKind::Text, "the lineage of the case"),
        column(lineage::ROW_NO, ColumnKind::Int, "the lineage of the case"),
    ]);
    columns.extend(match metric.value {
        ValueOf::Concentration { .. } => vec![
            column(PARTY, ColumnKind::Member, "whose amount it is: the value is concentration"),
            column(AMOUNT, ColumnKind::Exact, "the case's amount: the value is concentration"),
        ],
        ValueOf::Tally { .. } => vec![column(NUMERATOR, ColumnKind::Exact, "what the case counts")],
        ValueOf::Sums { .. } | ValueOf::KaplanMeier { .. } => vec![
            column(NUMERATOR, ColumnKind::Exact, "the case's share of the numerator"),
            column(DENOMINATOR, ColumnKind::Exact, "the case's share of the denominator"),
        ],
    });
    if !metric.rules.is_empty() {
        columns.push(column(WITHOUT_RULE, ColumnKind::Bool, "the metric looks up rules"));
    }
    if metric.workdays {
        columns.push(column(PROVISIONAL, ColumnKind::Bool, "the metric counts workdays"));
    }
    columns.extend(metric.value.sums().iter().map(|name| column(name, ColumnKind::Exact, "a declared sum")));
    if let ValueOf::KaplanMeier { .. } = metric.value {
        columns.push(column(DAYS, ColumnKind::Int, "the value is kaplan_meier"));
        columns.push(column(EVENT, ColumnKind::Bool, "the value is kaplan_meier"));
    }
    columns
}

fn department_is_derived(metric: &Metric, schema: &SchemaRef) -> bool {
    let declared = |dimension| metric.dimensions.contains(&dimension);
    declared(Dimension::Sector)
        && declared(Dimension::Department)
        && schema.index_of(Dimension::Department.column()).is_err()
}

/// The cases of a question over a span, filtered, with every dimension named in `with` as a column.
///
/// A missing member is `unknown`. A case without its rule has neither numerator nor denominator.
pub(crate) async fn cases(
    question: &Question<'_>,
    span: &Span,
    observed: &Observed,
    with: &[Dimension],
) -> Result<DataFrame> {
    let metric = question.metric;
    let plan = metric.cases.clone().bind(&question.values(span))?.plan(&observed.context).await?;
    let schema = plan.schema().inner().clone();
    let frame = DataFrame::new(observed.context.state(), plan);

    let is_flag = |column: &Column<'_>| [WITHOUT_RULE, PROVISIONAL].contains(&column.name);
    let columns = sql_columns(metric, &schema).into_iter().filter(|column| !is_flag(column));
    let flag = |name: &str| coalesce(vec![col(name), lit(false)]);
    let has_rule = (!metric.rules.is_empty()).then(|| flag(WITHOUT_RULE).is_false());
    let is_summed = |name: &str| {
        [NUMERATOR, DENOMINATOR, DAYS].contains(&name) || metric.value.sums().iter().any(|sum| sum == name)
    };
    let mut selected = columns
        .map(|column| {
            let value = normal(&column, &schema);
            let value = match &has_rule {
                Some(has_rule) if is_summed(column.name) => when(has_rule.clone(), value).end()?,
                _ => value,
            };
            Ok(value.alias(column.name))
        })
        .collect::<Result<Vec<Expr>>>()?;
    selected.push(match has_rule {
        Some(has_rule) => has_rule.is_false().alias(WITHOUT_RULE),
        None => lit(false).alias(WITHOUT_RULE),
    });
    if let ValueOf::Tally { .. } = metric.value {
        selected.push(lit(ScalarValue::Int64(None)).alias(DENOMINATOR));
    }
    selected.push(if metric.workdays { flag(PROVISIONAL) } else { lit(false) }.alias(PROVISIONAL));
    let mut frame = frame.select(selected)?;

    let wanted = |dimension| with.contains(&dimension) || question.filters.iter().any(|(of, _)| *of == dimension);
    if wanted(Dimension::City) {
        frame = frame.with_column(Dimension::City.column(), city()?)?;
    }
    if wanted(Dimension::Department) && department_is_derived(metric, &schema) {
        frame = with_department(frame, observed).await?;
    }
    for (dimension, member) in &question.filters {
        frame = frame.filter(col(dimension.column()).eq(lit(member.as_str())))?;
    }
    Ok(frame)
}

/// A column in its one type; a dimension without a member is `unknown`.
fn normal(column: &Column<'_>, schema: &SchemaRef) -> Expr {
    let value = col(column.name);
    match column.kind {
        ColumnKind::Member => member(value),
        ColumnKind::Text => cast(value, DataType::Utf8View),
        ColumnKind::Int => cast(value, DataType::Int64),
        ColumnKind::Exact => match schema.field_with_name(column.name).map(|field| field.data_type()) {
            Ok(kind) if kind.is_integer() => cast(value, DataType::Int64),
            _ => value,
        },
        ColumnKind::Bool => value,
    }
}

fn member(value: Expr) -> Expr {
    let text = |value: Expr| cast(value, DataType::Utf8View);
    coalesce(vec![nullif(text(value), text(lit(""))), text(lit(UNKNOWN))])
}

/// The city of a county: its first four digits and `00`.
fn city() -> Result<Expr> {
    let county = || col(Dimension::County.column());
    let digits = concat(vec![substring(county(), lit(1_i64), lit(4_i64)), lit("00")]);
    Ok(cast(when(county().eq(lit(UNKNOWN)), lit(UNKNOWN)).otherwise(digits)?, DataType::Utf8View))
}

/// Adds the department of each case's sector.
async fn with_department(frame: DataFrame, observed: &Observed) -> Result<DataFrame> {
    let department = Dimension::Department.column();
    let sectors = observed
        .context
        .table("sector")
        .await?
        .select(vec![col("code").alias("code_of_sector"), col(department).alias("department_of_sector")])?;
    let joined = frame.join(sectors, JoinType::Left, &[Dimension::Sector.column()], &["code_of_sector"], None)?;
    let joined = joined.with_column(department, member(col("department_of_sector")))?;
    Ok(joined.drop_columns(&["code_of_sector", "department_of_sector"])?)
}
