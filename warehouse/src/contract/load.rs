//! Reading contract files: unknown keys and impossible combinations are refused with the file.

use std::collections::HashSet;
use std::sync::Arc;

use serde::Deserialize;

use super::{Column, ColumnType, Contract, KnownCode, Reference, RowRule, Stage, TextFormat};
use crate::error::{Error, Result};
use crate::lineage;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ContractFile {
    title: String,
    title_en: String,
    #[serde(default)]
    description: String,
    #[serde(default)]
    description_en: String,
    key: Vec<String>,
    stage: Stage,
    columns: Vec<ColumnEntry>,
    #[serde(default)]
    rules: Vec<RowRule>,
    #[serde(default)]
    references: Vec<Reference>,
    valid_span: Option<ValidSpan>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ValidSpan {
    end: String,
    start: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ColumnEntry {
    name: String,
    #[serde(rename = "type")]
    kind: String,
    title: String,
    title_en: String,
    #[serde(default)]
    description: String,
    #[serde(default)]
    required: bool,
    #[serde(default)]
    empty_means_all: bool,
    #[serde(default)]
    codes: Vec<String>,
    min: Option<String>,
    max: Option<String>,
    format: Option<TextFormat>,
    known: Option<KnownCode>,
    #[serde(default)]
    event: bool,
    #[serde(default)]
    sensitive: bool,
    #[serde(default)]
    unit: String,
}

/// Reads one contract file; `name` is its stem.
pub(super) fn contract(name: &str, text: &str) -> Result<Contract> {
    let fault = |what: String| Error::refused(format!("contract {name}.toml: {what}"));
    let file: ContractFile = toml::from_str(text).map_err(|error| fault(error.to_string()))?;
    let columns = file.columns.into_iter().map(|entry| column(entry).map_err(fault)).collect::<Result<Vec<_>>>()?;
    let (span_end, span_start) = file.valid_span.map_or((None, None), |span| (Some(span.end), span.start));
    let contract = Contract {
        name: name.to_owned(),
        title: file.title,
        title_en: file.title_en,
        description: file.description,
        description_en: file.description_en,
        key: file.key,
        stage: file.stage,
        columns,
        rules: file.rules,
        references: file.references,
        span_end,
        span_start,
    };
    columns_are_sound(&contract).map_err(fault)?;
    rules_name_columns(&contract).map_err(fault)?;
    Ok(contract)
}

fn column(entry: ColumnEntry) -> Result<Column, String> {
    let name = entry.name;
    let kind =
        ColumnType::parse(&entry.kind).ok_or_else(|| format!("column {name}: `{}` is not a type", entry.kind))?;
    let bound = |text: Option<String>| -> Result<Option<i128>, String> {
        text.map(|text| scaled(&text, kind).ok_or(format!("column {name}: `{text}` is no bound for its type")))
            .transpose()
    };
    let (min, max) = (bound(entry.min)?, bound(entry.max)?);
    let is_coded = entry.format.is_some() || !entry.codes.is_empty() || entry.known.is_some();
    if is_coded && kind != ColumnType::Text {
        return Err(format!("column {name}: formats and codes are for text"));
    }
    if entry.event && !matches!(kind, ColumnType::Date | ColumnType::Timestamp) {
        return Err(format!("column {name}: an event is a date or a timestamp"));
    }
    Ok(Column {
        name,
        kind,
        title: entry.title,
        title_en: entry.title_en,
        description: entry.description,
        required: entry.required,
        empty_means_all: entry.empty_means_all,
        codes: entry.codes,
        min,
        max,
        format: entry.format,
        known: entry.known,
        event: entry.event,
        sensitive: entry.sensitive,
        unit: entry.unit,
    })
}

/// `"0.5"` in the scale of the column: 500000 for a ratio.
fn scaled(text: &str, kind: ColumnType) -> Option<i128> {
    let scale = match kind {
        ColumnType::Int => 0,
        ColumnType::Decimal { scale, .. } => usize::try_from(scale).ok()?,
        _ => return None,
    };
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    if fraction.len() > scale {
        return None;
    }
    let padded = format!("{whole}{fraction:0<scale$}");
    let value: i128 = padded.parse().ok()?;
    Some(if negative { -value } else { value })
}

fn columns_are_sound(contract: &Contract) -> Result<(), String> {
    let mut seen = HashSet::new();
    for column in &contract.columns {
        if !seen.insert(column.name.as_str()) {
            return Err(format!("column {} stands twice", column.name));
        }
        if contract.stage != Stage::System && lineage::is_lineage(&column.name) {
            return Err(format!("column {} has a name kept for lineage", column.name));
        }
    }
    if contract.key.is_empty() {
        return Err("a key is needed".into());
    }
    for key in &contract.key {
        let column = contract.column(key).ok_or(format!("key column {key} is not a column"))?;
        if !column.required && !column.empty_means_all {
            return Err(format!("key column {key} must be required or empty_means_all"));
        }
    }
    for bound in contract.span_end.iter().chain(&contract.span_start) {
        let column = contract.column(bound).ok_or(format!("valid_span names {bound}, which is no column"))?;
        if column.kind != ColumnType::Date {
            return Err(format!("valid_span: {bound} must be a date"));
        }
    }
    Ok(())
}

fn rules_name_columns(contract: &Contract) -> Result<(), String> {
    let names = contract.rules.iter().map(|rule| (&rule.name, &rule.columns));
    let references = contract.references.iter().map(|reference| (&reference.name, &reference.columns));
    for (name, columns) in names.chain(references) {
        if columns.is_empty() {
            return Err(format!("{name} names no column"));
        }
        if let Some(missing) = columns.iter().find(|column| contract.column(column).is_none()) {
            return Err(format!("{name} names {missing}, which is no column"));
        }
    }
    Ok(())
}

/// Every reference must lead to columns that exist.
pub(super) fn references_exist(datasets: &[Arc<Contract>]) -> Result<()> {
    for contract in datasets {
        for reference in &contract.references {
            let fault =
                |what: &str| Error::refused(format!("contract {}.toml: {}: {what}", contract.name, reference.name));
            let other = datasets
                .iter()
                .find(|candidate| candidate.name == reference.dataset)
                .ok_or_else(|| fault("its dataset does not exist"))?;
            if reference.columns.len() != reference.dataset_columns.len() {
                return Err(fault("columns and dataset_columns differ in number"));
            }
            if reference.dataset_columns.iter().any(|column| other.column(column).is_none()) {
                return Err(fault("dataset_columns names a column that does not exist"));
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_are_exact_in_the_scale_of_the_column() {
        assert_eq!(scaled("0.5", ColumnType::Decimal { precision: 9, scale: 6 }), Some(500_000));
        assert_eq!(scaled("-3", ColumnType::Int), Some(-3));
        assert_eq!(scaled("0.001", ColumnType::Decimal { precision: 18, scale: 2 }), None);
    }

    #[test]
    fn an_unknown_key_in_a_contract_is_refused_by_name() {
        let error = contract("x", "title='x'\ntitle_en='x'\nkey=['a']\nstage='facts'\nseverty='warn'\n").unwrap_err();
        assert!(error.to_string().contains("severty"), "{error}");
    }
}
