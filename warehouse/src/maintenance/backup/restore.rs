//! Restore: a backup copied into an empty place, manifests last, every byte compared with its SHA-256.

use std::collections::BTreeMap;

use serde::Serialize;
use sha2::{Digest, Sha256};

use super::{BackupList, LISTS, Listed, latest_list, object_path, read_list};
use crate::error::{Error, ErrorKind, Result};
use crate::publication::Writer;
use crate::release::Manifest;
use crate::store::{Store, hex};

/// What a restore did.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct RestoreReport {
    /// The backup.
    pub backup: String,
    /// The newest release in it.
    pub release: u64,
    /// Objects copied.
    pub objects: u64,
    /// Their size in bytes.
    pub bytes: u64,
}

impl Writer {
    /// Copies a backup, the newest unless one is named, into this warehouse, which must be empty. A restore
    /// that broke off is begun again in an empty place: without manifests nothing of it is read.
    ///
    /// # Errors
    /// Refused, where the warehouse is not empty; NotFound, where there is no such backup; Corrupt, where
    /// the backup is damaged; Storage.
    pub async fn restore(&self, from: &Store, name: Option<&str>) -> Result<RestoreReport> {
        let store = self.warehouse().store();
        for folder in ["releases", "tables", "history", "system", "landed", "pending", "assessments", "live"] {
            if !store.list(folder).await?.is_empty() {
                let message = format!("the warehouse is not empty ({folder}): restore into a new place");
                return Err(Error::refused(message));
            }
        }
        let (name, list) = found(from, name).await?;
        let mut report = RestoreReport { backup: name, release: list.release, ..RestoreReport::default() };
        let is_manifest = |path: &str| path.starts_with("releases/");
        let (manifests, others): (Vec<_>, Vec<_>) = list.objects.iter().partition(|(path, _)| is_manifest(path));
        let mut live = LiveFiles::default();
        for (path, listed) in others.into_iter().chain(manifests) {
            let source = object_path(&listed.sha256);
            let copied = match LiveFiles::table_of(path) {
                Some(table) => live.add(table, from, &source, listed).await?,
                None => from.copy_to(&source, listed.size_bytes, store, path).await?,
            };
            if copied.as_deref() != Some(listed.sha256.as_str()) {
                let message =
                    format!("{source} of the backup is missing or damaged; {path} cannot be restored from it");
                return Err(Error::new(ErrorKind::Corrupt, message));
            }
            report.objects += 1;
            report.bytes += listed.size_bytes;
        }
        live.write(store).await?;
        store.keep_private("live/tokens.json")?;
        Manifest::hint(store, list.release).await?;
        Ok(report)
    }
}

/// Live tables on their way in: one file each in a folder, objects in order in a bucket, whatever they were in.
#[derive(Default)]
struct LiveFiles {
    tables: BTreeMap<String, Vec<u8>>,
}

impl LiveFiles {
    /// The table that `live/<table>.ndjson` or `live/<table>/<number>.ndjson` is of.
    fn table_of(path: &str) -> Option<&str> {
        let name = path.strip_prefix("live/")?.strip_suffix(".ndjson")?;
        Some(name.split_once('/').map_or(name, |(table, _)| table))
    }

    /// Reads an object of a backup, in the order of its names, and gives the SHA-256 of what was read.
    async fn add(&mut self, table: &str, from: &Store, source: &str, listed: &Listed) -> Result<Option<String>> {
        let Some(bytes) = from.read(source).await? else { return Ok(None) };
        let size = usize::try_from(listed.size_bytes).unwrap_or(usize::MAX).min(bytes.len());
        self.tables.entry(table.to_owned()).or_default().extend_from_slice(&bytes[..size]);
        Ok(Some(hex(Sha256::new_with_prefix(&bytes[..size]))))
    }

    async fn write(self, store: &Store) -> Result<()> {
        for (table, bytes) in self.tables {
            let path = match store.in_bucket() {
                Some(_) => format!("live/{table}/{:010}.ndjson", 0),
                None => format!("live/{table}.ndjson"),
            };
            store.replace(&path, bytes).await?;
        }
        Ok(())
    }
}

async fn found(from: &Store, name: Option<&str>) -> Result<(String, BackupList)> {
    let found = match name {
        Some(name) => read_list(from, name).await?.map(|list| (name.to_owned(), list)),
        None => latest_list(from).await?,
    };
    if let Some(found) = found {
        return Ok(found);
    }
    let names: Vec<String> = from
        .list(LISTS)
        .await?
        .into_iter()
        .map(|object| object.path.replace("backups/", "").replace(".json", ""))
        .collect();
    let told = if names.is_empty() { "there is none".to_owned() } else { format!("there are {}", names.join(", ")) };
    Err(Error::new(ErrorKind::NotFound, format!("no such backup there; {told}")))
}
