//! The warehouse's one error: what the caller can do about it, said for people, with its cause.

use std::fmt;

/// What a caller can do about an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// A contract, setting or argument is wrong: change it.
    Refused,
    /// The thing asked for is not there.
    NotFound,
    /// It was there and is no longer kept: ask for another.
    Gone,
    /// Another writer holds the lease: try later.
    Busy,
    /// The store failed: look at the disk, its permissions and space, then try again.
    Storage,
    /// Something stored does not say what it must: look at the named file.
    Corrupt,
    /// A fault of ours.
    Internal,
}

/// An error with its kind, a sentence for people and the cause.
#[derive(Debug)]
pub struct Error {
    kind: ErrorKind,
    message: String,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

/// Results of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// An error without a cause from below.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), source: None }
    }

    /// An error caused by another.
    pub fn caused(
        kind: ErrorKind,
        message: impl Into<String>,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        Self { kind, message: message.into(), source: Some(source.into()) }
    }

    /// Shorthand for [`ErrorKind::Refused`].
    pub fn refused(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Refused, message)
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

impl From<datafusion::error::DataFusionError> for Error {
    fn from(error: datafusion::error::DataFusionError) -> Self {
        Self::caused(ErrorKind::Internal, "the query engine failed", error)
    }
}

impl From<datafusion::arrow::error::ArrowError> for Error {
    fn from(error: datafusion::arrow::error::ArrowError) -> Self {
        Self::caused(ErrorKind::Internal, "a column operation failed", error)
    }
}

impl From<datafusion::parquet::errors::ParquetError> for Error {
    fn from(error: datafusion::parquet::errors::ParquetError) -> Self {
        Self::caused(ErrorKind::Storage, "a Parquet file could not be read or written", error)
    }
}

impl From<datafusion::object_store::Error> for Error {
    fn from(error: datafusion::object_store::Error) -> Self {
        let kind = match &error {
            datafusion::object_store::Error::NotFound { .. } => ErrorKind::NotFound,
            _ => ErrorKind::Storage,
        };
        Self::caused(kind, "the store refused", error)
    }
}

impl From<deltalake_core::DeltaTableError> for Error {
    fn from(error: deltalake_core::DeltaTableError) -> Self {
        Self::caused(ErrorKind::Storage, "a table's log could not be read or written", error)
    }
}

impl From<std::io::Error> for Error {
    fn from(error: std::io::Error) -> Self {
        Self::caused(ErrorKind::Storage, advice(error.kind()).unwrap_or("a file operation failed"), error)
    }
}

/// What to do where a disk refuses; the last release is served on in each case.
pub fn advice(kind: std::io::ErrorKind) -> Option<&'static str> {
    use std::io::ErrorKind::{FileTooLarge, PermissionDenied, QuotaExceeded, ReadOnlyFilesystem, StorageFull};
    match kind {
        StorageFull | QuotaExceeded => Some(
            "磁盘已满，请腾出空间后重试，最近一次发布不受影响 / the disk is full: free some space and try again; the last release stands",
        ),
        FileTooLarge => Some(
            "文件超出系统允许的大小，请提高限额后重试，最近一次发布不受影响 / a file is larger than the system allows: raise the limit and try again; the last release stands",
        ),
        ReadOnlyFilesystem => Some(
            "文件系统为只读，请重新挂载为可写后重试，最近一次发布不受影响 / the file system is read-only: mount it writable and try again; the last release stands",
        ),
        PermissionDenied => Some(
            "没有权限，请检查数据目录的属主与权限后重试，最近一次发布不受影响 / permission denied: look at owner and mode of the data folder and try again; the last release stands",
        ),
        _ => None,
    }
}

impl From<serde_json::Error> for Error {
    fn from(error: serde_json::Error) -> Self {
        Self::caused(ErrorKind::Corrupt, "stored JSON does not parse", error)
    }
}
