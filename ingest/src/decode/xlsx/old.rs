//! A workbook of the old kind, measured before the library reads it.
//!
//! The library keeps every sheet as a full rectangle, with a text of its own in every cell: two cells in
//! the corners of a sheet take as much memory as a full one, a long text that many cells share is copied
//! into each, and a workbook of some kilobytes can name hundreds of such sheets. What it will take is
//! added up here from the records, with the numbers that [MS-XLS] gives them.

mod container;
mod texts;

use super::super::failure::{FileRefused, Rule};
use super::super::foreign::broken;

/// Most cells that all sheets together span; each takes 24 bytes.
const MOST_CELLS: u64 = 12_000_000;
/// Most bytes of the texts and formulas of all cells.
const MOST_TEXT: u64 = 192 << 20;
/// Rows and columns of a sheet of this kind at most.
const ROWS: u64 = 1 << 16;
const COLUMNS: u64 = 1 << 8;

/// Refuses a workbook that takes too much memory to read, or has no stream of records.
pub(super) fn examine(file: &[u8]) -> Result<(), FileRefused> {
    let Some(stream) = container::workbook(file) else {
        return Err(broken("there is no workbook in the file"));
    };
    let mut globals = Globals::default();
    for record in Records::of(&stream) {
        match record.kind {
            END => break,
            BOUND_SHEET => globals.sheets.extend(long(record.data, 0)),
            SHARED_TEXTS => globals.texts = texts::sizes(&record),
            NAME => {
                globals.longest_name = globals.longest_name.max(u64::from(record.data.get(3).copied().unwrap_or(0)))
            }
            _ => {}
        }
    }
    let (mut cells, mut text) = (0_u64, 0_u64);
    for begin in &globals.sheets {
        let Some(records) = stream.get(*begin as usize..) else {
            return Err(broken("a sheet stands outside of the workbook"));
        };
        let sheet = globals.measure(records, MOST_TEXT.saturating_sub(text))?;
        cells = cells.saturating_add(sheet.values.area()).saturating_add(sheet.formulas.area());
        text = text.saturating_add(sheet.text);
        if cells > MOST_CELLS || text > MOST_TEXT {
            return Err(too_large());
        }
    }
    Ok(())
}

const END: u16 = 0x000A;
const NAME: u16 = 0x0018;
const CONTINUE: u16 = 0x003C;
const BOUND_SHEET: u16 = 0x0085;
const MANY_NUMBERS: u16 = 0x00BD;
const RICH_TEXT: u16 = 0x00D6;
const SHARED_TEXTS: u16 = 0x00FC;
const SHARED_TEXT: u16 = 0x00FD;
const DIMENSIONS: u16 = 0x0200;
const NUMBER: u16 = 0x0203;
const TEXT: u16 = 0x0204;
const TRUTH: u16 = 0x0205;
const RESULT_TEXT: u16 = 0x0207;
const SHORT_NUMBER: u16 = 0x027E;
const BEGIN: u16 = 0x0809;
const FORMULA: u16 = 0x0006;

/// What the workbook says once for all sheets.
#[derive(Default)]
struct Globals {
    /// Where the sheets begin in the stream.
    sheets: Vec<u32>,
    /// Size of each shared text, bytes.
    texts: Vec<u32>,
    /// Characters of the longest name that formulas can use.
    longest_name: u64,
}

/// What one sheet takes.
#[derive(Default)]
struct Sheet {
    values: Rectangle,
    formulas: Rectangle,
    text: u64,
}

