//! One address asked: redirects followed, the answer judged, its bytes taken in and compared with
//! what was promised about them.

use futures::{StreamExt, stream};
use reqwest::header::{ACCEPT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, LINK, LOCATION};
use reqwest::{Response, StatusCode};
use url::Url;

use super::address::is_same_server;
use super::auth::Credential;
use super::client::Clients;
use super::redirects::Route;
use super::retry_after::retry_after;
use super::validators::Validator;
use super::{HttpConfig, Surroundings};
use crate::digest::sha256_in;
use crate::error::{Error, ErrorKind, Result};
use crate::landing::{Incoming, Landing};

/// Asks the addresses of one source.
pub(super) struct Caller<'a> {
    config: &'a HttpConfig,
    clients: Clients,
    credential: Option<Credential>,
    home: Url,
    landing: &'a Landing,
}

/// What an address answered.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) bytes: Incoming,
    pub(super) headers: HeaderMap,
    /// It calls itself JSON, and not one JSON a line.
    pub(super) is_json: bool,
}

/// How an address answered.
#[derive(Debug)]
pub(super) enum Answered {
    Bytes(Answer),
    /// It is what it was.
    Unchanged,
    /// 204.
    Nothing,
    /// 404.
    Missing,
}

impl Answer {
    /// The values of its `Link` headers.
    pub(super) fn links(&self) -> Vec<String> {
        self.headers.get_all(LINK).iter().filter_map(|value| value.to_str().ok()).map(str::to_owned).collect()
    }
}

impl<'a> Caller<'a> {
    /// # Errors
    /// Refused: a secret or certificate that is missing.
    pub(super) fn new(config: &'a HttpConfig, around: &Surroundings, home: Url, landing: &'a Landing) -> Result<Self> {
        let clients = Clients::of(config, around)?;
        let credential = config.auth.as_ref().map(|auth| auth.credential(around)).transpose()?.flatten();
        Ok(Self { config, clients, credential, home, landing })
    }

    /// Asks an address, with the mark of what it answered last if there is one.
    ///
    /// # Errors
    /// Retry or Source.
    pub(super) async fn ask(&self, address: &Url, known: Option<&Validator>) -> Result<Answered> {
        let limit = self.config.timeout.0;
        tokio::time::timeout(limit, self.follow(address, known)).await.unwrap_or_else(|_| {
            let what = format!("the answer of the source was not complete within {limit:?} (source.timeout)");
            Err(Error::new(ErrorKind::Retry, what))
        })
    }

    async fn follow(&self, address: &Url, known: Option<&Validator>) -> Result<Answered> {
        let mut route = Route::from(address.clone(), &self.home, &self.config.allowed_hosts);
        loop {
            let answer = self.send(route.at(), known).await?;
            if !is_redirect(answer.status()) {
                return self.take(answer, known).await;
            }
            let location = answer.headers().get(LOCATION).and_then(|place| std::str::from_utf8(place.as_bytes()).ok());
            let location = location.ok_or_else(|| {
                Error::new(ErrorKind::Source, "the source redirects without saying where to (no Location)")
            })?;
            route.go(location)?;
        }
    }

    async fn send(&self, at: &Url, known: Option<&Validator>) -> Result<Response> {
        let mut call = self.clients.toward(&self.home, at).get(at.clone());
        call = call.header(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        // Those of the feed replace ours.
        call = call.headers(self.headers());
        if let Some(credential) = self.credential.as_ref().filter(|_| is_same_server(&self.home, at)) {
            call = credential.apply(call);
        }
        if let Some(known) = known {
            call = known.apply(call);
        }
        call.send().await.map_err(failed)
    }

    fn headers(&self) -> HeaderMap {
        let read = |(name, value): (&String, &String)| {
            Some((HeaderName::try_from(name).ok()?, HeaderValue::from_str(value).ok()?))
        };
        self.config.headers.iter().filter_map(read).collect()
    }

    async fn take(&self, answer: Response, known: Option<&Validator>) -> Result<Answered> {
        match answer.status() {
            StatusCode::OK => {}
            StatusCode::NO_CONTENT => return Ok(Answered::Nothing),
            StatusCode::NOT_FOUND => return Ok(Answered::Missing),
            StatusCode::NOT_MODIFIED if known.is_some() => return Ok(Answered::Unchanged),
            status => return Err(refused(status, answer.headers())),
        }
        let headers = answer.headers().clone();
        let promised = self.checksum(&headers)?;
        let expected = answer.content_length();
        let most = self.config.max_bytes;
        if expected.is_some_and(|expected| expected > most) {
            let what = format!("the source has more than {most} bytes; raise source.max_bytes if that is right");
            return Err(Error::new(ErrorKind::Source, what));
        }
        let bytes = self.receive(answer, most).await?;
        if let Some(expected) = expected.filter(|expected| *expected != bytes.size) {
            let what = format!("the answer ended after {} of {expected} bytes", bytes.size);
            return Err(Error::new(ErrorKind::Retry, what));
        }
        if promised.is_some_and(|promised| promised != bytes.sha256) {
            let what = "the bytes that came do not have the checksum that the source sent with them";
            return Err(Error::new(ErrorKind::Retry, what));
        }
        let is_json = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).is_some_and(is_json);
        Ok(Answered::Bytes(Answer { bytes, headers, is_json }))
    }

