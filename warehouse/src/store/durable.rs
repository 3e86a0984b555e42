//! A local folder as an object store that syncs: `object_store` never calls fsync, so a power cut
//! could leave a published release that names empty files.

use std::fmt;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path as FsPath, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use datafusion::object_store::local::LocalFileSystem;
use datafusion::object_store::path::Path;
use datafusion::object_store::{
    CopyOptions, Error as StoreError, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMode, PutMultipartOptions, PutOptions, PutPayload, PutResult, RenameOptions, Result as StoreResult, UploadPart,
};
use futures::stream::BoxStream;

use super::{Stored, Syncs};

/// The file system from its root, with every object synced, and its folder too, before it is seen.
#[derive(Debug)]
pub(super) struct DurableFolder {
    files: LocalFileSystem,
    syncs: Syncs,
}

/// Tells apart the unfinished files of one process; `object_store` hides names that end in `#digits`.
static UNFINISHED: AtomicU64 = AtomicU64::new(0);

impl DurableFolder {
    /// The store whose root is `/`.
    pub(super) fn at_root(syncs: Syncs) -> Self {
        Self { files: LocalFileSystem::new(), syncs }
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
        let (target, syncs) = (self.file(location)?, self.syncs.clone());
        match opts.mode {
            PutMode::Overwrite => blocking(move || write_file(&syncs, &target, &payload, Replace::Allowed)).await,
            PutMode::Create => blocking(move || write_file(&syncs, &target, &payload, Replace::Refused)).await,
            PutMode::Update(_) => self.files.put_opts(location, payload, opts).await,
        }
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        opts: PutMultipartOptions,
    ) -> StoreResult<Box<dyn MultipartUpload>> {
        let target = self.file(location)?;
        let folder = target.clone();
        let syncs = self.syncs.clone();
        blocking(move || folders_of(&syncs, &folder)).await?;
        let upload = self.files.put_multipart_opts(location, opts).await?;
        Ok(Box::new(SyncedUpload { upload, target, syncs: self.syncs.clone() }))
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
        let (target, syncs) = (self.file(to)?, self.syncs.clone());
        let folder = target.clone();
        blocking(move || folders_of(&syncs, &folder)).await?;
        self.files.copy_opts(from, to, options).await?;
        let syncs = self.syncs.clone();
        blocking(move || sync_file(&syncs, &target)).await
    }

    async fn rename_opts(&self, from: &Path, to: &Path, options: RenameOptions) -> StoreResult<()> {
        let (source, target) = (self.file(from)?, self.file(to)?);
        let (old, new, syncs) = (source.clone(), target.clone(), self.syncs.clone());
        blocking(move || sync_file(&syncs, &old).and_then(|()| folders_of(&syncs, &new))).await?;
        self.files.rename_opts(from, to, options).await?;
        let syncs = self.syncs.clone();
        blocking(move || sync_folder_of(&syncs, &target).and_then(|()| sync_folder_of(&syncs, &source))).await
    }
}

#[derive(Debug)]
struct SyncedUpload {
    upload: Box<dyn MultipartUpload>,
    target: PathBuf,
    syncs: Syncs,
}

#[async_trait]
impl MultipartUpload for SyncedUpload {
    fn put_part(&mut self, data: PutPayload) -> UploadPart {
        self.upload.put_part(data)
    }

