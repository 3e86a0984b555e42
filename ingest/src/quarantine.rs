//! Quarantine: what was held is replayed, released or discarded; it never ends silently.
//!
//! Records of a published batch are settled one by one. A batch that was held whole is settled
//! whole: it is loaded again under its feed of today, released by a person despite its limits, or
//! discarded.

mod arrived;
mod ask;
mod book;
mod discard;
mod held;
mod released;
mod replay;
mod report;
#[cfg(test)]
mod tests;

pub(crate) use arrived::{is_code_list, replay_arrived};
pub use ask::{DiscardAsk, HeldSelection, ReplayAsk};
pub(crate) use discard::discard;
pub(crate) use held::{batches_held_whole, select};
pub(crate) use replay::{FeedLimits, Replay};
pub use report::{BatchChange, DiscardReport, ReplayReport, RuleCount};

use std::sync::Arc;

use chrono::{DateTime, Utc};

use crate::feed::{Feed, Feeds};

/// Who decides, when and why.
#[derive(Debug, Clone)]
pub(crate) struct Decision {
    /// A token, `operator` or `system`.
    pub(crate) by: String,
    /// When.
    pub(crate) at: DateTime<Utc>,
    /// Why; a replay after a fix needs no words.
    pub(crate) reason: Option<String>,
}

/// The feeds by which held records are read again.
#[derive(Debug, Clone)]
pub(crate) struct FeedBook {
    /// As their files say now.
    pub(crate) today: Feeds,
    /// As they were when the writer began.
    pub(crate) begun: Feeds,
}

impl FeedBook {
    fn get(&self, feed_id: &str) -> Option<Arc<Feed>> {
        self.today.get(feed_id).or_else(|| self.begun.get(feed_id)).cloned()
    }
}
