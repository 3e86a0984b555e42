//! The dictionary: datasets and system tables with their columns, as the contracts say.

use anze_warehouse::contract::{Column, Contract, Reference, RowRule, Severity, builtin};
use serde_json::{Value, json};

use crate::problem::Problem;

/// All datasets and system tables, in short.
pub fn list() -> Value {
    let contracts = builtin();
    let short = |name: String, contract: &Contract| {
        json!({
            "name": name,
            "title": contract.title,
            "title_en": contract.title_en,
            "description": contract.description,
            "description_en": contract.description_en,
            "key": contract.key,
            "columns": contract.columns.len(),
        })
    };
    let datasets = contracts.datasets().iter().map(|contract| short(contract.name.clone(), contract));
    let system = contracts.system_tables().iter();
    let system = system.map(|contract| short(contracts.system_name(contract), contract));
    json!({ "datasets": datasets.chain(system).collect::<Vec<_>>() })
}

/// One of them, in full.
pub fn show(name: &str) -> Result<Value, Problem> {
    let contracts = builtin();
    let mut system = contracts.system_tables().iter();
    let contract = contracts.dataset(name).or_else(|| system.find(|table| contracts.system_name(table) == name));
    let contract = contract.ok_or_else(|| {
        Problem::not_found("no_such_dataset", format!("there is no dataset `{name}`; /api/v1/datasets lists them"))
    })?;
    Ok(json!({
        "name": name,
        "title": contract.title,
        "title_en": contract.title_en,
        "description": contract.description,
        "description_en": contract.description_en,
        "key": contract.key,
        "columns": contract.columns.iter().map(|each| column(each, contract)).collect::<Vec<_>>(),
        "rules": contract.rules.iter().map(rule).collect::<Vec<_>>(),
        "references": contract.references.iter().map(reference).collect::<Vec<_>>(),
    }))
}

fn column(column: &Column, contract: &Contract) -> Value {
    json!({
        "name": column.name,
        "type": column.kind.notation(),
        "title": column.title,
        "title_en": column.title_en,
        "description": column.description,
        "unit": column.unit,
        "key": contract.key.contains(&column.name),
        "required": column.required,
        "codes": column.codes,
        "codes_of": column.known.map(anze_warehouse::contract::KnownCode::dataset),
        "event": column.event,
        "sensitive": column.sensitive,
    })
}

fn rule(rule: &RowRule) -> Value {
    let severity = match rule.severity {
        Severity::Quarantine => "quarantine",
        Severity::Warn => "warn",
    };
    json!({
        "name": rule.name,
        "check": rule.check,
        "columns": rule.columns,
        "severity": severity,
        "message": rule.message,
        "message_en": rule.message_en,
    })
}

fn reference(reference: &Reference) -> Value {
    json!({
        "name": reference.name,
        "columns": reference.columns,
        "dataset": reference.dataset,
        "dataset_columns": reference.dataset_columns,
        "when": reference.when,
        "message": reference.message,
        "message_en": reference.message_en,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_dataset_that_is_listed_can_be_shown() {
        let list = list();
        let names = list["datasets"].as_array().unwrap();
        assert!(names.len() > 21);
        for entry in names {
            let shown = show(entry["name"].as_str().unwrap()).unwrap();
            assert_eq!(shown["columns"].as_array().unwrap().len(), entry["columns"]);
        }
        assert_eq!(show("nothing").unwrap_err().code, "no_such_dataset");
    }
}
