//! Opening a warehouse: releases to read, live tables, and the one writer.

mod lease;

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use futures::{StreamExt, TryStreamExt, stream};

use crate::assessments::Assessments;
use crate::contract;
use crate::error::{Error, ErrorKind, Result};
use crate::live::{ChainedFile, LiveFile};
use crate::metric_values::MetricValues;
use crate::publication::Writer;
use crate::reading::Reading;
use crate::release::{Difference, Dropped, Entered, Manifest, Release, difference};
use crate::session::Limits;
use crate::store::Store;
use crate::table::{TableLog, TableName, TableVersion};

pub use lease::{Holder, Lease};

/// Manifests asked for at a time: in a bucket each answer takes a while.
const READ_TOGETHER: usize = 32;
/// Releases kept open beside the newest.
const OPEN_RELEASES: usize = 16;

/// A warehouse in a folder or a bucket.
#[derive(Debug)]
pub struct Warehouse {
    store: Store,
    reading: Arc<Reading>,
    open: Mutex<Vec<Arc<Release>>>,
    versions: Mutex<HashMap<(TableName, u64), TableVersion>>,
}

impl Warehouse {
    /// Opens the warehouse in a folder; an empty folder is an empty warehouse.
    ///
    /// # Errors
    /// Storage, where the folder cannot be used.
    pub fn open(folder: &Path) -> Result<Arc<Self>> {
        Ok(Self::at(Store::folder(folder)?, Reading::default()))
    }

    /// The warehouse in a place, for a deployment that says how its releases are read.
    pub fn at(store: Store, reading: Reading) -> Arc<Self> {
        let reading = Arc::new(reading);
        Arc::new(Self { store, reading, open: Mutex::default(), versions: Mutex::default() })
    }

    /// Where it lies.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// What those who read it may use together.
    pub fn limits(&self) -> &Limits {
        &self.reading.limits
    }

    /// How its releases are read.
    pub(crate) fn reading(&self) -> &Arc<Reading> {
        &self.reading
    }

    /// The assessments kept beside the tables, and the releases they need.
    pub fn assessments(&self) -> Assessments {
        Assessments::new(&self.store)
    }

    /// The metric values kept beside the releases that they follow.
    pub fn metric_values(&self) -> MetricValues {
        MetricValues::new(&self.store)
    }

    /// The newest release; `None` before the first.
    ///
    /// # Errors
    /// Storage, Corrupt.
    pub async fn latest(&self) -> Result<Option<Arc<Release>>> {
        match Manifest::newest(&self.store).await? {
            0 => Ok(None),
            newest => self.open_release(newest).await,
        }
    }

    /// A release by number; `None` where there never was one of this number.
    ///
    /// # Errors
    /// Gone, where it is no longer kept; Storage, Corrupt.
    pub async fn release(&self, number: u64) -> Result<Option<Arc<Release>>> {
        let dropped = self.dropped().await?;
        if dropped.contains(number) {
            return Err(self.gone(number, &dropped).await?);
        }
        match self.open_release(number).await {
            Err(error) => {
                // A vacuum beside us may have dropped it just now, and with it what the logs said of it.
                let dropped = self.dropped().await?;
                Err(if dropped.contains(number) { self.gone(number, &dropped).await? } else { error })
            }
            opened => opened,
        }
    }

    /// The releases that are no longer kept.
    ///
    /// # Errors
    /// Storage, Corrupt.
    pub async fn dropped(&self) -> Result<Dropped> {
        Dropped::read(&self.store).await
    }

    /// Says that a release is no longer kept, and which one before and after it is.
    async fn gone(&self, number: u64, dropped: &Dropped) -> Result<Error> {
        let newest = Manifest::newest(&self.store).await?;
        let kept = |number: &u64| !dropped.contains(*number);
        let near = [(1..number).rev().find(kept), (number + 1..=newest).find(kept)];
        let mut told = Vec::new();
        for near in near.into_iter().flatten() {
            if let Some(manifest) = Manifest::read(&self.store, near).await? {
                told.push(format!("{near} ({})", manifest.day));
            }
        }
        let message = format!(
            "release {number} is no longer kept; kept are those of 30 days, month ends and what assessments need, \
             nearest to it: {}",
            told.join(", ")
        );
        Ok(Error::new(ErrorKind::Gone, message))
    }

    /// A release by number, kept or not.
    pub(crate) async fn open_release(&self, number: u64) -> Result<Option<Arc<Release>>> {
        if let Some(open) = held(&self.open).iter().find(|release| release.number() == number) {
            return Ok(Some(Arc::clone(open)));
        }
        let Some(manifest) = Manifest::read(&self.store, number).await? else { return Ok(None) };
        let mut versions = Vec::with_capacity(manifest.tables.len());
        for (path, version) in &manifest.tables {
            let name = TableName::parse(path).ok_or_else(|| {
                Error::new(ErrorKind::Corrupt, format!("release {number} names {path}, which is no table"))
            })?;
            versions.push(self.table_version(name, *version).await?);
        }
        let release = Arc::new(Release::new(&self.store, manifest, versions, &self.reading)?);
        self.remember(&release);
        Ok(Some(release))
    }