impl Globals {
    /// Adds up a sheet, as far as its texts stay under a limit.
    fn measure(&self, records: &[u8], most_text: u64) -> Result<Sheet, FileRefused> {
        let mut sheet = Sheet::default();
        // Charts inside a sheet have records of the same kinds.
        let (mut has_begun, mut inside) = (false, 0_u32);
        for Record { kind, data, .. } in Records::of(records) {
            match kind {
                BEGIN if has_begun => inside += 1,
                BEGIN => has_begun = true,
                END if inside == 0 => break,
                END => inside -= 1,
                _ if inside > 0 => {}
                DIMENSIONS => dimensions(data)?,
                NUMBER | TRUTH | SHORT_NUMBER => sheet.values.add(data, 2),
                TEXT | RICH_TEXT => {
                    sheet.values.add(data, 2);
                    sheet.text += 3 * data.len() as u64;
                }
                SHARED_TEXT => {
                    sheet.values.add(data, 2);
                    let size = long(data, 6).and_then(|number| self.texts.get(number as usize));
                    sheet.text += u64::from(size.copied().unwrap_or(0));
                }
                MANY_NUMBERS => {
                    sheet.values.add(data, 2);
                    sheet.values.add(data, data.len().saturating_sub(2));
                }
                FORMULA => {
                    sheet.values.add(data, 2);
                    sheet.formulas.add(data, 2);
                    // A token of a few bytes becomes an area, the name of a sheet or a name.
                    sheet.text += data.len() as u64 * self.longest_name.max(16);
                }
                RESULT_TEXT => sheet.text += 3 * data.len() as u64,
                _ => {}
            }
            if sheet.text > most_text {
                return Err(too_large());
            }
        }
        Ok(sheet)
    }
}

/// The library makes room for the size that a sheet declares before it reads a cell.
fn dimensions(data: &[u8]) -> Result<(), FileRefused> {
    let (last_row, last_column) = match data.len() {
        10 => (short(data, 2).map(u64::from), short(data, 6)),
        _ => (long(data, 4).map(u64::from), short(data, 10)),
    };
    let is_sound = last_row.unwrap_or(0) <= ROWS && last_column.map_or(0, u64::from) <= COLUMNS;
    if is_sound { Ok(()) } else { Err(broken("a sheet is larger than a workbook of this kind allows")) }
}

/// The rectangle that some cells span.
#[derive(Default)]
struct Rectangle(Option<[u16; 4]>);

impl Rectangle {
    /// Takes in the cell of a record, whose row stands first and whose column at `column`.
    fn add(&mut self, data: &[u8], column: usize) {
        let (Some(row), Some(column)) = (short(data, 0), short(data, column)) else { return };
        let [top, bottom, left, right] = self.0.unwrap_or([row, row, column, column]);
        self.0 = Some([top.min(row), bottom.max(row), left.min(column), right.max(column)]);
    }

    fn area(&self) -> u64 {
        self.0.map_or(0, |[top, bottom, left, right]| (u64::from(bottom - top) + 1) * (u64::from(right - left) + 1))
    }
}

/// A record with what continues it.
struct Record<'s> {
    kind: u16,
    data: &'s [u8],
    continued: Vec<&'s [u8]>,
}

/// The records of a stream, until one is cut short.
struct Records<'s> {
    rest: &'s [u8],
}

impl<'s> Records<'s> {
    fn of(stream: &'s [u8]) -> Self {
        Self { rest: stream }
    }

    fn one(&mut self) -> Option<(u16, &'s [u8])> {
        let (kind, size) = (short(self.rest, 0)?, usize::from(short(self.rest, 2)?));
        let data = self.rest.get(4..4 + size)?;
        self.rest = &self.rest[4 + size..];
        Some((kind, data))
    }
}

impl<'s> Iterator for Records<'s> {
    type Item = Record<'s>;

    fn next(&mut self) -> Option<Record<'s>> {
        let (kind, data) = self.one()?;
        let mut continued = Vec::new();
        while short(self.rest, 0) == Some(CONTINUE) {
            continued.push(self.one()?.1);
        }
        Some(Record { kind, data, continued })
    }
}

fn short(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

fn long(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

fn too_large() -> FileRefused {
    FileRefused::new(
        Rule::UnpacksTooFar,
        "旧版 xls 工作簿的表格范围或文本过大，无法在有限内存中读取；请另存为 xlsx，或删去远离数据的单元格",
        "the sheets of the old workbook span too many cells or hold too much text; save it as xlsx, or delete cells far \
         from the data",
    )
}
