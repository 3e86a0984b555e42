//! Vacuum: releases past their time are dropped, and with them the data files and the entries of logs that no
//! kept release needs.
//!
//! Never touched are landed files, what waits to be loaded, the live tables, assessments and manifests.
//! Files of history go only like any other: where no kept release names them, and the newest holds all
//! their rows, for history is only ever appended to and folded.

use std::collections::{BTreeSet, HashSet};

use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;

use super::needed::{Versions, is_data_file, log, named_files, readable_versions, versions};
use super::retention;
use crate::contract;
use crate::error::{Error, ErrorKind, Result};
use crate::publication::Writer;
use crate::release::{Dropped, Manifest, release_tables};
use crate::store::Stored;
use crate::table::{TableKind, TableName};
use crate::warehouse::Warehouse;

/// Whether anything is removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Removal {
    /// Only told.
    Preview,
    /// Done.
    Done,
}

/// For so long what a dropped release needs stays, so that whoever began to read it may finish.
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
    /// Data files, log entries, notes of sheets and leftovers removed, below the warehouse.
    pub removed: Vec<String>,
    /// Their size in bytes.
    pub bytes: u64,
    /// Tables whose log ran ahead of the newest release after a crash, and was set right.
    pub settled: Vec<String>,
}

impl Writer {
    /// Drops releases past their time and removes every data file that no kept release names, and every entry
    /// of a log that none needs.
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
        let versions = readable_versions(warehouse, &readable).await?;
        let mut going = expired_entries(warehouse, &versions, &recent(&readable, at), removal).await?;
        // What lingers for its readers is gone already where a clock was set back since the last vacuum.
        let needed: Vec<&Manifest> = readable.iter().copied().filter(|m| !dropped.contains(m.release)).collect();
        let needed = readable_versions(warehouse, &needed).await?;
        going.extend(unnamed_files(warehouse, &named_files(warehouse, &versions, &needed).await?).await?);
        let numbers = readable.iter().map(|manifest| manifest.release).collect();
        going.extend(warehouse.metric_values().outdated(&numbers).await?);
        let leftovers = warehouse.store().leftovers(at - LEFTOVER_AGE).await?;
        if removal == Removal::Done {
            warehouse.store().delete(going.iter().map(|object| object.path.clone()).collect()).await?;
            warehouse.store().delete_leftovers(&leftovers)?;
        }
        going.extend(leftovers);
        report.bytes = going.iter().map(|object| object.size_bytes).sum();
        report.removed = going.into_iter().map(|object| object.path).collect();
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

/// Those of them that are young, and the newest: what they need of a log stays as it is.
fn recent<'m>(readable: &[&'m Manifest], at: DateTime<Utc>) -> Vec<&'m Manifest> {
    let newest = readable.iter().map(|manifest| manifest.release).max();
    let is_recent =
        |manifest: &Manifest| retention::is_young(manifest, at - READERS_TIME) || Some(manifest.release) == newest;
    readable.iter().copied().filter(|manifest| is_recent(manifest)).collect()
}

/// The data files that lie in tables and are not among those named.
async fn unnamed_files(warehouse: &Warehouse, named: &HashSet<String>) -> Result<Vec<Stored>> {
    let mut unnamed = Vec::new();
    for folder in ["tables", "history", "system"] {
        let listed = warehouse.store().list(folder).await?.into_iter();
        unnamed.extend(listed.filter(|object| is_data_file(&object.path) && !named.contains(&object.path)));
    }
    Ok(unnamed)
}

/// The entries of logs that nobody needs who reads one of the versions. Where they are to go, the versions of
/// releases that are not recent get a checkpoint first, with which they do without the entries before.
async fn expired_entries(
    warehouse: &Warehouse,
    versions: &Versions,
    recent: &[&Manifest],
    removal: Removal,
) -> Result<Vec<Stored>> {
    let recent = readable_versions(warehouse, recent).await?;
    let mut expired = Vec::new();
    for (path, kept) in versions {
        let Some(recent) = recent.get(path).and_then(BTreeSet::first) else { continue };
        let log = log(warehouse, path)?;
        expired.extend(match removal {
            Removal::Preview => log.expired(warehouse.store(), kept, *recent).await?,
            Removal::Done => log.set_apart(warehouse.store(), kept, *recent).await?,
        });
    }
    Ok(expired)
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
        let mut log = log.replay();
        for version in versions {
            let then = log.files(version).await?.values().map(|file| file.rows).sum::<u64>();
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
