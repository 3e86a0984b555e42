//! Held records from the file that brought them to the release that has them.

use std::fmt::Write as _;

use super::{DiscardAsk, ReplayAsk, RuleCount};
use crate::desk::Desk;
use crate::error::ErrorKind;
use crate::run::BackfillAsk;

const ROSTER: &str = "unit_id,sector,valid_from,department,region_code,kind,reason,source_updated_at\n";

fn entry(unit: &str, sector: &str, reason: &str, clock: &str) -> String {
    format!("{unit},{sector},2026-01-01,emergency,330102,annual,{reason},{clock}\n")
}

/// Nine sound entries, of units that nobody knows.
fn sound() -> String {
    let entries: String = (1..=9).map(|unit| entry(&format!("U{unit}"), "mine", "", "")).collect();
    format!("{ROSTER}{entries}")
}

/// Their code for mines, once somebody has written it into the feed.
const CODES: &str = "\"sector\" = { to = \"sector\", codes = { \"K\" = \"mine\" } }";

fn count(feed: &str, rule: &str, before: u64, after: u64) -> RuleCount {
    RuleCount { feed_id: feed.to_owned(), rule: rule.to_owned(), before, after }
}

#[tokio::test]
async fn a_mapping_that_is_mended_lets_the_held_rows_in_as_they_landed() {
    let desk = Desk::open().await;
    desk.feed("roster", "upsert", "");
    desk.write("inbox/roster/a.csv", &format!("{}{}", sound(), entry("U10", "K", "", "")));
    desk.run().await;
    assert_eq!(desk.batches("roster").await, "10 9 0 0 1 published");
    let before = desk.replay(&ReplayAsk::default()).await;
    assert_eq!((before.release, before.held), (None, true), "nothing was mended yet");
    assert_eq!(before.rows, [count("roster", "unknown_sector", 1, 1)]);

    desk.feed("roster", "upsert", CODES);
    let preview = desk.replay(&ReplayAsk { preview: true, ..ReplayAsk::default() }).await;
    assert_eq!((preview.release, preview.held), (None, false));
    assert_eq!(preview.rows, [count("roster", "unknown_sector", 1, 0)]);
    assert_eq!(desk.batches("roster").await, "10 9 0 0 1 published", "a preview changes nothing");

    let replayed = desk.replay(&ReplayAsk::default()).await;
    let release = replayed.release.unwrap();
    assert_eq!(replayed.rows, [count("roster", "unknown_sector", 1, 0)]);
    assert_eq!(desk.batches("roster").await, "10 10 0 0 0 published");
    assert_eq!(
        desk.sql("select state, state_by, replayed_in from system.quarantine").await,
        format!("replayed zhang {release}")
    );
    let lineage = "select r.unit_id, r.row_no, r.landed_at = b.landed_at from roster r \
                   join system.batch b on b.batch_id = r.batch_id where r.unit_id = 'U10'";
    assert_eq!(desk.sql(lineage).await, "U10 10 true");
    // Nobody knows any of the ten units, and each is remarked on once.
    let findings = "select count(*), count(distinct row_no) from system.finding where rule = 'unknown_unit'";
    assert_eq!(desk.sql(findings).await, "10 10");

    let again = desk.replay(&ReplayAsk::default()).await;
    assert_eq!((again.release, again.rows, again.held), (None, Vec::new(), false));
}

#[tokio::test]
async fn a_replayed_row_contends_with_the_clock_and_the_receipt_it_had() {
    let desk = Desk::open().await;
    desk.feed("roster", "upsert", "");
    let first = [entry("U10", "K", "first", "2026-02-01 00:00:00"), entry("U11", "K", "first", "2026-02-03 00:00:00")];
    desk.write("inbox/roster/a.csv", &format!("{}{}", sound(), first.concat()));
    desk.run().await;
    // U10 comes again with the same clock, U11 with an older one.
    let second =
        [entry("U10", "mine", "second", "2026-02-01 00:00:00"), entry("U11", "mine", "second", "2026-02-02 00:00:00")];
    desk.write("inbox/roster/b.csv", &format!("{ROSTER}{}", second.concat()));
    desk.run().await;
    desk.feed("roster", "upsert", CODES);
    desk.replay(&ReplayAsk::default()).await;
    assert_eq!(
        desk.sql(
            "select unit_id, reason, version_state from history.roster where unit_id in ('U10', 'U11') \
             order by unit_id, reason"
        )
        .await,
        "U10 first superseded\nU10 second current\nU11 first current\nU11 second replaced"
    );
    assert_eq!(desk.batches("roster").await, "11 10 1 0 0 published\n2 2 0 0 0 published");
}

