//! Replay: held records are read again from their landed file, and the good ones loaded as if they
//! had been good when they landed.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use anze_warehouse::contract::{Contract, Stage};
use anze_warehouse::live::LiveRow;
use anze_warehouse::publication::{DatasetChange, Publication};
use anze_warehouse::session::Limits;
use chrono::{DateTime, Utc};
use serde_json::json;

use super::book::{BookedBatch, ids, same_reasons, settle_held, text};
use super::held::{self, BATCH_HELD, HeldByBatch, HeldRow};
use super::released::Released;
use super::report::{BatchChange, ReplayReport, Tally};
use super::{Decision, FeedBook};
use crate::check::KnownCodes;
use crate::error::Result;
use crate::feed::{Feed, Mode};
use crate::landing::Landing;
use crate::load::{Again, Due, Wanted};

/// Whether a batch held whole must keep its feed's limits to be loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FeedLimits {
    /// It must.
    Kept,
    /// A person has looked at it.
    Lifted,
}

/// A replay under way, in a publication.
pub(crate) struct Replay<'r, 'w> {
    pub(crate) publication: &'r mut Publication<'w>,
    pub(crate) landing: &'r Landing,
    pub(crate) feeds: &'r FeedBook,
    pub(crate) decision: &'r Decision,
    pub(crate) limits: FeedLimits,
}

/// What a replay did to the publication.
#[derive(Debug, Default)]
pub(crate) struct Settlement {
    /// Whether there is anything to publish.
    pub(crate) changed: bool,
    pub(super) tally: Tally,
    pub(super) batches: Vec<BatchChange>,
}

impl Settlement {
    /// Whether rows of code lists became current, so that others may have waited for them.
    pub(crate) fn brings_codes(&self) -> bool {
        self.batches.iter().any(|batch| super::arrived::is_code_list(&batch.dataset) && batch.accepted > 0)
    }

    /// Takes in what followed from it.
    pub(crate) fn absorb(&mut self, other: Self) {
        self.changed |= other.changed;
        self.tally.absorb(other.tally);
        self.batches.extend(other.batches);
    }

    /// For people and programs.
    pub(crate) fn report(self) -> ReplayReport {
        let rows = self.tally.rows();
        let held = rows.iter().any(|row| row.after > 0) || self.batches.iter().any(|batch| batch.state == "held");
        ReplayReport { preview: false, release: None, rows, batches: self.batches, held }
    }
}

/// What is read again of one dataset.
struct OfDataset {
    contract: Arc<Contract>,
    batches: Vec<(BookedBatch, Arc<Feed>)>,
}

/// Held records of a published batch, read again.
struct ReadAgain {
    batch: BookedBatch,
    rows: Vec<LiveRow>,
    again: Again,
}

impl Replay<'_, '_> {
    /// Replays what is held; what is still bad stays held with the reason of today.
    ///
    /// # Errors
    /// Warehouse: the publication must not be published.
    pub(crate) async fn run(mut self, held: HeldByBatch) -> Result<Settlement> {
        let mut settlement = Settlement::default();
        let session = self.publication.session(&Limits::default()).await?;
        let mut snapshots = held::newest_snapshots(&session).await?;
        let datasets = self.datasets(&held, &mut settlement).await?;
        for OfDataset { contract, batches } in datasets.into_values() {
            let codes = KnownCodes::read(&self.publication.session(&Limits::default()).await?).await?;
            let (whole, single): (Vec<_>, Vec<_>) = batches.into_iter().partition(|(batch, _)| batch.state() == "held");
            for (batch, feed) in whole {
                let (mode, landed_at) = (feed.mode, batch.delivery.landed_at);
                let outdated = is_outdated(&snapshots, &feed, landed_at);
                let feed_id = feed.feed_id.clone();
                let change =
                    Released::new(&mut self, codes.clone()).run(batch, feed, outdated, &mut settlement).await?;
                if mode == Mode::Snapshot && change.state == "published" {
                    let newest = snapshots.entry(feed_id).or_insert(landed_at);
                    *newest = landed_at.max(*newest);
                }
                settlement.batches.push(change);
            }
            if !single.is_empty() {
                self.single(&contract, single, &held, &snapshots, codes, &mut settlement).await?;
            }
        }
        Ok(settlement)
    }

