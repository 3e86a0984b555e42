//! A folder's lease: an operating-system lock that dies with its process.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::Read;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::{Holder, busy};
use crate::error::Result;
use crate::store::Store;

/// The lock itself; dropping it lets the next writer in.
#[derive(Debug)]
pub(super) struct FolderLease {
    _locked: File,
    holder_file: PathBuf,
}

const LOCK: &str = "writer.lock";
const HOLDER: &str = "writer.json";

impl FolderLease {
    pub(super) async fn take(store: &Store, holder: &Holder, wait: Duration) -> Result<Self> {
        let file = OpenOptions::new().create(true).truncate(false).write(true).open(store.path().join(LOCK))?;
        let deadline = Instant::now() + wait;
        loop {
            match file.try_lock() {
                Ok(()) => break,
                Err(TryLockError::WouldBlock) if Instant::now() < deadline => {
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
                Err(TryLockError::WouldBlock) => return Err(busy(read_holder(store))),
                Err(TryLockError::Error(error)) => return Err(error.into()),
            }
        }
        let holder_file = store.path().join(HOLDER);
        write_private(&holder_file, &serde_json::to_vec(holder)?)?;
        Ok(Self { _locked: file, holder_file })
    }

    pub(super) fn holder(store: &Store) -> Result<Option<Holder>> {
        let file = match File::open(store.path().join(LOCK)) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        match file.try_lock_shared() {
            Ok(()) => Ok(None),
            Err(TryLockError::WouldBlock) => Ok(read_holder(store)),
            Err(TryLockError::Error(error)) => Err(error.into()),
        }
    }
}

impl Drop for FolderLease {
    fn drop(&mut self) {
        // The lock is what counts; a holder file left behind is ignored once the lock is free.
        let _ = std::fs::remove_file(&self.holder_file);
    }
}

fn read_holder(store: &Store) -> Option<Holder> {
    let mut text = String::new();
    File::open(store.path().join(HOLDER)).ok()?.read_to_string(&mut text).ok()?;
    serde_json::from_str(&text).ok()
}

/// The holder file carries a secret: only its owner may read it.
fn write_private(path: &std::path::Path, bytes: &[u8]) -> Result<()> {
    use std::io::Write;
    use std::os::unix::fs::OpenOptionsExt;
    // A file left by a crashed holder may belong to another user: replace, never reuse.
    let _ = std::fs::remove_file(path);
    let mut file = OpenOptions::new().create_new(true).write(true).mode(0o600).open(path)?;
    file.write_all(bytes)?;
    Ok(())
}
