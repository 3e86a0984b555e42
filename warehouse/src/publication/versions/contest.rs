//! The contest between versions of a key, in order of arrival.

use std::collections::HashSet;
use std::sync::Arc;

use datafusion::arrow::array::{Array, RecordBatch, StringArray, UInt32Array};
use datafusion::arrow::compute::take_record_batch;
use datafusion::arrow::row::{RowConverter, SortField};

use super::{Existing, Incoming, Places, history_rows, receipt, text};
use crate::contract::Contract;
use crate::error::Result;
use crate::lineage;
use crate::publication::arrivals::{Arrival, Keys, Outcome, RowWarning, Upserted};
use crate::publication::files::Picked;
use crate::reference;

/// The version of a key that stands at some point of the contest.
#[derive(Clone)]
enum Standing {
    Nothing,
    Stored(u32),
    Arrived(u32),
    Deleted,
}

/// State of one key during the contest.
#[derive(Clone)]
struct Key {
    standing: Standing,
    clock: i64,
    owner: Option<Arc<str>>,
}

/// Names of reporters, kept once for the many rows that repeat them.
#[derive(Default)]
struct Names {
    known: HashSet<Arc<str>>,
    last: Option<Arc<str>>,
}

impl Names {
    fn of(&mut self, name: &str) -> Arc<str> {
        if let Some(last) = self.last.as_ref().filter(|last| last.as_ref() == name) {
            return Arc::clone(last);
        }
        let kept = match self.known.get(name) {
            Some(kept) => Arc::clone(kept),
            None => Arc::from(name),
        };
        self.known.insert(Arc::clone(&kept));
        self.last = Some(Arc::clone(&kept));
        kept
    }
}

/// The result of the contest.
pub(super) struct Contest {
    outcome: Vec<Outcome>,
    warnings: Vec<RowWarning>,
    /// Arrived rows that are current at the end, in order of arrival, with their key's owner.
    winners: Vec<(u32, Arc<str>)>,
    /// Stored rows that were replaced, with the arrived row that replaced them.
    replaced: Vec<(u32, u32)>,
    /// Those of them that an earlier part of the same batch had stored.
    of_same_batch: HashSet<u32>,
    /// Arrived rows that stood for a while, with the arrived row of a later batch that replaced them.
    outlived: Vec<(u32, u32)>,
    /// Arrived rows that never stood, or only within their own batch.
    superseded: Vec<u32>,
    /// Arrived rows that delete their key.
    deletions: Vec<(u32, Arc<str>)>,
}

