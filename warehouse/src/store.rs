//! Where the warehouse lies: a folder, behind an object store that writes durably, or a bucket.

mod bucket;
mod document;
mod durable;
mod handed_in;
mod syncs;

use std::path::{Path as FsPath, PathBuf};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use datafusion::object_store::path::Path;
use datafusion::object_store::prefix::PrefixStore;
use datafusion::object_store::{ObjectStore, ObjectStoreExt, PutMode, PutOptions, PutPayload, WriteMultipart};
use futures::{StreamExt, TryStreamExt};
use sha2::{Digest, Sha256};
use url::Url;

pub use bucket::BucketConfig;
pub(crate) use bucket::{Bucket, If, Tagged, get as get_tagged, put as put_tagged};
pub use document::Document;
use durable::DurableFolder;
pub use durable::create_folders;
pub use syncs::{PutOff, Syncs};

use crate::error::{Error, ErrorKind, Result};

/// A warehouse's place and the stores that reach it.
#[derive(Debug, Clone)]
pub struct Store {
    folder: PathBuf,
    bucket: Option<Arc<Bucket>>,
    root: Arc<dyn ObjectStore>,
    inside: Arc<dyn ObjectStore>,
    syncs: Syncs,
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
        let syncs = Syncs::default();
        let root: Arc<dyn ObjectStore> = Arc::new(DurableFolder::at_root(syncs.clone()));
        let inside = Arc::new(PrefixStore::new(
            Arc::clone(&root),
            Path::from_absolute_path(&folder)
                .map_err(|error| Error::caused(ErrorKind::Storage, "the data folder has no usable path", error))?,
        ));
        Ok(Self { folder, bucket: None, root, inside, syncs })
    }

    /// Opens a bucket.
    ///
    /// # Errors
    /// Refused, where it cannot be addressed; Storage, where its local folder cannot be made.
    pub fn bucket(config: BucketConfig) -> Result<Self> {
        let bucket = Arc::new(Bucket::open(config)?);
        let root = Arc::clone(&bucket.root);
        let inside = Arc::new(PrefixStore::new(Arc::clone(&root), Path::from(bucket.config.prefix.as_str())));
        let folder = bucket.config.work.canonicalize()?;
        Ok(Self { folder, bucket: Some(bucket), root, inside, syncs: Syncs::default() })
    }

    /// The bucket, where the warehouse lies in one.
    pub(crate) fn in_bucket(&self) -> Option<&Arc<Bucket>> {
        self.bucket.as_ref()
    }

    /// After this without a sign of life a writer's lease is another's to take, where it needs one.
    pub(crate) fn lease_time(&self) -> std::time::Duration {
        self.bucket.as_ref().map(|bucket| bucket.config.lease).unwrap_or_default()
    }

    /// Opens a folder as [`Store::folder`] does; where it is created, only its owner may look into it.
    ///
    /// # Errors
    /// Storage.
    pub fn private_folder(folder: &FsPath) -> Result<Self> {
        use std::os::unix::fs::DirBuilderExt;
        if !folder.exists() {
            std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        }
        Self::folder(folder)
    }

    /// Sees whether what is written here is there after a power cut, and a release is created once. Whoever
    /// writes asks first.
    ///
    /// # Errors
    /// Refused, where the place cannot do so; Storage, where it cannot be written to at all.
    pub async fn probe(&self) -> Result<()> {
        if self.bucket.is_some() {
            let nonce = format!("{:x}", PROBES.fetch_add(1, std::sync::atomic::Ordering::Relaxed));
            return bucket::probe(&self.inside, &format!("probe/{}-{nonce}", std::process::id())).await;
        }
        let folder = self.folder.clone();
        let probed = tokio::task::spawn_blocking(move || durable::probe(&folder));
        let probed =
            probed.await.map_err(|error| Error::caused(ErrorKind::Internal, "the probe was interrupted", error))?;
        let Err(error) = probed else { return Ok(()) };
        let folder = self.folder.display();
        if let Some(advice) = crate::error::advice(error.kind()) {
            return Err(Error::caused(
                ErrorKind::Storage,
                format!("the data folder {folder} cannot be written to: {advice}"),
                error,
            ));
        }
        let message = format!(
            "数据目录 {folder} 不支持硬链接或同步，断电会丢失数据；请改用本地文件系统（ext4、xfs 等） / the data folder {folder} \
             cannot hard-link or sync, so a power cut would lose data; put it on a local file system (ext4, xfs …)"
        );
        Err(Error::caused(ErrorKind::Refused, message, error))
    }

    /// The folder itself, for what object stores cannot do: locks, appending, memory maps. Of a bucket it is
    /// the local folder beside it.
    pub fn path(&self) -> &FsPath {
        &self.folder
    }

    /// Whether this place lies inside another, or is the same.
    pub fn is_inside(&self, other: &Self) -> bool {
        match (&self.bucket, &other.bucket) {
            (None, None) => self.folder.starts_with(&other.folder),
            (Some(bucket), Some(other)) => bucket.is_inside(other),
            _ => false,
        }
    }

    /// How writes beside the object store are synced.
    pub fn syncs(&self) -> &Syncs {
        &self.syncs
    }

    /// Syncs nothing until the return value ends, which syncs everything at once: only for a warehouse
    /// that is being made from nothing and can be made again.
    pub fn put_off_syncs(&self) -> PutOff {
        self.syncs.put_off()
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
        if let Some(bucket) = &self.bucket {
            let prefix = bucket.config.prefix.trim_matches('/');
            let place = match prefix {
                "" => format!("s3://{}/{below}/", bucket.config.bucket),
                _ => format!("s3://{}/{prefix}/{below}/", bucket.config.bucket),
            };
            return Url::parse(&place)
                .map_err(|error| Error::caused(ErrorKind::Internal, "the bucket has no address", error));
        }
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

    /// SHA-256 of an object, read as a stream; `None` if it does not exist.
    ///
    /// # Errors
    /// Storage.
    pub async fn sha256(&self, path: &str) -> Result<Option<Hashed>> {
        let mut bytes = match self.inside.get(&Path::from(path)).await {
            Ok(found) => found.into_stream(),
            Err(datafusion::object_store::Error::NotFound { .. }) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let (mut digest, mut size_bytes) = (Sha256::new(), 0);
        while let Some(part) = bytes.try_next().await? {
            digest.update(&part);
            size_bytes += part.len() as u64;
        }
        Ok(Some(Hashed { sha256: hex(digest), size_bytes }))
    }

    /// Copies the first bytes of an object into another store, as a stream, and gives their SHA-256; `None`
    /// if it does not exist. What was at the target is replaced.
    ///
    /// # Errors
    /// Storage, of either side.
    pub async fn copy_to(&self, path: &str, size_bytes: u64, to: &Self, target: &str) -> Result<Option<String>> {
        let mut bytes = match self.inside.get(&Path::from(path)).await {
            Ok(found) => found.into_stream(),
            Err(datafusion::object_store::Error::NotFound { .. }) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let target = Path::from(target);
        let (mut digest, mut left, mut whole) = (Sha256::new(), size_bytes, Vec::new());
        let mut upload = match size_bytes > COPIED_WHOLE_BYTES {
            true => Some(WriteMultipart::new(to.inside.put_multipart(&target).await?)),
            false => None,
        };
        while left > 0
            && let Some(part) = bytes.try_next().await?
        {
            let part = part.slice(..part.len().min(usize::try_from(left).unwrap_or(usize::MAX)));
            left -= part.len() as u64;
            digest.update(&part);
            match &mut upload {
                Some(upload) => {
                    upload.wait_for_capacity(4).await?;
                    upload.write(&part);
                }
                None => whole.extend_from_slice(&part),
            }
        }
        match upload {
            Some(upload) => drop(upload.finish().await?),
            None => drop(to.inside.put(&target, PutPayload::from(whole)).await?),
        }
        Ok(Some(hex(digest)))
    }

    /// The objects below a folder, by name in byte order.
    ///
    /// # Errors
    /// Storage.
    pub async fn list(&self, folder: &str) -> Result<Vec<Stored>> {
        let prefix = Path::from(folder);
        let mut found: Vec<Stored> = self
            .inside
            .list(Some(&prefix))
            .map_ok(|object| Stored {
                path: object.location.to_string(),
                size_bytes: object.size,
                written_us: object.last_modified.timestamp_micros(),
            })
            .try_collect()
            .await?;
        found.sort_by(|one, other| one.path.cmp(&other.path));
        Ok(found)
    }

    /// Files that a crash left unfinished and nobody wrote to since an instant: below the names of objects,
    /// so that no listing shows them.
    ///
    /// # Errors
    /// Storage.
    pub async fn leftovers(&self, untouched_since: DateTime<Utc>) -> Result<Vec<Stored>> {
        if self.bucket.is_some() {
            // An object is there whole or not at all.
            return Ok(Vec::new());
        }
        let folder = self.folder.clone();
        tokio::task::spawn_blocking(move || {
            let mut found = Vec::new();
            durable::leftovers(&folder, &folder, untouched_since.into(), &mut found)?;
            found.sort_by(|one, other| one.path.cmp(&other.path));
            Ok(found)
        })
        .await
        .map_err(|error| Error::caused(ErrorKind::Internal, "looking for leftovers was interrupted", error))?
    }

    /// Lets only the owner read an object, if it is there.
    pub(crate) fn keep_private(&self, path: &str) -> Result<()> {
        use std::os::unix::fs::PermissionsExt;
        if self.bucket.is_some() {
            return Ok(());
        }
        match std::fs::set_permissions(self.folder.join(path), std::fs::Permissions::from_mode(0o600)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error.into()),
            _ => Ok(()),
        }
    }

    /// Deletes leftovers.
    ///
    /// # Errors
    /// Storage.
    pub fn delete_leftovers(&self, leftovers: &[Stored]) -> Result<()> {
        for leftover in leftovers {
            match std::fs::remove_file(self.folder.join(&leftover.path)) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.into()),
                _ => {}
            }
        }
        Ok(())
    }

    /// Deletes objects; one that is gone already is no fault.
    ///
    /// # Errors
    /// Storage.
    pub async fn delete(&self, paths: Vec<String>) -> Result<()> {
        let paths = futures::stream::iter(paths.into_iter().map(|path| Ok(Path::from(path)))).boxed();
        let mut deleted = self.inside.delete_stream(paths);
        while let Some(outcome) = deleted.next().await {
            match outcome {
                Ok(_) | Err(datafusion::object_store::Error::NotFound { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }
}

/// Tells apart the probes of one process.
static PROBES: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);

/// An object of the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// Its path below the warehouse.
    pub path: String,
    /// Its size in bytes.
    pub size_bytes: u64,
    /// When it was written, in microseconds since 1970.
    pub written_us: i64,
}

/// What an object's bytes are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hashed {
    /// SHA-256 in lower-case hexadecimal.
    pub sha256: String,
    /// Their number.
    pub size_bytes: u64,
}

/// Larger objects are copied in parts, so that the memory stays that of a few.
const COPIED_WHOLE_BYTES: u64 = 16 << 20;

pub(crate) fn hex(digest: Sha256) -> String {
    digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}
