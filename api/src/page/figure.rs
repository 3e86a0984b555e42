//! Numbers as people read them, each with its unit.

use serde_json::{Map, Value};

use super::Lang;

/// The value of a row of an answer, with its unit; why there is none, where there is none.
pub fn value(unit: &str, row: &Map<String, Value>, lang: Lang) -> String {
    if flag(row, "suppressed") {
        return lang.pick("已隐去", "suppressed").to_owned();
    }
    if flag(row, "not_reached") {
        return lang.pick("未达中位", "not reached").to_owned();
    }
    match row.get("value").and_then(number) {
        Some(value) => with_unit(unit, value, lang),
        None => lang.pick("无数据", "no data").to_owned(),
    }
}

/// A number in a unit.
pub fn with_unit(unit: &str, value: f64, lang: Lang) -> String {
    match unit {
        "ratio" => percent(value),
        "per_mille" => format!("{value:.2} ‰"),
        "days" => format!("{} {}", plain(value), lang.pick("天", "days")),
        "amount" | "yuan" => format!("{} {}", plain(value), lang.pick("元", "CNY")),
        _ => plain(value),
    }
}

/// The unit in words.
pub fn unit_name(unit: &str, lang: Lang) -> &str {
    match unit {
        "ratio" => "%",
        "per_mille" => "‰",
        "days" => lang.pick("天", "days"),
        "amount" | "yuan" => lang.pick("元", "CNY"),
        "count" => lang.pick("个", "count"),
        "mean" => lang.pick("均值", "mean"),
        _ => lang.pick("指数", "index"),
    }
}

/// A ratio as a percentage.
pub fn percent(ratio: f64) -> String {
    format!("{:.2}%", ratio * 100.0)
}

/// A number without needless digits, in groups of three.
pub fn plain(value: f64) -> String {
    let text = format!("{value:.2}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    grouped(text)
}

/// The digits of a JSON number or decimal text in groups of three, none of them lost.
pub fn exact(value: Option<&Value>) -> String {
    match value {
        Some(Value::Number(number)) => grouped(&number.to_string()),
        Some(Value::String(text)) => grouped(text),
        _ => "—".to_owned(),
    }
}

/// A JSON number or decimal text as a number, for drawing and rounding.
pub fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.parse().ok(),
        _ => None,
    }
}

/// Whether a row says so of itself.
pub fn flag(row: &Map<String, Value>, name: &str) -> bool {
    row.get(name).and_then(Value::as_bool).unwrap_or(false)
}

fn grouped(text: &str) -> String {
    let (sign, digits) = text.strip_prefix('-').map_or(("", text), |digits| ("-", digits));
    let (whole, fraction) = digits.split_once('.').map_or((digits, None), |(whole, fraction)| (whole, Some(fraction)));
    if !whole.bytes().all(|byte| byte.is_ascii_digit()) {
        return text.to_owned();
    }
    let mut groups: Vec<&str> = Vec::new();
    let mut rest = whole;
    while rest.len() > 3 {
        let (head, tail) = rest.split_at(rest.len() - 3);
        groups.push(tail);
        rest = head;
    }
    groups.push(rest);
    groups.reverse();
    let whole = groups.join(",");
    match fraction {
        Some(fraction) => format!("{sign}{whole}.{fraction}"),
        None => format!("{sign}{whole}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn numbers_are_grouped_and_none_of_their_digits_is_lost() {
        assert_eq!(exact(Some(&json!("-1234567.80"))), "-1,234,567.80");
        assert_eq!(exact(Some(&json!(999))), "999");
        assert_eq!(exact(Some(&Value::Null)), "—");
        assert_eq!(plain(1234.5), "1,234.5");
        assert_eq!(plain(12.0), "12");
    }

    #[test]
    fn a_missing_value_says_why() {
        let row = |value: Value| value.as_object().unwrap().clone();
        assert_eq!(value("ratio", &row(json!({"value": 0.96491})), Lang::Zh), "96.49%");
        assert_eq!(value("days", &row(json!({"value": 12})), Lang::En), "12 days");
        assert_eq!(value("days", &row(json!({"value": null, "not_reached": true})), Lang::En), "not reached");
        assert_eq!(value("ratio", &row(json!({"value": null, "suppressed": true})), Lang::Zh), "已隐去");
        assert_eq!(value("ratio", &row(json!({"value": null})), Lang::En), "no data");
    }
}
