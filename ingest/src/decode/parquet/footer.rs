//! A look over the footer of a Parquet file before the library reads it: the library makes room
//! for as many things as a list says it has, and a list that lies could take all memory.

/// Most bytes of a footer that is looked at.
pub(super) const MOST_BYTES: u64 = 32 << 20;
/// Deepest nesting; Parquet's own is six.
const DEEPEST: u32 = 16;

/// Whether the bytes begin with one structure of Thrift's compact protocol in which every list and
/// text is as long as it says.
pub(super) fn is_sound(bytes: &[u8]) -> bool {
    Skim { rest: bytes }.structure(0).is_some()
}

/// What is still to be passed over.
struct Skim<'a> {
    rest: &'a [u8],
}

impl Skim<'_> {
    fn structure(&mut self, depth: u32) -> Option<()> {
        if depth > DEEPEST {
            return None;
        }
        loop {
            let header = self.byte()?;
            if header == 0 {
                return Some(());
            }
            if header >> 4 == 0 {
                self.number()?;
            }
            // The truth of a field is in its header.
            if !matches!(header & 0x0F, 1 | 2) {
                self.value(header & 0x0F, depth)?;
            }
        }
    }

    fn value(&mut self, kind: u8, depth: u32) -> Option<()> {
        match kind {
            1..=3 => self.pass(1),
            4..=6 => self.number().map(|_| ()),
            7 => self.pass(8),
            8 => {
                let len = self.number()?;
                self.pass(usize::try_from(len).ok()?)
            }
            9 | 10 => {
                let header = self.byte()?;
                let count = if header >> 4 == 15 { self.number()? } else { u64::from(header >> 4) };
                self.several(count, &[header & 0x0F], depth)
            }
            11 => {
                let count = self.number()?;
                let kinds = if count == 0 { 0 } else { self.byte()? };
                self.several(count, &[kinds >> 4, kinds & 0x0F], depth)
            }
            12 => self.structure(depth + 1),
            13 => self.pass(16),
            _ => None,
        }
    }

    fn several(&mut self, count: u64, kinds: &[u8], depth: u32) -> Option<()> {
        if depth > DEEPEST || count > self.rest.len() as u64 {
            return None;
        }
        for _ in 0..count {
            for kind in kinds {
                self.value(*kind, depth + 1)?;
            }
        }
        Some(())
    }

    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(*first)
    }

    fn pass(&mut self, len: usize) -> Option<()> {
        self.rest = self.rest.get(len..)?;
        Some(())
    }

    /// A number of up to ten bytes, the lowest seven bits first.
    fn number(&mut self) -> Option<u64> {
        let mut number = 0;
        for place in 0..10 {
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7F).checked_shl(7 * place)?;
            if byte & 0x80 == 0 {
                return Some(number);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_that_lie_are_seen() {
        // Field 1 is the number 2, field 2 a list of two texts, field 3 is true; then the end.
        let sound = [0x15, 0x04, 0x19, 0x28, 1, b'a', 0, 0x11, 0];
        assert!(is_sound(&sound));
        for cut in 0..sound.len() {
            assert!(!is_sound(&sound[..cut]), "{cut} bytes");
        }
        // A list of 2^28 structures in a few bytes.
        assert!(!is_sound(&[0x19, 0xFC, 0x80, 0x80, 0x80, 0x80, 0x01, 0, 0, 0]));
        // A text of 100 bytes that are not there.
        assert!(!is_sound(&[0x18, 100, b'a', 0]));
        // Structures without end.
        assert!(!is_sound(&[0x1C; 1000]));
    }
}
