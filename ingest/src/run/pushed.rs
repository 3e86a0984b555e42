//! Pushed deliveries: landed at once, beside whatever runs; loaded by the next run.
//!
//! A push is landed and on time from the moment its sender is answered, however long a run takes
//! that began before it.

use std::sync::Arc;

use anze_warehouse::session::Limits;
use datafusion::arrow::array::AsArray;
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Int64Type};
use datafusion::prelude::{col, lit};

use super::landing::Landed;
use super::{Ingest, Job, RunReport};
use crate::books::RunEnd;
use crate::error::{Error, ErrorKind, Result};
use crate::feed::Feed;
use crate::landing::{Incoming, Landing};
use crate::source::{Fetched, PushKey};

/// What a push is, compared with those before it.
#[derive(Debug)]
pub enum Pushed {
    /// The same bytes came under this key before; nothing has changed.
    Known {
        /// Their batch.
        batch_id: String,
    },
    /// Other bytes came under this key before; nothing has changed.
    Conflict {
        /// Their batch.
        batch_id: String,
    },
    /// It has landed, and the next run loads it.
    Landed(LandedPush),
}

/// A push that has landed.
#[derive(Debug)]
pub struct LandedPush {
    /// Its batch.
    pub batch_id: String,
    landed: Landed,
}

/// What became of a batch, as the newest release has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BatchCounts {
    /// The release that was asked.
    pub release: u64,
    /// `published`, `held` or `discarded`.
    pub state: String,
    /// Why it is held whole, in Chinese and English.
    pub reason: Option<String>,
    /// Records read.
    pub read: i64,
    /// Rows that became current.
    pub accepted: i64,
    /// Valid rows behind a newer version.
    pub superseded: i64,
    /// Rows equal to the current version.
    pub unchanged: i64,
    /// Records held.
    pub quarantined: i64,
}

impl Ingest {
    /// Where bytes land.
    pub fn landing(&self) -> &Landing {
        &self.landing
    }

    /// Lands a push, unless its key was used before.
    ///
    /// # Errors
    /// Warehouse.
    pub async fn land_push(&self, feed: &Arc<Feed>, key: &PushKey, bytes: Incoming, asked_by: &str) -> Result<Pushed> {
        let _one_at_a_time = self.pushes.lock().await;
        let object = key.object();
        {
            let mut held = self.taken.lock().await;
            let taken = self.known(&mut held).await?;
            if let Some((sha256, batch_id)) = taken.last_of(&feed.feed_id, &object) {
                let (is_same, batch_id) = (sha256 == bytes.sha256, batch_id.to_owned());
                return Ok(if is_same { Pushed::Known { batch_id } } else { Pushed::Conflict { batch_id } });
            }
        }
        let job = Job { feed: Arc::clone(feed), slot_at: None };
        let run = self.begin(&job, 1, asked_by, None);
        let landed = self.land_all(&job, run, vec![Fetched { object, bytes }]).await?;
        self.unclaim(&landed.deliveries);
        let broken = || Error::new(ErrorKind::Warehouse, "a push landed without a batch");
        let batch_id = landed.deliveries.first().cloned().ok_or_else(broken)?;
        // Whatever becomes of this process, the next run loads it: for its sender it is done.
        let end = RunEnd {
            step: "land",
            outcome: "done",
            batch_id: Some(batch_id.clone()),
            batches: Some(1),
            bytes: Some(landed.bytes),
            landed_at: landed.landed_at,
            finished_at: Some(self.clock.now()),
            ..RunEnd::default()
        };
        self.books.note(&[(landed.run.clone(), end)])?;
        Ok(Pushed::Landed(LandedPush { batch_id, landed }))
    }

    /// Notes how the load after a push ended. The batch may have been loaded by a run that was under
    /// way already, so what became of it is read from the release.
    ///
    /// # Errors
    /// As the load's; Warehouse.
    pub async fn end_push(&self, push: LandedPush, loaded: Result<RunReport>) -> Result<Option<BatchCounts>> {
        let counts = match loaded {
            Ok(_) => self.batch(&push.batch_id).await,
            // It stays landed, and done.
            Err(error) if error.kind() == ErrorKind::Stopped => return Err(error),
            Err(error) => Err(error),
        };
        let known = counts.as_ref().ok().and_then(Option::as_ref);
        let end = RunEnd {
            step: "publish",
            outcome: match &counts {
                Ok(Some(counts)) if counts.state == "held" => "held",
                Ok(Some(_)) => "done",
                Ok(None) | Err(_) => "failed",
            },
            batch_id: Some(push.batch_id),
            batches: Some(1),
            rows: known.and_then(|counts| u64::try_from(counts.read).ok()),
            rows_quarantined: known.and_then(|counts| u64::try_from(counts.quarantined).ok()),
            bytes: Some(push.landed.bytes),
            reason: known.and_then(|counts| counts.reason.clone()),
            error: counts.as_ref().err().map(ToString::to_string),
            landed_at: push.landed.landed_at,
            finished_at: Some(self.clock.now()),
            ..RunEnd::default()
        };
        self.books.note(&[(push.landed.run, end)])?;
        counts
    }

