//! What vacuum takes and leaves, what compaction changes, and what a check finds.

use std::collections::BTreeSet;
use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, Int64Array, StringArray};

use super::ledger::{Ledger, at, insurers, number};
use super::place::{Place, on_every_store};
use crate::ErrorKind;
use crate::maintenance::{CheckReport, Compaction, Depth, Removal};
use crate::publication::{MonthValues, system_rows};
use crate::session::Limits;
use crate::table::{TableLog, TableName};
use crate::warehouse::Warehouse;

on_every_store!(
    vacuum_leaves_every_kept_release_as_it_was_and_the_others_say_that_they_are_gone,
    no_version_of_a_record_and_no_landed_file_goes_with_its_release,
    a_log_keeps_what_kept_releases_need_and_nothing_else,
    a_clock_that_was_set_back_does_not_make_vacuum_look_for_what_it_took,
    versions_read_one_from_the_other_are_what_they_are_by_themselves,
    other_tools_are_not_sent_to_a_checkpoint_whose_successors_are_gone,
    a_release_that_is_pinned_after_it_was_dropped_is_refused,
    what_a_crash_left_is_removed_and_other_tools_see_the_release_again,
    compaction_changes_the_number_of_files_and_nothing_that_is_read,
    the_values_that_follow_a_release_outlive_vacuum_and_compaction,
    a_check_finds_each_thing_that_is_wrong,
    books_that_do_not_say_what_is_in_the_tables_are_found,
);

/// Three releases in March, then one each day from the 1st to the 20th of April: numbers 1–3 and 4–23.
async fn two_months(place: &Place) -> Ledger {
    let ledger = Ledger::open(place.warehouse()).await.unwrap();
    ledger.deliver_month("2025-03", 3).await;
    ledger.deliver_month("2025-04", 20).await;
    ledger
}

async fn checked(warehouse: &Warehouse) -> CheckReport {
    warehouse.check(Depth::Contents, at("2025-05-15T00:00:00Z"), &Limits::default()).await.unwrap()
}

async fn codes(warehouse: &Warehouse) -> Vec<&'static str> {
    checked(warehouse).await.findings.iter().map(|finding| finding.code).collect()
}

async fn vacuum_leaves_every_kept_release_as_it_was_and_the_others_say_that_they_are_gone(place: Place) {
    let ledger = two_months(&place).await;
    let warehouse = &ledger.warehouse;
    let mut before = Vec::new();
    for release in 1..=23 {
        before.push(insurers(&warehouse.release(release).await.unwrap().unwrap()).await.unwrap());
    }
    // On the 15th of May the releases from the 15th of April at 02:00 on are within 30 days: 18–23 (that of
    // the 15th is number 18). Month ends: 3 and 23. An assessment needs 7.
    warehouse.assessments().pin(7, "a-1").await.unwrap();
    let now = at("2025-05-15T00:00:00Z");
    let preview = ledger.writer.vacuum(now, Removal::Preview).await.unwrap();
    let expected: Vec<u64> = (1..=17).filter(|number| ![3, 7].contains(number)).collect();
    assert_eq!(preview.dropped, expected);
    assert_eq!(preview.kept, 8);
    assert!(!preview.removed.is_empty());
    assert!(warehouse.release(1).await.unwrap().is_some(), "a preview changes nothing");

    let done = ledger.writer.vacuum(now, Removal::Done).await.unwrap();
    assert_eq!((&done.dropped, &done.removed, done.bytes), (&preview.dropped, &preview.removed, preview.bytes));
    let left = place.names().await;
    assert!(done.removed.iter().all(|path| !left.contains(path)), "{left:?}");
    // A reader without anything in memory.
    let fresh = place.warehouse();
    for (number, expected) in (1..).zip(&before) {
        match fresh.release(number).await {
            Ok(Some(release)) => assert_eq!(insurers(&release).await.unwrap(), *expected, "release {number}"),
            Ok(None) => panic!("release {number} never was"),
            Err(error) => {
                assert!(done.dropped.contains(&number), "{error}");
                assert_eq!(error.kind(), ErrorKind::Gone);
                assert!(error.to_string().starts_with(&format!("release {number} is no longer kept")), "{error}");
            }
        }
    }
    let told = fresh.release(5).await.unwrap_err().to_string();
    assert!(told.ends_with("nearest to it: 3 (2025-03-03), 7 (2025-04-04)"), "{told}");
    let known = fresh.release_known_at(at("2025-04-01T03:00:00Z")).await.unwrap_err();
    assert_eq!(known.kind(), ErrorKind::Gone);
    assert_eq!(checked(&fresh).await, CheckReport { findings: Vec::new(), unnamed: 0, ..checked(&fresh).await });
    // Again there is nothing to do.
    let again = ledger.writer.vacuum(now, Removal::Done).await.unwrap();
    assert_eq!((again.dropped.len(), again.removed.len(), again.kept), (0, 0, 8));
}