    /// The batches by dataset, code lists before what names them, each in order of arrival.
    async fn datasets(
        &mut self,
        held: &HeldByBatch,
        settlement: &mut Settlement,
    ) -> Result<BTreeMap<(Stage, bool, String), OfDataset>> {
        let wanted: HashSet<String> = held.keys().cloned().collect();
        let mut datasets: BTreeMap<_, OfDataset> = BTreeMap::new();
        for row in self.publication.take_system("batch", "batch_id", &wanted).await? {
            let batch = BookedBatch::of(row)?;
            let feed = self.feeds.get(&batch.delivery.feed_id).filter(|feed| feed.contract.name == batch.dataset());
            let Some(feed) = feed else {
                let rows = held.get(&batch.delivery.batch_id).map(Vec::as_slice).unwrap_or_default();
                settlement.leave(&batch, rows.iter().map(|row| row.rule.as_str()), NO_FEED);
                self.publication.append_system("batch", vec![batch.row]);
                continue;
            };
            let contract = Arc::clone(&feed.contract);
            let names_codes = contract.columns.iter().any(|column| column.known.is_some());
            let key = (contract.stage, names_codes, contract.name.clone());
            let of = datasets.entry(key).or_insert_with(|| OfDataset { contract, batches: Vec::new() });
            of.batches.push((batch, feed));
        }
        for of in datasets.values_mut() {
            of.batches.sort_by(|(a, _), (b, _)| {
                let (a, b) = (&a.delivery, &b.delivery);
                (a.landed_at, &a.feed_id, &a.object).cmp(&(b.landed_at, &b.feed_id, &b.object))
            });
        }
        Ok(datasets)
    }

    /// Replays single records of published batches of one dataset.
    async fn single(
        &mut self,
        contract: &Arc<Contract>,
        batches: Vec<(BookedBatch, Arc<Feed>)>,
        held: &HeldByBatch,
        snapshots: &HashMap<String, DateTime<Utc>>,
        codes: KnownCodes,
        settlement: &mut Settlement,
    ) -> Result<()> {
        let of_batch = |batch: &BookedBatch| held.get(&batch.delivery.batch_id).map(Vec::as_slice).unwrap_or_default();
        let wanted =
            ids(batches.iter().flat_map(|(batch, _)| of_batch(batch)).map(|row: &HeldRow| row.quarantine_id.as_str()));
        let mut rows: HashMap<String, Vec<LiveRow>> = HashMap::new();
        for row in self.publication.take_system("quarantine", "quarantine_id", &wanted).await? {
            rows.entry(text(&row, "batch_id").to_owned()).or_default().push(row);
        }
        let mut change = self.publication.change(contract).await?;
        let mut contending = Vec::new();
        for (batch, feed) in batches {
            let rows = rows.remove(&batch.delivery.batch_id).unwrap_or_default();
            let numbers = of_batch(&batch).iter().filter_map(|row| row.row_no).collect();
            let outdated = is_outdated(snapshots, &feed, batch.delivery.landed_at);
            let due = Due { delivery: batch.delivery.clone(), feed, on_time: batch.on_time() };
            let mut again = Again::read(self.landing, due, &Wanted::Rows(numbers), codes.clone()).await?;
            if let Some((zh, en)) = obstacle(&batch, &again) {
                settlement.leave(&batch, rows.iter().map(|row| text(row, "rule")), (zh.as_str(), en.as_str()));
                self.publication.append_system("quarantine", rows);
                self.publication.append_system("batch", vec![batch.row]);
            } else if outdated {
                again.supersede(&mut change).await?;
                self.settle(&mut change, ReadAgain { batch, rows, again }, settlement)?;
            } else {
                contending.push(ReadAgain { batch, rows, again });
            }
        }
        let mut contenders: Vec<&mut Again> = contending.iter_mut().map(|read| &mut read.again).collect();
        if !contenders.is_empty() {
            Again::contend(&mut change, &mut contenders).await?;
        }
        for read in contending {
            self.settle(&mut change, read, settlement)?;
        }
        self.publication.accept(change);
        Ok(())
    }

