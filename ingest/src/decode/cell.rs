//! One value of one record, before anything is made of it.

use std::borrow::Cow;

use super::failure::Rule;

/// A value as the format's file gives it, in UTF-8.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cell<'a> {
    /// The text as it stands there.
    Plain(&'a str),
    /// Text of a quoted field in which every quote is doubled.
    Doubled(&'a str, u8),
    /// Text of a JSON string with escapes, known to be valid.
    Escaped(&'a str),
    /// Nothing: a key that is absent, or JSON's null.
    Missing,
    /// An object or a list.
    Nested,
    /// A date or time that the file gives as such, written in ISO 8601; no declared format applies.
    Moment(&'a str),
    /// Something that is no value, and why.
    Faulty(Rule, &'a str),
    /// A formula without its result.
    Uncalculated,
}

/// The records of one chunk, as a grid of cells.
pub(super) trait Cells {
    /// Records.
    fn rows(&self) -> usize;
    /// The cell of a record; `row` and `field` are within the grid.
    fn cell(&self, row: usize, field: usize) -> Cell<'_>;
    /// The bytes of a cell that stands there without escapes; empty for any other. This is the quick
    /// way to values that are ASCII.
    fn plain(&self, row: usize, field: usize) -> &[u8];
}

impl<'a> Cell<'a> {
    /// The text without quotes, escapes and outer blanks; `None` if there is no value to read.
    pub(super) fn text(self) -> Option<Cow<'a, str>> {
        match self {
            Self::Plain(text) | Self::Moment(text) | Self::Faulty(_, text) => Some(Cow::Borrowed(trimmed(text))),
            Self::Doubled(text, quote) => {
                let quote = char::from(quote);
                let text =
                    text.replace([quote, quote].iter().collect::<String>().as_str(), quote.encode_utf8(&mut [0; 4]));
                Some(Cow::Owned(trimmed(&text).to_owned()))
            }
            Self::Escaped(text) => Some(Cow::Owned(trimmed(&unescaped(text)).to_owned())),
            Self::Missing | Self::Nested | Self::Uncalculated => None,
        }
    }
}

/// The text without ASCII spaces and ideographic spaces (U+3000) at its ends.
#[inline]
pub(super) fn trimmed(text: &str) -> &str {
    match has_blank_edge(text.as_bytes()) {
        true => text.trim_matches([' ', '\u{3000}']),
        false => text,
    }
}

/// Whether the first or last byte may belong to a blank; U+3000 is E3 80 80.
#[inline]
pub(super) fn has_blank_edge(text: &[u8]) -> bool {
    match text {
        [] => false,
        [first, ..] if *first == b' ' || *first == 0xE3 => true,
        [.., last] => *last == b' ' || *last == 0x80,
    }
}

/// What a JSON string says; the parser has checked its escapes.
pub(super) fn unescaped(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        plain.push_str(&rest[..at]);
        let escape = rest.as_bytes().get(at + 1).copied().unwrap_or(b'\\');
        rest = rest.get(at + 2..).unwrap_or("");
        match escape {
            b'b' => plain.push('\u{8}'),
            b'f' => plain.push('\u{C}'),
            b'n' => plain.push('\n'),
            b'r' => plain.push('\r'),
            b't' => plain.push('\t'),
            b'u' => {
                let (char, after) = unicode(rest);
                plain.push(char.unwrap_or(char::REPLACEMENT_CHARACTER));
                rest = after;
            }
            other => plain.push(char::from(other)),
        }
    }
    plain.push_str(rest);
    plain
}

/// Reads what follows `\u`: four hexadecimal digits, of which a pair makes one character beyond the
/// first plane. Gives `None` for a half of a pair alone.
pub(super) fn unicode(text: &str) -> (Option<char>, &str) {
    let unit = |text: &str| {
        let digits = text.get(..4).filter(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()))?;
        u32::from_str_radix(digits, 16).ok()
    };
    let Some(first) = unit(text) else {
        return (None, text);
    };
    let rest = &text[4..];
    if !(0xD800..0xDC00).contains(&first) {
        return (char::from_u32(first), rest);
    }
    match rest.strip_prefix("\\u").and_then(unit) {
        Some(second @ 0xDC00..0xE000) => {
            (char::from_u32(0x1_0000 + ((first - 0xD800) << 10) + (second - 0xDC00)), &rest[6..])
        }
        _ => (None, rest),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_spaces_and_ideographic_spaces_are_trimmed() {
        assert_eq!(trimmed(" \u{3000}矿 山\u{3000} "), "矿 山");
        assert_eq!(trimmed("\tx\u{A0}"), "\tx\u{A0}");
        assert_eq!(trimmed("ダ"), "ダ", "E3 83 80: blank-like bytes at both ends");
        assert_eq!(trimmed(" 　 "), "");
        assert_eq!(trimmed(""), "");
    }

    #[test]
    fn doubled_quotes_become_single() {
        assert_eq!(Cell::Doubled(r#"a ""b"" """#, b'"').text().unwrap(), r#"a "b" ""#);
        assert_eq!(Cell::Doubled(r#" """""#, b'"').text().unwrap(), r#""""#);
    }

    #[test]
    fn json_escapes_are_resolved() {
        assert_eq!(unescaped(r#"a\"b\\c\/d\n\t\r\b\f"#), "a\"b\\c/d\n\t\r\u{8}\u{C}");
        assert_eq!(unescaped(r"\u4fdd\u5355"), "保单");
        assert_eq!(unescaped(r"\uD842\uDFB7x"), "𠮷x");
    }

    #[test]
    fn half_a_pair_is_no_character() {
        assert_eq!(unicode("D842x"), (None, "x"));
        assert_eq!(unicode("D842\\u0041"), (None, "\\u0041"));
        assert_eq!(unicode("DFB7"), (None, ""));
        assert_eq!(unicode("12G4").0, None);
    }
}
