//! What was taken before: a delivery is `(feed, object, sha256)`, and the one taken last under its
//! name has no effect again. Known bytes after other bytes are new: A, B, A ends as A.

use std::collections::{HashMap, HashSet};

use anze_warehouse::Release;
use anze_warehouse::session::Limits;
use chrono::{DateTime, Utc};
use datafusion::arrow::array::{Array, AsArray};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Int64Type};

use crate::error::Result;
use crate::landing::Delivery;

/// How the objects of slots are named.
const SLOT: &str = "slot ";

/// The deliveries taken so far.
#[derive(Debug, Default)]
pub(super) struct Taken {
    /// Batches that the release names.
    released: HashSet<String>,
    /// What was taken last, by feed and object.
    of_object: HashMap<(String, String), Last>,
    /// What was taken last, by feed, and by page where a slot was answered in pages.
    of_feed: HashMap<String, HashMap<String, Last>>,
    /// How often a feed gave an object with these bytes.
    occurrences: HashMap<(String, String, String), u64>,
}

/// Bytes and batch that a name stood for last.
#[derive(Debug, Clone)]
struct Last {
    sha256: String,
    batch_id: String,
    slot_at: Option<DateTime<Utc>>,
    landed_at: DateTime<Utc>,
}

/// The batch that brought known bytes, and stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) batch_id: String,
    /// The slot it was landed for.
    pub(super) slot_at: Option<DateTime<Utc>>,
    /// When it landed.
    pub(super) landed_at: DateTime<Utc>,
    /// Whether the source gave the bytes anew, as its answer for a slot.
    pub(super) is_answer: bool,
}

/// Whether a delivery is new.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The batch that brought these bytes stands.
    Seen(Seen),
    /// It is to be landed.
    New {
        /// How often this object came with these bytes before.
        occurrence: u64,
    },
}

impl Taken {
    /// What a release names.
    pub(super) async fn read(release: &Release) -> Result<Self> {
        let mut taken = Self::default();
        let session = release.session(&Limits::default())?;
        let sql = "select batch_id, feed_id, object, sha256, slot_at, landed_at from system.batch \
                   order by landed_at, feed_id, object";
        for batch in session.sql(sql).await?.collect().await? {
            let cast_to = |column: usize, kind| cast(batch.column(column), &kind);
            let texts = (0..4).map(|column| cast_to(column, DataType::Utf8));
            let texts = texts.collect::<std::result::Result<Vec<_>, _>>()?;
            let instants = (4..6).map(|column| cast_to(column, DataType::Int64));
            let instants = instants.collect::<std::result::Result<Vec<_>, _>>()?;
            let text = |column: usize, row: usize| texts[column].as_string::<i32>().value(row).to_owned();
            let instant = |column: usize, row: usize| {
                let micros = instants[column].as_primitive::<Int64Type>();
                micros.is_valid(row).then(|| DateTime::from_timestamp_micros(micros.value(row))).flatten()
            };
            for row in 0..batch.num_rows() {
                let last = Last {
                    sha256: text(3, row),
                    batch_id: text(0, row),
                    slot_at: instant(0, row),
                    landed_at: instant(1, row).unwrap_or_default(),
                };
                taken.released.insert(last.batch_id.clone());
                taken.add(text(1, row), text(2, row), last);
            }
        }
        Ok(taken)
    }

    /// Whether the release names a batch.
    pub(super) fn is_released(&self, batch_id: &str) -> bool {
        self.released.contains(batch_id)
    }

    /// Notes that a release names batches that were taken.
    pub(super) fn release<'b>(&mut self, batches: impl IntoIterator<Item = &'b str>) {
        self.released.extend(batches.into_iter().map(str::to_owned));
    }

    pub(super) fn verdict(&self, feed_id: &str, object: &str, sha256: &str) -> Verdict {
        // A slot is a new name for whatever the source answers now; a path names a file of its own.
        let is_answer = object.starts_with(SLOT);
        let last = match self.of_object.get(&(feed_id.to_owned(), object.to_owned())) {
            None if is_answer => self.of_feed.get(feed_id).and_then(|pages| pages.get(page(object))),
            of_object => of_object,
        };
        match last {
            Some(last) if last.sha256 == sha256 => Verdict::Seen(Seen {
                batch_id: last.batch_id.clone(),
                slot_at: last.slot_at,
                landed_at: last.landed_at,
                is_answer,
            }),
            _ => {
                let key = (feed_id.to_owned(), object.to_owned(), sha256.to_owned());
                Verdict::New { occurrence: self.occurrences.get(&key).copied().unwrap_or(0) }
            }
        }
    }

    /// Notes a delivery that landed.
    pub(super) fn note(&mut self, delivery: &Delivery) {
        let last = Last {
            sha256: delivery.sha256.clone(),
            batch_id: delivery.batch_id.clone(),
            slot_at: delivery.slot_at,
            landed_at: delivery.landed_at,
        };
        self.add(delivery.feed_id.clone(), delivery.object.clone(), last);
    }

    fn add(&mut self, feed_id: String, object: String, last: Last) {
        *self.occurrences.entry((feed_id.clone(), object.clone(), last.sha256.clone())).or_default() += 1;
        let pages = self.of_feed.entry(feed_id.clone()).or_default();
        if page(&object).is_empty() {
            // What is whole stands in the place of all pages before it.
            pages.clear();
        }
        pages.insert(page(&object).to_owned(), last.clone());
        self.of_object.insert((feed_id, object), last);
    }

    /// The bytes and the batch that an object of a feed brought last.
    pub(super) fn last_of(&self, feed_id: &str, object: &str) -> Option<(&str, &str)> {
        let last = self.of_object.get(&(feed_id.to_owned(), object.to_owned()));
        last.map(|last| (last.sha256.as_str(), last.batch_id.as_str()))
    }
}

