//! What arrived of each feed, as a release says: the last batch, and what is held.

use std::collections::BTreeMap;

use anze_warehouse::Release;
use anze_warehouse::session::Limits;
use datafusion::logical_expr::{ident, lit};

use crate::problem::Problem;
use crate::rows::{self, Row, Selection, text};

/// What arrived of one feed.
#[derive(Debug, Clone, Default)]
pub struct Arrived {
    /// The last batch.
    pub last_batch: Option<Row>,
    /// Records that are held, those of batches held whole included.
    pub held_rows: u64,
    /// Batches that are held whole, with the reason.
    pub held_batches: Vec<Row>,
}

/// What arrived, by feed.
pub type LastBatches = BTreeMap<String, Arrived>;

/// Reads what arrived of each feed.
pub async fn last_batches(release: &Release, limits: &Limits) -> Result<LastBatches, Problem> {
    let columns = [
        "batch_id",
        "feed_id",
        "state",
        "landed_at",
        "on_time",
        "rows_read",
        "rows_accepted",
        "rows_quarantined",
        "reason",
    ];
    let order = rows::by(&["landed_at", "batch_id"]);
    let selection =
        Selection { schema: "system", table: "batch", columns: &columns, conditions: Vec::new(), order, most: None };
    let mut arrived = LastBatches::new();
    for batch in rows::select(release, limits, selection).await? {
        let Some(feed) = text(&batch, "feed_id") else { continue };
        let of_feed = arrived.entry(feed.to_owned()).or_default();
        if text(&batch, "state") == Some("held") {
            of_feed.held_rows += batch.get("rows_quarantined").and_then(serde_json::Value::as_u64).unwrap_or_default();
            of_feed.held_batches.push(batch.clone());
        }
        of_feed.last_batch = Some(batch);
    }
    let selection = Selection {
        schema: "system",
        table: "quarantine",
        columns: &["feed_id", "batch_id"],
        conditions: vec![ident("state").eq(lit("held"))],
        order: Vec::new(),
        most: None,
    };
    for held in rows::select(release, limits, selection).await? {
        let Some(of_feed) = text(&held, "feed_id").and_then(|feed| arrived.get_mut(feed)) else { continue };
        // The records of a batch held whole are counted with it.
        if !of_feed.held_batches.iter().any(|batch| text(batch, "batch_id") == text(&held, "batch_id")) {
            of_feed.held_rows += 1;
        }
    }
    Ok(arrived)
}
