//! SQL over a source's own columns, all text: `[expressions]` of a feed and its `deleted_when`.
//!
//! Planned once, when the feed is read, and evaluated over whole columns. Only functions that give the
//! same for the same record, today and in a replay years later, and whose result cannot be much longer
//! than what they are given, are allowed. A record for which it fails is told by its place, so that it
//! is held alone. See `docs/decisions/0028-expressions-over-source-columns.md`.

mod allowed;
mod fault;

use std::sync::{Arc, OnceLock};

use anze_warehouse::session::{self, Limits};
use datafusion::arrow::array::{Array, ArrayRef, AsArray, BooleanArray, RecordBatch, new_empty_array, new_null_array};
use datafusion::arrow::compute::{cast, concat};
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::common::DFSchema;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::error::DataFusionError;
use datafusion::execution::SessionState;
use datafusion::optimizer::simplify_expressions::{ExprSimplifier, SimplifyContext};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::BinaryExpr;
use datafusion::sql::sqlparser::ast::{Expr as SqlExpr, ExprWithAlias, visit_expressions_mut};
use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::parser::Parser;
use datafusion::sql::sqlparser::tokenizer::Token;

use crate::decode::{Derive, Derived};
use crate::error::Result;
pub use fault::SqlFault;

/// A planned expression over columns of theirs.
#[derive(Debug, Clone)]
pub struct SourceExpression {
    columns: Vec<String>,
    planned: Arc<dyn PhysicalExpr>,
    result: DataType,
}

impl SourceExpression {
    /// An expression whose value becomes that of a column.
    ///
    /// # Errors
    /// What is wrong and where; also a floating-point result, which would not be exact.
    pub fn value(sql: &str) -> std::result::Result<Self, SqlFault> {
        let planned = Self::plan(sql)?;
        match &planned.result {
            DataType::Float16 | DataType::Float32 | DataType::Float64 => Err(SqlFault::of_all(
                "gives a floating-point number, which is not exact; cast what it is made of: \
                 cast(\"…\" as decimal(18,2))",
            )),
            result if is_text(result) || is_written(result) => Ok(planned),
            other => Err(SqlFault::of_all(format!(
                "gives {other}; a text, a number, a date, a timestamp or true or false becomes a column"
            ))),
        }
    }

    /// An expression that is true or false.
    ///
    /// # Errors
    /// What is wrong and where.
    pub fn condition(sql: &str) -> std::result::Result<Self, SqlFault> {
        let planned = Self::plan(sql)?;
        match &planned.result {
            DataType::Boolean | DataType::Null => Ok(planned),
            other => Err(SqlFault::of_all(format!("gives {other}; a condition is true or false"))),
        }
    }

    /// Whether its value is a text, which may be written in a format of theirs.
    pub fn is_text(&self) -> bool {
        is_text(&self.result)
    }

    /// The columns it names, in the order in which they are met.
    pub fn columns(&self) -> &[String] {
        &self.columns
    }

    /// Whether the condition holds for each record; where it is unknown it does not. The records for
    /// which it cannot be computed come with the reason.
    ///
    /// # Errors
    /// Warehouse.
    pub fn holds(&self, source: &RecordBatch) -> Result<(BooleanArray, Vec<(usize, String)>)> {
        let (values, failed) = self.evaluate(source);
        let values = cast(&values, &DataType::Boolean)?;
        let values = values.as_boolean();
        let holds = (0..values.len()).map(|row| Some(values.is_valid(row) && values.value(row))).collect();
        Ok((holds, failed))
    }

