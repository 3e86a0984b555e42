//! Random rows of every dataset, made by the contracts: few keys, so that rows meet, and days on edges.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use anze_warehouse::Release;
use anze_warehouse::contract::{Column, ColumnType, Contract, Severity, builtin};
use anze_warehouse::session::Limits;
use datafusion::arrow::array::RecordBatch;
use proptest::collection::vec;
use proptest::prelude::*;

use crate::handworked::table;

/// The day of every random release.
pub(super) const DAY: &str = "2026-06-30";

/// Days on which a day more or less makes a difference: the leap day, new year, the day that rules changed, the
/// observation day.
pub(super) const EDGES: [&str; 12] = [
    "2024-02-28",
    "2024-02-29",
    "2024-03-01",
    "2024-12-31",
    "2025-01-01",
    "2025-03-28",
    "2025-03-29",
    "2025-12-31",
    "2026-01-01",
    "2026-05-31",
    "2026-06-29",
    "2026-06-30",
];
/// The same around midnight: in Asia/Shanghai, and in UTC.
const TIMES: [&str; 4] = ["T00:00:00+08:00", "T23:59:59+08:00", "T00:00:00+00:00", "T12:00:00+08:00"];

/// What happens, with the most rows of it.
const DATASETS: [(&str, usize); 17] = [
    ("agency", 3),
    ("service_norm", 8),
    ("rule", 30),
    ("unit", 6),
    ("roster", 10),
    ("policy", 12),
    ("premium_receipt", 10),
    ("service", 12),
    ("hazard", 10),
    ("expense", 12),
    ("budget", 6),
    ("claim", 10),
    ("accident", 6),
    ("complaint", 8),
    ("visit", 8),
    ("inspection", 8),
    ("deferral", 2),
];

const RULES: [&str; 10] = [
    "min_death_limit",
    "commission_cap",
    "prevention_spend_floor",
    "prevention_spend_cap",
    "major_hazard_notice_hours",
    "claim_assess_days",
    "claim_pay_days",
    "claim_refuse_days",
    "claim_advance_days",
    "complaint_reply_workdays",
];

/// Rows by dataset: column and text.
#[derive(Debug, Clone, Default)]
pub(super) struct World {
    tables: BTreeMap<&'static str, Vec<BTreeMap<String, String>>>,
}

/// Any world.
pub(super) fn worlds() -> impl Strategy<Value = World> {
    let tables: Vec<_> =
        DATASETS.iter().map(|(name, most)| vec(vec(any::<u16>(), contract(name).columns.len()), 0..=*most)).collect();
    tables.prop_map(|tables| {
        let named = DATASETS.iter().zip(tables).map(|((name, _), rows)| (*name, made(contract(name), &rows)));
        World { tables: named.collect() }
    })
}

fn contract(name: &str) -> &'static Arc<Contract> {
    builtin().dataset(name).unwrap()
}

/// Rows from choices; of rows with one key the first stays.
fn made(contract: &Contract, rows: &[Vec<u16>]) -> Vec<BTreeMap<String, String>> {
    let mut keys = BTreeSet::new();
    rows.iter()
        .map(|choices| {
            let chosen = contract.columns.iter().zip(choices);
            let cells =
                chosen.filter_map(|(column, choice)| Some((column.name.clone(), cell(contract, column, *choice)?)));
            cells.collect::<BTreeMap<_, _>>()
        })
        .filter(|row| keys.insert(contract.key.iter().map(|name| row.get(name).cloned()).collect::<Vec<_>>()))
        .collect()
}

/// A value of a column; a column that need not be filled is empty in a quarter of the rows.
fn cell(contract: &Contract, column: &Column, choice: u16) -> Option<String> {
    let is_key = contract.key.contains(&column.name);
    let needed = column.required || (is_key && !column.empty_means_all);
    if !needed && choice % 4 == 3 {
        return None;
    }
    let place = usize::from(choice / 4);
    let one = |values: &[&str]| Some(values[place % values.len()].to_owned());
    if !column.codes.is_empty() {
        return Some(column.codes[place % column.codes.len()].clone());
    }
    match column.name.as_str() {
        "unit_id" | "subject_id" => return one(&["U1", "U2", "U3", "U4", "UX"]),
        "policy_no" | "previous_policy_no" => return one(&["P1", "P2", "P3", "P4", "P5", "PX"]),
        "service_no" => return one(&["S1", "S2", "S3", "S4", "S5", "SX"]),
        "line_no" | "reverses_line_no" => return one(&["L1", "L2", "L3", "L4", "L5", "L6", "L7"]),
        "accident_no" => return one(&["A1", "A2", "A3", "AX"]),
        "visit_no" => return one(&["V1", "V2", "V3"]),
        "voucher_no" => return one(&["B1", "B2", "B3", "B4"]),
        "uscc" | "agency_uscc" | "payee_uscc" => return one(&["G1", "G2", "GX"]),
        "insurer_code" => return one(&["PICC", "CPIC"]),
        "region_code" | "branch_region_code" => return one(&["330102", "330105", "330203", "330000", "000000"]),
        "sector" => return one(&["mine", "hazchem", "other"]),
        "category" => return one(&["T1", "T9", "commission"]),
        "lead_expert" => return one(&["甲", "乙"]),
        // By another name a department is shown and cannot be asked for: it is in no list.
        "department" => return one(&["emergency", "construction", "other"]),
        "rule_id" => return one(&RULES),
        "year" | "budget_year" => return one(&["2024", "2025", "2026"]),
        _ => {}
    }
    match column.kind {
        ColumnType::Text => Some(format!("{}{}", column.name, place % 8)),
        ColumnType::Bool => one(&["true", "false"]),
        ColumnType::Date => one(&EDGES),
        ColumnType::Timestamp => {
            Some(format!("{}{}", EDGES[place % EDGES.len()], TIMES[place / EDGES.len() % TIMES.len()]))
        }
        ColumnType::Int => number(&["0", "1", "2", "10", "30"], (18, 0), column, place),
        ColumnType::Decimal { precision, scale } => {
            let values = ["0", "1", "0.01", "0.05", "1000", "400000", "-1000", "-0.01"];
            number(&values, (precision, scale), column, place)
        }
    }
}

