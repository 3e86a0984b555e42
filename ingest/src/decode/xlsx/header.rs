//! The titles of a sheet's columns, from one row or several with merged cells.

use std::collections::BTreeMap;

use calamine::Dimensions;

use crate::decode::cell::trimmed;

/// What a sheet calls its columns, up to the last one with a title; empty where one has none.
///
/// A merged cell says its text in every cell that it covers, to the right and down. The parts of a
/// title, from above, are joined by `/`; a part like the one above it is said once.
pub(super) fn titles(mut texts: BTreeMap<(u32, u32), String>, merged: &[Dimensions]) -> Vec<String> {
    let Some(last_row) = texts.keys().map(|(row, _)| *row).max() else { return Vec::new() };
    for area in merged {
        let Some(text) = texts.get(&area.start).cloned() else { continue };
        for row in area.start.0..=area.end.0.min(last_row) {
            for column in area.start.1..=area.end.1.min(super::MOST_COLUMNS - 1) {
                texts.entry((row, column)).or_insert_with(|| text.clone());
            }
        }
    }
    let mut parts: BTreeMap<u32, Vec<String>> = BTreeMap::new();
    for ((_, column), text) in texts {
        let part = trimmed(&text);
        let of_column = parts.entry(column).or_default();
        if !part.is_empty() && of_column.last().is_none_or(|above| above != part) {
            of_column.push(part.to_owned());
        }
    }
    let width = parts.iter().rev().find(|(_, parts)| !parts.is_empty()).map_or(0, |(column, _)| column + 1);
    (0..width).map(|column| parts.get(&column).map(|parts| parts.join("/")).unwrap_or_default()).collect()
}

/// The letters of a column, from 0: A, B … Z, AA …
pub(super) fn letters(column: u32) -> String {
    let (rest, last) = (column / 26, (b'A' + (column % 26) as u8) as char);
    match rest {
        0 => last.to_string(),
        rest => letters(rest - 1) + &last.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(cells: &[(u32, u32, &str)]) -> BTreeMap<(u32, u32), String> {
        cells.iter().map(|(row, column, text)| ((*row, *column), (*text).to_owned())).collect()
    }

    #[test]
    fn merged_cells_spread_over_what_they_cover() {
        // 保单号 over both rows; 保费 over two columns; 备注 in the second row alone.
        let texts = texts(&[(1, 0, "保单号"), (1, 1, "保费"), (2, 1, "应收"), (2, 2, " 实收 "), (2, 4, "备注")]);
        let merged =
            [Dimensions::new((1, 0), (2, 0)), Dimensions::new((1, 1), (1, 2)), Dimensions::new((0, 0), (0, 9))];
        assert_eq!(titles(texts, &merged), ["保单号", "保费/应收", "保费/实收", "", "备注"]);
    }

    #[test]
    fn columns_have_letters() {
        assert_eq!([0, 25, 26, 701, 702, 16_383].map(letters), ["A", "Z", "AA", "ZZ", "AAA", "XFD"]);
    }
}
