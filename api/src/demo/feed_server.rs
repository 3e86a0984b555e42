//! Serves the outbox over real HTTP, as the senders' systems would: `GET /feeds/{feed}?slot={day}`
//! gives that slot's file with an `ETag`, 404 where there is none, 503 where the sender is down.

use anyhow::{Context, Result};
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Path as UrlPath, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use chrono::NaiveDate;
use serde::Deserialize;
use std::collections::BTreeSet;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::fs::File;
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpListener;

const CHUNK_BYTES: usize = 64 * 1024;

/// Answers until `stop` resolves, then finishes what is under way.
pub(crate) async fn serve_feeds(
    outbox: PathBuf,
    listener: TcpListener,
    stop: impl Future<Output = ()> + Send + 'static,
) -> Result<()> {
    let senders = Senders { outbox, asked: Mutex::default() };
    let routes = Router::new().route("/feeds/{feed}", get(feed_file)).with_state(Arc::new(senders));
    axum::serve(listener, routes).with_graceful_shutdown(stop).await.context("serving the feeds of the demo")
}

struct Senders {
    outbox: PathBuf,
    /// The files of busy senders that were asked for once already.
    asked: Mutex<BTreeSet<(String, NaiveDate)>>,
}

#[derive(Deserialize)]
struct Wanted {
    slot: NaiveDate,
}

async fn feed_file(
    State(senders): State<Arc<Senders>>,
    UrlPath(feed): UrlPath<String>,
    Query(wanted): Query<Wanted>,
    headers: HeaderMap,
) -> Response {
    if !is_feed_id(&feed) {
        return StatusCode::NOT_FOUND.into_response();
    }
    let folder = senders.outbox.join(&feed);
    let marked = |mark: &str| folder.join(format!("{}.{mark}", wanted.slot));
    if exists(&marked("unavailable")).await
        || (exists(&marked("busy-once")).await && senders.is_asked_first(&feed, wanted.slot))
    {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    for (extension, kind) in [("csv", "text/csv"), ("ndjson", "application/x-ndjson")] {
        if let Ok(file) = File::open(marked(extension)).await {
            return match answer(file, &feed, wanted.slot, kind, &headers).await {
                Ok(response) => response,
                Err(error) => {
                    tracing::warn!(feed.id = %feed, %error, "a file of the demo cannot be read");
                    StatusCode::INTERNAL_SERVER_ERROR.into_response()
                }
            };
        }
    }
    StatusCode::NOT_FOUND.into_response()
}

impl Senders {
    fn is_asked_first(&self, feed: &str, slot: NaiveDate) -> bool {
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        asked.insert((feed.to_owned(), slot))
    }
}

/// The ids the demo gives: nothing that could lead out of the outbox.
fn is_feed_id(id: &str) -> bool {
    !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-')
}

async fn exists(path: &Path) -> bool {
    tokio::fs::try_exists(path).await.unwrap_or(false)
}

async fn answer(
    file: File,
    feed: &str,
    slot: NaiveDate,
    kind: &'static str,
    headers: &HeaderMap,
) -> std::io::Result<Response> {
    let length = file.metadata().await?.len();
    // The files of a demo never change under their names.
    let etag = format!("\"{feed}-{slot}-{length}\"");
    let known = headers.get(header::IF_NONE_MATCH).and_then(|value| value.to_str().ok());
    if known == Some(&etag) {
        return Ok((StatusCode::NOT_MODIFIED, [(header::ETAG, etag)]).into_response());
    }
    let chunks = futures::stream::try_unfold(file, |mut file| async move {
        let mut chunk = vec![0; CHUNK_BYTES];
        let read = file.read(&mut chunk).await?;
        chunk.truncate(read);
        Ok::<_, std::io::Error>((read > 0).then(|| (Bytes::from(chunk), file)))
    });
    let described =
        [(header::CONTENT_TYPE, kind.to_owned()), (header::CONTENT_LENGTH, length.to_string()), (header::ETAG, etag)];
    Ok((described, Body::from_stream(chunks)).into_response())
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::AsyncWriteExt as _;
    use tokio::net::TcpStream;

    #[test]
    fn a_feed_id_cannot_lead_out_of_the_outbox() {
        assert!(is_feed_id("zjpc-premium-receipt"));
        for id in ["", "..", "a/b", "a.toml", "A"] {
            assert!(!is_feed_id(id), "{id}");
        }
    }

    #[tokio::test]
    async fn files_are_served_with_a_tag_and_absent_or_busy_ones_are_not() {
        let outbox = tempfile::tempdir().unwrap();
        let folder = outbox.path().join("zjia-policy");
        std::fs::create_dir(&folder).unwrap();
        std::fs::write(folder.join("2026-01-27.csv"), "policy_no\nP1\n").unwrap();
        std::fs::write(folder.join("2026-02-27.unavailable"), "").unwrap();
        std::fs::write(folder.join("2026-03-27.csv"), "policy_no\n").unwrap();
        std::fs::write(folder.join("2026-03-27.busy-once"), "").unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let server = tokio::spawn(serve_feeds(outbox.path().to_owned(), listener, async {
            stopped.await.unwrap_or_default();
        }));
        let get = async |slot: &str, more: &str| {
            let mut stream = TcpStream::connect(address).await.unwrap();
            let request =
                format!("GET /feeds/zjia-policy?slot={slot} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n{more}\r\n");
            stream.write_all(request.as_bytes()).await.unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await.unwrap();
            answer
        };
        let answer = get("2026-01-27", "").await;
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        assert!(answer.ends_with("policy_no\nP1\n"), "{answer}");
        let tag = answer.lines().find_map(|line| line.strip_prefix("etag: ")).unwrap();
        let again = get("2026-01-27", &format!("if-none-match: {tag}\r\n")).await;
        assert!(again.starts_with("HTTP/1.1 304"), "{again}");
        assert!(get("2025-12-27", "").await.starts_with("HTTP/1.1 404"));
        assert!(get("2026-02-27", "").await.starts_with("HTTP/1.1 503"));
        assert!(get("2026-02-27", "").await.starts_with("HTTP/1.1 503"));
        assert!(get("2026-03-27", "").await.starts_with("HTTP/1.1 503"));
        assert!(get("2026-03-27", "").await.starts_with("HTTP/1.1 200"));
        stop.send(()).unwrap();
        server.await.unwrap().unwrap();
    }
}
