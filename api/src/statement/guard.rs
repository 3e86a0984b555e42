//! What a statement reads, looked up in its plan: sensitive columns and the books about callers are
//! for those who may see them. Masking them inside the scan comes with row scope; until then a
//! statement that touches them is refused, wherever in it they stand.

use std::collections::BTreeSet;
use std::sync::Arc;

use anze_warehouse::Release;
use anze_warehouse::contract::builtin;
use datafusion::logical_expr::{LogicalPlan, TableScan};

use super::Asked;
use crate::problem::Problem;

/// Tables about callers.
const ABOUT_CALLERS: [&str; 2] = ["access_log", "token"];
/// Columns of the system tables that repeat delivered text as it came.
const DELIVERED_TEXT: [(&str, &str); 3] = [("quarantine", "raw"), ("quarantine", "failures"), ("finding", "value")];

/// Refuses a statement that reads what its author may not see.
pub(super) async fn check(release: &Arc<Release>, asked: &Asked) -> Result<(), Problem> {
    if asked.permission.sees_sensitive() {
        return Ok(());
    }
    let plan = planned(release, &asked.sql).await?;
    let touched = hidden(&plan).map_err(|error| Problem::internal(&error))?;
    match touched.into_iter().next() {
        None => Ok(()),
        Some(name) => Err(Problem::forbidden(
            "sensitive",
            format!("your role may not read {name}; name the columns you need instead of using *"),
        )),
    }
}

/// The plan as it would be run, with unused columns gone; what cannot be planned here is refused.
async fn planned(release: &Arc<Release>, sql: &str) -> Result<LogicalPlan, Problem> {
    let state = anze_queries::session(release, None).await?.state();
    let plan = state.create_logical_plan(sql).await.map_err(anze_queries::Error::from)?;
    Ok(state.optimize(&plan).map_err(anze_queries::Error::from)?)
}

/// What of the hidden a plan touches.
fn hidden(plan: &LogicalPlan) -> Result<BTreeSet<String>, datafusion::error::DataFusionError> {
    let mut found = BTreeSet::new();
    anze_queries::each_scan(plan, &mut |scan| {
        found.extend(hidden_in(scan));
        Ok(())
    })?;
    Ok(found)
}

fn hidden_in(scan: &TableScan) -> Vec<String> {
    let table = scan.table_name.table();
    let in_system = scan.table_name.schema() == Some("system");
    if in_system && ABOUT_CALLERS.contains(&table) {
        return vec![format!("system.{table}")];
    }
    let read = scan.projected_schema.fields().iter().map(|field| field.name().clone());
    let filtered = scan.filters.iter().flat_map(|filter| filter.column_refs()).map(|column| column.name.clone());
    let columns: BTreeSet<String> = read.chain(filtered).collect();
    columns
        .into_iter()
        .filter(|column| {
            // By the name of the column alone: views scan tables under names of their own.
            is_sensitive(column) || DELIVERED_TEXT.contains(&(table, column.as_str()))
        })
        .map(|column| format!("the column {column}"))
        .collect()
}

fn is_sensitive(name: &str) -> bool {
    let datasets = builtin().datasets().iter();
    datasets.flat_map(|contract| &contract.columns).any(|column| column.sensitive && column.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::permission::{Permission, Role};

    async fn refused(sql: &str, role: Role) -> Option<&'static str> {
        let release = Release::in_memory("2026-06-30".parse().unwrap(), Vec::new()).unwrap();
        let asked = Asked { sql: sql.to_owned(), params: Default::default(), permission: Permission::whole(role) };
        check(&release, &asked).await.err().map(|problem| problem.code)
    }

    #[tokio::test]
    async fn sensitive_columns_are_refused_wherever_they_stand() {
        let statements = [
            "select * from service",
            "select lead_expert from service",
            "select service_no from service where lead_expert = 'x'",
            "select count(*) from service group by lead_expert",
            "select service_no from service order by lead_expert",
            "select length(lead_expert) from history.service",
            "select s.* from service as s",
            "with s as (select * from service) select lead_expert from s",
            "select (select max(lead_expert) from service) as x",
            "select policy_no from policy where exists (select 1 from service where lead_expert > 'x')",
            "select a.service_no from service a join service b on a.lead_expert = b.lead_expert",
            "explain select lead_expert from service",
            "select raw from system.quarantine",
            "select * from system.token",
            "select count(*) from system.access_log",
        ];
        for sql in statements {
            assert_eq!(refused(sql, Role::Analyst).await, Some("sensitive"), "{sql}");
            assert_eq!(refused(sql, Role::Admin).await, None, "{sql}");
        }
    }

    #[tokio::test]
    async fn everything_else_may_be_read() {
        let statements = [
            "select count(*) from service",
            "select service_no, place from service",
            "select * from policy",
            "select * from expense_check",
            "select quarantine_id, message_zh from system.quarantine",
        ];
        for sql in statements {
            assert_eq!(refused(sql, Role::Analyst).await, None, "{sql}");
        }
    }
}
