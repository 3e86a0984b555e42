//! A strict reader of one JSON object a line that makes nothing of the values: it says where they are.

use crate::decode::cell::unicode;

/// Deepest nesting of objects and lists that is passed over.
const DEEPEST: usize = 64;

/// A value of the outermost object, as a piece of the line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Value {
    /// What stands between the quotes of a string.
    Text {
        start: usize,
        end: usize,
        has_escapes: bool,
    },
    /// A number, `true` or `false`.
    Literal {
        start: usize,
        end: usize,
    },
    Null,
    /// An object or a list.
    Nested,
}

/// What is wrong with a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum JsonFault {
    /// Not JSON from this byte on.
    Invalid { at: usize },
    /// A control character that JSON wants escaped.
    ControlCharacter { at: usize },
    /// JSON, but not an object.
    NotAnObject,
}

/// Reads the keys and values of an object one after the other.
#[derive(Debug)]
pub(super) struct ObjectReader<'a> {
    line: &'a str,
    at: usize,
    is_first: bool,
}

/// A key as written between its quotes, and its value.
#[derive(Debug, Clone, Copy)]
pub(super) struct Entry<'a> {
    pub(super) key: &'a str,
    pub(super) key_has_escapes: bool,
    pub(super) value: Value,
}

impl<'a> ObjectReader<'a> {
    /// Starts at the opening brace.
    pub(super) fn open(line: &'a str) -> Result<Self, JsonFault> {
        let mut reader = Self { line, at: 0, is_first: true };
        reader.skip_blanks();
        if reader.peek() == Some(b'{') {
            reader.at += 1;
            return Ok(reader);
        }
        reader.skip_value(0)?;
        reader.expect_end()?;
        Err(JsonFault::NotAnObject)
    }

