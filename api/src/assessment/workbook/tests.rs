use std::collections::HashMap;
use std::io::Cursor;

use anze_queries::assessment::{Assessment, SampleRow};
use calamine::{Data, Reader, Xlsx};
use serde_json::json;

use super::*;

/// Two cities and two indicators, as a document: Hangzhou 16.5 of 60 and 40 of 40, Ningbo without a score.
fn handed() -> Handed {
    let indicator = |metric: &str, title: &str, unit: &str, weight: u32| {
        json!({
            "metric": metric, "title": title, "title_en": "", "unit": unit, "weight": weight, "scoring": "linear 0.8 → 1",
            "as_of": "2025-12-31", "params": {}, "gate": null, "without_rule": 0, "provisional": false,
        })
    };
    let score = |metric: &str,
                 numerator: serde_json::Value,
                 denominator: serde_json::Value,
                 value: Option<f64>,
                 points: Option<f64>| {
        json!({
            "metric": metric, "numerator": numerator, "denominator": denominator, "value": value, "exact": null,
            "not_reached": false, "weight": points.map(|_| 50.0), "points": points, "provisional": [],
            "cases": {"denominator": 200, "numerator": 171, "gap": 29}, "sample": [],
        })
    };
    let document = json!({
        "id": "territory-2025-0001", "state": "frozen", "title": "2025 年度考核", "subjects": "city",
        "period": {"name": "2025", "from": "2025-01-01", "to": "2026-01-01", "partial": false},
        "scheme": {"id": "territory-2025", "version": 1, "sha256": "00", "text": "title = \"x\"\nversion = 1"},
        "release": {"release": 42, "published_at": "2026-06-30T00:00:00Z", "day": "2026-06-30", "contracts": "", "tables": {}},
        "reviews_until": "2026-06-30T00:00:00Z", "program": "0", "definitions": [],
        "created_at": "2026-06-30T00:00:00Z", "created_by": "operator",
        "frozen_at": "2026-07-01T00:00:00Z", "frozen_by": "operator", "number": 1, "previous": "0", "succeeds": null,
        "scores": {
            "indicators": [
                indicator("coverage_rate", "投保覆盖率", "ratio", 60),
                indicator("prevention_spend", "预防费用", "amount", 40),
            ],
            "subjects": [
                {
                    "code": "330100", "name": "杭州市", "total": 56.5, "rank": 1, "grade": "不合格", "capped": [], "leads": {},
                    "provisional": [{"reason": "empty_roster", "open_units": 7}],
                    "indicators": [
                        score("coverage_rate", json!(171), json!(200), Some(0.855), Some(16.5)),
                        score("prevention_spend", json!("1234567.89"), json!("2000000.00"), Some(1234567.89), Some(40.0)),
                    ],
                },
                {
                    "code": "330200", "name": "宁波市", "total": null, "rank": null, "grade": null, "capped": [], "leads": {},
                    "provisional": [],
                    "indicators": [
                        score("coverage_rate", json!(0), json!(0), None, None),
                        score("prevention_spend", json!("0.00"), json!("0.00"), None, None),
                    ],
                },
            ],
            "outside": [{"metric": "coverage_rate", "member": "unknown", "name": "未知", "numerator": 1, "denominator": 3}],
            "rules": [{"dataset": "rule", "values": {"rule_id": "min_death_limit", "value": "400000.000000", "basis": "27号"}}],
            "leads": [],
            "batches": {},
        },
        "files": [],
    });
    let assessment: Assessment = serde_json::from_value(document).unwrap();
    Handed { assessment, sha256: Some("ab".repeat(32)) }
}

fn evidence() -> Vec<HashMap<String, Vec<SampleRow>>> {
    let row = SampleRow {
        dataset: "roster".into(),
        key: "U1,mine,2025-01-01".into(),
        batch_id: Some("b1".into()),
        row_no: Some(7),
        numerator: json!(0),
        denominator: json!(1),
    };
    vec![HashMap::from([("330100".to_owned(), vec![row])]), HashMap::new()]
}

fn read() -> (Vec<u8>, Xlsx<Cursor<Vec<u8>>>) {
    let landed = HashMap::from([("b1".to_owned(), "cd".repeat(32))]);
    let bytes = written(&handed(), &evidence(), &landed).unwrap();
    (bytes.clone(), Xlsx::new(Cursor::new(bytes)).unwrap())
}

