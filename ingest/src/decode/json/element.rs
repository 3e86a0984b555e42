//! The end of one element of a list, found byte by byte, wherever the bytes at hand end.

/// Deepest nesting that is followed.
const DEEPEST: usize = 1 << 16;

/// How far into an element the bytes so far reach.
#[derive(Debug, Default)]
pub(super) struct Element {
    /// Closing signs that are still to come.
    closers: Vec<u8>,
    in_string: bool,
    is_escaped: bool,
    /// A number or word has begun.
    in_literal: bool,
}

impl Element {
    /// Goes on over `bytes` and gives where the element ends in them; `None` if beyond them. Signs
    /// that do not pair are an error: where records end can no longer be told.
    pub(super) fn end(&mut self, bytes: &[u8]) -> Result<Option<usize>, ()> {
        let mut at = 0;
        while at < bytes.len() {
            if self.in_string {
                at += match self.string(&bytes[at..]) {
                    Some(length) => length,
                    None => return Ok(None),
                };
                if self.closers.is_empty() {
                    return Ok(Some(at));
                }
                continue;
            }
            let byte = bytes[at];
            if self.in_literal && matches!(byte, b',' | b']' | b'}' | b' ' | b'\t' | b'\r' | b'\n') {
                return Ok(Some(at));
            }
            at += 1;
            match byte {
                b'"' => self.in_string = true,
                b'{' => self.closers.push(b'}'),
                b'[' => self.closers.push(b']'),
                b'}' | b']' => {
                    if self.closers.pop() != Some(byte) {
                        return Err(());
                    }
                    if self.closers.is_empty() {
                        return Ok(Some(at));
                    }
                }
                _ => self.in_literal |= self.closers.is_empty(),
            }
            if self.closers.len() > DEEPEST {
                return Err(());
            }
        }
        Ok(None)
    }

    /// Passes over what is left of a string, its closing quote included.
    fn string(&mut self, bytes: &[u8]) -> Option<usize> {
        let mut at = 0;
        if std::mem::take(&mut self.is_escaped) {
            at = 1;
        }
        while let Some(length) = memchr::memchr2(b'"', b'\\', bytes.get(at..)?) {
            at += length + 1;
            if bytes[at - 1] == b'"' {
                self.in_string = false;
                return Some(at);
            }
            if at == bytes.len() {
                self.is_escaped = true;
                return None;
            }
            at += 1;
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn end(bytes: &str) -> Result<Option<usize>, ()> {
        let whole = Element::default().end(bytes.as_bytes());
        let mut apart = Element::default();
        let mut at = 0;
        for byte in bytes.as_bytes() {
            match apart.end(&[*byte]) {
                Ok(None) => at += 1,
                Ok(Some(length)) => {
                    assert_eq!(whole, Ok(Some(at + length)), "{bytes}");
                    return whole;
                }
                Err(()) => {
                    assert_eq!(whole, Err(()), "{bytes}");
                    return whole;
                }
            }
        }
        assert_eq!(whole, Ok(None), "{bytes}");
        whole
    }

    #[test]
    fn an_element_ends_where_it_closes() {
        assert_eq!(end(r#"{"a":"}\"]","b":[1,{}]},{"#), Ok(Some(23)));
        assert_eq!(end(r#""a\\",1"#), Ok(Some(5)));
        assert_eq!(end("12.5 ,"), Ok(Some(4)));
        assert_eq!(end("null]"), Ok(Some(4)));
        assert_eq!(end(r#"{"a":"\"#), Ok(None));
        assert_eq!(end(r#"{"a":1"#), Ok(None));
        assert_eq!(end(r#"{"a":[1}]"#), Err(()));
    }
}
