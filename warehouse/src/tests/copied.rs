//! A backup restored elsewhere answers the same, costs only what is new, and shows its own damage.

use std::collections::BTreeMap;

use super::ledger::{Ledger, at, holder, insurers};
use super::place::{Place, on_every_store};
use crate::ErrorKind;
use crate::maintenance::{Depth, Removal};
use crate::session::Limits;
use crate::store::Store;
use crate::warehouse::Warehouse;

on_every_store!(
    what_is_restored_answers_every_release_as_before_and_goes_on_from_there,
    a_second_backup_copies_what_is_new_and_both_can_be_restored,
    a_warehouse_that_holds_something_is_never_restored_over,
    a_damaged_backup_is_refused_before_anything_of_it_is_seen,
);

/// A warehouse after ten days, and a folder for backups.
async fn ten_days(place: &Place) -> (Ledger, tempfile::TempDir, Store) {
    let folder = tempfile::tempdir().unwrap();
    let ledger = Ledger::open(place.warehouse()).await.unwrap();
    ledger.deliver_month("2025-03", 10).await;
    let elsewhere = Store::folder(folder.path()).unwrap();
    (ledger, folder, elsewhere)
}

async fn every_release(warehouse: &Warehouse, newest: u64) -> Vec<Option<BTreeMap<String, String>>> {
    let mut answers = Vec::new();
    for number in 1..=newest {
        answers.push(match warehouse.release(number).await {
            Ok(release) => Some(insurers(&release.unwrap()).await.unwrap()),
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::Gone);
                None
            }
        });
    }
    answers
}

async fn restored(place: &Place, elsewhere: &Store, name: Option<&str>) -> (Place, std::sync::Arc<Warehouse>) {
    let other = place.another();
    let warehouse = other.warehouse();
    let writer = warehouse.writer(&holder("a restore"), std::time::Duration::ZERO).await.unwrap();
    writer.restore(elsewhere, name).await.unwrap();
    let found = warehouse.check(Depth::Contents, at("2025-05-15T00:00:00Z"), &Limits::default()).await.unwrap();
    assert!(found.findings.is_empty() && found.unnamed == 0, "{found:?}");
    (other, warehouse)
}

async fn what_is_restored_answers_every_release_as_before_and_goes_on_from_there(place: Place) {
    let (ledger, _folder, elsewhere) = ten_days(&place).await;
    ledger.warehouse.assessments().pin(4, "a").await.unwrap();
    ledger.writer.vacuum(at("2025-04-12T00:00:00Z"), Removal::Done).await.unwrap();
    // Kept are 4 for the assessment and 10, the end of the month.
    let before = every_release(&ledger.warehouse, 10).await;
    assert_eq!(before.iter().filter(|release| release.is_some()).count(), 2);
    let report = ledger.warehouse.backup(&elsewhere, at("2025-04-12T01:00:00Z")).await.unwrap();
    assert_eq!(report.release, 10);
    let (_other, copy) = restored(&place, &elsewhere, None).await;
    assert_eq!(every_release(&copy, 10).await, before);
    assert_eq!(copy.assessments().pinned_releases().await.unwrap().len(), 1);
    let ledger = Ledger::open(copy).await.unwrap();
    assert_eq!(ledger.deliver("2025-04-13", &[("NEXT", "下一个")]).await.unwrap(), 11);
    assert_eq!(insurers(&ledger.warehouse.latest().await.unwrap().unwrap()).await.unwrap().len(), 12);
}

async fn a_second_backup_copies_what_is_new_and_both_can_be_restored(place: Place) {
    let (ledger, _folder, elsewhere) = ten_days(&place).await;
    let first = ledger.warehouse.backup(&elsewhere, at("2025-03-10T03:00:00Z")).await.unwrap();
    // Equal bytes, such as empty commits, are copied once.
    assert!(first.copied <= first.objects && first.copied_bytes <= first.bytes);
    ledger.deliver("2025-03-11", &[("NEXT", "下一个")]).await.unwrap();
    let second = ledger.warehouse.backup(&elsewhere, at("2025-03-11T03:00:00Z")).await.unwrap();
    // Of four tables (insurer, its history, batch, release) a file and a log entry each, the landed file, the
    // manifest; folding may add none, for a folded file replaces what the day would have added.
    assert!(second.copied >= 8 && second.copied <= 12, "{second:?}");
    assert_eq!(second.release, 11);
    let none = ledger.warehouse.backup(&elsewhere, at("2025-03-11T04:00:00Z")).await.unwrap();
    assert_eq!((none.copied, none.copied_bytes, none.objects), (0, 0, second.objects));
    let (_old, old) = restored(&place, &elsewhere, Some(&first.backup)).await;
    assert_eq!(old.latest().await.unwrap().unwrap().number(), 10);
    let (_new, new) = restored(&place, &elsewhere, None).await;
    assert_eq!(every_release(&new, 11).await, every_release(&ledger.warehouse, 11).await);
}

async fn a_warehouse_that_holds_something_is_never_restored_over(place: Place) {
    let (ledger, _folder, elsewhere) = ten_days(&place).await;
    ledger.warehouse.backup(&elsewhere, at("2025-03-10T03:00:00Z")).await.unwrap();
    let error = ledger.writer.restore(&elsewhere, None).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused);
    let empty = place.another();
    let other = empty.warehouse();
    let writer = other.writer(&holder("a restore"), std::time::Duration::ZERO).await.unwrap();
    let error = writer.restore(&elsewhere, Some("2020-01-01")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(error.to_string().contains("2025-03-10T03-00-00.000000Z"), "{error}");
}

async fn a_damaged_backup_is_refused_before_anything_of_it_is_seen(place: Place) {
    let (ledger, _folder, elsewhere) = ten_days(&place).await;
    ledger.warehouse.backup(&elsewhere, at("2025-03-10T03:00:00Z")).await.unwrap();
    let objects = elsewhere.list("objects").await.unwrap();
    let longest = objects.iter().max_by_key(|object| object.size_bytes).unwrap();
    let mut bytes = elsewhere.read(&longest.path).await.unwrap().unwrap().to_vec();
    bytes[7] ^= 1;
    elsewhere.replace(&longest.path, bytes).await.unwrap();
    let empty = place.another();
    let other = empty.warehouse();
    let writer = other.writer(&holder("a restore"), std::time::Duration::ZERO).await.unwrap();
    let error = writer.restore(&elsewhere, None).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt);
    assert!(other.latest().await.unwrap().is_none());
}
