//! Reading many versions of a table, each from the one before.

use std::collections::BTreeMap;

use deltalake_core::kernel::{Action, Version};
use deltalake_core::logstore::get_actions;

use super::{DataFile, TableLog};
use crate::error::Result;

/// From further away a version is read by itself, from its nearest checkpoint.
const FAR: Version = 64;

/// The files of a table at one version after the other.
///
/// Where the commits in between are there, only they are read: a look at every release of a month reads each commit
/// once. A version that cannot be reached so is read by itself.
pub struct Replay {
    log: TableLog,
    stands: Option<(Version, BTreeMap<String, DataFile>)>,
}

impl TableLog {
    /// Reads versions, best from the oldest to the newest.
    pub fn replay(self) -> Replay {
        Replay { log: self, stands: None }
    }
}

impl Replay {
    /// The files at a version, by name.
    ///
    /// # Errors
    /// Storage, or Corrupt where the log says what it must not.
    pub async fn files(&mut self, version: Version) -> Result<&BTreeMap<String, DataFile>> {
        let files = match self.followed(version).await? {
            Some(files) => files,
            None => {
                let read = self.log.read(version).await?;
                read.files.iter().map(|file| (file.path.clone(), file.clone())).collect()
            }
        };
        Ok(&self.stands.insert((version, files)).1)
    }

    /// The files at a version, from those of the last one asked for; `None` where commits in between are gone.
    async fn followed(&mut self, version: Version) -> Result<Option<BTreeMap<String, DataFile>>> {
        let Some((stands, mut files)) = self.stands.take() else { return Ok(None) };
        if stands > version || version - stands > FAR {
            return Ok(None);
        }
        for next in stands + 1..=version {
            let Some(commit) = self.log.log.read_commit_entry(next).await? else { return Ok(None) };
            for action in get_actions(next, &commit)? {
                match action {
                    Action::Add(add) => {
                        let file = DataFile::logged(add.path, add.size, add.stats.as_deref())?;
                        files.insert(file.path.clone(), file);
                    }
                    Action::Remove(remove) => drop(files.remove(&remove.path)),
                    _ => {}
                }
            }
        }
        Ok(Some(files))
    }
}
