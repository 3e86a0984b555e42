//! What a metric means, as its file declares it.

use anze_queries::{Metric, Parameter, Value as Bound};
use serde_json::{Map, Value, json};

/// The declaration of a metric, for programs and tables.
pub fn of(metric: &Metric) -> Value {
    let params: Map<String, Value> = metric.params.iter().map(|param| (param.name.clone(), parameter(param))).collect();
    json!({
        "id": metric.id,
        "title": metric.title,
        "title_en": metric.title_en,
        "definition": metric.definition,
        "definition_en": metric.definition_en,
        "basis": metric.basis,
        "owner": metric.owner,
        "unit": metric.unit,
        "kind": metric.kind,
        "direction": metric.direction,
        "dimensions": metric.dimensions,
        "params": params,
        "rules": metric.rules,
    })
}

fn parameter(param: &Parameter) -> Value {
    let mut declared = json!({
        "type": param.kind,
        "default": bound(&param.default),
        "title": param.title,
        "title_en": param.title_en,
    });
    for (name, limit) in [("min", &param.min), ("max", &param.max)] {
        if let Some(limit) = limit {
            declared[name] = bound(limit);
        }
    }
    declared
}

fn bound(value: &Bound) -> Value {
    match value {
        Bound::Null => Value::Null,
        Bound::Date(day) => json!(day),
        Bound::Int(count) => json!(count),
        Bound::Decimal(text) | Bound::Text(text) => json!(text),
        Bound::Bool(value) => json!(value),
    }
}
