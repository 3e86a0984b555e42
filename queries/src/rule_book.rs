//! The rules in force: numbers that laws and documents lay down, by region, sector and day; and the
//! service norms, which are found in the same way.

use std::cmp::Reverse;
use std::collections::HashMap;

use datafusion::arrow::array::{Array, AsArray};
use datafusion::arrow::datatypes::DataType;
use datafusion::arrow::datatypes::{Date32Type, Decimal128Type};
use datafusion::common::ScalarValue;
use datafusion::logical_expr::{Expr, cast};
use datafusion::prelude::{SessionContext, col, lit};

use crate::error::Result;

/// Region code of the whole nation.
const NATION: &str = "000000";
/// Stands for the region of a service norm that has none: it holds everywhere.
const EVERYWHERE: &str = "";
/// Digits after the point of a rule's value.
pub(crate) const VALUE_SCALE: i8 = 6;
/// Digits of a rule's value.
pub(crate) const VALUE_PRECISION: u8 = 18;

/// One row of the dataset `rule` or `service_norm`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Rule {
    /// The value, in millionths.
    pub(crate) value: i128,
    /// Unit of the value, where the row names one.
    pub(crate) unit: Option<String>,
    sector: Option<String>,
    /// First and last day in force, in days since 1970.
    effective_from: i32,
    effective_to: Option<i32>,
}

impl Rule {
    fn is_for(&self, sector: Option<&str>) -> bool {
        self.sector.is_none() || self.sector.as_deref() == sector
    }

    fn is_in_force(&self, day: i32) -> bool {
        self.effective_from <= day && self.effective_to.is_none_or(|last| day <= last)
    }
}

/// Every rule of a release, found by what metrics.md calls `rule(id, region, sector, d)`; or every
/// service norm, whose id is the size of the unit and whose value the visits a year.
#[derive(Debug, Default)]
pub(crate) struct RuleBook {
    rules: HashMap<String, HashMap<String, Vec<Rule>>>,
}

impl RuleBook {
    /// Reads the dataset `rule` of a session's release.
    pub(crate) async fn read(session: &SessionContext) -> Result<Self> {
        Self::gather(session, "rule", [col("rule_id"), col("unit"), col("value")]).await
    }

    /// Reads the dataset `service_norm` of a session's release.
    pub(crate) async fn norms(session: &SessionContext) -> Result<Self> {
        let no_unit = lit(ScalarValue::Utf8(None));
        Self::gather(session, "service_norm", [col("size"), no_unit, col("visits_per_year")]).await
    }

    async fn gather(session: &SessionContext, table: &str, [id, unit, value]: [Expr; 3]) -> Result<Self> {
        let text = |value: Expr, name: &str| cast(value, DataType::Utf8).alias(name);
        let rows = session.table(table).await?.select(vec![
            text(id, "id"),
            text(col("region_code"), "region"),
            text(col("sector"), "sector"),
            text(unit, "unit"),
            col("effective_from"),
            col("effective_to"),
            cast(value, DataType::Decimal128(VALUE_PRECISION, VALUE_SCALE)).alias("value"),
        ])?;
        let mut book = Self::default();
        for batch in rows.collect().await? {
            let text = |column: usize| batch.column(column).as_string::<i32>();
            let (ids, regions, sectors, units) = (text(0), text(1), text(2), text(3));
            let from = batch.column(4).as_primitive::<Date32Type>();
            let to = batch.column(5).as_primitive::<Date32Type>();
            let values = batch.column(6).as_primitive::<Decimal128Type>();
            for row in 0..batch.num_rows() {
                if from.is_null(row) || values.is_null(row) {
                    continue;
                }
                // An empty sector, stored as null or as an empty text, means every sector.
                let sector = sectors.is_valid(row).then(|| sectors.value(row)).filter(|text| !text.is_empty());
                let rule = Rule {
                    value: values.value(row),
                    unit: units.is_valid(row).then(|| units.value(row).to_owned()),
                    sector: sector.map(str::to_owned),
                    effective_from: from.value(row),
                    effective_to: to.is_valid(row).then(|| to.value(row)),
                };
                let region = if regions.is_valid(row) { regions.value(row) } else { EVERYWHERE };
                book.add(ids.value(row), region, rule);
            }
        }
        Ok(book)
    }

    fn add(&mut self, id: &str, region: &str, rule: Rule) {
        self.rules.entry(id.to_owned()).or_default().entry(region.to_owned()).or_default().push(rule);
    }

    /// The rule for a place, a sector and a day: the most specific region wins, then a matching
    /// sector over an empty one, then the latest start. An unknown region sees only the nation's
    /// rules, an unknown sector only rules without a sector.
    pub(crate) fn find(&self, id: &str, region: Option<&str>, sector: Option<&str>, day: i32) -> Option<&Rule> {
        self.choice(id, region, sector).on(day)
    }

