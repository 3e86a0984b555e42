//! Formats of cells, and what every sheet has: a title, a head that stays, a page to print on.

use rust_xlsxwriter::{Color, Format, FormatAlign, FormatBorder, Worksheet, XlsxError};
use serde_json::Value;

/// The formats of the workbook.
pub(super) struct Look {
    pub(super) title: Format,
    pub(super) note: Format,
    pub(super) head: Format,
    pub(super) text: Format,
    pub(super) points: Format,
    pub(super) count: Format,
    pub(super) money: Format,
    pub(super) percent: Format,
    pub(super) decimal: Format,
    pub(super) code: Format,
}

/// The first row of a table: above it stand the title and a note.
pub(super) const HEAD_ROW: u32 = 2;

impl Look {
    pub(super) fn new() -> Self {
        let cell = || Format::new().set_border(FormatBorder::Thin).set_border_color(Color::RGB(0xBF_BFBF));
        Self {
            title: Format::new().set_bold().set_font_size(16),
            note: Format::new().set_font_color(Color::RGB(0x59_5959)),
            head: cell()
                .set_bold()
                .set_background_color(Color::RGB(0xDD_EBF7))
                .set_align(FormatAlign::Center)
                .set_align(FormatAlign::VerticalCenter)
                .set_text_wrap(),
            text: cell(),
            points: cell().set_num_format("0.0000"),
            count: cell().set_num_format("#,##0"),
            money: cell().set_num_format("#,##0.00"),
            percent: cell().set_num_format("0.00%"),
            decimal: cell().set_num_format("0.00"),
            code: cell().set_font_name("Consolas").set_font_size(9),
        }
    }

    /// The format of a value in a unit.
    pub(super) fn unit(&self, unit: &str) -> &Format {
        match unit {
            "ratio" => &self.percent,
            "count" | "days" => &self.count,
            "amount" | "yuan" => &self.money,
            _ => &self.decimal,
        }
    }
}

/// Title, note and head of a sheet; the head stays when one scrolls, and on every printed page.
pub(super) fn head(
    sheet: &mut Worksheet,
    title: &str,
    note: &str,
    columns: &[(&str, f64)],
    fixed_columns: u16,
    look: &Look,
) -> Result<(), XlsxError> {
    sheet.write_string_with_format(0, 0, title, &look.title)?;
    sheet.write_string_with_format(1, 0, note, &look.note)?;
    for (place, (name, width)) in (0_u16..).zip(columns) {
        sheet.write_string_with_format(HEAD_ROW, place, *name, &look.head)?;
        sheet.set_column_width(place, *width)?;
    }
    sheet.set_freeze_panes(HEAD_ROW + 1, fixed_columns)?;
    sheet.set_landscape();
    // A4, one page wide, as many high as are needed.
    sheet.set_paper_size(9);
    sheet.set_print_fit_to_pages(1, 0);
    sheet.set_repeat_rows(HEAD_ROW, HEAD_ROW)?;
    sheet.set_footer("&C第 &P 页，共 &N 页");
    Ok(())
}

/// A number, a decimal text, or nothing.
pub(super) fn number(
    sheet: &mut Worksheet,
    row: u32,
    column: u16,
    value: &Value,
    look: &Look,
    format: &Format,
) -> Result<(), XlsxError> {
    let found = match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.parse().ok(),
        _ => None,
    };
    match found {
        // Money has its decimals, whatever the unit of the value is.
        Some(found) if value.is_string() => sheet.write_number_with_format(row, column, found, &look.money)?,
        Some(found) => sheet.write_number_with_format(row, column, found, format)?,
        None => sheet.write_string_with_format(row, column, "—", &look.text)?,
    };
    Ok(())
}

/// A name that a sheet may have: at most 31 characters, none of `[]:*?/\`.
pub(super) fn sheet_name(name: &str) -> String {
    let plain = |letter: char| if "[]:*?/\\'".contains(letter) { '-' } else { letter };
    name.chars().take(31).map(plain).collect()
}
