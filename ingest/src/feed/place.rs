//! Places in a feed's file: where a character of a text stands that TOML writes with quotes and escapes.

use std::ops::Range;

/// Line and column, both from 1 and in characters, of the character at a position of the text that the
/// value at `value` means. A position at its end is where the closing quote stands.
pub(super) fn of_character(file: &str, value: Range<usize>, position: usize) -> (usize, usize) {
    let written = file.get(value.clone()).unwrap_or_default();
    let at = value.start + written_before(written, position);
    let before = file.get(..at).unwrap_or(file);
    let line_start = before.rfind('\n').map_or(0, |end| end + 1);
    (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
}

/// Bytes of a written value before the character at a position of what it means.
fn written_before(written: &str, position: usize) -> usize {
    let quote = ["\"\"\"", "'''", "\"", "'"].into_iter().find(|quote| written.starts_with(quote)).unwrap_or("");
    let mut at = quote.len();
    if quote.len() == 3 {
        // A line end right after the opening quotes is no part of the text.
        at += ["\r\n", "\n"].into_iter().find(|end| written[at..].starts_with(end)).map_or(0, str::len);
    }
    let has_escapes = quote.starts_with('"');
    for _ in 0..position {
        let rest = &written[at..];
        if !quote.is_empty() && rest == quote {
            break;
        }
        at += match rest.chars().next() {
            None => break,
            Some('\\') if has_escapes => escape(rest),
            Some(char) => char.len_utf8(),
        };
    }
    at
}

/// Bytes of an escape that means one character; a line end escaped away goes with the character after it.
fn escape(rest: &str) -> usize {
    match rest[1..].chars().next() {
        Some('u') => 6.min(rest.len()),
        Some('U') => 10.min(rest.len()),
        Some('x') => 4.min(rest.len()),
        Some(char) if char.is_whitespace() => {
            let blank = rest[1..].len() - rest[1..].trim_start().len();
            let after = rest[1 + blank..].chars().next().map_or(0, char::len_utf8);
            1 + blank + after
        }
        Some(char) => 1 + char.len_utf8(),
        None => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(written: &str, position: usize) -> (usize, usize) {
        let file = format!("a = 1\nb = {written}\n");
        of_character(&file, 10..10 + written.len(), position)
    }

    #[test]
    fn quotes_and_escapes_are_not_counted_as_what_they_mean() {
        assert_eq!(place("'abc'", 0), (2, 6));
        assert_eq!(place("'abc'", 2), (2, 8));
        assert_eq!(place("'abc'", 3), (2, 9), "the closing quote");
        assert_eq!(place("'abc'", 9), (2, 9));
        assert_eq!(place(r#""\"保\"x""#, 3), (2, 11), "x stands after two escapes and a character of three bytes");
        assert_eq!(place(r#""\u4fddx""#, 1), (2, 12));
        assert_eq!(place("'''\nab\ncd'''", 0), (3, 1));
        assert_eq!(place("'''\nab\ncd'''", 4), (4, 2));
        assert_eq!(place("\"\"\"a\\\n   b\"\"\"", 1), (2, 9));
    }
}
