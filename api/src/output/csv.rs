//! Comma-separated values (RFC 4180): a header, then a line per row; null is the empty field and
//! empty text is `""`.

use std::borrow::Cow;

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::error::ArrowError;

use super::cell::{Cell, Cells};

/// Tells Excel that the text is UTF-8; sent over HTTP, not printed.
pub const BYTE_ORDER_MARK: &str = "\u{feff}";

/// The header line.
pub fn header(names: &[String]) -> String {
    let mut text = String::new();
    line(&mut text, names.iter().map(|name| quoted(name)));
    text
}

/// The lines of a batch.
pub fn rows(batch: &RecordBatch) -> Result<String, ArrowError> {
    let cells = Cells::of(batch)?;
    let mut text = String::with_capacity(cells.rows() * 64);
    for row in 0..cells.rows() {
        let fields: Vec<Cow<'static, str>> = cells.row(row).map(|cell| field(&cell)).collect();
        line(&mut text, fields.into_iter());
    }
    Ok(text)
}

/// One line of texts; `None` is null.
pub fn texts(text: &mut String, fields: &[Option<String>]) {
    let field = |field: &Option<String>| match field {
        None => Cow::Borrowed(""),
        Some(field) => Cow::Owned(quoted(field).into_owned()),
    };
    line(text, fields.iter().map(field));
}

fn line<'a>(text: &mut String, fields: impl Iterator<Item = Cow<'a, str>>) {
    for (place, field) in fields.enumerate() {
        if place > 0 {
            text.push(',');
        }
        text.push_str(&field);
    }
    text.push('\n');
}

fn field(cell: &Cell) -> Cow<'static, str> {
    match cell {
        Cell::Null => Cow::Borrowed(""),
        cell => Cow::Owned(quoted(&cell.text()).into_owned()),
    }
}

fn quoted(text: &str) -> Cow<'_, str> {
    let special =
        text.is_empty() || text.contains([',', '"', '\n', '\r']) || text.starts_with(' ') || text.ends_with(' ');
    if special { Cow::Owned(format!("\"{}\"", text.replace('"', "\"\""))) } else { Cow::Borrowed(text) }
}

#[cfg(test)]
mod tests {
    use super::super::cell::{names, tests::example};
    use super::*;

    #[test]
    fn rows_come_out_quoted_where_needed() {
        let batch = example();
        assert_eq!(header(&names(&batch.schema())), "name,count,money,ratio,day,at,open,share\n");
        assert_eq!(
            rows(&batch).unwrap(),
            "\"杭州, \"\"市\"\"\",9007199254740993,1234.56,0.812500,2026-06-30,2026-06-30T02:30:00+08:00,true,\n,,,,,,,\n"
        );
    }

    #[test]
    fn empty_text_is_not_null() {
        let mut text = String::new();
        texts(&mut text, &[None, Some(String::new()), Some("a\nb".into())]);
        assert_eq!(text, ",\"\",\"a\nb\"\n");
    }
}