fn cell(book: &mut Xlsx<Cursor<Vec<u8>>>, sheet: &str, row: u32, column: u32) -> Data {
    book.worksheet_range(sheet).unwrap().get_value((row, column)).cloned().unwrap_or(Data::Empty)
}

#[test]
fn the_workbook_has_scores_a_sheet_for_each_subject_the_evidence_and_the_basis() {
    let (_, book) = read();
    let expected = ["得分与名次", "330100 杭州市", "330200 宁波市", "明细 投保覆盖率", "明细 预防费用", "依据"];
    assert_eq!(book.sheet_names(), expected);
}

#[test]
fn scores_ranks_and_grades_stand_under_a_chinese_head() {
    let (_, mut book) = read();
    let sheet = "得分与名次";
    assert_eq!(cell(&mut book, sheet, 0, 0), Data::String("2025 年度考核".into()));
    let head: Vec<Data> = (0..8).map(|column| cell(&mut book, sheet, 2, column)).collect();
    let expected = ["名次", "代码", "考核对象", "总分", "等次", "暂定", "投保覆盖率（60分）", "预防费用（40分）"];
    assert_eq!(head, expected.map(|text| Data::String(text.into())));
    assert_eq!(cell(&mut book, sheet, 3, 0), Data::Float(1.0));
    assert_eq!(cell(&mut book, sheet, 3, 2), Data::String("杭州市".into()));
    assert_eq!(cell(&mut book, sheet, 3, 3), Data::Float(56.5));
    assert_eq!(cell(&mut book, sheet, 3, 4), Data::String("不合格".into()));
    assert_eq!(cell(&mut book, sheet, 3, 5), Data::String("暂定".into()));
    assert_eq!(cell(&mut book, sheet, 3, 6), Data::Float(16.5));
    assert_eq!(cell(&mut book, sheet, 4, 3), Data::String("—".into()), "no score is no zero");
}

#[test]
fn a_subject_sheet_shows_how_numbers_became_points() {
    let (_, mut book) = read();
    let sheet = "330100 杭州市";
    assert_eq!(cell(&mut book, sheet, 3, 2), Data::Float(171.0));
    assert_eq!(cell(&mut book, sheet, 3, 4), Data::Float(0.855));
    assert_eq!(cell(&mut book, sheet, 4, 2), Data::Float(1_234_567.89));
    assert_eq!(cell(&mut book, sheet, 4, 7), Data::Float(40.0));
    let remark = cell(&mut book, sheet, 6, 0);
    assert!(remark.to_string().contains("名册为空"), "{remark}");
    let shared = cell(&mut book, "330200 宁波市", 3, 10);
    assert!(shared.to_string().contains("不适用"), "{shared}");
}

#[test]
fn evidence_names_the_record_the_row_and_the_hash_of_its_file() {
    let (_, mut book) = read();
    let sheet = "明细 投保覆盖率";
    assert_eq!(cell(&mut book, sheet, 3, 3), Data::String("U1,mine,2025-01-01".into()));
    assert_eq!(cell(&mut book, sheet, 3, 7), Data::Float(7.0));
    assert_eq!(cell(&mut book, sheet, 3, 8), Data::String("cd".repeat(32)));
}

#[test]
fn heads_are_frozen_numbers_have_formats_and_charts_are_native() {
    let (bytes, _) = read();
    let mut packed = zip(&bytes);
    let sheet = packed.remove("xl/worksheets/sheet1.xml").unwrap();
    assert!(sheet.contains("state=\"frozen\"") && sheet.contains("ySplit=\"3\""), "{sheet}");
    let styles = packed.remove("xl/styles.xml").unwrap();
    assert!(styles.contains("0.0000") && styles.contains("0.00%"), "{styles}");
    // Two on the first sheet, one on each subject's.
    let charts = packed.keys().filter(|name| name.starts_with("xl/charts/chart")).count();
    assert_eq!(charts, 4);
    assert_eq!(
        written(&handed(), &evidence(), &HashMap::new()).unwrap(),
        written(&handed(), &evidence(), &HashMap::new()).unwrap()
    );
}

/// The parts of a package as text.
fn zip(bytes: &[u8]) -> HashMap<String, String> {
    use std::io::Read;
    let mut archive = zip::ZipArchive::new(Cursor::new(bytes)).unwrap();
    (0..archive.len())
        .map(|place| {
            let mut part = archive.by_index(place).unwrap();
            let mut text = String::new();
            let _ = part.read_to_string(&mut text);
            (part.name().unwrap().into_owned(), text)
        })
        .collect()
}
