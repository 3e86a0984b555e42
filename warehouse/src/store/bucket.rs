//! A bucket of S3 or a compatible store. What must be done at once by whoever asks, such as a line of a live
//! table, is done on a thread of its own, so that those who ask need not be asynchronous.

use std::fmt;
use std::fs::File;
use std::future::Future;
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path as FsPath, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use datafusion::object_store::aws::{AmazonS3, AmazonS3Builder};
use datafusion::object_store::path::Path;
use datafusion::object_store::prefix::PrefixStore;
use datafusion::object_store::{
    ClientOptions, Error as StoreError, ObjectStore, ObjectStoreExt, PutMode, PutOptions, PutPayload, RetryConfig,
    UpdateVersion,
};
use futures::TryStreamExt;
use sha2::{Digest, Sha256};
use tokio::runtime::{Builder, Runtime};

use super::durable::unfinished;
use super::hex;
use crate::error::{Error, ErrorKind, Result};

/// Where a bucket is and who may use it.
#[derive(Clone)]
pub struct BucketConfig {
    /// Its name.
    pub bucket: String,
    /// Everything lies below this.
    pub prefix: String,
    /// Address of a compatible store; none: Amazon's own, by region.
    pub endpoint: Option<String>,
    /// Region.
    pub region: String,
    /// Access key and secret key; none: what the machine is given by its role.
    pub keys: Option<(String, String)>,
    /// Allows `http://`.
    pub allow_http: bool,
    /// A local folder for what is on its way in, for copies of landed files and for what sources remember;
    /// nothing in it is missed.
    pub work: PathBuf,
    /// After this without a sign of life a writer's lease is another's to take.
    pub lease: Duration,
}

impl fmt::Debug for BucketConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BucketConfig")
            .field("bucket", &self.bucket)
            .field("prefix", &self.prefix)
            .finish_non_exhaustive()
    }
}

/// One call, all tries included: shorter than the lease, so that none arrives after it was lost.
const CALL: Duration = Duration::from_secs(20);

/// A bucket, opened.
pub(crate) struct Bucket {
    pub(super) config: BucketConfig,
    /// Used from the threads of whoever asks.
    pub(super) root: Arc<dyn ObjectStore>,
    /// Used from our own thread only, whose end would break connections that others use.
    inside: Arc<dyn ObjectStore>,
    thread: Option<Runtime>,
}

impl fmt::Debug for Bucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.config.fmt(f)
    }
}

impl Drop for Bucket {
    fn drop(&mut self) {
        // Whoever waited for something has been answered: nothing is cut off.
        if let Some(thread) = self.thread.take() {
            thread.shutdown_background();
        }
    }
}

/// Bytes of an object with the tag of this version of them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tagged {
    pub(crate) bytes: Bytes,
    pub(crate) tag: Option<String>,
}

/// What an object must be for a write to take place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum If {
    /// It does not exist.
    Absent,
    /// It is the version with this tag.
    Is(Option<String>),
    /// Whatever it is.
    Any,
}

impl Bucket {
    pub(super) fn open(config: BucketConfig) -> Result<Self> {
        let root: Arc<dyn ObjectStore> = Arc::new(client(&config)?);
        let inside = Arc::new(PrefixStore::new(client(&config)?, Path::from(config.prefix.as_str())));
        let thread = Builder::new_multi_thread().worker_threads(1).thread_name("bucket").enable_all().build()?;
        std::fs::create_dir_all(&config.work)?;
        Ok(Self { config, root, inside, thread: Some(thread) })
    }

    /// Whether everything below this prefix lies below another one of the same bucket.
    pub(super) fn is_inside(&self, other: &Self) -> bool {
        let (own, other) = (&self.config, &other.config);
        (&own.bucket, &own.endpoint) == (&other.bucket, &other.endpoint)
            && Path::from(own.prefix.as_str()).prefix_matches(&Path::from(other.prefix.as_str()))
    }

    /// Does something on the thread of the bucket and waits for it.
    fn wait<T, F>(&self, work: impl FnOnce(Arc<dyn ObjectStore>) -> F) -> Result<T>
    where
        T: Send + 'static,
        F: Future<Output = Result<T>> + Send + 'static,
    {
        let (done, answer) = std::sync::mpsc::sync_channel(1);
        let work = work(Arc::clone(&self.inside));
        let thread = self.thread.as_ref().ok_or_else(|| Error::new(ErrorKind::Internal, "the bucket is closed"))?;
        thread.spawn(async move {
            // Who waits is there until it is answered.
            let _ = done.send(work.await);
        });
        answer.recv().map_err(|error| Error::caused(ErrorKind::Internal, "a call to the bucket broke off", error))?
    }

    /// Reads an object with its tag; none where it does not exist.
    pub(crate) fn get(&self, path: &str) -> Result<Option<Tagged>> {
        let path = Path::from(path);
        self.wait(|store| async move { get(&store, &path).await })
    }

    /// Writes an object if it is what it must be; none where it is not.
    pub(crate) fn put(&self, path: &str, bytes: Bytes, only: If) -> Result<Option<Option<String>>> {
        let path = Path::from(path);
        self.wait(|store| async move { put(&store, &path, bytes, only).await })
    }

    /// Names and sizes below a folder, in order.
    pub(crate) fn list(&self, folder: &str) -> Result<Vec<(String, u64)>> {
        let folder = Path::from(folder);
        self.wait(|store| async move {
            let found: Vec<_> = store.list(Some(&folder)).try_collect().await?;
            let mut names: Vec<_> =
                found.into_iter().map(|object| (object.location.to_string(), object.size)).collect();
            names.sort();
            Ok(names)
        })
    }

