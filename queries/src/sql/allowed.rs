//! The allow-list: what is not named here is not run.

use std::ops::ControlFlow;

use datafusion::sql::parser::Statement as Parsed;
use datafusion::sql::sqlparser::ast::{Query, SetExpr, Statement as Ast, Visit, Visitor};

use crate::error::{Error, ErrorKind, Result};
use crate::statement::Statement;

/// Whether a statement only reads.
///
/// # Errors
/// Statement, with what is allowed.
pub(super) fn read_only(statement: &Statement) -> Result<()> {
    match is_read_only(statement.parsed()) {
        true => Ok(()),
        false => Err(Error::new(
            ErrorKind::Statement,
            "only reading is allowed here: SELECT, WITH, VALUES, EXPLAIN of one of them, SHOW TABLES, \
             SHOW COLUMNS, DESCRIBE",
        )),
    }
}

fn is_read_only(parsed: &Parsed) -> bool {
    match parsed {
        Parsed::Statement(statement) => is_reading_statement(statement),
        // EXPLAIN ANALYZE would run the statement outside the row limit and print its files.
        Parsed::Explain(explain) => {
            !explain.options.analyze
                && match explain.statement.as_ref() {
                    Parsed::Statement(inner) => matches!(inner.as_ref(), Ast::Query(query) if is_reading(query)),
                    _ => false,
                }
        }
        Parsed::CreateExternalTable(_) | Parsed::CopyTo(_) | Parsed::Reset(_) => false,
    }
}

fn is_reading_statement(statement: &Ast) -> bool {
    match statement {
        Ast::Query(query) => is_reading(query),
        Ast::Explain { statement, analyze, .. } => {
            !analyze && matches!(statement.as_ref(), Ast::Query(query) if is_reading(query))
        }
        Ast::ExplainTable { .. } | Ast::ShowTables { .. } | Ast::ShowColumns { .. } => true,
        _ => false,
    }
}

/// A query and every query inside it: none writes, locks or selects into a table.
fn is_reading(query: &Query) -> bool {
    query.visit(&mut Writes).is_continue()
}

struct Writes;

impl Visitor for Writes {
    type Break = ();

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<()> {
        let plain = query.locks.is_empty() && query.settings.is_none() && query.format_clause.is_none();
        if plain && reads(&query.body) { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    }
}

fn reads(body: &SetExpr) -> bool {
    match body {
        SetExpr::Select(select) => select.into.is_none(),
        SetExpr::Values(_) | SetExpr::Query(_) => true,
        SetExpr::SetOperation { left, right, .. } => reads(left) && reads(right),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(sql: &str) -> bool {
        Statement::parse(sql).and_then(|statement| read_only(&statement)).is_ok()
    }

    #[test]
    fn reading_is_allowed() {
        for sql in [
            "select 1",
            "with a as (select 1) select * from a union all values (2)",
            "(select 1) except (select 2) order by 1 limit 3",
            "explain select 1",
            "explain verbose select 1",
            "show tables",
            "show columns from policy",
            "describe policy",
        ] {
            assert!(verdict(sql), "{sql}");
        }
    }

    #[test]
    fn everything_else_is_not() {
        for sql in [
            "set datafusion.execution.batch_size = 1",
            "reset datafusion.execution.batch_size",
            "copy (select 1) to 'stolen.csv'",
            "create external table t stored as csv location '/etc/passwd'",
            "create table t as select 1",
            "create view v as select 1",
            "create function f() returns int return 1",
            "insert into policy values (1)",
            "with a as (select 1) insert into policy select * from a",
            "select 1 into t",
            "update policy set sector = 'mine'",
            "delete from policy",
            "merge into policy using policy as p on true when matched then delete",
            "drop table policy",
            "truncate table policy",
            "explain analyze select 1",
            "explain insert into policy values (1)",
            "explain copy (select 1) to 'stolen.csv'",
            "show all",
            "show datafusion.execution.batch_size",
            "show functions",
            "show create table policy",
            "prepare p as select 1",
            "execute p",
            "begin",
            "select 1; select 2",
            "",
        ] {
            assert!(!verdict(sql), "{sql}");
        }
    }
}
