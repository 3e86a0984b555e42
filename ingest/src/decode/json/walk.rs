//! A walk over a document that keeps nothing of it: strict about its structure, and looking for
//! one list by the keys and positions that lead to it.

/// Deepest nesting that is followed outside the list.
const DEEPEST: usize = 256;
/// Longest key or word that is looked at; a longer one is no key of ours.
const LONGEST: usize = 4096;

/// What a walk came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// The end of the bytes at hand.
    More,
    /// The opening sign of the list.
    List,
    /// Something else than a list where the list belongs.
    NotAList,
    /// Not JSON.
    Broken,
}

/// A walk on its way.
#[derive(Debug)]
pub(super) struct Walk {
    path: Vec<String>,
    levels: Vec<Level>,
    expected: Expected,
    /// The list was found; nothing is looked for any more.
    is_past_list: bool,
    /// The key, word or number being read, without quotes and with its escapes.
    piece: Vec<u8>,
}

/// An object or list that is open.
#[derive(Debug)]
struct Level {
    is_object: bool,
    /// Its own place is one on the way to the list.
    on_path: bool,
    /// The key or position of the value at hand is the next one on that way.
    is_next: bool,
    position: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Expected {
    Value,
    ValueOrEnd,
    KeyOrEnd,
    Key,
    Colon,
    CommaOrEnd,
    InString { is_key: bool, is_escaped: bool },
    InLiteral,
    Nothing,
}

impl Walk {
    /// A walk to the list at this path.
    pub(super) fn to(path: &[String]) -> Self {
        Self {
            path: path.to_vec(),
            levels: Vec::new(),
            expected: Expected::Value,
            is_past_list: false,
            piece: Vec::new(),
        }
    }

    /// Goes on from behind the list's closing sign.
    pub(super) fn leave(&mut self) {
        self.is_past_list = true;
        self.expected = self.behind_value();
    }

    /// The document is closed.
    pub(super) fn is_complete(&self) -> bool {
        self.expected == Expected::Nothing || (self.expected == Expected::InLiteral && self.levels.is_empty())
    }

    /// Walks over bytes; gives how many were used, and what it came to.
    pub(super) fn over(&mut self, bytes: &[u8]) -> (usize, Step) {
        let mut at = 0;
        while at < bytes.len() {
            match self.byte(bytes[at]) {
                Ok(Took::Byte) => at += 1,
                Ok(Took::Nothing) => {}
                Err(step) => return (at + usize::from(step == Step::List), step),
            }
        }
        (at, Step::More)
    }

    fn byte(&mut self, byte: u8) -> Result<Took, Step> {
        match self.expected {
            Expected::InString { is_key, is_escaped } => return self.in_string(byte, is_key, is_escaped),
            Expected::InLiteral => return self.in_literal(byte),
            _ if matches!(byte, b' ' | b'\t' | b'\r' | b'\n') => return Ok(Took::Byte),
            _ => {}
        }
        match (self.expected, byte) {
            (Expected::ValueOrEnd, b']') | (Expected::KeyOrEnd, b'}') => self.close(byte)?,
            (Expected::CommaOrEnd, b']' | b'}') => self.close(byte)?,
            (Expected::CommaOrEnd, b',') => self.comma(),
            (Expected::Key | Expected::KeyOrEnd, b'"') => self.begin_string(true),
            (Expected::Colon, b':') => self.expected = Expected::Value,
            (Expected::Value | Expected::ValueOrEnd, _) => self.value(byte)?,
            _ => return Err(Step::Broken),
        }
        Ok(Took::Byte)
    }

    fn value(&mut self, byte: u8) -> Result<(), Step> {
        let on_path = !self.is_past_list && self.levels.last().is_none_or(|level| level.on_path && level.is_next);
        if on_path && self.levels.len() == self.path.len() {
            return Err(if byte == b'[' { Step::List } else { Step::NotAList });
        }
        match byte {
            b'{' => self.open(true, on_path)?,
            b'[' => self.open(false, on_path)?,
            b'"' => self.begin_string(false),
            b'-' | b'0'..=b'9' | b't' | b'f' | b'n' => {
                self.piece.clear();
                self.piece.push(byte);
                self.expected = Expected::InLiteral;
            }
            _ => return Err(Step::Broken),
        }
        Ok(())
    }

