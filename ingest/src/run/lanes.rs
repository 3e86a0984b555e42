//! Lanes: how many sources are asked at the same time, in all and at one host.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::source::SourceConfig;

/// How many sources are asked at the same time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FetchLimits {
    /// In all.
    pub in_all: usize,
    /// At one host, bucket or database.
    pub of_source: usize,
}

impl Default for FetchLimits {
    fn default() -> Self {
        Self { in_all: 4, of_source: 2 }
    }
}

/// The lanes of a deployment. A feed that waits to ask again is in none.
#[derive(Debug)]
pub(super) struct Lanes {
    limits: FetchLimits,
    all: Arc<Semaphore>,
    sources: Mutex<BTreeMap<String, Arc<Semaphore>>>,
}

/// The right to ask, given back when dropped.
#[derive(Debug)]
pub(super) struct Lane {
    _source: Option<OwnedSemaphorePermit>,
    _all: Option<OwnedSemaphorePermit>,
}

impl Lanes {
    pub(super) fn new(limits: FetchLimits) -> Self {
        Self { limits, all: Arc::new(Semaphore::new(limits.in_all.max(1))), sources: Mutex::default() }
    }

    /// Waits for a lane to a source: first at its host, so that nobody holds up other hosts.
    pub(super) async fn enter(&self, source: &SourceConfig) -> Lane {
        let at_host = place(source).map(|place| {
            let mut sources = self.sources.lock().unwrap_or_else(PoisonError::into_inner);
            let lanes = sources.entry(place).or_insert_with(|| Arc::new(Semaphore::new(self.limits.of_source.max(1))));
            Arc::clone(lanes)
        });
        // Lanes are never closed.
        let source = match at_host {
            Some(lanes) => lanes.acquire_owned().await.ok(),
            None => None,
        };
        Lane { _source: source, _all: Arc::clone(&self.all).acquire_owned().await.ok() }
    }
}

/// What answers for a source: its host; `None` for folders of our own.
fn place(source: &SourceConfig) -> Option<String> {
    match source {
        SourceConfig::Directory(_) | SourceConfig::Push(_) => None,
        SourceConfig::Http(http) => Some(http.place()),
        SourceConfig::S3(s3) => {
            Some(format!("{}/{}", s3.endpoint.as_deref().map_or_else(String::new, host), s3.bucket))
        }
        SourceConfig::Sftp(sftp) => Some(format!("{}:{}", sftp.host.to_lowercase(), sftp.port)),
        SourceConfig::Postgres(database) | SourceConfig::Mysql(database) => Some(database.place()),
    }
}

/// Host and port of an endpoint.
fn host(address: &str) -> String {
    let after_scheme = address.split_once("://").map_or(address, |(_, rest)| rest);
    let authority = after_scheme.split(['/', '?', '#']).next().unwrap_or_default();
    authority.rsplit('@').next().unwrap_or_default().to_lowercase()
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    fn http(url: &str) -> SourceConfig {
        toml::from_str(&format!("kind = \"http\"\nurl = \"{url}\"\n")).unwrap()
    }

    #[test]
    fn an_address_is_known_by_its_host_and_port() {
        assert_eq!(host("https://Feeds.example:8443/p?day={slot_date}"), "feeds.example:8443");
        assert_eq!(host("http://user@feeds.example?x=1"), "feeds.example");
    }

    #[tokio::test]
    async fn a_host_is_asked_by_two_at_once_and_another_one_meanwhile() {
        let lanes = Lanes::new(FetchLimits { in_all: 3, of_source: 2 });
        let (slow, other) = (http("http://slow.example/a"), http("http://other.example/b"));
        let first = lanes.enter(&slow).await;
        let _second = lanes.enter(&slow).await;
        assert!(lanes.enter(&slow).now_or_never().is_none(), "two ask already");
        let third = lanes.enter(&other).now_or_never();
        assert!(third.is_some());
        drop(first);
        assert!(lanes.enter(&slow).now_or_never().is_some(), "one has ended");
        let _fourth = lanes.enter(&slow).await;
        assert!(lanes.enter(&other).now_or_never().is_none(), "three ask in all");
    }
}
