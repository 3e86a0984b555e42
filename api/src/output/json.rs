//! `{"release":…,"columns":[{"name","type"}],"rows":[{…}]}`, in pieces, so that it can be streamed.

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::{Schema, SchemaRef};
use datafusion::arrow::error::ArrowError;
use serde_json::{Map, Value, json};

use super::cell::{Cells, names, type_name};

/// The rows of a batch as objects.
pub fn objects(batch: &RecordBatch) -> Result<Vec<Map<String, Value>>, ArrowError> {
    let names = names(&batch.schema());
    let cells = Cells::of(batch)?;
    let object = |row| names.iter().cloned().zip(cells.row(row).map(|cell| cell.json())).collect();
    Ok((0..cells.rows()).map(object).collect())
}

/// The columns of an answer: name and type.
pub fn columns(schema: &Schema) -> Value {
    let column = |field: &datafusion::arrow::datatypes::FieldRef| json!({"name": field.name(), "type": type_name(field.data_type())});
    Value::Array(schema.fields().iter().map(column).collect())
}

/// Writes an answer piece by piece: [`start`](Self::start), then each batch, then
/// [`end`](Self::end). Without the end it is no JSON, so a torn answer never looks whole.
pub struct RowsWriter {
    names: Vec<String>,
    first: bool,
}

impl RowsWriter {
    /// A writer of rows with this schema.
    pub fn new(schema: &SchemaRef) -> Self {
        // A name twice would be one key twice, and readers would keep only one of the values.
        Self { names: distinct(names(schema)), first: true }
    }

    /// What stands before the rows.
    pub fn start(&self, release: u64, schema: &Schema) -> String {
        let mut listed = columns(schema);
        if let Value::Array(listed) = &mut listed {
            for (column, name) in listed.iter_mut().zip(&self.names) {
                column["name"] = Value::String(name.clone());
            }
        }
        format!("{{\"release\":{release},\"columns\":{listed},\"rows\":[")
    }

    /// The rows of a batch.
    pub fn rows(&mut self, batch: &RecordBatch) -> Result<String, ArrowError> {
        let cells = Cells::of(batch)?;
        let mut text = String::with_capacity(cells.rows() * self.names.len() * 24);
        for row in 0..cells.rows() {
            if !std::mem::take(&mut self.first) {
                text.push(',');
            }
            text.push('\n');
            let object: Map<String, Value> =
                self.names.iter().cloned().zip(cells.row(row).map(|cell| cell.json())).collect();
            text.push_str(&Value::Object(object).to_string());
        }
        Ok(text)
    }

    /// What stands after the rows.
    pub fn end(self) -> &'static str {
        if self.first { "]}\n" } else { "\n]}\n" }
    }
}

/// Names made different: `n`, `n_2`, `n_3`.
fn distinct(names: Vec<String>) -> Vec<String> {
    let mut taken: Vec<String> = Vec::with_capacity(names.len());
    for name in names {
        let mut candidate = name.clone();
        let mut count = 1;
        while taken.contains(&candidate) {
            count += 1;
            candidate = format!("{name}_{count}");
        }
        taken.push(candidate);
    }
    taken
}

#[cfg(test)]
mod tests {
    use super::super::cell::tests::example;
    use super::*;

    #[test]
    fn the_pieces_make_one_object() {
        let batch = example();
        let mut writer = RowsWriter::new(&batch.schema());
        let mut text = writer.start(7, &batch.schema());
        text.push_str(&writer.rows(&batch).unwrap());
        text.push_str(&writer.rows(&batch).unwrap());
        let torn: Result<Value, _> = serde_json::from_str(&text);
        assert!(torn.is_err(), "an answer without its end must not parse");
        text.push_str(writer.end());
        let whole: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(whole["release"], 7);
        assert_eq!(whole["rows"].as_array().unwrap().len(), 4);
        assert_eq!(whole["rows"][2]["money"], "1234.56");
        assert_eq!(whole["columns"][3], json!({"name": "ratio", "type": "ratio"}));
    }

    #[test]
    fn no_rows_are_an_empty_list() {
        let batch = example().slice(0, 0);
        let mut writer = RowsWriter::new(&batch.schema());
        let text = writer.start(1, &batch.schema()) + &writer.rows(&batch).unwrap() + writer.end();
        let whole: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(whole["rows"], json!([]));
    }

    #[test]
    fn columns_of_one_name_stay_apart() {
        let names = ["n", "n", "n_2", "n"].map(String::from).to_vec();
        assert_eq!(distinct(names), ["n", "n_2", "n_2_2", "n_3"]);
    }
}
