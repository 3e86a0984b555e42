//! Loading: landed deliveries become checked rows in a publication, every row accounted for.
//!
//! Batches of one dataset are decoded and checked one after the other and contend together, in
//! their order of arrival. A batch over its feed's limits is held whole: nothing of it stays.

mod again;
mod batch;
mod record;

use std::collections::BTreeMap;
use std::io::{Read, Seek};
use std::sync::Arc;

use anze_warehouse::contract::{Contract, Stage};
use anze_warehouse::publication::{Arrival, Publication, Savepoint, Snapshot, Upserted};
use anze_warehouse::session::Limits;

pub(crate) use again::{Again, Wanted, load_again};
pub use batch::BatchState;
use batch::{Loading, Part};

use crate::check::{Checker, KnownCodes, Origin};
use crate::decode::{DecodeError, Decoder};
use crate::error::{Error, ErrorKind, Result};
use crate::feed::{Feed, Mode, UnknownColumns};
use crate::landing::{Delivery, Landing};
use crate::schedule::day_of;

/// Rows that contend in memory at once.
const SEGMENT_ROWS: usize = 512 * 1024;

/// A delivery with its feed and whether it kept its deadline.
#[derive(Debug, Clone)]
pub struct Due {
    /// What landed.
    pub delivery: Delivery,
    /// Its feed.
    pub feed: Arc<Feed>,
    /// Whether it landed by the deadline of its slot; `None`: there is none.
    pub on_time: Option<bool>,
}

/// What became of one batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BatchReport {
    /// Its delivery.
    pub delivery: Delivery,
    /// Its dataset.
    pub dataset: String,
    /// Published or held whole.
    pub state: BatchState,
    /// Why it is held whole, in Chinese and English.
    pub reason: Option<(String, String)>,
    /// Records read.
    pub read: u64,
    /// Rows that became current.
    pub accepted: u64,
    /// Valid rows behind a newer version.
    pub superseded: u64,
    /// Rows equal to the current version.
    pub unchanged: u64,
    /// Records held.
    pub quarantined: u64,
}

/// Loads deliveries into a publication, references first.
///
/// # Errors
/// Warehouse: the publication must not be published.
pub async fn load(publication: &mut Publication<'_>, landing: &Landing, due: Vec<Due>) -> Result<Vec<BatchReport>> {
    let mut reports = Vec::new();
    let mut codes: Option<KnownCodes> = None;
    for (contract, due) in by_dataset(due) {
        if codes.is_none() {
            codes = Some(KnownCodes::read(&publication.session(&Limits::default()).await?).await?);
        }
        let known = codes.clone().unwrap_or_default();
        reports.extend(dataset(publication, landing, &contract, due, known).await?);
        if matches!(contract.name.as_str(), "region" | "sector" | "insurer") {
            codes = None;
        }
    }
    Ok(reports)
}

/// A dataset with its deliveries.
type OfDataset = (Arc<Contract>, Vec<Due>);

/// Deliveries by dataset: code lists before what names them, references before units before facts.
fn by_dataset(due: Vec<Due>) -> Vec<OfDataset> {
    let mut datasets: BTreeMap<(Stage, bool, String), OfDataset> = BTreeMap::new();
    for due in due {
        let contract = Arc::clone(&due.feed.contract);
        let names_codes = contract.columns.iter().any(|column| column.known.is_some());
        let key = (contract.stage, names_codes, contract.name.clone());
        datasets.entry(key).or_insert_with(|| (contract, Vec::new())).1.push(due);
    }
    datasets.into_values().collect()
}

async fn dataset(
    publication: &mut Publication<'_>,
    landing: &Landing,
    contract: &Arc<Contract>,
    due: Vec<Due>,
    codes: KnownCodes,
) -> Result<Vec<BatchReport>> {
    let mut loader =
        DatasetLoader { publication, landing, contract, waiting: Vec::new(), rows: 0, reports: Vec::new() };
    for due in due {
        loader.take(due, codes.clone()).await?;
    }
    loader.flush().await?;
    Ok(loader.reports)
}

/// Loads batches of one dataset: small ones contend together, a large one in segments of its own.
struct DatasetLoader<'l, 'w> {
    publication: &'l mut Publication<'w>,
    landing: &'l Landing,
    contract: &'l Arc<Contract>,
    /// Batches that are checked and have not contended yet.
    waiting: Vec<Loading>,
    rows: usize,
    reports: Vec<BatchReport>,
}

