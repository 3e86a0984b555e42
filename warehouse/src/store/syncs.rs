//! When what is written is on disk: before anybody sees it, or, where all of it can be made again,
//! in one go at the end.

use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

/// Syncs the files and folders of one warehouse as they are written, unless that is put off.
///
/// Clones belong together: what one of them puts off, all do.
#[derive(Debug, Clone, Default)]
pub struct Syncs {
    are_put_off: Arc<AtomicBool>,
}

/// Held while a folder is made and its name synced, whoever makes it: who finds a folder may rely on it.
static MAKING: RwLock<()> = RwLock::new(());

impl Syncs {
    /// Syncs a file with its length and times.
    ///
    /// # Errors
    /// As the file system's.
    pub fn file(&self, file: &File) -> io::Result<()> {
        if self.are_put_off() { Ok(()) } else { file.sync_all() }
    }

    /// Syncs what a file holds.
    ///
    /// # Errors
    /// As the file system's.
    pub fn data(&self, file: &File) -> io::Result<()> {
        if self.are_put_off() { Ok(()) } else { file.sync_data() }
    }

    /// Syncs the name of a file.
    ///
    /// # Errors
    /// As the file system's.
    pub fn folder_of(&self, file: &Path) -> io::Result<()> {
        match file.parent() {
            Some(folder) => self.folder(folder),
            None => Ok(()),
        }
    }

    /// Syncs the names in a folder.
    ///
    /// # Errors
    /// As the file system's.
    pub fn folder(&self, folder: &Path) -> io::Result<()> {
        if self.are_put_off() { Ok(()) } else { File::open(folder)?.sync_all() }
    }

    /// Creates missing folders and syncs each parent, so that the new names survive a power cut.
    ///
    /// # Errors
    /// As the file system's.
    pub fn create_folders(&self, folder: &Path) -> io::Result<()> {
        let nobody_makes = MAKING.read().unwrap_or_else(PoisonError::into_inner);
        if folder.exists() {
            return Ok(());
        }
        drop(nobody_makes);
        let _nobody_else = MAKING.write().unwrap_or_else(PoisonError::into_inner);
        self.make(folder)
    }

    fn make(&self, folder: &Path) -> io::Result<()> {
        if folder.exists() {
            return Ok(());
        }
        if let Some(parent) = folder.parent() {
            self.make(parent)?;
            match fs::create_dir(folder) {
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
                _ => self.folder(parent)?,
            }
        }
        Ok(())
    }

    /// Puts syncing off until the return value is ended or dropped.
    pub(super) fn put_off(&self) -> PutOff {
        self.are_put_off.store(true, Ordering::SeqCst);
        PutOff { syncs: self.clone() }
    }

    fn are_put_off(&self) -> bool {
        self.are_put_off.load(Ordering::SeqCst)
    }
}

/// Syncing, put off: until this ends a power cut may take everything that was written meanwhile.
///
/// For a warehouse that is being made from nothing and can be made again, as the demo's. What another
/// process writes there is not concerned.
#[derive(Debug)]
#[must_use = "syncing goes on when this is dropped"]
pub struct PutOff {
    syncs: Syncs,
}

impl PutOff {
    /// Syncs again from now on, and syncs everything written so far on the file system of `folder`.
    ///
    /// # Errors
    /// As the file system's.
    pub fn end(self, folder: &Path) -> io::Result<()> {
        // First, so that what is written beside us is synced by itself or before the next line.
        self.syncs.are_put_off.store(false, Ordering::SeqCst);
        Ok(rustix::fs::syncfs(File::open(folder)?)?)
    }
}

impl Drop for PutOff {
    fn drop(&mut self) {
        self.syncs.are_put_off.store(false, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn syncing_is_put_off_for_all_clones_and_goes_on_when_that_ends() {
        let folder = tempfile::tempdir().unwrap();
        let syncs = Syncs::default();
        let clone = syncs.clone();
        // A folder that is not there can only be synced where nothing is synced.
        let gone = folder.path().join("gone");
        assert!(clone.folder(&gone).is_err());
        let put_off = syncs.put_off();
        assert!(clone.folder(&gone).is_ok());
        put_off.end(folder.path()).unwrap();
        assert!(clone.folder(&gone).is_err());
        drop(syncs.put_off());
        assert!(clone.folder(&gone).is_err());
    }

    #[test]
    fn a_folder_that_is_being_made_is_there_for_others_once_its_name_is_synced() {
        let folder = tempfile::tempdir().unwrap();
        let deep = folder.path().join("a");
        let making = MAKING.write().unwrap();
        fs::create_dir(&deep).unwrap();
        let (told, hears) = std::sync::mpsc::channel();
        let other = std::thread::spawn(move || told.send(Syncs::default().create_folders(&deep).is_ok()));
        assert!(hears.recv_timeout(std::time::Duration::from_millis(50)).is_err());
        drop(making);
        assert!(hears.recv().unwrap());
        other.join().unwrap().unwrap();
    }

    #[test]
    fn folders_are_created_with_their_parents() {
        let folder = tempfile::tempdir().unwrap();
        let deep = folder.path().join("a/b/c");
        Syncs::default().create_folders(&deep).unwrap();
        Syncs::default().create_folders(&deep).unwrap();
        assert!(deep.is_dir());
    }
}
