//! Rows of MySQL's text protocol, written as CSV block by block.

use bytes::Bytes;
use futures::{Stream, StreamExt, stream};
use sqlx::error::BoxDynError;
use sqlx::mysql::MySqlRow;
use sqlx::{Decode, Row, ValueRef};

use crate::error::{Error, ErrorKind, Result};
use crate::source::database::MISSING;

/// Size of a block, bytes; the last row may go over it.
const BLOCK_BYTES: usize = 256 << 10;

/// The header line.
pub(super) fn header(titles: &[String]) -> Vec<u8> {
    let mut line = Vec::new();
    for (place, title) in titles.iter().enumerate() {
        field(&mut line, place, Some(title.as_bytes()));
    }
    line.push(b'\n');
    line
}

/// Rows on their way into a file.
pub(super) struct CsvRows<S> {
    rows: S,
}

impl<S: Stream<Item = Result<MySqlRow>> + Unpin> CsvRows<S> {
    pub(super) fn new(rows: S) -> Self {
        Self { rows }
    }

    /// The lines, some hundred kilobytes at a time.
    pub(super) fn into_blocks(self) -> impl Stream<Item = Result<Bytes>> {
        stream::try_unfold(self.rows, |mut rows| async move {
            let mut block = Vec::new();
            while block.len() < BLOCK_BYTES {
                match rows.next().await {
                    Some(row) => line(&mut block, &row?)?,
                    None if block.is_empty() => return Ok(None),
                    None => break,
                }
            }
            Ok(Some((Bytes::from(block), rows)))
        })
    }
}

fn line(block: &mut Vec<u8>, row: &MySqlRow) -> Result<()> {
    let unread =
        |error: BoxDynError| Error::caused(ErrorKind::Retry, "the database sent a row that cannot be read", error);
    for place in 0..row.len() {
        let value = row.try_get_raw(place).map_err(|error| unread(Box::new(error)))?;
        if value.is_null() {
            field(block, place, None);
        } else {
            // In the text protocol a value of any type is its text.
            let text = <&[u8] as Decode<sqlx::MySql>>::decode(value).map_err(unread)?;
            field(block, place, Some(text));
        }
    }
    block.push(b'\n');
    Ok(())
}

/// One field, in quotes where it could be taken for something else.
fn field(line: &mut Vec<u8>, place: usize, text: Option<&[u8]>) {
    if place > 0 {
        line.push(b',');
    }
    let Some(text) = text else {
        line.extend_from_slice(MISSING.as_bytes());
        return;
    };
    // A line of nothing but a space or less would be no record.
    let is_doubtful = text == MISSING.as_bytes()
        || text.iter().any(|byte| matches!(byte, b',' | b'"' | b'\r' | b'\n'))
        || text.first().map_or(place == 0, u8::is_ascii_whitespace);
    if !is_doubtful {
        line.extend_from_slice(text);
        return;
    }
    line.push(b'"');
    for byte in text {
        if *byte == b'"' {
            line.push(b'"');
        }
        line.push(*byte);
    }
    line.push(b'"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_value_an_empty_text_and_the_mark_itself_are_three_things() {
        let mut line = Vec::new();
        let fields: [Option<&str>; 6] = [Some(""), None, Some(""), Some("\\N"), Some("a \"b\", c"), Some("两\n行")];
        for (place, text) in fields.into_iter().enumerate() {
            field(&mut line, place, text.map(str::as_bytes));
        }
        assert_eq!(String::from_utf8(line).unwrap(), "\"\",\\N,,\"\\N\",\"a \"\"b\"\", c\",\"两\n行\"");
    }

    #[test]
    fn titles_are_quoted_like_values() {
        assert_eq!(header(&["保单号".to_owned(), "a,b".to_owned()]), "保单号,\"a,b\"\n".as_bytes());
    }
}
