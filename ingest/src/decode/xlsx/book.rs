//! A workbook of any of the three kinds, behind one face.

use std::io::{Cursor, Read, Seek};

use calamine::{Data, Dimensions, Reader, Sheet, Xls, XlsError, Xlsb, XlsbError, Xlsx, XlsxError};

use super::old;
use super::parts::{self, Parts};
use super::value::Given;
use crate::decode::failure::{DecodeError, FileRefused, Rule};
use crate::decode::foreign::broken;
use crate::decode::packed::{AnyInput, Limit};

/// Most bytes of an old workbook: the library reads all of its sheets into memory.
const MOST_XLS: u64 = 64 << 20;

const OLE_MARK: &[u8] = b"\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1";

/// Takes the cells of a sheet by row and column from 0.
type Sink<'s> = dyn FnMut(u32, u32, Given<'_>) -> Result<(), DecodeError> + 's;

/// An open workbook.
pub(super) enum Book {
    Xlsx(Box<Xlsx<AnyInput>>),
    Xlsb(Box<Xlsb<AnyInput>>),
    Xls(Box<Xls<Cursor<Vec<u8>>>>),
}

impl Book {
    /// Opens a workbook by what it is, not by what it is called.
    pub(super) fn open(mut input: AnyInput, limit: Limit) -> Result<Self, DecodeError> {
        let mut mark = Vec::with_capacity(8);
        input.by_ref().take(8).read_to_end(&mut mark)?;
        input.rewind()?;
        if mark.starts_with(b"PK") {
            let (input, parts) = parts::examined(input, limit)?;
            return match parts {
                Parts::Xml => Ok(Self::Xlsx(Box::new(Xlsx::new(input).map_err(xlsx)?))),
                Parts::Binary => Ok(Self::Xlsb(Box::new(Xlsb::new(input).map_err(xlsb)?))),
            };
        }
        if mark == OLE_MARK {
            return Self::old(input);
        }
        Err(FileRefused::new(
            Rule::WrongFormat,
            "文件不是 Excel 工作簿（xlsx、xlsb、xls）；有些系统把网页或文本改名为 .xls，请导出为 xlsx 或 CSV",
            "the file is no Excel workbook (xlsx, xlsb, xls); some systems call web pages or text .xls: export xlsx or CSV",
        )
        .into())
    }

    fn old(input: AnyInput) -> Result<Self, DecodeError> {
        let mut bytes = Vec::new();
        input.take(MOST_XLS + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > MOST_XLS {
            let most = MOST_XLS >> 20;
            return Err(FileRefused::new(
                Rule::UnpacksTooFar,
                format!("旧版 xls 工作簿超过 {most} MiB；请另存为 xlsx"),
                format!("a workbook of the old kind over {most} MiB; save it as xlsx"),
            )
            .into());
        }
        // A new workbook with a password is a stream of this name inside the old container.
        let locked: Vec<u8> = "EncryptedPackage".encode_utf16().flat_map(u16::to_le_bytes).collect();
        if memchr::memmem::find(&bytes, &locked).is_some() {
            return Err(has_password().into());
        }
        old::examine(&bytes)?;
        Ok(Self::Xls(Box::new(Xls::new(Cursor::new(bytes)).map_err(xls)?)))
    }

    /// The sheets in the order of the workbook.
    pub(super) fn sheets(&self) -> &[Sheet] {
        match self {
            Self::Xlsx(book) => book.sheets_metadata(),
            Self::Xlsb(book) => book.sheets_metadata(),
            Self::Xls(book) => book.sheets_metadata(),
        }
    }

    /// The merged cells of a sheet; the binary kind does not tell them.
    pub(super) fn merged(&mut self, sheet: &str) -> Result<Vec<Dimensions>, DecodeError> {
        match self {
            Self::Xlsx(book) => Ok(book.merge_cells_by_sheet_name(sheet).map_err(xlsx)?),
            Self::Xlsb(_) => Ok(Vec::new()),
            Self::Xls(book) => Ok(book.merge_cells_by_sheet_name(sheet).map_err(xls)?),
        }
    }

    /// Hands over every cell of a sheet.
    pub(super) fn cells(&mut self, sheet: &str, sink: &mut Sink<'_>) -> Result<(), DecodeError> {
        match self {
            Self::Xlsx(book) => {
                let mut cells = book.worksheet_cells_reader(sheet).map_err(xlsx)?;
                while let Some(cell) = cells.next_cell_with_formula_metadata().map_err(xlsx)? {
                    sink(cell.pos.0, cell.pos.1, Given::of(&cell.value, cell.formula.is_some()))?;
                }
            }
            Self::Xlsb(book) => {
                let mut cells = book.worksheet_cells_reader(sheet).map_err(xlsb)?;
                while let Some(cell) = cells.next_cell().map_err(xlsb)? {
                    let (row, column) = cell.get_position();
                    sink(row, column, Given::of(cell.get_value(), false))?;
                }
            }
            Self::Xls(book) => {
                let range = book.worksheet_range(sheet).map_err(xls)?;
                let Some((first_row, first_column)) = range.start() else { return Ok(()) };
                for (row, column, value) in range.cells() {
                    if *value != Data::Empty {
                        sink(first_row + row as u32, first_column + column as u32, Given::of(value, false))?;
                    }
                }
            }
        }
        Ok(())
    }
}

fn xlsx(error: XlsxError) -> FileRefused {
    match error {
        XlsxError::Password => has_password(),
        error => broken(&error.to_string()),
    }
}

fn xlsb(error: XlsbError) -> FileRefused {
    match error {
        XlsbError::Password => has_password(),
        error => broken(&error.to_string()),
    }
}

fn xls(error: XlsError) -> FileRefused {
    match error {
        XlsError::Password => has_password(),
        error => broken(&error.to_string()),
    }
}

fn has_password() -> FileRefused {
    FileRefused::new(
        Rule::DamagedFile,
        "工作簿设有密码，无法读取；请取消密码后重新报送",
        "the workbook has a password; send it without one",
    )
}
