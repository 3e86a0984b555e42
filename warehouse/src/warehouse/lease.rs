//! The writer's lease: an operating-system lock that dies with its process.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::Read;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::error::{Error, ErrorKind, Result};
use crate::store::Store;

/// Who holds the lease, for messages and for handing jobs to a running server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// What the process is doing, as a person would say it: `anze serve`.
    pub what: String,
    /// Process id.
    pub process: u32,
    /// Where its endpoint listens, if it serves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// Secret by which local write commands hand it their job.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<String>,
}

/// The lease itself; dropping it lets the next writer in.
#[derive(Debug)]
pub struct Lease {
    _locked: File,
    holder_file: PathBuf,
}

const LOCK: &str = "writer.lock";
const HOLDER: &str = "writer.json";

impl Lease {
    pub(super) async fn take(store: &Store, holder: &Holder, wait: Duration) -> Result<Self> {
        let file = OpenOptions::new().create(true).truncate(false).write(true).open(store.path().join(LOCK))?;
        let deadline = Instant::now() + wait;
        loop {
            match file.try_lock() {
                Ok(()) => break,
                Err(TryLockError::WouldBlock) if Instant::now() < deadline => {
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
                Err(TryLockError::WouldBlock) => return Err(busy(store)),
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

impl Drop for Lease {
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

fn busy(store: &Store) -> Error {
    let who = read_holder(store)
        .map_or("another process".to_owned(), |holder| format!("{} (process {})", holder.what, holder.process));
    Error::new(ErrorKind::Busy, format!("the warehouse is being written by {who}; wait for it to finish or stop it"))
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
