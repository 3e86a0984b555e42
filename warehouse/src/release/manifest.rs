//! The manifest: what a release is, in one small file that is created once and never changed.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};

use crate::error::{Error, ErrorKind, Result};
use crate::store::Store;

/// What a release names.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Number of the release, from 1.
    pub release: u64,
    /// When it was published.
    pub published_at: DateTime<Utc>,
    /// The observation day, in the deployment's zone.
    pub day: NaiveDate,
    /// Version of every table with rows, by folder: `tables/policy` → 12.
    pub tables: BTreeMap<String, u64>,
    /// SHA-256 over the contracts in force.
    pub contracts: String,
    /// Batches that entered with it.
    pub batches: Vec<String>,
    /// Where each feed's incremental source stands.
    #[serde(default)]
    pub cursors: BTreeMap<String, String>,
}

impl Manifest {
    /// The manifest of a release that names no table.
    pub(crate) fn first(day: NaiveDate) -> Self {
        Self {
            release: 1,
            published_at: day.and_time(chrono::NaiveTime::MIN).and_utc(),
            day,
            tables: BTreeMap::new(),
            contracts: String::new(),
            batches: Vec::new(),
            cursors: BTreeMap::new(),
        }
    }

    /// Reads the manifest of a release; `None` if there is no such release.
    pub(crate) async fn read(store: &Store, release: u64) -> Result<Option<Self>> {
        let Some(bytes) = store.read(&path(release)).await? else { return Ok(None) };
        let manifest = serde_json::from_slice(&bytes).map_err(|error| {
            Error::caused(ErrorKind::Corrupt, format!("the manifest {} is damaged", path(release)), error)
        })?;
        Ok(Some(manifest))
    }

    /// Publishes: creates the manifest, which must not exist. This is the one step that makes a
    /// release visible.
    pub(crate) async fn create(&self, store: &Store) -> Result<()> {
        let bytes = serde_json::to_vec_pretty(self)?;
        if store.create(&path(self.release), bytes).await? {
            // Only a hint for finding the newest release quickly; readers look further from it. The release
            // is there, whether or not the hint can be written.
            if let Err(error) = Self::hint(store, self.release).await {
                tracing::warn!(release = self.release, %error, "the hint at the newest release could not be written");
            }
            Ok(())
        } else if Self::read(store, self.release).await?.as_ref() == Some(self) {
            // The answer to the try that created it was lost on its way, and another try was refused.
            Ok(())
        } else {
            Err(Error::new(
                ErrorKind::Busy,
                format!("release {} exists already: is there a second writer?", self.release),
            ))
        }
    }

    /// Writes the hint at the newest release.
    pub(crate) async fn hint(store: &Store, release: u64) -> Result<()> {
        store.replace(HINT, release.to_string().into_bytes()).await
    }

    /// Number of the newest release; 0 if there is none.
    pub(crate) async fn newest(store: &Store) -> Result<u64> {
        let hint = store.read(HINT).await?;
        let mut release: u64 =
            hint.and_then(|bytes| std::str::from_utf8(&bytes).ok()?.trim().parse().ok()).unwrap_or(0);
        while store.read(&path(release + 1)).await?.is_some() {
            release += 1;
        }
        Ok(release)
    }
}

const HINT: &str = "releases/newest";

fn path(release: u64) -> String {
    format!("releases/{release:010}.json")
}
