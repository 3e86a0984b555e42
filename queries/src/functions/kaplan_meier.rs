//! Kaplan–Meier in SQL, exact: `kaplan_meier` and `kaplan_meier_within`.
//!
//! `kaplan_meier(days, event, survival) -> bigint` is the smallest t with S(t) ≤ survival, null
//! where there is none; `kaplan_meier_within(days, event, n) -> decimal(20,18)` is 1 − S(n), the
//! share with the event within n days. Rows without days or event are no cases.

use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, ListArray, RecordBatch};
use datafusion::arrow::datatypes::{DataType, Field, FieldRef, Int64Type, Schema};
use datafusion::common::{ScalarValue, exec_err, plan_err};
use datafusion::error::Result;
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, ColumnarValue, Signature, TypeSignature, Volatility,
};

use crate::survival::{Fraction, SHARE_SCALE, Survival};

/// Name of the aggregate that gives a quantile.
pub(crate) const QUANTILE: &str = "kaplan_meier";
/// Name of the aggregate that gives the share within a number of days.
pub(crate) const WITHIN: &str = "kaplan_meier_within";

/// Both aggregates.
pub(super) fn all() -> [AggregateUDF; 2] {
    [Asked::Quantile, Asked::Within].map(|asked| AggregateUDF::new_from_impl(KaplanMeier::new(asked)))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Asked {
    Quantile,
    Within,
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct KaplanMeier {
    asked: Asked,
    signature: Signature,
}

impl KaplanMeier {
    fn new(asked: Asked) -> Self {
        let with = |last: DataType| TypeSignature::Exact(vec![DataType::Int64, DataType::Boolean, last]);
        let last = match asked {
            // A text is read digit by digit; a number of SQL keeps its shortest decimal form.
            Asked::Quantile => vec![with(DataType::Utf8), with(DataType::Float64)],
            Asked::Within => vec![with(DataType::Int64)],
        };
        Self { asked, signature: Signature::one_of(last, Volatility::Immutable) }
    }
}

impl AggregateUDFImpl for KaplanMeier {
    fn name(&self) -> &str {
        match self.asked {
            Asked::Quantile => QUANTILE,
            Asked::Within => WITHIN,
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arguments: &[DataType]) -> Result<DataType> {
        Ok(match self.asked {
            Asked::Quantile => DataType::Int64,
            Asked::Within => DataType::Decimal128(20, SHARE_SCALE),
        })
    }

    fn state_fields(&self, args: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        let list = |part: &str| {
            let item = Field::new_list_field(DataType::Int64, true);
            Arc::new(Field::new_list(format!("{}[{part}]", args.name), item, true))
        };
        Ok(vec![list("days"), list("events"), list("cases")])
    }

    fn accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        let last = match args.exprs.get(2) {
            Some(expr) => expr.evaluate(&RecordBatch::new_empty(Arc::new(Schema::empty())))?,
            None => return plan_err!("{} takes days, event and a constant", self.name()),
        };
        let ColumnarValue::Scalar(last) = last else {
            return plan_err!("the last argument of {} must be a constant", self.name());
        };
        let question = match (self.asked, last) {
            (Asked::Within, ScalarValue::Int64(Some(days))) => Question::Within(days),
            (Asked::Quantile, ScalarValue::Utf8(Some(text))) => Question::quantile(&text)?,
            (Asked::Quantile, ScalarValue::Float64(Some(number))) => Question::quantile(&number.to_string())?,
            _ => return plan_err!("the last argument of {} must not be null", self.name()),
        };
        Ok(Box::new(Cases { question, survival: Survival::default() }))
    }
}

#[derive(Debug)]
enum Question {
    Quantile(Fraction),
    Within(i64),
}

impl Question {
    fn quantile(text: &str) -> Result<Self> {
        match Fraction::parse(text) {
            Some(survival) => Ok(Self::Quantile(survival)),
            None => plan_err!("{text} is no share between 0 and 1"),
        }
    }
}

#[derive(Debug)]
struct Cases {
    question: Question,
    survival: Survival,
}

impl Accumulator for Cases {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let [days, events, ..] = values else { return exec_err!("days and events are missing") };
        let (days, events) = (days.as_primitive::<Int64Type>(), events.as_boolean());
        for row in (0..days.len()).filter(|row| days.is_valid(*row) && events.is_valid(*row)) {
            self.survival.add(days.value(row), u64::from(events.value(row)), 1);
        }
        Ok(())
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let days = self.survival.days().map(|(day, _, _)| Some(day));
        let events = self.survival.days().map(|(_, events, _)| i64::try_from(events).ok());
        let cases = self.survival.days().map(|(_, _, cases)| i64::try_from(cases).ok());
        Ok(vec![list(days), list(events), list(cases)])
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        let [days, events, cases] = states else { return exec_err!("a state has three lists") };
        let (days, events, cases) = (days.as_list::<i32>(), events.as_list::<i32>(), cases.as_list::<i32>());
        for row in (0..days.len()).filter(|row| days.is_valid(*row)) {
            let part = |lists: &ListArray| lists.value(row).as_primitive::<Int64Type>().clone();
            let (days, events, cases) = (part(days), part(events), part(cases));
            for place in 0..days.len() {
                let count = |value: i64| u64::try_from(value).unwrap_or_default();
                self.survival.add(days.value(place), count(events.value(place)), count(cases.value(place)));
            }
        }
        Ok(())
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        Ok(match &self.question {
            Question::Quantile(survival) => ScalarValue::Int64(self.survival.quantile(survival)),
            Question::Within(days) => ScalarValue::Decimal128(self.survival.share_within(*days), 20, SHARE_SCALE),
        })
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.survival.size()
    }
}

fn list(values: impl Iterator<Item = Option<i64>>) -> ScalarValue {
    ScalarValue::List(Arc::new(ListArray::from_iter_primitive::<Int64Type, _, _>([Some(values)])))
}