    /// Writes what became of single records into the books.
    fn settle(&mut self, change: &mut DatasetChange, read: ReadAgain, settlement: &mut Settlement) -> Result<()> {
        let ReadAgain { mut batch, rows, again } = read;
        let release = self.publication.release_number();
        let settled = again.settled(self.landing, release)?;
        let mut still: HashMap<String, LiveRow> =
            settled.held.into_iter().map(|row| (text(&row, "quarantine_id").to_owned(), row)).collect();
        let feed_id = batch.delivery.feed_id.clone();
        let mut back = Vec::with_capacity(rows.len());
        for mut row in rows {
            settlement.tally.before(&feed_id, text(&row, "rule"), 1);
            match still.remove(text(&row, "quarantine_id")) {
                Some(today) => {
                    settlement.tally.after(&feed_id, text(&today, "rule"), 1);
                    let same = same_reasons(&row, &today);
                    settlement.changed |= !same;
                    back.push(if same { row } else { today });
                }
                None => {
                    settlement.changed = true;
                    settle_held(&mut row, "replayed", self.decision);
                    row.insert("replayed_in".to_owned(), json!(release));
                    back.push(row);
                }
            }
        }
        batch.settle(&settled.report, settled.outlived)?;
        settlement.batches.push(BatchChange {
            batch_id: batch.delivery.batch_id.clone(),
            feed_id,
            dataset: batch.dataset().to_owned(),
            state_before: "published".to_owned(),
            state: "published".to_owned(),
            accepted: settled.report.accepted,
            superseded: settled.report.superseded,
            unchanged: settled.report.unchanged,
            quarantined: batch.count("rows_quarantined"),
            reason: None,
        });
        change.append_system_batch("finding", settled.findings);
        self.publication.append_system("quarantine", back);
        self.publication.append_system("batch", vec![batch.row]);
        Ok(())
    }
}

impl Settlement {
    /// Leaves what is held of a batch as it is, and says why.
    pub(super) fn leave<'r>(
        &mut self,
        batch: &BookedBatch,
        rules: impl Iterator<Item = &'r str>,
        (zh, en): (&str, &str),
    ) {
        let feed_id = &batch.delivery.feed_id;
        for rule in rules {
            // Of a batch held whole its sound records count, which are not listed one by one.
            if rule != BATCH_HELD {
                self.tally.before(feed_id, rule, 1);
                self.tally.after(feed_id, rule, 1);
            }
        }
        self.batches.push(BatchChange {
            batch_id: batch.delivery.batch_id.clone(),
            feed_id: feed_id.clone(),
            dataset: batch.dataset().to_owned(),
            state_before: batch.state().to_owned(),
            state: batch.state().to_owned(),
            accepted: 0,
            superseded: 0,
            unchanged: 0,
            quarantined: batch.count("rows_quarantined"),
            reason: Some(format!("{zh} / {en}")),
        });
    }
}

const NO_FEED: (&str, &str) = (
    "该批次的报送源已不再配置（或已改为其他数据集），无法重放",
    "its feed is no longer configured, or delivers another dataset now; put the feed back, or discard",
);

/// Whether a newer snapshot of the feed stands: what this batch says was true before it.
fn is_outdated(snapshots: &HashMap<String, DateTime<Utc>>, feed: &Feed, landed_at: DateTime<Utc>) -> bool {
    feed.mode == Mode::Snapshot && snapshots.get(&feed.feed_id).is_some_and(|newest| *newest > landed_at)
}

/// Why records cannot be told by their numbers any more.
fn obstacle(batch: &BookedBatch, again: &Again) -> Option<(String, String)> {
    if let Some((zh, en)) = again.refused() {
        return Some((zh.clone(), en.clone()));
    }
    let (then, now) = (batch.count("rows_read"), again.records());
    (then != now).then(|| {
        (
            format!("按当前格式该文件有 {now} 条记录，到达时为 {then} 条，行号已不对应，无法逐行重放"),
            format!(
                "read by the format of today the file has {now} records and had {then} when it landed: \
                 row numbers do not mean the same any more; change the format back"
            ),
        )
    })
}
