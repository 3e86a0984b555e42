//! Vacuum: releases past their time are dropped, and files that no kept release names are removed.
//!
//! Never touched are landed files, what waits to be loaded, the live tables, assessments and manifests.
//! Files of history go only like any other: where no kept release names them, and the newest holds all
//! their rows, for history is only ever appended to and folded.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;

use super::retention;
use crate::contract;
use crate::error::{Error, ErrorKind, Result};
use crate::metric_values;
use crate::publication::Writer;
use crate::release::{Dropped, Manifest, release_tables};
use crate::table::{TableKind, TableLog, TableName};
use crate::warehouse::Warehouse;

/// Whether anything is removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Removal {
    /// Only told.
    Preview,
    /// Done.
    Done,
}

/// For so long the files of a dropped release stay, so that whoever began to read it may finish.
const READERS_TIME: TimeDelta = TimeDelta::hours(1);

/// An unfinished file that nobody wrote to for so long is left over from a crash.
const LEFTOVER_AGE: TimeDelta = TimeDelta::hours(1);

/// What a vacuum did, or would do.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct VacuumReport {
    /// Releases that are answered from.
    pub kept: usize,
    /// Releases dropped this time.
    pub dropped: Vec<u64>,
    /// Files removed, below the warehouse.
    pub removed: Vec<String>,
    /// Their size in bytes.
    pub bytes: u64,
    /// Tables whose log ran ahead of the newest release after a crash, and was set right.
    pub settled: Vec<String>,
}

impl Writer {
    /// Drops releases past their time and removes every file that no kept release names.
    ///
    /// The releases to be dropped are noted before the first file goes, so that none of them is
    /// answered from with a part of its files.
    ///
    /// # Errors
    /// Storage; Corrupt, where a manifest, a pin or a log cannot be read, or the history of a dataset
    /// has become shorter: then nothing is removed.
    pub async fn vacuum(&self, at: DateTime<Utc>, removal: Removal) -> Result<VacuumReport> {
        let warehouse = self.warehouse();
        // What another writer, whose lease was taken over, may still be about to name must not go.
        if removal == Removal::Done && !self.fence_off(at).await? {
            return Ok(VacuumReport::default());
        }
        let manifests = warehouse.manifests().await?;
        let pinned = pins(warehouse).await?;
        let before = warehouse.dropped().await?;
        let dropped = droppable(&manifests, &pinned, &before, at);
        let fresh: Vec<&Manifest> =
            manifests.iter().filter(|m| dropped.contains(m.release) && !before.contains(m.release)).collect();
        history_is_whole(warehouse, &manifests, &fresh).await?;
        let mut report = VacuumReport { dropped: fresh.iter().map(|m| m.release).collect(), ..VacuumReport::default() };
        let dropped = match removal {
            Removal::Preview => dropped,
            Removal::Done => {
                let dropped = drop_releases(warehouse, &manifests, &before, dropped, at).await?;
                report.dropped.retain(|release| dropped.contains(*release));
                report.settled = self.settle_logs().await?;
                dropped
            }
        };
        report.kept = manifests.iter().filter(|manifest| !dropped.contains(manifest.release)).count();
        let readable = readable(&manifests, &dropped, at);
        let named = named_files(warehouse, &readable).await?;
        for folder in ["tables", "history", "system"] {
            for object in warehouse.store().list(folder).await? {
                if is_data_file(&object.path) && !named.contains(&object.path) {
                    report.bytes += object.size_bytes;
                    report.removed.push(object.path);
                }
            }
        }
        let leftovers = warehouse.store().leftovers(at - LEFTOVER_AGE).await?;
        if removal == Removal::Done {
            warehouse.store().delete(report.removed.clone()).await?;
            warehouse.store().delete_leftovers(&leftovers)?;
        }
        report.bytes += leftovers.iter().map(|leftover| leftover.size_bytes).sum::<u64>();
        report.removed.extend(leftovers.into_iter().map(|leftover| leftover.path));
        Ok(report)
    }

    /// Sets right the logs that ran ahead of the newest release after a crash, so that other tools, which
    /// read the head of a log, see no file that goes.
    async fn settle_logs(&self) -> Result<Vec<String>> {
        let mut settled = Vec::new();
        for (name, _) in release_tables(contract::builtin()) {
            if self.settle_log(&name).await? {
                settled.push(name.path());
            }
        }
        Ok(settled)
    }
}

