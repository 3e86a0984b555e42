//! An HTTP address: one object per slot, or one per page of it.

mod address;
mod auth;
mod call;
mod client;
mod json_pointer;
mod link;
mod paging;
mod redirects;
mod retry_after;
#[cfg(test)]
mod tests;
mod validators;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use async_trait::async_trait;
use reqwest::header::{HeaderName, HeaderValue};
use serde::Deserialize;
use url::Url;

pub use address::AddressTemplate;
pub use auth::AuthConfig;
pub use client::shared_client;
pub use paging::PagingConfig;

use super::cursor::CursorConfig;
use super::{Fetched, Request, Source};
use crate::error::{Error, ErrorKind, Result};
use crate::landing::Landing;
use crate::secret::Environment;
use crate::span::Span;
use call::{Answer, Answered, Caller};
use paging::{Pages, Verdict};
use validators::Validators;

/// `[source] kind = "http"`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HttpConfig {
    /// Address; `{slot_date}` and `{cursor}` stand for the slot's day and the cursor.
    url: AddressTemplate,
    /// What `{cursor}` stands for.
    cursor: Option<CursorConfig>,
    /// How we say who we are.
    auth: Option<AuthConfig>,
    /// Certificates (PEM) of a private authority that the source is trusted by, besides the system's.
    ca_file: Option<PathBuf>,
    /// Headers sent along; no secrets.
    #[serde(default)]
    headers: BTreeMap<String, String>,
    /// How an answer in pages is asked for.
    paging: Option<PagingConfig>,
    /// Most pages of one fetch.
    #[serde(default = "most_pages")]
    max_pages: u64,
    /// The header in which the source sends the SHA-256 of an answer.
    checksum: Option<ChecksumConfig>,
    /// Hosts, or host:port, to which redirects and next pages may lead besides that of `url`.
    #[serde(default)]
    allowed_hosts: Vec<String>,
    /// Limit for a whole answer; for each page of it.
    #[serde(default = "a_minute")]
    timeout: Span,
    /// Limit for connecting.
    #[serde(default = "to_connect")]
    connect_timeout: Span,
    /// Longest silence within an answer.
    #[serde(default = "half_a_minute")]
    idle_timeout: Span,
    /// Largest answer taken, bytes; for each page of it.
    #[serde(default = "super::largest")]
    max_bytes: u64,
}

/// `checksum = { header = "…" }`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct ChecksumConfig {
    /// `Content-Digest` and `Digest` as their standards say; any other: SHA-256 in hexadecimal or base64.
    header: String,
}

fn a_minute() -> Span {
    Span(Duration::from_secs(60))
}

fn half_a_minute() -> Span {
    Span(Duration::from_secs(30))
}

fn to_connect() -> Span {
    Span(client::CONNECT)
}

fn most_pages() -> u64 {
    10_000
}

/// Headers that are not for `headers`: secrets belong in `auth`, the rest is ours to say.
const NOT_PLAIN: [&str; 9] = [
    "authorization",
    "proxy-authorization",
    "cookie",
    "host",
    "content-length",
    "connection",
    "transfer-encoding",
    "if-none-match",
    "if-modified-since",
];

impl HttpConfig {
    /// Host and port that answer for it.
    pub(crate) fn place(&self) -> String {
        self.url.place()
    }

    pub(super) fn fault(&self) -> Option<String> {
        let url = self.url.fault().map(|fault| format!("source.url: {fault}"));
        let cursor = match (&self.cursor, self.url.has_cursor()) {
            (None, true) => Some("source.cursor: say what {cursor} in source.url stands for".to_owned()),
            (Some(_), false) => Some("source.cursor: has no place in source.url; write {cursor} there".to_owned()),
            _ => None,
        };
        let auth = self.auth.as_ref().and_then(AuthConfig::fault);
        let paging = self.paging.as_ref().and_then(PagingConfig::fault).map(str::to_owned);
        let headers = self.headers.iter().find_map(|(name, value)| {
            let is_sound = HeaderName::try_from(name).is_ok_and(|name| !NOT_PLAIN.contains(&name.as_str()));
            if !is_sound {
                return Some(format!("source.headers: `{name}` is not for here; secrets belong in source.auth"));
            }
            HeaderValue::from_str(value).err().map(|_| format!("source.headers.{name}: no header can carry its value"))
        });
        let checksum = self.checksum.as_ref().filter(|checksum| HeaderName::try_from(&checksum.header).is_err());
        let checksum =
            checksum.map(|checksum| format!("source.checksum.header: `{}` is no name of a header", checksum.header));
        let zero = [("timeout", self.timeout), ("connect_timeout", self.connect_timeout)];
        let zero = zero.into_iter().chain([("idle_timeout", self.idle_timeout)]).find(|(_, span)| span.0.is_zero());
        let zero = zero.map(|(name, _)| format!("source.{name}: nothing can happen in no time"));
        url.or(cursor).or(auth).or(paging).or(headers).or(checksum).or(zero)
    }

