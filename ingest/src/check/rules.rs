//! Row rules: SQL booleans of the contract, planned once and evaluated over whole columns.

use std::sync::Arc;

use anze_warehouse::contract::{self, Contract, RowRule};
use anze_warehouse::session;
use datafusion::arrow::array::{Array, ArrayRef, AsArray, BooleanArray, RecordBatch};
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef};
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

/// A condition over the source's own columns, all text.
pub(super) struct SourceCondition {
    columns: Vec<String>,
    planned: Arc<dyn PhysicalExpr>,
}

impl SourceCondition {
    pub(super) fn plan(sql: &str) -> Result<Self> {
        let fault = |error| Error::caused(ErrorKind::Refused, format!("contract.deleted_when: `{sql}`"), error);
        let columns = columns_of(sql).map_err(fault)?;
        let fields = columns.iter().map(|name| Field::new(name, DataType::Utf8, true));
        let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
        let planned = plan(sql, &schema).map_err(fault)?;
        Ok(Self { columns, planned })
    }

    pub(super) fn columns(&self) -> &[String] {
        &self.columns
    }

    pub(super) fn holds(&self, source: &RecordBatch) -> Result<BooleanArray> {
        let result = evaluate(&self.planned, source)?;
        Ok((0..result.len()).map(|row| Some(result.is_valid(row) && result.value(row))).collect())
    }
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

/// The columns an expression names, quoted or not, without knowing any schema.
fn columns_of(sql: &str) -> Result<Vec<String>> {
    use datafusion::sql::sqlparser::ast::Expr as SqlExpr;
    use datafusion::sql::sqlparser::ast::visit_expressions;
    use datafusion::sql::sqlparser::dialect::GenericDialect;
    use datafusion::sql::sqlparser::parser::Parser;
    let parse = || Parser::new(&GenericDialect {}).try_with_sql(sql)?.parse_expr();
    let expression = parse().map_err(|error| Error::new(ErrorKind::Refused, error.to_string()))?;
    let mut columns: Vec<String> = Vec::new();
    let _ = visit_expressions(&expression, |part| {
        if let SqlExpr::Identifier(name) = part
            && !columns.contains(&name.value)
        {
            columns.push(name.value.clone());
        }
        std::ops::ControlFlow::<()>::Continue(())
    });
    Ok(columns)
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

    #[test]
    fn a_condition_over_chinese_columns_finds_them() {
        let condition = SourceCondition::plan("状态 = '作废' or \"备 注\" like '%删除%'").unwrap();
        assert_eq!(condition.columns(), ["状态", "备 注"]);
    }

    #[test]
    fn a_condition_that_does_not_plan_is_refused() {
        assert!(SourceCondition::plan("状态 = ").is_err());
    }
}