async fn no_version_of_a_record_and_no_landed_file_goes_with_its_release(place: Place) {
    let ledger = two_months(&place).await;
    let versions = "select count(*) from history.insurer";
    let before = number(&ledger.warehouse.latest().await.unwrap().unwrap(), versions).await.unwrap();
    // 23 days: each a new insurer, and the first one 23 times.
    assert_eq!(before, 46);
    ledger.writer.vacuum(at("2035-05-15T00:00:00Z"), Removal::Done).await.unwrap();
    let fresh = place.warehouse();
    assert_eq!(number(&fresh.latest().await.unwrap().unwrap(), versions).await.unwrap(), 46);
    assert_eq!(fresh.store().list("landed").await.unwrap().len(), 23);
    assert_eq!(codes(&fresh).await, Vec::<&str>::new());
}

/// The names below the log of insurers.
async fn logged(place: &Place) -> Vec<String> {
    let names = place.names().await;
    names.iter().filter_map(|name| name.strip_prefix("tables/insurer/_delta_log/")).map(str::to_owned).collect()
}

/// Commits and checkpoints by their version, in the order of names.
fn entries(commits: &[u64], checkpoints: &[u64]) -> Vec<String> {
    let commits = commits.iter().map(|version| format!("{version:020}.json"));
    let checkpoints = checkpoints.iter().map(|version| format!("{version:020}.checkpoint.parquet"));
    let mut entries: Vec<String> = commits.chain(checkpoints).collect();
    entries.sort();
    entries
}

async fn a_log_keeps_what_kept_releases_need_and_nothing_else(place: Place) {
    let ledger = two_months(&place).await;
    let third = insurers(&place.warehouse().release(3).await.unwrap().unwrap()).await.unwrap();
    // The log has a checkpoint at version 20. On the 15th of May release 18 is still kept for its age.
    ledger.writer.vacuum(at("2025-05-15T00:00:00Z"), Removal::Done).await.unwrap();
    let whole = [entries(&(0..=23).collect::<Vec<_>>(), &[20]), vec!["_last_checkpoint".to_owned()]].concat();
    assert_eq!(logged(&place).await, whole);

    // Years later releases 3 and 23 are left, the last ones of their months.
    let now = at("2035-05-15T00:00:00Z");
    let preview = ledger.writer.vacuum(now, Removal::Preview).await.unwrap();
    assert_eq!(logged(&place).await, whole);
    let done = ledger.writer.vacuum(now, Removal::Done).await.unwrap();
    assert_eq!((&done.removed, done.bytes), (&preview.removed, preview.bytes));
    let left = entries(&[3, 20, 21, 22, 23], &[3, 20]);
    assert_eq!(logged(&place).await, [left, vec!["_last_checkpoint".to_owned()]].concat());
    let hint = place.read("tables/insurer/_delta_log/_last_checkpoint").await.unwrap();
    let hint: serde_json::Value = serde_json::from_slice(&hint).unwrap();
    assert_eq!(hint["version"], 20);
    let fresh = place.warehouse();
    assert_eq!(insurers(&fresh.release(3).await.unwrap().unwrap()).await.unwrap(), third);
    assert_eq!(insurers(&fresh.latest().await.unwrap().unwrap()).await.unwrap().len(), 24);
    assert_eq!(codes(&fresh).await, Vec::<&str>::new());

    // It goes on from there, and what is there already is not made again.
    assert_eq!(ledger.deliver("2035-05-16", &[("NEXT", "下一个")]).await.unwrap(), 24);
    ledger.writer.vacuum(at("2035-07-01T00:00:00Z"), Removal::Done).await.unwrap();
    let left = entries(&[3, 20, 21, 22, 23, 24], &[3, 20]);
    assert_eq!(logged(&place).await, [left, vec!["_last_checkpoint".to_owned()]].concat());
    assert_eq!(codes(&place.warehouse()).await, Vec::<&str>::new());
}