    /// What `{cursor}` stands for.
    pub(super) fn cursor(&self) -> Option<&CursorConfig> {
        self.cursor.as_ref()
    }

    /// Whether a fetch may bring several objects, each a part of the whole.
    pub(crate) fn is_paged(&self) -> bool {
        self.paging.is_some()
    }
}

/// What a source finds around it.
#[derive(Debug, Clone)]
pub struct Surroundings {
    /// Folder of the deployment, for relative paths.
    pub deployment: PathBuf,
    /// The environment, for secrets.
    pub environment: Environment,
    /// The client that sources share.
    pub client: reqwest::Client,
}

/// The HTTP source of a feed.
pub struct HttpSource {
    feed_id: String,
    config: HttpConfig,
    around: Surroundings,
}

impl HttpSource {
    /// The source of a feed.
    pub fn new(feed_id: &str, config: HttpConfig, around: Surroundings) -> Self {
        Self { feed_id: feed_id.to_owned(), config, around }
    }
}

#[async_trait]
impl Source for HttpSource {
    async fn fetch(&self, request: &Request, into: &Landing) -> Result<Vec<Fetched>> {
        let address = self.config.url.fill(request)?;
        let caller = Caller::new(&self.config, &self.around, address.clone(), into)?;
        let is_conditional = self.config.paging.as_ref().is_none_or(PagingConfig::may_ask_conditionally);
        let validators = Validators::of(into, &self.feed_id);
        let mut visit = Visit { caller, landing: into, validators, is_conditional };
        let slot = format!("slot {}", request.slot_at.to_rfc3339());
        let fetched = match &self.config.paging {
            None => match visit.ask(&address).await? {
                Got::Answer(answer) => vec![Fetched { object: slot, bytes: answer.bytes }],
                Got::Nothing => Vec::new(),
                Got::Missing => return Err(call::missing()),
            },
            Some(paging) => self.pages(paging, address, &slot, &mut visit).await?,
        };
        visit.validators.keep()?;
        Ok(fetched)
    }
}

impl HttpSource {
    /// All pages or none: a later page that fails fails the fetch.
    async fn pages(
        &self,
        paging: &PagingConfig,
        address: Url,
        slot: &str,
        visit: &mut Visit<'_>,
    ) -> Result<Vec<Fetched>> {
        let home = address.clone();
        let (mut pages, mut at) = Pages::start(paging, address);
        let mut fetched: Vec<Fetched> = Vec::new();
        loop {
            let answer = match visit.ask(&at).await? {
                Got::Answer(answer) => answer,
                Got::Nothing => return Ok(fetched),
                Got::Missing if fetched.is_empty() || !matches!(paging, PagingConfig::Page(_)) => {
                    return Err(call::missing());
                }
                Got::Missing => return Ok(fetched),
            };
            let verdict = pages.judge(&at, &answer)?;
            if verdict == Verdict::PastTheEnd {
                return Ok(fetched);
            }
            // Five digits, so that pages in the order of their names are in their own order.
            let object = format!("{slot} page {:05}", fetched.len() + 1);
            fetched.push(Fetched { object, bytes: answer.bytes });
            let Verdict::Next(next) = verdict else { return Ok(fetched) };
            if fetched.len() as u64 >= self.config.max_pages {
                let what = format!("the source has more than {} pages (source.max_pages)", self.config.max_pages);
                return Err(Error::new(ErrorKind::Source, what));
            }
            redirects::check(&home, &at, &next, &self.config.allowed_hosts)?;
            at = next;
        }
    }
}

/// One fetch under way.
struct Visit<'a> {
    caller: Caller<'a>,
    landing: &'a Landing,
    validators: Validators,
    /// Whether what is unchanged need not be sent again.
    is_conditional: bool,
}

/// What came from an address, sent now or landed before and unchanged.
enum Got {
    Answer(Answer),
    Nothing,
    Missing,
}

impl Visit<'_> {
    async fn ask(&mut self, address: &Url) -> Result<Got> {
        let known = self.validators.known(address, self.landing).filter(|_| self.is_conditional);
        let answered = self.caller.ask(address, known.as_ref().map(|(validator, _)| *validator)).await?;
        Ok(match (answered, known) {
            (Answered::Bytes(answer), _) => {
                self.validators.note(address, &answer);
                Got::Answer(answer)
            }
            (Answered::Unchanged, Some((validator, bytes))) => {
                Got::Answer(Answer { bytes, headers: reqwest::header::HeaderMap::new(), is_json: validator.is_json })
            }
            (Answered::Nothing, _) | (Answered::Unchanged, None) => Got::Nothing,
            (Answered::Missing, _) => Got::Missing,
        })
    }
}
