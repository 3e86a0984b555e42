//! Concentration: how an amount is spread over parties, Σ (a party's)² over (Σ)², exact.
//!
//! Each row's part of the numerator is its amount times that of its whole party, and of the denominator
//! its amount times that of everybody: so rows, parties and groups are summed up like any other cases.

use datafusion::arrow::datatypes::DataType;
use datafusion::functions_aggregate::expr_fn::{count, max, sum};
use datafusion::functions_aggregate::sum::sum_udaf;
use datafusion::logical_expr::expr::WindowFunction;
use datafusion::logical_expr::{Expr, ExprFunctionExt, cast};
use datafusion::prelude::{DataFrame, col, lit};
use serde_json::Number;

use crate::cases::{DENOMINATOR, NUMERATOR, PROVISIONAL, WITHOUT_RULE};
use crate::catalogue::PartiesField;
use crate::dimension::Dimension;
use crate::error::Result;
use crate::quantity::{Quantity, quotient};

/// The column with a case's amount.
pub(crate) const AMOUNT: &str = "amount";
/// The column that says whose amount it is.
pub(crate) const PARTY: &str = "party";

/// What a group of parties comes to.
pub(crate) struct Parties {
    /// The amount of the largest.
    pub(crate) largest: Quantity,
    /// The amount of all.
    pub(crate) total: Quantity,
    /// How many there are.
    pub(crate) count: i64,
}

impl Parties {
    /// The columns of a group that they are read from.
    pub(crate) fn columns() -> [Expr; 3] {
        [
            max(col(AMOUNT)).alias("largest_amount"),
            sum(col(AMOUNT)).alias("total_amount"),
            count(col(AMOUNT)).alias("parties"),
        ]
    }

    /// A figure of theirs; a share of nothing, or of less, is none.
    pub(crate) fn figure(&self, field: PartiesField) -> Option<Number> {
        match field {
            PartiesField::LargestShare => quotient(self.largest, self.total, 1),
            PartiesField::Count => Some(Number::from(self.count)),
        }
    }
}

/// Cases summed up to one row for each party of each group, with its parts.
pub(crate) fn parties(cases: DataFrame, by: &[Dimension]) -> Result<DataFrame> {
    let mut keys = members(by);
    keys.push(col(PARTY));
    let parties = exact(cases)?.aggregate(keys, vec![sum(col(AMOUNT)).alias(AMOUNT)])?;
    Ok(parts(parties, by)?.with_column(WITHOUT_RULE, lit(false))?.with_column(PROVISIONAL, lit(false))?)
}

/// Adds to each row its parts of the numerator and the denominator of its group.
pub(crate) fn parts(rows: DataFrame, by: &[Dimension]) -> Result<DataFrame> {
    const OF_PARTY: &str = "amount_of_party";
    const OF_ALL: &str = "amount_of_all";
    let mut party = members(by);
    party.push(col(PARTY));
    let rows =
        exact(rows)?.with_column(OF_PARTY, amount_over(party)?)?.with_column(OF_ALL, amount_over(members(by))?)?;
    let rows = rows.with_column(NUMERATOR, col(AMOUNT) * col(OF_PARTY))?;
    Ok(rows.with_column(DENOMINATOR, col(AMOUNT) * col(OF_ALL))?)
}

fn members(by: &[Dimension]) -> Vec<Expr> {
    by.iter().map(|dimension| col(dimension.column())).collect()
}

/// The amount of all rows that are equal in some columns; of all rows without any.
fn amount_over(columns: Vec<Expr>) -> Result<Expr> {
    let amount = Expr::from(WindowFunction::new(sum_udaf(), vec![col(AMOUNT)]));
    Ok(if columns.is_empty() { amount } else { amount.partition_by(columns).build()? })
}

/// Products of whole numbers would wrap around; those of decimals are refused where they are too large.
fn exact(rows: DataFrame) -> Result<DataFrame> {
    match rows.schema().field_with_unqualified_name(AMOUNT)?.data_type().is_integer() {
        true => Ok(rows.with_column(AMOUNT, cast(col(AMOUNT), DataType::Decimal128(19, 0)))?),
        false => Ok(rows),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use anze_warehouse::session::Limits;
    use datafusion::arrow::array::{Int64Array, RecordBatch, StringArray};

    use super::*;
    use crate::groups::quantity;
    use crate::handworked::empty_release;

    #[tokio::test]
    async fn the_parts_of_parties_add_up_to_the_squares_whatever_their_size() {
        // 3 and 1 million million of two parties; the square of the sum is beyond 64 bits.
        let party = Arc::new(StringArray::from(vec!["A", "B", "A"]));
        let amount = Arc::new(Int64Array::from(vec![1_000_000_000_000, 1_000_000_000_000, 2_000_000_000_000]));
        let batch = RecordBatch::try_from_iter([(PARTY, party as _), (AMOUNT, amount as _)]).unwrap();
        let cases = empty_release().session(&Limits::default()).unwrap().read_batch(batch).unwrap();
        for rows in [parts(cases.clone(), &[]).unwrap(), parties(cases, &[]).unwrap()] {
            let sums = vec![sum(col(NUMERATOR)), sum(col(DENOMINATOR))];
            let sums = rows.aggregate(Vec::new(), sums).unwrap().collect().await.unwrap();
            let part = |column: usize| quantity(sums[0].column(column), 0).unwrap().to_string();
            assert_eq!([part(0), part(1)], ["10000000000000000000000000", "16000000000000000000000000"]);
        }
    }

    #[test]
    fn a_share_of_refunds_alone_is_none() {
        let of =
            |largest, total| Parties { largest: Quantity::Count(largest), total: Quantity::Count(total), count: 2 };
        assert_eq!(of(3, 4).figure(PartiesField::LargestShare).unwrap().to_string(), "0.75");
        assert_eq!(of(-1, -3).figure(PartiesField::LargestShare), None);
        assert_eq!(of(-1, -3).figure(PartiesField::Count), Some(Number::from(2)));
    }
}