    /// The newest release published at or before an instant.
    ///
    /// # Errors
    /// Gone, where it is no longer kept; Storage, Corrupt.
    pub async fn release_known_at(&self, instant: DateTime<Utc>) -> Result<Option<Arc<Release>>> {
        // Each is published after the one before, so that years of them are halved some dozen times.
        let (mut known, mut later) = (0, Manifest::newest(&self.store).await? + 1);
        while later - known > 1 {
            let number = known + (later - known) / 2;
            let published = Manifest::read(&self.store, number).await?.map(|manifest| manifest.published_at);
            match published.is_some_and(|published| published <= instant) {
                true => known = number,
                false => later = number,
            }
        }
        match known {
            0 => Ok(None),
            known => self.release(known).await,
        }
    }

    /// What changed from a release to a later one; of one dataset, or of all. At most `most` keys of each
    /// are named.
    ///
    /// # Errors
    /// Refused, where they are in the wrong order; Storage, Corrupt.
    pub async fn difference(
        &self,
        from: &Release,
        to: &Release,
        only: Option<&str>,
        most: usize,
        limits: &Limits,
    ) -> Result<Difference> {
        let (earlier, later) = (from.number(), to.number());
        if earlier > later {
            return Err(Error::refused(format!("release {earlier} is the later one: ask from {later} to {earlier}")));
        }
        let mut batches = Vec::new();
        for number in earlier + 1..=later {
            if let Some(manifest) = Manifest::read(&self.store, number).await?
                && !manifest.batches.is_empty()
            {
                batches.push(Entered { release: number, batches: manifest.batches });
            }
        }
        difference(from, to, batches, only, most, limits).await
    }

    /// The manifests of all releases, oldest first.
    ///
    /// # Errors
    /// Storage, Corrupt.
    pub async fn manifests(&self) -> Result<Vec<Manifest>> {
        let newest = Manifest::newest(&self.store).await?;
        let read = stream::iter(1..=newest).map(|number| Manifest::read(&self.store, number));
        read.buffered(READ_TOGETHER).try_filter_map(|manifest| async { Ok(manifest) }).try_collect().await
    }

    /// The file of a live table.
    ///
    /// # Errors
    /// NotFound, where there is no such live table.
    pub fn live(&self, table: &str) -> Result<LiveFile> {
        contract::builtin()
            .system_table(table)
            .filter(|_| crate::live::is_live(table))
            .map(|contract| LiveFile::new(&self.store, contract))
            .ok_or_else(|| Error::new(ErrorKind::NotFound, format!("no live table {table}")))
    }

    /// The file of the access log, whose rows are chained by their hashes.
    ///
    /// # Errors
    /// NotFound, where it has no contract.
    pub fn access_log(&self) -> Result<ChainedFile> {
        contract::builtin()
            .system_table("access_log")
            .map(|contract| ChainedFile::new(&self.store, contract))
            .ok_or_else(|| Error::new(ErrorKind::NotFound, "the access log has no contract"))
    }

    /// Becomes the one writer, waiting for another to finish.
    ///
    /// # Errors
    /// Busy after `wait`, naming the holder; Refused or Storage, where the place cannot be written to
    /// durably.
    pub async fn writer(self: &Arc<Self>, holder: &Holder, wait: Duration) -> Result<Writer> {
        let lease = Lease::take(&self.store, holder, wait).await?;
        self.store.probe().await?;
        Ok(Writer::new(Arc::clone(self), lease))
    }

    /// Who holds the writer's lease, if anybody does.
    ///
    /// # Errors
    /// Storage.
    pub fn writer_holder(&self) -> Result<Option<Holder>> {
        Lease::holder(&self.store)
    }

    /// Lets go of what is remembered of releases that are no longer kept.
    pub(crate) fn forget(&self, dropped: &Dropped) {
        held(&self.open).retain(|release| !dropped.contains(release.number()));
    }

    pub(crate) async fn table_version(&self, name: TableName, version: u64) -> Result<TableVersion> {
        if let Some(known) = held(&self.versions).get(&(name.clone(), version)) {
            return Ok(known.clone());
        }
        let read = TableLog::new(&self.store, name)?.read(version).await?;
        self.remember_version(&read);
        Ok(read)
    }

    pub(crate) fn remember_version(&self, version: &TableVersion) {
        held(&self.versions).insert((version.name.clone(), version.version), version.clone());
    }

    pub(crate) fn remember(&self, release: &Arc<Release>) {
        let mut open = held(&self.open);
        open.push(Arc::clone(release));
        if open.len() > OPEN_RELEASES {
            open.remove(0);
        }
        let named = |name: &TableName, version: u64| {
            open.iter().any(|release| release.manifest().tables.get(&name.path()) == Some(&version))
        };
        held(&self.versions).retain(|(name, version), _| named(name, *version));
    }
}

/// A lock whose data stays whole even if a holder panicked: every change is one insert or remove.
fn held<T>(lock: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    lock.lock().unwrap_or_else(PoisonError::into_inner)
}
