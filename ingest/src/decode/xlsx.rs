//! Workbooks: xlsx, xlsb and xls, told apart by content, one sheet read cell by cell.
//!
//! A row of the sheet is a record if any of its cells says something. Its number is that of the row
//! behind the header, so empty rows leave gaps. Hidden rows and columns count like others: filters
//! hide, they do not take back. Columns without a title belong to no field and are kept for people.

mod book;
mod header;
mod old;
mod parts;
mod value;

use std::collections::BTreeMap;

use calamine::{Dimensions, Sheet, SheetType, SheetVisible};

use super::cell::trimmed;
use super::failure::{DecodeError, FileRefused, Rule};
use super::foreign::{Foreign, Outlet, broken};
use super::format::{Format, Limits, SheetChoice, SheetLayout};
use super::packed::{AnyInput, Limit};
use super::records::{Header, unreadable_header};
use super::rendered::Rendering;
use book::Book;
use value::{Given, Shown};

/// Rows and columns of a sheet at most.
const MOST_ROWS: u32 = 1 << 20;
const MOST_COLUMNS: u32 = 1 << 14;

/// Opens a workbook as far as the header of the wanted sheet.
pub(super) fn open(input: AnyInput, layout: &SheetLayout, format: &Format) -> Result<(Header, Foreign), DecodeError> {
    let (layout, limits) = (layout.clone(), format.limits);
    let limit = Limit { bytes: format.packing.max_bytes, ratio: format.packing.max_ratio };
    Foreign::start("workbook", move |outlet| {
        let mut book = Book::open(input, limit)?;
        let sheet = chosen(book.sheets(), layout.sheet.as_ref())?;
        let merged = if layout.header_rows > 1 { book.merged(&sheet)? } else { Vec::new() };
        let mut table = Table::new(layout, merged, limits, outlet);
        book.cells(&sheet, &mut |row, column, given| table.cell(row, column, given))?;
        table.finish()
    })
}

/// The name of the wanted sheet.
fn chosen(sheets: &[Sheet], choice: Option<&SheetChoice>) -> Result<String, FileRefused> {
    let is_table = |sheet: &&Sheet| sheet.typ == SheetType::WorkSheet;
    let found = match choice {
        None => sheets.iter().filter(is_table).find(|sheet| sheet.visible == SheetVisible::Visible),
        Some(SheetChoice::Number(number)) => sheets.get(*number as usize - 1).filter(is_table),
        Some(SheetChoice::Name(name)) => sheets.iter().filter(is_table).find(|sheet| sheet.name == *name),
    };
    if let Some(sheet) = found {
        return Ok(sheet.name.clone());
    }
    let names = sheets.iter().map(|sheet| format!("\"{}\"", sheet.name)).collect::<Vec<_>>().join(", ");
    let wanted = match choice {
        None => ("可见的工作表".to_owned(), "visible sheet".to_owned()),
        Some(SheetChoice::Number(number)) => (format!("第 {number} 张工作表"), format!("sheet number {number}")),
        Some(SheetChoice::Name(name)) => (format!("工作表“{name}”"), format!("sheet \"{name}\"")),
    };
    Err(FileRefused::new(
        Rule::MissingSheet,
        format!("工作簿中没有{}；现有工作表：{names}", wanted.0),
        format!("the workbook has no {}; it has {names}", wanted.1),
    ))
}

/// A table on its way from cells to records.
struct Table<'o> {
    layout: SheetLayout,
    merged: Vec<Dimensions>,
    limits: Limits,
    outlet: &'o Outlet,
    /// Texts of the header by row and column, from 0.
    header: BTreeMap<(u32, u32), String>,
    /// Once the header is told: what writes the records, and how many columns have a title.
    rows: Option<(Rendering, u32)>,
    /// The row that is being written, from 0.
    open_row: Option<u32>,
    last_row: u32,
}

impl<'o> Table<'o> {
    fn new(layout: SheetLayout, merged: Vec<Dimensions>, limits: Limits, outlet: &'o Outlet) -> Self {
        Self { layout, merged, limits, outlet, header: BTreeMap::new(), rows: None, open_row: None, last_row: 0 }
    }

    /// First row behind the header, from 0.
    fn first_row(&self) -> u32 {
        self.layout.header_row.saturating_add(self.layout.header_rows) - 1
    }

    /// Takes a cell; rows and columns are counted from 0, and rows come in order.
    fn cell(&mut self, row: u32, column: u32, given: Given<'_>) -> Result<(), DecodeError> {
        if row >= MOST_ROWS || column >= MOST_COLUMNS {
            return Err(broken("a cell stands outside of the sheet").into());
        }
        if row + 1 < self.layout.header_row {
            return Ok(());
        }
        let shown = given.shown();
        if row < self.first_row() {
            if let Some(text) = shown.text() {
                self.header.insert((row, column), text.to_owned());
            }
            return Ok(());
        }
        if matches!(&shown, Shown::Nothing) || shown.text().is_some_and(|text| trimmed(text).is_empty()) {
            return Ok(());
        }
        self.tell_header()?;
        if self.open_row != Some(row) {
            self.close_row()?;
            if row < self.last_row {
                return Err(broken("the rows of the sheet are out of order").into());
            }
            self.last_row = row;
            self.open_row = Some(row);
            let row_no = u64::from(row - self.first_row()) + 1;
            if let Some((rows, _)) = &mut self.rows {
                rows.open(row_no);
            }
        }
        if let Some((rows, width)) = &mut self.rows {
            put(rows, column, *width, &shown);
        }
        Ok(())
    }

    fn tell_header(&mut self) -> Result<(), DecodeError> {
        if self.rows.is_some() {
            return Ok(());
        }
        let titles = header::titles(std::mem::take(&mut self.header), &self.merged);
        if titles.is_empty() {
            let row = self.layout.header_row;
            return Err(unreadable_header(
                format!("工作表第 {row} 行没有表头；请核对 format.header_row 和 format.sheet"),
                format!("row {row} of the sheet has no header; check format.header_row and format.sheet"),
            )
            .into());
        }
        let named = titles.iter().enumerate().map(|(column, title)| match title.as_str() {
            "" => header::letters(column as u32),
            title => title.to_owned(),
        });
        let named: Vec<String> = named.collect();
        self.rows = Some((Rendering::new(named.iter().map(String::as_str), self.limits), titles.len() as u32));
        let text = serde_json::Value::from(titles.clone()).to_string();
        self.outlet.header(Header { titles, text, ..Header::default() })
    }

    fn close_row(&mut self) -> Result<(), DecodeError> {
        if self.open_row.take().is_none() {
            return Ok(());
        }
        match self.rows.as_mut().and_then(|(rows, _)| rows.close()) {
            Some(chunk) => self.outlet.chunk(chunk),
            None => Ok(()),
        }
    }

    fn finish(mut self) -> Result<(), DecodeError> {
        self.tell_header()?;
        self.close_row()?;
        match self.rows.take().and_then(|(rows, _)| rows.rest()) {
            Some(chunk) => self.outlet.chunk(chunk),
            None => Ok(()),
        }
    }
}

fn put(rows: &mut Rendering, column: u32, width: u32, shown: &Shown<'_>) {
    let field = column as usize;
    match shown {
        _ if column >= width => rows.beside(&header::letters(column), shown.text().unwrap_or_default()),
        Shown::Nothing => {}
        Shown::Uncalculated => rows.uncalculated(field),
        Shown::Text(text) => rows.text(field, text),
        Shown::Moment(text) => rows.moment(field, text),
        Shown::Faulty(rule, text) => rows.faulty(field, *rule, text),
    }
}
