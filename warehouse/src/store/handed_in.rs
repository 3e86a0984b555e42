//! What is handed in from the local disk: files with landed bytes and notes of what waits. In a folder they are
//! moved and synced; to a bucket they are sent, and copies of files stay beside it for a day.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path as FsPath;
use std::time::{Duration, SystemTime};

use bytes::Bytes;

use super::{Bucket, If, Store};
use crate::error::{Error, ErrorKind, Result};

/// So long a copy of a bucket's file stays on the local disk.
const COPY_KEPT: Duration = Duration::from_secs(24 * 3600);

impl Store {
    /// Puts a file of the local folder in its place, unless something is there; bytes and name survive a
    /// power cut. Where the warehouse lies in a bucket, what arrived there must have the SHA-256.
    ///
    /// # Errors
    /// Storage; Corrupt, where other bytes arrived in a bucket.
    pub async fn put_file(&self, from: &FsPath, path: &str, sha256: &str) -> Result<()> {
        match &self.bucket {
            None => {
                let (store, from, path) = (self.clone(), from.to_owned(), path.to_owned());
                blocking(move || store.move_in(&from, &path)).await
            }
            Some(bucket) => self.send(bucket, from, path, sha256).await,
        }
    }

    fn move_in(&self, from: &FsPath, path: &str) -> Result<()> {
        let target = self.folder.join(path);
        self.syncs.create_folders(target.parent().unwrap_or(&self.folder))?;
        if !target.exists() {
            fs::rename(from, &target)?;
        }
        // Also where the name is there already: a crash may have come before its folder was synced.
        Ok(self.syncs.folder_of(&target)?)
    }

    async fn send(&self, bucket: &Bucket, from: &FsPath, path: &str, sha256: &str) -> Result<()> {
        let size_bytes = fs::metadata(from)?.len();
        // An object is there whole or not at all.
        if bucket.size_bytes(path)? != Some(size_bytes) {
            let local = from.strip_prefix(&self.folder).unwrap_or(from).to_string_lossy();
            let sent = Store::folder(&self.folder)?.copy_to(&local, size_bytes, self, path).await?;
            if sent.as_deref() != Some(sha256) {
                bucket.delete(path)?;
                let message =
                    format!("{path} arrived in the bucket with other bytes than were received; it is removed");
                return Err(Error::new(ErrorKind::Corrupt, message));
            }
        }
        let copy = self.folder.join(path);
        fs::create_dir_all(copy.parent().unwrap_or(&self.folder))?;
        fs::rename(from, copy)?;
        self.forget_copies()
    }

    /// Opens a file of the warehouse for reading here and there; from a bucket a copy is fetched where none is
    /// at hand.
    ///
    /// # Errors
    /// NotFound; Storage; Corrupt, where a bucket's object is not what its name, its SHA-256, says.
    pub fn open_file(&self, path: &str) -> Result<File> {
        let copy = self.folder.join(path);
        let explain = |error: std::io::Error| match error.kind() {
            std::io::ErrorKind::NotFound => Error::caused(ErrorKind::NotFound, format!("{path} is not there"), error),
            _ => error.into(),
        };
        match (File::open(&copy), &self.bucket) {
            (Err(error), Some(bucket)) if error.kind() == std::io::ErrorKind::NotFound => {
                self.forget_copies()?;
                fs::create_dir_all(copy.parent().unwrap_or(&self.folder))?;
                bucket.fetch(path, &copy)
            }
            (opened, _) => opened.map_err(explain),
        }
    }

