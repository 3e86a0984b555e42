//! NDJSON: one object a line, ended by LF or CRLF; blank lines are no records.
//!
//! To the splitter a line is a record of one field.

mod object;

use std::collections::HashMap;
use std::ops::Range;

use super::cell::unescaped;
use super::cut::{Bounds, Progress};
use super::failure::{Message, Rule};
use super::grid::{ABSENT, Kind, Place};
use super::records::{RecordChunk, RecordFault};
use object::{JsonFault, ObjectReader, Value};

/// Cuts NDJSON into lines.
#[derive(Debug, Clone)]
pub(super) struct NdjsonSplitter;

impl NdjsonSplitter {
    /// Splits as many whole lines as there are.
    pub(super) fn split(&self, bytes: &[u8], bounds: Bounds, chunk: &mut RecordChunk) -> Progress {
        let mut start = 0;
        while start < bytes.len() && chunk.next_row < bounds.stop_row {
            let (line_end, next) = match memchr::memchr(b'\n', &bytes[start..]) {
                Some(length) => (start + length, start + length + 1),
                None if bounds.at_end => (bytes.len(), bytes.len()),
                None if bytes.len() - start > bounds.record_bytes + 2 => {
                    chunk.push_fault(start, start + bounds.record_bytes, RecordFault::TooLong);
                    return Progress { consumed: bytes.len(), in_long_line: true };
                }
                None => break,
            };
            let end = line_end - usize::from(bytes[start..line_end].last() == Some(&b'\r'));
            if end - start > bounds.record_bytes {
                chunk.push_fault(start, start + bounds.record_bytes, RecordFault::TooLong);
            } else if !bytes[start..end].iter().all(|byte| matches!(byte, b' ' | b'\t' | b'\r')) {
                chunk.ends.push(end as u32);
                chunk.push(start, end);
            }
            start = next;
        }
        Progress::up_to(start)
    }
}

/// Where the wanted values of a chunk's objects stand.
#[derive(Debug)]
pub(super) struct Found {
    /// As many as there are wanted keys for every object that is good.
    pub(super) places: Vec<Place>,
    /// Records that are no good, by position among those given; they have no places.
    pub(super) rejected: Vec<(usize, Rule, Message)>,
    /// Keys that nobody asked for, as first met.
    pub(super) unknown: Vec<String>,
}

/// What a key means to the reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wanted {
    Field(usize),
    /// Nobody asked for it; its number among the unknown keys, to notice when it is said twice.
    Not(usize),
}

/// The meaning of keys. Objects of one file mostly have the same keys in the same order, so each
/// position remembers the key it last had.
#[derive(Debug)]
struct Keys<'a> {
    wanted: &'a HashMap<String, usize>,
    unknown: HashMap<String, usize>,
    /// The row in which each unknown key was last met.
    unknown_rows: Vec<usize>,
    by_position: Vec<(&'a str, Wanted)>,
}

impl<'a> Keys<'a> {
    fn meaning(&mut self, position: usize, key: &'a str, has_escapes: bool) -> Wanted {
        if let Some((_, wanted)) = self.by_position.get(position).filter(|(known, _)| *known == key) {
            return *wanted;
        }
        let plain = if has_escapes { unescaped(key) } else { key.to_owned() };
        let wanted = match self.wanted.get(&plain) {
            Some(field) => Wanted::Field(*field),
            None => {
                let next = self.unknown.len();
                let number = *self.unknown.entry(plain).or_insert(next);
                if number == next {
                    self.unknown_rows.push(usize::MAX);
                }
                Wanted::Not(number)
            }
        };
        match self.by_position.get_mut(position) {
            Some(remembered) => *remembered = (key, wanted),
            None => self.by_position.push((key, wanted)),
        }
        wanted
    }
}