    fn plan(sql: &str) -> std::result::Result<Self, SqlFault> {
        let mut parser =
            Parser::new(&GenericDialect {}).try_with_sql(sql).map_err(|error| SqlFault::parsing(sql, &error))?;
        let mut expression = parser.parse_expr().map_err(|error| SqlFault::parsing(sql, &error))?;
        let after = parser.next_token();
        if after.token != Token::EOF {
            return Err(SqlFault::at(sql, after.span.start, format!("`{}` does not belong here", after.token)));
        }
        allowed::check(sql, &expression)?;
        // Titles are taken as they are written, whether quoted or not: they are not ours to lower-case.
        let mut columns: Vec<String> = Vec::new();
        let _ = visit_expressions_mut(&mut expression, |part| {
            if let SqlExpr::Identifier(name) = part {
                name.quote_style = Some('"');
                if !columns.contains(&name.value) {
                    columns.push(name.value.clone());
                }
            }
            std::ops::ControlFlow::<()>::Continue(())
        });
        let fields = columns.iter().map(|name| Field::new(name, DataType::Utf8, true));
        let schema: SchemaRef = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
        let planned = planned(ExprWithAlias { expr: expression, alias: None }, &schema).map_err(|error| {
            let told = fault::told(&error);
            SqlFault::of_all(format!("cannot be planned: {told}"))
        })?;
        let result = planned.data_type(&schema).map_err(|error| SqlFault::of_all(fault::told(&error)))?;
        Ok(Self { columns, planned, result })
    }

    /// The value of each record, null where it fails, and those with the reason.
    fn evaluate(&self, source: &RecordBatch) -> (ArrayRef, Vec<(usize, String)>) {
        let (mut parts, mut failed) = (Vec::new(), Vec::new());
        self.evaluate_part(source, 0, &mut parts, &mut failed);
        let values = match parts.as_slice() {
            [] => Ok(new_empty_array(&self.result)),
            [one] => Ok(Arc::clone(one)),
            many => concat(&many.iter().map(AsRef::as_ref).collect::<Vec<_>>()),
        };
        match values {
            Ok(values) => (values, failed),
            Err(error) => {
                let why = fault::told(&error.into());
                let all = (0..source.num_rows()).map(|row| (row, why.clone())).collect();
                (new_null_array(&self.result, source.num_rows()), all)
            }
        }
    }

    /// Whole columns at once; where that fails, each half by itself, down to the record it fails for.
    fn evaluate_part(
        &self,
        source: &RecordBatch,
        first: usize,
        parts: &mut Vec<ArrayRef>,
        failed: &mut Vec<(usize, String)>,
    ) {
        let rows = source.num_rows();
        if rows == 0 {
            return;
        }
        match self.planned.evaluate(source).and_then(|value| value.into_array(rows)) {
            Ok(values) => parts.push(values),
            Err(error) if rows == 1 => {
                parts.push(new_null_array(&self.result, 1));
                failed.push((first, fault::told(&error)));
            }
            Err(_) => {
                let half = rows / 2;
                self.evaluate_part(&source.slice(0, half), first, parts, failed);
                self.evaluate_part(&source.slice(half, rows - half), first + half, parts, failed);
            }
        }
    }
}

impl Derive for SourceExpression {
    fn columns(&self) -> &[String] {
        &self.columns
    }

    fn derive(&self, source: &RecordBatch) -> Derived {
        let (values, mut failed) = self.evaluate(source);
        let texts = cast(&values, &DataType::Utf8).unwrap_or_else(|error| {
            let why = fault::told(&error.into());
            failed = (0..source.num_rows()).map(|row| (row, why.clone())).collect();
            new_null_array(&DataType::Utf8, source.num_rows())
        });
        Derived { texts: texts.as_string::<i32>().clone(), failed }
    }
}

fn is_text(kind: &DataType) -> bool {
    matches!(kind, DataType::Utf8 | DataType::Utf8View | DataType::LargeUtf8 | DataType::Null)
}

/// Whether values of a type are written as our readers read them: digits, ISO 8601, true and false.
fn is_written(kind: &DataType) -> bool {
    kind.is_integer()
        || matches!(
            kind,
            DataType::Boolean
                | DataType::Decimal32(..)
                | DataType::Decimal64(..)
                | DataType::Decimal128(..)
                | DataType::Decimal256(..)
                | DataType::Date32
                | DataType::Timestamp(..)
        )
}

