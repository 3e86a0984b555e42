//! What landed of the objects that a source lists, and how the source told their versions apart,
//! so that nothing is fetched again only to be recognised by its hash.
//!
//! One file a feed, `live/seen/<feed_id>.json`. It decides nothing: an object that is known here is
//! delivered again from its landed bytes, and where those are gone it is fetched. Losing the file
//! costs one fetch of everything that the source lists.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::Fetched;
use crate::error::Result;
use crate::landing::{Incoming, Landing};

/// The objects of one feed as they were fetched last.
#[derive(Debug)]
pub struct Seen {
    file: PathBuf,
    before: BTreeMap<String, Version>,
    /// What the source lists now; the rest is forgotten.
    now: BTreeMap<String, Version>,
}

/// One version of an object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Version {
    /// As the source tells versions apart: tag, size, time of change.
    fingerprint: String,
    /// SHA-256 of its bytes.
    sha256: String,
}

impl Seen {
    /// What is remembered of a feed; nothing, where that cannot be read.
    pub fn of(landing: &Landing, feed_id: &str) -> Self {
        let file = landing.live_folder().join("seen").join(format!("{feed_id}.json"));
        let before = match fs::read(&file) {
            Ok(text) => serde_json::from_slice(&text).unwrap_or_else(|error| {
                tracing::warn!(feed.id = %feed_id, %error, "what was fetched before is forgotten; it is fetched again");
                BTreeMap::new()
            }),
            Err(_) => BTreeMap::new(),
        };
        Self { file, before, now: BTreeMap::new() }
    }

    /// The object from its landed bytes, if this version of it landed before.
    pub fn landed(&mut self, object: &str, fingerprint: &str, landing: &Landing) -> Option<Fetched> {
        let version = self.before.get(object).filter(|version| version.fingerprint == fingerprint)?;
        let bytes = landing.landed_before(&version.sha256)?;
        self.now.insert(object.to_owned(), version.clone());
        Some(Fetched { object: object.to_owned(), bytes })
    }

    /// Remembers a version that was fetched.
    pub fn note(&mut self, object: &str, fingerprint: &str, bytes: &Incoming) {
        let version = Version { fingerprint: fingerprint.to_owned(), sha256: bytes.sha256.clone() };
        self.now.insert(object.to_owned(), version);
    }

    /// Writes down what the source lists now, for the next run; not synced, for a file that a power cut
    /// empties is as good as none.
    ///
    /// # Errors
    /// Warehouse.
    pub fn write(self) -> Result<()> {
        if self.now == self.before {
            return Ok(());
        }
        if let Some(folder) = self.file.parent() {
            fs::create_dir_all(folder)?;
        }
        let unfinished = self.file.with_extension("unfinished");
        fs::write(&unfinished, serde_json::to_vec_pretty(&self.now)?)?;
        Ok(fs::rename(unfinished, self.file)?)
    }
}
