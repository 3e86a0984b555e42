//! Binding `$placeholders`: a value takes the placeholder's place in the parsed statement.
//!
//! It enters as a typed literal of the syntax tree. Its text is never read as SQL, and the planner
//! knows its type, which it does not for an open parameter in `$to - interval '1' day`.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use chrono::NaiveDate;
use datafusion::sql::parser::Statement as Parsed;
use datafusion::sql::sqlparser::ast::{
    self, CastKind, DataType, ExactNumberInfo, Expr, TypedString, visit_expressions, visit_expressions_mut,
};
use datafusion::sql::sqlparser::tokenizer::Span;

use super::Statement;
use crate::error::{Error, ErrorKind, Position, Result};
use crate::suggestion::did_you_mean;

/// A value for a placeholder.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// No value.
    Null,
    /// A calendar day.
    Date(NaiveDate),
    /// A whole number.
    Int(i64),
    /// An exact decimal with six digits after the point, as its text.
    Decimal(String),
    /// A text.
    Text(String),
    /// True or false.
    Bool(bool),
}

/// A placeholder found in a statement.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Placeholder {
    /// Its name without the `$`.
    pub(crate) name: String,
    /// Where it stands.
    pub(crate) position: Option<Position>,
}

impl Statement {
    /// Every placeholder in the statement, in order.
    pub(crate) fn placeholders(&self) -> Vec<Placeholder> {
        let mut found = Vec::new();
        if let Some(tree) = inner(&self.parsed) {
            let _: ControlFlow<()> = visit_expressions(tree, |expr| {
                if let Some((name, span)) = placeholder(expr) {
                    found.push(Placeholder { name: name.to_owned(), position: position(span) });
                }
                ControlFlow::Continue(())
            });
        }
        found
    }

    /// Puts values in the place of placeholders.
    ///
    /// # Errors
    /// Statement, for a placeholder without a value, with its line and column.
    pub(crate) fn bind(mut self, values: &BTreeMap<String, Value>) -> Result<Self> {
        let mut missing = None;
        if let Some(tree) = inner_mut(&mut self.parsed) {
            let _: ControlFlow<()> = visit_expressions_mut(tree, |expr| {
                let Some((name, span)) = placeholder(expr) else { return ControlFlow::Continue(()) };
                match values.get(name) {
                    Some(value) => *expr = literal(value),
                    None => {
                        missing = Some(Placeholder { name: name.to_owned(), position: position(span) });
                        return ControlFlow::Break(());
                    }
                }
                ControlFlow::Continue(())
            });
        }
        match missing {
            None => Ok(self),
            Some(placeholder) => {
                let hint = did_you_mean(&placeholder.name, values.keys());
                let message = format!("${} has no value{hint}", placeholder.name);
                Err(Error::new(ErrorKind::Statement, message).at(placeholder.position))
            }
        }
    }
}

impl Statement {
    /// Puts values in the place of those placeholders that have one; the others stay.
    pub(crate) fn bind_known(mut self, values: &BTreeMap<String, Value>) -> Self {
        if let Some(tree) = inner_mut(&mut self.parsed) {
            let _: ControlFlow<()> = visit_expressions_mut(tree, |expr| {
                if let Some(value) = placeholder(expr).and_then(|(name, _)| values.get(name)) {
                    *expr = literal(value);
                }
                ControlFlow::Continue(())
            });
        }
        self
    }
}

/// The standard statement inside; the engine's own commands hold no expression of ours.
pub(super) fn inner(parsed: &Parsed) -> Option<&ast::Statement> {
    match parsed {
        Parsed::Statement(statement) => Some(statement),
        Parsed::Explain(explain) => inner(&explain.statement),
        _ => None,
    }
}

pub(super) fn inner_mut(parsed: &mut Parsed) -> Option<&mut ast::Statement> {
    match parsed {
        Parsed::Statement(statement) => Some(statement),
        Parsed::Explain(explain) => inner_mut(&mut explain.statement),
        _ => None,
    }
}

fn placeholder(expr: &Expr) -> Option<(&str, Span)> {
    match expr {
        Expr::Value(value) => match &value.value {
            ast::Value::Placeholder(name) => Some((name.strip_prefix('$').unwrap_or(name), value.span)),
            _ => None,
        },
        _ => None,
    }
}

pub(super) fn position(span: Span) -> Option<Position> {
    (span.start.line > 0).then_some(Position { line: span.start.line, column: span.start.column })
}

fn literal(value: &Value) -> Expr {
    let quoted = |text: &str| ast::Value::SingleQuotedString(text.to_owned()).with_empty_span();
    match value {
        Value::Null => Expr::Value(ast::Value::Null.with_empty_span()),
        Value::Bool(flag) => Expr::Value(ast::Value::Boolean(*flag).with_empty_span()),
        Value::Text(text) => Expr::Value(quoted(text)),
        Value::Date(day) => Expr::TypedString(TypedString {
            data_type: DataType::Date,
            value: quoted(&day.to_string()),
            uses_odbc_syntax: false,
        }),
        Value::Int(number) => cast(quoted(&number.to_string()), DataType::BigInt(None)),
        Value::Decimal(digits) => cast(quoted(digits), DataType::Decimal(ExactNumberInfo::PrecisionAndScale(38, 6))),
    }
}

fn cast(value: ast::ValueWithSpan, data_type: DataType) -> Expr {
    let expr = Box::new(Expr::Value(value));
    Expr::Cast { kind: CastKind::Cast, expr, data_type, array: false, format: None }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(pairs: &[(&str, Value)]) -> BTreeMap<String, Value> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect()
    }

    #[test]
    fn a_text_that_looks_like_sql_stays_a_text() {
        let statement = Statement::parse("select 1 where sector = $sector").unwrap();
        let bound = statement.bind(&values(&[("sector", Value::Text("mine' or 'a' = 'a".into()))])).unwrap();
        assert_eq!(bound.parsed.to_string(), "SELECT 1 WHERE sector = 'mine'' or ''a'' = ''a'");
    }

    #[test]
    fn a_placeholder_without_a_value_is_refused_with_its_place() {
        let statement = Statement::parse("select 1\nwhere day < $untl").unwrap();
        let day = NaiveDate::from_ymd_opt(2026, 1, 1).unwrap();
        let error = statement.bind(&values(&[("until", Value::Date(day))])).unwrap_err();
        assert_eq!(error.to_string(), "$untl has no value; did you mean `until`? (line 2, column 13)");
    }

    #[test]
    fn placeholders_are_found_inside_explain_and_common_table_expressions() {
        let sql = "explain with a as (select $from as x) select * from a where x in ($to, $from)";
        let names: Vec<_> = Statement::parse(sql).unwrap().placeholders().into_iter().map(|p| p.name).collect();
        assert_eq!(names, ["from", "to", "from"]);
    }
}
