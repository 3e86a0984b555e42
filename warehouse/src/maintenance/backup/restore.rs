//! Restore: a backup copied into an empty place, manifests last, every byte compared with its SHA-256.

use serde::Serialize;

use super::{BackupList, LISTS, latest_list, object_path, read_list};
use crate::error::{Error, ErrorKind, Result};
use crate::publication::Writer;
use crate::release::Manifest;
use crate::store::Store;

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
        for (path, listed) in others.into_iter().chain(manifests) {
            let source = object_path(&listed.sha256);
            let copied = from.copy_to(&source, listed.size_bytes, store, path).await?;
            if copied.as_deref() != Some(listed.sha256.as_str()) {
                let message =
                    format!("{source} of the backup is missing or damaged; {path} cannot be restored from it");
                return Err(Error::new(ErrorKind::Corrupt, message));
            }
            report.objects += 1;
            report.bytes += listed.size_bytes;
        }
        store.keep_private("live/tokens.json")?;
        Manifest::hint(store, list.release).await?;
        Ok(report)
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
