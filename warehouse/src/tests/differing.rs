//! What is different between two releases.

use super::ledger::{Ledger, at};
use super::place::{Place, on_every_store};
use crate::maintenance::{Compaction, Removal};
use crate::release::{ChangedKey, Difference};
use crate::session::Limits;
use crate::warehouse::Warehouse;

on_every_store!(rows_are_told_by_key_with_the_batch_that_brought_them, compaction_makes_no_difference);

async fn difference(warehouse: &Warehouse, from: u64, to: u64, most: usize) -> Difference {
    let [one, other] = [warehouse.release(from).await.unwrap().unwrap(), warehouse.release(to).await.unwrap().unwrap()];
    warehouse.difference(&one, &other, None, most, &Limits::default()).await.unwrap()
}

fn keys(difference: &Difference) -> Vec<(&'static str, String, String)> {
    let told = |key: &ChangedKey| {
        (key.change, key.key.iter().map(|part| part.clone().unwrap()).collect(), key.batch_id.clone().unwrap())
    };
    difference.datasets.iter().flat_map(|dataset| dataset.keys.iter().map(told)).collect()
}

async fn rows_are_told_by_key_with_the_batch_that_brought_them(place: Place) {
    let ledger = Ledger::open(place.warehouse()).await.unwrap();
    ledger.deliver("2025-03-01", &[("A", "甲"), ("B", "乙"), ("C", "丙")]).await.unwrap();
    ledger.deliver("2025-03-02", &[("B", "乙二"), ("D", "丁")]).await.unwrap();
    ledger.deliver("2025-03-03", &[("B", "乙三")]).await.unwrap();
    let all = difference(&ledger.warehouse, 1, 3, 10).await;
    let [second, third] = [&all.batches[0].batches[0], &all.batches[1].batches[0]];
    assert_eq!(keys(&all), [("replaced", "B".into(), third.clone()), ("added", "D".into(), second.clone())]);
    assert_eq!((all.batches[0].release, all.batches[1].release, all.contracts_changed), (2, 3, false));
    let counts = &all.datasets[0];
    assert_eq!((counts.dataset.as_str(), counts.added, counts.replaced, counts.removed), ("insurer", 1, 1, 0));
    // Counts are of all keys, also where few are named.
    let few = difference(&ledger.warehouse, 1, 3, 1).await;
    assert_eq!((few.datasets[0].added, few.datasets[0].replaced, few.datasets[0].keys.len()), (1, 1, 1));
}

async fn compaction_makes_no_difference(place: Place) {
    let ledger = Ledger::open(place.warehouse()).await.unwrap();
    ledger.deliver_month("2025-03", 5).await;
    ledger.writer.compact(at("2025-03-06T00:00:00Z"), Compaction::All).await.unwrap();
    assert_eq!(difference(&ledger.warehouse, 5, 6, 10).await.datasets, []);
    ledger.writer.vacuum(at("2025-03-06T00:00:00Z"), Removal::Done).await.unwrap();
    assert_eq!(difference(&ledger.warehouse, 4, 6, 10).await.datasets[0].added, 1);
}