    /// Size of an object in bytes; none where it does not exist.
    pub(super) fn size_bytes(&self, path: &str) -> Result<Option<u64>> {
        let path = Path::from(path);
        self.wait(|store| async move {
            match store.head(&path).await {
                Ok(object) => Ok(Some(object.size)),
                Err(StoreError::NotFound { .. }) => Ok(None),
                Err(error) => Err(error.into()),
            }
        })
    }

    /// Fetches an object whose name is its SHA-256 into a local file, and opens that. Others see the file once
    /// it is whole.
    pub(super) fn fetch(&self, path: &str, to: &FsPath) -> Result<File> {
        let (path, unfinished) = (Path::from(path), unfinished(to));
        let written = File::options().read(true).write(true).create(true).truncate(true).open(&unfinished)?;
        let mut file = written.try_clone()?;
        let fetched = self.wait(|store| async move {
            let mut bytes = store.get(&path).await?.into_stream();
            let mut digest = Sha256::new();
            while let Some(part) = bytes.try_next().await? {
                digest.update(&part);
                file.write_all(&part)?;
            }
            if path.filename() != Some(hex(digest).as_str()) {
                let message = format!("{path} in the bucket is not what its SHA-256 says; restore it from a backup");
                return Err(Error::new(ErrorKind::Corrupt, message));
            }
            Ok(())
        });
        let placed = fetched.and_then(|()| Ok(std::fs::rename(&unfinished, to)?));
        if let Err(error) = placed {
            // Garbage either way; the first error is the one that matters.
            let _ = std::fs::remove_file(&unfinished);
            return Err(error);
        }
        let mut file = written;
        file.seek(SeekFrom::Start(0))?;
        Ok(file)
    }

    /// Deletes an object; one that is gone is no fault.
    pub(crate) fn delete(&self, path: &str) -> Result<()> {
        let path = Path::from(path);
        self.wait(|store| async move {
            match store.delete(&path).await {
                Ok(()) | Err(StoreError::NotFound { .. }) => Ok(()),
                Err(error) => Err(error.into()),
            }
        })
    }
}

/// Reads an object with its tag.
pub(crate) async fn get(store: &Arc<dyn ObjectStore>, path: &Path) -> Result<Option<Tagged>> {
    match store.get(path).await {
        Ok(found) => {
            let tag = found.meta.e_tag.clone();
            Ok(Some(Tagged { bytes: found.bytes().await?, tag }))
        }
        Err(StoreError::NotFound { .. }) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Writes an object if it is what it must be, and gives its new tag; none where it is not.
///
/// A try that was answered too late may have been the one that wrote: a caller that is refused reads again.
pub(crate) async fn put(
    store: &Arc<dyn ObjectStore>,
    path: &Path,
    bytes: Bytes,
    only: If,
) -> Result<Option<Option<String>>> {
    let mode = match only {
        If::Absent => PutMode::Create,
        If::Is(e_tag) => PutMode::Update(UpdateVersion { e_tag, version: None }),
        If::Any => PutMode::Overwrite,
    };
    let options = PutOptions { mode, ..PutOptions::default() };
    match store.put_opts(path, PutPayload::from(bytes), options).await {
        Ok(done) => Ok(Some(done.e_tag)),
        Err(StoreError::AlreadyExists { .. } | StoreError::Precondition { .. } | StoreError::NotFound { .. }) => {
            Ok(None)
        }
        Err(error) => Err(error.into()),
    }
}

fn client(config: &BucketConfig) -> Result<AmazonS3> {
    let options = ClientOptions::new()
        .with_timeout(CALL)
        .with_connect_timeout(Duration::from_secs(5))
        .with_allow_http(config.allow_http);
    let retry = RetryConfig { max_retries: 5, retry_timeout: CALL, ..RetryConfig::default() };
    let mut builder = AmazonS3Builder::new()
        .with_bucket_name(&config.bucket)
        .with_region(&config.region)
        .with_client_options(options)
        .with_retry(retry);
    if let Some(endpoint) = &config.endpoint {
        builder = builder.with_endpoint(endpoint);
    }
    if let Some((access, secret)) = &config.keys {
        builder = builder.with_access_key_id(access).with_secret_access_key(secret);
    }
    builder.build().map_err(|error| Error::caused(ErrorKind::Refused, "the bucket cannot be addressed", error))
}

/// Whether a bucket creates an object once only, and replaces a version only where it still is that one.
/// The object's name is ours alone, so that two who probe do not meet.
pub(super) async fn probe(store: &Arc<dyn ObjectStore>, name: &str) -> Result<()> {
    let path = Path::from(name);
    let refused = |what: &str| {
        Error::refused(format!(
            "存储桶不支持条件写入（{what}），不能保证只发布一次；请更换支持的存储 / the bucket does not refuse {what}, so \
             a release could be published twice; use a store with conditional writes"
        ))
    };
    let probed = async {
        let Some(first) = put(store, &path, Bytes::from_static(b"1"), If::Absent).await? else {
            return Err(Error::new(ErrorKind::Busy, format!("{name} is there already; try again")));
        };
        if put(store, &path, Bytes::from_static(b"2"), If::Absent).await?.is_some() {
            return Err(refused("a second creation (If-None-Match)"));
        }
        if first.is_none() || put(store, &path, Bytes::from_static(b"3"), If::Is(first.clone())).await?.is_none() {
            return Err(refused("nothing, but also takes no version (If-Match)"));
        }
        if put(store, &path, Bytes::from_static(b"4"), If::Is(first)).await?.is_some() {
            return Err(refused("an outdated version (If-Match)"));
        }
        Ok(())
    };
    let probed = probed.await;
    match store.delete(&path).await {
        Ok(()) | Err(StoreError::NotFound { .. }) => probed,
        Err(error) => probed.and(Err(error.into())),
    }
}
