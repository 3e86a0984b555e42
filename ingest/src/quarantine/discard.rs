//! Discard: a person gives held records up, and says why. They stay listed.

use std::collections::{HashMap, HashSet};

use anze_warehouse::publication::Publication;
use anze_warehouse::session::Limits;
use serde_json::json;

use super::book::{BookedBatch, settle_held, text};
use super::held::{self, BATCH_HELD};
use super::report::{DiscardReport, Tally};
use super::{Decision, HeldSelection};
use crate::error::{Error, ErrorKind, Result};

/// Gives up what is held. A batch held whole is given up whole, and only where the rule asked for
/// is none or `batch_held`.
///
/// # Errors
/// Refused, where nothing held matches; Warehouse.
pub(crate) async fn discard(
    publication: &mut Publication<'_>,
    selection: &HeldSelection,
    decision: &Decision,
) -> Result<DiscardReport> {
    let session = publication.session(&Limits::default()).await?;
    let whole = held::batches_held_whole(&session).await?;
    let takes_whole = selection.rule.as_deref().is_none_or(|rule| rule == BATCH_HELD);
    let (mut records, mut batches) = (HashSet::new(), HashSet::new());
    for (batch_id, rows) in held::select(&session, selection).await? {
        if !whole.contains(&batch_id) {
            records.extend(rows.into_iter().map(|row| row.quarantine_id));
        } else if takes_whole {
            batches.insert(batch_id);
        }
    }
    if records.is_empty() && batches.is_empty() {
        let what = "nothing that is held matches, so nothing was discarded; anze quarantine list shows what is held \
                    (records of a batch held whole are discarded with their batch)";
        return Err(Error::new(ErrorKind::Refused, what));
    }
    let mut tally = Tally::default();
    let mut rows = publication.take_system("quarantine", "quarantine_id", &records).await?;
    rows.extend(publication.take_system("quarantine", "batch_id", &batches).await?);
    let mut listed = HashMap::<String, u64>::new();
    for row in &mut rows {
        if text(row, "state") != "held" {
            continue;
        }
        if text(row, "rule") != BATCH_HELD {
            tally.before(text(row, "feed_id"), text(row, "rule"), 1);
            *listed.entry(text(row, "batch_id").to_owned()).or_default() += 1;
        }
        settle_held(row, "discarded", decision);
    }
    publication.append_system("quarantine", rows);
    let mut discarded = Vec::new();
    for row in publication.take_system("batch", "batch_id", &batches).await? {
        let mut batch = BookedBatch::of(row)?;
        let unlisted = listed.get(&batch.delivery.batch_id).copied().unwrap_or_default();
        let sound = batch.count("rows_quarantined").saturating_sub(unlisted);
        tally.before(&batch.delivery.feed_id, BATCH_HELD, sound);
        batch.row.insert("state".to_owned(), json!("discarded"));
        batch.decide(decision, decision.reason.as_deref().unwrap_or_default());
        discarded.push(batch.delivery.batch_id.clone());
        publication.append_system("batch", vec![batch.row]);
    }
    discarded.sort();
    Ok(DiscardReport { release: None, rows: tally.rows(), batches: discarded })
}
