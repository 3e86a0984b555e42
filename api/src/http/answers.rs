//! Finished answers, kept per release, request and permission; each is computed once, however many
//! ask for it at the same time.

use std::future::Future;
use std::sync::Arc;

use anze_warehouse::Release;
use axum::body::Bytes;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use moka::future::Cache;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::door::Caller;
use super::format::AnswerFormat;
use super::noting::handing_out;
use super::state::App;
use crate::problem::Problem;

/// The header that names the release of an answer.
pub const RELEASE: HeaderName = HeaderName::from_static("anze-release");
/// The header that says how fresh the data are now.
pub const FRESHNESS: HeaderName = HeaderName::from_static("anze-freshness");

type Key = [u8; 32];

/// An answer, and the bytes it is mostly asked for in.
#[derive(Debug)]
pub struct Answer {
    pub value: Value,
    json: Bytes,
}

/// The kept answers.
pub struct Answers {
    kept: Cache<Key, Arc<Answer>>,
    /// What the metrics mean; another meaning is another answer.
    definitions: Key,
}

/// What is asked: one release, one request in its one unambiguous form, one permission.
pub struct Ask<'a> {
    pub release: &'a Arc<Release>,
    pub request: String,
    pub caller: &'a Caller,
}

impl Answers {
    /// Keeps up to so many bytes.
    pub fn new(most_bytes: u64, definitions: Key) -> Self {
        let weigh = |_: &Key, answer: &Arc<Answer>| {
            // The parsed form takes about three times the text.
            u32::try_from(answer.json.len().saturating_mul(4).saturating_add(512)).unwrap_or(u32::MAX)
        };
        Self { kept: Cache::builder().max_capacity(most_bytes).weigher(weigh).build(), definitions }
    }

    fn key(&self, ask: &Ask<'_>) -> Key {
        let mut hash = Sha256::new();
        hash.update(self.definitions);
        hash.update(ask.release.number().to_be_bytes());
        // Tells a deployment from one that was made anew in the same place.
        hash.update(ask.release.published_at().timestamp_micros().to_be_bytes());
        hash.update(ask.caller.permission.digest());
        hash.update(&ask.request);
        hash.finalize().into()
    }
}

impl App {
    /// The answer to what is asked, from memory or computed on the engine's threads.
    pub async fn answer(
        &self,
        ask: &Ask<'_>,
        compute: impl Future<Output = Result<Value, Problem>> + Send + 'static,
    ) -> Result<Arc<Answer>, Problem> {
        let work = async {
            let value = self.engine.run(compute).await?;
            let json = serde_json::to_vec(&value).map_err(|error| Problem::internal(&error))?;
            Ok(Arc::new(Answer { value, json: json.into() }))
        };
        let found = self.answers.kept.try_get_with(self.answers.key(ask), work).await;
        found.map_err(|problem: Arc<Problem>| Problem::clone(&problem))
    }

    /// The answer as a response; a caller that has it already is told so before anything is computed.
    pub async fn respond(
        &self,
        ask: &Ask<'_>,
        format: AnswerFormat,
        asked_with: &HeaderMap,
        compute: impl Future<Output = Result<Value, Problem>> + Send + 'static,
    ) -> Result<Response, Problem> {
        let etag = etag(&self.answers.key(ask), format);
        let mut headers = self.headers(ask.release).await?;
        headers.insert(header::ETAG, etag.clone());
        headers.insert(header::VARY, HeaderValue::from_static("authorization, accept"));
        if is_known(&etag, asked_with) {
            return Ok((StatusCode::NOT_MODIFIED, headers).into_response());
        }
        let answer = self.answer(ask, compute).await?;
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(format.content_type()));
        let body = match format {
            AnswerFormat::Json => answer.json.clone(),
            AnswerFormat::Csv => Bytes::from(super::format::rows_as_csv(&answer.value)),
        };
        Ok(handing_out((headers, body).into_response(), rows(&answer.value)))
    }

    /// A description: the same whatever the release, so it is there before the first one too.
    pub async fn describe(
        &self,
        description: &Value,
        format: AnswerFormat,
        asked_with: &HeaderMap,
    ) -> Result<Response, Problem> {
        let mut headers = match self.deployment.newest().await? {
            Some(newest) => self.headers(&newest).await?,
            None => HeaderMap::new(),
        };
        let body = match format {
            AnswerFormat::Json => description.to_string(),
            AnswerFormat::Csv => super::format::rows_as_csv(description),
        };
        let etag = etag(&Sha256::digest(&body).into(), format);
        headers.insert(header::ETAG, etag.clone());
        headers.insert(header::VARY, HeaderValue::from_static("authorization, accept"));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
        if is_known(&etag, asked_with) {
            return Ok((StatusCode::NOT_MODIFIED, headers).into_response());
        }
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(format.content_type()));
        Ok((headers, body).into_response())
    }

    /// What every answer from a release says of itself.
    pub async fn headers(&self, release: &Release) -> Result<HeaderMap, Problem> {
        let mut headers = HeaderMap::new();
        headers.insert(RELEASE, HeaderValue::from(release.number()));
        headers.insert(FRESHNESS, self.freshness.header(&self.deployment, &self.clock).await?);
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
        Ok(headers)
    }
}

