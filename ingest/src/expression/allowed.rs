//! What an expression over source columns may be made of.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, Spanned, Value, visit_expressions,
};

use super::fault::SqlFault;

/// Functions of one record, in alphabetical order: always the same for the same record, and with a
/// result not much longer than what they are given.
const FUNCTIONS: [&str; 66] = [
    "abs",
    "ascii",
    "btrim",
    "ceil",
    "char_length",
    "character_length",
    "chr",
    "coalesce",
    "concat",
    "concat_ws",
    "contains",
    "date_part",
    "date_trunc",
    "datepart",
    "datetrunc",
    "ends_with",
    "floor",
    "from_unixtime",
    "greatest",
    "ifnull",
    "initcap",
    "instr",
    "is_credit_code",
    "least",
    "left",
    "length",
    "local_date",
    "lower",
    "lpad",
    "ltrim",
    "make_date",
    "md5",
    "mod",
    "nullif",
    "nvl",
    "nvl2",
    "octet_length",
    "overlay",
    "position",
    "regexp_count",
    "regexp_instr",
    "regexp_like",
    "regexp_replace",
    "replace",
    "reverse",
    "right",
    "round",
    "rpad",
    "rtrim",
    "signum",
    "split_part",
    "starts_with",
    "strpos",
    "substr",
    "substring",
    "to_char",
    "to_date",
    "to_timestamp",
    "to_timestamp_micros",
    "to_timestamp_millis",
    "to_timestamp_nanos",
    "to_timestamp_seconds",
    "translate",
    "trim",
    "trunc",
    "upper",
];

/// Longest text that filling up may make, characters.
const LONGEST_FILL: u64 = 1000;

/// Refuses what may not stand in an expression.
pub(super) fn check(sql: &str, expression: &Expr) -> Result<(), SqlFault> {
    let fault = |part: &Expr, message: String| {
        let place = part.span().start;
        ControlFlow::Break(SqlFault::at(sql, place, message))
    };
    let verdict = visit_expressions(expression, |part| match part {
        Expr::CompoundIdentifier(parts) => {
            let name = parts.iter().map(|part| part.value.as_str()).collect::<Vec<_>>().join(".");
            fault(part, format!("there are no tables here; a column with a point in its title is \"{name}\", quoted"))
        }
        Expr::Subquery(_) | Expr::Exists { .. } | Expr::InSubquery { .. } | Expr::InUnnest { .. } => {
            fault(part, "has a query inside; only the columns of the record can be read".to_owned())
        }
        Expr::Function(function) => match of(function) {
            Ok(()) => ControlFlow::Continue(()),
            Err(message) => fault(part, message),
        },
        _ => ControlFlow::Continue(()),
    });
    match verdict {
        ControlFlow::Break(fault) => Err(fault),
        ControlFlow::Continue(()) => Ok(()),
    }
}

fn of(function: &Function) -> Result<(), String> {
    let name = function.name.to_string().to_ascii_lowercase();
    if FUNCTIONS.binary_search(&name.as_str()).is_err() {
        return Err(format!("{name} is not among the functions of expressions: {}", FUNCTIONS.join(", ")));
    }
    if matches!(name.as_str(), "lpad" | "rpad") && !is_filled_little(function) {
        return Err(format!("the length of {name} is a number of at most {LONGEST_FILL}, written out"));
    }
    Ok(())
}

fn is_filled_little(function: &Function) -> bool {
    let FunctionArguments::List(list) = &function.args else { return false };
    match list.args.get(1) {
        Some(FunctionArg::Unnamed(FunctionArgExpr::Expr(Expr::Value(value)))) => match &value.value {
            Value::Number(digits, _) => digits.to_string().parse::<u64>().is_ok_and(|length| length <= LONGEST_FILL),
            _ => false,
        },
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_functions_stand_in_order_so_that_they_are_found() {
        assert!(FUNCTIONS.is_sorted());
    }
}