    /// Size of a file of the warehouse in bytes; `None` where there is none.
    ///
    /// # Errors
    /// Storage.
    pub fn size_bytes(&self, path: &str) -> Result<Option<u64>> {
        if let Some(bucket) = &self.bucket {
            return bucket.size_bytes(path);
        }
        match fs::metadata(self.folder.join(path)) {
            Ok(about) => Ok(Some(about.len())),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Removes copies of a bucket's files that are older than a day.
    fn forget_copies(&self) -> Result<()> {
        let Ok(folders) = fs::read_dir(self.folder.join("landed")) else { return Ok(()) };
        let Some(oldest) = SystemTime::now().checked_sub(COPY_KEPT) else { return Ok(()) };
        for folder in folders {
            for copy in fs::read_dir(folder?.path())? {
                let copy = copy?;
                // Another process may have removed it just now.
                let is_old = copy.metadata().and_then(|about| about.modified()).is_ok_and(|made| made < oldest);
                if is_old && let Err(error) = fs::remove_file(copy.path()) {
                    tracing::warn!(%error, "a copy of a landed file could not be removed");
                }
            }
        }
        Ok(())
    }

    /// Writes a note, which survives a power cut; an older one is replaced.
    ///
    /// # Errors
    /// Storage.
    pub fn put_note(&self, path: &str, note: Vec<u8>) -> Result<()> {
        if let Some(bucket) = &self.bucket {
            return bucket.put(path, Bytes::from(note), If::Any).map(drop);
        }
        let place = self.folder.join(path);
        self.syncs.create_folders(place.parent().unwrap_or(&self.folder))?;
        let unfinished = place.with_extension("unfinished");
        let mut file = File::create(&unfinished)?;
        file.write_all(&note)?;
        self.syncs.file(&file)?;
        fs::rename(&unfinished, &place)?;
        Ok(self.syncs.folder_of(&place)?)
    }

    /// The notes in a folder, in no order; those of its names that end in `.json`.
    ///
    /// # Errors
    /// Storage.
    pub fn notes(&self, folder: &str) -> Result<Vec<Bytes>> {
        let mut notes = Vec::new();
        if let Some(bucket) = &self.bucket {
            for (path, _) in bucket.list(folder)?.into_iter().filter(|(path, _)| path.ends_with(".json")) {
                // A load beside us may have just taken it.
                notes.extend(bucket.get(&path)?.map(|note| note.bytes));
            }
            return Ok(notes);
        }
        let entries = match fs::read_dir(self.folder.join(folder)) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(notes),
            Err(error) => return Err(error.into()),
        };
        for entry in entries {
            let path = entry?.path();
            if path.extension().is_some_and(|ending| ending == "json") {
                match fs::read(&path) {
                    Ok(note) => notes.push(Bytes::from(note)),
                    Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                    Err(error) => return Err(error.into()),
                }
            }
        }
        Ok(notes)
    }

    /// Removes a note; one that is gone is no fault.
    ///
    /// # Errors
    /// Storage.
    pub fn remove_note(&self, path: &str) -> Result<()> {
        if let Some(bucket) = &self.bucket {
            return bucket.delete(path);
        }
        match fs::remove_file(self.folder.join(path)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error.into()),
            _ => Ok(()),
        }
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| Error::caused(ErrorKind::Internal, "work on the disk was interrupted", error))?
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use sha2::{Digest, Sha256};

    use super::*;
    use crate::store::hex;
    use crate::tests::place::{Place, on_every_store};

    on_every_store!(
        a_file_handed_in_is_opened_where_it_lies_and_one_that_is_there_stays,
        notes_are_read_until_they_are_removed,
    );

    /// A file with these bytes on the local disk, and where it belongs.
    fn received(store: &Store, name: &str, bytes: &[u8]) -> (std::path::PathBuf, String, String) {
        let file = store.path().join("incoming").join(name);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(&file, bytes).unwrap();
        let sha256 = hex(Sha256::new_with_prefix(bytes));
        (file, format!("landed/{}/{sha256}", &sha256[..2]), sha256)
    }

    fn opened(store: &Store, path: &str) -> Vec<u8> {
        let mut bytes = Vec::new();
        store.open_file(path).unwrap().read_to_end(&mut bytes).unwrap();
        bytes
    }

    async fn a_file_handed_in_is_opened_where_it_lies_and_one_that_is_there_stays(place: Place) {
        let store = place.store();
        let (file, path, sha256) = received(&store, "1", b"code,name\n");
        assert_eq!(store.size_bytes(&path).unwrap(), None);
        assert_eq!(store.open_file(&path).unwrap_err().kind(), ErrorKind::NotFound);
        store.put_file(&file, &path, &sha256).await.unwrap();
        assert!(!file.exists());
        assert_eq!((opened(&store, &path), store.size_bytes(&path).unwrap()), (b"code,name\n".to_vec(), Some(10)));
        let (again, ..) = received(&store, "2", b"code,name\n");
        store.put_file(&again, &path, &sha256).await.unwrap();
        assert_eq!(opened(&store, &path), b"code,name\n");
        if !place.is_folder() {
            fs::remove_dir_all(store.path().join("landed")).unwrap();
            assert_eq!(opened(&store, &path), b"code,name\n", "fetched from the bucket");
            let (other, path, _) = received(&store, "3", b"others");
            let refused = store.put_file(&other, &path, &sha256).await.unwrap_err();
            assert_eq!((refused.kind(), store.size_bytes(&path).unwrap()), (ErrorKind::Corrupt, None));
        }
    }

    async fn notes_are_read_until_they_are_removed(place: Place) {
        let store = place.store();
        assert!(store.notes("pending").unwrap().is_empty());
        store.put_note("pending/a.json", b"1".to_vec()).unwrap();
        store.put_note("pending/b.json", b"2".to_vec()).unwrap();
        store.put_note("pending/a.json", b"3".to_vec()).unwrap();
        let mut notes = place.store().notes("pending").unwrap();
        notes.sort();
        assert_eq!(notes, ["2", "3"]);
        store.remove_note("pending/a.json").unwrap();
        store.remove_note("pending/a.json").unwrap();
        assert_eq!(store.notes("pending").unwrap(), ["2"]);
    }
}
