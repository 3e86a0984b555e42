//! Answers of metrics as tables for people.

use serde_json::{Map, Value};

use crate::output::{Report, flat, shown};

/// Cells: what they are about above, what is to be known about them below.
pub(super) fn value(answer: Map<String, Value>) -> Report {
    let rows: Vec<Map<String, Value>> = answer
        .get("rows")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(|row| row.as_object().map(flat))
        .collect();
    let mut notes = Vec::new();
    if let Some(count) = answer.get("without_rule").and_then(Value::as_i64).filter(|count| *count > 0) {
        notes.push(format!("{count} 例无适用规则，不计入 cases without a rule are left out"));
    }
    if answer.get("provisional").and_then(Value::as_bool) == Some(true) {
        notes.push("工作日历未公布，结果为暂定 workdays beyond the published calendar: provisional".to_owned());
    }
    if let Some(stale) = answer.get("stale_feeds").and_then(shown).filter(|stale| !stale.is_empty()) {
        notes.push(format!("发布时逾期的报送源 feeds late at the release: {stale}"));
    }
    Report {
        caption: vec![caption(&answer)],
        columns: Report::columns_of(&rows),
        rows,
        notes,
        json: Value::Object(answer),
        ..Report::default()
    }
}

/// Rows behind a cell, all in one.
pub(super) fn evidence(mut page: Map<String, Value>, rows: Vec<Map<String, Value>>) -> Report {
    let caption = caption(&page);
    let mut notes = vec![format!("{} 行 rows", rows.len())];
    if page.get("next").is_some_and(Value::is_string) {
        notes.push("还有更多 there are more: raise --limit".to_owned());
    }
    let listed = rows.iter().cloned().map(Value::Object).collect();
    page.insert("rows".to_owned(), Value::Array(listed));
    Report {
        caption: vec![caption],
        columns: Report::columns_of(&rows),
        rows,
        notes,
        json: Value::Object(page),
        ..Report::default()
    }
}

/// Title, unit, day or period, release, observation day.
fn caption(answer: &Map<String, Value>) -> String {
    let text = |name: &str| answer.get(name).and_then(shown);
    let mut parts = vec![text("title").unwrap_or_default()];
    parts.extend(text("unit").map(|unit| format!("unit {unit}")));
    parts.extend(text("side").map(|side| format!("side {side}")));
    parts.extend(text("as_of").map(|day| format!("as of {day}")));
    parts.extend(text("from").zip(text("to")).map(|(from, to)| format!("from {from} to {to} (exclusive)")));
    parts.extend(text("release").map(|release| format!("release {release}")));
    parts.extend(text("observed_until").map(|day| format!("observed until {day}")));
    parts.join(" · ")
}
