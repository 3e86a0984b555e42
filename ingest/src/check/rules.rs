//! Row rules: SQL booleans of the contract, planned once and evaluated over whole columns.

use std::sync::Arc;

use anze_warehouse::contract::{self, Contract, RowRule};
use anze_warehouse::session;
use datafusion::arrow::array::{Array, ArrayRef, AsArray, BooleanArray, RecordBatch};
use datafusion::arrow::datatypes::{DataType, SchemaRef};
use datafusion::common::DFSchema;
use datafusion::physical_expr::PhysicalExpr;

use super::Reason;
use crate::error::{Error, ErrorKind, Result};

/// The planned row rules of one contract.
pub(super) struct RowRules {
    rules: Vec<(RowRule, Arc<dyn PhysicalExpr>)>,
}

impl RowRules {
    pub(super) fn plan(contract: &Contract) -> Result<Self> {
        let schema = contract.schema();
        let rules = contract
            .rules
            .iter()
            .map(|rule| {
                let planned = plan(&rule.check, &schema).map_err(|error| {
                    let what = format!("contract {}.toml: rule {} cannot run", contract.name, rule.name);
                    Error::caused(ErrorKind::Refused, what, error)
                })?;
                Ok((rule.clone(), planned))
            })
            .collect::<Result<_>>()?;
        Ok(Self { rules })
    }

    /// The rows that break each rule; a null result passes.
    pub(super) fn broken(&self, rows: &RecordBatch) -> Result<Vec<(&RowRule, Vec<usize>)>> {
        let mut all = Vec::new();
        for (rule, planned) in &self.rules {
            let result = evaluate(planned, rows)?;
            if result.false_count() > 0 {
                let broken = (0..result.len()).filter(|row| result.is_valid(*row) && !result.value(*row)).collect();
                all.push((rule, broken));
            }
        }
        Ok(all)
    }
}

/// Every rule of every contract must plan: checked when a deployment is.
///
/// # Errors
/// Refused, naming the contract and the rule.
pub fn check_contracts() -> Result<()> {
    contract::builtin().datasets().iter().try_for_each(|contract| RowRules::plan(contract).map(|_| ()))
}

pub(super) fn reason(rule: &RowRule) -> Reason {
    Reason {
        rule: rule.name.clone(),
        column: rule.columns[0].clone(),
        message_zh: rule.message.clone(),
        message_en: rule.message_en.clone(),
    }
}

fn plan(sql: &str, schema: &SchemaRef) -> Result<Arc<dyn PhysicalExpr>> {
    let schema = DFSchema::try_from(Arc::clone(schema))?;
    let session = session::planner()?;
    let expression = session.parse_sql_expr(sql, &schema)?;
    Ok(session.create_physical_expr(expression, &schema)?)
}

fn evaluate(planned: &Arc<dyn PhysicalExpr>, rows: &RecordBatch) -> Result<BooleanArray> {
    let result: ArrayRef = planned.evaluate(rows)?.into_array(rows.num_rows())?;
    if result.data_type() != &DataType::Boolean {
        return Err(Error::new(ErrorKind::Refused, "a condition must be true or false"));
    }
    Ok(result.as_boolean().clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rule_of_every_contract_plans() {
        check_contracts().unwrap();
    }
}
