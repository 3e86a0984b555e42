//! Records of formats that hold cells instead of text: each becomes a line of JSON, its titles with
//! the text of its cells, so that people can read what is held, and so that one reader of values
//! serves all formats.

use super::failure::Rule;
use super::format::Limits;
use super::grid::{ABSENT, Kind, Place};
use super::records::{RecordChunk, RecordFault};

/// Most places of a chunk, so that wide and empty sheets stay small too.
const MOST_PLACES: usize = 1 << 20;

/// Writes records into chunks.
#[derive(Debug)]
pub(super) struct Rendering {
    /// `"title":` of every column, escaped.
    keys: Vec<String>,
    limits: Limits,
    chunk: RecordChunk,
    /// Start of the open record and of its places.
    start: usize,
    first_place: usize,
    /// The open record went over the size limit; nothing more of it is written.
    is_too_long: bool,
}

impl Rendering {
    /// A writer of records with these columns.
    pub(super) fn new<'t>(titles: impl Iterator<Item = &'t str>, limits: Limits) -> Self {
        let key = |title: &str| {
            let mut key = String::from("\"");
            escape(title, &mut key);
            key + "\":"
        };
        Self {
            keys: titles.map(key).collect(),
            limits,
            chunk: RecordChunk::rendered(1),
            start: 0,
            first_place: 0,
            is_too_long: false,
        }
    }

    /// Begins a record.
    pub(super) fn open(&mut self, row_no: u64) {
        self.chunk.next_row = row_no;
        self.start = self.chunk.bytes.len();
        self.first_place = self.chunk.places.len();
        self.chunk.places.resize(self.first_place + self.keys.len(), ABSENT);
        self.chunk.bytes.push(b'{');
        self.is_too_long = false;
    }

    /// Writes the text of a cell.
    pub(super) fn text(&mut self, column: usize, text: &str) {
        let kind = if needs_escapes(text) { Kind::Escaped } else { Kind::Plain };
        self.put(column, text, kind);
    }

    /// Writes a date or time in ISO 8601.
    pub(super) fn moment(&mut self, column: usize, text: &str) {
        self.put(column, text, Kind::Moment);
    }

    /// Writes what stands in a cell that has no value to read, and why.
    pub(super) fn faulty(&mut self, column: usize, rule: Rule, text: &str) {
        self.put(column, text, Kind::Faulty(rule));
    }

    /// Notes a formula without a result.
    pub(super) fn uncalculated(&mut self, column: usize) {
        if let Some(place) = self.chunk.places[self.first_place..].get_mut(column) {
            *place = Place { kind: Kind::Uncalculated, ..ABSENT };
        }
    }

    /// Writes the text of a cell in a column without a place in the header, for people alone.
    pub(super) fn beside(&mut self, title: &str, text: &str) {
        if self.has_room(title.len() + text.len()) {
            self.comma();
            let mut both = String::from("\"");
            escape(title, &mut both);
            both.push_str("\":\"");
            escape(text, &mut both);
            both.push('"');
            self.chunk.bytes.extend_from_slice(both.as_bytes());
        }
    }

    /// Ends a record; gives the chunk if it is full.
    pub(super) fn close(&mut self) -> Option<RecordChunk> {
        self.chunk.bytes.push(b'}');
        let end = self.chunk.bytes.len();
        if self.is_too_long || end - self.start > self.limits.record_bytes {
            self.chunk.places.truncate(self.first_place);
            let cut = floor_of_character(&self.chunk.bytes, self.start + self.limits.record_bytes);
            self.chunk.bytes.truncate(cut);
            self.chunk.push_fault(self.start, cut, RecordFault::TooLong);
        } else {
            self.chunk.push(self.start, end);
        }
        self.chunk.bytes.push(b'\n');
        let rows = self.chunk.starts.len() + self.chunk.faults.len();
        let is_full = self.chunk.bytes.len() >= self.limits.block_bytes
            || rows >= self.limits.chunk_rows
            || self.chunk.places.len() >= MOST_PLACES;
        is_full.then(|| self.hand_out())
    }

    /// The records not handed out yet.
    pub(super) fn rest(mut self) -> Option<RecordChunk> {
        let is_empty = self.chunk.starts.is_empty() && self.chunk.faults.is_empty();
        (!is_empty).then(|| self.hand_out())
    }

    fn hand_out(&mut self) -> RecordChunk {
        let next = RecordChunk::rendered(self.chunk.next_row);
        std::mem::replace(&mut self.chunk, next)
    }

    fn put(&mut self, column: usize, text: &str, kind: Kind) {
        let Some(key_bytes) = self.keys.get(column).map(String::len) else { return };
        if !self.has_room(key_bytes + text.len()) {
            return;
        }
        self.comma();
        let bytes = &mut self.chunk.bytes;
        bytes.extend_from_slice(self.keys[column].as_bytes());
        bytes.push(b'"');
        let start = bytes.len();
        match kind {
            Kind::Escaped => {
                let mut escaped = String::with_capacity(text.len() + 16);
                escape(text, &mut escaped);
                bytes.extend_from_slice(escaped.as_bytes());
            }
            _ => bytes.extend_from_slice(text.as_bytes()),
        }
        let place = Place { start: start as u32, end: bytes.len() as u32, kind };
        bytes.push(b'"');
        self.chunk.places[self.first_place + column] = place;
    }

    fn comma(&mut self) {
        if self.chunk.bytes.len() > self.start + 1 {
            self.chunk.bytes.push(b',');
        }
    }

    /// Whether so many bytes more stay within the size limit; if not, the record is over it, and
    /// its beginning alone is kept.
    fn has_room(&mut self, more: usize) -> bool {
        self.is_too_long |= self.chunk.bytes.len() - self.start + more > self.limits.record_bytes;
        !self.is_too_long
    }
}