fn planned(
    expression: ExprWithAlias,
    schema: &SchemaRef,
) -> std::result::Result<Arc<dyn PhysicalExpr>, DataFusionError> {
    let schema = DFSchema::try_from(Arc::clone(schema))?;
    let state = planner()?;
    let logical = state.create_logical_expr_from_sql_expr(expression, &schema)?;
    let context = SimplifyContext::builder()
        .with_schema(Arc::new(schema.clone()))
        .with_config_options(Arc::clone(state.config_options()))
        .build();
    // `coalesce` and its like are written as `case` here, and run in no other form.
    let simplifier = ExprSimplifier::new(context);
    let simple = simplifier.simplify(simplifier.coerce(logical, &schema)?)?;
    let physical = state.create_physical_expr(simple, &schema)?;
    // Sums and products that do not fit are failures, never another number.
    let checked = |part: Arc<dyn PhysicalExpr>| match part.downcast_ref::<BinaryExpr>() {
        Some(binary) => {
            let (left, right) = (Arc::clone(binary.left()), Arc::clone(binary.right()));
            let checked = BinaryExpr::new(left, *binary.op(), right).with_fail_on_overflow(true);
            Ok(Transformed::yes(Arc::new(checked) as Arc<dyn PhysicalExpr>))
        }
        None => Ok(Transformed::no(part)),
    };
    physical.transform_up(checked).data()
}

/// What plans: a session without tables, in which digits with a point are decimals.
fn planner() -> std::result::Result<&'static SessionState, DataFusionError> {
    static PLANNER: OnceLock<SessionState> = OnceLock::new();
    if let Some(planner) = PLANNER.get() {
        return Ok(planner);
    }
    let session =
        session::build(&Limits::default(), None).map_err(|error| DataFusionError::External(Box::new(error)))?;
    let mut state = session.state();
    state.config_mut().options_mut().sql_parser.parse_float_as_decimal = true;
    Ok(PLANNER.get_or_init(|| state))
}

#[cfg(test)]
mod tests {
    use datafusion::arrow::array::StringArray;

    use super::*;

