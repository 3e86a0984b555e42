//! Bodies of requests: JSON, of a size, every key known.

use axum::body::to_bytes;
use axum::extract::Request;
use axum::http::{StatusCode, header};
use serde::de::DeserializeOwned;

use crate::problem::Problem;

/// The largest body.
const MOST_BYTES: usize = 1 << 20;

/// Reads a body. Forms and plain text are what a page of another origin may send without being
/// asked first, so only what calls itself JSON is read.
pub async fn read<T: DeserializeOwned>(request: Request) -> Result<T, Problem> {
    let kind = request.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    if kind.split(';').next().is_none_or(|kind| !kind.trim().eq_ignore_ascii_case("application/json")) {
        return Err(Problem::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "unsupported_media_type",
            "不支持的内容类型",
            "Send JSON",
            "send `Content-Type: application/json` and a JSON object",
        ));
    }
    let bytes = to_bytes(request.into_body(), MOST_BYTES).await.map_err(|_| {
        let detail = format!("a body has at most {MOST_BYTES} bytes");
        Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", "请求内容过大", "The request is too large", detail)
    })?;
    serde_json::from_slice(&bytes).map_err(|error| Problem::bad_request("bad_body", format!("the body: {error}")))
}