impl DatasetLoader<'_, '_> {
    /// Decodes and checks one delivery, and loads it or lets it wait.
    async fn take(&mut self, due: Due, codes: KnownCodes) -> Result<()> {
        let snapshot = due.feed.mode == Mode::Snapshot;
        let mut parts = parts(self.landing, self.contract, &due, codes)?;
        let mut loading = Loading::new(due);
        let mut before: Option<Savepoint> = None;
        while let Some(part) = parts.recv().await {
            match part? {
                Part::Refused(reason) => loading.refuse(reason),
                Part::Checked(checked) => loading.add(checked),
            }
            if loading.rows() >= SEGMENT_ROWS {
                if before.is_none() {
                    self.flush().await?;
                    before = Some(self.publication.savepoint());
                }
                self.contend(&mut loading).await?;
            }
        }
        if snapshot && loading.is_without_rows() {
            loading.refuse(("快照文件没有任何数据行，整批暂存".into(), "a snapshot without rows is held whole".into()));
        }
        loading.judge();
        match before {
            None if loading.is_held() => {
                self.flush().await?;
                self.settle(&loading)
            }
            None if snapshot => {
                self.flush().await?;
                let before = self.publication.savepoint();
                self.finish(loading, before).await
            }
            None => {
                self.rows += loading.rows();
                self.waiting.push(loading);
                if self.rows >= SEGMENT_ROWS { self.flush().await } else { Ok(()) }
            }
            Some(before) => self.finish(loading, before).await,
        }
    }

    /// Contends what is left of a batch that stands alone, and holds it whole if it must be.
    async fn finish(&mut self, mut loading: Loading, before: Savepoint) -> Result<()> {
        if !loading.is_held() {
            self.contend(&mut loading).await?;
            self.end_absent(&mut loading).await?;
            loading.judge();
        }
        if loading.is_held() {
            self.publication.restore(before);
        }
        self.settle(&loading)
    }

    /// Lets the waiting batches contend together; a batch that turns out to be held is taken out
    /// and the others contend again.
    async fn flush(&mut self) -> Result<()> {
        let mut waiting = std::mem::take(&mut self.waiting);
        self.rows = 0;
        while !waiting.is_empty() {
            let before = self.publication.savepoint();
            let arrivals: Vec<Arrival> =
                waiting.iter().map(|loading| loading.arrival(self.contract)).collect::<Result<_>>()?;
            let upserted = self.publication.upsert(self.contract, &arrivals).await?;
            let mut again = false;
            for (loading, outcomes) in waiting.iter_mut().zip(per_arrival(&upserted)) {
                loading.weigh(&outcomes);
                again |= loading.is_held();
            }
            if again {
                self.publication.restore(before);
                let (held, rest): (Vec<_>, Vec<_>) = waiting.into_iter().partition(Loading::is_held);
                for loading in held {
                    self.settle(&loading)?;
                }
                waiting = rest;
                continue;
            }
            let (mut arrivals, mut outcomes) = (arrivals.into_iter(), per_arrival(&upserted).into_iter());
            for mut loading in waiting {
                if let (Some(arrival), Some(outcomes)) = (arrivals.next(), outcomes.next()) {
                    loading.settle_rows(self.contract, &arrival, outcomes)?;
                }
                self.settle(&loading)?;
            }
            return Ok(());
        }
        Ok(())
    }

    /// Lets the rows gathered so far of one batch contend.
    async fn contend(&mut self, loading: &mut Loading) -> Result<()> {
        let arrival = loading.arrival(self.contract)?;
        let upserted = self.publication.upsert(self.contract, std::slice::from_ref(&arrival)).await?;
        loading.outlive(upserted.outlived_in_batch);
        for outcomes in per_arrival(&upserted) {
            loading.settle_rows(self.contract, &arrival, outcomes)?;
        }
        Ok(())
    }

    async fn end_absent(&mut self, loading: &mut Loading) -> Result<()> {
        if loading.due.feed.mode != Mode::Snapshot {
            return Ok(());
        }
        let (delivery, feed) = (&loading.due.delivery, &loading.due.feed);
        let snapshot = Snapshot {
            reporter: &feed.reporter,
            feed_id: &feed.feed_id,
            batch_id: &delivery.batch_id,
            landed_at: delivery.landed_at,
            day: day_of(delivery.slot_at.unwrap_or(delivery.landed_at)),
            present: loading.present(),
        };
        let absence = self.publication.end_absent(self.contract, &snapshot).await?;
        let limit = feed.policy.max_removed;
        if limit.is_exceeded_by(absence.ended, absence.of) {
            loading.refuse((
                format!(
                    "快照将终止本报送单位 {} 条在册记录中的 {} 条，超过上限 {limit}，整批暂存待人工确认",
                    absence.of, absence.ended
                ),
                format!(
                    "the snapshot would end {} of the reporter's {} standing rows, over its limit of {limit}",
                    absence.ended, absence.of
                ),
            ));
        }
        Ok(())
    }