    /// The SHA-256 that the source promises, in hexadecimal.
    fn checksum(&self, headers: &HeaderMap) -> Result<Option<String>> {
        let Some(checksum) = &self.config.checksum else { return Ok(None) };
        let name = checksum.header.as_str();
        let value = headers.get(name).and_then(|value| value.to_str().ok());
        match value.map(|value| sha256_in(name, value)) {
            Some(Some(sha256)) => Ok(Some(sha256)),
            Some(None) => {
                Err(Error::new(ErrorKind::Source, format!("the header {name} of the answer holds no SHA-256")))
            }
            None => {
                let what = format!("the answer has no header {name}, which source.checksum names");
                Err(Error::new(ErrorKind::Source, what))
            }
        }
    }

    /// Takes the bytes in; a source that falls silent in between is given up.
    async fn receive(&self, answer: Response, most: u64) -> Result<Incoming> {
        let idle = self.config.idle_timeout.0;
        let parts = stream::unfold(Box::pin(answer.bytes_stream()), move |mut parts| async move {
            match tokio::time::timeout(idle, parts.next()).await {
                Ok(None) => None,
                Ok(Some(part)) => Some((part.map_err(failed), parts)),
                Err(_) => {
                    let what = format!("the source sent nothing for {idle:?} (source.idle_timeout)");
                    Some((Err(Error::new(ErrorKind::Retry, what)), parts))
                }
            }
        });
        self.landing.receive(Box::pin(parts), most).await
    }
}

fn is_redirect(status: StatusCode) -> bool {
    matches!(
        status,
        StatusCode::MOVED_PERMANENTLY
            | StatusCode::FOUND
            | StatusCode::SEE_OTHER
            | StatusCode::TEMPORARY_REDIRECT
            | StatusCode::PERMANENT_REDIRECT
    )
}

/// Whether a content type is JSON as a whole, `application/json` or `application/…+json`.
fn is_json(kind: &str) -> bool {
    let kind = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    kind == "application/json" || kind == "text/json" || kind.ends_with("+json")
}

/// Nothing is at the only or first address.
pub(super) fn missing() -> Error {
    Error::new(ErrorKind::Source, "the source has nothing at this address (404)")
}

/// Which answers another try can help: the server's own trouble and "too many", nothing else.
fn refused(status: StatusCode, headers: &HeaderMap) -> Error {
    let number = status.as_u16();
    if status.is_server_error() || matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT) {
        let error = Error::new(ErrorKind::Retry, format!("the source answered {number}"));
        return error.with_retry_after(retry_after(headers));
    }
    let what = match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => format!("the source does not accept our secret ({number})"),
        _ => format!("the source answered {number}"),
    };
    Error::new(ErrorKind::Source, what)
}

/// A failed call without its address: addresses may carry secrets.
fn failed(error: reqwest::Error) -> Error {
    let (kind, what) = if error.is_builder() {
        (ErrorKind::Refused, "the request cannot be made")
    } else if error.is_connect() {
        (ErrorKind::Retry, "the source cannot be reached")
    } else if error.is_timeout() {
        (ErrorKind::Retry, "the source did not answer in time")
    } else {
        (ErrorKind::Retry, "the connection to the source broke")
    };
    Error::new(kind, format!("{what}: {}", innermost(&error.without_url())))
}

/// The cause at the bottom, which says what is wrong (no such host, a certificate of nobody we know)
/// where those above it say that something is.
fn innermost(error: &dyn std::error::Error) -> String {
    match error.source() {
        Some(cause) => innermost(cause),
        None => error.to_string(),
    }
}
