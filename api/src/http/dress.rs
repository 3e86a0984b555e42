//! The outermost layer: every request has a number and a line in the log, every problem a body, and
//! every response the headers that keep browsers from harm.

use std::time::Instant;

use axum::Json;
use axum::extract::Request;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{Html, IntoResponse, Response};
use rand::RngExt;
use serde_json::json;
use tracing::Instrument;

use super::noting::RequestNumber;
use super::parameters::Parameters;
use crate::page::{self, Lang};
use crate::problem::Problem;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Nothing is loaded from elsewhere, nothing runs, nothing may frame us.
const CONTENT_SECURITY: &str = "default-src 'none'; style-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

const HARMLESS: [(HeaderName, &str); 6] = [
    (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::REFERRER_POLICY, "no-referrer"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
];

/// Numbers, logs and dresses.
pub async fn dress(mut request: Request, next: Next) -> Response {
    let number = format!("{:016x}", rand::rng().random::<u64>());
    let method = request.method().clone();
    let path = request.uri().path().to_owned();
    let lang = Lang::of(&Parameters::of(request.uri().query()));
    let started = Instant::now();
    let span = tracing::info_span!("request", request.id = %number);
    request.extensions_mut().insert(RequestNumber(number.clone()));
    let response = next.run(request).instrument(span.clone()).await;
    let status = response.status().as_u16();
    let duration_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    span.in_scope(|| tracing::info!(%method, path, status, duration_ms, "answered"));
    let mut response = with_body(response, &path, lang, &number);
    let headers = response.headers_mut();
    for (name, value) in HARMLESS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    if let Ok(number) = HeaderValue::from_str(&number) {
        headers.insert(REQUEST_ID, number);
    }
    response
}

/// Gives a problem its body: a page among the pages, JSON everywhere else.
fn with_body(mut response: Response, path: &str, lang: Lang, number: &str) -> Response {
    let status = response.status();
    let attached = response.extensions_mut().remove::<Problem>();
    let is_error = status.is_client_error() || status.is_server_error();
    let Some(problem) = attached.or_else(|| is_error.then(|| unnamed(status))) else { return response };
    if let Some(cause) = &problem.cause {
        tracing::error!(request.id = number, cause, "a request failed");
    }
    let is_page = page::is_page(path);
    let mut dressed = if is_page {
        Html(page::problem(&problem, number, lang).into_string()).into_response()
    } else {
        let body = json!({
            "type": "about:blank",
            "status": status.as_u16(),
            "code": problem.code,
            "title": problem.title,
            "title_en": problem.title_en,
            "detail": problem.detail,
            "request_id": number,
        });
        let json = HeaderValue::from_static("application/problem+json");
        ([(header::CONTENT_TYPE, json)], Json(body)).into_response()
    };
    *dressed.status_mut() = status;
    for name in [header::ALLOW, header::RETRY_AFTER] {
        if let Some(value) = response.headers_mut().remove(&name) {
            dressed.headers_mut().insert(name, value);
        }
    }
    if status == StatusCode::UNAUTHORIZED {
        let ask = if is_page { "Basic realm=\"anze\", charset=\"UTF-8\"" } else { "Bearer realm=\"anze\"" };
        dressed.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(ask));
    }
    if status == StatusCode::SERVICE_UNAVAILABLE {
        dressed.headers_mut().entry(header::RETRY_AFTER).or_insert(HeaderValue::from_static("5"));
    }
    dressed
}

/// A refusal that did not come from a handler of ours.
fn unnamed(status: StatusCode) -> Problem {
    let (code, title, title_en) = match status {
        StatusCode::NOT_FOUND => ("not_found", "没有这个地址", "There is nothing at this address"),
        StatusCode::METHOD_NOT_ALLOWED => {
            ("method_not_allowed", "不支持的请求方法", "This address does not take this method")
        }
        StatusCode::PAYLOAD_TOO_LARGE => ("too_large", "请求内容过大", "The request is too large"),
        StatusCode::UNSUPPORTED_MEDIA_TYPE => ("unsupported_media_type", "不支持的内容类型", "Send JSON"),
        status if status.is_server_error() => ("internal", "系统内部错误", "Something failed inside"),
        _ => ("bad_request", "请求有误", "The request is wrong"),
    };
    Problem::new(status, code, title, title_en, "/openapi.json describes what is available")
}
