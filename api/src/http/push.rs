//! `PUT /feeds/{id}/batches/{key}`: a delivery sent by whoever answers for the feed.
//!
//! The key makes it safe to send again: the same bytes under the same key change nothing, other
//! bytes are refused. The body goes to disk as it comes.

use std::sync::Arc;
use std::time::Duration;

use anze_ingest::digest::sha256_in;
use anze_ingest::feed::Feed;
use anze_ingest::landing::Incoming;
use anze_ingest::run::{BatchCounts, Pushed};
use anze_ingest::source::{PushKey, SourceConfig};
use anze_ingest::{Error, ErrorKind, Ingest};
use axum::Json;
use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures::{StreamExt, stream};
use serde_json::{Value, json};

use super::desk::failed;
use super::door::Caller;
use super::parameters::Parameters;
use super::state::AppState;
use crate::problem::Problem;
use crate::work::Work;

/// Longest silence within a body.
const IDLE: Duration = Duration::from_secs(60);

/// `PUT /feeds/{id}/batches/{key}`: answers when the delivery is loaded, or with `wait=false` as soon
/// as it has landed.
pub async fn put(
    State(app): State<AppState>,
    caller: Caller,
    Path((id, key)): Path<(String, String)>,
    request: Request,
) -> Result<Response, Problem> {
    let mut parameters = Parameters::of(request.uri().query());
    let wait = parameters.parsed::<bool>("wait")?.unwrap_or(true);
    parameters.finish()?;
    if !caller.permission.pushes_to(&id) {
        return Err(no_such_feed(&id));
    }
    let key: PushKey =
        key.parse().map_err(|fault| Problem::bad_request("bad_key", format!("`{key}` is no key: {fault}")))?;
    let ingest = app.desk.ingest()?;
    let feed = ingest.feeds().get(&id).map(Arc::clone).ok_or_else(|| no_such_feed(&id))?;
    let bytes = receive(&ingest, &feed, request).await?;
    let about = json!({ "feed_id": id, "key": key.to_string(), "sha256": bytes.sha256, "bytes": bytes.size });
    let asked_by = caller.token_id.unwrap_or_else(|| "operator".to_owned());
    let (batch_id, is_new, loading) = match ingest.land_push(&feed, &key, bytes, &asked_by).await.map_err(told)? {
        Pushed::Conflict { batch_id } => return Err(conflict(&key, &batch_id)),
        Pushed::Known { batch_id } => {
            let counts = ingest.batch(&batch_id).await.map_err(told)?;
            let loading = match counts {
                None if wait => Some(app.desk.start(&Work::Feeds(Vec::new()), asked_by)?),
                _ => None,
            };
            (batch_id, false, loading)
        }
        Pushed::Landed(push) => (push.batch_id.clone(), true, Some(app.desk.load_push(push, asked_by)?)),
    };
    if let Some(loading) = loading.filter(|_| wait) {
        loading.await?;
        app.deployment.forget_newest();
    }
    let counts = ingest.batch(&batch_id).await.map_err(told)?;
    let status = match (is_new, &counts) {
        (false, _) => StatusCode::OK,
        (true, Some(_)) => StatusCode::CREATED,
        (true, None) => StatusCode::ACCEPTED,
    };
    Ok((status, Json(answer(about, &batch_id, is_new, counts))).into_response())
}

/// Takes the body in, on its way to disk, and compares it with the digest that came with it.
async fn receive(ingest: &Ingest, feed: &Feed, request: Request) -> Result<Incoming, Problem> {
    let SourceConfig::Push(push) = &feed.source else {
        let detail = format!("`{}` is fetched by us, not pushed: its source is {}", feed.feed_id, feed.source.kind());
        return Err(Problem::bad_request("not_a_push_feed", detail));
    };
    let digest = digest(request.headers())?;
    let length = request.headers().get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok());
    if length.and_then(|length| length.parse::<u64>().ok()).is_some_and(|length| length > push.max_bytes) {
        return Err(too_large(push.max_bytes));
    }
    let parts = Box::pin(paced(request.into_body()));
    let bytes = ingest.landing().receive(parts, push.max_bytes).await.map_err(|error| match error.kind() {
        ErrorKind::Source => too_large(push.max_bytes),
        ErrorKind::Retry => Problem::bad_request("body_broken", error.to_string()),
        _ => Problem::internal(&error),
    })?;
    if digest.is_some_and(|digest| digest != bytes.sha256) {
        let detail =
            "the bytes that came do not have the SHA-256 in Content-Digest; nothing was taken, send them again";
        return Err(Problem::bad_request("digest_mismatch", detail));
    }
    Ok(bytes)
}

/// The SHA-256 in `Content-Digest`, in hexadecimal.
fn digest(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let Some(value) = headers.get("content-digest") else { return Ok(None) };
    let digest = value.to_str().ok().and_then(|value| sha256_in("content-digest", value));
    let wrong = || Problem::bad_request("bad_digest", "write Content-Digest: sha-256=:<base64>: (RFC 9530)");
    Ok(Some(digest.ok_or_else(wrong)?))
}

/// The parts of a body; whoever falls silent in between is given up.
fn paced(body: Body) -> impl futures::Stream<Item = Result<bytes::Bytes, Error>> {
    stream::unfold(body.into_data_stream(), |mut parts| async move {
        let broken = |what: &str| Error::new(ErrorKind::Retry, what);
        match tokio::time::timeout(IDLE, parts.next()).await {
            Ok(None) => None,
            Ok(Some(part)) => Some((part.map_err(|_| broken("the body broke off; nothing was taken")), parts)),
            Err(_) => Some((Err(broken("nothing came for a minute; nothing was taken")), parts)),
        }
    })
}

fn answer(mut about: Value, batch_id: &str, is_new: bool, counts: Option<BatchCounts>) -> Value {
    about["batch_id"] = json!(batch_id);
    about["is_new"] = json!(is_new);
    let Some(counts) = counts else {
        about["state"] = json!("landed");
        return about;
    };
    for (name, value) in [
        ("state", json!(counts.state)),
        ("reason", json!(counts.reason)),
        ("release", json!(counts.release)),
        ("rows_read", json!(counts.read)),
        ("rows_accepted", json!(counts.accepted)),
        ("rows_superseded", json!(counts.superseded)),
        ("rows_unchanged", json!(counts.unchanged)),
        ("rows_quarantined", json!(counts.quarantined)),
    ] {
        about[name] = value;
    }
    about
}

fn no_such_feed(id: &str) -> Problem {
    Problem::not_found("no_such_feed", format!("there is no feed `{id}` for you to push to; /api/v1/feeds lists yours"))
}

fn conflict(key: &PushKey, batch_id: &str) -> Problem {
    let detail = format!(
        "批次号 {key} 已有不同内容（批次 {batch_id}），更正请使用新的批次号 / other bytes came under the key {key} before \
         (batch {batch_id}); nothing was taken: a correction needs a key of its own"
    );
    Problem::new(StatusCode::CONFLICT, "key_used", "批次号重复", "The key was used for other bytes", detail)
}

fn too_large(most: u64) -> Problem {
    let detail = format!("this feed takes at most {most} bytes in one delivery (source.max_bytes); send it in parts");
    Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", "请求内容过大", "The request is too large", detail)
}

fn told(error: Error) -> Problem {
    failed(&error)
}
