//! The declared encoding of a file, and when its bytes may be split before they are decoded.

use encoding_rs::{DecoderResult, EUC_JP, Encoding, UTF_8, UTF_16BE, UTF_16LE};

use super::failure::{FileRefused, Rule};

/// An encoding whose records can be found on raw bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TextEncoding(&'static Encoding);

impl TextEncoding {
    pub(super) const UTF_8: Self = Self(UTF_8);

    /// Finds an encoding by its usual names (WHATWG labels).
    ///
    /// UTF-16 and encodings with shifts are refused: their line ends cannot be told on raw bytes.
    pub(super) fn for_label(label: &str) -> Result<Self, String> {
        let Some(encoding) = Encoding::for_label_no_replacement(label.as_bytes()) else {
            return Err(format!(
                "\"{label}\" is not a known encoding; use utf-8, gb18030, gbk, big5 or another WHATWG label"
            ));
        };
        match encoding.is_ascii_compatible() {
            true => Ok(Self(encoding)),
            false => Err(format!(
                "{} cannot be read as lines of bytes; ask for the file in utf-8 or gb18030",
                encoding.name()
            )),
        }
    }

    pub(super) fn name(self) -> &'static str {
        self.0.name()
    }

    pub(super) fn is_utf8(self) -> bool {
        self.0 == UTF_8
    }

    /// Whether the ASCII byte never occurs inside another character, so that it can be searched for.
    ///
    /// Second and later bytes of GB18030, GBK, Big5, Shift_JIS and EUC-KR can be digits and anything
    /// from `@` up; line ends, quotes, commas, semicolons and tabs are never among them.
    pub(super) fn stands_alone(self, byte: u8) -> bool {
        byte.is_ascii()
            && (self.is_utf8()
                || self.0.is_single_byte()
                || self.0 == EUC_JP
                || !(byte.is_ascii_digit() || byte >= b'@'))
    }

    /// Bytes of the byte order mark at the start of a file; refuses a mark of another encoding.
    pub(super) fn mark(self, start: &[u8]) -> Result<usize, FileRefused> {
        const GB18030_MARK: &[u8] = b"\x84\x31\x95\x33";
        if let Some((encoding, len)) = Encoding::for_bom(start) {
            if encoding == self.0 {
                return Ok(len);
            }
            // FF FE and FE FF are ordinary letters in single-byte encodings, but not as the first
            // two bytes of a table; with UTF-8 declared they are not even valid.
            let what = if encoding == UTF_16LE || encoding == UTF_16BE { "UTF-16" } else { encoding.name() };
            return Err(FileRefused::new(
                Rule::WrongEncoding,
                format!("文件开头是 {what} 的字节顺序标记，而声明的编码是 {}", self.name()),
                format!("the file starts with the byte order mark of {what}, but {} is declared", self.name()),
            ));
        }
        match !self.is_utf8() && !self.0.is_single_byte() && start.starts_with(GB18030_MARK) {
            true => Ok(GB18030_MARK.len()),
            false => Ok(0),
        }
    }

    /// Length of the ASCII text at the start.
    pub(super) fn ascii_len(self, bytes: &[u8]) -> usize {
        Encoding::ascii_valid_up_to(bytes)
    }

    /// Appends the decoded text; at bytes that are no text leaves `text` as it was and gives their
    /// offset in `bytes`.
    ///
    /// Each call looks at all of `text`'s spare capacity, so a short text in a large buffer is slow.
    pub(super) fn decode(self, bytes: &[u8], text: &mut String) -> Result<(), usize> {
        let before = text.len();
        let mut decoder = self.0.new_decoder_without_bom_handling();
        let mut read = 0;
        loop {
            let rest = &bytes[read..];
            text.reserve(decoder.max_utf8_buffer_length_without_replacement(rest.len()).unwrap_or(rest.len()));
            let (result, step) = decoder.decode_to_string_without_replacement(rest, text, true);
            read += step;
            match result {
                DecoderResult::InputEmpty => return Ok(()),
                DecoderResult::OutputFull => {}
                DecoderResult::Malformed(length, beyond) => {
                    text.truncate(before);
                    return Err(read - usize::from(beyond) - usize::from(length));
                }
            }
        }
    }

    /// The text for people, with U+FFFD for what cannot be decoded.
    pub(super) fn lossy(self, bytes: &[u8]) -> String {
        self.0.decode_without_bom_handling(bytes).0.into_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gb18030() -> TextEncoding {
        TextEncoding::for_label("gb18030").unwrap()
    }

    fn decoded(encoding: TextEncoding, bytes: &[u8]) -> Result<String, usize> {
        let mut text = String::new();
        encoding.decode(bytes, &mut text).map(|()| text)
    }

    #[test]
    fn names_are_case_blind_and_unknown_ones_are_refused() {
        assert_eq!(TextEncoding::for_label("GB18030").unwrap(), gb18030());
        assert_eq!(TextEncoding::for_label("UTF8").unwrap(), TextEncoding::UTF_8);
        assert!(TextEncoding::for_label("gb18031").unwrap_err().contains("gb18031"));
    }

    #[test]
    fn utf_16_is_refused() {
        for label in ["utf-16", "utf-16be", "iso-2022-jp"] {
            assert!(TextEncoding::for_label(label).is_err(), "{label}");
        }
    }

    #[test]
    fn two_and_four_byte_characters_are_read() {
        // 矿 is BF F3, 㐀 (U+3400) is 81 39 EE 39: a four-byte character whose bytes hold digits.
        assert_eq!(decoded(gb18030(), b"\xBF\xF3a\x81\x39\xEE\x39").unwrap(), "矿a㐀");
    }

    #[test]
    fn the_offset_of_bad_bytes_is_exact() {
        assert_eq!(decoded(gb18030(), b"ab\xFFcd"), Err(2));
        assert_eq!(decoded(gb18030(), b"\xBF\xF3\xBF"), Err(2), "cut in the middle");
        assert_eq!(decoded(gb18030(), b"a\x81\x20"), Err(1), "a lead byte before a space");
        assert_eq!(decoded(TextEncoding::UTF_8, "矿x\u{0}".as_bytes()).unwrap(), "矿x\u{0}");
    }

    #[test]
    fn a_bar_or_a_letter_may_be_part_of_a_gb18030_character() {
        for byte in [b',', b';', b'\t', b'"', b'\n', b'\r', b'\'', b':'] {
            assert!(gb18030().stands_alone(byte), "{}", char::from(byte));
        }
        for byte in [b'|', b'0', b'@', b'~', b'^'] {
            assert!(!gb18030().stands_alone(byte), "{}", char::from(byte));
        }
        assert!(TextEncoding::UTF_8.stands_alone(b'|'));
    }

    #[test]
    fn the_mark_of_the_declared_encoding_is_skipped_and_of_another_refused() {
        assert_eq!(TextEncoding::UTF_8.mark(b"\xEF\xBB\xBFa"), Ok(3));
        assert_eq!(TextEncoding::UTF_8.mark(b"abc"), Ok(0));
        assert_eq!(gb18030().mark(b"\x84\x31\x95\x33a"), Ok(4));
        assert_eq!(TextEncoding::UTF_8.mark(b"\xFF\xFEa\0").unwrap_err().rule, Rule::WrongEncoding);
        assert_eq!(gb18030().mark(b"\xEF\xBB\xBFa").unwrap_err().rule, Rule::WrongEncoding);
    }
}