    /// The next entry; `None` after the closing brace, with nothing behind it.
    pub(super) fn next(&mut self) -> Result<Option<Entry<'a>>, JsonFault> {
        self.skip_blanks();
        match (self.peek(), self.is_first) {
            (Some(b'}'), _) => {
                self.at += 1;
                return self.expect_end().map(|()| None);
            }
            (Some(b','), false) => {
                self.at += 1;
                self.skip_blanks();
            }
            (_, true) => {}
            _ => return self.invalid(),
        }
        self.is_first = false;
        let (start, end, key_has_escapes) = self.string()?;
        self.skip_blanks();
        self.expect(b':')?;
        self.skip_blanks();
        let value = self.value()?;
        Ok(Some(Entry { key: &self.line[start..end], key_has_escapes, value }))
    }

    fn value(&mut self) -> Result<Value, JsonFault> {
        let start = self.at;
        match self.peek() {
            Some(b'"') => {
                let (start, end, has_escapes) = self.string()?;
                Ok(Value::Text { start, end, has_escapes })
            }
            Some(b'{' | b'[') => self.skip_value(0).map(|()| Value::Nested),
            Some(b'n') => self.word("null").map(|()| Value::Null),
            _ => {
                self.skip_value(0)?;
                Ok(Value::Literal { start, end: self.at })
            }
        }
    }

    /// Passes over a value of any kind.
    fn skip_value(&mut self, depth: usize) -> Result<(), JsonFault> {
        match self.peek() {
            Some(b'"') => self.string().map(|_| ()),
            Some(b'{') if depth < DEEPEST => self.skip_list(b'}', depth),
            Some(b'[') if depth < DEEPEST => self.skip_list(b']', depth),
            Some(b't') => self.word("true"),
            Some(b'f') => self.word("false"),
            Some(b'n') => self.word("null"),
            Some(b'-' | b'0'..=b'9') => self.number(),
            _ => self.invalid(),
        }
    }

    /// Passes over an object or list up to its closing sign.
    fn skip_list(&mut self, close: u8, depth: usize) -> Result<(), JsonFault> {
        self.at += 1;
        self.skip_blanks();
        if self.peek() == Some(close) {
            self.at += 1;
            return Ok(());
        }
        loop {
            self.skip_blanks();
            if close == b'}' {
                self.string()?;
                self.skip_blanks();
                self.expect(b':')?;
                self.skip_blanks();
            }
            self.skip_value(depth + 1)?;
            self.skip_blanks();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(byte) if byte == close => {
                    self.at += 1;
                    return Ok(());
                }
                _ => return self.invalid(),
            }
        }
    }

    /// Passes over a string; gives what stands between its quotes and whether it has escapes.
    fn string(&mut self) -> Result<(usize, usize, bool), JsonFault> {
        self.expect(b'"')?;
        let start = self.at;
        let mut has_escapes = false;
        loop {
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok((start, self.at - 1, has_escapes));
                }
                Some(b'\\') => {
                    has_escapes = true;
                    self.escape()?;
                }
                Some(0..0x20) => return Err(JsonFault::ControlCharacter { at: self.at }),
                Some(_) => self.at += 1,
                None => return self.invalid(),
            }
        }
    }

    fn escape(&mut self) -> Result<(), JsonFault> {
        match self.line.as_bytes().get(self.at + 1) {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => self.at += 2,
            Some(b'u') => {
                let escape = &self.line[self.at + 2..];
                let (Some(_), rest) = unicode(escape) else {
                    return self.invalid();
                };
                self.at += 2 + escape.len() - rest.len();
            }
            _ => return self.invalid(),
        }
        Ok(())
    }

    fn number(&mut self) -> Result<(), JsonFault> {
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        match self.peek() {
            Some(b'0') => self.at += 1,
            _ => self.digits()?,
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.digits()?;
        }
        Ok(())
    }

    /// Passes over at least one digit.
    fn digits(&mut self) -> Result<(), JsonFault> {
        let start = self.at;
        while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
        if self.at == start { self.invalid() } else { Ok(()) }
    }

    fn word(&mut self, word: &str) -> Result<(), JsonFault> {
        if !self.line.as_bytes()[self.at..].starts_with(word.as_bytes()) {
            return self.invalid();
        }
        self.at += word.len();
        Ok(())
    }

    #[inline]
    fn peek(&self) -> Option<u8> {
        self.line.as_bytes().get(self.at).copied()
    }

    #[inline]
    fn skip_blanks(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\r' | b'\n')) {
            self.at += 1;
        }
    }

    fn expect(&mut self, byte: u8) -> Result<(), JsonFault> {
        if self.peek() != Some(byte) {
            return self.invalid();
        }
        self.at += 1;
        Ok(())
    }

    fn expect_end(&mut self) -> Result<(), JsonFault> {
        self.skip_blanks();
        if self.peek().is_some() { self.invalid() } else { Ok(()) }
    }

    fn invalid<T>(&self) -> Result<T, JsonFault> {
        Err(JsonFault::Invalid { at: self.at })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries(line: &str) -> Result<Vec<(&str, Value)>, JsonFault> {
        let mut reader = ObjectReader::open(line)?;
        let mut entries = Vec::new();
        while let Some(entry) = reader.next()? {
            entries.push((entry.key, entry.value));
        }
        Ok(entries)
    }

    #[test]
    fn values_are_given_as_pieces_of_the_line() {
        let line = r#" { "a" : "x" ,"b":-1.50e3,"c":null,"d":{"e":[1,{}]},"f":true} "#;
        let entries = entries(line).unwrap();
        assert_eq!(entries.iter().map(|(key, _)| *key).collect::<String>(), "abcdf");
        assert_eq!(entries[0].1, Value::Text { start: 10, end: 11, has_escapes: false });
        let Value::Literal { start, end } = entries[1].1 else { panic!("a literal") };
        assert_eq!(&line[start..end], "-1.50e3");
        assert_eq!(entries[2].1, Value::Null);
        assert_eq!(entries[3].1, Value::Nested);
        let Value::Literal { start, end } = entries[4].1 else { panic!("a literal") };
        assert_eq!(&line[start..end], "true");
        assert!(super::ObjectReader::open("{}").unwrap().next().unwrap().is_none());
    }

    #[test]
    fn the_grammar_is_kept_as_serde_json_keeps_it() {
        for line in [
            r#"{"a":1}"#,
            r#"{"a":01}"#,
            r#"{"a":1.}"#,
            r#"{"a":.5}"#,
            r#"{"a":+1}"#,
            r#"{"a":-}"#,
            r#"{"a":-0.0E-10}"#,
            r#"{"a":1e}"#,
            r#"{"a":tru}"#,
            r#"{"a":truex}"#,
            r#"{"a":NaN}"#,
            r#"{"a":"\x"}"#,
            r#"{"a":"\u12"}"#,
            r#"{"a":"\ud800"}"#,
            r#"{"a":"\ud842\udfb7"}"#,
            r#"{"a":"\udfb7"}"#,
            r#"{"a":"#,
            r#"{"a":1"#,
            r#"{"a":1,}"#,
            r#"{,"a":1}"#,
            r#"{"a":1 "b":2}"#,
            r#"{"a" 1}"#,
            r#"{a:1}"#,
            r#"{"a":1}}"#,
            r#"{"a":1} {"b":2}"#,
            r#"{"a":[1,2,]}"#,
            r#"{"a":[1 2]}"#,
            r#"{"a":{"b":{}}}"#,
            r#"{"a":{"b":1,}}"#,
            r#"{"a":[]}"#,
            r#"{"a":"unclosed}"#,
            r#"{'a':1}"#,
            "{\"a\":\"\u{1}\"}",
            "{}",
            "{",
            "",
        ] {
            let expected = serde_json::from_str::<serde_json::Value>(line).is_ok();
            assert_eq!(entries(line).is_ok(), expected, "{line}");
        }
    }

    #[test]
    fn other_json_is_no_object() {
        for line in ["[1]", "1", "null", "\"a\"", "[{\"a\":1}]"] {
            assert_eq!(entries(line), Err(JsonFault::NotAnObject), "{line}");
        }
    }

    #[test]
    fn the_place_of_a_fault_is_told() {
        assert_eq!(entries(r#"{"a":1,"b":x}"#), Err(JsonFault::Invalid { at: 11 }));
        assert_eq!(entries("{\"a\":\"\0\"}"), Err(JsonFault::ControlCharacter { at: 6 }));
    }

    #[test]
    fn nesting_has_an_end() {
        let deep = format!("{{\"a\":{}1{}}}", "[".repeat(100_000), "]".repeat(100_000));
        assert!(matches!(entries(&deep), Err(JsonFault::Invalid { .. })));
    }
}
