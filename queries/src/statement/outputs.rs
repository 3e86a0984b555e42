//! What the outermost select returns, and where each column is written: places for what is wrong with it.

use datafusion::sql::sqlparser::ast::{Expr, SelectItem, SetExpr, Statement as Ast};
use datafusion::sql::sqlparser::tokenizer::Span;

use super::Statement;
use super::bind::{inner, position};
use crate::error::Position;

impl Statement {
    /// Where the outermost select begins, and the names that it gives its columns, with their places. Of a
    /// union the first select names them.
    pub(crate) fn outputs(&self) -> (Option<Position>, Vec<(String, Option<Position>)>) {
        let Some(Ast::Query(query)) = inner(&self.parsed) else { return (None, Vec::new()) };
        let mut body = query.body.as_ref();
        let select = loop {
            match body {
                SetExpr::Select(select) => break select,
                SetExpr::SetOperation { left, .. } => body = left,
                SetExpr::Query(query) => body = &query.body,
                _ => return (None, Vec::new()),
            }
        };
        let named = select.projection.iter().filter_map(|item| {
            let ident = match item {
                SelectItem::ExprWithAlias { alias, .. } => alias,
                SelectItem::UnnamedExpr(Expr::Identifier(ident)) => ident,
                SelectItem::UnnamedExpr(Expr::CompoundIdentifier(parts)) => parts.last()?,
                _ => return None,
            };
            Some((ident.value.clone(), position(ident.span)))
        });
        let begin: Span = select.select_token.0.span;
        (position(begin), named.collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_columns_of_the_outermost_select_have_places() {
        let sql = "with a as (select 1 as hidden)\nselect\n    a.hidden,\n    2 as shown\nfrom a";
        let (select, outputs) = Statement::parse(sql).unwrap().outputs();
        assert_eq!(select, Some(Position { line: 2, column: 1 }));
        let place = |line, column| Some(Position { line, column });
        assert_eq!(outputs, [("hidden".to_owned(), place(3, 7)), ("shown".to_owned(), place(4, 10))]);
    }
}