async fn pins(warehouse: &Warehouse) -> Result<BTreeSet<u64>> {
    Ok(warehouse.assessments().pinned_releases().await?.into_keys().collect())
}

/// What was dropped before, and what has had its time.
fn droppable(manifests: &[Manifest], pinned: &BTreeSet<u64>, before: &Dropped, at: DateTime<Utc>) -> Dropped {
    let kept = retention::kept(manifests, pinned, at);
    let past = manifests.iter().map(|manifest| manifest.release).filter(|release| !kept.contains(release));
    Dropped::of(before.numbers().chain(past))
}

/// Notes what is dropped, then looks again at what assessments need: whoever pins a release looks after
/// that whether it was dropped, so one of the two sees the other.
async fn drop_releases(
    warehouse: &Warehouse,
    manifests: &[Manifest],
    before: &Dropped,
    dropped: Dropped,
    at: DateTime<Utc>,
) -> Result<Dropped> {
    dropped.write(warehouse.store()).await?;
    let again = droppable(manifests, &pins(warehouse).await?, before, at);
    if again != dropped {
        again.write(warehouse.store()).await?;
    }
    warehouse.forget(&again);
    Ok(again)
}

/// The releases whose files stay: the kept ones, and those dropped just now that somebody may be reading.
fn readable<'m>(manifests: &'m [Manifest], dropped: &Dropped, at: DateTime<Utc>) -> Vec<&'m Manifest> {
    let earlier = retention::kept(manifests, &BTreeSet::new(), at - READERS_TIME);
    let stays = |release: u64| !dropped.contains(release) || earlier.contains(&release);
    manifests.iter().filter(|manifest| stays(manifest.release)).collect()
}

/// Paths of all data files that the releases name, or the sheets that follow them.
async fn named_files(warehouse: &Warehouse, releases: &[&Manifest]) -> Result<HashSet<String>> {
    let mut named = HashSet::new();
    for (path, versions) in versions(releases.iter().copied()) {
        let log = log(warehouse, &path)?;
        for version in versions {
            let table = log.read(version).await?;
            named.extend(table.files.iter().map(|file| format!("{path}/{}", file.path)));
        }
    }
    // What follows a release is named beside its manifest.
    let path = metric_values::table().path();
    let numbers = releases.iter().map(|manifest| manifest.release).collect();
    for version in warehouse.metric_values().following(&numbers).await?.into_keys() {
        let table = log(warehouse, &path)?.read(version).await?;
        named.extend(table.files.iter().map(|file| format!("{path}/{}", file.path)));
    }
    Ok(named)
}

/// The versions of each table that releases name.
pub(super) fn versions<'m>(releases: impl Iterator<Item = &'m Manifest>) -> BTreeMap<String, BTreeSet<u64>> {
    let mut versions: BTreeMap<String, BTreeSet<u64>> = BTreeMap::new();
    for manifest in releases {
        for (path, version) in &manifest.tables {
            versions.entry(path.clone()).or_default().insert(*version);
        }
    }
    versions
}

pub(super) fn log(warehouse: &Warehouse, path: &str) -> Result<TableLog> {
    let name = TableName::parse(path)
        .ok_or_else(|| Error::new(ErrorKind::Corrupt, format!("a release names {path}, which is no table")))?;
    TableLog::new(warehouse.store(), name)
}

/// No version of a record may go with a release: the newest history must hold at least as many.
async fn history_is_whole(warehouse: &Warehouse, manifests: &[Manifest], dropped: &[&Manifest]) -> Result<()> {
    let Some(newest) = manifests.last() else { return Ok(()) };
    for (path, versions) in versions(dropped.iter().copied()) {
        if TableName::parse(&path).is_none_or(|name| name.kind != TableKind::History) {
            continue;
        }
        let log = log(warehouse, &path)?;
        let now = match newest.tables.get(&path) {
            Some(version) => log.read(*version).await?.rows(),
            None => 0,
        };
        for version in versions {
            let then = log.read(version).await?.rows();
            if then > now {
                let message = format!(
                    "{path} holds {now} versions of records now and held {then} in a release that is past its time; \
                     nothing was removed: run anze maintain check"
                );
                return Err(Error::new(ErrorKind::Corrupt, message));
            }
        }
    }
    Ok(())
}

/// `tables/policy/<file>.parquet`, and nothing inside a log.
pub(super) fn is_data_file(path: &str) -> bool {
    path.ends_with(".parquet") && path.split('/').count() >= 3 && !path.contains("/_delta_log/")
}
