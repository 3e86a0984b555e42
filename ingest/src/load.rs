//! Loading: landed deliveries become checked rows in a publication, every row accounted for.
//!
//! Batches of one dataset are decoded and checked one after the other and contend together, in
//! their order of arrival. A batch over its feed's limits is held whole: nothing of it stays.

mod again;
mod batch;
mod cursor;
mod parts;
mod raw;
mod record;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use anze_warehouse::contract::Contract;
use anze_warehouse::publication::{Arrival, DatasetChange, Publication, Savepoint, Snapshot, Upserted};
use anze_warehouse::session::Limits;
use tokio::sync::Semaphore;

pub(crate) use again::{Again, Wanted, load_again};
pub use batch::BatchState;
use batch::Loading;
use parts::{Part, Parts};

use crate::check::KnownCodes;
use crate::error::{Error, ErrorKind, Result};
use crate::feed::{Feed, Mode};
use crate::landing::{Delivery, Landing};
use crate::schedule::day_of;

/// Rows that contend in memory at once, and about how many bytes they may take.
const SEGMENT_ROWS: usize = 512 * 1024;
const SEGMENT_BYTES: usize = 160 << 20;
/// Held records or remarks of one batch that wait in memory to be written into the books.
const BOOKED_AT_ONCE: usize = 64 * 1024;

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
    for side_by_side in by_rank(due) {
        let known = match &codes {
            Some(known) => known.clone(),
            None => {
                let known = KnownCodes::read(&publication.session(&Limits::default()).await?).await?;
                codes.insert(known).clone()
            }
        };
        let changes_codes = side_by_side.iter().any(|(contract, _)| is_code_list(contract));
        reports.extend(datasets(publication, landing, side_by_side, &known).await?);
        if changes_codes {
            codes = None;
        }
    }
    Ok(reports)
}

/// A dataset with its deliveries.
type OfDataset = (Arc<Contract>, Vec<Due>);

/// Deliveries by dataset: references before units before facts, and code lists before what names
/// them. Datasets of one rank do not look at one another and load side by side.
fn by_rank(due: Vec<Due>) -> Vec<Vec<OfDataset>> {
    let mut ranks: BTreeMap<_, BTreeMap<String, OfDataset>> = BTreeMap::new();
    for due in due {
        let contract = Arc::clone(&due.feed.contract);
        let names_codes = contract.columns.iter().any(|column| column.known.is_some());
        let rank = (contract.stage, names_codes, !is_code_list(&contract));
        let datasets = ranks.entry(rank).or_default();
        datasets.entry(contract.name.clone()).or_insert_with(|| (contract, Vec::new())).1.push(due);
    }
    ranks.into_values().map(|datasets| datasets.into_values().collect()).collect()
}

fn is_code_list(contract: &Contract) -> bool {
    crate::quarantine::is_code_list(&contract.name)
}

/// Loads datasets side by side, as many at once as there are cores, and takes them back in order.
async fn datasets(
    publication: &mut Publication<'_>,
    landing: &Landing,
    datasets: Vec<OfDataset>,
    codes: &KnownCodes,
) -> Result<Vec<BatchReport>> {
    let cores = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
    let core = Arc::new(Semaphore::new(cores));
    let mut changes = Vec::with_capacity(datasets.len());
    for (place, (contract, due)) in datasets.into_iter().enumerate() {
        changes.push((place, publication.change(&contract).await?, due));
    }
    // The longest first, so that the others fit beside it.
    let size = |due: &[Due]| due.iter().map(|due| due.delivery.bytes).sum::<u64>();
    changes.sort_by_key(|(_, _, due)| std::cmp::Reverse(size(due)));
    let mut loading = Vec::with_capacity(changes.len());
    for (place, change, due) in changes {
        let (core, landing, codes) = (Arc::clone(&core), landing.clone(), codes.clone());
        let task = tokio::spawn(async move {
            // Nobody closes it; without a permit it would only be one more side by side.
            let _core = core.acquire().await.ok();
            dataset(change, landing, due, codes).await
        });
        // Dropped with the others where one fails, so that nothing goes on behind its back.
        loading.push((place, AbortOnDropHandle(task)));
    }
    loading.sort_by_key(|(place, _)| *place);
    let mut reports = Vec::new();
    for (_, task) in loading {
        let (change, of_dataset) = task
            .await
            .map_err(|error| Error::caused(ErrorKind::Warehouse, "loading a dataset was interrupted", error))??;
        publication.accept(change);
        reports.extend(of_dataset);
    }
    Ok(reports)
}

