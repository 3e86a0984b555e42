//! A bucket's lease: the object `writer.json`, renewed as long as its holder lives, replaced only where it is
//! still the version that was read. Nobody's clock is compared with another's: a lease is over when its object
//! did not change for its time, by the clock of whoever waits.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use datafusion::object_store::ObjectStore;
use datafusion::object_store::path::Path;
use serde::{Deserialize, Serialize};
use tokio::task::JoinHandle;

use super::{Holder, busy};
use crate::error::{Error, ErrorKind, Result};
use crate::store::{Bucket, If, Store, Tagged, get_tagged, put_tagged};

const OBJECT: &str = "writer.json";
/// A lease is renewed so many times in its time.
const RENEWALS: u32 = 3;

/// What the object says.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    /// Grows by one from writer to writer.
    fence: u64,
    /// Grows by one with each sign of life.
    renewed: u64,
    /// Who writes; none once the lease was given back.
    holder: Option<Holder>,
}

/// The version of the object that is ours.
#[derive(Debug, Clone)]
struct Ours {
    written: Written,
    tag: Option<String>,
    /// When it was last seen to be ours.
    seen: Instant,
}

/// The lease; dropping it gives it back.
#[derive(Debug)]
pub(super) struct BucketLease {
    store: Arc<dyn ObjectStore>,
    bucket: Arc<Bucket>,
    ours: Arc<Mutex<Option<Ours>>>,
    fence: u64,
    taken_over: bool,
    time: Duration,
    renewing: JoinHandle<()>,
}

impl BucketLease {
    pub(super) async fn take(store: &Store, bucket: &Arc<Bucket>, holder: &Holder, wait: Duration) -> Result<Self> {
        let (inside, time) = (Arc::clone(store.inside()), store.lease_time());
        let deadline = Instant::now() + wait;
        let mut watched: Option<(Option<String>, Instant)> = None;
        loop {
            let found = get_tagged(&inside, &Path::from(OBJECT)).await?;
            let (before, tag) = match found {
                Some(Tagged { bytes, tag }) => (Some(read(&bytes)?), Some(tag)),
                None => (None, None),
            };
            let is_held = before.as_ref().is_some_and(|written| written.holder.is_some());
            let is_over = match (&tag, &watched) {
                (Some(tag), Some((known, since))) if tag == known => since.elapsed() >= time,
                (Some(tag), _) => {
                    watched = Some((tag.clone(), Instant::now()));
                    false
                }
                (None, _) => true,
            };
            if !is_held || is_over {
                let fence = before.map_or(0, |written| written.fence) + 1;
                let written = Written { fence, renewed: 0, holder: Some(holder.clone()) };
                let only = tag.map_or(If::Absent, If::Is);
                if let Some(tag) = write(&inside, &written, only).await? {
                    let ours = Arc::new(Mutex::new(Some(Ours { written, tag, seen: Instant::now() })));
                    let renewing = tokio::spawn(renew(Arc::clone(&inside), Arc::clone(&ours), time));
                    let (bucket, taken_over) = (Arc::clone(bucket), is_held);
                    return Ok(Self { store: inside, bucket, ours, fence, taken_over, time, renewing });
                }
                // Another was quicker.
                watched = None;
            } else if Instant::now() >= deadline {
                return Err(busy(before.and_then(|written| written.holder)));
            }
            tokio::time::sleep(Duration::from_millis(100).max(time / 100).min(time)).await;
        }
    }

    /// Who writes. Only a look: a holder that died is named until its time is over.
    pub(super) fn holder(bucket: &Bucket) -> Result<Option<Holder>> {
        match bucket.get(OBJECT)? {
            Some(found) => Ok(read(&found.bytes)?.holder),
            None => Ok(None),
        }
    }

    pub(super) fn fence(&self) -> u64 {
        self.fence
    }

    pub(super) fn is_taken_over(&self) -> bool {
        self.taken_over
    }

