//! Codes that arrive: rows that were held for nothing else are replayed in the same release, as
//! their messages promise.

use anze_warehouse::publication::Publication;
use anze_warehouse::session::Limits;
use chrono::{DateTime, Utc};

use super::held::{self, HeldRow};
use super::replay::{FeedLimits, Replay, Settlement};
use super::{Decision, FeedBook};
use crate::check::KnownCodes;
use crate::error::Result;
use crate::landing::Landing;

/// Whether rows of a dataset may be held for want of a row of this one.
pub(crate) fn is_code_list(dataset: &str) -> bool {
    matches!(dataset, "region" | "sector" | "insurer")
}

/// Replays the rows that were held for a code that the publication knows by now. A batch that is held
/// whole waits for a person, whatever its rows were held for (decision 0030).
///
/// # Errors
/// Warehouse: the publication must not be published.
pub(crate) async fn replay_arrived(
    publication: &mut Publication<'_>,
    landing: &Landing,
    feeds: &FeedBook,
    at: DateTime<Utc>,
) -> Result<Settlement> {
    let session = publication.session(&Limits::default()).await?;
    let mut held = held::select_unknown_codes(&session).await?;
    if held.is_empty() {
        return Ok(Settlement::default());
    }
    let codes = KnownCodes::read(&session).await?;
    let whole = held::batches_held_whole(&session).await?;
    let answered = |row: &HeldRow| {
        let failures = row.failures();
        !failures.is_empty() && failures.iter().all(|failure| codes.answers(&failure.rule, &failure.message_en))
    };
    held.retain(|batch_id, rows| {
        rows.retain(answered);
        !rows.is_empty() && !whole.contains(batch_id)
    });
    if held.is_empty() {
        return Ok(Settlement::default());
    }
    let reason = "代码已补入，系统自动重放 / the code arrived; replayed by the system".to_owned();
    let decision = Decision { by: "system".to_owned(), at, reason: Some(reason) };
    let replay = Replay { publication, landing, feeds, decision: &decision, limits: FeedLimits::Kept };
    let settlement = replay.run(held).await?;
    for batch in &settlement.batches {
        tracing::info!(feed.id = %batch.feed_id, batch.id = %batch.batch_id, rows.accepted = batch.accepted,
            "rows whose code arrived were replayed");
    }
    Ok(settlement)
}