/// A number within the digits and the bounds of its column.
fn number(values: &[&str], (precision, scale): (u8, i8), column: &Column, place: usize) -> Option<String> {
    let units = |text: &str| {
        let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
        let digits = format!("{whole}{fraction:0<width$}", width = usize::from(scale.unsigned_abs()));
        digits.parse::<i128>().ok()
    };
    let within = |text: &&&str| {
        let value = units(text).unwrap_or_default();
        let fits = value.unsigned_abs() < 10_u128.pow(precision.into());
        fits && column.min.is_none_or(|least| value >= least) && column.max.is_none_or(|most| value <= most)
    };
    let allowed: Vec<&&str> = values.iter().filter(within).collect();
    Some((*allowed[place % allowed.len()]).to_owned())
}

impl World {
    /// The rows of a dataset; a column without a value is not there.
    pub(super) fn rows(&self, table: &str) -> Vec<BTreeMap<&str, &str>> {
        let rows = self.tables.get(table).into_iter().flatten().filter(|row| is_sound(table, row));
        rows.map(|row| row.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect()).collect()
    }

    /// The release of its rows, those that row rules would hold left out.
    pub(super) async fn release(&self) -> Arc<Release> {
        self.of_batches(|rows| vec![rows.to_vec()]).await
    }

    /// The same rows in another order, in several batches.
    pub(super) async fn shuffled(&self, order: u64, parts: usize) -> Arc<Release> {
        self.of_batches(|rows| {
            let mut rows = rows.to_vec();
            let mut state = order | 1;
            for place in (1..rows.len()).rev() {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                rows.swap(place, usize::try_from(state >> 33).unwrap_or_default() % (place + 1));
            }
            let size = rows.len().div_ceil(parts).max(1);
            rows.chunks(size).map(<[_]>::to_vec).collect()
        })
        .await
    }

    async fn of_batches(
        &self,
        cut: impl Fn(&[BTreeMap<String, String>]) -> Vec<Vec<BTreeMap<String, String>>>,
    ) -> Arc<Release> {
        let mut batches = reference();
        for (name, rows) in &self.tables {
            for part in cut(rows).iter().filter(|part| !part.is_empty()) {
                batches.push(((*name).to_owned(), table::batch(name, &text(contract(name), part))));
            }
        }
        let day = DAY.parse().unwrap();
        let all = Release::in_memory(day, batches.clone()).unwrap();
        let mut kept = Vec::new();
        for (name, batch) in batches {
            kept.extend(sound(&all, &name, batch).await.into_iter().map(|batch| (name.clone(), batch)));
        }
        Release::in_memory(day, kept).unwrap()
    }
}

/// Sectors and insurers, which every world knows.
fn reference() -> Vec<(String, RecordBatch)> {
    let sectors = "code | name | high_hazard | department\nmine | 矿山 | true | emergency\n\
                   hazchem | 危化 | true | emergency\nother | 其他 | false | other";
    let insurers = "code | name\nPICC | 人保\nCPIC | 太保";
    [("sector", sectors), ("insurer", insurers)].map(|(name, text)| (name.to_owned(), table::batch(name, text))).into()
}

fn text(contract: &Contract, rows: &[BTreeMap<String, String>]) -> String {
    let names: Vec<&str> = contract.columns.iter().map(|column| column.name.as_str()).collect();
    let line = |row: &BTreeMap<String, String>| {
        let cells: Vec<&str> = names.iter().map(|name| row.get(*name).map_or("", String::as_str)).collect();
        cells.join("|")
    };
    let lines = rows.iter().map(line);
    std::iter::once(names.join("|")).chain(lines).collect::<Vec<_>>().join("\n")
}

/// The rows that no row rule of the contract would hold.
async fn sound(release: &Arc<Release>, name: &str, batch: RecordBatch) -> Vec<RecordBatch> {
    let holding = contract(name).rules.iter().filter(|rule| rule.severity == Severity::Quarantine);
    let checks: Vec<String> = holding.map(|rule| format!("coalesce({}, true)", rule.check)).collect();
    if checks.is_empty() {
        return vec![batch];
    }
    let session = release.session(&Limits::default()).unwrap();
    session.register_batch("of_world", batch).unwrap();
    let frame = session.sql(&format!("select * from of_world where {}", checks.join(" and "))).await.unwrap();
    frame.collect().await.unwrap()
}

/// The row rules of policies, said once more for the rows as texts; rosters have none.
fn is_sound(table: &str, row: &BTreeMap<String, String>) -> bool {
    let Some(cancelled) = row.get("cancelled_on") else { return table != "policy" || row["expiry"] > row["inception"] };
    row["expiry"] > row["inception"] && row["inception"] <= *cancelled && *cancelled <= row["expiry"]
}
