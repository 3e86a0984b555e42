//! The one error of ingestion: what the caller can do, in a sentence, with its cause.

use std::fmt;
use std::time::Duration;

/// What a caller can do about an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// A feed or setting is wrong: change it.
    Refused,
    /// The source may answer another time.
    Retry,
    /// The source will not answer, however often it is asked: look at the address or the secret.
    Source,
    /// The warehouse failed.
    Warehouse,
    /// Stopped on request.
    Stopped,
}

/// An error with its kind, a sentence for people and the cause.
#[derive(Debug)]
pub struct Error {
    kind: ErrorKind,
    message: String,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
    retry_after: Option<Duration>,
}

/// Results of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// An error without a cause from below.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), source: None, retry_after: None }
    }

    /// An error caused by another.
    pub fn caused(
        kind: ErrorKind,
        message: impl Into<String>,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        Self { kind, message: message.into(), source: Some(source.into()), retry_after: None }
    }

    /// The same error, with the wait that the other side asked for.
    pub fn with_retry_after(self, wait: Option<Duration>) -> Self {
        Self { retry_after: wait, ..self }
    }

    /// How long the source asked us to wait before the next try (`Retry-After`); whoever tries again
    /// waits at least so long, up to the longest wait of the feed.
    pub fn retry_after(&self) -> Option<Duration> {
        self.retry_after
    }

    /// What the caller can do about it.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        match &self.source {
            Some(source) => write!(f, ": {source}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_ref().map(|source| source.as_ref() as &(dyn std::error::Error + 'static))
    }
}

impl From<anze_warehouse::Error> for Error {
    fn from(error: anze_warehouse::Error) -> Self {
        Self::caused(ErrorKind::Warehouse, "the warehouse refused", error)
    }
}

impl From<std::io::Error> for Error {
    fn from(error: std::io::Error) -> Self {
        let what = anze_warehouse::advice(error.kind()).unwrap_or("a file operation failed");
        Self::caused(ErrorKind::Warehouse, what, error)
    }
}

impl From<serde_json::Error> for Error {
    fn from(error: serde_json::Error) -> Self {
        Self::caused(ErrorKind::Warehouse, "a record of ours does not parse", error)
    }
}

impl From<datafusion::arrow::error::ArrowError> for Error {
    fn from(error: datafusion::arrow::error::ArrowError) -> Self {
        Self::caused(ErrorKind::Warehouse, "a column operation failed", error)
    }
}

impl From<datafusion::error::DataFusionError> for Error {
    fn from(error: datafusion::error::DataFusionError) -> Self {
        Self::caused(ErrorKind::Warehouse, "a check could not run", error)
    }
}
