//! The shared terms of metrics.md that are a condition on one row, each said once.
//!
//! A term is a function in SQL and a plain expression in the plan: the optimizer replaces the call
//! by its meaning, so that files are pruned by the dates inside it.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::{DataType, Field, Schema};
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{DFSchema, exec_err};
use datafusion::error::Result;
use datafusion::logical_expr::simplify::{ExprSimplifyResult, SimplifyContext};
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::prelude::SessionContext;
use datafusion::scalar::ScalarValue;

struct Definition {
    name: &'static str,
    arguments: &'static [(&'static str, DataType)],
    meaning: &'static str,
}

/// The terms, in the words of metrics.md; every span is closed at its start and open at its end.
const TERMS: [Definition; 5] = [
    Definition {
        name: "in_force",
        arguments: &[
            ("inception", DataType::Date32),
            ("expiry", DataType::Date32),
            ("cancelled_on", DataType::Date32),
            ("day", DataType::Date32),
        ],
        meaning: "inception <= day and day < expiry and (cancelled_on is null or day < cancelled_on)",
    },
    Definition {
        name: "term_end",
        arguments: &[("expiry", DataType::Date32), ("cancelled_on", DataType::Date32)],
        meaning: "case when cancelled_on is not null then cancelled_on else expiry end",
    },
    Definition {
        name: "on_roster",
        arguments: &[("valid_from", DataType::Date32), ("valid_to", DataType::Date32), ("day", DataType::Date32)],
        meaning: "valid_from <= day and (valid_to is null or day < valid_to)",
    },
    // An unknown agency has no qualification and passes no test.
    Definition {
        name: "qualified",
        arguments: &[
            ("qualification", DataType::Utf8View),
            ("valid_from", DataType::Date32),
            ("valid_to", DataType::Date32),
            ("day", DataType::Date32),
        ],
        meaning: "qualification is not null and day is not null \
                  and (valid_from is null or valid_from <= day) and (valid_to is null or valid_to > day)",
    },
    // What prevention money may be spent on.
    Definition {
        name: "eligible_category",
        arguments: &[("category", DataType::Utf8View)],
        meaning: "category in ('T1', 'T2', 'T3', 'T4', 'T5', 'T6', 'T9')",
    },
];

/// All terms as functions.
pub(super) fn all(session: &SessionContext) -> Result<Vec<ScalarUDF>> {
    TERMS.iter().map(|definition| Ok(ScalarUDF::new_from_impl(Term::new(session, definition)?))).collect()
}

#[derive(Debug)]
struct Term {
    name: &'static str,
    signature: Signature,
    returns: DataType,
    schema: Arc<Schema>,
    meaning: Expr,
    evaluated: Arc<dyn PhysicalExpr>,
}

impl Term {
    fn new(session: &SessionContext, definition: &Definition) -> Result<Self> {
        let fields = definition.arguments.iter().map(|(name, kind)| Field::new(*name, kind.clone(), true));
        let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
        let named = DFSchema::try_from(schema.as_ref().clone())?;
        // The call is replaced after types were made to match, so text must match from the start.
        let meaning = session.parse_sql_expr(definition.meaning, &named)?.transform(as_columns_are)?.data;
        let evaluated = session.create_physical_expr(meaning.clone(), &named)?;
        Ok(Self {
            name: definition.name,
            signature: Signature::exact(
                definition.arguments.iter().map(|(_, kind)| kind.clone()).collect(),
                Volatility::Immutable,
            ),
            returns: evaluated.data_type(&schema)?,
            schema,
            meaning,
            evaluated,
        })
    }

    fn argument(&self, name: &str) -> Option<usize> {
        self.schema.index_of(name).ok()
    }
}

/// Text in the layout that text columns have.
fn as_columns_are(expr: Expr) -> Result<Transformed<Expr>> {
    Ok(match expr {
        Expr::Literal(ScalarValue::Utf8(text), metadata) => {
            Transformed::yes(Expr::Literal(ScalarValue::Utf8View(text), metadata))
        }
        other => Transformed::no(other),
    })
}

impl PartialEq for Term {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Term {}

impl Hash for Term {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name.hash(state);
    }
}

impl ScalarUDFImpl for Term {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arguments: &[DataType]) -> Result<DataType> {
        Ok(self.returns.clone())
    }

    fn simplify(&self, args: Vec<Expr>, _info: &SimplifyContext) -> Result<ExprSimplifyResult> {
        let meaning = self.meaning.clone().transform_up(|expr| {
            let argument = match &expr {
                Expr::Column(column) => self.argument(&column.name).and_then(|place| args.get(place)),
                _ => None,
            };
            Ok(match argument {
                Some(argument) => Transformed::yes(argument.clone()),
                None => Transformed::no(expr),
            })
        })?;
        Ok(ExprSimplifyResult::Simplified(meaning.data))
    }

    /// Only where the optimizer folds a call with constants: elsewhere the call is gone by now.
    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        if args.args.len() != self.schema.fields().len() {
            return exec_err!("{} takes {} arguments", self.name, self.schema.fields().len());
        }
        let columns =
            args.args.into_iter().map(|argument| argument.into_array(args.number_rows)).collect::<Result<Vec<_>>>()?;
        self.evaluated.evaluate(&RecordBatch::try_new(Arc::clone(&self.schema), columns)?)
    }
}
