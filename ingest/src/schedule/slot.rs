//! A slot: a row with the key (feed, instant), in exactly one state.

use anze_warehouse::live::LiveRow;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::error::Result;

/// What became of a slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SlotState {
    /// Due and not begun yet.
    Open,
    /// Its run is under way.
    Running,
    /// A batch came for it.
    Fulfilled,
    /// Its run ended and the source had nothing new.
    Empty,
    /// Its run failed.
    Failed,
    /// Nothing ran when it was due, and by its feed's policy nothing will.
    Missed,
    /// It came due while its feed ran, and by its feed's policy it does not wait.
    Skipped,
    /// A person ended its run, or its feed was taken out before it ran.
    Cancelled,
}

impl SlotState {
    /// Whether a run is still to come or to end.
    pub fn is_unsettled(self) -> bool {
        matches!(self, Self::Open | Self::Running)
    }
}

/// One slot. Whatever its state, something landed later may still fulfil it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Slot {
    /// Its feed.
    pub feed_id: String,
    /// Its instant.
    pub slot_at: DateTime<Utc>,
    /// Until when it must be fulfilled; `None`: there is no deadline.
    pub due_at: Option<DateTime<Utc>>,
    /// What became of it.
    pub state: SlotState,
    /// The batch that fulfilled it.
    pub fulfilled_by: Option<String>,
    /// When that batch landed.
    #[serde(default)]
    pub fulfilled_at: Option<DateTime<Utc>>,
    /// When it was found that its deadline had passed and nothing had come.
    #[serde(default)]
    pub overdue_at: Option<DateTime<Utc>>,
}

impl Slot {
    /// Whether something came for it.
    pub fn is_fulfilled(&self) -> bool {
        self.state == SlotState::Fulfilled
    }

    /// Whether time alone may still change it: a run is to come or to end, or a deadline to pass.
    pub(super) fn is_alive(&self) -> bool {
        let may_be_overdue = self.due_at.is_some() && self.overdue_at.is_none() && !self.is_fulfilled();
        self.state.is_unsettled() || may_be_overdue
    }

    pub(super) fn row(&self) -> Result<LiveRow> {
        match serde_json::to_value(self)? {
            serde_json::Value::Object(row) => Ok(row),
            _ => Ok(LiveRow::new()),
        }
    }
}