/// The last position up to `at` where a character of UTF-8 starts.
fn floor_of_character(bytes: &[u8], at: usize) -> usize {
    let mut at = at.min(bytes.len());
    while at < bytes.len() && bytes[at] & 0xC0 == 0x80 {
        at -= 1;
    }
    at
}

fn needs_escapes(text: &str) -> bool {
    text.bytes().any(|byte| byte < 0x20 || matches!(byte, b'"' | b'\\'))
}

/// Appends a text as it stands between the quotes of a JSON string.
fn escape(text: &str, to: &mut String) {
    for char in text.chars() {
        match char {
            '"' => to.push_str("\\\""),
            '\\' => to.push_str("\\\\"),
            '\n' => to.push_str("\\n"),
            '\r' => to.push_str("\\r"),
            '\t' => to.push_str("\\t"),
            '\0'..='\u{1F}' => to.push_str(&format!("\\u{:04x}", u32::from(char))),
            _ => to.push(char),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rendering(limits: Limits) -> Rendering {
        Rendering::new(["名称", "a\"b"].into_iter(), limits)
    }

    #[test]
    fn a_record_is_a_line_of_json() {
        let mut rendering = rendering(Limits::default());
        rendering.open(4);
        rendering.text(0, "甲\n\"乙\"\u{1}");
        rendering.moment(1, "2026-01-05");
        rendering.beside("F", "x\\y");
        assert!(rendering.close().is_none());
        let chunk = rendering.rest().unwrap();
        let line = std::str::from_utf8(&chunk.bytes).unwrap();
        let value: serde_json::Value = serde_json::from_str(line).unwrap();
        assert_eq!(value, serde_json::json!({"名称": "甲\n\"乙\"\u{1}", "a\"b": "2026-01-05", "F": "x\\y"}));
        assert_eq!((chunk.row_no.as_slice(), chunk.next_row), ([4].as_slice(), 5));
        assert_eq!(chunk.places[0].kind, Kind::Escaped);
        assert_eq!(chunk.places[1].kind, Kind::Moment);
    }

    #[test]
    fn a_record_over_the_limit_keeps_its_beginning_and_the_next_is_whole() {
        let mut rendering = rendering(Limits { record_bytes: 30, ..Limits::default() });
        rendering.open(1);
        rendering.text(0, "短");
        rendering.text(1, &"长".repeat(100));
        rendering.close();
        rendering.open(2);
        rendering.text(0, "好");
        rendering.close();
        let chunk = rendering.rest().unwrap();
        assert_eq!((chunk.faults.len(), chunk.row_no.as_slice()), (1, [2].as_slice()));
        assert!(std::str::from_utf8(&chunk.bytes).unwrap().starts_with("{\"名称\":\"短\""));
    }
}