#[tokio::test]
async fn a_replayed_row_that_takes_the_place_of_one_of_its_own_file_leaves_the_counts_whole() {
    let desk = Desk::open().await;
    desk.feed("roster", "upsert", "");
    desk.write("inbox/roster/a.csv", &format!("{}{}", sound(), entry("U1", "K", "later", "")));
    desk.run().await;
    desk.feed("roster", "upsert", CODES);
    desk.replay(&ReplayAsk::default()).await;
    assert_eq!(desk.batches("roster").await, "10 9 1 0 0 published");
    assert_eq!(desk.sql("select reason from roster where unit_id = 'U1'").await, "later");
}

#[tokio::test]
async fn a_file_that_has_other_records_under_the_format_of_today_is_left_alone() {
    let desk = Desk::open().await;
    desk.feed("roster", "upsert", "");
    desk.write("inbox/roster/a.csv", &format!("{}{}", sound(), entry("U10", "K", "", "")));
    desk.run().await;
    desk.feed("roster", "upsert", CODES);
    let text = desk.read("feeds/roster.toml");
    // The second record is a header nobody would write, and one record fewer is left.
    let shifted = "\"U1\" = \"unit_id\"\n\"mine\" = \"sector\"\n\"2026-01-01\" = \"valid_from\"\n\
                   \"emergency\" = \"department\"\n\"330102\" = \"region_code\"\n\"annual\" = \"kind\"";
    let text = text.replace("kind = \"csv\"", "kind = \"csv\"\nheader_row = 2").replace(CODES, shifted);
    desk.write("feeds/roster.toml", &text);
    let report = desk.replay(&ReplayAsk::default()).await;
    assert_eq!((report.release, report.held), (None, true));
    assert!(report.batches[0].reason.is_some(), "{report:?}");
    assert_eq!(desk.batches("roster").await, "10 9 0 0 1 published");
}

/// Budgets of nine years of PICC, and one of an insurer.
fn budgets(others: &str) -> String {
    let rows: String = (2001..=2009).fold(String::new(), |mut rows, year| {
        writeln!(rows, "PICC,{year},10.00").unwrap();
        rows
    });
    format!("insurer_code,year,amount\n{rows}{others}")
}

#[tokio::test]
async fn a_row_appears_by_itself_in_the_release_that_brings_its_code() {
    let desk = Desk::open().await;
    desk.feed("insurer", "upsert", "");
    desk.feed("budget", "upsert", "");
    desk.write("inbox/insurer/a.csv", "code,name\nPICC,人保财险\n");
    desk.write("inbox/budget/a.csv", &budgets("NEW,2025,10.00\nNOBODY,2025,10.00\n"));
    desk.run().await;
    assert_eq!(desk.batches("budget").await, "11 9 0 0 2 published");
    desk.write("inbox/insurer/b.csv", "code,name\nNEW,新公司\n");
    let release = desk.run().await.release.unwrap().number();
    assert_eq!(desk.batches("budget").await, "11 10 0 0 1 published");
    assert_eq!(desk.sql("select year, amount from budget where insurer_code = 'NEW'").await, "2025 10.00");
    assert_eq!(
        desk.sql("select row_no, state, state_by, replayed_in from system.quarantine order by row_no").await,
        format!("10 replayed system {release}\n11 held - -")
    );
}