    /// The same, whatever the day: few ask of many places, and many of the same place on other days.
    pub(crate) fn choice(&self, id: &str, region: Option<&str>, sector: Option<&str>) -> Choice<'_> {
        let mut rules: Vec<&Rule> = Vec::new();
        if let Some(by_region) = self.rules.get(id) {
            for level in regions_above(region).filter_map(|code| by_region.get(code.as_str())) {
                let first = rules.len();
                // Of equals the one that was added last.
                rules.extend(level.iter().rev().filter(|rule| rule.is_for(sector)));
                rules[first..].sort_by_key(|rule| Reverse((rule.sector.is_some(), rule.effective_from)));
            }
        }
        Choice(rules)
    }
}

/// The rules that a place and a sector may fall under, those that win first.
pub(crate) struct Choice<'b>(Vec<&'b Rule>);

impl<'b> Choice<'b> {
    /// The rule on a day.
    pub(crate) fn on(&self, day: i32) -> Option<&'b Rule> {
        self.0.iter().copied().find(|rule| rule.is_in_force(day))
    }
}

/// A county, its city, its province, the nation and what names no region; of an unknown region only the
/// last two.
fn regions_above(region: Option<&str>) -> impl Iterator<Item = String> {
    let code = region.filter(|code| code.len() == 6 && code.bytes().all(|digit| digit.is_ascii_digit()));
    let above = code.map(|code| [code.to_owned(), format!("{}00", &code[..4]), format!("{}0000", &code[..2])]);
    above.into_iter().flatten().chain([NATION.to_owned(), EVERYWHERE.to_owned()])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(value: i128, sector: Option<&str>, from: i32, to: Option<i32>) -> Rule {
        Rule { value, unit: None, sector: sector.map(str::to_owned), effective_from: from, effective_to: to }
    }

    fn found(book: &RuleBook, region: Option<&str>, sector: Option<&str>, day: i32) -> Option<i128> {
        book.find("r", region, sector, day).map(|rule| rule.value)
    }

    #[test]
    fn the_county_wins_over_city_province_and_nation_even_against_a_matching_sector() {
        let mut book = RuleBook::default();
        book.add("r", "000000", rule(1, Some("mine"), 0, None));
        assert_eq!(found(&book, Some("330102"), Some("mine"), 5), Some(1));
        book.add("r", "330000", rule(2, None, 0, None));
        assert_eq!(found(&book, Some("330102"), Some("mine"), 5), Some(2));
        book.add("r", "330100", rule(3, None, 0, None));
        book.add("r", "330102", rule(4, None, 0, None));
        assert_eq!(found(&book, Some("330102"), Some("mine"), 5), Some(4));
        assert_eq!(found(&book, Some("330105"), Some("mine"), 5), Some(3));
        assert_eq!(found(&book, Some("330200"), Some("mine"), 5), Some(2));
    }

    #[test]
    fn a_matching_sector_wins_over_an_empty_one_then_the_latest_start() {
        let mut book = RuleBook::default();
        book.add("r", "000000", rule(1, None, 9, None));
        book.add("r", "000000", rule(2, Some("mine"), 1, None));
        book.add("r", "000000", rule(3, Some("mine"), 4, None));
        assert_eq!(found(&book, None, Some("mine"), 10), Some(3));
        assert_eq!(found(&book, None, Some("hazchem"), 10), Some(1));
        assert_eq!(found(&book, None, Some("unknown"), 10), Some(1));
        assert_eq!(found(&book, None, None, 10), Some(1));
    }

    #[test]
    fn both_ends_of_a_rules_span_are_days_in_force() {
        let mut book = RuleBook::default();
        book.add("r", "000000", rule(1, None, 3, Some(5)));
        let days: Vec<_> = (2..=6).map(|day| found(&book, None, None, day)).collect();
        assert_eq!(days, [None, Some(1), Some(1), Some(1), None]);
    }

    #[test]
    fn an_unknown_region_sees_only_the_nation() {
        let mut book = RuleBook::default();
        book.add("r", "330000", rule(2, None, 0, None));
        assert_eq!(found(&book, Some("unknown"), None, 5), None);
        assert_eq!(found(&book, None, None, 5), None);
    }

    #[test]
    fn what_names_no_region_holds_where_nothing_nearer_does() {
        let mut book = RuleBook::default();
        book.add("r", EVERYWHERE, rule(1, None, 0, None));
        assert_eq!(found(&book, Some("330102"), None, 5), Some(1));
        assert_eq!(found(&book, None, None, 5), Some(1));
        book.add("r", "000000", rule(2, None, 0, None));
        assert_eq!(found(&book, Some("330102"), None, 5), Some(2));
    }
}
