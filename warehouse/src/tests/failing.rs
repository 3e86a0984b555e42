//! A publication that fails leaves the last release, and the same writer goes on once it can.

use super::ledger::{Ledger, at, insurers};
use crate::maintenance::{Depth, Removal};
use crate::session::Limits;
use crate::warehouse::Warehouse;

async fn is_whole(warehouse: &Warehouse) {
    let found = warehouse.check(Depth::Contents, at("2025-03-15T00:00:00Z"), &Limits::default()).await.unwrap();
    assert!(found.findings.is_empty(), "{found:?}");
}

/// Puts a folder where an object is to be written, so that writing it fails, until it is taken away.
fn in_the_way(folder: &tempfile::TempDir, path: &str) -> std::path::PathBuf {
    let place = folder.path().join(path);
    std::fs::create_dir_all(&place).unwrap();
    place
}

#[tokio::test]
async fn a_failure_anywhere_before_the_manifest_leaves_the_last_release_and_the_writer_able() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = Ledger::open(Warehouse::open(folder.path()).unwrap()).await.unwrap();
    ledger.deliver_month("2025-03", 2).await;
    let before = insurers(&ledger.warehouse.latest().await.unwrap().unwrap()).await.unwrap();
    // The next entry in the log of one table of four, then the manifest itself.
    for path in ["tables/insurer/_delta_log/00000000000000000003.json", "releases/0000000003.json"] {
        let obstacle = in_the_way(&folder, path);
        let failed = ledger.deliver("2025-03-03", &[("LOST", "未发布")]).await;
        assert!(failed.is_err(), "{path}: {failed:?}");
        std::fs::remove_dir(obstacle).unwrap();
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

#[tokio::test]
async fn a_folder_that_cannot_be_written_to_is_refused_before_anything_is_begun() {
    let folder = tempfile::tempdir().unwrap();
    let store = crate::store::Store::folder(folder.path()).unwrap();
    store.probe().await.unwrap();
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "a probe leaves nothing");
    std::fs::remove_dir(folder.path()).unwrap();
    let error = store.probe().await.unwrap_err();
    assert!(error.to_string().contains(&folder.path().display().to_string()), "{error}");
}