/// A task that ends when nobody waits for it any more.
struct AbortOnDropHandle<T>(tokio::task::JoinHandle<T>);

impl<T> Future for AbortOnDropHandle<T> {
    type Output = std::result::Result<T, tokio::task::JoinError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0).poll(context)
    }
}

impl<T> Drop for AbortOnDropHandle<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn dataset(
    change: DatasetChange,
    landing: Landing,
    due: Vec<Due>,
    codes: KnownCodes,
) -> Result<(DatasetChange, Vec<BatchReport>)> {
    let contract = Arc::clone(change.contract());
    let mut loader =
        DatasetLoader { change, landing, contract, waiting: Vec::new(), rows: 0, bytes: 0, reports: Vec::new() };
    let mut ahead: Option<Opened> = None;
    for due in due {
        // One delivery is decoded ahead of the one that is loaded.
        let next = loader.open(due, codes.clone())?;
        if let Some(opened) = ahead.replace(next) {
            loader.take(opened).await?;
        }
    }
    if let Some(opened) = ahead {
        loader.take(opened).await?;
    }
    loader.flush().await?;
    Ok((loader.change, loader.reports))
}

/// Loads batches of one dataset: small ones contend together, a large one in segments of its own.
struct DatasetLoader {
    change: DatasetChange,
    landing: Landing,
    contract: Arc<Contract>,
    /// Batches that are checked and have not contended yet.
    waiting: Vec<Loading>,
    rows: usize,
    bytes: usize,
    reports: Vec<BatchReport>,
}

/// A delivery that is being decoded and checked.
struct Opened {
    due: Due,
    parts: Parts,
}

impl DatasetLoader {
    /// Begins to decode and check a delivery.
    fn open(&self, due: Due, codes: KnownCodes) -> Result<Opened> {
        let parts = Parts::of(&self.landing, &self.contract, &due, codes)?;
        Ok(Opened { due, parts })
    }

    /// Loads one delivery or lets it wait.
    async fn take(&mut self, opened: Opened) -> Result<()> {
        let Opened { due, mut parts } = opened;
        let snapshot = due.feed.mode == Mode::Snapshot;
        let mut loading = Loading::new(due);
        let mut before: Option<Savepoint> = None;
        while let Some(part) = parts.next().await {
            match part? {
                Part::Refused(reason) => loading.refuse(reason),
                Part::Checked(checked) => loading.add(*checked)?,
            }
            self.book(&mut loading).await?;
            if loading.rows() >= SEGMENT_ROWS || loading.bytes() >= SEGMENT_BYTES {
                if before.is_none() {
                    self.flush().await?;
                    before = Some(self.change.savepoint());
                }
                let arrival = loading.take_arrival(&self.contract)?;
                let upserted = self.change.upsert_part(&arrival).await?;
                self.settle_part(&mut loading, &arrival, &upserted).await?;
            }
        }
        if snapshot && loading.is_without_rows() {
            loading.refuse(("快照文件没有任何数据行，整批暂存".into(), "a snapshot without rows is held whole".into()));
        }
        loading.judge();
        match before {
            None if loading.is_held() => {
                self.flush().await?;
                self.settle(loading).await
            }
            None if snapshot => {
                self.flush().await?;
                let before = self.change.savepoint();
                self.finish(loading, before).await
            }
            None => {
                self.rows += loading.rows();
                self.bytes += loading.bytes();
                self.waiting.push(loading);
                if self.rows >= SEGMENT_ROWS || self.bytes >= SEGMENT_BYTES { self.flush().await } else { Ok(()) }
            }
            Some(before) => self.finish(loading, before).await,
        }
    }