impl Contest {
    pub(super) fn run(
        contract: &Contract,
        arrivals: &[Arrival],
        incoming: &Incoming,
        existing: &Existing,
    ) -> Result<Self> {
        let reporter = text(&incoming.rows, lineage::REPORTER)?;
        let owners = text(&existing.rows, lineage::KEY_REPORTER)?;
        let stored_batch = text(&existing.rows, lineage::BATCH_ID)?;
        let arriving_batch = text(&incoming.rows, lineage::BATCH_ID)?;
        let content = Content::new(contract, incoming, existing)?;
        let mut names = Names::default();
        let mut keys = start(incoming, existing, owners, &mut names);
        let mut contest = Self {
            outcome: vec![Outcome::Accepted; incoming.key.len()],
            warnings: Vec::new(),
            winners: Vec::new(),
            replaced: Vec::new(),
            of_same_batch: HashSet::new(),
            outlived: Vec::new(),
            superseded: Vec::new(),
            deletions: Vec::new(),
        };
        let first_rows = first_rows(arrivals);
        let mut seen = vec![u32::MAX; incoming.keys];
        for row in 0..incoming.key.len() {
            let key_number = incoming.key[row] as usize;
            let arrival = incoming.arrival[row];
            let at = |rule| RowWarning { arrival: arrival as usize, row: row - first_rows[arrival as usize], rule };
            if seen[key_number] == arrival {
                contest.warnings.push(at("duplicate_key"));
            }
            seen[key_number] = arrival;
            let key = &mut keys[key_number];
            let takes_over = &arrivals[arrival as usize].takes_over;
            if let Some(refused) = ownership(key, reporter.value(row), takes_over) {
                if refused == Outcome::Superseded {
                    contest.superseded.push(row as u32);
                }
                contest.outcome[row] = refused;
                continue;
            }
            let comes_again = arrivals[arrival as usize].keys == Keys::AreNew
                && match key.standing {
                    Standing::Nothing => false,
                    Standing::Deleted => true,
                    Standing::Stored(stored) => stored_batch.value(stored as usize) != arriving_batch.value(row),
                    Standing::Arrived(before) => incoming.arrival[before as usize] != arrival,
                };
            let clock = incoming.clock[row];
            let shipped_stands =
                key.owner.as_deref() == Some(reference::REPORTER) && reporter.value(row) != reference::REPORTER;
            if !shipped_stands && clock < key.clock {
                contest.outcome[row] = Outcome::Superseded;
                contest.superseded.push(row as u32);
                if comes_again {
                    contest.warnings.push(at("key_sent_again"));
                }
                continue;
            }
            let deletes = arrivals[arrival as usize]
                .deleted
                .as_ref()
                .is_some_and(|deleted| deleted.value(row - first_rows[arrival as usize]));
            let same = !deletes && content.same(incoming, existing, row, &key.standing);
            if same && content.same_source_clock(incoming, existing, row, &key.standing)? {
                contest.outcome[row] = Outcome::Unchanged;
                continue;
            }
            if clock == key.clock
                && !shipped_stands
                && let Standing::Stored(stored) = key.standing
                && receipt::is_later(existing, stored as usize, incoming, row)?
            {
                contest.outcome[row] = Outcome::Superseded;
                contest.superseded.push(row as u32);
                continue;
            }
            if comes_again {
                contest.warnings.push(at("key_sent_again"));
            }
            if clock == key.clock && !same && !matches!(key.standing, Standing::Nothing) {
                contest.warnings.push(at("equal_clock"));
            }
            if let Standing::Stored(stored) = key.standing
                && stored_batch.value(stored as usize) == arriving_batch.value(row)
            {
                contest.of_same_batch.insert(stored);
                contest.warnings.push(at("duplicate_key"));
            }
            contest.replace(incoming, key, row as u32);
            if key.owner.is_none() || shipped_stands {
                key.owner = Some(names.of(reporter.value(row)));
            }
            key.clock = clock;
            key.standing = if deletes {
                contest.deletions.push((row as u32, key.owner.clone().unwrap_or_default()));
                Standing::Deleted
            } else {
                Standing::Arrived(row as u32)
            };
        }
        for key in keys {
            if let (Standing::Arrived(row), Some(owner)) = (key.standing, key.owner) {
                contest.winners.push((row, owner));
            }
        }
        contest.winners.sort_unstable_by_key(|(row, _)| *row);
        Ok(contest)
    }

    /// Notes what `row` takes the place of.
    fn replace(&mut self, incoming: &Incoming, key: &Key, row: u32) {
        match key.standing {
            Standing::Stored(stored) => self.replaced.push((stored, row)),
            Standing::Arrived(before) if incoming.arrival[before as usize] == incoming.arrival[row as usize] => {
                self.outcome[before as usize] = Outcome::Superseded;
                self.superseded.push(before);
            }
            Standing::Arrived(before) => self.outlived.push((before, row)),
            Standing::Nothing | Standing::Deleted => {}
        }
    }

    pub(super) fn replaces_any(&self) -> bool {
        !self.replaced.is_empty()
    }

    /// The rows that are current at the end, owners filled in.
    pub(super) fn current_rows(&self, rows: &RecordBatch) -> Result<Picked> {
        // The other rows have no owner, and nobody reads them.
        let mut owners = vec![""; rows.num_rows()];
        self.winners.iter().for_each(|(row, owner)| owners[*row as usize] = owner);
        let rows = with_owner(rows.clone(), owners.into_iter().map(Some))?;
        Ok(Picked::of(rows, self.winners.iter().map(|(row, _)| *row).collect()))
    }

