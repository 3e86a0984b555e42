//! A local folder as an object store that syncs: `object_store` never calls fsync, so a power cut
//! could leave a published release that names empty files.

use std::fmt;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path as FsPath, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use datafusion::object_store::local::LocalFileSystem;
use datafusion::object_store::path::Path;
use datafusion::object_store::{
    CopyOptions, Error as StoreError, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMode, PutMultipartOptions, PutOptions, PutPayload, PutResult, RenameOptions, Result as StoreResult, UploadPart,
};
use futures::stream::BoxStream;

use crate::error::Result;

/// The file system from its root, with every object synced, and its folder too, before it is seen.
#[derive(Debug)]
pub(super) struct DurableFolder {
    files: LocalFileSystem,
}

/// Tells apart the unfinished files of one process; `object_store` hides names that end in `#digits`.
static UNFINISHED: AtomicU64 = AtomicU64::new(0);

impl DurableFolder {
    /// The store whose root is `/`.
    pub(super) fn at_root() -> Result<Self> {
        Ok(Self { files: LocalFileSystem::new() })
    }

    fn file(&self, location: &Path) -> StoreResult<PathBuf> {
        self.files.path_to_filesystem(location)
    }
}

impl fmt::Display for DurableFolder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "durable {}", self.files)
    }
}

#[async_trait]
impl ObjectStore for DurableFolder {
    async fn put_opts(&self, location: &Path, payload: PutPayload, opts: PutOptions) -> StoreResult<PutResult> {
        let target = self.file(location)?;
        match opts.mode {
            PutMode::Overwrite => blocking(move || write_file(&target, &payload, Replace::Allowed)).await,
            PutMode::Create => blocking(move || write_file(&target, &payload, Replace::Refused)).await,
            PutMode::Update(_) => self.files.put_opts(location, payload, opts).await,
        }
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        opts: PutMultipartOptions,
    ) -> StoreResult<Box<dyn MultipartUpload>> {
        let upload = self.files.put_multipart_opts(location, opts).await?;
        Ok(Box::new(SyncedUpload { upload, target: self.file(location)? }))
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> StoreResult<GetResult> {
        self.files.get_opts(location, options).await
    }

    async fn get_ranges(&self, location: &Path, ranges: &[std::ops::Range<u64>]) -> StoreResult<Vec<bytes::Bytes>> {
        self.files.get_ranges(location, ranges).await
    }

    fn delete_stream(&self, locations: BoxStream<'static, StoreResult<Path>>) -> BoxStream<'static, StoreResult<Path>> {
        self.files.delete_stream(locations)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, StoreResult<ObjectMeta>> {
        self.files.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> StoreResult<ListResult> {
        self.files.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> StoreResult<()> {
        self.files.copy_opts(from, to, options).await?;
        let target = self.file(to)?;
        blocking(move || sync_file(&target)).await
    }

    async fn rename_opts(&self, from: &Path, to: &Path, options: RenameOptions) -> StoreResult<()> {
        let (source, target) = (self.file(from)?, self.file(to)?);
        blocking(move || sync_file(&source)).await?;
        self.files.rename_opts(from, to, options).await?;
        blocking(move || sync_folder_of(&target)).await
    }
}

#[derive(Debug)]
struct SyncedUpload {
    upload: Box<dyn MultipartUpload>,
    target: PathBuf,
}

#[async_trait]
impl MultipartUpload for SyncedUpload {
    fn put_part(&mut self, data: PutPayload) -> UploadPart {
        self.upload.put_part(data)
    }

    async fn complete(&mut self) -> StoreResult<PutResult> {
        let result = self.upload.complete().await?;
        let target = self.target.clone();
        blocking(move || sync_file(&target)).await?;
        Ok(result)
    }

    async fn abort(&mut self) -> StoreResult<()> {
        self.upload.abort().await
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Replace {
    Allowed,
    Refused,
}

/// Writes beside the target, syncs, then makes it visible in one step and syncs the folder.
fn write_file(target: &FsPath, payload: &PutPayload, replace: Replace) -> StoreResult<PutResult> {
    if let Some(folder) = target.parent()
        && !folder.exists()
    {
        create_folders(folder).map_err(|error| failed(folder, error))?;
    }
    let number = UNFINISHED.fetch_add(1, Ordering::Relaxed);
    let mut name = target.as_os_str().to_owned();
    name.push(format!("#{}{number:06}", std::process::id()));
    let unfinished = PathBuf::from(name);
    let outcome = (|| {
        let mut file = File::create(&unfinished)?;
        for part in payload {
            file.write_all(part)?;
        }
        file.sync_all()?;
        match replace {
            Replace::Allowed => fs::rename(&unfinished, target),
            Replace::Refused => fs::hard_link(&unfinished, target).and_then(|()| fs::remove_file(&unfinished)),
        }
    })();
    if let Err(error) = outcome {
        // The unfinished file is garbage either way; the first error is the one that matters.
        let _ = fs::remove_file(&unfinished);
        return Err(match error.kind() {
            std::io::ErrorKind::AlreadyExists => {
                StoreError::AlreadyExists { path: target.display().to_string(), source: Box::new(error) }
            }
            _ => failed(target, error),
        });
    }
    sync_folder_of(target)?;
    Ok(PutResult { e_tag: None, version: None })
}

/// Creates missing folders and syncs each parent, so that the new names survive a power cut.
pub fn create_folders(folder: &FsPath) -> std::io::Result<()> {
    if folder.exists() {
        return Ok(());
    }
    if let Some(parent) = folder.parent() {
        create_folders(parent)?;
        match fs::create_dir(folder) {
            Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => return Err(error),
            _ => File::open(parent)?.sync_all()?,
        }
    }
    Ok(())
}

fn sync_file(file: &FsPath) -> StoreResult<()> {
    File::open(file).and_then(|opened| opened.sync_all()).map_err(|error| failed(file, error))?;
    sync_folder_of(file)
}

fn sync_folder_of(file: &FsPath) -> StoreResult<()> {
    match file.parent() {
        Some(folder) => File::open(folder).and_then(|opened| opened.sync_all()).map_err(|error| failed(folder, error)),
        None => Ok(()),
    }
}

fn failed(path: &FsPath, error: std::io::Error) -> StoreError {
    StoreError::Generic { store: "folder", source: format!("{}: {error}", path.display()).into() }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> StoreResult<T> + Send + 'static) -> StoreResult<T> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| StoreError::Generic { store: "folder", source: Box::new(error) })?
}

#[cfg(test)]
mod tests {
    use datafusion::object_store::ObjectStoreExt;

    use super::*;

    #[tokio::test]
    async fn a_second_create_is_refused_and_leaves_the_first_whole() {
        let folder = tempfile::tempdir().unwrap();
        let store = crate::store::Store::folder(folder.path()).unwrap();
        assert!(store.create("releases/1.json", b"first".to_vec()).await.unwrap());
        assert!(!store.create("releases/1.json", b"second".to_vec()).await.unwrap());
        assert_eq!(&store.read("releases/1.json").await.unwrap().unwrap()[..], b"first");
    }

    #[tokio::test]
    async fn a_replaced_object_leaves_nothing_unfinished_behind() {
        let folder = tempfile::tempdir().unwrap();
        let store = crate::store::Store::folder(folder.path()).unwrap();
        for text in ["one", "two"] {
            store.inside().put(&Path::from("a/b"), text.into()).await.unwrap();
        }
        assert_eq!(fs::read_dir(folder.path().join("a")).unwrap().count(), 1);
    }
}
