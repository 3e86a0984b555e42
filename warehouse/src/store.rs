//! Where the warehouse lies: a folder, behind an object store that writes durably.

mod durable;

use std::path::{Path as FsPath, PathBuf};
use std::sync::Arc;

use datafusion::object_store::path::Path;
use datafusion::object_store::prefix::PrefixStore;
use datafusion::object_store::{ObjectStore, ObjectStoreExt, PutMode, PutOptions, PutPayload};
use url::Url;

use durable::DurableFolder;
pub use durable::create_folders;

use crate::error::{Error, ErrorKind, Result};

/// A warehouse's place and the stores that reach it.
#[derive(Debug, Clone)]
pub struct Store {
    folder: PathBuf,
    root: Arc<dyn ObjectStore>,
    inside: Arc<dyn ObjectStore>,
}

impl Store {
    /// Opens a folder, creating it; every write through the store is synced before it is seen.
    ///
    /// # Errors
    /// Storage, where the folder cannot be created or resolved.
    pub fn folder(folder: &FsPath) -> Result<Self> {
        let explain = |error: std::io::Error| {
            Error::caused(
                ErrorKind::Storage,
                format!("the data folder {} cannot be used; look at its permissions", folder.display()),
                error,
            )
        };
        std::fs::create_dir_all(folder).map_err(explain)?;
        let folder = folder.canonicalize().map_err(explain)?;
        let root: Arc<dyn ObjectStore> = Arc::new(DurableFolder::at_root()?);
        let inside = Arc::new(PrefixStore::new(
            Arc::clone(&root),
            Path::from_absolute_path(&folder)
                .map_err(|error| Error::caused(ErrorKind::Storage, "the data folder has no usable path", error))?,
        ));
        Ok(Self { folder, root, inside })
    }

    /// The folder itself, for what object stores cannot do: locks, appending, memory maps.
    pub fn path(&self) -> &FsPath {
        &self.folder
    }

    /// The store whose root is the warehouse.
    pub fn inside(&self) -> &Arc<dyn ObjectStore> {
        &self.inside
    }

    /// The store whose root is the file system, as the table format wants it.
    pub(crate) fn root(&self) -> &Arc<dyn ObjectStore> {
        &self.root
    }

    /// The address of a folder inside the warehouse, ending in a slash.
    pub(crate) fn url(&self, below: &str) -> Result<Url> {
        Url::from_directory_path(self.folder.join(below))
            .map_err(|()| Error::new(ErrorKind::Internal, format!("no address for folder {below}")))
    }

    /// Writes an object that must not exist yet; `false` if it does.
    ///
    /// # Errors
    /// Storage.
    pub async fn create(&self, path: &str, bytes: Vec<u8>) -> Result<bool> {
        let options = PutOptions { mode: PutMode::Create, ..PutOptions::default() };
        match self.inside.put_opts(&Path::from(path), PutPayload::from(bytes), options).await {
            Ok(_) => Ok(true),
            Err(datafusion::object_store::Error::AlreadyExists { .. }) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Writes an object, replacing an older one in one step.
    ///
    /// # Errors
    /// Storage.
    pub async fn replace(&self, path: &str, bytes: Vec<u8>) -> Result<()> {
        self.inside.put(&Path::from(path), PutPayload::from(bytes)).await?;
        Ok(())
    }

    /// Reads a whole object; `None` if it does not exist.
    ///
    /// # Errors
    /// Storage.
    pub async fn read(&self, path: &str) -> Result<Option<bytes::Bytes>> {
        match self.inside.get(&Path::from(path)).await {
            Ok(found) => Ok(Some(found.bytes().await?)),
            Err(datafusion::object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}
