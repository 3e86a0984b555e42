//! Workbooks made of the few parts that a reader needs, written by hand.

use std::io::{Cursor, Write};

use zip::ZipWriter;
use zip::write::SimpleFileOptions;

const MAIN: &str = "http://schemas.openxmlformats.org/spreadsheetml/2006/main";
const PACKAGE: &str = "http://schemas.openxmlformats.org/package/2006";
const OFFICE: &str = "http://schemas.openxmlformats.org/officeDocument/2006/relationships";

/// A cell without its place.
#[derive(Debug, Clone)]
pub(super) struct Cell {
    attributes: &'static str,
    inner: String,
}

/// Nothing at all.
pub(super) fn none() -> Cell {
    Cell { attributes: "", inner: String::new() }
}

/// A text that stands in the cell itself.
pub(super) fn text(text: &str) -> Cell {
    Cell { attributes: " t=\"inlineStr\"", inner: format!("<is><t>{text}</t></is>") }
}

/// One of the workbook's shared texts.
pub(super) fn shared(number: usize) -> Cell {
    Cell { attributes: " t=\"s\"", inner: format!("<v>{number}</v>") }
}

/// A number without a format.
pub(super) fn number(digits: &str) -> Cell {
    Cell { attributes: "", inner: format!("<v>{digits}</v>") }
}

/// A serial number formatted as a day.
pub(super) fn day(serial: &str) -> Cell {
    Cell { attributes: " s=\"1\"", inner: format!("<v>{serial}</v>") }
}

/// A serial number formatted by a format of the workbook's own, `yyyy-mm-dd hh:mm:ss`.
pub(super) fn moment(serial: &str) -> Cell {
    Cell { attributes: " s=\"2\"", inner: format!("<v>{serial}</v>") }
}

pub(super) fn truth(digit: &str) -> Cell {
    Cell { attributes: " t=\"b\"", inner: format!("<v>{digit}</v>") }
}

pub(super) fn error(name: &str) -> Cell {
    Cell { attributes: " t=\"e\"", inner: format!("<v>{name}</v>") }
}

/// A formula with its result, or without.
pub(super) fn formula(result: Option<&str>) -> Cell {
    let result = result.map(|result| format!("<v>{result}</v>")).unwrap_or_default();
    Cell { attributes: "", inner: format!("<f>SUM(A1:A2)</f>{result}") }
}

/// Cells of texts, as headers have them.
pub(super) fn texts(texts: &[&str]) -> Vec<Cell> {
    texts.iter().map(|title| if title.is_empty() { none() } else { text(title) }).collect()
}

/// A sheet: rows by their number from 1, and merged areas such as `A1:B1`.
#[derive(Debug, Clone)]
pub(super) struct Sheet {
    pub(super) name: &'static str,
    pub(super) state: &'static str,
    pub(super) rows: Vec<(u32, Vec<Cell>)>,
    pub(super) merged: Vec<&'static str>,
}

impl Sheet {
    /// A visible sheet whose rows follow each other.
    pub(super) fn of(name: &'static str, rows: Vec<Vec<Cell>>) -> Self {
        Self { name, state: "visible", rows: (1..).zip(rows).collect(), merged: Vec::new() }
    }

    fn xml(&self) -> String {
        let mut xml = format!("<?xml version=\"1.0\"?><worksheet xmlns=\"{MAIN}\"><sheetData>");
        for (row, cells) in &self.rows {
            xml += &format!("<row r=\"{row}\">");
            for (column, cell) in cells.iter().enumerate() {
                let letter = char::from(b'A' + column as u8);
                if !cell.inner.is_empty() {
                    xml += &format!("<c r=\"{letter}{row}\"{}>{}</c>", cell.attributes, cell.inner);
                }
            }
            xml += "</row>";
        }
        xml += "</sheetData>";
        if !self.merged.is_empty() {
            xml += "<mergeCells>";
            for area in &self.merged {
                xml += &format!("<mergeCell ref=\"{area}\"/>");
            }
            xml += "</mergeCells>";
        }
        xml + "</worksheet>"
    }
}

