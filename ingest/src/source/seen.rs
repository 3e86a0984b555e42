//! What landed of the objects that a source lists, and how the source told their versions apart,
//! so that nothing is fetched again only to be recognised by its hash.
//!
//! One file a feed, `live/seen/<feed_id>.json`. It decides nothing: an object that is known here is
//! delivered again from its landed bytes, and where those are gone it is fetched. Losing the file
//! costs one fetch of everything that the source lists.
//!
//! What a failed try fetched before it failed is kept, unlanded, for the next try of the feed.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use serde::{Deserialize, Serialize};

use super::Fetched;
use crate::error::Result;
use crate::landing::{Incoming, Landing};

/// Objects that a failed try fetched, by name, with how each version was told.
type Objects = HashMap<String, (String, Incoming)>;

/// What failed tries of feeds fetched, by feed.
#[derive(Debug, Clone, Default)]
pub struct Kept(Arc<Mutex<HashMap<String, Objects>>>);

impl Kept {
    fn take(&self, feed_id: &str) -> Objects {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(feed_id).unwrap_or_default()
    }

    fn put(&self, feed_id: &str, objects: Objects) {
        if !objects.is_empty() {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(feed_id.to_owned(), objects);
        }
    }
}

/// The objects of one feed as they were fetched last.
#[derive(Debug)]
pub struct Seen {
    feed_id: String,
    file: PathBuf,
    /// From the try before, if it failed.
    kept: Objects,
    keep: Kept,
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
    pub fn of(landing: &Landing, feed_id: &str, keep: &Kept) -> Self {
        let file = landing.live_folder().join("seen").join(format!("{feed_id}.json"));
        let before = match fs::read(&file) {
            Ok(text) => serde_json::from_slice(&text).unwrap_or_else(|error| {
                tracing::warn!(feed.id = %feed_id, %error, "what was fetched before is forgotten; it is fetched again");
                BTreeMap::new()
            }),
            Err(_) => BTreeMap::new(),
        };
        let kept = keep.take(feed_id);
        Self { feed_id: feed_id.to_owned(), file, kept, keep: keep.clone(), before, now: BTreeMap::new() }
    }

    /// The object from its landed bytes, if this version of it landed before, or from those that the
    /// failed try before this one fetched.
    pub fn landed(&mut self, object: &str, fingerprint: &str, landing: &Landing) -> Option<Fetched> {
        if let Some((of, bytes)) = self.kept.remove(object)
            && of == fingerprint
            && bytes.is_there()
        {
            self.note(object, fingerprint, &bytes);
            return Some(Fetched { object: object.to_owned(), bytes });
        }
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

    /// Ends a try. Where all went well, what the source lists now is written down for the next run;
    /// where not, what was fetched is kept for the next try.
    ///
    /// # Errors
    /// That of the try; Warehouse, where it cannot be written down.
    pub fn end(self, outcome: Result<()>, fetched: Vec<Fetched>) -> Result<Vec<Fetched>> {
        match outcome {
            Ok(()) => self.write().map(|()| fetched),
            Err(error) => {
                self.failed(fetched);
                Err(error)
            }
        }
    }

    fn failed(mut self, fetched: Vec<Fetched>) {
        let fetched = fetched.into_iter().filter(|fetched| !fetched.bytes.is_known());
        for Fetched { object, bytes } in fetched {
            if let Some(version) = self.now.get(&object) {
                self.kept.insert(object, (version.fingerprint.clone(), bytes));
            }
        }
        self.keep.put(&self.feed_id, self.kept);
    }

    // Not synced: a file that a power cut empties is as good as none.
    fn write(self) -> Result<()> {
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

#[cfg(test)]
mod tests {
    use anze_warehouse::Warehouse;
    use bytes::Bytes;

    use super::*;

    async fn fetched(landing: &Landing, object: &str, text: &'static str) -> Fetched {
        let bytes =
            landing.receive(futures::stream::iter([Ok(Bytes::from_static(text.as_bytes()))]), 100).await.unwrap();
        Fetched { object: object.to_owned(), bytes }
    }

    #[tokio::test]
    async fn what_a_failed_try_fetched_is_not_fetched_by_the_next_one_unless_it_changed() {
        let folder = tempfile::tempdir().unwrap();
        let landing = Landing::of(&Warehouse::open(folder.path()).unwrap());
        let kept = Kept::default();
        let mut seen = Seen::of(&landing, "f", &kept);
        let mut before = Vec::new();
        for object in ["a", "b", "c"] {
            assert!(seen.landed(object, "1", &landing).is_none());
            let fetched = fetched(&landing, object, "text").await;
            seen.note(object, "1", &fetched.bytes);
            before.push(fetched);
        }
        seen.failed(before);
        assert!(Seen::of(&landing, "another", &kept).landed("a", "1", &landing).is_none());

        let mut seen = Seen::of(&landing, "f", &kept);
        let a = seen.landed("a", "1", &landing).unwrap();
        assert_eq!(a.bytes.size, 4);
        assert!(seen.landed("b", "2", &landing).is_none(), "it changed in between");
        // Fails once more: what was not asked for yet is still there.
        seen.failed(vec![a]);
        let mut seen = Seen::of(&landing, "f", &kept);
        assert!(seen.landed("a", "1", &landing).is_some() && seen.landed("c", "1", &landing).is_some());
        assert!(seen.landed("b", "1", &landing).is_none());
        landing.sweep().unwrap();
        assert!(Seen::of(&landing, "f", &kept).landed("a", "1", &landing).is_none(), "it was taken");
    }
}