    /// Contends what is left of a batch that stands alone, and holds it whole if it must be.
    async fn finish(&mut self, mut loading: Loading, before: Savepoint) -> Result<()> {
        if !loading.is_held() {
            let arrival = loading.take_arrival(&self.contract)?;
            let upserted = self.change.upsert(std::slice::from_ref(&arrival)).await?;
            self.settle_part(&mut loading, &arrival, &upserted).await?;
            self.end_absent(&mut loading).await?;
            loading.judge();
        }
        if loading.is_held() {
            self.change.restore(before);
        }
        self.settle(loading).await
    }

    /// Lets the waiting batches contend together; a batch that turns out to be held is taken out
    /// and the others contend again.
    async fn flush(&mut self) -> Result<()> {
        let mut waiting = std::mem::take(&mut self.waiting);
        (self.rows, self.bytes) = (0, 0);
        while !waiting.is_empty() {
            let before = self.change.savepoint();
            let arrivals: Vec<Arrival> =
                waiting.iter().map(|loading| loading.arrival(&self.contract)).collect::<Result<_>>()?;
            let upserted = self.change.upsert(&arrivals).await?;
            let mut again = false;
            for (loading, outcomes) in waiting.iter_mut().zip(per_arrival(&upserted)) {
                loading.weigh(&outcomes);
                again |= loading.is_held();
            }
            if again {
                self.change.restore(before);
                let (held, rest): (Vec<_>, Vec<_>) = waiting.into_iter().partition(Loading::is_held);
                for loading in held {
                    self.settle(loading).await?;
                }
                waiting = rest;
                continue;
            }
            let (mut arrivals, mut outcomes) = (arrivals.into_iter(), per_arrival(&upserted).into_iter());
            for mut loading in waiting {
                if let (Some(arrival), Some(outcomes)) = (arrivals.next(), outcomes.next()) {
                    loading.settle_rows(&self.contract, &arrival, outcomes)?;
                }
                self.settle(loading).await?;
            }
            return Ok(());
        }
        Ok(())
    }

    /// Takes down what became of a part of a large batch.
    async fn settle_part(&mut self, loading: &mut Loading, arrival: &Arrival, upserted: &Upserted) -> Result<()> {
        loading.outlive(upserted.outlived_in_batch);
        for outcomes in per_arrival(upserted) {
            loading.settle_rows(&self.contract, arrival, outcomes)?;
        }
        self.book(loading).await
    }

    /// Writes what a large batch has for the books, so that it does not fill the memory.
    async fn book(&mut self, loading: &mut Loading) -> Result<()> {
        if loading.findings.len() >= BOOKED_AT_ONCE {
            let findings = record::findings(loading, self.change.release_number())?;
            loading.findings.clear();
            loading.findings_written.push(self.change.write_aside("finding", vec![findings]).await?);
        }
        if loading.held.len() >= BOOKED_AT_ONCE && raw::stand_in_file(&self.landing, &loading.due)? {
            let held = loading.take_standing();
            let held = record::held(&self.landing, &loading.due, &held)?;
            self.change.note_rows("quarantine", held).await?;
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
        let absence = self.change.end_absent(&snapshot).await?;
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
    async fn settle(&mut self, mut loading: Loading) -> Result<()> {
        let report = loading.report()?;
        let release = self.change.release_number();
        self.change.note_rows("quarantine", record::quarantine(&self.landing, &loading)?).await?;
        // Of a batch held whole no row is there to be remarked on.
        if !loading.is_held() {
            self.change.note_rows("finding", record::findings(&loading, release)?).await?;
            std::mem::take(&mut loading.findings_written).into_iter().for_each(|written| self.change.keep(written));
        }
        self.change.append_system("batch", vec![record::batch(&loading.due, &report)]);
        self.change.note_batch(&report.delivery.batch_id);
        if let Some(cursor) = loading.cursor.as_ref().filter(|_| !loading.is_held()) {
            cursor.keep(&report.delivery.feed_id, &mut self.change);
        }
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
