//! One SQL statement: parsed, its `$placeholders` bound as values, planned; faults with their place.

mod bind;
mod fault;
mod inlined;
mod outputs;

use datafusion::logical_expr::LogicalPlan;
use datafusion::prelude::SessionContext;
use datafusion::sql::parser::{DFParserBuilder, Statement as Parsed};

pub(crate) use bind::Placeholder;
pub use bind::Value;
pub(crate) use fault::engine_error;

use crate::error::{Error, ErrorKind, Result};

/// A parsed statement.
#[derive(Debug, Clone)]
pub(crate) struct Statement {
    parsed: Parsed,
}

impl Statement {
    /// Parses exactly one statement.
    ///
    /// # Errors
    /// Statement, with line and column where the parser gives them.
    pub(crate) fn parse(sql: &str) -> Result<Self> {
        let mut statements = DFParserBuilder::new(sql).build()?.parse_statements()?;
        match (statements.pop_front(), statements.len()) {
            (Some(parsed), 0) => Ok(Self { parsed }),
            (None, _) => Err(Error::new(ErrorKind::Statement, "there is no statement")),
            (Some(_), more) => {
                let count = more + 1;
                Err(Error::new(ErrorKind::Statement, format!("one statement at a time, not {count}")))
            }
        }
    }

    /// The parsed form, for allow-lists.
    pub(crate) fn parsed(&self) -> &Parsed {
        &self.parsed
    }

    /// Names of the tables of the default schema that it reads.
    pub(crate) fn tables(&self, session: &SessionContext) -> Result<Vec<String>> {
        let references = session.state().resolve_table_references(&self.parsed)?;
        Ok(references.iter().filter(|table| table.schema().is_none()).map(|t| t.table().to_owned()).collect())
    }

    /// Plans it against the tables, views and functions of a session.
    ///
    /// # Errors
    /// Statement, with line and column where the planner gives them.
    pub(crate) async fn plan(self, session: &SessionContext) -> Result<LogicalPlan> {
        Ok(session.state().statement_to_plan(self.parsed).await?)
    }
}
