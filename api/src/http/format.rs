//! The form of an answer: `?format=` first, then `Accept`, else JSON.

use axum::http::{HeaderMap, StatusCode, header};
use serde_json::{Map, Value};

use super::parameters::Parameters;
use crate::output::{Report, csv, flat};
use crate::problem::Problem;

/// The forms available so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AnswerFormat {
    Json,
    Csv,
}

impl AnswerFormat {
    /// What the caller asked for.
    pub fn asked(parameters: &mut Parameters, headers: &HeaderMap) -> Result<Self, Problem> {
        match parameters.one("format")?.as_deref() {
            Some("json") => Ok(Self::Json),
            Some("csv") => Ok(Self::Csv),
            Some(other) => Err(not_available(other)),
            None => Self::accepted(headers),
        }
    }

    /// What `Accept` asks for.
    pub fn accepted(headers: &HeaderMap) -> Result<Self, Problem> {
        let Some(accept) = headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok()) else {
            return Ok(Self::Json);
        };
        let mut ranges: Vec<(f32, &str)> = accept.split(',').map(range).filter(|(weight, _)| *weight > 0.0).collect();
        // Stable: of equal weights the first one stands first.
        ranges.sort_by(|one, other| other.0.total_cmp(&one.0));
        let known = ranges.iter().find_map(|(_, kind)| match *kind {
            "application/json" | "application/*" | "*/*" => Some(Self::Json),
            "text/csv" | "text/*" => Some(Self::Csv),
            _ => None,
        });
        known.ok_or_else(|| not_available(accept))
    }

    /// The media type.
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Csv => "text/csv; charset=utf-8",
        }
    }
}

fn range(text: &str) -> (f32, &str) {
    let mut parts = text.split(';').map(str::trim);
    let kind = parts.next().unwrap_or_default();
    let weight = parts.find_map(|part| part.strip_prefix("q=")).and_then(|weight| weight.parse().ok());
    (weight.unwrap_or(1.0), kind)
}

fn not_available(asked: &str) -> Problem {
    Problem::new(
        StatusCode::NOT_ACCEPTABLE,
        "format_not_available",
        "不支持的格式",
        "This format is not available",
        format!("`{asked}` was asked for; json and csv are available"),
    )
}

/// The rows of an answer as CSV that spreadsheets open.
pub fn rows_as_csv(answer: &Value) -> String {
    let lists = answer.as_object().into_iter().flat_map(Map::values).filter_map(Value::as_array);
    let is_rows = |list: &&Vec<Value>| list.iter().all(Value::is_object);
    let named = answer.get("rows").and_then(Value::as_array);
    let rows: Vec<Map<String, Value>> = named
        .or_else(|| lists.filter(is_rows).max_by_key(|list| list.len()))
        .into_iter()
        .flatten()
        .filter_map(|row| row.as_object().map(flat))
        .collect();
    let columns = Report::columns_of(&rows);
    format!("{}{}", csv::BYTE_ORDER_MARK, Report { columns, rows, ..Report::default() }.csv())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accepted(accept: &'static str) -> Result<AnswerFormat, StatusCode> {
        let headers = HeaderMap::from_iter([(header::ACCEPT, axum::http::HeaderValue::from_static(accept))]);
        AnswerFormat::accepted(&headers).map_err(|problem| problem.status)
    }

    #[test]
    fn the_best_known_format_is_chosen() {
        assert_eq!(accepted("*/*"), Ok(AnswerFormat::Json));
        assert_eq!(accepted("text/csv"), Ok(AnswerFormat::Csv));
        assert_eq!(accepted("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"), Ok(AnswerFormat::Json));
        assert_eq!(accepted("application/json;q=0.2, text/csv"), Ok(AnswerFormat::Csv));
        assert_eq!(accepted("application/vnd.apache.arrow.stream"), Err(StatusCode::NOT_ACCEPTABLE));
        assert_eq!(AnswerFormat::accepted(&HeaderMap::new()), Ok(AnswerFormat::Json));
    }

    #[test]
    fn rows_become_lines_with_a_mark_for_excel() {
        let answer = serde_json::json!({"metric": "m", "by": ["city"], "rows": [{"city": "330100", "value": 0.5}, {"city": "330200", "value": null, "suppressed": true}]});
        assert_eq!(rows_as_csv(&answer), "\u{feff}city,value,suppressed\n330100,0.5,\n330200,,true\n");
    }
}
