//! A metric's TOML: what its cases mean. Unknown keys and contradictions are refused.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use toml::Spanned;

use super::parameter::{Parameter, ParameterEntry};
use super::{Metric, PartiesField, SurvivalField, ValueOf, is_share};
use crate::dimension::Dimension;
use crate::error::{Error, Position, Result};
use crate::statement::{Placeholder, Statement, Value};
use crate::values::{Strand, StrandEntry};

/// Unit of a metric's value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// Numerator over denominator.
    Ratio,
    /// A thousand times numerator over denominator.
    PerMille,
    /// The numerator; the denominator is its context.
    Count,
    /// The numerator in 元; the denominator is its context.
    Amount,
    /// Days.
    Days,
    /// Numerator over denominator, in 元.
    Yuan,
    /// Numerator over denominator, in the numerator's unit.
    Mean,
    /// Numerator over denominator, without a unit.
    Index,
}

impl Unit {
    /// Its name in answers.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ratio => "ratio",
            Self::PerMille => "per_mille",
            Self::Count => "count",
            Self::Amount => "amount",
            Self::Days => "days",
            Self::Yuan => "yuan",
            Self::Mean => "mean",
            Self::Index => "index",
        }
    }
}

/// What a metric is about in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// The end of a day.
    AsOf,
    /// A half-open period.
    Period,
}