    /// What became of a batch; `None` where no release has it yet.
    ///
    /// # Errors
    /// Warehouse.
    pub async fn batch(&self, batch_id: &str) -> Result<Option<BatchCounts>> {
        let Some(release) = self.warehouse.latest().await? else { return Ok(None) };
        let session = release.session(&Limits::default())?;
        let sql = "select batch_id, state, reason, rows_read, rows_accepted, rows_superseded, rows_unchanged, \
                   rows_quarantined from system.batch";
        let found = session.sql(sql).await?.filter(col("batch_id").eq(lit(batch_id)))?.collect().await?;
        let Some(rows) = found.iter().find(|rows| rows.num_rows() > 0) else { return Ok(None) };
        let text = |column: usize| -> Result<Option<String>> {
            let column = cast(rows.column(column), &DataType::Utf8)?;
            Ok(column.as_string::<i32>().iter().next().flatten().map(str::to_owned))
        };
        let count = |column: usize| -> Result<i64> {
            Ok(cast(rows.column(column), &DataType::Int64)?.as_primitive::<Int64Type>().value(0))
        };
        Ok(Some(BatchCounts {
            release: release.number(),
            state: text(1)?.unwrap_or_default(),
            reason: text(2)?,
            read: count(3)?,
            accepted: count(4)?,
            superseded: count(5)?,
            unchanged: count(6)?,
            quarantined: count(7)?,
        }))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use anze_warehouse::Warehouse;
    use anze_warehouse::publication::Writer;
    use anze_warehouse::warehouse::Holder;

    use super::*;
    use crate::clock::Clock;
    use crate::feed::Feeds;
    use crate::run::Publish;

    const FEED: &str = "dataset = \"insurer\"\nreporter = \"NFRA\"\nschedule = \"0 0 2 * * *\"\n\
                        [source]\nkind = \"push\"\n[format]\nkind = \"csv\"\n";

    struct Desk {
        ingest: Ingest,
        writer: Writer,
        feed: Arc<Feed>,
        _folder: tempfile::TempDir,
    }

    /// A deployment with one push feed, at 10:00 in Shanghai, after the slot of the day.
    async fn desk() -> Desk {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("feeds")).unwrap();
        std::fs::write(folder.path().join("feeds/insurers.toml"), FEED).unwrap();
        let feeds = Feeds::load(folder.path()).unwrap();
        let warehouse = Warehouse::open(&folder.path().join("data")).unwrap();
        let holder = Holder { what: "test".into(), process: std::process::id(), address: None, secret: None };
        let writer = warehouse.writer(&holder, Duration::from_secs(1)).await.unwrap();
        let clock = Arc::new(Clock::at("2026-03-01T02:00:00Z".parse().unwrap()));
        let ingest = Ingest::open(warehouse, folder.path(), feeds, Arc::clone(&clock)).unwrap();
        ingest.run_due(&writer).await.unwrap();
        clock.set("2026-03-02T02:00:00Z".parse().unwrap());
        ingest.run_due(&writer).await.unwrap();
        let feed = Arc::clone(ingest.feeds().get("insurers").unwrap());
        Desk { ingest, writer, feed, _folder: folder }
    }

    impl Desk {
        async fn push(&self, key: &str, text: &'static str) -> Pushed {
            let part = futures::stream::iter([Ok(bytes::Bytes::from_static(text.as_bytes()))]);
            let bytes = self.ingest.landing().receive(part, 1 << 20).await.unwrap();
            self.ingest.land_push(&self.feed, &key.parse().unwrap(), bytes, "tester").await.unwrap()
        }

        fn live(&self, table: &str) -> Vec<anze_warehouse::live::LiveRow> {
            self.ingest.warehouse.live(table).unwrap().rows().unwrap()
        }
    }

    fn landed(pushed: Pushed) -> LandedPush {
        match pushed {
            Pushed::Landed(push) => push,
            other => panic!("{other:?}"),
        }
    }

    const TEXT: &str = "code,name\nPICC,人保财险\nCPIC,太保产险\n";

    #[tokio::test]
    async fn a_push_fulfils_the_open_slot_and_is_loaded_by_the_next_run() {
        let desk = desk().await;
        assert_eq!(desk.live("slot")[0]["state"], "open");
        let push = landed(desk.push("2026-03", TEXT).await);
        assert_eq!(desk.live("slot")[0]["state"], "fulfilled");
        assert_eq!(desk.live("slot")[0]["fulfilled_by"], push.batch_id.as_str());
        assert_eq!(desk.ingest.batch(&push.batch_id).await.unwrap(), None);
        let report = desk.ingest.run(&desk.writer, Vec::new(), "tester", Publish::Once).await;
        let counts = desk.ingest.end_push(push, report).await.unwrap().unwrap();
        assert_eq!((counts.state.as_str(), counts.read, counts.accepted, counts.quarantined), ("published", 2, 2, 0));
        let runs = desk.live("run");
        let run = runs.iter().find(|run| run["asked_by"] == "tester").unwrap();
        assert_eq!((run["outcome"].as_str(), run["rows"].as_u64()), (Some("done"), Some(2)));
    }

    #[tokio::test]
    async fn the_same_bytes_under_a_key_are_known_and_others_are_a_conflict_loaded_or_not() {
        let desk = desk().await;
        let first = landed(desk.push("a", TEXT).await);
        let batch = first.batch_id.clone();
        for _ in 0..2 {
            assert!(matches!(desk.push("a", TEXT).await, Pushed::Known { batch_id } if batch_id == batch));
            assert!(matches!(desk.push("a", "code,name\n").await, Pushed::Conflict { batch_id } if batch_id == batch));
            desk.ingest.run(&desk.writer, Vec::new(), "tester", Publish::Once).await.unwrap();
        }
        assert_ne!(landed(desk.push("b", TEXT).await).batch_id, batch, "another key is another delivery");
    }
}