/// Finds the wanted values in objects of UTF-8; `wanted` gives every key its field.
pub(super) fn find<'a>(
    text: &'a str,
    lines: impl ExactSizeIterator<Item = Range<u32>>,
    wanted: &'a HashMap<String, usize>,
    width: usize,
) -> Found {
    let mut keys = Keys { wanted, unknown: HashMap::new(), unknown_rows: Vec::new(), by_position: Vec::new() };
    let mut places = Vec::with_capacity(lines.len() * width);
    let mut rejected = Vec::new();
    for (row, line) in lines.enumerate() {
        let start = line.start;
        let first = places.len();
        places.resize(first + width, ABSENT);
        let line = text.get(start as usize..line.end as usize).unwrap_or_default();
        if let Err(fault) = read_line(line, (row, start), &mut keys, &mut places[first..]) {
            places.truncate(first);
            let (rule, message) = fault.told(line);
            rejected.push((row, rule, message));
        }
    }
    let mut unknown: Vec<_> = keys.unknown.into_iter().collect();
    unknown.sort_by_key(|(_, number)| *number);
    Found { places, rejected, unknown: unknown.into_iter().map(|(key, _)| key).collect() }
}

/// What is wrong with a line, the second kind only seen once its keys are known.
enum LineFault {
    Json(JsonFault),
    DuplicateKey(String),
}

fn read_line<'a>(
    line: &'a str,
    (row, start): (usize, u32),
    keys: &mut Keys<'a>,
    places: &mut [Place],
) -> Result<(), LineFault> {
    let mut object = ObjectReader::open(line).map_err(LineFault::Json)?;
    let mut position = 0;
    while let Some(entry) = object.next().map_err(LineFault::Json)? {
        let is_repeated = match keys.meaning(position, entry.key, entry.key_has_escapes) {
            Wanted::Field(field) => {
                let before = std::mem::replace(&mut places[field], place(entry.value, start));
                before.kind != Kind::Missing
            }
            Wanted::Not(number) => std::mem::replace(&mut keys.unknown_rows[number], row) == row,
        };
        if is_repeated {
            // The rest of the line must still be JSON: that fault would come first.
            while object.next().map_err(LineFault::Json)?.is_some() {}
            return Err(LineFault::DuplicateKey(unescaped(entry.key)));
        }
        position += 1;
    }
    Ok(())
}

fn place(value: Value, offset: u32) -> Place {
    let piece = |start: usize, end: usize, kind| Place { start: offset + start as u32, end: offset + end as u32, kind };
    match value {
        Value::Text { start, end, has_escapes: false } => piece(start, end, Kind::Plain),
        Value::Text { start, end, has_escapes: true } => piece(start, end, Kind::Escaped),
        Value::Literal { start, end } => piece(start, end, Kind::Plain),
        Value::Null => Place { kind: Kind::Null, ..ABSENT },
        Value::Nested => Place { kind: Kind::Nested, ..ABSENT },
    }
}

impl LineFault {
    fn told(&self, line: &str) -> (Rule, Message) {
        // Columns count characters from 1, as editors do.
        let column = |at: usize| line.get(..at).unwrap_or(line).chars().count() + 1;
        match self {
            Self::Json(JsonFault::Invalid { at }) => {
                let column = column(*at);
                let message = Message::new(
                    format!("第 {column} 个字符起不是有效的 JSON"),
                    format!("not valid JSON from character {column} on"),
                );
                (Rule::InvalidJson, message)
            }
            Self::Json(JsonFault::ControlCharacter { at }) => {
                let column = column(*at);
                let code = line.as_bytes().get(*at).copied().unwrap_or_default();
                let message = Message::new(
                    format!("第 {column} 个字符是控制字符 U+{code:04X}"),
                    format!("character {column} is the control character U+{code:04X}"),
                );
                (Rule::ControlCharacter, message)
            }
            Self::Json(JsonFault::NotAnObject) => {
                (Rule::NotAnObject, Message::new("这条记录不是 JSON 对象", "the record is JSON, but not an object"))
            }
            Self::DuplicateKey(key) => {
                let key = super::failure::shown(key);
                let message =
                    Message::new(format!("同一对象中“{key}”出现了两次"), format!("the object says \"{key}\" twice"));
                (Rule::DuplicateKey, message)
            }
        }
    }
}
