//! What was taken before: a delivery is `(feed, object, sha256)`, and the one taken last under its
//! name has no effect again. Known bytes after other bytes are new: A, B, A ends as A.

use std::collections::{HashMap, HashSet};

use anze_warehouse::Release;
use anze_warehouse::session::Limits;
use datafusion::arrow::array::AsArray;
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::DataType;

use crate::error::Result;
use crate::landing::Delivery;

/// How the objects of slots are named.
const SLOT: &str = "slot ";

/// The deliveries taken so far.
#[derive(Debug, Default, Clone)]
pub(super) struct Taken {
    batches: HashSet<String>,
    /// Last bytes and batch by feed and object.
    of_object: HashMap<(String, String), (String, String)>,
    /// Last bytes and batch by feed, and by page where a slot was answered in pages.
    of_feed: HashMap<String, HashMap<String, (String, String)>>,
    /// How often a feed gave an object with these bytes.
    occurrences: HashMap<(String, String, String), u64>,
}

/// Whether a delivery is new.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The batch that brought these bytes stands.
    Seen(String),
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
        let sql = "select batch_id, feed_id, object, sha256 from system.batch order by landed_at, feed_id, object";
        for batch in session.sql(sql).await?.collect().await? {
            let columns = batch.columns().iter().map(|column| cast(column, &DataType::Utf8));
            let columns = columns.collect::<std::result::Result<Vec<_>, _>>()?;
            let text = |column: usize, row: usize| columns[column].as_string::<i32>().value(row).to_owned();
            for row in 0..batch.num_rows() {
                taken.add(text(0, row), text(1, row), text(2, row), text(3, row));
            }
        }
        Ok(taken)
    }

    pub(super) fn has_batch(&self, batch_id: &str) -> bool {
        self.batches.contains(batch_id)
    }

    pub(super) fn verdict(&self, feed_id: &str, object: &str, sha256: &str) -> Verdict {
        // A slot is a new name for whatever the source answers now; a path names a file of its own.
        let last = match self.of_object.get(&(feed_id.to_owned(), object.to_owned())) {
            None if object.starts_with(SLOT) => self.of_feed.get(feed_id).and_then(|pages| pages.get(page(object))),
            of_object => of_object,
        };
        match last {
            Some((bytes, batch_id)) if bytes == sha256 => Verdict::Seen(batch_id.clone()),
            _ => {
                let key = (feed_id.to_owned(), object.to_owned(), sha256.to_owned());
                Verdict::New { occurrence: self.occurrences.get(&key).copied().unwrap_or(0) }
            }
        }
    }

    pub(super) fn note(&mut self, delivery: &Delivery) {
        self.add(delivery.batch_id.clone(), delivery.feed_id.clone(), delivery.object.clone(), delivery.sha256.clone());
    }

    fn add(&mut self, batch_id: String, feed_id: String, object: String, sha256: String) {
        *self.occurrences.entry((feed_id.clone(), object.clone(), sha256.clone())).or_default() += 1;
        let pages = self.of_feed.entry(feed_id.clone()).or_default();
        if page(&object).is_empty() {
            // What is whole stands in the place of all pages before it.
            pages.clear();
        }
        pages.insert(page(&object).to_owned(), (sha256.clone(), batch_id.clone()));
        self.of_object.insert((feed_id, object), (sha256, batch_id.clone()));
        self.batches.insert(batch_id);
    }

    /// The bytes and the batch that an object of a feed brought last.
    pub(super) fn last_of(&self, feed_id: &str, object: &str) -> Option<(&str, &str)> {
        let last = self.of_object.get(&(feed_id.to_owned(), object.to_owned()));
        last.map(|(sha256, batch_id)| (sha256.as_str(), batch_id.as_str()))
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

    fn take(taken: &mut Taken, object: &str, bytes: &str) -> bool {
        match taken.verdict("f", object, bytes) {
            Verdict::Seen(_) => false,
            Verdict::New { occurrence } => {
                taken.add(format!("{object}-{bytes}-{occurrence}"), "f".into(), object.into(), bytes.into());
                true
            }
        }
    }

    #[test]
    fn a_b_a_ends_as_a_and_a_a_is_one_delivery() {
        let mut taken = Taken::default();
        let took: Vec<bool> = ["A", "A", "B", "A", "A"].iter().map(|bytes| take(&mut taken, "f.csv", bytes)).collect();
        assert_eq!(took, [true, false, true, true, false]);
        assert_eq!(taken.batches.len(), 3, "each has a name of its own");
    }

    #[test]
    fn the_same_bytes_in_the_next_slot_are_no_new_batch_but_after_other_bytes_they_are() {
        let mut taken = Taken::default();
        let took: Vec<bool> = [("slot 1", "A"), ("slot 2", "A"), ("slot 3", "B"), ("slot 4", "A")]
            .iter()
            .map(|(slot, bytes)| take(&mut taken, slot, bytes))
            .collect();
        assert_eq!(took, [true, false, true, true]);
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
            assert_eq!(take(&mut taken, object, bytes), is_new, "{object}: {bytes}");
        }
    }

    #[test]
    fn an_answer_without_pages_after_one_with_pages_is_new_and_so_is_the_way_back() {
        let mut taken = Taken::default();
        let took: Vec<bool> =
            [("slot 1 page 00001", "A"), ("slot 2", "A"), ("slot 3", "A"), ("slot 4 page 00001", "A")]
                .iter()
                .map(|(object, bytes)| take(&mut taken, object, bytes))
                .collect();
        assert_eq!(took, [true, true, false, true]);
    }
}
