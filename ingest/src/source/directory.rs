//! A folder of files: whole files, by name in byte order; nothing is moved or deleted. A file that the
//! file system says is the one read last is not read again.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use serde::Deserialize;

use super::names::Names;
use super::seen::{Kept, Seen};
use super::{Fetched, Request, Source};
use crate::error::{Error, ErrorKind, Result};
use crate::landing::Landing;
use crate::span::Span;

/// A file that changed so shortly before it was read may change once more within the same tick of
/// the file system's clock, and look the same: it is read again the next time.
const SETTLED: Duration = Duration::from_secs(2);

/// `[source] kind = "directory"`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DirectoryConfig {
    /// The folder, relative to the deployment.
    pub path: PathBuf,
    /// Names taken: `*` and `?` as in a shell; default those of the feed's format.
    pub pattern: Option<Names>,
    /// How long a file must not have changed; files are best renamed into place.
    #[serde(default = "at_once")]
    pub stable_for: Span,
}

pub(super) fn at_once() -> Span {
    Span(Duration::ZERO)
}

/// A folder as the source of a feed.
pub struct DirectorySource {
    config: DirectoryConfig,
    feed_id: String,
    kept: Kept,
}

impl DirectorySource {
    /// The folder of a feed.
    pub fn new(config: DirectoryConfig, feed_id: String, kept: Kept) -> Self {
        Self { config, feed_id, kept }
    }

    /// Names and marks of the files that are taken, by name in byte order.
    fn list(&self, folder: &Path) -> Result<Vec<(String, Metadata)>> {
        let path = &self.config.path;
        let entries = std::fs::read_dir(folder).map_err(|error| {
            Error::caused(ErrorKind::Source, format!("the folder {} cannot be read", path.display()), error)
        })?;
        let mut files = Vec::new();
        for entry in entries {
            let name = entry?.file_name();
            let Some(name) =
                name.to_str().filter(|name| self.config.pattern.as_ref().is_some_and(|names| names.take(name)))
            else {
                continue;
            };
            // Through links too, as a file that a link names is read.
            let about = match std::fs::metadata(folder.join(name)) {
                Ok(about) => about,
                // It went away after it was listed, or the link leads nowhere.
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
                Err(error) => {
                    let what = format!("the file {} cannot be read", path.join(name).display());
                    return Err(Error::caused(ErrorKind::Source, what, error));
                }
            };
            if about.is_file() && self.is_stable(&about) {
                files.push((name.to_owned(), about));
            }
        }
        files.sort_by(|(one, _), (other, _)| one.cmp(other));
        Ok(files)
    }

    fn is_stable(&self, about: &Metadata) -> bool {
        self.config.stable_for.0.is_zero() || rested(about) >= Some(self.config.stable_for.0)
    }
}

#[async_trait]
impl Source for DirectorySource {
    async fn fetch(&self, request: &Request, into: &Landing) -> Result<Vec<Fetched>> {
        let folder = request.deployment.join(&self.config.path);
        let mut seen = Seen::of(into, &self.feed_id, &self.kept);
        let mut fetched = Vec::new();
        let outcome = self.fetch_all(&folder, into, &mut seen, &mut fetched).await;
        seen.end(outcome, fetched)
    }
}

impl DirectorySource {
    async fn fetch_all(
        &self,
        folder: &Path,
        into: &Landing,
        seen: &mut Seen,
        fetched: &mut Vec<Fetched>,
    ) -> Result<()> {
        for (name, about) in self.list(folder)? {
            let (path, object) = (folder.join(&name), self.config.path.join(&name).to_string_lossy().into_owned());
            let mark = fingerprint(&about);
            if let Some(landed) = seen.landed(&object, &mark, into) {
                fetched.push(landed);
                continue;
            }
            let rested = changed_at(&about).and_then(|at| SystemTime::now().duration_since(at).ok());
            let bytes = into.copy(&path).await?;
            let is_same = std::fs::metadata(&path).is_ok_and(|after| fingerprint(&after) == mark);
            if rested >= Some(SETTLED) && is_same {
                seen.note(&object, &mark, &bytes);
            }
            fetched.push(Fetched { object, bytes });
        }
        Ok(())
    }
}

/// How long the content has not changed; `None` where its time lies in the future or is not known.
fn rested(about: &Metadata) -> Option<Duration> {
    about.modified().ok().and_then(|changed| SystemTime::now().duration_since(changed).ok())
}

/// When anything about the file changed last; unlike the time of the content nobody can set it back.
fn changed_at(about: &Metadata) -> Option<SystemTime> {
    let seconds = u64::try_from(about.ctime()).ok()?;
    SystemTime::UNIX_EPOCH.checked_add(Duration::new(seconds, u32::try_from(about.ctime_nsec()).ok()?))
}