/// A workbook.
#[derive(Debug, Clone, Default)]
pub(super) struct Workbook {
    pub(super) sheets: Vec<Sheet>,
    pub(super) shared: Vec<&'static str>,
    pub(super) is_1904: bool,
}

impl Workbook {
    /// A workbook of these sheets.
    pub(super) fn of(sheets: Vec<Sheet>) -> Self {
        Self { sheets, ..Self::default() }
    }

    /// The file.
    pub(super) fn bytes(&self) -> Vec<u8> {
        let mut parts = vec![
            ("[Content_Types].xml".to_owned(), format!("<Types xmlns=\"{PACKAGE}/content-types\"/>")),
            ("_rels/.rels".to_owned(), relations(&[("rId1", "officeDocument", "xl/workbook.xml".to_owned())])),
            ("xl/workbook.xml".to_owned(), self.about()),
        ];
        let sheet = |number: usize| (format!("rId{number}"), format!("worksheets/sheet{number}.xml"));
        let targets: Vec<_> = (1..=self.sheets.len()).map(sheet).collect();
        let of_workbook: Vec<_> =
            targets.iter().map(|(id, target)| (id.as_str(), "worksheet", target.clone())).collect();
        parts.push(("xl/_rels/workbook.xml.rels".to_owned(), relations(&of_workbook)));
        parts.push(("xl/styles.xml".to_owned(), styles()));
        let shared: String = self.shared.iter().map(|text| format!("<si><t>{text}</t></si>")).collect();
        let count = self.shared.len();
        parts.push((
            "xl/sharedStrings.xml".to_owned(),
            format!("<sst xmlns=\"{MAIN}\" count=\"{count}\" uniqueCount=\"{count}\">{shared}</sst>"),
        ));
        for ((_, target), sheet) in targets.iter().zip(&self.sheets) {
            parts.push((format!("xl/{target}"), sheet.xml()));
        }
        zipped(&parts)
    }

    fn about(&self) -> String {
        let sheets: String = (1..)
            .zip(&self.sheets)
            .map(|(number, sheet)| {
                let (name, state) = (sheet.name, sheet.state);
                format!("<sheet name=\"{name}\" sheetId=\"{number}\" state=\"{state}\" r:id=\"rId{number}\"/>")
            })
            .collect();
        let date1904 = u8::from(self.is_1904);
        format!(
            "<workbook xmlns=\"{MAIN}\" xmlns:r=\"{OFFICE}\"><workbookPr date1904=\"{date1904}\"/>\
             <sheets>{sheets}</sheets></workbook>"
        )
    }
}

/// A zip of texts by name.
pub(super) fn zipped(parts: &[(String, String)]) -> Vec<u8> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, xml) in parts {
        writer.start_file(name.as_str(), SimpleFileOptions::default()).unwrap();
        writer.write_all(xml.as_bytes()).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

fn relations(targets: &[(&str, &str, String)]) -> String {
    let all: String = targets
        .iter()
        .map(|(id, kind, target)| format!("<Relationship Id=\"{id}\" Type=\"{OFFICE}/{kind}\" Target=\"{target}\"/>"))
        .collect();
    format!("<Relationships xmlns=\"{PACKAGE}/relationships\">{all}</Relationships>")
}

fn styles() -> String {
    format!(
        "<styleSheet xmlns=\"{MAIN}\"><numFmts count=\"1\"><numFmt numFmtId=\"164\" formatCode=\"yyyy-mm-dd hh:mm:ss\"/>\
         </numFmts><cellXfs count=\"3\"><xf numFmtId=\"0\"/><xf numFmtId=\"14\"/><xf numFmtId=\"164\"/></cellXfs></styleSheet>"
    )
}