async fn a_clock_that_was_set_back_does_not_make_vacuum_look_for_what_it_took(place: Place) {
    let ledger = two_months(&place).await;
    // Release 19, of the 16th of April, was kept until the 16th of May at 02:00, and its readers have an hour. It is
    // the last one before the checkpoint of version 20.
    let late = ledger.writer.vacuum(at("2025-05-16T03:00:10Z"), Removal::Done).await.unwrap();
    assert!(late.removed.contains(&format!("tables/insurer/_delta_log/{:020}.json", 19)), "{late:?}");
    let early = ledger.writer.vacuum(at("2025-05-16T02:59:50Z"), Removal::Done).await.unwrap();
    assert_eq!((early.removed.len(), early.kept), (0, late.kept));
    assert_eq!(codes(&place.warehouse()).await, Vec::<&str>::new());
}

async fn versions_read_one_from_the_other_are_what_they_are_by_themselves(place: Place) {
    let ledger = two_months(&place).await;
    let log = |path: &str| TableLog::new(ledger.warehouse.store(), TableName::parse(path).unwrap()).unwrap();
    let versions: [&[u64]; 4] = [&[1, 2, 3, 4, 5, 19, 20, 21, 23], &[3, 17, 23], &[20, 20, 7, 8], &[23, 1, 22]];
    let after_vacuum: [&[u64]; 2] = [&[3, 20, 21, 23], &[3, 23]];
    for versions in [&versions[..], &after_vacuum[..]] {
        for path in ["tables/insurer", "system/batch"] {
            let alone = log(path);
            for versions in versions {
                let mut replay = log(path).replay();
                for version in *versions {
                    let files: Vec<_> = replay.files(*version).await.unwrap().values().cloned().collect();
                    assert_eq!(files, *alone.read(*version).await.unwrap().files, "{path} {version} of {versions:?}");
                }
                assert!(replay.files(99).await.is_err());
            }
        }
        ledger.writer.vacuum(at("2035-05-15T00:00:00Z"), Removal::Done).await.unwrap();
    }
}

