//! SQL functions of the trade: terms of metrics.md, rule look-ups, survival.

mod kaplan_meier;
mod lead_id;
mod rule_lookup;
mod term;

use std::sync::Arc;

use datafusion::logical_expr::AggregateUDF;
use datafusion::prelude::SessionContext;

pub(crate) use kaplan_meier::{QUANTILE, WITHIN};
pub(crate) use lead_id::LEAD_ID;

use crate::error::Result;
use crate::rule_book::RuleBook;

/// Gives a session the functions of this crate; look-ups answer from `rules` and `norms`.
pub(crate) fn register(session: &SessionContext, rules: &Arc<RuleBook>, norms: &Arc<RuleBook>) -> Result<()> {
    for function in term::all(session)? {
        session.register_udf(function);
    }
    for function in rule_lookup::all(rules, norms) {
        session.register_udf(function);
    }
    for function in lead_id::all() {
        session.register_udf(function);
    }
    for function in aggregates() {
        session.register_udaf(function);
    }
    Ok(())
}

/// `kaplan_meier` and `kaplan_meier_within`.
pub(crate) fn aggregates() -> [AggregateUDF; 2] {
    kaplan_meier::all()
}
