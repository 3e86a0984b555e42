//! Where two sets of scores differ: every number, by the name of what it is about.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::document::Scores;

/// One value that differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Difference {
    /// Where: `subjects.330100.indicators.coverage_rate.numerator`.
    pub place: String,
    /// What stands in the first; nothing where it is missing there.
    pub first: Option<String>,
    /// What stands in the second.
    pub second: Option<String>,
}

/// Every difference of two sets of scores.
pub fn differences(first: &Scores, second: &Scores) -> Vec<Difference> {
    let json = |scores: &Scores| serde_json::to_value(scores).unwrap_or_default();
    let mut found = Vec::new();
    compare("", Some(&json(first)), Some(&json(second)), &mut found);
    found
}

fn compare(place: &str, first: Option<&Value>, second: Option<&Value>, found: &mut Vec<Difference>) {
    let at = |name: &str| if place.is_empty() { name.to_owned() } else { format!("{place}.{name}") };
    match (first, second) {
        (Some(Value::Object(a)), Some(Value::Object(b))) => {
            for (name, value) in a {
                compare(&at(name), Some(value), b.get(name), found);
            }
            for (name, value) in b.iter().filter(|(name, _)| !a.contains_key(*name)) {
                compare(&at(name), None, Some(value), found);
            }
        }
        (Some(Value::Array(a)), Some(Value::Array(b))) if named(a) && named(b) => {
            for (item, name) in a.iter().zip(names(a)) {
                let other = b.iter().zip(names(b)).find(|(_, other)| *other == name).map(|(item, _)| item);
                compare(&at(&name), Some(item), other, found);
            }
            let there = names(a);
            for (item, name) in b.iter().zip(names(b)).filter(|(_, name)| !there.contains(name)) {
                compare(&at(&name), None, Some(item), found);
            }
            if a.len() == b.len() && names(a) != names(b) && names(a).iter().all(|name| names(b).contains(name)) {
                found.push(Difference {
                    place: at("order"),
                    first: Some(names(a).join(", ")),
                    second: Some(names(b).join(", ")),
                });
            }
        }
        (Some(Value::Array(a)), Some(Value::Array(b))) => {
            for place_in in 0..a.len().max(b.len()) {
                compare(&at(&place_in.to_string()), a.get(place_in), b.get(place_in), found);
            }
        }
        (a, b) if a == b => {}
        (a, b) => found.push(Difference { place: place.to_owned(), first: a.map(shown), second: b.map(shown) }),
    }
}

/// The name of each item: a subject's code, an indicator's metric, a sector.
fn names(items: &[Value]) -> Vec<String> {
    let name = |item: &Value| {
        let of = |key: &str| item.get(key).and_then(Value::as_str).map(str::to_owned);
        match (of("metric"), of("member")) {
            (Some(metric), Some(member)) => Some(format!("{metric}.{member}")),
            (metric, _) => of("code").or(metric).or_else(|| of("sector")).or_else(|| of("lead_id")),
        }
    };
    items.iter().filter_map(name).collect()
}

fn named(items: &[Value]) -> bool {
    let names = names(items);
    let distinct: std::collections::BTreeSet<&String> = names.iter().collect();
    names.len() == items.len() && distinct.len() == names.len()
}

fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
