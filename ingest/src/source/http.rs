//! An HTTP address: one object per slot.

use std::time::Duration;

use async_trait::async_trait;
use futures::StreamExt;
use reqwest::StatusCode;
use serde::Deserialize;
use url::Url;

use super::{Fetched, Request, Source};
use crate::error::{Error, ErrorKind, Result};
use crate::landing::Landing;
use crate::span::Span;

/// `[source] kind = "http"`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HttpConfig {
    /// Address; `{slot_date}` and `{cursor}` stand for the slot's day and the cursor.
    pub url: String,
    /// Limit for the whole answer.
    #[serde(default = "a_minute")]
    pub timeout: Span,
    /// Largest answer taken, bytes.
    #[serde(default = "largest")]
    pub max_bytes: u64,
    /// How we say who we are.
    pub auth: Option<Auth>,
}

/// How we say who we are; the secret itself only by reference.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Auth {
    /// File that holds a bearer token, relative to the deployment.
    pub bearer_file: std::path::PathBuf,
}

fn a_minute() -> Span {
    Span(Duration::from_secs(60))
}

fn largest() -> u64 {
    16 << 30
}

impl HttpConfig {
    pub(super) fn fault(&self) -> Option<String> {
        let filled = self.url.replace("{slot_date}", "2026-01-01").replace("{cursor}", "");
        match Url::parse(&filled) {
            Ok(url) if matches!(url.scheme(), "http" | "https") && !filled.contains(['{', '}']) => None,
            Ok(_) => Some("source.url: write http(s)://…, with {slot_date} and {cursor} as the only fields".to_owned()),
            Err(error) => Some(format!("source.url: {error}")),
        }
    }

    fn address(&self, request: &Request) -> Result<Url> {
        let cursor = request.cursor.as_deref().unwrap_or_default();
        let filled =
            self.url.replace("{slot_date}", &request.slot_date.to_string()).replace("{cursor}", &escaped(cursor));
        Url::parse(&filled).map_err(|error| Error::caused(ErrorKind::Refused, "source.url is no address", error))
    }
}

fn escaped(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

/// An HTTP source with its client.
pub struct HttpSource {
    config: HttpConfig,
    client: reqwest::Client,
}

impl HttpSource {
    /// A source over a shared client.
    pub fn new(config: HttpConfig, client: reqwest::Client) -> Self {
        Self { config, client }
    }
}

#[async_trait]
impl Source for HttpSource {
    async fn fetch(&self, request: &Request, into: &Landing) -> Result<Vec<Fetched>> {
        let address = self.config.address(request)?;
        let mut call = self.client.get(address.clone()).timeout(self.config.timeout.0);
        if let Some(auth) = &self.config.auth {
            let token = std::fs::read_to_string(request.deployment.join(&auth.bearer_file)).map_err(|error| {
                Error::caused(ErrorKind::Refused, format!("{} cannot be read", auth.bearer_file.display()), error)
            })?;
            call = call.bearer_auth(token.trim());
        }
        let answer = call.send().await.map_err(failed)?;
        match answer.status() {
            StatusCode::OK => {}
            StatusCode::NOT_MODIFIED | StatusCode::NO_CONTENT => return Ok(Vec::new()),
            status => return Err(refused(status)),
        }
        let expected = answer.content_length();
        let limit = self.config.max_bytes;
        let body = answer.bytes_stream().map(|part| part.map_err(failed));
        let bytes = into.receive(body, limit).await?;
        if let Some(expected) = expected.filter(|expected| *expected != bytes.size) {
            let what = format!("the answer ended after {} of {expected} bytes", bytes.size);
            return Err(Error::new(ErrorKind::Retry, what));
        }
        Ok(vec![Fetched { object: format!("slot {}", request.slot_at.to_rfc3339()), bytes }])
    }
}

/// Which answers another try can help: the server's own trouble and "too many", nothing else.
fn refused(status: StatusCode) -> Error {
    let kind =
        if status.is_server_error() || matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT) {
            ErrorKind::Retry
        } else {
            ErrorKind::Source
        };
    let what = match status {
        StatusCode::NOT_FOUND => "the source has nothing at this address (404)".to_owned(),
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
            format!("the source does not accept our secret ({})", status.as_u16())
        }
        other => format!("the source answered {}", other.as_u16()),
    };
    Error::new(kind, what)
}

/// A failed call without its address: addresses may carry secrets.
fn failed(error: reqwest::Error) -> Error {
    let what = if error.is_timeout() {
        "the source did not answer in time"
    } else if error.is_connect() {
        "the source cannot be reached"
    } else {
        "the connection to the source broke"
    };
    Error::caused(ErrorKind::Retry, what, error.without_url())
}
