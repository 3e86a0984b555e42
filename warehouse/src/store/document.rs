//! A small object that several processes read and change: behind a lock in a folder, by conditional writes in a
//! bucket.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::{Bucket, If, Store};
use crate::error::{Error, ErrorKind, Result};

/// For this long what was read from a bucket is taken for what stands there.
const LOOK_AGAIN: Duration = Duration::from_secs(1);
/// How often is begun anew where others change it at the same time.
const ATTEMPTS: usize = 64;

/// One such object, with what was last read of it. Only its owner may read it.
#[derive(Debug)]
pub struct Document {
    store: Store,
    path: String,
    read: Mutex<Option<Read>>,
}

#[derive(Debug, Clone)]
struct Read {
    /// Of a file: node, length, and seconds and nanoseconds of its last change.
    stamp: Option<(u64, u64, i64, i64)>,
    at: Instant,
    bytes: Option<Bytes>,
}

impl Document {
    /// The object of this name; it need not exist yet.
    pub fn new(store: &Store, path: &str) -> Self {
        Self { store: store.clone(), path: path.to_owned(), read: Mutex::default() }
    }

    /// Where it lies, for people.
    pub fn place(&self) -> String {
        match &self.store.bucket {
            Some(_) => format!("{} of the bucket", self.path),
            None => self.file().display().to_string(),
        }
    }

    /// What stands there; `None` where nothing does. Of a bucket's it may be a second old.
    ///
    /// # Errors
    /// Storage.
    pub fn read(&self) -> Result<Option<Bytes>> {
        let mut known = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        let (stamp, is_known) = match (&self.store.bucket, known.as_ref()) {
            (Some(_), read) => (None, read.is_some_and(|read| read.at.elapsed() < LOOK_AGAIN)),
            (None, read) => {
                let stamp = self.stamp()?;
                (stamp, stamp.is_some() && read.is_some_and(|read| read.stamp == stamp))
            }
        };
        if !is_known {
            let at = Instant::now();
            let bytes = match &self.store.bucket {
                Some(bucket) => bucket.get(&self.path)?.map(|found| found.bytes),
                None => self.load()?,
            };
            *known = Some(Read { stamp, at, bytes });
        }
        Ok(known.as_ref().and_then(|read| read.bytes.clone()))
    }

    /// Puts what `change` makes of the object in its place. It is asked again where another was quicker.
    ///
    /// # Errors
    /// Those of `change`; Storage; Busy, where others change it again and again.
    pub fn change<T, E: From<Error>>(
        &self,
        mut change: impl FnMut(Option<&[u8]>) -> Result<(Vec<u8>, T), E>,
    ) -> Result<T, E> {
        let done = match &self.store.bucket {
            Some(bucket) => self.change_object(bucket, change)?,
            None => {
                let lock = self.lock().map_err(Error::from)?;
                let (bytes, done) = change(self.load()?.as_deref())?;
                self.write(&bytes).map_err(Error::from)?;
                drop(lock);
                done
            }
        };
        // Of what was changed here the change is seen at once.
        *self.read.lock().unwrap_or_else(PoisonError::into_inner) = None;
        Ok(done)
    }

    fn change_object<T, E: From<Error>>(
        &self,
        bucket: &Bucket,
        mut change: impl FnMut(Option<&[u8]>) -> Result<(Vec<u8>, T), E>,
    ) -> Result<T, E> {
        for _ in 0..ATTEMPTS {
            let found = bucket.get(&self.path)?;
            let (bytes, done) = change(found.as_ref().map(|found| &found.bytes[..]))?;
            let only = found.map_or(If::Absent, |found| If::Is(found.tag));
            if bucket.put(&self.path, Bytes::from(bytes), only)?.is_some() {
                return Ok(done);
            }
        }
        let message = format!("{} is changed by many at once; try again", self.path);
        Err(Error::new(ErrorKind::Busy, message).into())
    }

    fn file(&self) -> PathBuf {
        self.store.folder.join(&self.path)
    }

    fn lock(&self) -> io::Result<File> {
        let file = self.file();
        if let Some(folder) = file.parent() {
            self.store.syncs.create_folders(folder)?;
        }
        let lock = File::create(file.with_extension("lock"))?;
        lock.lock()?;
        Ok(lock)
    }

    fn load(&self) -> Result<Option<Bytes>> {
        match fs::read(self.file()) {
            Ok(bytes) => Ok(Some(Bytes::from(bytes))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    fn write(&self, bytes: &[u8]) -> io::Result<()> {
        let file = self.file();
        let unfinished = file.with_extension("unfinished");
        let mut written = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&unfinished)?;
        written.write_all(bytes)?;
        self.store.syncs.file(&written)?;
        fs::rename(&unfinished, &file)?;
        self.store.syncs.folder_of(&file)
    }

    fn stamp(&self) -> Result<Option<(u64, u64, i64, i64)>> {
        match fs::metadata(self.file()) {
            Ok(about) => Ok(Some((about.ino(), about.len(), about.mtime(), about.mtime_nsec()))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::place::{Place, on_every_store};

    on_every_store!(changes_of_two_who_meet_are_both_there);

    async fn changes_of_two_who_meet_are_both_there(place: Place) {
        let add = |store: Store, word: char| {
            std::thread::spawn(move || {
                let document = Document::new(&store, "live/words.json");
                for _ in 0..5 {
                    let added = document.change::<_, Error>(|words| {
                        let words = words.unwrap_or_default();
                        Ok(([words, word.to_string().as_bytes()].concat(), words.len()))
                    });
                    added.unwrap();
                }
            })
        };
        let adding = [add(place.store(), 'a'), add(place.store(), 'b')];
        adding.into_iter().for_each(|adding| adding.join().unwrap());
        let mut words = Document::new(&place.store(), "live/words.json").read().unwrap().unwrap().to_vec();
        words.sort_unstable();
        assert_eq!(words, b"aaaaabbbbb");
    }
}