/// The page in the name `slot <instant> page <number>`; empty for everything that is whole.
fn page(object: &str) -> &str {
    let rest = object.strip_prefix(SLOT).and_then(|slot| slot.split_once(' '));
    rest.map(|(_, page)| page).filter(|page| page.starts_with("page ")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn take(taken: &mut Taken, object: &str, bytes: &str) -> Option<String> {
        match taken.verdict("f", object, bytes) {
            Verdict::Seen(_) => None,
            Verdict::New { occurrence } => {
                let batch_id = format!("{object}-{bytes}-{occurrence}");
                let landed_at = DateTime::UNIX_EPOCH;
                let last = Last { sha256: bytes.into(), batch_id: batch_id.clone(), slot_at: None, landed_at };
                taken.add("f".into(), object.into(), last);
                Some(batch_id)
            }
        }
    }

    #[test]
    fn a_b_a_ends_as_a_and_a_a_is_one_delivery() {
        let mut taken = Taken::default();
        let took: Vec<_> = ["A", "A", "B", "A", "A"].iter().map(|bytes| take(&mut taken, "f.csv", bytes)).collect();
        let is_taken: Vec<bool> = took.iter().map(Option::is_some).collect();
        assert_eq!(is_taken, [true, false, true, true, false]);
        let names: HashSet<_> = took.into_iter().flatten().collect();
        assert_eq!(names.len(), 3, "each has a name of its own");
    }

    #[test]
    fn the_same_bytes_in_the_next_slot_are_no_new_batch_but_after_other_bytes_they_are() {
        let mut taken = Taken::default();
        let took: Vec<bool> = [("slot 1", "A"), ("slot 2", "A"), ("slot 3", "B"), ("slot 4", "A")]
            .iter()
            .map(|(slot, bytes)| take(&mut taken, slot, bytes).is_some())
            .collect();
        assert_eq!(took, [true, false, true, true]);
    }

    #[test]
    fn known_bytes_answer_for_a_slot_where_the_source_gave_them_anew() {
        let mut taken = Taken::default();
        take(&mut taken, "slot 1", "A");
        take(&mut taken, "inbox/f.csv", "A");
        let is_answer = |object| match taken.verdict("f", object, "A") {
            Verdict::Seen(seen) => Some(seen.is_answer),
            Verdict::New { .. } => None,
        };
        assert_eq!(is_answer("slot 2"), Some(true));
        assert_eq!(is_answer("inbox/f.csv"), Some(false), "an old file is not");
    }

    #[test]
    fn each_page_is_compared_with_the_same_page_before_it() {
        let mut taken = Taken::default();
        let pages = [
            ("slot 1 page 00001", "A", true),
            ("slot 1 page 00002", "B", true),
            ("slot 2 page 00001", "A", false),
            ("slot 2 page 00002", "C", true),
            ("slot 2 page 00003", "A", true),
            ("slot 3 page 00001", "A", false),
            ("slot 3 page 00002", "B", true),
            ("slot 3 page 00003", "A", false),
            ("file by-hand.csv", "D", true),
            ("slot 4 page 00001", "A", true),
        ];
        for (object, bytes, is_new) in pages {
            assert_eq!(take(&mut taken, object, bytes).is_some(), is_new, "{object}: {bytes}");
        }
    }

    #[test]
    fn an_answer_without_pages_after_one_with_pages_is_new_and_so_is_the_way_back() {
        let mut taken = Taken::default();
        let took: Vec<bool> =
            [("slot 1 page 00001", "A"), ("slot 2", "A"), ("slot 3", "A"), ("slot 4 page 00001", "A")]
                .iter()
                .map(|(object, bytes)| take(&mut taken, object, bytes).is_some())
                .collect();
        assert_eq!(took, [true, true, false, true]);
    }
}
