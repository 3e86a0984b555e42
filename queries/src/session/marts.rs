//! The marts: shared terms of metrics.md as views, each a file of `marts/`.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::NaiveDate;
use datafusion::catalog::TableProvider;
use datafusion::catalog::view::ViewTable;
use datafusion::prelude::SessionContext;

use super::kept::Kept;
use crate::embedded;
use crate::error::{Error, ErrorKind, Result};
use crate::province::Province;
use crate::statement::{Statement, Value};

/// Marts whose rows a session computes once: many metrics read them, and computing them costs more than what
/// the metrics do with them (decision 0034).
const KEPT: [&str; 2] = ["expense_own", "expense_reversal"];

/// Registers every mart in the default schema, each after those it reads.
pub(super) async fn register(session: &SessionContext, until: NaiveDate, province: &Province) -> Result<()> {
    let values =
        BTreeMap::from([("observed_until".to_owned(), Value::Date(until)), ("province".to_owned(), province.value())]);
    let mut waiting = Vec::new();
    for (file, sql) in embedded::MARTS {
        let Some(name) = file.strip_suffix(".sql") else { continue };
        let statement =
            Statement::parse(sql).and_then(|statement| statement.bind(&values)).map_err(|error| fault(file, &error))?;
        waiting.push(Mart { name, file, sql, reads: statement.tables(session)?, statement });
    }
    while !waiting.is_empty() {
        let names: Vec<&str> = waiting.iter().map(|mart| mart.name).collect();
        let (ready, rest): (Vec<Mart>, Vec<Mart>) =
            waiting.into_iter().partition(|mart| !mart.reads.iter().any(|table| names.contains(&table.as_str())));
        if ready.is_empty() {
            let message = format!("the marts {} read each other in a circle", names.join(", "));
            return Err(Error::new(ErrorKind::Catalogue, message));
        }
        for mart in ready {
            let plan = mart.statement.plan(session).await.map_err(|error| fault(mart.file, &error))?;
            let table: Arc<dyn TableProvider> = match KEPT.contains(&mart.name) {
                true => Arc::new(Kept::new(mart.name, mart.sql, session.state().optimize(&plan)?)),
                false => Arc::new(ViewTable::new(plan, Some(mart.sql.to_owned()))),
            };
            session.register_table(mart.name, table)?;
        }
        waiting = rest;
    }
    Ok(())
}

struct Mart {
    name: &'static str,
    file: &'static str,
    sql: &'static str,
    /// Names of the tables of the default schema that it reads.
    reads: Vec<String>,
    statement: Statement,
}

fn fault(file: &str, error: &Error) -> Error {
    Error::new(ErrorKind::Catalogue, format!("marts/{file}: {error}"))
}