    async fn complete(&mut self) -> StoreResult<PutResult> {
        let result = self.upload.complete().await?;
        let (target, syncs) = (self.target.clone(), self.syncs.clone());
        blocking(move || sync_file(&syncs, &target)).await?;
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
fn write_file(syncs: &Syncs, target: &FsPath, payload: &PutPayload, replace: Replace) -> StoreResult<PutResult> {
    folders_of(syncs, target)?;
    let unfinished = unfinished(target);
    let outcome = (|| {
        let mut file = File::create(&unfinished)?;
        for part in payload {
            file.write_all(part)?;
        }
        syncs.file(&file)?;
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
    sync_folder_of(syncs, target)?;
    Ok(PutResult { e_tag: None, version: None })
}

/// A name beside a file's for what is to become it; `object_store` hides it.
pub(super) fn unfinished(target: &FsPath) -> PathBuf {
    let number = UNFINISHED.fetch_add(1, Ordering::Relaxed);
    let mut name = target.as_os_str().to_owned();
    name.push(format!("#{}{number:06}", std::process::id()));
    PathBuf::from(name)
}

/// The folders of a file, created and synced where they are missing.
fn folders_of(syncs: &Syncs, file: &FsPath) -> StoreResult<()> {
    match file.parent() {
        Some(folder) => syncs.create_folders(folder).map_err(|error| failed(folder, error)),
        None => Ok(()),
    }
}

/// Creates missing folders and syncs each parent, so that the new names survive a power cut.
pub fn create_folders(folder: &FsPath) -> std::io::Result<()> {
    Syncs::default().create_folders(folder)
}

/// Unfinished files below a folder: ours end in `#` and digits or in `.unfinished`.
pub(super) fn leftovers(
    root: &FsPath,
    folder: &FsPath,
    untouched_since: SystemTime,
    found: &mut Vec<Stored>,
) -> std::io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let (path, kind) = (entry.path(), entry.file_type()?);
        if kind.is_dir() {
            leftovers(root, &path, untouched_since, found)?;
        } else if kind.is_file() && is_unfinished(&entry.file_name().to_string_lossy()) {
            // It may have been finished, and so renamed, just now.
            let Ok(file) = entry.metadata() else { continue };
            if file.modified()? < untouched_since {
                let below = path.strip_prefix(root).unwrap_or(&path).to_string_lossy().into_owned();
                let written = DateTime::<Utc>::from(file.modified()?).timestamp_micros();
                found.push(Stored { path: below, size_bytes: file.len(), written_us: written });
            }
        }
    }
    Ok(())
}

fn is_unfinished(name: &str) -> bool {
    let numbered = name
        .rsplit_once('#')
        .is_some_and(|(_, number)| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()));
    numbered || name.ends_with(".unfinished")
}

fn sync_file(syncs: &Syncs, file: &FsPath) -> StoreResult<()> {
    File::open(file).and_then(|opened| syncs.file(&opened)).map_err(|error| failed(file, error))?;
    sync_folder_of(syncs, file)
}

fn sync_folder_of(syncs: &Syncs, file: &FsPath) -> StoreResult<()> {
    match file.parent() {
        Some(folder) => syncs.folder(folder).map_err(|error| failed(folder, error)),
        None => Ok(()),
    }
}

fn failed(path: &FsPath, error: std::io::Error) -> StoreError {
    let advice = crate::error::advice(error.kind()).map(|advice| format!("; {advice}")).unwrap_or_default();
    StoreError::Generic { store: "folder", source: format!("{}: {error}{advice}", path.display()).into() }
}

/// Whether a folder is one that can be written to durably: a file can be linked under a second name, linking
/// to a name that is taken is refused, and files and folders can be synced.
pub(super) fn probe(folder: &FsPath) -> std::io::Result<()> {
    let number = UNFINISHED.fetch_add(1, Ordering::Relaxed);
    // Named like an unfinished file: what a crash leaves of it is removed like one.
    let name = |what: &str| folder.join(format!(".probe-{what}#{}{number:06}", std::process::id()));
    let (first, second) = (name("1"), name("2"));
    let probed = (|| {
        let mut file = File::create(&first)?;
        file.write_all(b"probe")?;
        file.sync_all()?;
        fs::hard_link(&first, &second)?;
        match fs::hard_link(&first, &second) {
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
            Ok(()) => return Err(std::io::Error::other("a name that is taken was given again")),
        }
        File::open(folder)?.sync_all()
    })();
    for file in [first, second] {
        // What was not made cannot be removed; the first error is the one that matters.
        let _ = fs::remove_file(file);
    }
    probed
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
