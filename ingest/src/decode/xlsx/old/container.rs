//! The container around an old workbook ([MS-CFB]): sectors in chains, like a small file system.

use super::{long, short};

/// Numbers of sectors from here on are marks: the end of a chain, or no sector.
const FIRST_MARK: u32 = 0xFFFF_FFFA;
/// Streams under this size lie in small sectors inside a stream of their own.
const SMALL_STREAM: u64 = 4096;
const SMALL_SECTOR: usize = 64;

/// The stream of the workbook's records; `None` where there is none or a chain is broken.
pub(super) fn workbook(file: &[u8]) -> Option<Vec<u8>> {
    let container = Container::open(file)?;
    container.stream("Workbook").or_else(|| container.stream("Book"))
}

struct Container<'f> {
    sectors: Sectors<'f>,
    /// The sector after each sector.
    next: Vec<u32>,
    entries: Vec<Entry>,
    first_of_small_next: u32,
}

struct Entry {
    name: String,
    first: u32,
    size: u64,
}

/// Sectors of one size behind a head.
struct Sectors<'f> {
    bytes: &'f [u8],
    size: usize,
}

impl<'f> Sectors<'f> {
    /// A sector; the last one may be cut short.
    fn get(&self, number: u32) -> Option<&'f [u8]> {
        let start = (number as usize).checked_mul(self.size)?;
        let rest = self.bytes.get(start..)?;
        (!rest.is_empty()).then(|| &rest[..rest.len().min(self.size)])
    }

    fn count(&self) -> usize {
        self.bytes.len().div_ceil(self.size)
    }

    /// The bytes of a chain, `most` at the most; a chain that runs in a circle is none.
    fn chain(&self, first: u32, next: &[u32], most: u64) -> Option<Vec<u8>> {
        let (mut bytes, mut number, mut steps) = (Vec::new(), first, 0);
        while number < FIRST_MARK && (bytes.len() as u64) < most {
            steps += 1;
            if steps > self.count() {
                return None;
            }
            bytes.extend_from_slice(self.get(number)?);
            number = next.get(number as usize).copied().unwrap_or(FIRST_MARK);
        }
        bytes.truncate(usize::try_from(most).unwrap_or(usize::MAX));
        Some(bytes)
    }
}

impl<'f> Container<'f> {
    fn open(file: &'f [u8]) -> Option<Self> {
        let (head, size) = match short(file, 30)? {
            9 => (512, 512),
            12 => (4096, 4096),
            _ => return None,
        };
        let sectors = Sectors { bytes: file.get(head..)?, size };
        // Sectors of the table of chains: the first 109 stand in the head, more in a chain of lists.
        let mut tables: Vec<u32> = numbers(file.get(76..512)?).collect();
        let (mut list, mut lists) = (long(file, 68)?, 0);
        while list < FIRST_MARK {
            lists += 1;
            if lists > sectors.count() {
                return None;
            }
            tables.extend(numbers(sectors.get(list)?));
            list = tables.pop()?;
        }
        tables.retain(|table| *table < FIRST_MARK);
        // Each table is for more than a hundred sectors; a file that repeats one would grow in memory.
        if tables.len() > sectors.count() / 64 + 2 {
            return None;
        }
        let mut next = Vec::new();
        for table in tables {
            next.extend(numbers(sectors.get(table)?));
        }
        let folder = sectors.chain(long(file, 48)?, &next, u64::MAX)?;
        let entries = folder.chunks_exact(128).map(|entry| Entry::of(entry, size)).collect::<Option<Vec<_>>>()?;
        Some(Self { sectors, next, entries, first_of_small_next: long(file, 60)? })
    }

    fn stream(&self, name: &str) -> Option<Vec<u8>> {
        let entry = self.entries.iter().find(|entry| entry.name.eq_ignore_ascii_case(name))?;
        if entry.size >= SMALL_STREAM {
            return self.sectors.chain(entry.first, &self.next, entry.size);
        }
        let root = self.entries.first()?;
        let small = self.sectors.chain(root.first, &self.next, root.size)?;
        let next: Vec<u32> = numbers(&self.sectors.chain(self.first_of_small_next, &self.next, u64::MAX)?).collect();
        Sectors { bytes: &small, size: SMALL_SECTOR }.chain(entry.first, &next, entry.size)
    }
}

impl Entry {
    fn of(entry: &[u8], sector: usize) -> Option<Self> {
        let units = entry.get(..64)?.chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]]));
        let name: Vec<u16> = units.take_while(|unit| *unit != 0).collect();
        let low = u64::from(long(entry, 120)?);
        // Files of small sectors may have anything in the upper half.
        let size = if sector == 512 { low } else { low | u64::from(long(entry, 124)?) << 32 };
        Some(Self { name: String::from_utf16_lossy(&name), first: long(entry, 116)?, size })
    }
}

fn numbers(bytes: &[u8]) -> impl Iterator<Item = u32> + '_ {
    bytes.chunks_exact(4).map(|four| u32::from_le_bytes([four[0], four[1], four[2], four[3]]))
}
