//! Files that are no lines of text: a workbook and a JSON document.

use serde_json::Value;

use crate::delivery::insurer_with_policies;
use crate::deployment::Deployment;

fn feed(format: &str) -> String {
    format!(
        "dataset = \"budget\"\nreporter = \"NFRA\"\n\n[source]\nkind = \"directory\"\npath = \"inbox/budgets\"\npattern = \"*\"\n\n\
         {format}\n\n[contract]\nmax_quarantined = \"50%\"\n"
    )
}

const WORKBOOK: &str = r#"
[format]
kind = "xlsx"
sheet = "预算"

[columns]
"机构" = "insurer_code"
"年度" = "year"
"预算(万元)" = { to = "amount", scale = 10000 }
"#;

const DOCUMENT: &str = "[format]\nkind = \"json\"\npath = \"/data\"";

fn delivered(format: &str, name: &str, bytes: &[u8]) -> Deployment {
    let deployment = insurer_with_policies();
    deployment.write("feeds/budgets.toml", feed(format));
    deployment.write(name, bytes);
    assert_eq!(deployment.ingest().code, Some(3), "something is held");
    deployment
}

#[test]
fn a_workbook_is_loaded_and_its_rows_lead_back_to_their_cells() {
    let deployment = delivered(WORKBOOK, "inbox/budgets/预算.xlsx", &workbook());
    let budgets = deployment.csv("select insurer_code, year, amount from budget");
    assert_eq!(budgets, "insurer_code,year,amount\nPICC,2026,125000.00\n");

    let held = deployment.sql("select row_no, rule, column_name, raw from system.quarantine where feed_id = 'budgets'");
    assert_eq!(held.len(), 1);
    assert_eq!((held[0]["row_no"].as_u64(), held[0]["rule"].as_str()), (Some(3), Some("cell_error")));
    let raw: Value = serde_json::from_str(held[0]["raw"].as_str().unwrap()).unwrap();
    assert_eq!(raw, serde_json::json!({"机构": "CPIC", "年度": "2026", "预算(万元)": "#N/A"}));

    let traced = deployment.run(&["trace", "budget", "PICC,2026", "--format", "json"]).json();
    let landed = &traced["versions"][0]["landed"];
    let cells: Value = serde_json::from_str(landed["text"].as_str().unwrap()).unwrap();
    assert_eq!(cells, serde_json::json!({"机构": "PICC", "年度": "2026", "预算(万元)": "12.5"}));
    assert_eq!(landed["offset"], Value::Null, "a row of a workbook stands at no bytes of its own");
}

#[test]
fn nothing_is_loaded_of_a_document_that_is_cut_short() {
    let text = br#"{"data":[{"insurer_code":"PICC","year":2026,"amount":1},{"insurer_code":"CPIC","year":2026"#;
    let deployment = delivered(DOCUMENT, "inbox/budgets/budget.json", text);
    let batch = deployment.sql("select state, reason from system.batch where feed_id = 'budgets'");
    assert_eq!(batch[0]["state"], "held");
    assert!(batch[0]["reason"].as_str().unwrap().contains("JSON"), "{batch:?}");
    assert_eq!(deployment.csv("select count(*) as n from history.budget"), "n\n0\n");
}

/// A sheet 预算 with a header, a budget, an empty row and a budget that could not be calculated.
fn workbook() -> Vec<u8> {
    const MAIN: &str = "http://schemas.openxmlformats.org/spreadsheetml/2006/main";
    const OFFICE: &str = "http://schemas.openxmlformats.org/officeDocument/2006/relationships";
    let text = |text: &str| format!("<c t=\"inlineStr\"><is><t>{text}</t></is></c>");
    let relation = |kind: &str, target: &str| {
        format!("<Relationships><Relationship Id=\"r1\" Type=\"{OFFICE}/{kind}\" Target=\"{target}\"/></Relationships>")
    };
    let header: String = ["机构", "年度", "预算(万元)"].map(text).concat();
    let rows = format!(
        "<row r=\"1\">{header}</row><row r=\"2\">{}<c><v>2026</v></c><c><v>12.5</v></c></row>\
         <row r=\"4\">{}<c><v>2026</v></c><c t=\"e\"><v>#N/A</v></c></row>",
        text("PICC"),
        text("CPIC"),
    );
    let about = format!(
        "<workbook xmlns=\"{MAIN}\" xmlns:r=\"{OFFICE}\"><sheets>\
         <sheet name=\"预算\" sheetId=\"1\" r:id=\"r1\"/></sheets></workbook>"
    );
    zip(&[
        ("[Content_Types].xml", "<Types/>".to_owned()),
        ("_rels/.rels", relation("officeDocument", "xl/workbook.xml")),
        ("xl/workbook.xml", about),
        ("xl/_rels/workbook.xml.rels", relation("worksheet", "worksheets/sheet1.xml")),
        ("xl/worksheets/sheet1.xml", format!("<worksheet xmlns=\"{MAIN}\"><sheetData>{rows}</sheetData></worksheet>")),
    ])
}

/// A zip without compression: each file behind its header, then the directory and its end.
fn zip(files: &[(&str, String)]) -> Vec<u8> {
    let (mut bytes, mut directory) = (Vec::new(), Vec::new());
    for (name, text) in files {
        let offset = bytes.len() as u32;
        let size = (text.len() as u32).to_le_bytes();
        let name_len = (name.len() as u16).to_le_bytes();
        // Version 2.0, no flags, stored, 1980-01-01; checksum, both sizes, lengths of name and extras.
        let mut common = vec![20, 0, 0, 0, 0, 0, 0, 0, 0x21, 0];
        common.extend(crc32(text.as_bytes()).to_le_bytes());
        common.extend([size, size].concat());
        common.extend(name_len);
        common.extend([0, 0]);
        bytes.extend(b"PK\x03\x04");
        bytes.extend(&common);
        bytes.extend(name.as_bytes());
        bytes.extend(text.as_bytes());
        directory.extend(b"PK\x01\x02\x14\x00");
        directory.extend(&common);
        // Comment, disk, attributes.
        directory.extend([0; 10]);
        directory.extend(offset.to_le_bytes());
        directory.extend(name.as_bytes());
    }
    let (start, size, count) = (bytes.len() as u32, directory.len() as u32, files.len() as u16);
    bytes.extend(directory);
    bytes.extend(b"PK\x05\x06\0\0\0\0");
    bytes.extend([count.to_le_bytes(), count.to_le_bytes()].concat());
    bytes.extend([size.to_le_bytes(), start.to_le_bytes()].concat());
    bytes.extend([0, 0]);
    bytes
}

fn crc32(bytes: &[u8]) -> u32 {
    let step = |crc: u32, byte: &u8| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| if crc & 1 == 1 { crc >> 1 ^ 0xEDB8_8320 } else { crc >> 1 })
    };
    !bytes.iter().fold(!0, step)
}
