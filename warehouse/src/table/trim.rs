//! Trimming a log: what no kept version needs goes.
//!
//! Entries from some version on stay as they are. Of the versions before it that are kept each gets a checkpoint
//! of its own, which says alone what the entries before it say together; the commit itself stays beside it, for
//! its time. Everything else before goes, so that a log of ten years is hardly longer than one of a month.

use std::collections::BTreeSet;

use deltalake_core::kernel::Version;
use serde::Deserialize;

use super::TableLog;
use crate::error::Result;
use crate::store::{Store, Stored};

/// What points readers at a recent checkpoint.
const HINT: &str = "_last_checkpoint";

impl TableLog {
    /// The entries that nobody needs who reads a version of `kept`, or any from `recent` on.
    ///
    /// # Errors
    /// Storage.
    pub async fn expired(&self, store: &Store, kept: &BTreeSet<Version>, recent: Version) -> Result<Vec<Stored>> {
        let entries = self.entries(store).await?;
        Ok(Trim::of(&entries, kept, recent).expired)
    }

    /// Gives kept versions of long ago a checkpoint of their own, and then says what may go, as
    /// [`TableLog::expired`] does.
    ///
    /// # Errors
    /// Storage; Corrupt, where a kept version cannot be read: then nothing may go.
    pub async fn set_apart(&self, store: &Store, kept: &BTreeSet<Version>, recent: Version) -> Result<Vec<Stored>> {
        let entries = self.entries(store).await?;
        let trim = Trim::of(&entries, kept, recent);
        let Some(floor) = trim.floor else { return Ok(Vec::new()) };
        let hint = format!("{}/{HINT}", self.folder());
        let hinted = store.read(&hint).await?;
        for version in &trim.apart {
            self.checkpoint(*version).await?;
        }
        // Every checkpoint makes itself the hint; readers must not begin at one whose successors go. Without a
        // hint they list the log.
        match hinted {
            Some(bytes) if hinted_version(&bytes).is_some_and(|version| version >= floor) => {
                if !trim.apart.is_empty() {
                    store.replace(&hint, bytes.to_vec()).await?;
                }
            }
            _ => store.delete(vec![hint]).await?,
        }
        Ok(trim.expired)
    }

    async fn entries(&self, store: &Store) -> Result<Vec<Entry>> {
        let listed = store.list(&self.folder()).await?;
        Ok(listed.into_iter().filter_map(Entry::parse).collect())
    }

    fn folder(&self) -> String {
        format!("{}/_delta_log", self.name.path())
    }
}

/// The version that a hint points at.
fn hinted_version(bytes: &[u8]) -> Option<Version> {
    #[derive(Deserialize)]
    struct Hint {
        version: Version,
    }
    serde_json::from_slice::<Hint>(bytes).ok().map(|hint| hint.version)
}

/// A commit or a checkpoint.
#[derive(Debug)]
struct Entry {
    version: Version,
    is_checkpoint: bool,
    object: Stored,
}

impl Entry {
    /// `00000000000000000012.json` and `00000000000000000020.checkpoint.parquet`; nothing else is ours to remove.
    fn parse(object: Stored) -> Option<Self> {
        let (_, name) = object.path.rsplit_once('/')?;
        let (digits, kind) = name.split_once('.')?;
        let is_checkpoint = match kind {
            "json" => false,
            "checkpoint.parquet" => true,
            _ => return None,
        };
        Some(Self { version: digits.parse().ok()?, is_checkpoint, object })
    }
}

/// What is to be done with a log.
#[derive(Debug, Default)]
struct Trim {
    /// The checkpoint from which on everything stays; none: nothing is to be done.
    floor: Option<Version>,
    /// Kept versions before it that have no checkpoint yet.
    apart: Vec<Version>,
    /// What may go once they have one.
    expired: Vec<Stored>,
}

impl Trim {
    fn of(entries: &[Entry], kept: &BTreeSet<Version>, recent: Version) -> Self {
        let checkpoints: BTreeSet<Version> = entries.iter().filter(|e| e.is_checkpoint).map(|e| e.version).collect();
        let Some(floor) = checkpoints.range(..=recent).next_back().copied() else { return Self::default() };
        let before: BTreeSet<Version> = kept.range(..floor).copied().collect();
        let goes = |entry: &&Entry| entry.version < floor && !before.contains(&entry.version);
        Self {
            floor: Some(floor),
            apart: before.difference(&checkpoints).copied().collect(),
            expired: entries.iter().filter(goes).map(|entry| entry.object.clone()).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A log with the commits 0 to `last` and checkpoints at some versions, and what else may lie there.
    fn log(last: Version, checkpoints: &[Version]) -> Vec<Entry> {
        let commits = (0..=last).map(|version| format!("{version:020}.json"));
        let checkpoints = checkpoints.iter().map(|version| format!("{version:020}.checkpoint.parquet"));
        let others = [HINT.to_owned(), "00000000000000000003.crc".to_owned(), "_commit_half.tmp".to_owned()];
        let object = |name| Stored { path: format!("tables/t/_delta_log/{name}"), size_bytes: 1, written_us: 0 };
        commits.chain(checkpoints).chain(others).map(object).filter_map(Entry::parse).collect()
    }

    fn trimmed(entries: &[Entry], kept: &[Version], recent: Version) -> (Vec<Version>, Vec<String>) {
        let trim = Trim::of(entries, &kept.iter().copied().collect(), recent);
        let name = |object: Stored| object.path.rsplit_once('/').unwrap().1.trim_start_matches('0').to_owned();
        (trim.apart, trim.expired.into_iter().map(name).collect())
    }

    #[test]
    fn everything_stays_from_the_last_checkpoint_before_what_is_recent() {
        let entries = log(12, &[5, 10]);
        let five: Vec<String> = [".json", "1.json", "2.json", "3.json", "4.json"].map(str::to_owned).into();
        assert_eq!(trimmed(&entries, &[7, 12], 7), (vec![], five.clone()));
        assert_eq!(trimmed(&entries, &[7, 12], 9), (vec![], five));
    }

    #[test]
    fn a_kept_version_of_long_ago_gets_its_checkpoint_and_keeps_its_commit() {
        let entries = log(7, &[5, 6]);
        let gone: Vec<String> = [".json", "1.json", "3.json", "4.json"].map(str::to_owned).into();
        assert_eq!(trimmed(&entries, &[2, 5, 7], 6), (vec![2], [gone, vec![]].concat()));
    }

    #[test]
    fn where_there_is_no_checkpoint_early_enough_nothing_goes() {
        assert_eq!(trimmed(&log(12, &[]), &[12], 12), (vec![], vec![]));
        assert_eq!(trimmed(&log(12, &[10]), &[9, 12], 9), (vec![], vec![]));
    }
}
