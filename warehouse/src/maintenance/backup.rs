//! Backup: what the newest release needs, copied elsewhere by content, so that the next one copies only
//! what is new.
//!
//! | object of the backup's place | |
//! |---|---|
//! | `objects/<first two>/<sha256>` | bytes, under their SHA-256 |
//! | `backups/<instant>.json` | one backup: every object of the warehouse with its SHA-256; created last |
//!
//! It is taken beside a writer: releases are immutable, and of what changes meanwhile an earlier state is
//! copied that fits the release, as after a crash.

mod contents;
mod restore;

use std::collections::{BTreeMap, HashSet};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use self::contents::contents;
use crate::error::{Error, ErrorKind, Result};
use crate::store::{Store, Stored};
use crate::warehouse::Warehouse;

pub use restore::RestoreReport;

/// How often is begun anew where a vacuum beside us takes what was about to be copied.
const ATTEMPTS: usize = 3;

/// One backup, as its list says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct BackupList {
    /// When it was begun.
    pub(super) taken_at: DateTime<Utc>,
    /// The newest release in it; 0: none.
    pub(super) release: u64,
    /// Every object by path.
    pub(super) objects: BTreeMap<String, Listed>,
}

/// An object of the warehouse in a backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Listed {
    /// Of its bytes.
    pub(super) sha256: String,
    /// Their number.
    pub(super) size_bytes: u64,
    /// When it was written, in microseconds since 1970: the same bytes need not be read again.
    pub(super) written_us: i64,
}

/// What a backup did.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct BackupReport {
    /// Its name, for restoring it.
    pub backup: String,
    /// The newest release in it.
    pub release: u64,
    /// Objects in it.
    pub objects: u64,
    /// Their size in bytes.
    pub bytes: u64,
    /// Objects that were not there yet and were copied.
    pub copied: u64,
    /// Their size in bytes.
    pub copied_bytes: u64,
}

impl Warehouse {
    /// Copies everything that the kept releases need into a place.
    ///
    /// # Errors
    /// Storage, of either side; Corrupt, where a release or what it names cannot be read: run a check.
    pub async fn backup(&self, to: &Store, at: DateTime<Utc>) -> Result<BackupReport> {
        let mut left = ATTEMPTS;
        loop {
            left -= 1;
            match self.try_backup(to, at).await {
                Err(error) if error.kind() == ErrorKind::NotFound && left > 0 => {}
                done => return done,
            }
        }
    }

    async fn try_backup(&self, to: &Store, at: DateTime<Utc>) -> Result<BackupReport> {
        let known = match latest_list(to).await? {
            Some((_, list)) => list.objects,
            None => BTreeMap::new(),
        };
        let mut there: HashSet<String> = to.list("objects").await?.into_iter().map(|object| object.path).collect();
        let release = self.latest().await?;
        let number = release.as_ref().map_or(0, |release| release.number());
        let mut report = BackupReport { release: number, ..BackupReport::default() };
        let mut list = BackupList { taken_at: at, release: number, objects: BTreeMap::new() };
        for object in contents(self, release.as_deref()).await? {
            let listed = match known.get(&object.path) {
                Some(same) if same.size_bytes == object.size_bytes && same.written_us == object.written_us => {
                    same.clone()
                }
                _ => match listed(self.store(), &object).await? {
                    Some(listed) => listed,
                    // What may go at any time: a note of what waits, or a live table replaced.
                    None if object.may_go() => continue,
                    None => return Err(gone(&object.path)),
                },
            };
            let place = object_path(&listed.sha256);
            if !there.contains(&place) {
                copy(self.store(), &object.path, to, &place, &listed).await?;
                there.insert(place);
                report.copied += 1;
                report.copied_bytes += listed.size_bytes;
            }
            report.objects += 1;
            report.bytes += listed.size_bytes;
            list.objects.insert(object.path, listed);
        }
        report.backup = at.format("%Y-%m-%dT%H-%M-%S%.6fZ").to_string();
        let path = format!("{LISTS}/{}.json", report.backup);
        if !to.create(&path, serde_json::to_vec(&list)?).await? {
            return Err(Error::new(
                ErrorKind::Busy,
                format!("{path} exists already: another backup began at this instant"),
            ));
        }
        Ok(report)
    }
}

const LISTS: &str = "backups";

fn object_path(sha256: &str) -> String {
    format!("objects/{}/{sha256}", &sha256[..2])
}

fn gone(path: &str) -> Error {
    Error::new(ErrorKind::NotFound, format!("{path} went away while it was copied"))
}

/// The newest backup of a place, with its name.
async fn latest_list(place: &Store) -> Result<Option<(String, BackupList)>> {
    let lists = place.list(LISTS).await?;
    match lists.iter().rev().find_map(|object| object.path.strip_prefix("backups/")?.strip_suffix(".json")) {
        Some(name) => Ok(read_list(place, name).await?.map(|list| (name.to_owned(), list))),
        None => Ok(None),
    }
}

async fn read_list(place: &Store, name: &str) -> Result<Option<BackupList>> {
    let path = format!("{LISTS}/{name}.json");
    let Some(bytes) = place.read(&path).await? else { return Ok(None) };
    let list = serde_json::from_slice(&bytes);
    Ok(Some(
        list.map_err(|error| Error::caused(ErrorKind::Corrupt, format!("the backup's list {path} is damaged"), error))?,
    ))
}

async fn listed(store: &Store, object: &Stored) -> Result<Option<Listed>> {
    let Some(hashed) = store.sha256(&object.path).await? else { return Ok(None) };
    let (size_bytes, written_us) = (hashed.size_bytes, object.written_us);
    Ok(Some(Listed { sha256: hashed.sha256, size_bytes, written_us }))
}

/// Copies the first bytes of an object, as many as are listed, and sees that they are the listed ones.
/// More may have been appended since.
async fn copy(from: &Store, path: &str, to: &Store, target: &str, listed: &Listed) -> Result<()> {
    let copied = from.copy_to(path, listed.size_bytes, to, target).await?.ok_or_else(|| gone(path))?;
    if copied != listed.sha256 {
        to.delete(vec![target.to_owned()]).await?;
        return Err(Error::new(ErrorKind::NotFound, format!("{path} changed while it was copied")));
    }
    Ok(())
}