#[tokio::test]
async fn a_batch_held_whole_waits_for_a_person_also_when_the_code_that_it_lacked_arrives() {
    let desk = Desk::open().await;
    desk.feed("insurer", "upsert", "");
    desk.feed("budget", "upsert", "");
    desk.write("inbox/insurer/a.csv", "code,name\nPICC,人保财险\n");
    desk.write("inbox/budget/a.csv", "insurer_code,year,amount\nPICC,2024,1.00\nNEW,2025,2.00\n");
    desk.run().await;
    assert_eq!(desk.batches("budget").await, "2 0 0 0 2 held");
    desk.write("inbox/insurer/b.csv", "code,name\nNEW,新公司\n");
    desk.run().await;
    assert_eq!(desk.batches("budget").await, "2 0 0 0 2 held");
    assert_eq!(desk.sql("select count(*) from system.quarantine where state = 'held'").await, "2");
    let released = desk.replay(&ReplayAsk::default()).await;
    assert!(!released.held, "read again at a person's word it is within its limits: {released:?}");
    assert_eq!(desk.batches("budget").await, "2 2 0 0 0 published");
}

#[tokio::test]
async fn a_row_of_an_old_snapshot_does_not_come_back_against_a_newer_one() {
    let desk = Desk::open().await;
    desk.feed("insurer", "upsert", "");
    desk.feed("budget", "snapshot", "");
    desk.write("inbox/insurer/a.csv", "code,name\nPICC,人保财险\n");
    desk.write("inbox/budget/a.csv", &budgets("NEW,2025,10.00\n"));
    desk.run().await;
    desk.write("inbox/budget/b.csv", &budgets("PICC,2010,10.00\n"));
    desk.run().await;
    desk.write("inbox/insurer/b.csv", "code,name\nNEW,新公司\n");
    desk.run().await;
    assert_eq!(desk.sql("select count(*) from budget where insurer_code = 'NEW'").await, "0");
    assert_eq!(desk.sql("select version_state from history.budget where insurer_code = 'NEW'").await, "superseded");
    let batches = desk.batches("budget").await;
    assert!(batches.starts_with("10 9 1 0 0 published\n"), "{batches}");
}

/// A file of three records, of which one is bad: over the limit.
async fn held_whole() -> (Desk, String) {
    let desk = Desk::open().await;
    desk.feed("insurer", "upsert", "");
    desk.feed("budget", "upsert", "");
    desk.write("inbox/insurer/a.csv", "code,name\nPICC,人保财险\n");
    desk.write("inbox/budget/a.csv", "insurer_code,year,amount\nPICC,2024,1.00\nPICC,2025,2.00\nPICC,2026,abc\n");
    desk.run().await;
    assert_eq!(desk.batches("budget").await, "3 0 0 0 3 held");
    let batch = desk.sql("select batch_id from system.batch where feed_id = 'budget'").await;
    (desk, batch)
}

#[tokio::test]
async fn a_batch_held_whole_is_loaded_when_a_person_accepts_it_and_not_before() {
    let (desk, batch) = held_whole().await;
    let kept = desk.replay(&ReplayAsk { batch: Some(batch.clone()), ..ReplayAsk::default() }).await;
    assert_eq!((kept.release, kept.held), (None, true));
    let accept =
        ReplayAsk { batch: Some(batch), accept: true, reason: Some("已核实".into()), ..ReplayAsk::default() };
    let accepted = desk.replay(&accept).await;
    assert!(accepted.release.is_some() && accepted.held, "the bad record is still held");
    assert_eq!(accepted.rows, [count("budget", "batch_held", 2, 0), count("budget", "not_a_number", 1, 1)]);
    assert_eq!(desk.batches("budget").await, "3 2 0 0 1 published");
    assert_eq!(desk.sql("select decided_by, reason from system.batch where feed_id = 'budget'").await, "zhang 已核实");
    assert_eq!(
        desk.sql("select rule, state from system.quarantine order by rule").await,
        "batch_held replayed\nnot_a_number held"
    );
    let again = desk.ingest().replay(&desk.writer, &accept, "zhang").await.unwrap_err();
    assert_eq!(again.kind(), ErrorKind::Refused);
}

