//! What a person asks of the quarantine.

use serde::{Deserialize, Serialize};

/// Which held records; nothing given means all that are held.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HeldSelection {
    /// Only those of this feed.
    pub feed: Option<String>,
    /// Only those of this batch.
    pub batch: Option<String>,
    /// Only those held by this rule; `batch_held` stands for batches held whole.
    pub rule: Option<String>,
}

impl HeldSelection {
    /// Whether nothing limits it.
    pub fn is_everything(&self) -> bool {
        *self == Self::default()
    }
}

/// Reading held records again.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ReplayAsk {
    /// Only those of this feed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub feed: Option<String>,
    /// Only those of this batch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub batch: Option<String>,
    /// Only those held by this rule.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    /// Load a batch that is held whole despite its feed's limits; needs `batch`.
    pub accept: bool,
    /// Say what would happen, and change nothing.
    pub preview: bool,
    /// Why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

impl ReplayAsk {
    /// Which records.
    pub fn selection(&self) -> HeldSelection {
        HeldSelection { feed: self.feed.clone(), batch: self.batch.clone(), rule: self.rule.clone() }
    }
}

/// Giving held records up.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DiscardAsk {
    /// Only those of this feed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub feed: Option<String>,
    /// Only those of this batch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub batch: Option<String>,
    /// Only those held by this rule.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    /// Why; it may not be empty.
    pub reason: String,
}

impl DiscardAsk {
    /// Which records.
    pub fn selection(&self) -> HeldSelection {
        HeldSelection { feed: self.feed.clone(), batch: self.batch.clone(), rule: self.rule.clone() }
    }
}
