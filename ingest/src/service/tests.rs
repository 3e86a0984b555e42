//! The service over sources that answer, refuse or never answer.

use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};

use anze_warehouse::Warehouse;
use anze_warehouse::live::LiveRow;
use anze_warehouse::warehouse::Holder;
use async_trait::async_trait;
use bytes::Bytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::Notify;

use super::*;
use crate::clock::Clock;
use crate::feed::Feeds;
use crate::landing::Landing;
use crate::source::{Fetched, Request as SourceRequest, Source};

/// Answers at once.
struct Quick;

#[async_trait]
impl Source for Quick {
    async fn fetch(&self, request: &SourceRequest, into: &Landing) -> Result<Vec<Fetched>> {
        let object = format!("slot {}", request.slot_at.to_rfc3339());
        let text = Bytes::from(format!("code,name\nQUICK,{object}\n"));
        let bytes = into.receive(futures::stream::iter([Ok(text)]), u64::MAX).await?;
        Ok(vec![Fetched { object, bytes }])
    }
}

/// Says that it was asked, and never answers.
struct Stuck(Arc<Notify>);

#[async_trait]
impl Source for Stuck {
    async fn fetch(&self, _: &SourceRequest, _: &Landing) -> Result<Vec<Fetched>> {
        self.0.notify_one();
        std::future::pending().await
    }
}

/// Does not accept our secret.
struct Refusing;

#[async_trait]
impl Source for Refusing {
    async fn fetch(&self, _: &SourceRequest, _: &Landing) -> Result<Vec<Fetched>> {
        Err(Error::new(ErrorKind::Source, "the source does not accept our secret (401)"))
    }
}

/// A deployment with the feeds `quick`, `stuck` and `refusing`, run by hand only, and `yearly`, which
/// is stuck too.
struct Bench {
    folder: tempfile::TempDir,
    asked: Arc<Notify>,
}

impl Bench {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("feeds")).unwrap();
        for feed in ["quick", "stuck", "refusing"] {
            let text = format!(
                "dataset = \"insurer\"\nreporter = \"{feed}\"\n\
                 [source]\nkind = \"directory\"\npath = \"never-asked\"\n[format]\nkind = \"csv\"\n"
            );
            std::fs::write(folder.path().join(format!("feeds/{feed}.toml")), text).unwrap();
        }
        let yearly = "dataset = \"insurer\"\nreporter = \"yearly\"\nschedule = \"0 30 2 3 3 *\"\n\
                      [source]\nkind = \"directory\"\npath = \"never-asked\"\n[format]\nkind = \"csv\"\n";
        std::fs::write(folder.path().join("feeds/yearly.toml"), yearly).unwrap();
        Self { folder, asked: Arc::default() }
    }

    fn warehouse(&self) -> Arc<Warehouse> {
        Warehouse::open(&self.folder.path().join("data")).unwrap()
    }

    fn ingest(&self) -> Arc<Ingest> {
        self.ingest_by(Arc::new(Clock::Wall))
    }

    fn ingest_by(&self, clock: Arc<Clock>) -> Arc<Ingest> {
        let feeds = Feeds::load(self.folder.path()).unwrap();
        let mut ingest = Ingest::open(self.warehouse(), self.folder.path(), feeds, clock).unwrap();
        ingest.fakes.insert("quick".to_owned(), Arc::new(Quick));
        for feed in ["stuck", "yearly"] {
            ingest.fakes.insert(feed.to_owned(), Arc::new(Stuck(Arc::clone(&self.asked))));
        }
        ingest.fakes.insert("refusing".to_owned(), Arc::new(Refusing));
        Arc::new(ingest)
    }

    async fn writer(&self) -> Writer {
        let holder = Holder { what: "test".to_owned(), process: std::process::id(), address: None, secret: None };
        self.warehouse().writer(&holder, Duration::from_secs(10)).await.unwrap()
    }

    async fn start(&self, ingest: &Arc<Ingest>, webhook: Option<Webhook>) -> Service {
        Service::start(Arc::clone(ingest), self.writer().await, webhook).await.unwrap()
    }

    fn slot(&self) -> LiveRow {
        let mut slots = self.warehouse().live("slot").unwrap().rows().unwrap();
        assert_eq!(slots.len(), 1);
        slots.remove(0)
    }

    fn runs(&self, feed_id: &str) -> Vec<LiveRow> {
        let mut runs = self.warehouse().live("run").unwrap().rows().unwrap();
        runs.retain(|run| run["feed_id"] == feed_id);
        runs
    }
}