    fn source(columns: &[(&str, &[&str])]) -> RecordBatch {
        let fields: Vec<Field> = columns.iter().map(|(name, _)| Field::new(*name, DataType::Utf8, true)).collect();
        let text = |texts: &[&str]| -> ArrayRef {
            Arc::new(texts.iter().map(|text| Some(*text).filter(|text| *text != "-")).collect::<StringArray>())
        };
        let arrays = columns.iter().map(|(_, texts)| text(texts)).collect();
        RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays).unwrap()
    }

    fn computed(sql: &str, columns: &[(&str, &[&str])]) -> (Vec<Option<String>>, Vec<(usize, String)>) {
        let expression = SourceExpression::value(sql).unwrap();
        let named: Vec<&str> = columns.iter().map(|(name, _)| *name).collect();
        assert_eq!(expression.columns(), named, "{sql}");
        let Derived { texts, failed } = expression.derive(&source(columns));
        (texts.iter().map(|text| text.map(str::to_owned)).collect(), failed)
    }

    fn some(texts: &[&str]) -> Vec<Option<String>> {
        texts.iter().map(|text| Some((*text).to_owned()).filter(|text| text != "-")).collect()
    }

    #[test]
    fn texts_numbers_and_dates_are_computed_exactly() {
        let day: &[&str] = &["2026/1/5", "-"];
        let time: &[&str] = &["08:30", "09:00"];
        assert_eq!(
            computed(r#"日期 || ' ' || "时 间""#, &[("日期", day), ("时 间", time)]).0,
            some(&["2026/1/5 08:30", "-"])
        );
        let premium: &[&str] = &["1.10", "0.00"];
        let rebate: &[&str] = &["0.07", "-"];
        let sql = "cast(P as decimal(18,2)) * 10000 - coalesce(cast(R as decimal(18,2)), 0)";
        let (values, failed) = computed(sql, &[("P", premium), ("R", rebate)]);
        assert!(failed.is_empty(), "{failed:?}");
        assert_eq!(values, some(&["10999.93", "0.00"]));
        assert_eq!(computed("cast(a as decimal(9,4)) * 0.1", &[("a", &["0.3"])]).0, some(&["0.03000"]));
        assert_eq!(computed("cast(a as date)", &[("a", &["2026-01-05"])]).0, some(&["2026-01-05"]));
        assert_eq!(computed("a = '是'", &[("a", &["是", "否", "-"])]).0, some(&["true", "false", "-"]));
        assert_eq!(computed("lpad(a, 6, '0')", &[("a", &["330"])]).0, some(&["000330"]));
        assert_eq!(
            computed("case when a in ('1','2') then 'own' else 'agency' end", &[("a", &["1", "3"])]).0,
            some(&["own", "agency"])
        );
    }

    #[test]
    fn missing_values_are_replaced_by_every_function_that_does_so() {
        for (sql, value) in [
            ("coalesce(a, 'x')", "x"),
            ("nvl(a, 'x')", "x"),
            ("ifnull(a, 'x')", "x"),
            ("nvl2(a, 'there', 'gone')", "gone"),
            ("nullif(coalesce(a, 'x'), 'y')", "x"),
        ] {
            let (values, failed) = computed(sql, &[("a", &["-"])]);
            assert!(failed.is_empty(), "{sql}: {failed:?}");
            assert_eq!(values, some(&[value]), "{sql}");
        }
    }

    #[test]
    fn titles_are_taken_as_they_are_written() {
        assert_eq!(computed("Upper || lower", &[("Upper", &["a"]), ("lower", &["b"])]).0, some(&["ab"]));
        assert_eq!(computed("\"保费(万元).总\"", &[("保费(万元).总", &["1"])]).0, some(&["1"]));
    }

    #[test]
    fn records_for_which_it_fails_are_told_one_by_one() {
        let (values, failed) =
            computed("cast(a as int) / cast(b as int)", &[("a", &["6", "x", "8", "9"]), ("b", &["2", "1", "0", "3"])]);
        assert_eq!(values, some(&["3", "-", "-", "3"]));
        assert_eq!(failed.iter().map(|(row, _)| *row).collect::<Vec<_>>(), [1, 2]);
        assert!(failed[0].1.contains("'x'") && failed[1].1.to_lowercase().contains("divide by zero"), "{failed:?}");
    }

    #[test]
    fn a_sum_that_does_not_fit_fails_and_does_not_wrap() {
        let (values, failed) = computed("cast(a as bigint) + 1", &[("a", &["9223372036854775807", "1"])]);
        assert_eq!(values, some(&["-", "2"]));
        assert_eq!(failed.len(), 1);
        let (_, failed) = computed("cast(a as bigint) * 2", &[("a", &["9223372036854775807"])]);
        assert_eq!(failed.len(), 1);
    }

    #[test]
    fn a_condition_that_is_unknown_does_not_hold_and_one_that_fails_is_told() {
        let condition = SourceExpression::condition("状态 = '作废' or cast(n as int) > 5").unwrap();
        let (holds, failed) = condition
            .holds(&source(&[("状态", &["作废", "-", "有效", "有效"]), ("n", &["1", "-", "6", "x"])]))
            .unwrap();
        assert_eq!(holds, BooleanArray::from(vec![true, false, true, false]));
        assert_eq!(failed.len(), 1);
        assert_eq!(failed[0].0, 3);
    }

    #[test]
    fn what_cannot_be_planned_is_refused_with_its_place() {
        for (sql, at, told) in [
            ("a + ", 4, "an expression"),
            ("a ||\n foo(b)", 6, "foo"),
            ("a b", 2, "does not belong here"),
            ("'open", 0, "nterminated"),
            ("a || random()", 5, "random"),
            ("now()", 0, "now"),
            ("a > current_date", 4, "current_date"),
            ("repeat(a, 10)", 0, "repeat"),
            ("lpad(a, 100000, '0')", 0, "lpad"),
            ("x.a", 0, "\"x.a\""),
            ("max(a)", 0, "max"),
            ("a in (select 1)", 0, "quer"),
            ("cast(a as double)", 0, "not exact"),
            ("interval '1 day'", 0, "a text, a number"),
        ] {
            let fault = SourceExpression::value(sql).unwrap_err();
            assert!(fault.message.contains(told), "{sql}: {fault:?}");
            assert_eq!(fault.at, at, "{sql}: {fault:?}");
        }
        assert!(SourceExpression::value("(select 1)").unwrap_err().message.contains("query"));
        assert!(SourceExpression::condition("a || b").unwrap_err().message.contains("true or false"));
    }
}
