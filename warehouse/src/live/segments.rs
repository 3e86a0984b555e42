//! A file that grows, in a store that cannot append: objects in order, of which the last is replaced as long as
//! it is short. Whoever was quicker is read again first, so that nothing is lost between two who append.

use std::sync::Arc;

use bytes::Bytes;

use crate::error::{Error, ErrorKind, Result};
use crate::store::{Bucket, If};

/// A segment that is longer is followed by another one.
const FULL_BYTES: usize = 256 << 10;
/// How often is begun anew where others append at the same time.
const ATTEMPTS: usize = 64;

/// The segments of one file: `live/<table>/<number>.ndjson`.
#[derive(Debug, Clone)]
pub(crate) struct Segments {
    bucket: Arc<Bucket>,
    folder: String,
}

impl Segments {
    pub(crate) fn new(bucket: Arc<Bucket>, folder: String) -> Self {
        Self { bucket, folder }
    }

    /// The whole file.
    pub(crate) fn read(&self) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        for (path, _) in self.bucket.list(&self.folder)? {
            // Replaced meanwhile by fewer: what was read before is still a whole state.
            if let Some(segment) = self.bucket.get(&path)? {
                bytes.extend_from_slice(&segment.bytes);
            }
        }
        Ok(bytes)
    }

    /// Its length.
    pub(crate) fn size_bytes(&self) -> Result<u64> {
        Ok(self.bucket.list(&self.folder)?.iter().map(|(_, size)| size).sum())
    }

    /// Appends what `next` makes of the last segment; it is asked again where another was quicker.
    pub(crate) fn append(&self, mut next: impl FnMut(&[u8]) -> Result<Vec<u8>>) -> Result<()> {
        for _ in 0..ATTEMPTS {
            let last = self.bucket.list(&self.folder)?.pop();
            let (path, known, only) = match last {
                None => (self.path(0), Bytes::new(), If::Absent),
                Some((path, _)) => match self.bucket.get(&path)? {
                    Some(segment) => (path, segment.bytes, If::Is(segment.tag)),
                    None => continue,
                },
            };
            let added = next(&known)?;
            let (path, bytes, only) = if known.len() < FULL_BYTES {
                (path, [&known[..], &added].concat(), only)
            } else {
                (self.path(self.number(&path) + 1), added, If::Absent)
            };
            if self.bucket.put(&path, Bytes::from(bytes), only)?.is_some() {
                return Ok(());
            }
        }
        Err(Error::new(ErrorKind::Busy, format!("{} is written by many at once; try again", self.folder)))
    }

    /// Replaces the whole file by one segment.
    pub(crate) fn replace(&self, bytes: Vec<u8>) -> Result<()> {
        let before = self.bucket.list(&self.folder)?;
        self.bucket.put(&self.path(0), Bytes::from(bytes), If::Any)?;
        for (path, _) in before.into_iter().filter(|(path, _)| self.number(path) > 0) {
            self.bucket.delete(&path)?;
        }
        Ok(())
    }

    fn path(&self, number: u64) -> String {
        format!("{}/{number:010}.ndjson", self.folder)
    }

    fn number(&self, path: &str) -> u64 {
        let name = path.rsplit('/').next().and_then(|name| name.strip_suffix(".ndjson"));
        name.and_then(|digits| digits.parse().ok()).unwrap_or(0)
    }
}