/// The rows of an answer: those of a list, the versions of a record, those behind the indicators of a score,
/// or the one thing that it is.
fn rows(answer: &Value) -> usize {
    let list = |of: &Value, name: &str| of.get(name).and_then(Value::as_array).map(Vec::len);
    let behind = |indicators: &Vec<Value>| indicators.iter().filter_map(|one| list(one, "rows")).sum();
    let rows = list(answer, "rows").or_else(|| list(answer, "versions"));
    rows.or_else(|| answer.get("indicators")?.as_array().map(behind)).unwrap_or(1)
}

fn etag(key: &Key, format: AnswerFormat) -> HeaderValue {
    let mut hash = Sha256::new();
    hash.update(key);
    hash.update(format.content_type());
    let hex: String = hash.finalize()[..16].iter().map(|byte| format!("{byte:02x}")).collect();
    // Hexadecimal digits in quotes are always a valid header value.
    HeaderValue::from_str(&format!("\"{hex}\"")).unwrap_or(HeaderValue::from_static("\"\""))
}

/// Whether `If-None-Match` names this entity tag; weak and strong ones compare alike (RFC 9110 §13.1.2).
fn is_known(etag: &HeaderValue, asked_with: &HeaderMap) -> bool {
    let own = etag.to_str().unwrap_or_default();
    let named = asked_with.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    named.flat_map(|list| list.split(',')).map(str::trim).any(|tag| tag == "*" || tag.trim_start_matches("W/") == own)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::permission::{Permission, Role};

    fn caller(role: Role) -> Caller {
        Caller { permission: Permission::whole(role), token_id: None }
    }

    fn release(day: &str) -> Arc<Release> {
        Release::in_memory(day.parse().unwrap(), Vec::new()).unwrap()
    }

    #[test]
    fn an_etag_changes_with_release_request_permission_format_and_definitions() {
        let (first, second) = (release("2026-06-29"), release("2026-06-30"));
        let (admin, analyst) = (caller(Role::Admin), caller(Role::Analyst));
        let tag = |definitions, release, request: &str, caller, format| {
            let answers = Answers::new(1 << 20, definitions);
            etag(&answers.key(&Ask { release, request: request.to_owned(), caller }), format)
        };
        let tags = [
            tag([0; 32], &first, "a", &admin, AnswerFormat::Json),
            tag([0; 32], &second, "a", &admin, AnswerFormat::Json),
            tag([0; 32], &first, "b", &admin, AnswerFormat::Json),
            tag([0; 32], &first, "a", &analyst, AnswerFormat::Json),
            tag([0; 32], &first, "a", &admin, AnswerFormat::Csv),
            tag([1; 32], &first, "a", &admin, AnswerFormat::Json),
        ];
        assert_eq!(tags.iter().collect::<HashSet<_>>().len(), tags.len());
        assert_eq!(tags[0], tag([0; 32], &first, "a", &admin, AnswerFormat::Json));
    }

    #[test]
    fn a_known_answer_is_recognised_in_any_list() {
        let etag = HeaderValue::from_static("\"abc\"");
        let known = |value: &'static str| {
            is_known(&etag, &HeaderMap::from_iter([(header::IF_NONE_MATCH, HeaderValue::from_static(value))]))
        };
        assert!(known("\"abc\"") && known("W/\"abc\"") && known("\"x\", \"abc\"") && known("*"));
        assert!(!known("\"abd\"") && !known("abc"));
        assert!(!is_known(&etag, &HeaderMap::new()));
    }
}