/// What changes whenever the bytes under a name do.
fn fingerprint(about: &Metadata) -> String {
    let (mtime, ctime) = ((about.mtime(), about.mtime_nsec()), (about.ctime(), about.ctime_nsec()));
    let (device, file, size) = (about.dev(), about.ino(), about.len());
    format!("{device}:{file} {size} {}.{:09} {}.{:09}", mtime.0, mtime.1, ctime.0, ctime.1)
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use anze_warehouse::Warehouse;

    use super::*;

    /// Waits until the last change of a file is long enough ago to be told from the next.
    fn settle(path: &Path) {
        let until = Instant::now() + Duration::from_secs(20);
        let age = || changed_at(&std::fs::metadata(path).unwrap()).unwrap().elapsed().unwrap_or_default();
        while age() < SETTLED {
            assert!(Instant::now() < until, "the clock of the file system stands still");
            std::thread::park_timeout(Duration::from_millis(20));
        }
    }

    struct Folder {
        deployment: tempfile::TempDir,
        landing: Landing,
        source: DirectorySource,
    }

    impl Folder {
        fn new() -> Self {
            let deployment = tempfile::tempdir().unwrap();
            std::fs::create_dir_all(deployment.path().join("inbox")).unwrap();
            std::fs::create_dir_all(deployment.path().join("data")).unwrap();
            let warehouse = Warehouse::open(&deployment.path().join("data")).unwrap();
            let config = DirectoryConfig {
                path: "inbox".into(),
                pattern: Some(Names::from("*.csv".to_owned())),
                stable_for: at_once(),
            };
            let source = DirectorySource::new(config, "f".to_owned(), Kept::default());
            Self { landing: Landing::of(&warehouse), deployment, source }
        }

        /// Names of what is fetched, those that were read and not known with a star.
        async fn fetch(&self) -> Vec<String> {
            let request = Request {
                deployment: self.deployment.path().to_owned(),
                slot_at: chrono::DateTime::UNIX_EPOCH,
                slot_date: chrono::NaiveDate::default(),
                cursor: None,
            };
            let mut told = Vec::new();
            for fetched in self.source.fetch(&request, &self.landing).await.unwrap() {
                let is_read = !fetched.bytes.is_known();
                told.push(format!("{}{}", fetched.object, if is_read { "*" } else { "" }));
                let delivery = crate::landing::Delivery {
                    batch_id: crate::landing::batch_id("f", &fetched.object, &fetched.bytes.sha256, 0),
                    feed_id: "f".to_owned(),
                    object: fetched.object,
                    sha256: fetched.bytes.sha256.clone(),
                    bytes: fetched.bytes.size,
                    landed_path: crate::landing::landed_path(&fetched.bytes.sha256),
                    landed_at: chrono::DateTime::UNIX_EPOCH,
                    slot_at: None,
                };
                self.landing.land(fetched.bytes, delivery).await.unwrap();
            }
            told
        }
    }

    #[tokio::test]
    async fn a_file_is_read_again_only_when_it_changed() {
        let folder = Folder::new();
        let path = folder.deployment.path().join("inbox/a.csv");
        std::fs::write(&path, "one").unwrap();
        std::fs::write(folder.deployment.path().join("inbox/b.csv"), "b").unwrap();
        settle(&path);
        settle(&folder.deployment.path().join("inbox/b.csv"));
        assert_eq!(folder.fetch().await, ["inbox/a.csv*", "inbox/b.csv*"]);
        assert_eq!(folder.fetch().await, ["inbox/a.csv", "inbox/b.csv"]);
        // The same size and, set back by hand, the same time of change.
        let before = std::fs::metadata(&path).unwrap().modified().unwrap();
        std::fs::write(&path, "two").unwrap();
        std::fs::File::options().write(true).open(&path).unwrap().set_modified(before).unwrap();
        assert_eq!(folder.fetch().await, ["inbox/a.csv*", "inbox/b.csv"]);
        assert_eq!(folder.fetch().await, ["inbox/a.csv*", "inbox/b.csv"], "it changed a moment ago and may once more");
        settle(&path);
        folder.fetch().await;
        assert_eq!(folder.fetch().await, ["inbox/a.csv", "inbox/b.csv"]);
    }

    #[tokio::test]
    async fn a_link_is_followed_and_one_that_leads_nowhere_is_no_file() {
        let folder = Folder::new();
        let inbox = folder.deployment.path().join("inbox");
        std::fs::write(folder.deployment.path().join("kept.csv"), "x").unwrap();
        std::os::unix::fs::symlink("../kept.csv", inbox.join("a.csv")).unwrap();
        std::os::unix::fs::symlink("../gone.csv", inbox.join("b.csv")).unwrap();
        std::fs::create_dir(inbox.join("c.csv")).unwrap();
        assert_eq!(folder.fetch().await, ["inbox/a.csv*"]);
    }
}