    fn open(&mut self, is_object: bool, on_path: bool) -> Result<(), Step> {
        if self.levels.len() == DEEPEST {
            return Err(Step::Broken);
        }
        let first = self.path.get(self.levels.len()).map(String::as_str);
        let is_next = !is_object && first == Some("0");
        self.levels.push(Level { is_object, on_path, is_next, position: 0 });
        self.expected = if is_object { Expected::KeyOrEnd } else { Expected::ValueOrEnd };
        Ok(())
    }

    fn close(&mut self, byte: u8) -> Result<(), Step> {
        match self.levels.pop() {
            Some(level) if level.is_object == (byte == b'}') => {
                self.expected = self.behind_value();
                Ok(())
            }
            _ => Err(Step::Broken),
        }
    }

    fn comma(&mut self) {
        let depth = self.levels.len();
        let wanted = depth.checked_sub(1).and_then(|depth| self.path.get(depth));
        if let Some(level) = self.levels.last_mut() {
            level.position += 1;
            if !level.is_object {
                level.is_next = wanted.is_some_and(|wanted| *wanted == level.position.to_string());
            }
            self.expected = if level.is_object { Expected::Key } else { Expected::Value };
        }
    }

    fn begin_string(&mut self, is_key: bool) {
        self.piece.clear();
        self.expected = Expected::InString { is_key, is_escaped: false };
    }

    fn in_string(&mut self, byte: u8, is_key: bool, is_escaped: bool) -> Result<Took, Step> {
        match (byte, is_escaped) {
            (0..0x20, _) => return Err(Step::Broken),
            (b'"', false) if is_key => self.end_key(),
            (b'"', false) => self.expected = self.behind_value(),
            _ => {
                if is_key && self.piece.len() <= LONGEST {
                    self.piece.push(byte);
                }
                let is_escaped = byte == b'\\' && !is_escaped;
                self.expected = Expected::InString { is_key, is_escaped };
            }
        }
        Ok(Took::Byte)
    }

    fn end_key(&mut self) {
        let depth = self.levels.len();
        let key = String::from_utf8_lossy(&self.piece);
        let key = crate::decode::cell::unescaped(&key);
        let is_next = depth.checked_sub(1).and_then(|depth| self.path.get(depth)).is_some_and(|wanted| *wanted == key);
        if let Some(level) = self.levels.last_mut() {
            level.is_next = is_next;
        }
        self.expected = Expected::Colon;
    }

    fn in_literal(&mut self, byte: u8) -> Result<Took, Step> {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.') {
            if self.piece.len() == LONGEST {
                return Err(Step::Broken);
            }
            self.piece.push(byte);
            return Ok(Took::Byte);
        }
        if serde_json::from_slice::<serde::de::IgnoredAny>(&self.piece).is_err() {
            return Err(Step::Broken);
        }
        self.expected = self.behind_value();
        Ok(Took::Nothing)
    }

    fn behind_value(&self) -> Expected {
        if self.levels.is_empty() { Expected::Nothing } else { Expected::CommaOrEnd }
    }
}

/// Whether a byte was used up.
enum Took {
    Byte,
    /// It ended a word and must be looked at again.
    Nothing,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn walk(path: &[&str], text: &str) -> (usize, Step) {
        let path: Vec<String> = path.iter().map(ToString::to_string).collect();
        Walk::to(&path).over(text.as_bytes())
    }

    #[test]
    fn the_list_is_found_by_keys_and_positions() {
        assert_eq!(walk(&[], " [1]"), (2, Step::List));
        assert_eq!(walk(&["data", "records"], r#"{"a":{"records":[1]},"data":{"n":1,"records":[{}]}}"#).1, Step::List);
        let text = r#"{"data":[{"x":1},{"rows":["#;
        assert_eq!(walk(&["data", "1", "rows"], text), (text.len(), Step::List));
        assert_eq!(walk(&["数据"], "{\"\\u6570\\u636e\":[").1, Step::List);
    }

    #[test]
    fn something_else_in_its_place_is_told() {
        assert_eq!(walk(&[], "{}").1, Step::NotAList);
        assert_eq!(walk(&["data"], r#"{"data":{"a":[]}}"#).1, Step::NotAList);
        assert_eq!(walk(&["data"], r#"{"other":[1,2],"n":-1.5e3}"#).1, Step::More, "it is not there at all");
    }

    #[test]
    fn what_is_no_json_is_broken() {
        for text in
            ["{a:[]}", "{\"a\" 1}", "{\"a\":tru}", "{\"a\":01}", "{\"a\":[1}]", "{\"b\":1,}", "{\"b\":[1,]}", "x"]
        {
            assert_eq!(walk(&["z"], text).1, Step::Broken, "{text}");
        }
    }
}