/// Which values are better.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// More is better.
    Higher,
    /// Less is better.
    Lower,
    /// Neither.
    None,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Declaration {
    title: String,
    title_en: String,
    definition: String,
    definition_en: String,
    basis: String,
    owner: String,
    unit: Unit,
    kind: Kind,
    direction: Direction,
    dimensions: Spanned<Vec<Dimension>>,
    #[serde(default)]
    params: BTreeMap<Spanned<String>, ParameterEntry>,
    #[serde(default)]
    rules: Vec<String>,
    #[serde(default)]
    workdays: bool,
    value: Option<Spanned<ValueEntry>>,
    months: Option<Spanned<Vec<StrandEntry>>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ValueEntry {
    kind: ValueKind,
    survival: Option<String>,
    #[serde(default)]
    sums: Vec<String>,
    #[serde(default)]
    fields: BTreeMap<String, FieldEntry>,
}

/// Names that a row of an answer or a case has already.
const TAKEN: [&str; 10] =
    ["numerator", "denominator", "value", "target", "as_of", "dataset", "key", "batch_id", "row_no", "provisional"];

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum ValueKind {
    Sum,
    Tally,
    KaplanMeier,
    Concentration,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FieldEntry {
    survival: Option<String>,
    days: Option<i64>,
    parties: Option<PartiesField>,
}

/// The text and the name of a metric's two files.
pub(super) struct Source<'a> {
    pub(super) id: &'a str,
    pub(super) toml_file: String,
    pub(super) toml: &'a str,
    pub(super) sql_file: String,
    pub(super) sql: &'a str,
}

/// Reads a metric from its two files.
pub(super) fn metric(source: Source<'_>) -> Result<Metric> {
    let in_toml = |message: String, place: Option<usize>| {
        let position = place.map(|offset| position_of(source.toml, offset));
        Error::catalogue(format!("{}: {message}", source.toml_file)).at(position)
    };
    let in_sql = |error: Error| Error::catalogue(format!("{}: {error}", source.sql_file));
    if !is_plain(source.id) {
        return Err(in_toml("a metric's id is lower case letters, digits and _".to_owned(), None));
    }
    let declaration: Declaration = toml::from_str(source.toml)
        .map_err(|error| in_toml(error.message().to_owned(), error.span().map(|span| span.start)))?;
    let mut places = BTreeMap::new();
    let mut params = Vec::new();
    for (name, entry) in declaration.params {
        let place = name.span().start;
        let param = Parameter::declared(name.into_inner(), entry).map_err(|message| in_toml(message, Some(place)))?;
        places.insert(param.name.clone(), place);
        params.push(param);
    }
    let of_dimensions = declaration.dimensions.span().start;
    let of_value = declaration.value.as_ref().map(|value| value.span().start);
    let value = value(declaration.value.map(Spanned::into_inner)).map_err(|message| in_toml(message, of_value))?;
    let days_of = |name: &str| match params.iter().find(|param| param.name == name)?.default {
        Value::Int(days) => i32::try_from(days).ok(),
        _ => None,
    };
    let of_months = declaration.months.as_ref().map(|months| months.span().start);
    let months = declaration
        .months
        .map(|entries| {
            entries.into_inner().into_iter().map(|entry| Strand::read(entry, &days_of)).collect::<Result<Vec<_>, _>>()
        })
        .transpose()
        .map_err(|message| in_toml(message, of_months))?;
    let metric = Metric {
        id: source.id.to_owned(),
        title: declaration.title,
        title_en: declaration.title_en,
        definition: declaration.definition,
        definition_en: declaration.definition_en,
        basis: declaration.basis,
        owner: declaration.owner,
        unit: declaration.unit,
        kind: declaration.kind,
        direction: declaration.direction,
        dimensions: declaration.dimensions.into_inner(),
        months,
        params,
        rules: declaration.rules,
        workdays: declaration.workdays,
        value,
        cases: Statement::parse(source.sql).map_err(in_sql)?,
        sql: source.sql.to_owned(),
        sql_file: source.sql_file.clone(),
    };
    parties_agree(&metric).map_err(|message| in_toml(message, of_value))?;
    tally_agrees(&metric).map_err(|message| in_toml(message, of_value))?;
    dimensions_agree(&metric).map_err(|message| in_toml(message, Some(of_dimensions)))?;
    let used = metric.cases.placeholders();
    placeholders_agree(&metric, &used).map_err(in_sql)?;
    match metric.params.iter().find(|param| !used.iter().any(|used| used.name == param.name)) {
        Some(unused) => {
            let message = format!("the parameter {} is not used", unused.name);
            Err(in_toml(message, places.get(&unused.name).copied()))
        }
        None => Ok(metric),
    }
}

/// Whether a name is lower case letters, digits and `_`, a letter first.
fn is_plain(name: &str) -> bool {
    let plain = |letter: u8| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == b'_';
    name.starts_with(|first: char| first.is_ascii_lowercase()) && name.bytes().all(plain)
}

fn value(entry: Option<ValueEntry>) -> Result<ValueOf, String> {
    let Some(entry) = entry else { return Ok(ValueOf::Sums { further: Vec::new() }) };
    let share = |text: String| match is_share(&text) {
        true => Ok(text),
        false => Err(format!("survival = \"{text}\" is no share between 0 and 1")),
    };
    let mut names = BTreeSet::new();
    if let Some(name) = entry.sums.iter().find(|name| {
        let taken = TAKEN.contains(&name.as_str()) || Dimension::parse(name).is_some();
        !is_plain(name) || taken || !names.insert(name.as_str())
    }) {
        return Err(format!("value.sums: `{name}` is taken, or is not lower case letters, digits and _"));
    }
    match (entry.kind, entry.survival) {
        (ValueKind::Sum, None) if entry.fields.is_empty() => Ok(ValueOf::Sums { further: entry.sums }),
        (ValueKind::Tally, None) if entry.fields.is_empty() => Ok(ValueOf::Tally { further: entry.sums }),
        (ValueKind::Sum, _) => Err("a value of kind sum has no survival and no fields".to_owned()),
        (ValueKind::Tally, _) => Err("a value of kind tally has no survival and no fields".to_owned()),
        (ValueKind::KaplanMeier, _) if !entry.sums.is_empty() => {
            Err("a value of kind kaplan_meier has no sums".to_owned())
        }
        (ValueKind::Concentration, _) if !entry.sums.is_empty() => {
            Err("a value of kind concentration has no sums".to_owned())
        }
        (ValueKind::Concentration, Some(_)) => Err("a value of kind concentration has no survival".to_owned()),
        (ValueKind::Concentration, None) => {
            let fields = entry.fields.into_iter().map(|(name, field)| match field {
                FieldEntry { survival: None, days: None, parties: Some(parties) } => Ok((name, parties)),
                _ => Err(format!("value.fields.{name} needs parties and nothing else")),
            });
            Ok(ValueOf::Concentration { fields: fields.collect::<Result<Vec<_>, String>>()? })
        }
        (ValueKind::KaplanMeier, None) => Err("a value of kind kaplan_meier needs its survival".to_owned()),
        (ValueKind::KaplanMeier, Some(survival)) => {
            let fields = entry.fields.into_iter().map(|(name, field)| match field {
                FieldEntry { survival: Some(survival), days: None, parties: None } => {
                    Ok((name, SurvivalField::Quantile(share(survival)?)))
                }
                FieldEntry { survival: None, days: Some(days), parties: None } => {
                    Ok((name, SurvivalField::Within(days)))
                }
                _ => Err(format!("value.fields.{name} needs either survival or days")),
            });
            Ok(ValueOf::KaplanMeier { survival: share(survival)?, fields: fields.collect::<Result<Vec<_>, String>>()? })
        }
    }
}

/// Of a concentration every case counts: what leaves some of them out would change the shares of others.
fn parties_agree(metric: &Metric) -> Result<(), String> {
    match metric.value {
        ValueOf::Concentration { .. } if metric.workdays || !metric.rules.is_empty() => {
            Err("a value of kind concentration looks up no rules and counts no workdays".to_owned())
        }
        _ => Ok(()),
    }
}

/// What is divided by nothing is a count or an amount.
fn tally_agrees(metric: &Metric) -> Result<(), String> {
    match (&metric.value, metric.unit) {
        (ValueOf::Tally { .. }, Unit::Count | Unit::Amount) => Ok(()),
        (ValueOf::Tally { .. }, _) => Err("a value of kind tally is of the unit count or amount".to_owned()),
        _ => Ok(()),
    }
}

fn dimensions_agree(metric: &Metric) -> Result<(), String> {
    let mut seen = BTreeSet::new();
    if let Some(twice) = metric.dimensions.iter().find(|dimension| !seen.insert(**dimension)) {
        return Err(format!("dimension {twice} stands twice"));
    }
    let needs = |one: Dimension, other: Dimension| match seen.contains(&one) && !seen.contains(&other) {
        true => Err(format!("where {one} is a dimension, {other} is one too: list it")),
        false => Ok(()),
    };
    needs(Dimension::City, Dimension::County)?;
    needs(Dimension::County, Dimension::City)?;
    needs(Dimension::Sector, Dimension::Department)?;
    match metric.kind {
        Kind::AsOf if seen.contains(&Dimension::Month) => {
            Err("month is a dimension of periods only; an as-of metric has a trend".to_owned())
        }
        _ => Ok(()),
    }
}

/// Every placeholder is declared.
fn placeholders_agree(metric: &Metric, used: &[Placeholder]) -> Result<()> {
    let given: &[&str] = match metric.kind {
        Kind::AsOf => &["as_of", "observed_until", "province"],
        Kind::Period => &["from", "to", "observed_until", "province"],
    };
    let declared = |name: &str| given.contains(&name) || metric.param(name).is_some();
    if let Some(stray) = used.iter().find(|placeholder| !declared(&placeholder.name)) {
        let own = metric.params.iter().map(|param| param.name.as_str());
        let known: Vec<String> = given.iter().copied().chain(own).map(|name| format!("${name}")).collect();
        let message = format!("${} is not declared; there are {}", stray.name, known.join(", "));
        return Err(Error::catalogue(message).at(stray.position));
    }
    Ok(())
}

/// Line and column of a byte offset.
fn position_of(text: &str, offset: usize) -> Position {
    let before = &text[..offset.min(text.len())];
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    let line = before.bytes().filter(|byte| *byte == b'\n').count() + 1;
    Position { line: line as u64, column: before[line_start..].chars().count() as u64 + 1 }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOML: &str = "title = '率'\ntitle_en = 'Rate'\ndefinition = ''\ndefinition_en = ''\nbasis = ''\n\
                        owner = ''\nunit = 'ratio'\nkind = 'as_of'\ndirection = 'higher'\n";

    fn read(toml: &str, sql: &str) -> Result<Metric> {
        metric(Source {
            id: "rate",
            toml_file: "metrics/rate.toml".into(),
            toml,
            sql_file: "metrics/rate.sql".into(),
            sql,
        })
    }

    #[test]
    fn an_unknown_key_is_refused_with_file_line_and_column() {
        let error = read(&format!("{TOML}dimensions = []\nthreshhold = 1\n"), "select 1").unwrap_err();
        let text = error.to_string();
        assert!(text.starts_with("metrics/rate.toml: unknown field `threshhold`"), "{text}");
        assert!(text.ends_with("(line 11, column 1)"), "{text}");
    }

    #[test]
    fn a_placeholder_that_nobody_declared_is_refused_where_it_stands() {
        let error = read(&format!("{TOML}dimensions = []\n"), "select 1\nwhere $from < 1").unwrap_err();
        assert_eq!(
            error.to_string(),
            "metrics/rate.sql: $from is not declared; there are $as_of, $observed_until, $province (line 2, column 7)"
        );
    }

    #[test]
    fn sector_without_department_is_refused() {
        let error = read(&format!("{TOML}dimensions = ['sector']\n"), "select 1").unwrap_err();
        let text = error.to_string();
        assert!(text.contains("department is one too") && text.ends_with("(line 10, column 14)"), "{text}");
    }

    #[test]
    fn a_parameter_that_nothing_uses_is_refused_where_it_is_declared() {
        let param = "[params.days]\ntype = 'int'\ndefault = 3\ntitle = ''\ntitle_en = ''\n";
        let error = read(&format!("{TOML}dimensions = []\n{param}"), "select 1").unwrap_err();
        assert_eq!(error.to_string(), "metrics/rate.toml: the parameter days is not used (line 11, column 9)");
    }

    #[test]
    fn a_further_sum_must_have_a_name_of_its_own() {
        for name in ["numerator", "month", "Joint", "a b"] {
            let error =
                read(&format!("{TOML}dimensions = []\nvalue = {{ kind = 'sum', sums = ['{name}'] }}\n"), "select 1");
            assert!(error.unwrap_err().to_string().contains(&format!("`{name}` is taken")), "{name}");
        }
        let twice = format!("{TOML}dimensions = []\nvalue = {{ kind = 'sum', sums = ['joint', 'joint'] }}\n");
        assert!(read(&twice, "select 1").is_err());
        let once = format!("{TOML}dimensions = []\nvalue = {{ kind = 'sum', sums = ['joint'] }}\n");
        assert_eq!(read(&once, "select 1").unwrap().value.sums(), ["joint"]);
    }

    #[test]
    fn a_concentration_has_fields_about_its_parties_only() {
        let with = |more: &str| read(&format!("{TOML}dimensions = []\n{more}"), "select 1").map(|metric| metric.value);
        let fields = "[value]\nkind = 'concentration'\n[value.fields.largest]\n";
        let read = with(&format!("{fields}parties = 'largest_share'\n")).unwrap();
        let expected = vec![("largest".to_owned(), PartiesField::LargestShare)];
        assert_eq!(read, ValueOf::Concentration { fields: expected });
        for field in ["days = 10", "parties = 'all'", "parties = 'count'\ndays = 10"] {
            assert!(with(&format!("{fields}{field}\n")).is_err(), "{field}");
        }
        let error = with("rules = ['a']\nvalue = { kind = 'concentration' }\n").unwrap_err();
        assert!(error.to_string().contains("looks up no rules"), "{error}");
    }

    #[test]
    fn a_tally_is_no_ratio() {
        let error = read(&format!("{TOML}dimensions = []\nvalue = {{ kind = 'tally' }}\n"), "select 1").unwrap_err();
        assert!(error.to_string().contains("of the unit count or amount"), "{error}");
    }

    #[test]
    fn month_is_no_dimension_of_a_day() {
        let error = read(&format!("{TOML}dimensions = ['month']\n"), "select 1").unwrap_err();
        assert!(error.to_string().contains("periods only"), "{error}");
    }
}
