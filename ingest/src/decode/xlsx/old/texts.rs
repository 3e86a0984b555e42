//! The texts that cells share ([MS-XLS], SST), of which only the sizes are wanted.

use super::Record;

/// Bytes that each shared text can take; those behind a place that cannot be read are left out, as the
/// library will not read them either.
pub(super) fn sizes(record: &Record<'_>) -> Vec<u32> {
    let mut pieces = Pieces { now: record.data.get(8..).unwrap_or_default(), rest: &record.continued };
    let mut sizes = Vec::new();
    while let Some(size) = pieces.text() {
        sizes.push(size);
    }
    sizes
}

/// A record and what continues it, read on.
struct Pieces<'r, 's> {
    now: &'s [u8],
    rest: &'r [&'s [u8]],
}

impl Pieces<'_, '_> {
    fn text(&mut self) -> Option<u32> {
        if self.now.is_empty() {
            self.turn()?;
        }
        let head = self.take(3)?;
        let (mut characters, flags) = (usize::from(u16::from_le_bytes([head[0], head[1]])), head[2]);
        let runs = if flags & 8 != 0 { self.take(2).map(|two| u16::from_le_bytes([two[0], two[1]]))? } else { 0 };
        let beside = if flags & 4 != 0 {
            self.take(4).map(|four| u32::from_le_bytes([four[0], four[1], four[2], four[3]]))?
        } else {
            0
        };
        let (mut width, mut size) = (1 + usize::from(flags & 1), 0);
        while characters > 0 {
            if self.now.is_empty() {
                self.turn()?;
                // What continues a text says anew how wide its characters are.
                width = 1 + usize::from(self.take(1)?[0] & 1);
            }
            let here = characters.min(self.now.len() / width);
            if here == 0 {
                return None;
            }
            self.now = &self.now[here * width..];
            characters -= here;
            size += here * (width + 1);
        }
        self.skip(usize::from(runs) * 4 + beside as usize)?;
        u32::try_from(size).ok()
    }

    fn turn(&mut self) -> Option<()> {
        let (next, rest) = self.rest.split_first()?;
        (self.now, self.rest) = (next, rest);
        Some(())
    }

    fn take(&mut self, count: usize) -> Option<&[u8]> {
        let (taken, rest) = self.now.split_at_checked(count)?;
        self.now = rest;
        Some(taken)
    }

    fn skip(&mut self, mut count: usize) -> Option<()> {
        while count > self.now.len() {
            count -= self.now.len();
            self.turn()?;
        }
        self.now = &self.now[count..];
        Some(())
    }
}
