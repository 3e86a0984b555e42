//! Where a page of evidence ended: opaque to the caller, and good for one question only.

use std::hash::{DefaultHasher, Hash, Hasher};

use datafusion::logical_expr::Expr;
use datafusion::prelude::{col, lit};
use serde::{Deserialize, Serialize};

use super::Side;
use crate::error::{Error, Result};
use crate::question::MetricRequest;

/// A value of a column of the order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub(super) enum Place {
    Int(i64),
    Text(String),
}

/// The last row of a page, by the columns of the order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Cursor {
    pub(super) place: Vec<Place>,
}

/// What the text holds: release, question, place.
type Written = (u64, u64, Vec<Place>);

impl Cursor {
    /// As text, for the caller to hand back.
    pub(super) fn write(&self, release: u64, request: &MetricRequest, side: Side) -> String {
        let written: Written = (release, question_digest(request, side), self.place.clone());
        let json = serde_json::to_vec(&written).unwrap_or_default();
        json.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// From text.
    pub(super) fn read(text: &str, release: u64, request: &MetricRequest, side: Side) -> Result<Self> {
        let written = bytes(text).and_then(|json| serde_json::from_slice::<Written>(&json).ok());
        let Some((of_release, question, place)) = written else {
            return Err(Error::question("the cursor is damaged; start from the first page"));
        };
        if of_release != release {
            let message =
                format!("the cursor is of release {of_release}, not of {release}; ask with release={of_release}");
            return Err(Error::question(message));
        }
        if question != question_digest(request, side) {
            return Err(Error::question("the cursor is of another question; start from the first page"));
        }
        Ok(Self { place })
    }

    /// The rows behind it: a > A, or a = A and (b > B, or b = B and …).
    pub(super) fn after(&self, order: &[&str]) -> Option<Expr> {
        order.iter().zip(&self.place).rev().fold(None, |rest, (name, place)| {
            let value = match place {
                Place::Int(number) => lit(*number),
                Place::Text(text) => lit(text.as_str()),
            };
            let behind = col(*name).gt(value.clone());
            Some(match rest {
                Some(rest) => behind.or(col(*name).eq(value).and(rest)),
                None => behind,
            })
        })
    }
}

fn question_digest(request: &MetricRequest, side: Side) -> u64 {
    let mut hasher = DefaultHasher::new();
    (request, side).hash(&mut hasher);
    hasher.finish()
}

fn bytes(hex: &str) -> Option<Vec<u8>> {
    if !hex.len().is_multiple_of(2) || !hex.is_ascii() {
        return None;
    }
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_comes_back_as_it_was_for_its_own_question_only() {
        let cursor = Cursor { place: vec![Place::Text("policy".into()), Place::Int(7)] };
        let request = MetricRequest { id: "coverage_rate".into(), ..MetricRequest::default() };
        let text = cursor.write(3, &request, Side::Gap);
        assert_eq!(Cursor::read(&text, 3, &request, Side::Gap).unwrap(), cursor);
        assert!(Cursor::read(&text, 4, &request, Side::Gap).unwrap_err().to_string().contains("release=3"));
        assert!(Cursor::read(&text, 3, &request, Side::Numerator).is_err());
        assert!(Cursor::read("zz", 3, &request, Side::Gap).is_err());
    }

    #[test]
    fn the_rows_behind_a_cursor_are_compared_column_after_column() {
        let cursor = Cursor { place: vec![Place::Text("a".into()), Place::Int(7)] };
        let expr = cursor.after(&["key", "row_no"]).unwrap();
        assert_eq!(expr.to_string(), r#"key > Utf8("a") OR key = Utf8("a") AND row_no > Int64(7)"#);
    }
}
