//! What vacuum takes and leaves, what compaction changes, and what a check finds.

use std::sync::Arc;

use super::ledger::{Ledger, at, insurers, number};
use crate::ErrorKind;
use crate::maintenance::{CheckReport, Compaction, Depth, Removal};
use crate::session::Limits;
use crate::warehouse::Warehouse;

struct Place {
    folder: tempfile::TempDir,
    ledger: Ledger,
}

/// Three releases in March, then one each day from the 1st to the 20th of April: numbers 1–3 and 4–23.
async fn two_months() -> Place {
    let folder = tempfile::tempdir().unwrap();
    let ledger = Ledger::open(Warehouse::open(folder.path()).unwrap()).await.unwrap();
    ledger.deliver_month("2025-03", 3).await;
    ledger.deliver_month("2025-04", 20).await;
    Place { folder, ledger }
}

async fn checked(warehouse: &Warehouse) -> CheckReport {
    warehouse.check(Depth::Contents, at("2025-05-15T00:00:00Z"), &Limits::default()).await.unwrap()
}

async fn codes(warehouse: &Warehouse) -> Vec<&'static str> {
    checked(warehouse).await.findings.iter().map(|finding| finding.code).collect()
}

#[tokio::test]
async fn vacuum_leaves_every_kept_release_as_it_was_and_the_others_say_that_they_are_gone() {
    let Place { ledger, folder } = two_months().await;
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
    for path in &done.removed {
        assert!(!folder.path().join(path).exists(), "{path}");
    }
    // A reader without anything in memory.
    let fresh = Warehouse::open(folder.path()).unwrap();
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

#[tokio::test]
async fn no_version_of_a_record_and_no_landed_file_goes_with_its_release() {
    let Place { ledger, folder } = two_months().await;
    let versions = "select count(*) from history.insurer";
    let before = number(&ledger.warehouse.latest().await.unwrap().unwrap(), versions).await.unwrap();
    // 23 days: each a new insurer, and the first one 23 times.
    assert_eq!(before, 46);
    ledger.writer.vacuum(at("2035-05-15T00:00:00Z"), Removal::Done).await.unwrap();
    let fresh = Warehouse::open(folder.path()).unwrap();
    assert_eq!(number(&fresh.latest().await.unwrap().unwrap(), versions).await.unwrap(), 46);
    assert_eq!(fresh.store().list("landed").await.unwrap().len(), 23);
    assert_eq!(codes(&fresh).await, Vec::<&str>::new());
}

#[tokio::test]
async fn a_release_that_is_pinned_after_it_was_dropped_is_refused() {
    let Place { ledger, .. } = two_months().await;
    ledger.writer.vacuum(at("2025-05-15T00:00:00Z"), Removal::Done).await.unwrap();
    let assessments = ledger.warehouse.assessments();
    assert_eq!(assessments.pin(5, "a-1").await.unwrap_err().kind(), ErrorKind::Gone);
    assert!(assessments.pinned_releases().await.unwrap().is_empty());
    assessments.pin(3, "a-1").await.unwrap();
}

#[tokio::test]
async fn what_a_crash_left_is_removed_and_other_tools_see_the_release_again() {
    let Place { ledger, folder } = two_months().await;
    let warehouse = Arc::clone(&ledger.warehouse);
    drop(ledger);
    // A commit that no release names, as of a crash before the manifest: the newest manifest goes.
    std::fs::remove_file(folder.path().join("releases/0000000023.json")).unwrap();
    std::fs::write(folder.path().join("releases/newest"), "22").unwrap();
    std::fs::write(folder.path().join("tables/insurer/0000000099-0000.parquet"), "half").unwrap();
    let half = folder.path().join("tables/insurer/0000000099-0001.parquet#7000001");
    std::fs::write(&half, "less than half").unwrap();
    std::fs::File::open(&half).unwrap().set_modified(std::time::UNIX_EPOCH).unwrap();
    drop(warehouse);
    let warehouse = Warehouse::open(folder.path()).unwrap();
    let found = checked(&warehouse).await;
    assert!(found.unnamed > 1 && found.findings.is_empty(), "{found:?}");
    let ledger = Ledger::open(Arc::clone(&warehouse)).await.unwrap();
    let done = ledger.writer.vacuum(at("2025-04-21T00:00:00Z"), Removal::Done).await.unwrap();
    assert!(done.removed.contains(&"tables/insurer/0000000099-0001.parquet#7000001".to_owned()), "{done:?}");
    assert!(done.settled.contains(&"tables/insurer".to_owned()), "{done:?}");
    assert!(!half.exists());
    // What is at the head of the log, which is what other tools read, is all there.
    let name = crate::table::TableName::parse("tables/insurer").unwrap();
    let log = crate::table::TableLog::new(warehouse.store(), name).unwrap();
    let head = log.read(log.newest(0).await.unwrap()).await.unwrap();
    assert_eq!(head.rows(), 23 - 1 + 1);
    for file in head.files.iter() {
        assert!(folder.path().join("tables/insurer").join(&file.path).exists(), "{}", file.path);
    }
    assert_eq!(ledger.deliver("2025-04-21", &[("NEXT", "下一个")]).await.unwrap(), 23);
    assert_eq!(codes(&warehouse).await, Vec::<&str>::new());
}

#[tokio::test]
async fn compaction_changes_the_number_of_files_and_nothing_that_is_read() {
    let Place { ledger, .. } = two_months().await;
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

#[tokio::test]
async fn a_check_finds_each_thing_that_is_wrong() {
    let Place { ledger, folder } = two_months().await;
    let warehouse = &ledger.warehouse;
    assert_eq!(codes(warehouse).await, Vec::<&str>::new());
    let file = |below: &str| folder.path().join(below);
    let spoilt = |path: &std::path::Path, bytes: &[u8]| {
        let kept = std::fs::read(path).unwrap();
        std::fs::write(path, bytes).unwrap();
        kept
    };
    let newest = warehouse.latest().await.unwrap().unwrap();
    let data = newest.versions().iter().find(|version| version.name.path() == "tables/insurer").unwrap();
    let data = file(&format!("tables/insurer/{}", data.files[0].path));

    let kept = std::fs::read(&data).unwrap();
    std::fs::remove_file(&data).unwrap();
    assert!(codes(warehouse).await.contains(&"missing_file"));
    std::fs::write(&data, &kept[..kept.len() - 1]).unwrap();
    assert!(codes(warehouse).await.contains(&"wrong_size"));
    let mut turned = kept.clone();
    turned[kept.len() / 3] ^= 0xff;
    turned[kept.len() - 9] ^= 0xff;
    std::fs::write(&data, &turned).unwrap();
    assert!(codes(warehouse).await.contains(&"unreadable"));
    std::fs::write(&data, &kept).unwrap();
    assert_eq!(codes(warehouse).await, Vec::<&str>::new());

    let landed = file(&warehouse.store().list("landed").await.unwrap()[0].path);
    let kept = spoilt(&landed, &std::fs::read(&landed).unwrap().iter().map(|byte| byte ^ 1).collect::<Vec<_>>());
    assert_eq!(codes(warehouse).await, ["wrong_hash"]);
    std::fs::remove_file(&landed).unwrap();
    assert_eq!(codes(warehouse).await, ["missing_landed_file"]);
    std::fs::write(&landed, &kept).unwrap();

    let manifest = file("releases/0000000009.json");
    let kept = spoilt(&manifest, b"{");
    assert_eq!(codes(warehouse).await, ["unreadable"]);
    std::fs::remove_file(&manifest).unwrap();
    assert_eq!(codes(warehouse).await, ["missing_manifest"]);
    std::fs::write(&manifest, &kept).unwrap();

    let log = file("live/access_log.ndjson");
    let row = serde_json::json!({"action": "read"}).as_object().unwrap().clone();
    warehouse.access_log().unwrap().append(&[row.clone(), row]).unwrap();
    let text = std::fs::read_to_string(&log).unwrap();
    std::fs::write(&log, text.lines().nth(1).unwrap().to_owned() + "\n").unwrap();
    assert_eq!(codes(warehouse).await, ["broken_chain"]);
    std::fs::write(&log, text).unwrap();

    let assessments = warehouse.assessments();
    assessments.create_frozen(2, b"{}".to_vec()).await.unwrap();
    assert_eq!(codes(warehouse).await, ["missing_assessment"]);
    assessments.create_frozen(1, b"{}".to_vec()).await.unwrap();
    assessments.pin(99, "a").await.unwrap();
    assert_eq!(codes(warehouse).await, ["missing_release"]);
    assessments.unpin(99, "a").await.unwrap();
    assert_eq!(codes(warehouse).await, Vec::<&str>::new());
}

#[tokio::test]
async fn books_that_do_not_say_what_is_in_the_tables_are_found() {
    let Place { ledger, .. } = two_months().await;
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
