//! Typed parameters of a metric, with defaults.

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use crate::statement::Value;

/// The type of a parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ParameterType {
    /// A whole number.
    Int,
    /// An exact decimal with at most six digits after the point.
    Decimal,
    /// A day, `YYYY-MM-DD`.
    Date,
    /// A text.
    Text,
    /// `true` or `false`.
    Bool,
}

/// A parameter of a metric.
#[derive(Debug, Clone, PartialEq)]
pub struct Parameter {
    /// Its name, `$name` in SQL.
    pub name: String,
    /// Its type.
    pub kind: ParameterType,
    /// Its value where a question gives none.
    pub default: Value,
    /// Smallest value allowed, of numbers.
    pub min: Option<Value>,
    /// Largest value allowed, of numbers.
    pub max: Option<Value>,
    /// Chinese title.
    pub title: String,
    /// English title.
    pub title_en: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ParameterEntry {
    #[serde(rename = "type")]
    kind: ParameterType,
    default: toml::Value,
    min: Option<toml::Value>,
    max: Option<toml::Value>,
    title: String,
    title_en: String,
}

impl Parameter {
    /// Reads a declaration; the message of an error names the parameter.
    pub(crate) fn declared(name: String, entry: ParameterEntry) -> Result<Self, String> {
        let value = |key: &str, value: toml::Value| {
            let text = match value {
                toml::Value::String(text) => text,
                toml::Value::Integer(number) => number.to_string(),
                toml::Value::Boolean(flag) => flag.to_string(),
                toml::Value::Datetime(day) => day.to_string(),
                _ => return Err(format!("params.{name}.{key}: write it as a text, a whole number or a day")),
            };
            read(entry.kind, &text).ok_or(format!("params.{name}.{key}: `{text}` is no {}", noun(entry.kind)))
        };
        let min = entry.min.map(|bound| value("min", bound)).transpose()?;
        let max = entry.max.map(|bound| value("max", bound)).transpose()?;
        let default = value("default", entry.default)?;
        let parameter = Self {
            kind: entry.kind,
            default: default.clone(),
            min,
            max,
            title: entry.title,
            title_en: entry.title_en,
            name,
        };
        parameter.within(default)?;
        Ok(parameter)
    }

    /// Its default as a person types it.
    pub(crate) fn default_text(&self) -> String {
        text(&self.default)
    }

    /// Reads a value from a question.
    pub(crate) fn read(&self, text: &str) -> Result<Value, String> {
        let value = read(self.kind, text).ok_or(format!("{} = `{text}` is no {}", self.name, noun(self.kind)))?;
        self.within(value)
    }

    fn within(&self, value: Value) -> Result<Value, String> {
        let given = number(&value);
        let below = self.min.as_ref().filter(|min| given < number(min));
        let above = self.max.as_ref().filter(|max| given > number(max));
        match (below, above) {
            (Some(min), _) => Err(format!("{} must be at least {}", self.name, text(min))),
            (_, Some(max)) => Err(format!("{} must be at most {}", self.name, text(max))),
            (None, None) => Ok(value),
        }
    }
}

/// A value as a person types it.
pub(crate) fn text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::Date(day) => day.to_string(),
        Value::Int(number) => number.to_string(),
        Value::Decimal(text) | Value::Text(text) => text.clone(),
        Value::Bool(flag) => flag.to_string(),
    }
}

fn noun(kind: ParameterType) -> &'static str {
    match kind {
        ParameterType::Int => "whole number",
        ParameterType::Decimal => "decimal with at most six digits after the point",
        ParameterType::Date => "day (YYYY-MM-DD)",
        ParameterType::Text => "text",
        ParameterType::Bool => "`true` or `false`",
    }
}

fn read(kind: ParameterType, text: &str) -> Option<Value> {
    Some(match kind {
        ParameterType::Int => Value::Int(text.parse().ok()?),
        ParameterType::Decimal => {
            millionths(text)?;
            Value::Decimal(text.to_owned())
        }
        ParameterType::Date => Value::Date(NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?),
        ParameterType::Text => Value::Text(text.to_owned()),
        ParameterType::Bool => Value::Bool(text.parse().ok()?),
    })
}

/// A number in millionths, for comparison; other values have none.
fn number(value: &Value) -> Option<i128> {
    match value {
        Value::Int(number) => i128::from(*number).checked_mul(1_000_000),
        Value::Decimal(text) => millionths(text),
        _ => None,
    }
}

fn millionths(text: &str) -> Option<i128> {
    let unsigned = text.strip_prefix('-').unwrap_or(text);
    let (whole, digits) = unsigned.split_once('.').unwrap_or((unsigned, ""));
    let plain = |part: &str| part.bytes().all(|digit| digit.is_ascii_digit());
    if whole.is_empty() || !plain(whole) || !plain(digits) || digits.len() > 6 {
        return None;
    }
    let value: i128 = format!("{whole}{digits:0<6}").parse().ok()?;
    Some(if text.starts_with('-') { -value } else { value })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_read_by_type_and_kept_exact() {
        assert_eq!(read(ParameterType::Int, "30"), Some(Value::Int(30)));
        assert_eq!(read(ParameterType::Int, "3.0"), None);
        assert_eq!(read(ParameterType::Decimal, "0.25"), Some(Value::Decimal("0.25".into())));
        assert_eq!(read(ParameterType::Decimal, "0.1234567"), None);
        assert_eq!(read(ParameterType::Date, "2026-02-29"), None);
        assert_eq!(read(ParameterType::Bool, "yes"), None);
    }

    #[test]
    fn bounds_are_compared_exactly() {
        assert!(millionths("-0.000001") < millionths("0"));
        assert_eq!(millionths("1.5"), Some(1_500_000));
        assert_eq!(millionths("1e3"), None);
    }
}
