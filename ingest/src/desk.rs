//! A deployment for tests: feeds of files, run by hand.

use std::fmt::Write as _;
use std::fs;
use std::sync::Arc;
use std::time::Duration;

use anze_warehouse::Warehouse;
use anze_warehouse::publication::Writer;
use anze_warehouse::session::Limits;
use anze_warehouse::warehouse::Holder;
use datafusion::arrow::util::display::{ArrayFormatter, FormatOptions};
use tempfile::TempDir;

use crate::clock::Clock;
use crate::feed::Feeds;
use crate::quarantine::{ReplayAsk, ReplayReport};
use crate::run::{Ingest, Job, Publish, RunReport};

/// A deployment in a folder, with a clock that moves an hour with every run.
pub(crate) struct Desk {
    folder: TempDir,
    pub(crate) warehouse: Arc<Warehouse>,
    clock: Arc<Clock>,
    pub(crate) writer: Writer,
}

impl Desk {
    pub(crate) async fn open() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("data")).unwrap();
        let warehouse = Warehouse::open(&folder.path().join("data")).unwrap();
        let holder = Holder { what: "test".to_owned(), process: 1, address: None, secret: None };
        let writer = warehouse.writer(&holder, Duration::from_secs(1)).await.unwrap();
        let clock = Arc::new(Clock::at("2026-03-02T00:00:00Z".parse().unwrap()));
        Self { folder, warehouse, clock, writer }
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        let path = self.folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.folder.path().join(name)).unwrap()
    }

    /// A feed of files in `inbox/<dataset>`, of which a fifth may be held.
    pub(crate) fn feed(&self, dataset: &str, mode: &str, columns: &str) {
        fs::create_dir_all(self.folder.path().join("inbox").join(dataset)).unwrap();
        let text = format!(
            "dataset = \"{dataset}\"\nreporter = \"YJT\"\nmode = \"{mode}\"\n[source]\nkind = \"directory\"\n\
             path = \"inbox/{dataset}\"\n[format]\nkind = \"csv\"\n[contract]\nmax_quarantined = \"20%\"\n\
             [columns]\n{columns}\n"
        );
        self.write(&format!("feeds/{dataset}.toml"), &text);
    }

    pub(crate) fn ingest(&self) -> Ingest {
        let feeds = Feeds::load(self.folder.path()).unwrap();
        Ingest::open(Arc::clone(&self.warehouse), self.folder.path(), feeds, Arc::clone(&self.clock)).unwrap()
    }

    pub(crate) async fn run(&self) -> RunReport {
        let ingest = self.ingest();
        ingest.prepare(&self.writer).await.unwrap();
        let jobs = ingest.feeds().iter().map(|feed| Job { feed: Arc::clone(feed), slot_at: None }).collect();
        let report = ingest.run(&self.writer, jobs, "test", Publish::Once).await.unwrap();
        assert!(report.failures.is_empty(), "{:?}", report.failures);
        self.clock.set(self.clock.now() + chrono::Duration::hours(1));
        report
    }

    pub(crate) async fn replay(&self, ask: &ReplayAsk) -> ReplayReport {
        self.ingest().replay(&self.writer, ask, "zhang").await.unwrap()
    }

    /// The rows of a statement, cells between spaces.
    pub(crate) async fn sql(&self, sql: &str) -> String {
        let release = self.warehouse.latest().await.unwrap().unwrap();
        let session = release.session(&Limits::default()).unwrap();
        let options = FormatOptions::default().with_null("-");
        let mut text = String::new();
        for batch in session.sql(sql).await.unwrap().collect().await.unwrap() {
            let columns: Vec<_> =
                batch.columns().iter().map(|column| ArrayFormatter::try_new(column, &options).unwrap()).collect();
            for row in 0..batch.num_rows() {
                let cells: Vec<String> = columns.iter().map(|column| column.value(row).to_string()).collect();
                writeln!(text, "{}", cells.join(" ")).unwrap();
            }
        }
        text.trim_end().to_owned()
    }

    /// Read, accepted, superseded, unchanged, held and state of the batches of a feed, by object.
    pub(crate) async fn batches(&self, feed: &str) -> String {
        self.sql(&format!(
            "select rows_read, rows_accepted, rows_superseded, rows_unchanged, rows_quarantined, state \
             from system.batch where feed_id = '{feed}' order by object"
        ))
        .await
    }
}
