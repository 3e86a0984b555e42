//! The writer's lease: on a folder an operating-system lock, in a bucket an object with a number that grows.

mod bucket;
mod folder;

use std::time::Duration;

use serde::{Deserialize, Serialize};

use bucket::BucketLease;
use folder::FolderLease;

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
pub struct Lease(Kind);

#[derive(Debug)]
enum Kind {
    /// Held for being dropped.
    Folder {
        _lock: FolderLease,
    },
    Bucket(BucketLease),
}

impl Lease {
    pub(super) async fn take(store: &Store, holder: &Holder, wait: Duration) -> Result<Self> {
        Ok(Self(match store.in_bucket() {
            Some(bucket) => Kind::Bucket(BucketLease::take(store, bucket, holder, wait).await?),
            None => Kind::Folder { _lock: FolderLease::take(store, holder, wait).await? },
        }))
    }

    pub(super) fn holder(store: &Store) -> Result<Option<Holder>> {
        match store.in_bucket() {
            Some(bucket) => BucketLease::holder(bucket),
            None => FolderLease::holder(store),
        }
    }

    /// The number of this lease, which grows from writer to writer; none where no other can take it while
    /// its holder lives. Names of data files carry it, so that a writer that lost its lease and does not
    /// know overwrites nothing.
    pub(crate) fn fence(&self) -> Option<u64> {
        match &self.0 {
            Kind::Folder { .. } => None,
            Kind::Bucket(lease) => Some(lease.fence()),
        }
    }

    /// Whether its last holder did not give it back, and may still believe that it writes.
    pub(crate) fn is_taken_over(&self) -> bool {
        match &self.0 {
            Kind::Folder { .. } => false,
            Kind::Bucket(lease) => lease.is_taken_over(),
        }
    }

    /// Shows no sign of life any more.
    #[cfg(test)]
    pub(crate) fn stand_still(&self) {
        if let Kind::Bucket(lease) = &self.0 {
            lease.stand_still();
        }
    }

    /// Sees that it is still ours, just before what makes a release visible.
    pub(crate) async fn confirm(&self) -> Result<()> {
        match &self.0 {
            Kind::Folder { .. } => Ok(()),
            Kind::Bucket(lease) => lease.confirm().await,
        }
    }
}

fn busy(holder: Option<Holder>) -> Error {
    let who =
        holder.map_or("another process".to_owned(), |holder| format!("{} (process {})", holder.what, holder.process));
    Error::new(ErrorKind::Busy, format!("the warehouse is being written by {who}; wait for it to finish or stop it"))
}
