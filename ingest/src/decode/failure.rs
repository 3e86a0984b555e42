//! What can be wrong with a file, a record or a value, by name.

use std::fmt;

/// The name of a fault, as `system.quarantine` and `system.finding` show it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Rule {
    // Whole files.
    /// The file ends before its header, or the header cannot be read.
    UnreadableHeader,
    /// The file's first bytes belong to another encoding than the declared one.
    WrongEncoding,
    /// Two columns have the same title.
    DuplicateColumn,
    /// A column that must be there is not.
    MissingColumn,
    /// A column of a kind that is no single value.
    UnreadableColumn,
    /// The file is of another format than the declared one.
    WrongFormat,
    /// An archive, workbook or document that is cut short or broken inside.
    DamagedFile,
    /// What the file unpacks to is over a limit.
    UnpacksTooFar,
    /// An archive from which no single file can be chosen.
    UnclearMember,
    /// The workbook has no sheet of that name or number.
    MissingSheet,
    /// The document has no list of records where `path` says.
    MissingRecords,
    // Records.
    /// Bytes that are no text in the declared encoding.
    InvalidEncoding,
    /// Fewer fields than the header has.
    TooFewFields,
    /// More fields than the header has.
    TooManyFields,
    /// A quote inside an unquoted field, or text after a closing quote.
    BadQuote,
    /// A quote that is opened and not properly closed.
    UnclosedQuote,
    /// A record over the size limit.
    RecordTooLong,
    /// A line that is not JSON.
    InvalidJson,
    /// A line of JSON that is not an object.
    NotAnObject,
    /// An object that says one key twice.
    DuplicateKey,
    // Values.
    /// A control character other than TAB, LF and CR.
    ControlCharacter,
    /// U+FFFD: the text was damaged before it came to us.
    ReplacementCharacter,
    /// An object or a list where a single value belongs.
    NestedValue,
    /// No value where one is required.
    Required,
    /// Not a number in plain digits.
    NotANumber,
    /// A number with a fraction where whole ones belong.
    NotAnInt,
    /// More digits than the type holds.
    NumberTooLarge,
    /// More digits after the point than the type holds.
    TooManyFractionDigits,
    /// Not a date as written, or one with a time of day.
    NotADate,
    /// A day that no calendar has.
    ImpossibleDate,
    /// A year before 1900 or after 2200.
    DateOutOfRange,
    /// Not a date with a time.
    NotATimestamp,
    /// A time that no clock shows, or that the zone's clocks skipped.
    ImpossibleTime,
    /// A time that the zone's clocks showed twice.
    AmbiguousTime,
    /// Neither true nor false.
    NotABool,
    /// A code that is not in the column's list.
    NotInCodeList,
    /// Under the least or over the greatest value allowed.
    OutOfRange,
    /// Not 18 characters of the alphabet of credit codes.
    NotACreditCode,
    /// A credit code with a wrong check character.
    BadCheckCharacter,
    /// A credit code written in small letters; only a warning.
    UpperCased,
    /// A spreadsheet cell that holds an error such as `#N/A`.
    CellError,
    /// A formula whose result the file does not hold; a warning where no value is required.
    Uncalculated,
    /// A number with more digits than a spreadsheet keeps.
    DigitsLost,
}

impl Rule {
    /// Every rule, in the order of this list.
    pub const ALL: [Self; 43] = [
        Self::UnreadableHeader,
        Self::WrongEncoding,
        Self::DuplicateColumn,
        Self::MissingColumn,
        Self::UnreadableColumn,
        Self::WrongFormat,
        Self::DamagedFile,
        Self::UnpacksTooFar,
        Self::UnclearMember,
        Self::MissingSheet,
        Self::MissingRecords,
        Self::InvalidEncoding,
        Self::TooFewFields,
        Self::TooManyFields,
        Self::BadQuote,
        Self::UnclosedQuote,
        Self::RecordTooLong,
        Self::InvalidJson,
        Self::NotAnObject,
        Self::DuplicateKey,
        Self::ControlCharacter,
        Self::ReplacementCharacter,
        Self::NestedValue,
        Self::Required,
        Self::NotANumber,
        Self::NotAnInt,
        Self::NumberTooLarge,
        Self::TooManyFractionDigits,
        Self::NotADate,
        Self::ImpossibleDate,
        Self::DateOutOfRange,
        Self::NotATimestamp,
        Self::ImpossibleTime,
        Self::AmbiguousTime,
        Self::NotABool,
        Self::NotInCodeList,
        Self::OutOfRange,
        Self::NotACreditCode,
        Self::BadCheckCharacter,
        Self::UpperCased,
        Self::CellError,
        Self::Uncalculated,
        Self::DigitsLost,
    ];

    /// The name in tables, in snake case.
    pub const fn name(self) -> &'static str {
        match self {
            Self::UnreadableHeader => "unreadable_header",
            Self::WrongEncoding => "wrong_encoding",
            Self::DuplicateColumn => "duplicate_column",
            Self::MissingColumn => "missing_column",
            Self::UnreadableColumn => "unreadable_column",
            Self::WrongFormat => "wrong_format",
            Self::DamagedFile => "damaged_file",
            Self::UnpacksTooFar => "unpacks_too_far",
            Self::UnclearMember => "unclear_member",
            Self::MissingSheet => "missing_sheet",
            Self::MissingRecords => "missing_records",
            Self::InvalidEncoding => "invalid_encoding",
            Self::TooFewFields => "too_few_fields",
            Self::TooManyFields => "too_many_fields",
            Self::BadQuote => "bad_quote",
            Self::UnclosedQuote => "unclosed_quote",
            Self::RecordTooLong => "record_too_long",
            Self::InvalidJson => "invalid_json",
            Self::NotAnObject => "not_an_object",
            Self::DuplicateKey => "duplicate_key",
            Self::ControlCharacter => "control_character",
            Self::ReplacementCharacter => "replacement_character",
            Self::NestedValue => "nested_value",
            Self::Required => "required",
            Self::NotANumber => "not_a_number",
            Self::NotAnInt => "not_an_int",
            Self::NumberTooLarge => "number_too_large",
            Self::TooManyFractionDigits => "too_many_fraction_digits",
            Self::NotADate => "not_a_date",
            Self::ImpossibleDate => "impossible_date",
            Self::DateOutOfRange => "date_out_of_range",
            Self::NotATimestamp => "not_a_timestamp",
            Self::ImpossibleTime => "impossible_time",
            Self::AmbiguousTime => "ambiguous_time",
            Self::NotABool => "not_a_bool",
            Self::NotInCodeList => "not_in_code_list",
            Self::OutOfRange => "out_of_range",
            Self::NotACreditCode => "not_a_credit_code",
            Self::BadCheckCharacter => "bad_check_character",
            Self::UpperCased => "upper_cased",
            Self::CellError => "cell_error",
            Self::Uncalculated => "uncalculated",
            Self::DigitsLost => "digits_lost",
        }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

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
    pub(super) fn new(key: &[&str], message: impl Into<String>) -> Self {
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
    fn names_are_distinct_and_in_snake_case() {
        let mut names: Vec<_> = Rule::ALL.iter().map(|rule| rule.name()).collect();
        assert!(names.iter().all(|name| name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_')));
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), Rule::ALL.len());
    }

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
