//! Queries in the place of tables: `metric.<id>` in a lead's SQL is that metric's own query, so that what
//! a lead says and what the number says cannot differ.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use datafusion::sql::parser::Statement as Parsed;
use datafusion::sql::sqlparser::ast::{
    Ident, ObjectName, Query, Statement as Ast, TableAlias, TableFactor, Visit, VisitMut, Visitor, VisitorMut,
};

use super::Statement;
use super::bind::inner_mut;
use crate::error::{Error, ErrorKind, Result};

/// The schema whose tables are metrics.
pub(crate) const METRIC_SCHEMA: &str = "metric";

impl Statement {
    /// Puts the query of a metric in the place of each table `metric.<id>`.
    ///
    /// # Errors
    /// Statement, where a name that this statement gives to a `with` means something else inside the metric.
    pub(crate) fn inlined(mut self, query_of: &dyn Fn(&str) -> Result<Self>) -> Result<Self> {
        let mut own = Reads::default();
        if let Some(tree) = super::bind::inner(&self.parsed) {
            let _: ControlFlow<()> = tree.visit(&mut own);
        }
        let mut queries = Vec::new();
        for id in &own.metrics {
            let statement = query_of(id)?;
            let mut inside = Reads::default();
            if let Some(tree) = super::bind::inner(&statement.parsed) {
                let _: ControlFlow<()> = tree.visit(&mut inside);
            }
            // Names of a `with` are seen by the queries inside it.
            if let Some(name) =
                own.given.iter().find(|name| inside.given.contains(*name) || inside.read.contains(*name))
            {
                let message =
                    format!("the metric {id} has a `{name}` of its own; name the one of this statement otherwise");
                return Err(Error::new(ErrorKind::Statement, message));
            }
            queries.push((id.clone(), query(statement)?));
        }
        if let Some(tree) = inner_mut(&mut self.parsed) {
            let _: ControlFlow<()> = VisitMut::visit(tree, &mut Replace { queries: &queries });
        }
        Ok(self)
    }
}

fn query(statement: Statement) -> Result<Query> {
    match statement.parsed {
        Parsed::Statement(statement) => match *statement {
            Ast::Query(query) => Ok(*query),
            _ => Err(Error::new(ErrorKind::Statement, "only a query can stand in the place of a table")),
        },
        _ => Err(Error::new(ErrorKind::Statement, "only a query can stand in the place of a table")),
    }
}

/// The id of a metric, where the name is of its schema.
fn metric(name: &ObjectName) -> Option<&str> {
    match name.0.as_slice() {
        [schema, id] if schema.as_ident().is_some_and(|schema| schema.value == METRIC_SCHEMA) => {
            id.as_ident().map(|id| id.value.as_str())
        }
        _ => None,
    }
}

/// What names a statement gives and reads.
#[derive(Default)]
struct Reads {
    metrics: BTreeSet<String>,
    /// Names of `with`.
    given: BTreeSet<String>,
    /// Tables named without a schema.
    read: BTreeSet<String>,
}

impl Visitor for Reads {
    type Break = ();

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<()> {
        let with = query.with.iter().flat_map(|with| &with.cte_tables);
        self.given.extend(with.map(|table| table.alias.name.value.clone()));
        ControlFlow::Continue(())
    }

    fn pre_visit_table_factor(&mut self, factor: &TableFactor) -> ControlFlow<()> {
        if let TableFactor::Table { name, .. } = factor {
            match (metric(name), name.0.as_slice()) {
                (Some(id), _) => self.metrics.extend([id.to_owned()]),
                (None, [only]) => self.read.extend(only.as_ident().map(|name| name.value.clone())),
                (None, _) => {}
            }
        }
        ControlFlow::Continue(())
    }
}

struct Replace<'a> {
    queries: &'a [(String, Query)],
}

impl VisitorMut for Replace<'_> {
    type Break = ();

    fn pre_visit_table_factor(&mut self, factor: &mut TableFactor) -> ControlFlow<()> {
        let TableFactor::Table { name, alias, .. } = factor else { return ControlFlow::Continue(()) };
        let found = metric(name).and_then(|id| self.queries.iter().find(|(of, _)| of == id));
        if let Some((id, query)) = found {
            let named = || TableAlias { explicit: true, name: Ident::new(id), columns: Vec::new(), at: None };
            let alias = Some(alias.take().unwrap_or_else(named));
            *factor = TableFactor::Derived { lateral: false, subquery: Box::new(query.clone()), alias, sample: None };
        }
        ControlFlow::Continue(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inlined(sql: &str, metric: &str) -> Result<String> {
        let statement = Statement::parse(sql).unwrap();
        let inlined = statement.inlined(&|_| Statement::parse(metric))?;
        Ok(inlined.parsed().to_string())
    }

    #[test]
    fn a_metric_stands_where_its_name_stood() {
        let text =
            inlined("with gap as (select c.key from metric.a as c) select * from gap", "select 1 as key").unwrap();
        assert_eq!(text, "WITH gap AS (SELECT c.key FROM (SELECT 1 AS key) AS c) SELECT * FROM gap");
    }

    #[test]
    fn a_name_that_would_mean_something_else_inside_is_refused() {
        for metric in ["select 1 as key from gap", "with gap as (select 1 as key) select key from gap"] {
            let error = inlined("with gap as (select 1) select c.key from metric.a as c", metric).unwrap_err();
            assert!(error.to_string().contains("`gap`"), "{error}");
        }
    }
}
