//! Folders for what a session keeps in files. They go with the session, which a question holds until its last
//! row; what a killed process left is removed by the next one.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use tempfile::TempDir;

/// Names of the folders begin with it.
const PREFIX: &str = "anze-kept-";
/// A file in the folder, locked as long as its process lives.
const LOCK: &str = "lock";

/// The folders of a session.
#[derive(Debug)]
pub(super) struct Folders {
    /// Where they are made.
    inside: PathBuf,
    made: Mutex<Vec<Folder>>,
}

impl Folders {
    pub(super) fn new(inside: PathBuf) -> Self {
        Self { inside, made: Mutex::default() }
    }

    /// A new folder, which is removed unless the session takes it.
    pub(super) fn make(&self) -> io::Result<Folder> {
        remove_abandoned(&self.inside);
        let folder = tempfile::Builder::new().prefix(PREFIX).tempdir_in(&self.inside)?;
        let lock = File::create_new(folder.path().join(LOCK))?;
        lock.lock()?;
        Ok(Folder { folder, _lock: lock })
    }

    /// Has a folder stay as long as the session.
    pub(super) fn take(&self, folder: Folder) {
        self.made.lock().unwrap_or_else(PoisonError::into_inner).push(folder);
    }
}

/// One of them; dropped, it is removed.
#[derive(Debug)]
pub(super) struct Folder {
    folder: TempDir,
    _lock: File,
}

impl Folder {
    pub(super) fn path(&self) -> &Path {
        self.folder.path()
    }
}

/// Removes the folders whose lock nobody holds. What cannot be looked at is somebody else's.
fn remove_abandoned(inside: &Path) {
    let ours = |name: &OsStr| name.to_str().is_some_and(|name| name.starts_with(PREFIX));
    for entry in fs::read_dir(inside).into_iter().flatten().flatten().filter(|entry| ours(&entry.file_name())) {
        let lock = File::options().write(true).open(entry.path().join(LOCK));
        if lock.is_ok_and(|lock| lock.try_lock().is_ok())
            && let Err(error) = fs::remove_dir_all(entry.path())
        {
            tracing::warn!(folder = %entry.path().display(), %error, "an abandoned folder cannot be removed");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_goes_with_its_session_or_with_the_next_one_after_its_process_was_killed() {
        let inside = tempfile::tempdir().unwrap();
        let folders = || Folders::new(inside.path().to_owned());
        let (living, killed) = (folders(), inside.path().join(format!("{PREFIX}killed")));
        living.take(living.make().unwrap());
        fs::create_dir(&killed).unwrap();
        fs::write(killed.join(LOCK), "").unwrap();
        fs::write(killed.join("rows.parquet"), "").unwrap();
        fs::create_dir(inside.path().join("of somebody else")).unwrap();

        let next = folders();
        let folder = next.make().unwrap();
        assert!(!killed.exists());
        assert_eq!(fs::read_dir(inside.path()).unwrap().count(), 3, "the living one, the next and another's");
        drop((folder, living));
        assert_eq!(fs::read_dir(inside.path()).unwrap().count(), 1);
    }
}
