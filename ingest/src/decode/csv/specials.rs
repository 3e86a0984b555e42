//! Finding the few bytes that matter to a CSV splitter.

/// Bytes looked at in one go.
const STEP: usize = 64;

/// Positions of delimiters, quotes and bytes under 0x20 (line ends among them), in order.
#[derive(Debug, Clone)]
pub(super) struct Specials<'a> {
    bytes: &'a [u8],
    delimiter: u8,
    quote: u8,
    /// Start of the step at hand, and its positions still to be given, one bit each.
    base: usize,
    mask: u64,
}

impl<'a> Specials<'a> {
    /// Starts at a position.
    pub(super) fn from(bytes: &'a [u8], at: usize, delimiter: u8, quote: u8) -> Self {
        let mut specials = Self { bytes, delimiter, quote, base: at, mask: 0 };
        specials.mask = specials.look();
        specials
    }

    /// Goes on at another position.
    pub(super) fn seek(&mut self, at: usize) {
        self.base = at;
        self.mask = self.look();
    }

    /// Goes to the next step that has any; tells whether there is one.
    #[inline(never)]
    fn advance(&mut self) -> bool {
        while self.mask == 0 {
            self.base += STEP;
            if self.base >= self.bytes.len() {
                return false;
            }
            self.mask = self.look();
        }
        true
    }

    /// Looks at the step at `base`; bit i stands for the byte at `base + i`.
    #[inline]
    fn look(&self) -> u64 {
        let rest = self.bytes.get(self.base..).unwrap_or_default();
        match rest.first_chunk::<STEP>() {
            Some(step) => mask(step, self.delimiter, self.quote),
            None => {
                let mut step = [u8::MAX; STEP];
                step[..rest.len()].copy_from_slice(rest);
                mask(&step, self.delimiter, self.quote)
            }
        }
    }
}

impl Iterator for Specials<'_> {
    type Item = usize;

    #[inline(always)]
    fn next(&mut self) -> Option<usize> {
        if self.mask == 0 && !self.advance() {
            return None;
        }
        let at = self.base + self.mask.trailing_zeros() as usize;
        self.mask &= self.mask - 1;
        Some(at)
    }
}

/// One bit a byte: whether it is special.
#[inline]
fn mask(step: &[u8; STEP], delimiter: u8, quote: u8) -> u64 {
    // The first loop becomes vector compares, the second gathers eight flags with one product.
    let mut flags = [0_u8; STEP];
    for (flag, byte) in flags.iter_mut().zip(step) {
        *flag = u8::from((*byte == delimiter) | (*byte == quote) | (*byte < 0x20));
    }
    let mut mask = 0;
    for (at, eight) in flags.as_chunks::<8>().0.iter().enumerate() {
        let eight = u64::from_le_bytes(*eight).wrapping_mul(0x0102_0408_1020_4080) >> 56;
        mask |= eight << (at * 8);
    }
    mask
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_special_byte_is_found_once_and_in_order() {
        let text: Vec<u8> = (0..1_000).map(|at| (at * 7 + at / 13) as u8).collect();
        for start in [0, 1, 63, 64, 65, 990, 1_000] {
            let expected: Vec<usize> =
                (start..text.len()).filter(|at| matches!(text[*at], b',' | b'"' | 0..0x20)).collect();
            assert_eq!(Specials::from(&text, start, b',', b'"').collect::<Vec<_>>(), expected, "from {start}");
        }
    }

    #[test]
    fn seeking_forgets_what_lies_between() {
        let mut specials = Specials::from(b",a,b,c,d", 0, b',', b'"');
        assert_eq!(specials.next(), Some(0));
        specials.seek(3);
        assert_eq!(specials.collect::<Vec<_>>(), [4, 6]);
    }
}
