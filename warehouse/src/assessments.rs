//! Assessments as they are kept beside the tables: which releases they need, drafts, and the frozen ones
//! in the order in which they were frozen.
//!
//! | object | |
//! |---|---|
//! | `assessments/pins/<release>/<id>` | this assessment needs this release: nothing of it may be deleted |
//! | `assessments/entries/<id>.json` | a draft, or where its frozen form stands |
//! | `assessments/frozen/<number>.json` | a frozen one; created once, never replaced |
//!
//! What is inside is the business of whoever computes it. A pin is written before the entry that needs it
//! and goes after it, so that a crash leaves a release kept too long, never one lost too early.

use std::collections::BTreeMap;

use bytes::Bytes;
use datafusion::object_store::path::Path;
use datafusion::object_store::{ObjectStore, ObjectStoreExt};
use futures::TryStreamExt;

use crate::error::{Error, ErrorKind, Result};
use crate::release::Dropped;
use crate::store::Store;

const PINS: &str = "assessments/pins";
const ENTRIES: &str = "assessments/entries";
const FROZEN: &str = "assessments/frozen";

/// The assessments of a warehouse.
#[derive(Debug, Clone)]
pub struct Assessments {
    store: Store,
}

impl Assessments {
    pub(crate) fn new(store: &Store) -> Self {
        Self { store: store.clone() }
    }

    /// The releases that assessments need, each with the ids of those that do. Vacuum keeps every file
    /// that these releases name: a frozen score is recomputed from them years later.
    ///
    /// # Errors
    /// Storage; Corrupt, where an object that is no pin lies among the pins: whoever deletes files must
    /// then stop rather than guess.
    pub async fn pinned_releases(&self) -> Result<BTreeMap<u64, Vec<String>>> {
        let mut pinned: BTreeMap<u64, Vec<String>> = BTreeMap::new();
        for name in self.list(PINS).await? {
            let pin = name.split_once('/').and_then(|(release, id)| Some((release.parse::<u64>().ok()?, id)));
            let Some((release, id)) = pin else {
                let message = format!("{PINS}/{name} is no pin of a release by an assessment; look what it is");
                return Err(Error::new(ErrorKind::Corrupt, message));
            };
            pinned.entry(release).or_default().push(id.to_owned());
        }
        Ok(pinned)
    }

    /// Has a release kept for an assessment; again is no fault.
    ///
    /// # Errors
    /// Refused, where the id is none; Gone, where the release is no longer kept; Storage.
    pub async fn pin(&self, release: u64, id: &str) -> Result<()> {
        self.store.replace(&pin_path(release, sound(id)?), b"{}\n".to_vec()).await?;
        // Vacuum notes what it drops and then looks at the pins; here it is the other way round, so that
        // one of the two sees the other.
        if Dropped::read(&self.store).await?.contains(release) {
            self.unpin(release, id).await?;
            return Err(Error::new(
                ErrorKind::Gone,
                format!("release {release} is no longer kept; choose a later one"),
            ));
        }
        Ok(())
    }