async fn other_tools_are_not_sent_to_a_checkpoint_whose_successors_are_gone(place: Place) {
    let ledger = two_months(&place).await;
    ledger.writer.vacuum(at("2035-05-15T00:00:00Z"), Removal::Done).await.unwrap();
    // As of a crash between the checkpoint of version 3 and setting the hint right.
    place.write("tables/insurer/_delta_log/_last_checkpoint", r#"{"version":3,"size":5}"#).await;
    ledger.writer.vacuum(at("2035-05-15T00:00:00Z"), Removal::Done).await.unwrap();
    assert_eq!(logged(&place).await, entries(&[3, 20, 21, 22, 23], &[3, 20]));
    assert_eq!(insurers(&place.warehouse().latest().await.unwrap().unwrap()).await.unwrap().len(), 24);
}

async fn a_release_that_is_pinned_after_it_was_dropped_is_refused(place: Place) {
    let ledger = two_months(&place).await;
    ledger.writer.vacuum(at("2025-05-15T00:00:00Z"), Removal::Done).await.unwrap();
    let assessments = ledger.warehouse.assessments();
    assert_eq!(assessments.pin(5, "a-1").await.unwrap_err().kind(), ErrorKind::Gone);
    assert!(assessments.pinned_releases().await.unwrap().is_empty());
    assessments.pin(3, "a-1").await.unwrap();
}

async fn what_a_crash_left_is_removed_and_other_tools_see_the_release_again(place: Place) {
    let ledger = two_months(&place).await;
    let warehouse = Arc::clone(&ledger.warehouse);
    drop(ledger);
    // A commit that no release names, as of a crash before the manifest: the newest manifest goes.
    place.remove("releases/0000000023.json").await;
    place.write("releases/newest", "22").await;
    place.write("tables/insurer/0000000099-0000.parquet", "half").await;
    let half = "tables/insurer/0000000099-0001.parquet#7000001";
    if place.is_folder() {
        std::fs::write(place.path().join(half), "less than half").unwrap();
        std::fs::File::open(place.path().join(half)).unwrap().set_modified(std::time::UNIX_EPOCH).unwrap();
    }
    drop(warehouse);
    let warehouse = place.warehouse();
    let found = checked(&warehouse).await;
    assert!(found.unnamed > 1 && found.findings.is_empty(), "{found:?}");
    let ledger = Ledger::open(Arc::clone(&warehouse)).await.unwrap();
    let done = ledger.writer.vacuum(at("2025-04-21T00:00:00Z"), Removal::Done).await.unwrap();
    assert!(done.removed.contains(&"tables/insurer/0000000099-0000.parquet".to_owned()), "{done:?}");
    assert_eq!(done.removed.contains(&half.to_owned()), place.is_folder(), "{done:?}");
    assert!(done.settled.contains(&"tables/insurer".to_owned()), "{done:?}");
    assert!(!place.path().join(half).exists());
    // What is at the head of the log, which is what other tools read, is all there.
    let log = TableLog::new(warehouse.store(), TableName::parse("tables/insurer").unwrap()).unwrap();
    let head = log.read(log.newest(0).await.unwrap()).await.unwrap();
    assert_eq!(head.rows(), 23 - 1 + 1);
    let left = place.names().await;
    for file in head.files.iter() {
        assert!(left.contains(&format!("tables/insurer/{}", file.path)), "{}", file.path);
    }
    assert_eq!(ledger.deliver("2025-04-21", &[("NEXT", "下一个")]).await.unwrap(), 23);
    assert_eq!(codes(&warehouse).await, Vec::<&str>::new());
}

async fn compaction_changes_the_number_of_files_and_nothing_that_is_read(place: Place) {
    let ledger = two_months(&place).await;
    let before = ledger.warehouse.latest().await.unwrap().unwrap();
    let none = ledger.writer.compact(at("2025-04-25T00:00:00Z"), Compaction::Worthwhile).await.unwrap();
    assert_eq!(none.release, None, "a few files more cost readers nothing");
    let report = ledger.writer.compact(at("2025-04-25T00:00:00Z"), Compaction::All).await.unwrap();
    assert_eq!(report.release, Some(24));
    assert!(report.tables.iter().all(|table| table.after < table.before), "{report:?}");
    let after = ledger.warehouse.latest().await.unwrap().unwrap();
    assert_eq!((after.number(), after.day()), (24, before.day()));
    assert_eq!(insurers(&after).await.unwrap(), insurers(&before).await.unwrap());
    let all = "select count(*) from history.insurer where batch_id is not null";
    assert_eq!(number(&after, all).await.unwrap(), 46);
    for version in after.versions().iter().filter(|version| version.name.path() == "tables/insurer") {
        assert_eq!(version.files.len(), 1);
    }
    assert_eq!(codes(&ledger.warehouse).await, Vec::<&str>::new());
    // The note of the release itself made a file; that alone is no reason for another one.
    let again = ledger.writer.compact(at("2025-04-26T00:00:00Z"), Compaction::All).await.unwrap();
    assert!(again.tables.iter().all(|table| table.table.starts_with("system/")), "{again:?}");
}

async fn a_check_finds_each_thing_that_is_wrong(place: Place) {
    let ledger = two_months(&place).await;
    let warehouse = &ledger.warehouse;
    assert_eq!(codes(warehouse).await, Vec::<&str>::new());
    let newest = warehouse.latest().await.unwrap().unwrap();
    let data = newest.versions().iter().find(|version| version.name.path() == "tables/insurer").unwrap();
    let data = format!("tables/insurer/{}", data.files[0].path);

    let kept = place.read(&data).await.unwrap();
    place.remove(&data).await;
    assert!(codes(warehouse).await.contains(&"missing_file"));
    place.write(&data, &kept[..kept.len() - 1]).await;
    assert!(codes(warehouse).await.contains(&"wrong_size"));
    let mut turned = kept.clone();
    turned[kept.len() / 3] ^= 0xff;
    turned[kept.len() - 9] ^= 0xff;
    place.write(&data, turned).await;
    assert!(codes(warehouse).await.contains(&"unreadable"));
    place.write(&data, kept).await;
    assert_eq!(codes(warehouse).await, Vec::<&str>::new());

    let landed = warehouse.store().list("landed").await.unwrap()[0].path.clone();
    let kept = place.read(&landed).await.unwrap();
    place.write(&landed, kept.iter().map(|byte| byte ^ 1).collect::<Vec<_>>()).await;
    assert_eq!(codes(warehouse).await, ["wrong_hash"]);
    place.remove(&landed).await;
    assert_eq!(codes(warehouse).await, ["missing_landed_file"]);
    place.write(&landed, kept).await;

    let manifest = "releases/0000000009.json";
    let kept = place.read(manifest).await.unwrap();
    place.write(manifest, "{").await;
    assert_eq!(codes(warehouse).await, ["unreadable"]);
    place.remove(manifest).await;
    assert_eq!(codes(warehouse).await, ["missing_manifest"]);
    place.write(manifest, kept).await;

    let row = serde_json::json!({"action": "read"}).as_object().unwrap().clone();
    warehouse.access_log().unwrap().append(&[row.clone(), row]).unwrap();
    let log = place.names().await.into_iter().find(|name| name.starts_with("live/access_log")).unwrap();
    let text = String::from_utf8(place.read(&log).await.unwrap()).unwrap();
    place.write(&log, text.lines().nth(1).unwrap().to_owned() + "\n").await;
    assert_eq!(codes(warehouse).await, ["broken_chain"]);
    place.write(&log, text).await;

    let assessments = warehouse.assessments();
    assessments.create_frozen(2, b"{}".to_vec()).await.unwrap();
    assert_eq!(codes(warehouse).await, ["missing_assessment"]);
    assessments.create_frozen(1, b"{}".to_vec()).await.unwrap();
    assessments.pin(99, "a").await.unwrap();
    assert_eq!(codes(warehouse).await, ["missing_release"]);
    assessments.unpin(99, "a").await.unwrap();
    assert_eq!(codes(warehouse).await, Vec::<&str>::new());
}

async fn books_that_do_not_say_what_is_in_the_tables_are_found(place: Place) {
    let ledger = two_months(&place).await;
    let mut publication = ledger.writer.begin(at("2025-04-21T02:00:00Z"), "2025-04-21".parse().unwrap()).await.unwrap();
    let one = std::collections::HashSet::from(["insurer".to_owned()]);
    let mut books = publication.take_system("batch", "dataset", &one).await.unwrap();
    assert_eq!(books.len(), 23);
    books[4].insert("rows_accepted".to_owned(), 5.into());
    publication.append_system("batch", books);
    publication.publish().await.unwrap();
    let found = checked(&ledger.warehouse).await.findings;
    let codes: Vec<&str> = found.iter().map(|finding| finding.code).collect();
    assert_eq!(codes, ["wrong_sum", "wrong_count"], "{found:?}");
}

/// A value of `visits` in a month.
fn value(month: &str, release: u64) -> MonthValues {
    let text = |text: &str| Arc::new(StringArray::from(vec![text])) as ArrayRef;
    let columns = vec![
        ("metric_id", text("visits")),
        ("month", text(month)),
        ("dimension", text("")),
        ("member", text("")),
        ("release", Arc::new(Int64Array::from(vec![release as i64])) as ArrayRef),
    ];
    MonthValues {
        month: month.to_owned(),
        metrics: Some(BTreeSet::from(["visits".to_owned()])),
        rows: vec![system_rows("metric_value", 1, columns).unwrap()],
    }
}

async fn the_values_that_follow_a_release_outlive_vacuum_and_compaction(place: Place) {
    let ledger = Ledger::open(place.warehouse()).await.unwrap();
    ledger.deliver_month("2025-04", 2).await;
    let months = BTreeSet::from(["2025-03".to_owned(), "2025-04".to_owned()]);
    let second = ledger.warehouse.latest().await.unwrap().unwrap();
    let anew = months.iter().map(|month| value(month, 2)).collect();
    ledger.writer.follow(&second, anew, &months, serde_json::json!({})).await.unwrap();

    // No manifest names the values of release 2 yet; they are read, so they stay.
    let now = at("2025-04-02T09:00:00Z");
    let removed = ledger.writer.vacuum(now, Removal::Done).await.unwrap().removed;
    assert!(removed.iter().all(|path| !path.contains("metric_value")), "{removed:?}");
    assert_eq!(codes(&ledger.warehouse).await, Vec::<&str>::new());

    // Compaction leaves one file a month, so that a month is still replaced by itself.
    ledger.writer.compact(now, Compaction::All).await.unwrap();
    let third = ledger.warehouse.latest().await.unwrap().unwrap();
    assert_eq!(third.number(), 3);
    ledger.writer.follow(&third, vec![value("2025-04", 3)], &months, serde_json::json!({})).await.unwrap();
    ledger.writer.vacuum(now, Removal::Done).await.unwrap();
    let fresh = place.warehouse();
    let sum = "select sum(release) from metric_value";
    // 2 + 2 as release 2 has it, 2 + 3 as release 3 has it.
    for (release, expected) in [(2, 4), (3, 5)] {
        let release = fresh.release(release).await.unwrap().unwrap();
        assert_eq!(number(&release, sum).await.unwrap(), expected);
    }
}
