//! Columns computed from several of theirs, by something that stands in for the engine.

use std::sync::Arc;

use datafusion::arrow::array::{Array, AsArray, RecordBatch, StringArray};

use super::workbook::{Sheet, Workbook, error, formula, number, text};
use super::*;

/// Both columns joined by a blank; fails where the first is `fail`, and is nothing without both.
#[derive(Debug)]
pub(super) struct Joined([String; 2]);

impl Joined {
    pub(super) fn of(one: &str, other: &str) -> Arc<Self> {
        Arc::new(Self([one.to_owned(), other.to_owned()]))
    }
}

impl Derive for Joined {
    fn columns(&self) -> &[String] {
        &self.0
    }

    fn derive(&self, source: &RecordBatch) -> Derived {
        let column = |place: usize| source.column(place).as_string::<i32>();
        let (one, other) = (column(0), column(1));
        let is_failed = |row: &usize| one.is_valid(*row) && one.value(*row) == "fail";
        let rows = 0..source.num_rows();
        let joined = rows.clone().map(|row| {
            let is_there = one.is_valid(row) && other.is_valid(row) && !is_failed(&row);
            is_there.then(|| format!("{} {}", one.value(row), other.value(row)))
        });
        let failed = rows.filter(is_failed).map(|row| (row, "it says so".to_owned())).collect();
        Derived { texts: joined.collect::<StringArray>(), failed }
    }
}

/// Services that began at a day and a time of theirs.
fn services(format: &str, bytes: &[u8]) -> Result<Vec<(u64, String, Vec<String>)>, DecodeError> {
    let feed: Feed = toml::from_str(format).unwrap();
    let contract = builtin().dataset("service").unwrap();
    let position = contract.position("started_at").unwrap();
    let mut mapping = Mapping::new(&feed.columns, &feed.constants, contract).unwrap();
    let read_as = ColumnConfig {
        to: "started_at".to_owned(),
        format: Some("%Y/%m/%d %H:%M".to_owned()),
        ..ColumnConfig::default()
    };
    mapping.compute(&read_as, Joined::of("日期", "时间")).unwrap();
    let mut rows = Vec::new();
    let decoder = Decoder::open(Cursor::new(bytes.to_vec()), &Format::new(&feed.format).unwrap(), &mapping, &[])?;
    assert!(decoder.unknown_columns().is_empty(), "what a column is made of is asked for");
    for chunk in decoder {
        let chunk = chunk?;
        for row in 0..chunk.rows.num_rows() {
            let faults = chunk.failures.iter().filter(|failure| failure.row == row);
            let faults = faults.map(|failure| format!("{} {}", failure.rule, failure.message.en)).collect();
            rows.push((chunk.row_no[row], texts(&chunk.rows, row)[position].clone(), faults));
        }
    }
    Ok(rows)
}

const CONSTANTS: &str = "constants.policy_no = 'P'\nconstants.unit_id = 'U'\nconstants.insurer_code = 'PICC'\n\
                         constants.sector = 'mine'\nconstants.region_code = '330102'\nconstants.service_type = 'T1'\n\
                         constants.provider_kind = 'own'\n";

#[test]
fn a_computed_text_is_read_as_if_it_stood_in_the_file() {
    let file = "service_no,日期,时间\nS1,2026/01/05,08:30\nS2,,08:30\nS3,2026/01/05,8 o'clock\nS4,fail,08:30\n";
    let rows = services(CONSTANTS, file.as_bytes()).unwrap();
    assert_eq!(rows[0], (1, "2026-01-05T00:30:00Z".to_owned(), vec![]), "08:30 in Shanghai");
    assert_eq!(rows[1], (2, String::new(), vec![]), "no day, no instant");
    assert!(rows[2].2[0].starts_with("not_a_timestamp") && rows[2].2[0].contains("2026/01/05 8 o'clock"), "{rows:?}");
    let told = "expression_failed the expression of column \"started_at\" fails: it says so";
    assert_eq!(rows[3].2, [told]);
}

#[test]
fn a_file_without_a_column_that_something_is_made_of_is_refused_and_in_json_it_is_missing() {
    let refused = services(CONSTANTS, "service_no,日期\nS1,2026/01/05\n".as_bytes()).unwrap_err();
    assert!(matches!(&refused, DecodeError::Refused(why) if why.message.zh.contains("“时间”")), "{refused:?}");
    let ndjson = format!("{CONSTANTS}format.kind = 'ndjson'\n");
    let rows = services(&ndjson, "{\"service_no\":\"S1\",\"日期\":\"2026/01/05\"}\n".as_bytes()).unwrap();
    assert_eq!(rows, [(1, String::new(), vec![])]);
}

#[test]
fn nothing_is_computed_from_a_cell_that_is_no_value() {
    let ndjson = format!("{CONSTANTS}format.kind = 'ndjson'\n");
    let rows = services(&ndjson, "{\"service_no\":\"S1\",\"日期\":[1],\"时间\":\"08:30\"}\n".as_bytes()).unwrap();
    assert!(rows[0].2[0].starts_with("nested_value"), "{rows:?}");
    let titles = ["service_no", "日期", "时间"].map(text).to_vec();
    let book = Workbook::of(vec![Sheet::of(
        "a",
        vec![
            titles,
            vec![text("S1"), error("#N/A"), text("08:30")],
            vec![text("S2"), text("2026/01/05"), formula(None)],
            vec![text("S3"), number("1"), number("2")],
        ],
    )]);
    let rows = services(&format!("{CONSTANTS}format.kind = 'xlsx'\n"), &book.bytes()).unwrap();
    let rules: Vec<&str> = rows.iter().map(|(_, _, faults)| faults[0].split(' ').next().unwrap()).collect();
    assert_eq!(rules, ["cell_error", "uncalculated", "not_a_timestamp"]);
}

#[test]
fn a_column_has_one_origin_and_a_computed_one_is_checked_like_any_other() {
    let contract = builtin().dataset("budget").unwrap();
    let compute = |toml: &str, config: &str| {
        let feed: Feed = toml::from_str(toml).unwrap();
        let mut mapping = Mapping::new(&feed.columns, &feed.constants, contract).unwrap();
        let config: ColumnConfig =
            toml::from_str::<BTreeMap<String, ColumnConfig>>(config).unwrap().remove("c").unwrap();
        mapping.compute(&config, Joined::of("a", "b")).map_err(|faults| faults[0].to_string())
    };
    assert!(compute("", "c = 'amount'").is_ok());
    for (toml, config, told) in [
        ("columns.x = 'amount'", "c = 'amount'", "expressions.amount: \"x\" in [columns] already becomes amount"),
        ("constants.amount = 1", "c = 'amount'", "expressions.amount: amount is in [constants] already"),
        ("", "c = 'amuont'", "did you mean \"amount\"?"),
        ("", "c = { to = 'insurer_code', scale = 2 }", "expressions.insurer_code: scale: "),
    ] {
        let fault = compute(toml, config).unwrap_err();
        assert!(fault.contains(told), "{fault}");
    }
}
