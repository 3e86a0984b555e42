//! A whole deployment with one feed over HTTP.

use std::sync::Arc;

use anze_warehouse::Warehouse;
use anze_warehouse::publication::Writer;
use anze_warehouse::warehouse::Holder;

use super::*;
use crate::clock::Clock;
use crate::feed::Feeds;
use crate::run::{Ingest, Job, Publish, RunReport};

/// When the planner looks for the first time; slots are at 02:00 in Shanghai, which is 18:00 of the
/// day before in UTC.
pub const FIRST_LOOK: &str = "2026-03-01T00:00:00Z";

pub struct Running {
    pub warehouse: Arc<Warehouse>,
    ingest: Ingest,
    writer: Writer,
    _folder: tempfile::TempDir,
}

/// The feed `insurers`, with further keys of its source, after the first look.
pub async fn running(url: &str, more: &str, clock: Clock) -> Running {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("feeds")).unwrap();
    let feed = format!(
        "dataset = \"insurer\"\nreporter = \"NFRA\"\nschedule = \"0 0 2 * * *\"\n\
         retry = {{ attempts = 2, first = \"1ms\", most = \"300ms\" }}\n\
         [source]\nkind = \"http\"\nurl = \"{url}\"\n{more}\n[format]\nkind = \"csv\"\n"
    );
    std::fs::write(folder.path().join("feeds/insurers.toml"), feed).unwrap();
    let feeds = Feeds::load(folder.path()).unwrap();
    let warehouse = Warehouse::open(&folder.path().join("data")).unwrap();
    let holder = Holder { what: "test".into(), process: std::process::id(), address: None, secret: None };
    let writer = warehouse.writer(&holder, Duration::from_secs(1)).await.unwrap();
    let ingest = Ingest::open(Arc::clone(&warehouse), folder.path(), feeds, Arc::new(clock)).unwrap();
    ingest.run_due(&writer).await.unwrap();
    Running { warehouse, ingest, writer, _folder: folder }
}

impl Running {
    /// Runs what is due at an instant.
    pub async fn run_at(&self, instant: &str) -> RunReport {
        self.ingest.clock().set(instant.parse().unwrap());
        self.ingest.run_due(&self.writer).await.unwrap()
    }

    /// Runs the feed by hand.
    pub async fn run(&self) -> RunReport {
        let feed = Arc::clone(self.ingest.feeds().get("insurers").unwrap());
        self.ingest.run(&self.writer, vec![Job { feed, slot_at: None }], "tester", Publish::Once).await.unwrap()
    }
}
