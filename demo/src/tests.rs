//! The demo as a whole, at small scales: the same everywhere, with every mess it promises.

use super::breakage::Breakage;
use super::credit_code::is_valid;
use super::dataset::{Dataset, Kind};
use super::expense::Finding;
use super::*;
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use std::path::PathBuf;

fn plan(scale: f64, years: u32, seed: u64) -> DemoPlan {
    let until = NaiveDate::from_ymd_opt(2026, 6, 30).unwrap();
    DemoPlan { scale, years, until, seed }
}

fn written(plan: &DemoPlan) -> (tempfile::TempDir, DemoSlots) {
    let dir = tempfile::tempdir().unwrap();
    let slots = write_deployment(dir.path(), plan, "http://127.0.0.1:8079", &|_| {}).unwrap();
    (dir, slots)
}

/// All files below the folder, in order of their paths.
fn files(dir: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { files.extend(self::files(&path)) } else { files.push(path) }
    }
    files.sort();
    files
}

fn digest(dir: &Path) -> Vec<u8> {
    let mut hash = Sha256::new();
    for path in files(dir) {
        hash.update(path.strip_prefix(dir).unwrap().to_string_lossy().as_bytes());
        hash.update(fs::read(&path).unwrap());
    }
    hash.finalize().to_vec()
}

/// The records of a plain feed: for each file its slot day, its header and its lines.
fn plain_files(dir: &Path, feed: &str) -> Vec<(NaiveDate, Vec<String>, Vec<String>)> {
    let folder = dir.join("outbox").join(feed);
    let csv = files(&folder).into_iter().filter(|path| path.extension().is_some_and(|e| e == "csv"));
    csv.map(|path| {
        let day = path.file_stem().unwrap().to_string_lossy().parse().unwrap();
        let text = String::from_utf8_lossy(&fs::read(&path).unwrap()).into_owned();
        let mut lines = text.lines().map(str::to_owned);
        let header = lines.next().unwrap().split(',').map(str::to_owned).collect();
        (day, header, lines.collect())
    })
    .collect()
}

#[test]
fn the_same_plan_gives_the_same_bytes_and_another_seed_others() {
    let (one, _) = written(&plan(0.002, 1, 7));
    let (again, _) = written(&plan(0.002, 1, 7));
    let (other, _) = written(&plan(0.002, 1, 8));
    assert_eq!(digest(one.path()), digest(again.path()));
    assert_ne!(digest(one.path()), digest(other.path()));
}

#[test]
fn every_kind_of_mess_happens_at_a_fiftieth_of_the_province() {
    let (_dir, slots) = written(&plan(0.02, 3, 1));
    let truths = slots.truths;
    for breakage in Breakage::ALL {
        assert!(truths.broken.contains_key(&breakage), "{breakage:?} never happened");
    }
    for finding in Finding::ALL {
        assert!(truths.findings.contains_key(&finding), "{finding:?} was never made");
    }
    assert_eq!(truths.rows.len(), Dataset::ALL.len(), "{:?}", truths.rows);
    let broken: u64 = truths.broken.values().sum();
    let rows: u64 = truths.rows.values().sum();
    assert!((rows / 500..rows / 80).contains(&broken), "{broken} of {rows} rows broken");
    for count in [truths.late, truths.out_of_order, truths.corrections, truths.repeated] {
        assert!(count > 0);
    }
    assert_eq!(truths.mishaps.len(), 6);
}

#[test]
fn slots_are_in_order_and_lie_within_the_years_asked_for() {
    let (_dir, slots) = written(&plan(0.0005, 2, 1));
    let first_of = |dataset| {
        let of_dataset = slots.feeds.iter().filter(|feed| feed.dataset == dataset);
        of_dataset.map(|feed| feed.slots[0]).max().unwrap()
    };
    assert!(first_of("insurer") < first_of("unit"));
    assert!(first_of("roster") < first_of("policy"));
    let start: DateTime<Utc> = "2024-06-30T16:00:00Z".parse().unwrap();
    let end: DateTime<Utc> = "2026-06-30T16:00:00Z".parse().unwrap();
    for feed in &slots.feeds {
        assert!(feed.id.starts_with(&feed.reporter.to_ascii_lowercase()), "{} of {}", feed.id, feed.reporter);
        assert!(feed.slots.is_sorted_by(|one, other| one < other), "{}", feed.id);
        assert!(feed.slots[0] >= start && *feed.slots.last().unwrap() < end, "{}", feed.id);
    }
}

