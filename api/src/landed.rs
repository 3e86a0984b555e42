//! The landed line: the bytes as they were delivered, how they were read, and what became of them.

mod decoded;

use std::sync::Arc;

use anze_ingest::decode::{DecodeError, Format, Mapping, traced};
use anze_ingest::landing::Landing;
use anze_warehouse::Release;
use anze_warehouse::contract::Contract;
use anze_warehouse::lineage::{BATCH_ID, ROW_NO};
use anze_warehouse::session::Limits;
use datafusion::logical_expr::{ident, lit};
use serde_json::{Value, json};

pub use decoded::Decoded;

use crate::deployment::Deployment;
use crate::output::base64;
use crate::permission::Permission;
use crate::problem::{Problem, causes};
use crate::record::{self, is_sensitive};
use crate::rows::{self, Row, Selection, text};

/// One delivered record, found again.
#[derive(Debug, Clone)]
pub struct LandedLine {
    /// The batch: feed, object, SHA-256, times.
    pub batch: Row,
    pub row_no: u64,
    /// Where the record stands in the landed file, or in what a compressed one unpacks to; a record
    /// of a workbook or Parquet file has no such place.
    pub offset: Option<u64>,
    /// Exactly as landed, without the line end; of a workbook or Parquet file its cells as a line of
    /// JSON. None where the caller may not see it.
    pub bytes: Option<Vec<u8>>,
    /// The same as text in the feed's encoding.
    pub text: Option<String>,
    /// The header of the file as text; empty for formats without one.
    pub header: String,
    /// The contract's columns as the feed reads them now.
    pub decoded: Decoded,
    /// What became of it.
    pub outcome: Outcome,
}

/// What became of a record.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// A version of a record: `current`, `replaced`, `superseded` or `deleted`.
    Version { state: String, key: String },
    /// Held, with the reason.
    Held { id: String, state: String, message_zh: String, message_en: String },
    /// The current version said the same already.
    Unchanged,
    /// The whole batch is held.
    BatchHeld { reason: String },
}

impl Outcome {
    /// For programs.
    pub fn json(&self) -> Value {
        match self {
            Self::Version { state, key } => json!({"outcome": "accepted", "version_state": state, "key": key}),
            Self::Held { id, state, message_zh, message_en } => json!({
                "outcome": "quarantined", "quarantine_id": id, "state": state, "message_zh": message_zh, "message_en": message_en,
            }),
            Self::Unchanged => json!({"outcome": "unchanged"}),
            Self::BatchHeld { reason } => json!({"outcome": "batch_held", "reason": reason}),
        }
    }
}

impl LandedLine {
    /// For programs: the exact bytes are in base64, since JSON is UTF-8 and deliveries are not.
    pub fn json(&self) -> Value {
        json!({
            "batch": self.batch,
            "row_no": self.row_no,
            "offset": self.offset,
            "header": self.header,
            "text": self.text,
            "bytes_base64": self.bytes.as_deref().map(base64::encode),
            "decoded": self.decoded.json(),
            "outcome": self.outcome.json(),
        })
    }
}

/// Reads a row number of an address.
pub fn row_no(text: &str) -> Result<u64, Problem> {
    let number = text.parse().ok().filter(|number| *number > 0);
    number.ok_or_else(|| {
        Problem::bad_request("bad_parameter", format!("`{text}` is no row; the first record of a file is 1"))
    })
}

/// Finds the record `row_no` of a batch.
pub async fn line(
    deployment: &Arc<Deployment>,
    release: &Arc<Release>,
    batch_id: &str,
    row_no: u64,
    permission: &Permission,
) -> Result<LandedLine, Problem> {
    let limits = deployment.limits();
    let batch = batch(release, &limits, batch_id).await?;
    let contract = record::dataset(text(&batch, "dataset").unwrap_or_default())?;
    let outcome = outcome(release, &limits, contract, &batch, batch_id, row_no).await?;
    let reader = Arc::clone(deployment);
    let about = batch.clone();
    let found = tokio::task::spawn_blocking(move || find(&reader, &about, contract, row_no));
    let mut found = found.await.map_err(|error| Problem::internal(&error))??;
    let hidden = is_sensitive(contract) && !permission.sees_sensitive();
    if hidden {
        found.decoded.mask(contract);
    }
    Ok(LandedLine {
        batch,
        row_no,
        offset: found.offset,
        text: (!hidden).then_some(found.text),
        bytes: (!hidden).then_some(found.bytes),
        header: found.header,
        decoded: found.decoded,
        outcome,
    })
}