    /// Lets a release go that an assessment needed.
    ///
    /// # Errors
    /// Refused, where the id is none; Storage.
    pub async fn unpin(&self, release: u64, id: &str) -> Result<()> {
        let path = Path::from(pin_path(release, sound(id)?));
        match self.store.inside().delete(&path).await {
            Ok(()) | Err(datafusion::object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// The ids of all assessments, drafts and frozen ones.
    ///
    /// # Errors
    /// Storage.
    pub async fn ids(&self) -> Result<Vec<String>> {
        let names = self.list(ENTRIES).await?;
        Ok(names.iter().filter_map(|name| name.strip_suffix(".json")).map(str::to_owned).collect())
    }

    /// The entry of an assessment; none where there is no such assessment.
    ///
    /// # Errors
    /// Storage.
    pub async fn entry(&self, id: &str) -> Result<Option<Bytes>> {
        match sound(id) {
            Ok(id) => self.store.read(&entry_path(id)).await,
            Err(_) => Ok(None),
        }
    }

    /// Creates the entry of an assessment; `false` where one of this id exists.
    ///
    /// # Errors
    /// Refused, where the id is none; Storage.
    pub async fn create_entry(&self, id: &str, bytes: Vec<u8>) -> Result<bool> {
        self.store.create(&entry_path(sound(id)?), bytes).await
    }

    /// Replaces the entry of an assessment in one step.
    ///
    /// # Errors
    /// Refused, where the id is none; Storage.
    pub async fn replace_entry(&self, id: &str, bytes: Vec<u8>) -> Result<()> {
        self.store.replace(&entry_path(sound(id)?), bytes).await
    }

    /// The numbers of the frozen assessments, in order. They run from 1 without a gap unless one was lost.
    ///
    /// # Errors
    /// Storage.
    pub async fn frozen_numbers(&self) -> Result<Vec<u64>> {
        let names = self.list(FROZEN).await?;
        let number = |name: &String| name.strip_suffix(".json")?.parse().ok();
        Ok(names.iter().filter_map(number).collect())
    }

    /// A frozen assessment by its number, exactly as it was written.
    ///
    /// # Errors
    /// Storage.
    pub async fn frozen(&self, number: u64) -> Result<Option<Bytes>> {
        self.store.read(&frozen_path(number)).await
    }

    /// Creates a frozen assessment; `false` where the number is taken.
    ///
    /// # Errors
    /// Storage.
    pub async fn create_frozen(&self, number: u64, bytes: Vec<u8>) -> Result<bool> {
        self.store.create(&frozen_path(number), bytes).await
    }

    /// The names below a folder, in order.
    async fn list(&self, folder: &str) -> Result<Vec<String>> {
        let prefix = Path::from(folder);
        let found: Vec<_> = self.store.inside().list(Some(&prefix)).try_collect().await?;
        let below = |path: &Path| path.as_ref().strip_prefix(folder)?.strip_prefix('/').map(str::to_owned);
        let mut names: Vec<String> = found.iter().filter_map(|object| below(&object.location)).collect();
        names.sort();
        Ok(names)
    }
}

/// Where a frozen assessment lies, for messages.
pub fn frozen_path(number: u64) -> String {
    format!("{FROZEN}/{number:010}.json")
}

fn entry_path(id: &str) -> String {
    format!("{ENTRIES}/{id}.json")
}

fn pin_path(release: u64, id: &str) -> String {
    format!("{PINS}/{release:010}/{id}")
}

/// An id is part of a path: lower case letters, digits, `-` and `_`.
fn sound(id: &str) -> Result<&str> {
    let plain = |letter: u8| letter.is_ascii_lowercase() || letter.is_ascii_digit() || b"-_".contains(&letter);
    match !id.is_empty() && id.len() <= 200 && id.bytes().all(plain) {
        true => Ok(id),
        false => Err(Error::refused(format!("`{id}` is no id of an assessment: lower case letters, digits, - and _"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn assessments(folder: &tempfile::TempDir) -> Assessments {
        Assessments::new(&Store::folder(folder.path()).unwrap())
    }

    #[tokio::test]
    async fn a_pinned_release_is_listed_until_the_last_assessment_lets_it_go() {
        let folder = tempfile::tempdir().unwrap();
        let kept = assessments(&folder);
        assert!(kept.pinned_releases().await.unwrap().is_empty());
        kept.pin(42, "a-1").await.unwrap();
        kept.pin(42, "a-2").await.unwrap();
        kept.pin(7, "b-1").await.unwrap();
        kept.pin(42, "a-1").await.unwrap();
        let expected = BTreeMap::from([(7, vec!["b-1".to_owned()]), (42, vec!["a-1".to_owned(), "a-2".to_owned()])]);
        assert_eq!(kept.pinned_releases().await.unwrap(), expected);
        kept.unpin(42, "a-1").await.unwrap();
        kept.unpin(7, "b-1").await.unwrap();
        kept.unpin(7, "b-1").await.unwrap();
        assert_eq!(kept.pinned_releases().await.unwrap(), BTreeMap::from([(42, vec!["a-2".to_owned()])]));
    }

    #[tokio::test]
    async fn a_stranger_among_the_pins_stops_whoever_would_delete() {
        let folder = tempfile::tempdir().unwrap();
        let kept = assessments(&folder);
        kept.pin(1, "a").await.unwrap();
        std::fs::write(folder.path().join("assessments/pins/notes.txt"), "?").unwrap();
        let error = kept.pinned_releases().await.unwrap_err();
        assert!(error.to_string().contains("assessments/pins/notes.txt"), "{error}");
    }

    #[tokio::test]
    async fn a_frozen_assessment_is_created_once_and_stays_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let kept = assessments(&folder);
        assert!(kept.create_frozen(1, b"one".to_vec()).await.unwrap());
        assert!(!kept.create_frozen(1, b"other".to_vec()).await.unwrap());
        assert!(kept.create_frozen(2, b"two".to_vec()).await.unwrap());
        assert_eq!(kept.frozen(1).await.unwrap().unwrap(), "one");
        assert_eq!(kept.frozen_numbers().await.unwrap(), [1, 2]);
        assert_eq!(kept.frozen(3).await.unwrap(), None);
    }

    #[tokio::test]
    async fn an_id_cannot_lead_out_of_the_folder() {
        let folder = tempfile::tempdir().unwrap();
        let kept = assessments(&folder);
        for id in ["", "../a", "a/b", "A", "a.json", "市"] {
            assert!(kept.create_entry(id, Vec::new()).await.is_err(), "{id}");
            assert_eq!(kept.entry(id).await.unwrap(), None);
        }
        assert!(kept.create_entry("territory-2025-0001", b"{}".to_vec()).await.unwrap());
        assert_eq!(kept.ids().await.unwrap(), ["territory-2025-0001"]);
    }
}
