//! `rule_value` and `rule_unit`: the rule for an id, a place, a sector and a day, in SQL; `norm_visits`:
//! the service norm for a size instead of an id.

use std::collections::HashMap;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, Date32Array, Decimal128Builder, Int64Builder, StringViewArray, StringViewBuilder,
};
use datafusion::arrow::datatypes::{DataType, Date32Type};
use datafusion::common::{ScalarValue, exec_err};
use datafusion::error::Result;
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility};

use crate::rule_book::{Choice, Rule, RuleBook, VALUE_PRECISION, VALUE_SCALE};

/// The functions over one release's rules and service norms.
pub(super) fn all(rules: &Arc<RuleBook>, norms: &Arc<RuleBook>) -> [ScalarUDF; 3] {
    [(Part::Value, rules), (Part::Unit, rules), (Part::Visits, norms)]
        .map(|(part, book)| ScalarUDF::new_from_impl(RuleLookup::new(part, Arc::clone(book))))
}

/// What one whole visit is in the book, whose values are decimals.
const ONE_VISIT: i128 = 10_i128.pow(VALUE_SCALE.unsigned_abs() as u32);

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Part {
    /// `rule_value(id, region, sector, day) -> decimal(18,6)`, null where there is no rule.
    Value,
    /// `rule_unit(id, region, sector, day) -> text`, null where there is none.
    Unit,
    /// `norm_visits(size, region, sector, day) -> bigint`, visits a year; null where there is no norm.
    Visits,
}

#[derive(Debug)]
struct RuleLookup {
    part: Part,
    rules: Arc<RuleBook>,
    signature: Signature,
}

impl RuleLookup {
    fn new(part: Part, rules: Arc<RuleBook>) -> Self {
        let text = DataType::Utf8View;
        let arguments = vec![text.clone(), text.clone(), text, DataType::Date32];
        Self { part, rules, signature: Signature::exact(arguments, Volatility::Immutable) }
    }
}

impl PartialEq for RuleLookup {
    fn eq(&self, other: &Self) -> bool {
        self.part == other.part && Arc::ptr_eq(&self.rules, &other.rules)
    }
}

impl Eq for RuleLookup {}

impl Hash for RuleLookup {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.part.hash(state);
    }
}

impl ScalarUDFImpl for RuleLookup {
    fn name(&self) -> &str {
        match self.part {
            Part::Value => "rule_value",
            Part::Unit => "rule_unit",
            Part::Visits => "norm_visits",
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arguments: &[DataType]) -> Result<DataType> {
        Ok(match self.part {
            Part::Value => DataType::Decimal128(VALUE_PRECISION, VALUE_SCALE),
            Part::Unit => DataType::Utf8View,
            Part::Visits => DataType::Int64,
        })
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let constant = args.args.iter().all(|argument| matches!(argument, ColumnarValue::Scalar(_)));
        let rows = if constant { 1 } else { args.number_rows };
        let columns = args.args.into_iter().map(|argument| argument.into_array(rows)).collect::<Result<Vec<_>>>()?;
        let [ids, regions, sectors, days] = columns.as_slice() else {
            return exec_err!("{} takes a rule or a size, a region, a sector and a day", self.name());
        };
        let questions = Questions {
            ids: ids.as_string_view(),
            regions: regions.as_string_view(),
            sectors: sectors.as_string_view(),
            days: days.as_primitive::<Date32Type>(),
        };
        let answer = self.answer(&questions, rows)?;
        Ok(match constant {
            true => ColumnarValue::Scalar(ScalarValue::try_from_array(&answer, 0)?),
            false => ColumnarValue::Array(answer),
        })
    }
}

struct Questions<'a> {
    ids: &'a StringViewArray,
    regions: &'a StringViewArray,
    sectors: &'a StringViewArray,
    days: &'a Date32Array,
}

/// A rule, a region and a sector.
type Asked<'a> = (&'a str, Option<&'a str>, Option<&'a str>);

impl<'a> Questions<'a> {
    /// The question of a row; none where the rule or the day is missing.
    fn row(&self, row: usize) -> Option<(Asked<'a>, i32)> {
        let text = |column: &'a StringViewArray| column.is_valid(row).then(|| column.value(row));
        let day = self.days.is_valid(row).then(|| self.days.value(row))?;
        Some(((text(self.ids)?, text(self.regions), text(self.sectors)), day))
    }
}

impl RuleLookup {
    fn answer(&self, questions: &Questions<'_>, rows: usize) -> Result<ArrayRef> {
        // Most rows of a batch ask of a place that another row asked of before.
        let mut known: HashMap<Asked<'_>, Choice<'_>> = HashMap::new();
        let mut found = |row: usize| -> Option<&Rule> {
            let (asked, day) = questions.row(row)?;
            let choice = known.entry(asked).or_insert_with(|| {
                let (id, region, sector) = asked;
                self.rules.choice(id, region, sector)
            });
            choice.on(day)
        };
        match self.part {
            Part::Value => {
                let mut values = Decimal128Builder::with_capacity(rows);
                (0..rows).for_each(|row| values.append_option(found(row).map(|rule| rule.value)));
                Ok(Arc::new(values.finish().with_precision_and_scale(VALUE_PRECISION, VALUE_SCALE)?))
            }
            Part::Unit => {
                let mut units = StringViewBuilder::with_capacity(rows);
                (0..rows).for_each(|row| units.append_option(found(row).and_then(|rule| rule.unit.as_deref())));
                Ok(Arc::new(units.finish()))
            }
            Part::Visits => {
                let mut visits = Int64Builder::with_capacity(rows);
                let whole = |rule: &Rule| i64::try_from(rule.value / ONE_VISIT).ok();
                (0..rows).for_each(|row| visits.append_option(found(row).and_then(whole)));
                Ok(Arc::new(visits.finish()))
            }
        }
    }
}
