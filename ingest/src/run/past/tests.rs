//! A past that is quickened against one that is lived through instant by instant.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anze_warehouse::Warehouse;
use anze_warehouse::session::Limits;
use anze_warehouse::warehouse::Holder;
use async_trait::async_trait;
use bytes::Bytes;
use chrono::Datelike;
use datafusion::arrow::json::LineDelimitedWriter;

use super::*;
use crate::clock::Clock;
use crate::error::ErrorKind;
use crate::feed::Feeds;
use crate::landing::Landing;
use crate::source::{Fetched, Request, Source};

/// Answers each month with rows of before, some changed, and a new one; one stands twice and one is
/// broken. In every third month it does not answer.
struct Monthly(&'static str);

#[async_trait]
impl Source for Monthly {
    async fn fetch(&self, request: &Request, into: &Landing) -> Result<Vec<Fetched>> {
        let month = request.slot_at.month();
        if month.is_multiple_of(3) {
            return Err(Error::new(ErrorKind::Source, "the source is down"));
        }
        let mut text = "code,name\n".to_owned();
        for number in 1..=month {
            text += &format!("{}{number},in month {}\n", self.0, month - month % number);
        }
        text += &format!("{}1,once more\n,nobody\n", self.0);
        let bytes = into.receive(futures::stream::iter([Ok(Bytes::from(text))]), u64::MAX).await?;
        Ok(vec![Fetched { object: format!("slot {}", request.slot_at.to_rfc3339()), bytes }])
    }
}

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

/// Ingestion of a fresh deployment with two feeds, due on the 3rd and on the 4th of each month, and
/// its clock, before the first of them.
async fn deployed(folder: &Path) -> (Ingest, Writer) {
    std::fs::create_dir(folder.join("feeds")).unwrap();
    for (feed, day) in [("a", 3), ("b", 4)] {
        let text = format!(
            "dataset = \"insurer\"\nreporter = \"{feed}\"\nschedule = \"0 30 2 {day} * *\"\n\
             deadline = {{ workdays = 1, at = \"18:00\" }}\n\
             [source]\nkind = \"directory\"\npath = \"never-asked\"\n[format]\nkind = \"csv\"\n\
             [contract]\nmax_quarantined = \"60%\"\n"
        );
        std::fs::write(folder.join(format!("feeds/{feed}.toml")), text).unwrap();
    }
    let warehouse = Warehouse::open(&folder.join("data")).unwrap();
    let clock = Arc::new(Clock::at(at("2025-12-31T00:00:00Z")));
    let mut ingest = Ingest::open(Arc::clone(&warehouse), folder, Feeds::load(folder).unwrap(), clock).unwrap();
    ingest.fakes.insert("a".to_owned(), Arc::new(Monthly("A")));
    ingest.fakes.insert("b".to_owned(), Arc::new(Monthly("B")));
    let holder = Holder { what: "test".to_owned(), process: std::process::id(), address: None, secret: None };
    let writer = warehouse.writer(&holder, Duration::from_secs(10)).await.unwrap();
    ingest.prepare(&writer).await.unwrap();
    ingest.run_due(&writer).await.unwrap();
    (ingest, writer)
}

/// The instants of ten slots, and one on which only a deadline passes.
fn instants() -> Vec<DateTime<Utc>> {
    let slots = (1..=5).flat_map(|month| [2, 3].map(|day| at(&format!("2026-{month:02}-{day:02}T18:30:00Z"))));
    slots.chain([at("2026-05-20T00:00:00Z")]).collect()
}

/// What the tables of the last release and the live tables say.
async fn tables(ingest: &Ingest) -> Vec<String> {
    let release = ingest.warehouse.latest().await.unwrap().unwrap();
    let session = release.session(&Limits::default()).unwrap();
    let mut told = Vec::new();
    for sql in [
        "select * from history.insurer order by code, batch_id, row_no",
        "select * from system.batch order by batch_id",
        "select * from system.quarantine order by quarantine_id",
        "select * from system.finding order by key, batch_id, row_no, rule",
        "select * from system.slot_state order by feed_id, slot_at",
        "select * from system.release order by release",
    ] {
        let mut text = LineDelimitedWriter::new(Vec::new());
        for batch in session.sql(sql).await.unwrap().collect().await.unwrap() {
            text.write(&batch).unwrap();
        }
        text.finish().unwrap();
        told.push(String::from_utf8(text.into_inner()).unwrap());
    }
    for table in ["slot", "run", "alert"] {
        told.push(format!("{:#?}", ingest.warehouse.live(table).unwrap().rows().unwrap()));
    }
    told
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_quickened_past_leaves_the_tables_of_one_that_was_lived_through() {
    let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (lived, writer) = deployed(one.path()).await;
    let mut releases = Vec::new();
    for instant in instants() {
        lived.clock().set(instant);
        let report = lived.run_due(&writer).await.unwrap();
        releases.push((instant, report.release.map(|release| release.number()), report.failures.len()));
    }
    let (quickened, writer) = deployed(other.path()).await;
    let mut told = Vec::new();
    let tell = |instant, report: RunReport| {
        told.push((instant, report.release.map(|release| release.number()), report.failures.len()));
    };
    quickened.run_past(&writer, &instants(), tell).await.unwrap();
    assert_eq!(told, releases);
    assert_eq!(told.iter().map(|(_, _, failures)| failures).sum::<usize>(), 2, "both feeds are down in March");
    let (expected, found) = (tables(&lived).await, tables(&quickened).await);
    for (expected, found) in expected.iter().zip(&found) {
        assert!(expected.lines().count() > 1, "a table without rows proves nothing: {expected}");
        assert_eq!(found, expected);
    }
}
