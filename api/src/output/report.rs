//! An answer of a command: the same thing as a table for people, as JSON and as CSV.

use serde_json::{Map, Value};

use super::{csv, table};

/// What a command found.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// For programs.
    pub json: Value,
    /// Lines above the table.
    pub caption: Vec<String>,
    /// Names of the columns.
    pub columns: Vec<String>,
    /// Values of the columns, by name; a column without a value is empty.
    pub rows: Vec<Map<String, Value>>,
    /// Lines below the table.
    pub notes: Vec<String>,
    /// What people read instead of a table, where rows are too wide for one.
    pub text: Option<String>,
}

impl Report {
    /// A list of things: `{"<name>": [...]}` in JSON, the named columns in a table.
    pub fn list(name: &str, columns: &[&str], rows: Vec<Map<String, Value>>) -> Self {
        let listed = rows.iter().cloned().map(Value::Object).collect();
        Self {
            json: Value::Object(Map::from_iter([(name.to_owned(), Value::Array(listed))])),
            columns: columns.iter().map(|column| (*column).to_owned()).collect(),
            rows,
            ..Self::default()
        }
    }

    /// Every value of one thing, a line each.
    pub fn of_one(thing: Map<String, Value>) -> Self {
        let line = |(name, value): (&String, &Value)| {
            Map::from_iter([("name".to_owned(), Value::String(name.clone())), ("value".to_owned(), value.clone())])
        };
        Self {
            rows: thing.iter().map(line).collect(),
            json: Value::Object(thing),
            columns: vec!["name".to_owned(), "value".to_owned()],
            ..Self::default()
        }
    }

    /// The columns that any of the rows has, in the order in which they first appear.
    pub fn columns_of(rows: &[Map<String, Value>]) -> Vec<String> {
        let mut columns: Vec<String> = Vec::new();
        for name in rows.iter().flat_map(Map::keys) {
            if !columns.contains(name) {
                columns.push(name.clone());
            }
        }
        columns
    }

    /// The table for people.
    pub fn table(&self) -> String {
        if let Some(text) = &self.text {
            return text.clone();
        }
        let mut text = String::new();
        let lines = |lines: &[String], text: &mut String| {
            for line in lines {
                text.push_str(line);
                text.push('\n');
            }
        };
        lines(&self.caption, &mut text);
        if !self.columns.is_empty() {
            let is_number = |name: &String| {
                let mut values =
                    self.rows.iter().filter_map(|row| row.get(name)).filter(|value| !value.is_null()).peekable();
                values.peek().is_some() && values.all(Value::is_number)
            };
            let right: Vec<bool> = self.columns.iter().map(is_number).collect();
            let cells = |row| self.columns.iter().map(|name| short(row, name).unwrap_or_default()).collect();
            text.push_str(&table::render(&self.columns, &right, self.rows.iter().map(cells).collect()));
        }
        lines(&self.notes, &mut text);
        text
    }

    /// The rows as comma-separated values.
    pub fn csv(&self) -> String {
        let mut text = csv::header(&self.columns);
        for row in &self.rows {
            csv::texts(&mut text, &self.texts(row));
        }
        text
    }

    fn texts(&self, row: &Map<String, Value>) -> Vec<Option<String>> {
        self.columns.iter().map(|name| row.get(name).and_then(shown)).collect()
    }
}

/// A row whose structures are columns of their own: `previous.value` becomes `previous_value`.
pub fn flat(row: &Map<String, Value>) -> Map<String, Value> {
    let mut all = Map::new();
    for (name, value) in row {
        match value {
            Value::Object(inner) => {
                all.extend(flat(inner).into_iter().map(|(inner, value)| (format!("{name}_{inner}"), value)));
            }
            other => {
                all.insert(name.clone(), other.clone());
            }
        }
    }
    all
}

/// A value as a table shows it: fractions to six digits; JSON and CSV keep them all.
fn short(row: &Map<String, Value>, name: &str) -> Option<String> {
    let value = row.get(name)?;
    match value.as_number().filter(|number| !number.is_i64() && !number.is_u64()).and_then(|number| number.as_f64()) {
        Some(fraction) => Some(format!("{fraction:.6}").trim_end_matches('0').trim_end_matches('.').to_owned()),
        None => shown(value),
    }
}

/// A value as people read it; null is nothing.
pub fn shown(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        Value::Array(items) if items.iter().all(|item| !item.is_object() && !item.is_array()) => {
            Some(items.iter().filter_map(shown).collect::<Vec<_>>().join(", "))
        }
        other => Some(other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn row(value: Value) -> Map<String, Value> {
        value.as_object().unwrap().clone()
    }

    #[test]
    fn a_list_is_the_same_in_three_forms() {
        let rows =
            vec![row(json!({"id": "a", "n": 1, "tags": ["x", "y"]})), row(json!({"id": "b", "n": null, "tags": []}))];
        let report = Report::list("things", &["id", "n", "tags"], rows);
        assert_eq!(report.csv(), "id,n,tags\na,1,\"x, y\"\nb,,\"\"\n");
        assert_eq!(
            report.json.to_string(),
            r#"{"things":[{"id":"a","n":1,"tags":["x","y"]},{"id":"b","n":null,"tags":[]}]}"#
        );
        assert_eq!(report.table(), "id  n  tags\n───────────\na   1  x, y\nb\n");
    }

    #[test]
    fn a_table_shows_fractions_to_six_digits_and_csv_all_of_them() {
        let of = |text: &str| Report::list("rows", &["value"], vec![row(serde_json::from_str(text).unwrap())]);
        let report = of(r#"{"value":0.91304347826086957}"#);
        assert_eq!(
            (report.table().lines().last(), report.csv().lines().last()),
            (Some("0.913043"), Some("0.91304347826086957"))
        );
        assert_eq!(of(r#"{"value":12}"#).table().lines().last(), Some("   12"));
        assert_eq!(of(r#"{"value":0.5}"#).table().lines().last(), Some("  0.5"));
    }
}
