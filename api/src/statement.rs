//! One read-only SQL statement over a release, within limits that its author cannot raise.

use std::collections::BTreeMap;
use std::sync::Arc;

use anze_warehouse::Release;
use datafusion::arrow::array::RecordBatch;
use datafusion::execution::SendableRecordBatchStream;
use futures::{Stream, StreamExt};
use serde_json::Value;

use crate::deployment::Deployment;
use crate::permission::Permission;
use crate::problem::Problem;

mod guard;

/// A statement and who asks it.
#[derive(Debug, Clone)]
pub struct Asked {
    pub sql: String,
    /// Values of its placeholders, by name.
    pub params: BTreeMap<String, anze_queries::Value>,
    pub permission: Permission,
}

/// Starts the statement; what a caller may not see is refused before anything is read.
pub async fn run(
    deployment: &Deployment,
    release: &Arc<Release>,
    asked: Asked,
) -> Result<SendableRecordBatchStream, Problem> {
    guard::check(release, &asked).await?;
    Ok(anze_queries::sql_with(release, &asked.sql, &asked.params, deployment.sql_limits()).await?)
}

/// The rows, with errors in words for the caller.
pub fn items(rows: SendableRecordBatchStream) -> impl Stream<Item = Result<RecordBatch, Problem>> + Send {
    rows.map(|batch| batch.map_err(|error| Problem::from(anze_queries::Error::from(error))))
}

/// The values of placeholders `$name`, from a JSON object; a list counts from `$1`.
pub fn params(given: &Value) -> Result<BTreeMap<String, anze_queries::Value>, Problem> {
    let named: Vec<(String, &Value)> = match given {
        Value::Null => Vec::new(),
        Value::Object(named) => named.iter().map(|(name, value)| (name.clone(), value)).collect(),
        Value::Array(listed) => {
            listed.iter().enumerate().map(|(index, value)| ((index + 1).to_string(), value)).collect()
        }
        _ => return Err(Problem::bad_request("bad_parameter", "`params` is an object of names or a list")),
    };
    named.into_iter().map(|(name, value)| Ok((name.clone(), param(&name, value)?))).collect()
}

fn param(name: &str, value: &Value) -> Result<anze_queries::Value, Problem> {
    use anze_queries::Value as Bound;
    Ok(match value {
        Value::Null => Bound::Null,
        Value::Bool(value) => Bound::Bool(*value),
        Value::String(text) => match text.parse() {
            Ok(day) if text.len() == "2026-06-30".len() => Bound::Date(day),
            _ => Bound::Text(text.clone()),
        },
        Value::Number(number) => match number.as_i64() {
            Some(count) => Bound::Int(count),
            None => Bound::Decimal(number.to_string()),
        },
        Value::Array(_) | Value::Object(_) => {
            return Err(Problem::bad_request("bad_parameter", format!("`params`: `{name}` is no single value")));
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use anze_queries::Value as Bound;
    use serde_json::json;

    #[test]
    fn params_take_the_types_of_json() {
        let bound = params(&json!({"city": "330100", "day": "2026-06-30", "n": 5, "x": 0.25, "all": null})).unwrap();
        assert_eq!(bound["city"], Bound::Text("330100".into()));
        assert_eq!(bound["day"], Bound::Date("2026-06-30".parse().unwrap()));
        assert_eq!(bound["n"], Bound::Int(5));
        assert_eq!(bound["x"], Bound::Decimal("0.25".into()));
        assert_eq!(bound["all"], Bound::Null);
        assert_eq!(params(&json!(["a", 2])).unwrap()["2"], Bound::Int(2));
        assert!(params(&json!("a")).is_err() && params(&json!({"a": []})).is_err());
    }
}