fn job(ingest: &Ingest, feed_id: &str) -> Vec<Job> {
    vec![Job { feed: Arc::clone(ingest.feeds().get(feed_id).unwrap()), slot_at: None }]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_feed_that_does_not_answer_holds_up_no_other_and_can_be_cancelled() {
    let bench = Bench::new();
    let ingest = bench.ingest();
    let service = bench.start(&ingest, None).await;
    let handle = service.handle();
    let waits = tokio::spawn({
        let (handle, job) = (service.handle(), job(&ingest, "stuck"));
        async move { handle.run(job, Publish::Once, "zhang").await }
    });
    bench.asked.notified().await;

    let report = handle.run(job(&ingest, "quick"), Publish::Once, "li").await.unwrap();
    assert_eq!(report.batches.len(), 1);
    assert!(report.release.is_some(), "it is published while the other feed still waits");
    assert_eq!(bench.runs("stuck")[0]["outcome"], "running");

    assert!(handle.cancel("stuck", "wang").await.unwrap());
    let report = waits.await.unwrap().unwrap();
    assert_eq!(report.failures.len(), 1);
    assert!(report.failures[0].1.to_string().contains("cancelled by wang"), "{}", report.failures[0].1);
    let runs = bench.runs("stuck");
    assert_eq!(runs.len(), 1);
    for (column, value) in [("outcome", "cancelled"), ("asked_by", "zhang"), ("ended_by", "wang")] {
        assert_eq!(runs[0][column], value);
    }
    assert!(!handle.cancel("stuck", "wang").await.unwrap(), "nothing is left to cancel");
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cancelled_slot_is_fulfilled_by_a_file_that_is_brought_later() {
    let bench = Bench::new();
    let clock = Arc::new(Clock::simulated("2026-03-02T18:29:00Z".parse().unwrap()));
    let ingest = bench.ingest_by(Arc::clone(&clock));
    let writer = bench.writer().await;
    ingest.prepare(&writer).await.unwrap();
    let mut dispatcher = Dispatcher::new(Arc::clone(&ingest));
    dispatcher.tick().await.unwrap();
    // 3 March, half past two in Shanghai.
    clock.set("2026-03-02T18:30:00Z".parse().unwrap());
    dispatcher.tick().await.unwrap();
    bench.asked.notified().await;
    assert_eq!(bench.slot()["state"], "running");

    assert!(dispatcher.cancel("yearly", "wang"));
    let ended = dispatcher.next_end().await;
    assert!(dispatcher.take_end(ended).await.is_empty(), "there is nothing to load");
    assert_eq!(bench.slot()["state"], "cancelled");
    dispatcher.tick().await.unwrap();
    assert_eq!(bench.runs("yearly").len(), 1, "it is not run again");

    let file = bench.folder.path().join("by-hand.csv");
    std::fs::write(&file, "code,name\nYEARLY,某保险\n").unwrap();
    let report = ingest.take_file(&writer, ingest.feeds().get("yearly").unwrap(), &file, "li").await.unwrap();
    let slot = bench.slot();
    assert_eq!(slot["state"], "fulfilled");
    assert_eq!(slot["fulfilled_by"], report.batches[0].delivery.batch_id.as_str());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_ends_what_waits_and_frees_the_lease() {
    let bench = Bench::new();
    let ingest = bench.ingest();
    let service = bench.start(&ingest, None).await;
    let waits = tokio::spawn({
        let (handle, job) = (service.handle(), job(&ingest, "stuck"));
        async move { handle.run(job, Publish::Once, "zhang").await }
    });
    bench.asked.notified().await;
    let handle = service.handle();
    service.stop().await;
    assert_eq!(waits.await.unwrap().unwrap_err().kind(), ErrorKind::Stopped);
    assert_eq!(bench.runs("stuck")[0]["outcome"], "stopped");
    let late = handle.run(job(&ingest, "quick"), Publish::Once, "li").await;
    assert_eq!(late.unwrap_err().kind(), ErrorKind::Stopped);
    bench.start(&ingest, None).await.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn other_work_is_done_with_the_writer_in_hand() {
    let bench = Bench::new();
    let ingest = bench.ingest();
    let service = bench.start(&ingest, None).await;
    let feeds = service.handle().order(|ingest, _writer| Box::pin(async move { Ok(ingest.feeds().len()) })).await;
    assert_eq!(feeds.unwrap(), 4);
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_webhook_is_told_of_an_alert_until_it_takes_it_even_after_a_restart() {
    let bench = Bench::new();
    let mut hook = Hook::listen().await;
    let address = hook.address.clone();
    let webhook = || Webhook::new(&address).unwrap().at_pace(Duration::from_millis(10));

    hook.answer_with(500);
    let ingest = bench.ingest();
    let service = bench.start(&ingest, Some(webhook())).await;
    service.handle().run(job(&ingest, "refusing"), Publish::Once, "zhang").await.unwrap();
    let refused = hook.told.recv().await.unwrap();
    service.stop().await;
    for (key, value) in [("feed_id", "refusing"), ("kind", "failed"), ("state", "raised"), ("reporter", "refusing")] {
        assert_eq!(refused[key], value);
    }
    assert!(refused["message_zh"].as_str().unwrap().contains("401"), "{refused}");
    assert_eq!(bench.ingest().untold_alerts().await.len(), 1, "it was not taken");

    hook.answer_with(200);
    let ingest = bench.ingest();
    let service = bench.start(&ingest, Some(webhook())).await;
    while !ingest.untold_alerts().await.is_empty() {
        tokio::task::yield_now().await;
    }
    let told = hook.told.recv().await.unwrap();
    assert_eq!(told["id"], refused["id"], "it can be told that it is the same");
    // The same trouble again is no news.
    service.handle().run(job(&ingest, "refusing"), Publish::Once, "zhang").await.unwrap();
    assert!(ingest.untold_alerts().await.is_empty());
    service.stop().await;
    let alerts = bench.warehouse().live("alert").unwrap().rows().unwrap();
    assert_eq!(alerts.len(), 1);
    assert_eq!(alerts[0]["told_at"], alerts[0]["raised_at"]);
}

/// A web server that takes JSON documents by POST and answers as it is told to.
struct Hook {
    address: String,
    status: Arc<AtomicU16>,
    /// What it was told, whatever it answered.
    told: mpsc::UnboundedReceiver<serde_json::Value>,
}

impl Hook {
    async fn listen() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}/hook", listener.local_addr().unwrap());
        let status = Arc::new(AtomicU16::new(200));
        let (tell, told) = mpsc::unbounded_channel();
        let answers = Arc::clone(&status);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (tell, status) = (tell.clone(), answers.load(Ordering::SeqCst));
                // Who called may hang up; then it is told again.
                tokio::spawn(async move { answer(stream, status, tell).await });
            }
        });
        Self { address, status, told }
    }

    fn answer_with(&self, status: u16) {
        self.status.store(status, Ordering::SeqCst);
    }
}

async fn answer(
    mut stream: tokio::net::TcpStream,
    status: u16,
    tell: mpsc::UnboundedSender<serde_json::Value>,
) -> std::io::Result<()> {
    let mut request = Vec::new();
    let told = loop {
        let mut part = [0; 4096];
        let read = stream.read(&mut part).await?;
        if read == 0 {
            return Ok(());
        }
        request.extend_from_slice(&part[..read]);
        if let Some(told) = document(&request) {
            break told;
        }
    };
    let answer = format!("HTTP/1.1 {status} Told\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
    stream.write_all(answer.as_bytes()).await?;
    // The test may have ended.
    let _ = tell.send(told);
    stream.shutdown().await
}

/// The JSON document of a request that is whole.
fn document(request: &[u8]) -> Option<serde_json::Value> {
    let end = request.windows(4).position(|window| window == b"\r\n\r\n")?;
    let head = std::str::from_utf8(&request[..end]).ok()?.to_lowercase();
    assert!(head.starts_with("post /hook http/1.1"), "{head}");
    let length: usize = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok())?;
    serde_json::from_slice(request.get(end + 4..end + 4 + length)?).ok()
}