#[tokio::test]
async fn a_discard_needs_a_reason_and_keeps_what_it_gave_up_listed() {
    let (desk, batch) = held_whole().await;
    let ingest = desk.ingest();
    for (batch, reason) in [(Some(batch.clone()), " "), (None, "为什么不")] {
        let ask = DiscardAsk { batch, reason: reason.to_owned(), ..DiscardAsk::default() };
        let refused = ingest.discard(&desk.writer, &ask, "zhang").await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Refused, "{ask:?}");
    }
    assert_eq!(desk.batches("budget").await, "3 0 0 0 3 held");
    let ask = DiscardAsk { batch: Some(batch.clone()), reason: "重复报送".to_owned(), ..DiscardAsk::default() };
    let report = ingest.discard(&desk.writer, &ask, "zhang").await.unwrap();
    assert_eq!(report.batches, [batch]);
    assert_eq!(report.rows, [count("budget", "batch_held", 2, 0), count("budget", "not_a_number", 1, 0)]);
    assert_eq!(desk.batches("budget").await, "3 0 0 0 3 discarded");
    let given_up = "select state, state_by, reason, count(*) from system.quarantine group by 1, 2, 3";
    assert_eq!(desk.sql(given_up).await, "discarded zhang 重复报送 2");
    assert_eq!(desk.sql("select decided_by from system.batch where feed_id = 'budget'").await, "zhang");
    assert!(ingest.discard(&desk.writer, &ask, "zhang").await.is_err(), "there is nothing left to give up");
}

#[tokio::test]
async fn a_preview_of_a_backfill_says_what_would_change_and_lands_nothing() {
    let desk = Desk::open().await;
    desk.feed("roster", "upsert", "");
    desk.run().await;
    desk.write("inbox/roster/a.csv", &sound());
    let (ingest, latest) = (desk.ingest(), desk.warehouse.latest().await.unwrap().unwrap().number());
    let day = |text: &str| text.parse().unwrap();
    let mut ask = BackfillAsk { feed: "roster".into(), from: day("2026-02-01"), to: day("2026-02-03"), preview: true };
    let outcomes = |report: &crate::run::BackfillReport| -> Vec<(&str, u64)> {
        report.slots.iter().map(|slot| (slot.outcome, slot.accepted)).collect()
    };
    // An assessment is about the days from its first to the one before the day after it.
    for (id, state, from, to) in [
        ("before", "frozen", "2026-01-01", "2026-02-01"),
        ("touched", "frozen", "2026-01-01", "2026-07-01"),
        ("draft", "draft", "2026-01-01", "2026-07-01"),
        ("after", "frozen", "2026-02-03", "2026-07-01"),
    ] {
        let row = serde_json::json!({
            "assessment_id": id, "state": state, "title": id, "scheme": "county", "scheme_version": 1,
            "subjects": "county", "period": "2026H1", "period_from": from, "period_to": to, "release": latest,
            "created_at": "2026-03-01T00:00:00Z", "created_by": "li",
        });
        desk.warehouse.live("assessment").unwrap().append(&[row.as_object().unwrap().clone()]).unwrap();
    }
    let preview = ingest.backfill(&desk.writer, &ask, "zhang").await.unwrap();
    assert_eq!(preview.frozen_assessments, ["touched"]);
    assert_eq!(outcomes(&preview), [("published", 9), ("nothing_new", 0)]);
    assert_eq!(desk.warehouse.latest().await.unwrap().unwrap().number(), latest);
    assert_eq!(desk.sql("select count(*) from system.batch where feed_id = 'roster'").await, "0");
    assert!(crate::landing::Landing::of(&desk.warehouse).pending().unwrap().is_empty());

    ask.preview = false;
    let done = ingest.backfill(&desk.writer, &ask, "zhang").await.unwrap();
    assert_eq!(outcomes(&done), outcomes(&preview));
    assert_eq!(done.release, Some(latest + 1));
    assert_eq!(desk.batches("roster").await, "9 9 0 0 0 published");
    let again = ingest.backfill(&desk.writer, &ask, "zhang").await.unwrap();
    assert_eq!((outcomes(&again), again.release), (vec![("nothing_new", 0), ("nothing_new", 0)], None));
    ask.feed = "nobody".into();
    assert_eq!(ingest.backfill(&desk.writer, &ask, "zhang").await.unwrap_err().kind(), ErrorKind::Refused);
}
