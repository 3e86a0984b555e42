//! What can be wrong with a file, a record or a value, by name.

mod rule;

use std::fmt;

pub use rule::Rule;

/// One sentence in both languages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// In Chinese.
    pub zh: String,
    /// In English.
    pub en: String,
}

impl Message {
    pub(super) fn new(zh: impl Into<String>, en: impl Into<String>) -> Self {
        Self { zh: zh.into(), en: en.into() }
    }
}

/// A value that could not be read, or was read with a warning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CellFailure {
    /// Row in the chunk's `rows`.
    pub row: usize,
    /// Position of the column in the contract; one past the last for `source_updated_at`.
    pub column: usize,
    /// What is wrong.
    pub rule: Rule,
    /// The same for people, with the title that the file gives the column.
    pub message: Message,
}

/// Where a record stands in the landed file, without its line end. In a compressed file offsets
/// are those of what it unpacks to; a record of a workbook or Parquet file stands at no bytes of
/// its own, and its length here is 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// Byte offset in the file.
    pub offset: u64,
    /// Bytes.
    pub len: u32,
}

/// A record that did not come apart into readable fields, held alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RejectedRecord {
    /// Number of the data record in the file, from 1.
    pub row_no: u64,
    /// Where it stands; of a record over the size limit, only the first bytes.
    pub span: Span,
    /// What is wrong.
    pub rule: Rule,
    /// The same for people.
    pub message: Message,
}

/// Why a whole file is held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileRefused {
    /// What is wrong.
    pub rule: Rule,
    /// The same for people.
    pub message: Message,
}

impl FileRefused {
    pub(super) fn new(rule: Rule, zh: impl Into<String>, en: impl Into<String>) -> Self {
        Self { rule, message: Message::new(zh, en) }
    }
}

/// Wraps a refusal for the way through a reader; see `DecodeError`.
impl From<FileRefused> for std::io::Error {
    fn from(refused: FileRefused) -> Self {
        Self::other(refused)
    }
}

impl fmt::Display for FileRefused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message.en)
    }
}

impl std::error::Error for FileRefused {}

/// Why decoding ended early.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// The file is held whole, for a person.
    #[error("{0}")]
    Refused(FileRefused),
    /// The landed file could not be read; try again.
    #[error("the landed file cannot be read")]
    Read(#[source] std::io::Error),
}

/// Readers that unpack wrap what is wrong with the file in an input error, and it comes out here.
impl From<std::io::Error> for DecodeError {
    fn from(error: std::io::Error) -> Self {
        match error.get_ref().and_then(|cause| cause.downcast_ref::<FileRefused>()) {
            Some(refused) => Self::Refused(refused.clone()),
            None => Self::Read(error),
        }
    }
}

impl From<FileRefused> for DecodeError {
    fn from(refused: FileRefused) -> Self {
        Self::Refused(refused)
    }
}

/// A setting of a feed that cannot be used, for the loader to say with file and line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigFault {
    /// The key from the top of the feed's file, such as `format.encoding`.
    pub key: Vec<String>,
    /// What is wrong and what to do.
    pub message: String,
}

impl ConfigFault {
    pub(crate) fn new(key: &[&str], message: impl Into<String>) -> Self {
        Self { key: key.iter().map(ToString::to_string).collect(), message: message.into() }
    }
}

impl fmt::Display for ConfigFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.key.join("."), self.message)
    }
}

impl std::error::Error for ConfigFault {}

/// A value as a message shows it: at most 40 characters, control characters spelled out.
pub(super) fn shown(value: &str) -> String {
    const LONGEST: usize = 40;
    let mut shown = String::new();
    for (count, char) in value.chars().enumerate() {
        if count == LONGEST {
            shown.push('…');
            break;
        }
        match char.is_control() {
            true => shown.extend(char.escape_default()),
            false => shown.push(char),
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_value_is_cut_at_forty_characters() {
        assert_eq!(shown(&"矿".repeat(40)), "矿".repeat(40));
        assert_eq!(shown(&"矿".repeat(41)), format!("{}…", "矿".repeat(40)));
    }

    #[test]
    fn control_characters_are_spelled_out() {
        assert_eq!(shown("a\0b"), "a\\u{0}b");
    }
}
