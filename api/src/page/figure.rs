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

/// The earlier value beside a row's own, and how far the row's is from it: of ratios in percentage points.
pub fn since(unit: &str, row: &Map<String, Value>, lang: Lang) -> String {
    let Some(earlier) = row.get("previous").and_then(Value::as_object) else { return "—".to_owned() };
    let shown = value(unit, earlier, lang);
    let of = |row: &Map<String, Value>| row.get("value").and_then(number);
    let Some((now, then)) = of(row).zip(of(earlier)) else { return shown };
    let change = if unit == "ratio" { (now - then) * 100.0 } else { now - then };
    let sign = if change > 0.0 { "+" } else { "" };
    let points = if unit == "ratio" { lang.pick(" 个百分点", " pp") } else { "" };
    format!("{shown} ({sign}{}{points})", plain(change))
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
    fn an_earlier_value_stands_with_the_change_since() {
        let row = |value: Value| value.as_object().unwrap().clone();
        let ratio = row(json!({"value": 0.9, "previous": {"value": 0.925}}));
        assert_eq!(since("ratio", &ratio, Lang::En), "92.50% (-2.5 pp)");
        let days = row(json!({"value": 12, "previous": {"value": 9}}));
        assert_eq!(since("days", &days, Lang::Zh), "9 天 (+3)");
        assert_eq!(since("days", &row(json!({"value": 12, "previous": {"value": null}})), Lang::En), "no data");
        assert_eq!(since("days", &row(json!({"value": 12})), Lang::En), "—");
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
