//! Sources: where a feed's bytes come from. One kind, one file.

pub mod cursor;
mod database;
mod directory;
mod http;
mod mysql;
mod names;
mod postgres;
mod push;
mod s3;
mod seen;
mod sftp;

use std::path::PathBuf;

use async_trait::async_trait;
use chrono::{DateTime, NaiveDate, Utc};
use serde::Deserialize;

use cursor::{CursorConfig, Named};
pub use database::{DatabaseConfig, MISSING};
pub use directory::{DirectoryConfig, DirectorySource};
pub use http::{HttpConfig, HttpSource, Surroundings, shared_client};
pub use mysql::MysqlSource;
pub use names::Names;
pub use postgres::PostgresSource;
pub use push::{PushConfig, PushKey};
pub use s3::{S3Config, S3Source, endpoint_fault, key_pair};
pub use seen::Kept;
pub use sftp::{SftpConfig, SftpSource};

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
    /// A bucket of S3 or a compatible store.
    S3(S3Config),
    /// A folder of an SFTP server.
    Sftp(SftpConfig),
    /// A table or query of a PostgreSQL database.
    Postgres(DatabaseConfig),
    /// A table or query of a MySQL or MariaDB database.
    Mysql(DatabaseConfig),
    /// Nothing is fetched: deliveries are pushed.
    Push(PushConfig),
}

impl SourceConfig {
    /// Its kind as configuration names it.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Directory(_) => "directory",
            Self::Http(_) => "http",
            Self::S3(_) => "s3",
            Self::Sftp(_) => "sftp",
            Self::Postgres(_) => "postgres",
            Self::Mysql(_) => "mysql",
            Self::Push(_) => "push",
        }
    }

    /// What is wrong with it, if anything.
    pub(crate) fn fault(&self) -> Option<String> {
        match self {
            Self::Directory(config) => config.pattern.as_ref().and_then(Names::fault),
            Self::Http(config) => config.fault(),
            Self::S3(config) => config.fault(),
            Self::Sftp(config) => config.fault(),
            Self::Postgres(config) | Self::Mysql(config) => config.fault(),
            Self::Push(config) => config.fault(),
        }
    }

    /// Lets a source that takes files by name and has no pattern take these.
    pub(crate) fn default_names(&mut self, names: Names) {
        let pattern = match self {
            Self::Directory(config) => &mut config.pattern,
            Self::S3(config) => &mut config.pattern,
            Self::Sftp(config) => &mut config.pattern,
            Self::Http(_) | Self::Postgres(_) | Self::Mysql(_) | Self::Push(_) => return,
        };
        pattern.get_or_insert(names);
    }

    /// Its cursor, and whose column that names.
    pub(crate) fn cursor(&self) -> Option<(&CursorConfig, Named)> {
        match self {
            Self::Postgres(config) | Self::Mysql(config) => {
                config.cursor.as_ref().map(|cursor| (cursor, Named::Theirs))
            }
            Self::Http(config) => config.cursor().map(|cursor| (cursor, Named::Ours)),
            _ => None,
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

    /// Whether it writes its files itself, so that their format is implied.
    pub(crate) fn writes_its_own(&self) -> bool {
        matches!(self, Self::Postgres(_) | Self::Mysql(_))
    }
}

/// Largest object taken where a feed says nothing else, bytes.
fn largest() -> u64 {
    16 << 30
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