async fn batch(release: &Release, limits: &Limits, batch_id: &str) -> Result<Row, Problem> {
    let conditions = vec![ident(BATCH_ID).eq(lit(batch_id))];
    let selection = Selection {
        schema: "system",
        table: "batch",
        columns: &[],
        conditions,
        order: rows::by(&[BATCH_ID]),
        most: Some(1),
    };
    rows::select(release, limits, selection).await?.pop().ok_or_else(|| {
        Problem::not_found("no_such_batch", format!("release {} knows no batch `{batch_id}`", release.number()))
    })
}

async fn outcome(
    release: &Release,
    limits: &Limits,
    contract: &Contract,
    batch: &Row,
    batch_id: &str,
    row_no: u64,
) -> Result<Outcome, Problem> {
    let row = i64::try_from(row_no).unwrap_or(i64::MAX);
    let of_line = || vec![ident(BATCH_ID).eq(lit(batch_id)), ident(ROW_NO).eq(lit(row))];
    let order = rows::by(&contract.key.iter().map(String::as_str).collect::<Vec<_>>());
    let selection = Selection {
        schema: "history",
        table: &contract.name,
        columns: &[],
        conditions: of_line(),
        order,
        most: Some(1),
    };
    if let Some(version) = rows::select(release, limits, selection).await?.pop() {
        let part = |name: &String| version.get(name).and_then(crate::output::shown).unwrap_or_default();
        let key: Vec<String> = contract.key.iter().map(part).collect();
        let state = text(&version, "version_state").unwrap_or_default().to_owned();
        return Ok(Outcome::Version { state, key: key.join(",") });
    }
    let order = rows::by(&["quarantine_id"]);
    let selection =
        Selection { schema: "system", table: "quarantine", columns: &[], conditions: of_line(), order, most: Some(1) };
    if let Some(held) = rows::select(release, limits, selection).await?.pop() {
        let text = |name: &str| text(&held, name).unwrap_or_default().to_owned();
        return Ok(Outcome::Held {
            id: text("quarantine_id"),
            state: text("state"),
            message_zh: text("message_zh"),
            message_en: text("message_en"),
        });
    }
    Ok(match text(batch, "state") {
        Some("held") => Outcome::BatchHeld { reason: text(batch, "reason").unwrap_or_default().to_owned() },
        _ => Outcome::Unchanged,
    })
}

/// What was found in the landed file.
struct Found {
    offset: Option<u64>,
    bytes: Vec<u8>,
    text: String,
    header: String,
    decoded: Decoded,
}

fn find(deployment: &Deployment, batch: &Row, contract: &'static Contract, row_no: u64) -> Result<Found, Problem> {
    let (format, mapping) = reading(deployment, text(batch, "feed_id").unwrap_or_default(), contract)?;
    let landing = Landing::of(deployment.warehouse());
    let path = text(batch, "landed_path").unwrap_or_default();
    let file = landing.open(path).map_err(|error| Problem::internal(&causes(&error)))?;
    let found = traced(file, &format, &mapping, row_no).map_err(unreadable)?.ok_or_else(|| {
        Problem::not_found(
            "no_such_row",
            format!("the landed file has no record {row_no}; it has {}", batch["rows_read"]),
        )
    })?;
    Ok(Found {
        offset: (found.span.len > 0).then_some(found.span.offset),
        text: format.readable(&found.bytes),
        header: found.header,
        decoded: Decoded::of(&found.read, contract),
        bytes: found.bytes,
    })
}

/// How the lines of a feed are read: as its file says now. Shipped data have no file: they are
/// UTF-8 with our own names.
pub fn reading(
    deployment: &Deployment,
    feed_id: &str,
    contract: &'static Contract,
) -> Result<(Format, Mapping), Problem> {
    let feeds = deployment.feeds().map_err(|error| Problem::internal(&format!("{error:#}")))?;
    if let Some(feed) = feeds.get(feed_id) {
        return Ok((feed.format.clone(), feed.mapping.clone()));
    }
    if !feed_id.starts_with(anze_warehouse::reference::REPORTER) {
        let detail = format!("the feed `{feed_id}` is no longer configured, so its lines cannot be told apart");
        return Err(Problem::not_found("no_such_feed", detail));
    }
    decoded::own_names(contract).map_err(|what| Problem::internal(&what))
}

fn unreadable(error: DecodeError) -> Problem {
    match error {
        // The file can be read no more as its feed is configured now: the bytes are still there.
        DecodeError::Refused(refused) => Problem::not_found(
            "file_refused",
            format!("the file as a whole is refused: {} / {}", refused.message.zh, refused.message.en),
        ),
        error @ DecodeError::Read(_) => Problem::internal(&causes(&error)),
    }
}
