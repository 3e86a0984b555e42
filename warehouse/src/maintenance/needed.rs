//! What releases need of the tables: versions, and the data files that those name.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use crate::error::{Error, ErrorKind, Result};
use crate::metric_values;
use crate::release::Manifest;
use crate::table::{TableLog, TableName};
use crate::warehouse::Warehouse;

/// Versions of tables, by their folder.
pub(super) type Versions = BTreeMap<String, BTreeSet<u64>>;

/// The versions of each table that releases name.
pub(super) fn versions<'m>(releases: impl Iterator<Item = &'m Manifest>) -> Versions {
    let mut versions = Versions::new();
    for manifest in releases {
        for (path, version) in &manifest.tables {
            versions.entry(path.clone()).or_default().insert(*version);
        }
    }
    versions
}

/// The versions of each table that releases name, or the sheets that follow them.
pub(super) async fn readable_versions(warehouse: &Warehouse, releases: &[&Manifest]) -> Result<Versions> {
    let mut named = versions(releases.iter().copied());
    // What follows a release is named beside its manifest.
    let numbers = releases.iter().map(|manifest| manifest.release).collect();
    let following = warehouse.metric_values().following(&numbers).await?;
    if !following.is_empty() {
        named.entry(metric_values::table().path()).or_default().extend(following.into_keys());
    }
    Ok(named)
}

/// Paths of all data files of some versions. Those that are not `needed` may be gone.
pub(super) async fn named_files(
    warehouse: &Warehouse,
    versions: &Versions,
    needed: &Versions,
) -> Result<HashSet<String>> {
    let mut named = HashSet::new();
    for (path, versions) in versions {
        let mut log = log(warehouse, path)?.replay();
        for version in versions {
            match log.files(*version).await {
                Ok(files) => named.extend(files.keys().map(|file| format!("{path}/{file}"))),
                Err(error) if needed.get(path).is_some_and(|needed| needed.contains(version)) => return Err(error),
                Err(_) => {}
            }
        }
    }
    Ok(named)
}

/// The log of a table by its folder.
pub(super) fn log(warehouse: &Warehouse, path: &str) -> Result<TableLog> {
    let name = TableName::parse(path)
        .ok_or_else(|| Error::new(ErrorKind::Corrupt, format!("a release names {path}, which is no table")))?;
    TableLog::new(warehouse.store(), name)
}

/// `tables/policy/<file>.parquet`, and nothing inside a log.
pub(super) fn is_data_file(path: &str) -> bool {
    path.ends_with(".parquet") && path.split('/').count() >= 3 && !path.contains("/_delta_log/")
}