#[test]
fn credit_codes_are_valid_unless_broken_on_purpose() {
    let (dir, _slots) = written(&plan(0.005, 1, 3));
    let mut codes = BTreeSet::new();
    for (_, header, lines) in plain_files(dir.path(), "zjyjt-unit") {
        assert_eq!(header[..2], ["unit_id", "id_kind"]);
        let firms = lines.iter().filter(|line| line.split(',').nth(1) == Some("uscc"));
        codes.extend(firms.filter_map(|line| line.split(',').next()).map(str::to_owned));
    }
    let wrong = codes.iter().filter(|code| !is_valid(code)).count();
    assert!(codes.len() > 200 && wrong * 50 < codes.len(), "{wrong} of {} wrong", codes.len());
}

#[test]
fn nothing_is_reported_before_it_happened() {
    let (dir, _slots) = written(&plan(0.01, 2, 5));
    for (feed, dataset) in [("zjia-claim", Dataset::Claim), ("zjia-expense", Dataset::Expense)] {
        let is_event = |name: &String| {
            let column = dataset.columns().iter().find(|column| column.name == name);
            column.is_some_and(|column| matches!(column.kind, Kind::EventDay | Kind::EventMoment))
        };
        let (mut events, mut later) = (0, 0);
        for (slot, header, lines) in plain_files(dir.path(), feed) {
            for line in &lines {
                let cells = header.iter().zip(line.split(',')).filter(|(name, _)| is_event(name));
                for day in cells.filter_map(|(_, cell)| cell.get(..10)?.parse::<NaiveDate>().ok()) {
                    events += 1;
                    later += u32::from(day > slot);
                }
            }
        }
        assert!(events > 500 && later * 100 < events, "{feed}: {later} of {events} events to come");
    }
}

#[test]
fn no_file_but_the_one_meant_to_be_is_held_for_broken_rows() {
    let (_dir, slots) = written(&plan(0.02, 2, 2));
    let truths = slots.truths;
    let held: Vec<_> =
        truths.files.iter().filter(|file| file.broken * 20 > file.rows).map(|file| (&file.feed, file.slot)).collect();
    let meant: Vec<_> =
        truths.mishaps.iter().filter(|(feed, ..)| feed == "oypc-hazard").map(|(feed, slot, _)| (feed, *slot)).collect();
    assert_eq!(held, meant);
    assert_eq!(held.len(), 1);
}

#[test]
fn the_columns_of_the_demo_are_those_of_the_contracts() {
    let contracts = anze_warehouse::contract::builtin();
    for dataset in Dataset::ALL {
        let contract = contracts.dataset(dataset.name()).unwrap();
        let theirs: Vec<&str> = contract.columns.iter().map(|column| column.name.as_str()).collect();
        let ours: Vec<&str> = dataset.columns().iter().map(|column| column.name).collect();
        assert_eq!(ours, theirs, "{}", dataset.name());
        for (column, of_contract) in dataset.columns().iter().zip(&contract.columns) {
            let is_event = matches!(column.kind, Kind::EventDay | Kind::EventMoment);
            assert_eq!(is_event, of_contract.event, "{}.{}", dataset.name(), column.name);
            if let (Kind::Codes(words), false) = (column.kind, of_contract.codes.is_empty()) {
                let known = |code: &&str| of_contract.codes.iter().any(|known| known == code);
                assert!(words.iter().map(|(code, _)| *code).all(|code| known(&code)));
            }
        }
    }
}
