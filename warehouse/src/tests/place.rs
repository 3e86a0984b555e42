//! Where a test's warehouse lies: a folder of its own, or a bucket of its own in an S3 server on this machine.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use datafusion::object_store::path::Path;
use datafusion::object_store::{ObjectStore, ObjectStoreExt};
use futures::TryStreamExt;

use crate::store::{BucketConfig, Store};
use crate::warehouse::Warehouse;

/// Each test of the list, on a folder and in a bucket.
macro_rules! on_every_store {
    ($($test:ident),+ $(,)?) => {
        mod folder {
            $(#[tokio::test]
            async fn $test() {
                super::$test($crate::tests::place::Place::folder()).await;
            })+
        }
        mod bucket {
            $(#[tokio::test]
            async fn $test() {
                super::$test($crate::tests::place::Place::bucket()).await;
            })+
        }
    };
}
pub(crate) use on_every_store;

/// A place for one warehouse; it goes away with its test.
pub(crate) struct Place {
    folder: tempfile::TempDir,
    bucket: Option<String>,
}

/// Tells apart the buckets of one test process.
static BUCKETS: AtomicU64 = AtomicU64::new(0);

impl Place {
    pub(crate) fn folder() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), bucket: None }
    }

    pub(crate) fn bucket() -> Self {
        let name = format!("warehouse-{}", BUCKETS.fetch_add(1, Ordering::Relaxed));
        put_bucket(server(), &name);
        Self { folder: tempfile::tempdir().unwrap(), bucket: Some(name) }
    }

    /// Another place of the same kind.
    pub(crate) fn another(&self) -> Self {
        match self.bucket {
            None => Self::folder(),
            Some(_) => Self::bucket(),
        }
    }

    pub(crate) fn is_folder(&self) -> bool {
        self.bucket.is_none()
    }

    /// The local folder: the warehouse itself, or what stands beside a bucket.
    pub(crate) fn path(&self) -> &std::path::Path {
        self.folder.path()
    }

    /// A store that knows nothing of earlier ones.
    pub(crate) fn store(&self) -> Store {
        match &self.bucket {
            None => Store::folder(self.folder.path()).unwrap(),
            Some(bucket) => Store::bucket(config(bucket, &self.folder)).unwrap(),
        }
    }

    /// The warehouse, as a process that just began sees it.
    pub(crate) fn warehouse(&self) -> Arc<Warehouse> {
        Warehouse::at(self.store(), crate::reading::Reading::default())
    }

    /// Bytes as they lie there; none where nothing does.
    pub(crate) async fn read(&self, path: &str) -> Option<Vec<u8>> {
        self.store().read(path).await.unwrap().map(|bytes| bytes.to_vec())
    }

    /// Puts bytes there, as somebody who damages it or puts it right.
    pub(crate) async fn write(&self, path: &str, bytes: impl Into<Vec<u8>>) {
        self.store().replace(path, bytes.into()).await.unwrap();
    }

    /// Takes an object away.
    pub(crate) async fn remove(&self, path: &str) {
        self.store().inside().delete(&Path::from(path)).await.unwrap();
    }

    /// Everything that lies there.
    pub(crate) async fn names(&self) -> Vec<String> {
        let store = self.store();
        let found: Vec<_> = store.inside().list(None).try_collect().await.unwrap();
        let mut names: Vec<String> = found.into_iter().map(|object| object.location.to_string()).collect();
        names.sort();
        names
    }
}

fn config(bucket: &str, work: &tempfile::TempDir) -> BucketConfig {
    BucketConfig {
        bucket: bucket.to_owned(),
        prefix: "anze".to_owned(),
        endpoint: Some(format!("http://{}", server())),
        region: "us-east-1".to_owned(),
        keys: Some(("writer".to_owned(), "hush".to_owned())),
        allow_http: true,
        work: work.path().to_owned(),
        lease: Duration::from_secs(1),
    }
}

/// Address of the S3 server of this test process, started at the first use. It ends with the process, whose
/// end closes the pipe that it waits on.
#[allow(clippy::zombie_processes, reason = "it ends after this process, which so cannot wait for it")]
fn server() -> &'static str {
    static SERVER: OnceLock<String> = OnceLock::new();
    SERVER.get_or_init(|| {
        #[allow(clippy::disallowed_methods, reason = "only the product has one place that reads its environment")]
        let program = std::env::var("MOTO_SERVER").unwrap_or_else(|_| "moto_server".to_owned());
        let script = "\"$0\" -H 127.0.0.1 -p 0 2>&1 & server=$!; cat >/dev/null; kill $server";
        let mut shell = Command::new("sh");
        shell.args(["-c", script, &program]).env("PYTHONUNBUFFERED", "1").stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut started = shell.spawn().unwrap();
        // Kept open until this process ends.
        std::mem::forget(started.stdin.take());
        let mut log = BufReader::new(started.stdout.take().unwrap());
        let mut said = String::new();
        loop {
            let mut line = String::new();
            let read = log.read_line(&mut line).unwrap();
            assert!(read > 0, "{program} did not start; tests/run installs it: {said}");
            if let Some((_, host)) = line.split_once("Running on http://") {
                let host = host.trim().to_owned();
                // Somebody must read on, or the server waits for its pipe.
                std::thread::spawn(move || {
                    let read = std::io::copy(&mut log, &mut std::io::sink());
                    started.wait().and(read)
                });
                return host;
            }
            said += &line;
        }
    })
}

fn put_bucket(host: &str, name: &str) {
    let mut connection = TcpStream::connect(host).unwrap();
    write!(connection, "PUT /{name} HTTP/1.1\r\nHost: {host}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        .unwrap();
    let mut answer = String::new();
    connection.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}
