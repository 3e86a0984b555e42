//! Sources: where a feed's bytes come from. One kind, one file.

mod directory;
mod http;
mod push;

use std::path::PathBuf;

use async_trait::async_trait;
use chrono::{DateTime, NaiveDate, Utc};
use serde::Deserialize;

pub use directory::DirectoryConfig;
pub use http::{HttpConfig, HttpSource, Surroundings, shared_client};
pub use push::{PushConfig, PushKey};

use crate::error::Result;
use crate::landing::Incoming;

/// `[source]` of a feed.
#[derive(Debug, Clone, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum SourceConfig {
    /// A folder of files.
    Directory(DirectoryConfig),
    /// An HTTP address.
    Http(Box<HttpConfig>),
    /// Nothing is fetched: deliveries are pushed.
    Push(PushConfig),
}

impl SourceConfig {
    /// Its kind as configuration names it.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Directory(_) => "directory",
            Self::Http(_) => "http",
            Self::Push(_) => "push",
        }
    }

    /// What is wrong with it, if anything.
    pub(crate) fn fault(&self) -> Option<String> {
        match self {
            Self::Directory(config) => config.fault(),
            Self::Http(config) => config.fault(),
            Self::Push(config) => config.fault(),
        }
    }

    /// Whether its slots wait for a push instead of being run.
    pub fn is_push(&self) -> bool {
        matches!(self, Self::Push(_))
    }

    /// Whether one delivery may be a part of the whole only.
    pub(crate) fn is_paged(&self) -> bool {
        matches!(self, Self::Http(config) if config.is_paged())
    }
}

/// What a source is asked for.
#[derive(Debug, Clone)]
pub struct Request {
    /// Folder of the deployment, for relative paths.
    pub deployment: PathBuf,
    /// The slot, or the instant of a run by hand.
    pub slot_at: DateTime<Utc>,
    /// Its day in the deployment's zone.
    pub slot_date: NaiveDate,
    /// Where the feed's cursor stands.
    pub cursor: Option<String>,
}

/// One object of a source, its bytes on disk, not landed yet.
#[derive(Debug)]
pub struct Fetched {
    /// Path, slot or push key.
    pub object: String,
    /// Its bytes.
    pub bytes: Incoming,
}

/// A source of a feed's bytes.
#[async_trait]
pub trait Source: Send + Sync {
    /// Fetches what the source offers, each object into a file of its own; what was taken before
    /// is told apart when it lands.
    ///
    /// # Errors
    /// Retry, where another try may help; Source, where it will not.
    async fn fetch(&self, request: &Request, into: &crate::landing::Landing) -> Result<Vec<Fetched>>;
}