    /// Writes a batch into the books of the release.
    fn settle(&mut self, loading: &Loading) -> Result<()> {
        let report = loading.report()?;
        let release = self.publication.release_number();
        let quarantine = record::quarantine(self.landing, loading)?;
        self.publication.append_system("quarantine", quarantine);
        self.publication.append_system("finding", record::findings(loading, release));
        self.publication.append_system("batch", vec![record::batch(&loading.due, &report)]);
        self.publication.note_batch(&report.delivery.batch_id);
        self.reports.push(report);
        Ok(())
    }
}

/// Outcomes and remarks of each arrival.
type Outcomes<'u> = (&'u [anze_warehouse::publication::Outcome], Vec<(usize, &'static str)>);

fn per_arrival(upserted: &Upserted) -> Vec<Outcomes<'_>> {
    let mut all: Vec<Outcomes<'_>> =
        upserted.outcomes.iter().map(|outcomes| (outcomes.as_slice(), Vec::new())).collect();
    for warning in &upserted.warnings {
        if let Some((_, warnings)) = all.get_mut(warning.arrival) {
            warnings.push((warning.row, warning.rule));
        }
    }
    all
}

/// Decodes and checks a landed file on a thread of its own, a few parts ahead.
fn parts(
    landing: &Landing,
    contract: &Arc<Contract>,
    due: &Due,
    codes: KnownCodes,
) -> Result<tokio::sync::mpsc::Receiver<Result<Part>>> {
    let file = landing.open(&due.delivery.landed_path)?;
    let feed = Arc::clone(&due.feed);
    let origin = Origin {
        batch_id: due.delivery.batch_id.clone(),
        feed_id: feed.feed_id.clone(),
        reporter: feed.reporter.clone(),
        landed_at: due.delivery.landed_at,
    };
    let checker = Checker::new(contract, codes, feed.policy.deleted_when.as_deref(), origin)?;
    let (send, receive) = tokio::sync::mpsc::channel(4);
    tokio::task::spawn_blocking(move || {
        for part in Parts::open(file, &feed, checker) {
            if send.blocking_send(part).is_err() {
                return;
            }
        }
    });
    Ok(receive)
}

/// The checked parts of a file; a file that cannot be read gives one refusal.
struct Parts<R> {
    decoder: Option<Decoder<R>>,
    checker: Checker,
    refused: Option<Result<Part>>,
}

impl<R: Read + Seek + Send> Parts<R> {
    fn open(file: R, feed: &Feed, checker: Checker) -> Self {
        let (decoder, refused) = match Decoder::open(file, &feed.format, &feed.mapping, checker.source_columns()) {
            Ok(decoder) => {
                let unknown = decoder.unknown_columns();
                if feed.policy.unknown_columns == UnknownColumns::Refuse && !unknown.is_empty() {
                    let list = unknown.join(", ");
                    let reason = (format!("文件含有未知列：{list}"), format!("the file has unknown columns: {list}"));
                    (None, Some(Ok(Part::Refused(reason))))
                } else {
                    (Some(decoder), None)
                }
            }
            Err(error) => (None, Some(refusal(error))),
        };
        Self { decoder, checker, refused }
    }
}

impl<R: Read + Seek + Send> Iterator for Parts<R> {
    type Item = Result<Part>;

    fn next(&mut self) -> Option<Self::Item> {
        if let Some(refused) = self.refused.take() {
            return Some(refused);
        }
        match self.decoder.as_mut()?.next()? {
            Ok(chunk) => Some(self.checker.check(chunk).map(Part::Checked)),
            Err(error) => {
                self.decoder = None;
                Some(refusal(error))
            }
        }
    }
}

fn refusal(error: DecodeError) -> Result<Part> {
    match error {
        DecodeError::Refused(refused) => Ok(Part::Refused((refused.message.zh, refused.message.en))),
        other => Err(Error::caused(ErrorKind::Warehouse, "a landed file could not be read", other)),
    }
}
