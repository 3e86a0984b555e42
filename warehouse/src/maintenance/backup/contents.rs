//! What belongs in a backup, in an order in which what is copied later holds what was copied before.

use std::collections::HashSet;

use super::super::needed::{is_data_file, named_files, versions};
use super::gone;
use crate::error::Result;
use crate::release::{Manifest, Release};
use crate::store::Stored;
use crate::warehouse::Warehouse;

/// The objects to be copied.
///
/// Notes of what waits come before landed files, so that the bytes of each are there; entries of
/// assessments before what they point at, which is written before them.
pub(super) async fn contents(warehouse: &Warehouse, newest: Option<&Release>) -> Result<Vec<Stored>> {
    let store = warehouse.store();
    let mut contents = Vec::new();
    for folder in ["pending", "landed", "assessments/entries", "assessments/frozen", "assessments/pins", "live"] {
        contents.extend(store.list(folder).await?);
    }
    contents.retain(|object| belongs(&object.path));
    let Some(newest) = newest else { return Ok(contents) };
    let dropped = warehouse.dropped().await?;
    let mut manifests = warehouse.manifests().await?;
    manifests.retain(|manifest| manifest.release <= newest.number());
    let kept: Vec<&Manifest> = manifests.iter().filter(|manifest| !dropped.contains(manifest.release)).collect();
    let named = named(warehouse, &kept).await?;
    for folder in ["tables", "history", "system"] {
        for object in store.list(folder).await? {
            let wanted = match is_data_file(&object.path) {
                true => named.contains(&object.path),
                false => is_logged(&object.path, newest.manifest()),
            };
            if wanted {
                contents.push(object);
            }
        }
    }
    // Last of all: where they stand, what they name is there.
    let numbered = |path: &str| path.strip_prefix("releases/")?.strip_suffix(".json")?.parse::<u64>().ok();
    let releases = store.list("releases").await?.into_iter();
    contents.extend(releases.filter(|object| match numbered(&object.path) {
        Some(number) => number <= newest.number(),
        None => object.path == "releases/dropped.json",
    }));
    Ok(contents)
}

/// The data files that the kept releases name.
async fn named(warehouse: &Warehouse, kept: &[&Manifest]) -> Result<HashSet<String>> {
    let needed = versions(kept.iter().copied());
    match named_files(warehouse, &needed, &needed).await {
        Ok(named) => Ok(named),
        // A vacuum beside us may have dropped a release meanwhile, and with it what a log said of it.
        Err(error) => {
            let dropped = warehouse.dropped().await?;
            match kept.iter().find(|manifest| dropped.contains(manifest.release)) {
                Some(manifest) => Err(gone(&format!("release {}", manifest.release))),
                None => Err(error),
            }
        }
    }
}

/// Log entries and checkpoints up to the version that the release names: what a crash left beyond it, and
/// the hint at the last checkpoint, stay behind.
fn is_logged(path: &str, manifest: &Manifest) -> bool {
    let Some((table, entry)) = path.split_once("/_delta_log/") else { return false };
    let version = entry.split('.').next().and_then(|digits| digits.parse::<u64>().ok());
    let last = manifest.tables.get(table);
    version.zip(last).is_some_and(|(version, last)| version <= *last)
}

fn belongs(path: &str) -> bool {
    !path.ends_with(".lock") && !path.ends_with(".unfinished")
}

impl Stored {
    /// Whether it may rightly be gone when it is copied.
    pub(super) fn may_go(&self) -> bool {
        self.path.starts_with("pending/") || self.path.starts_with("assessments/")
    }
}
