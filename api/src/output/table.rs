//! Tables for people.

use comfy_table::{CellAlignment, ContentArrangement, Table, presets};
use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::Schema;
use datafusion::arrow::error::ArrowError;

use super::cell::{Cells, is_numeric, names};

/// Wide tables wrap at a terminal; a rule need not wrap with them.
const WIDEST_RULE: usize = 120;

/// A table of texts; columns named in `right` are flush right.
pub fn render(header: &[String], right: &[bool], rows: Vec<Vec<String>>) -> String {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(header);
    for row in rows {
        table.add_row(row.into_iter().map(visible));
    }
    for (index, right) in right.iter().enumerate() {
        if let (true, Some(column)) = (*right, table.column_mut(index)) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    let mut text = String::new();
    for (place, line) in table.lines().enumerate() {
        let line = line.trim_end();
        text.push_str(line.strip_prefix(' ').unwrap_or(line));
        text.push('\n');
        if place == 0 {
            text.push_str(&"─".repeat(width(&table).min(WIDEST_RULE)));
            text.push('\n');
        }
    }
    text
}

/// A table of batches.
pub fn batches(schema: &Schema, batches: &[RecordBatch]) -> Result<String, ArrowError> {
    let right: Vec<bool> = schema.fields().iter().map(|field| is_numeric(field.data_type())).collect();
    let mut rows = Vec::new();
    for batch in batches {
        let cells = Cells::of(batch)?;
        rows.extend((0..cells.rows()).map(|row| cells.row(row).map(|cell| cell.text()).collect()));
    }
    Ok(render(&names(schema), &right, rows))
}

fn width(table: &Table) -> usize {
    let widths = table.column_max_content_widths();
    widths.iter().map(|width| usize::from(*width) + 2).sum::<usize>().saturating_sub(2)
}

/// Control characters would move the cursor or start a new line: they are shown as symbols.
fn visible(text: String) -> String {
    if !text.chars().any(char::is_control) {
        return text;
    }
    text.chars()
        .map(|letter| match letter {
            '\u{0}'..='\u{1f}' => char::from_u32(0x2400 + u32::from(letter)).unwrap_or('\u{fffd}'),
            '\u{7f}' => '\u{2421}',
            letter if letter.is_control() => '\u{fffd}',
            letter => letter,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_flush_right_and_chinese_is_two_wide() {
        let header = ["city", "count"].map(String::from);
        let rows = vec![vec!["杭州市".to_owned(), "1".to_owned()], vec!["a".to_owned(), "1000".to_owned()]];
        let text = render(&header, &[false, true], rows);
        assert_eq!(text, "city    count\n─────────────\n杭州市      1\na        1000\n");
    }

    #[test]
    fn control_characters_are_shown_not_obeyed() {
        assert_eq!(visible("a\nb\u{1b}[2J".to_owned()), "a␊b␛[2J");
    }
}
