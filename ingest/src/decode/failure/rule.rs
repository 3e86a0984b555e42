//! Faults by name.

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
    /// An expression of the feed that cannot be computed for this record.
    ExpressionFailed,
}

impl Rule {
    /// Every rule, in the order of this list.
    pub const ALL: [Self; 44] = [
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
        Self::ExpressionFailed,
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
            Self::ExpressionFailed => "expression_failed",
        }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
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
}