    /// Places of replaced rows by file, in order.
    pub(super) fn replaced_places(&self, existing: &Existing) -> Vec<(String, Vec<usize>)> {
        let mut places = Places::new();
        for (stored, _) in &self.replaced {
            let Some(file) = existing.files.get(existing.file[*stored as usize] as usize) else { continue };
            places.entry(file.path.clone()).or_default().push(existing.place[*stored as usize]);
        }
        let mut places: Vec<_> = places.into_iter().collect();
        places.iter_mut().for_each(|(_, rows)| rows.sort_unstable());
        places.sort();
        places
    }

    /// Places of replaced rows in one file.
    pub(super) fn replaced_in(&self, existing: &Existing, file: u32) -> Vec<usize> {
        let stored = self.replaced.iter().map(|(stored, _)| *stored as usize);
        stored.filter(|stored| existing.file[*stored] == file).map(|stored| existing.place[stored]).collect()
    }

    /// The versions for the history: deletions in a batch of their own, so that their file can
    /// be told by its statistics.
    pub(super) fn history(
        &self,
        contract: &Contract,
        rows: &RecordBatch,
        existing: &Existing,
    ) -> Result<Vec<RecordBatch>> {
        let batch_id = text(rows, lineage::BATCH_ID)?;
        let of = |row: u32| Some(batch_id.value(row as usize));
        let split = |pairs: &[(u32, u32)]| -> (Vec<u32>, Vec<Option<&str>>) {
            pairs.iter().map(|(old, new)| (*old, of(*new))).unzip()
        };
        let deleted: HashSet<u32> = self.deletions.iter().map(|(row, _)| *row).collect();
        let (same_batch, others): (Vec<_>, Vec<_>) =
            self.replaced.iter().copied().partition(|(stored, _)| self.of_same_batch.contains(stored));
        let (stored, by) = split(&others);
        let replaced = history_rows(contract, &existing.rows, &stored, "replaced", by)?;
        let (stored, _) = split(&same_batch);
        let within = history_rows(contract, &existing.rows, &stored, "superseded", vec![None; stored.len()])?;
        let outlived: Vec<_> = self.outlived.iter().copied().filter(|(old, _)| !deleted.contains(old)).collect();
        let (arrived, by) = split(&outlived);
        let outlived = history_rows(contract, rows, &arrived, "replaced", by)?;
        let superseded =
            history_rows(contract, rows, &self.superseded, "superseded", vec![None; self.superseded.len()])?;
        let (gone, owners): (Vec<u32>, Vec<&str>) =
            self.deletions.iter().map(|(row, owner)| (*row, owner.as_ref())).unzip();
        let deletions = history_rows(contract, rows, &gone, "deleted", vec![None; gone.len()])?;
        let deletions = with_owner(deletions, owners.into_iter().map(Some))?;
        let schema = replaced.schema();
        let versions =
            datafusion::arrow::compute::concat_batches(&schema, [&replaced, &within, &outlived, &superseded])?;
        Ok(vec![versions, deletions])
    }

    pub(super) fn into_upserted(self, arrivals: &[Arrival]) -> Upserted {
        let mut outcome = self.outcome.into_iter();
        let outcomes = arrivals.iter().map(|arrival| outcome.by_ref().take(arrival.rows.num_rows()).collect());
        let outlived_in_batch = self.of_same_batch.len() as u64;
        Upserted { outcomes: outcomes.collect(), warnings: self.warnings, outlived_in_batch }
    }
}

fn start(incoming: &Incoming, existing: &Existing, owners: &StringArray, names: &mut Names) -> Vec<Key> {
    (0..incoming.keys)
        .map(|key| match (existing.of_key[key], &existing.deleted[key]) {
            (Some(stored), _) => Key {
                standing: Standing::Stored(stored),
                clock: existing.clock[stored as usize],
                owner: owners.is_valid(stored as usize).then(|| names.of(owners.value(stored as usize))),
            },
            (None, Some((clock, owner))) => {
                Key { standing: Standing::Deleted, clock: *clock, owner: Some(names.of(owner)) }
            }
            (None, None) => Key { standing: Standing::Nothing, clock: i64::MIN, owner: None },
        })
        .collect()
}

/// Row number of each arrival's first row.
fn first_rows(arrivals: &[Arrival]) -> Vec<usize> {
    let mut first = 0;
    arrivals
        .iter()
        .map(|arrival| {
            let this = first;
            first += arrival.rows.num_rows();
            this
        })
        .collect()
}