    #[cfg(test)]
    pub(super) fn stand_still(&self) {
        self.renewing.abort();
    }

    /// Renews it now: what is written next arrives before another can have taken it.
    pub(super) async fn confirm(&self) -> Result<()> {
        match renew_once(&self.store, &self.ours).await {
            Ok(true) => Ok(()),
            Ok(false) => Err(lost()),
            Err(error) => match &*known(&self.ours) {
                // The store does not answer, but nobody can have waited long enough.
                Some(ours) if ours.seen.elapsed() < self.time / 2 => Err(error),
                _ => Err(lost()),
            },
        }
    }
}

impl Drop for BucketLease {
    fn drop(&mut self) {
        self.renewing.abort();
        let Some(ours) = known(&self.ours).take() else { return };
        let mut tag = ours.tag;
        // A renewal under way may have written another version of ours: then that is given back.
        for _ in 0..RENEWALS {
            let Ok(bytes) = serde_json::to_vec(&Written { holder: None, ..ours.written.clone() }) else { return };
            // Where it cannot be given back now, it is over when its time is.
            match self.bucket.put(OBJECT, Bytes::from(bytes), If::Is(tag)) {
                Ok(None) => match self.bucket.get(OBJECT) {
                    Ok(Some(there)) if read(&there.bytes).is_ok_and(|there| there.fence == self.fence) => {
                        tag = there.tag
                    }
                    _ => return,
                },
                _ => return,
            }
        }
    }
}

/// What is ours; every change of it is one assignment.
fn known(ours: &Mutex<Option<Ours>>) -> MutexGuard<'_, Option<Ours>> {
    ours.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn renew(store: Arc<dyn ObjectStore>, ours: Arc<Mutex<Option<Ours>>>, time: Duration) {
    loop {
        tokio::time::sleep(time / RENEWALS).await;
        match renew_once(&store, &ours).await {
            Ok(true) => {}
            Ok(false) => {
                tracing::error!("the writer's lease was taken over; nothing more is published by this process");
                return;
            }
            Err(error) => tracing::warn!(%error, "the writer's lease could not be renewed; it is tried again"),
        }
    }
}

/// A sign of life; `false` where the lease is another's.
async fn renew_once(store: &Arc<dyn ObjectStore>, ours: &Mutex<Option<Ours>>) -> Result<bool> {
    let Some(before) = known(ours).clone() else { return Ok(false) };
    let written = Written { renewed: before.written.renewed + 1, ..before.written };
    let mut tag = write(store, &written, If::Is(before.tag)).await?;
    if tag.is_none() {
        // A try whose answer was lost may have been the one that wrote, or a renewal beside this one.
        let there = get_tagged(store, &Path::from(OBJECT)).await?;
        let read = there.map(|there| Ok::<_, Error>((read(&there.bytes)?, there.tag))).transpose()?;
        tag = read.filter(|(there, _)| there.fence == written.fence && there.holder.is_some()).map(|(_, tag)| tag);
    }
    let mut held = known(ours);
    let is_ours = tag.is_some() && held.is_some();
    *held = tag.filter(|_| is_ours).map(|tag| Ours { written, tag, seen: Instant::now() });
    Ok(is_ours)
}

async fn write(store: &Arc<dyn ObjectStore>, written: &Written, only: If) -> Result<Option<Option<String>>> {
    put_tagged(store, &Path::from(OBJECT), Bytes::from(serde_json::to_vec(written)?), only).await
}

fn read(bytes: &[u8]) -> Result<Written> {
    serde_json::from_slice(bytes).map_err(|error| {
        Error::caused(ErrorKind::Corrupt, format!("{OBJECT} is damaged; delete it if nobody writes"), error)
    })
}

fn lost() -> Error {
    Error::new(
        ErrorKind::Busy,
        "写入租约已被他人接管，本次未发布，请重新运行 / the writer's lease was taken over, nothing was published; run again",
    )
}
