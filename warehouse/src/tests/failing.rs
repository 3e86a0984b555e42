//! A publication that fails leaves the last release, and the same writer goes on once it can.

use std::time::Duration;

use super::ledger::{Ledger, at, holder, insurers};
use super::place::{Place, on_every_store};
use crate::ErrorKind;
use crate::live::Chain;
use crate::maintenance::{Depth, Removal};
use crate::session::Limits;
use crate::warehouse::Warehouse;

async fn is_whole(warehouse: &Warehouse) {
    let found = warehouse.check(Depth::Contents, at("2025-03-15T00:00:00Z"), &Limits::default()).await.unwrap();
    assert!(found.findings.is_empty(), "{found:?}");
}

on_every_store!(
    a_failure_anywhere_before_the_manifest_leaves_the_last_release_and_the_writer_able,
    a_second_writer_waits_and_is_told_who_writes,
    a_place_that_creates_once_and_syncs_passes_the_probe_and_keeps_nothing_of_it,
);

async fn a_failure_anywhere_before_the_manifest_leaves_the_last_release_and_the_writer_able(place: Place) {
    let ledger = Ledger::open(place.warehouse()).await.unwrap();
    ledger.deliver_month("2025-03", 2).await;
    let before = insurers(&ledger.warehouse.latest().await.unwrap().unwrap()).await.unwrap();
    // The next entry in the logs of two of the four tables that a batch changes.
    for table in ["tables/insurer", "system/release"] {
        let head = |path: &String| path.starts_with(&format!("{table}/_delta_log/")) && path.ends_with(".json");
        let next = place.names().await.iter().filter(|path| head(path)).count();
        let path = &format!("{table}/_delta_log/{next:020}.json");
        place.write(path, "in the way").await;
        let failed = ledger.deliver("2025-03-03", &[("LOST", "未发布")]).await;
        assert!(failed.is_err(), "{path}: {failed:?}");
        place.remove(path).await;
        let latest = ledger.warehouse.latest().await.unwrap().unwrap();
        assert_eq!((latest.number(), insurers(&latest).await.unwrap()), (2, before.clone()), "{path}");
        is_whole(&ledger.warehouse).await;
    }
    assert_eq!(ledger.deliver("2025-03-03", &[("NEXT", "已发布")]).await.unwrap(), 3);
    let after = insurers(&ledger.warehouse.latest().await.unwrap().unwrap()).await.unwrap();
    assert_eq!(after.len(), before.len() + 1);
    assert!(after.contains_key("NEXT") && !after.contains_key("LOST"));
    ledger.writer.vacuum(at("2025-03-15T00:00:00Z"), Removal::Done).await.unwrap();
    is_whole(&ledger.warehouse).await;
}

async fn a_second_writer_waits_and_is_told_who_writes(place: Place) {
    let ledger = Ledger::open(place.warehouse()).await.unwrap();
    let other = place.warehouse();
    let told = other.writer(&holder("another"), Duration::ZERO).await.unwrap_err();
    assert_eq!(told.kind(), ErrorKind::Busy);
    assert!(told.to_string().contains("a test (process 1)"), "{told}");
    assert_eq!(other.writer_holder().unwrap().map(|holder| holder.what), Some("a test".to_owned()));
    drop(ledger);
    assert_eq!(other.writer_holder().unwrap(), None);
    other.writer(&holder("another"), Duration::ZERO).await.unwrap();
}

async fn a_place_that_creates_once_and_syncs_passes_the_probe_and_keeps_nothing_of_it(place: Place) {
    place.store().probe().await.unwrap();
    assert_eq!(place.names().await, Vec::<String>::new());
}

#[tokio::test]
async fn a_folder_that_cannot_be_written_to_is_refused_before_anything_is_begun() {
    let folder = tempfile::tempdir().unwrap();
    let store = crate::store::Store::folder(folder.path()).unwrap();
    std::fs::remove_dir(folder.path()).unwrap();
    let error = store.probe().await.unwrap_err();
    assert!(error.to_string().contains(&folder.path().display().to_string()), "{error}");
}

#[tokio::test]
async fn a_writer_whose_lease_was_taken_over_publishes_nothing_and_spoils_nothing() {
    let place = Place::bucket();
    let first = Ledger::open(place.warehouse()).await.unwrap();
    first.deliver_month("2025-03", 2).await;
    // As a process that stands still: no sign of life any more, and no end either.
    first.writer.stand_still();
    let second = Ledger {
        writer: place.warehouse().writer(&holder("the next"), Duration::from_secs(30)).await.unwrap(),
        warehouse: place.warehouse(),
    };
    assert_eq!(second.deliver("2025-03-03", &[("SECOND", "第二")]).await.unwrap(), 3);
    let late = first.deliver("2025-03-03", &[("FIRST-LATE", "迟到")]).await.unwrap_err();
    assert_eq!(late.kind(), ErrorKind::Busy);
    assert!(late.to_string().contains("taken over"), "{late}");
    second.writer.vacuum(at("2025-03-15T00:00:00Z"), Removal::Done).await.unwrap();
    assert_eq!(second.deliver("2025-03-04", &[("THIRD", "第三")]).await.unwrap(), 4);
    let read = place.warehouse();
    is_whole(&read).await;
    let found = insurers(&read.latest().await.unwrap().unwrap()).await.unwrap();
    assert!(found.contains_key("THIRD") && !found.contains_key("FIRST-LATE"), "{found:?}");
}

#[tokio::test]
async fn vacuum_after_a_take_over_first_makes_sure_that_the_old_writer_can_publish_nothing() {
    let place = Place::bucket();
    let first = Ledger::open(place.warehouse()).await.unwrap();
    first.deliver_month("2025-03", 2).await;
    first.writer.stand_still();
    let second = place.warehouse().writer(&holder("the next"), Duration::from_secs(30)).await.unwrap();
    second.vacuum(at("2025-03-15T00:00:00Z"), Removal::Done).await.unwrap();
    // The number that the old writer would give is taken by a release with the same rows.
    let read = place.warehouse();
    assert_eq!(read.latest().await.unwrap().unwrap().number(), 3);
    is_whole(&read).await;
}

#[tokio::test]
async fn a_live_table_in_a_bucket_keeps_every_line_of_those_who_append_at_once() {
    let place = Place::bucket();
    let row = |n: usize| serde_json::json!({"action": format!("a{n}")}).as_object().unwrap().clone();
    let threads: Vec<_> = (0..4)
        .map(|thread| {
            let log = place.warehouse().access_log().unwrap();
            let rows: Vec<_> = (0..5).map(|n| row(thread * 5 + n)).collect();
            std::thread::spawn(move || rows.iter().for_each(|row| log.append(std::slice::from_ref(row)).unwrap()))
        })
        .collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    match place.warehouse().access_log().unwrap().verify().unwrap() {
        Chain::Whole { rows, .. } => assert_eq!(rows, 20),
        broken => panic!("{broken:?}"),
    }
}