/// Row rule 6: a key belongs to the reporter of its first accepted version.
fn ownership(key: &Key, reporter: &str, takes_over: &[String]) -> Option<Outcome> {
    let owner = key.owner.as_deref()?;
    if owner == reporter || owner == reference::REPORTER || takes_over.iter().any(|allowed| allowed == owner) {
        return None;
    }
    if reporter == reference::REPORTER {
        // What an operator replaced stays replaced when the product ships its rows again.
        return Some(Outcome::Superseded);
    }
    Some(Outcome::KeyOfAnother { owner: owner.to_owned() })
}

fn with_owner<'o>(rows: RecordBatch, owners: impl Iterator<Item = Option<&'o str>>) -> Result<RecordBatch> {
    let schema = rows.schema();
    let position = schema.index_of(lineage::KEY_REPORTER)?;
    let mut columns = rows.columns().to_vec();
    columns[position] = Arc::new(owners.collect::<StringArray>());
    Ok(RecordBatch::try_new(schema, columns)?)
}

/// The content of the versions whose key has more than one, as comparable bytes.
struct Content {
    arrived: Vec<Option<u32>>,
    arrived_rows: Option<datafusion::arrow::row::Rows>,
    stored_rows: Option<datafusion::arrow::row::Rows>,
}

impl Content {
    fn new(contract: &Contract, incoming: &Incoming, existing: &Existing) -> Result<Self> {
        let mut count = vec![0u32; incoming.keys];
        incoming.key.iter().for_each(|key| count[*key as usize] += 1);
        let contested: Vec<u32> = (0..incoming.key.len() as u32)
            .filter(|row| {
                let key = incoming.key[*row as usize] as usize;
                count[key] > 1 || existing.of_key[key].is_some()
            })
            .collect();
        let mut arrived = vec![None; incoming.key.len()];
        contested.iter().enumerate().for_each(|(place, row)| arrived[*row as usize] = Some(place as u32));
        if contested.is_empty() {
            return Ok(Self { arrived, arrived_rows: None, stored_rows: None });
        }
        let columns = contract.columns.len();
        let schema = incoming.rows.schema();
        let fields = schema.fields()[..columns].iter().map(|field| SortField::new(field.data_type().clone()));
        let converter = RowConverter::new(fields.collect())?;
        let taken = take_record_batch(&incoming.rows, &UInt32Array::from(contested))?;
        Ok(Self {
            arrived,
            arrived_rows: Some(converter.convert_columns(&taken.columns()[..columns])?),
            stored_rows: Some(converter.convert_columns(&existing.rows.columns()[..columns])?),
        })
    }

    fn same(&self, _: &Incoming, _: &Existing, row: usize, standing: &Standing) -> bool {
        let (Some(arrived), Some(stored)) = (&self.arrived_rows, &self.stored_rows) else { return false };
        let Some(place) = self.arrived[row] else { return false };
        match standing {
            Standing::Stored(other) => stored.row(*other as usize) == arrived.row(place as usize),
            Standing::Arrived(other) => self.arrived[*other as usize]
                .is_some_and(|other| arrived.row(other as usize) == arrived.row(place as usize)),
            Standing::Nothing | Standing::Deleted => false,
        }
    }

    /// The same clock by the source; two versions without one are of the same clock.
    fn same_source_clock(
        &self,
        incoming: &Incoming,
        existing: &Existing,
        row: usize,
        standing: &Standing,
    ) -> Result<bool> {
        let clock = |rows: &RecordBatch, row: usize| -> Result<Option<i64>> {
            use datafusion::arrow::array::TimestampMicrosecondArray;
            let column = rows
                .column_by_name(lineage::SOURCE_UPDATED_AT)
                .and_then(|column| column.as_any().downcast_ref::<TimestampMicrosecondArray>());
            Ok(column.and_then(|column| column.is_valid(row).then(|| column.value(row))))
        };
        let new = clock(&incoming.rows, row)?;
        Ok(match standing {
            Standing::Stored(other) => clock(&existing.rows, *other as usize)? == new,
            Standing::Arrived(other) => clock(&incoming.rows, *other as usize)? == new,
            Standing::Nothing | Standing::Deleted => false,
        })
    }
}
