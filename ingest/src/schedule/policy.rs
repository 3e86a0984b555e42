//! The policies of a feed: whether a slot that comes due is run, waits, is skipped or stays missed.

use chrono::{DateTime, Utc};

use super::SlotState;
use crate::feed::{CatchUp, Feed, Overlap};

/// A slot seen later than this after its instant was missed rather than met.
const MET_WITHIN: chrono::Duration = chrono::Duration::minutes(5);

/// The state in which a slot begins. `last` is the latest slot that is seen now.
pub(super) fn state_when_due(
    feed: &Feed,
    slot_at: DateTime<Utc>,
    last: Option<DateTime<Utc>>,
    now: DateTime<Utc>,
    is_busy: bool,
) -> SlotState {
    if feed.source.is_push() {
        // It waits for its push; there is nothing to run.
        return SlotState::Open;
    }
    let is_met = now - slot_at <= MET_WITHIN;
    let is_in_window = (now - slot_at).to_std().is_ok_and(|age| age <= feed.catch_up_window.0);
    let runs = match feed.catch_up {
        CatchUp::None => is_met && Some(slot_at) == last,
        CatchUp::Last => Some(slot_at) == last && (is_met || is_in_window),
        CatchUp::All => is_met || is_in_window,
    };
    match (runs, is_busy, feed.overlap) {
        (false, ..) => SlotState::Missed,
        (true, true, Overlap::Skip) => SlotState::Skipped,
        (true, ..) => SlotState::Open,
    }
}
