//! A bucket of S3 or a compatible store: whole objects, by key in byte order; nothing is moved or
//! deleted. An object whose tag and size are those of the last fetch is not fetched again.

use std::path::PathBuf;
use std::time::Duration;

use async_trait::async_trait;
use datafusion::object_store::aws::{AmazonS3, AmazonS3Builder};
use datafusion::object_store::path::Path as Key;
use datafusion::object_store::{ClientOptions, Error as StoreError, GetOptions, ObjectMeta, ObjectStore, RetryConfig};
use futures::{StreamExt, TryStreamExt};
use serde::Deserialize;
use url::{Host, Url};

use super::names::Names;
use super::seen::{Kept, Seen};
use super::{Fetched, Request, Source};
use crate::error::{Error, ErrorKind, Result};
use crate::landing::Landing;
use crate::secret::{Environment, SecretRef};
use crate::span::Span;

/// `[source] kind = "s3"`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct S3Config {
    /// The bucket.
    pub bucket: String,
    /// Only objects below this prefix, at any depth: `policies/2026`.
    #[serde(default)]
    pub prefix: String,
    /// Names taken, what follows the last `/` of a key: `*` and `?` as in a shell; default those of
    /// the feed's format.
    pub pattern: Option<Names>,
    /// Address of a compatible store; none: Amazon's own, by region.
    pub endpoint: Option<String>,
    /// Region; default `us-east-1`, which compatible stores mostly accept.
    pub region: Option<String>,
    /// Environment variable with the access key.
    pub access_key_env: Option<String>,
    /// File with the access key, relative to the deployment.
    pub access_key_file: Option<PathBuf>,
    /// Environment variable with the secret key.
    pub secret_key_env: Option<String>,
    /// File with the secret key, relative to the deployment.
    pub secret_key_file: Option<PathBuf>,
    /// Allows `http://`, of an endpoint on this machine only.
    #[serde(default)]
    pub allow_http: bool,
    /// Limit for one object.
    #[serde(default = "an_hour")]
    pub timeout: Span,
    /// Largest object taken, bytes.
    #[serde(default = "super::largest")]
    pub max_bytes: u64,
}

fn an_hour() -> Span {
    Span(Duration::from_secs(3600))
}

impl S3Config {
    pub(super) fn fault(&self) -> Option<String> {
        if self.bucket.is_empty() || self.bucket.contains('/') {
            return Some("source.bucket: is the name of a bucket".to_owned());
        }
        if let Some(fault) = self.pattern.as_ref().and_then(Names::fault) {
            return Some(format!("{fault}; the folders are prefix"));
        }
        if let Err(error) = Key::parse(self.prefix.trim_matches('/')) {
            return Some(format!("source.prefix: {error}"));
        }
        let endpoint = self.endpoint.as_deref().and_then(|endpoint| endpoint_fault(endpoint, self.allow_http));
        endpoint.map(|fault| format!("source.endpoint: {fault}")).or_else(|| self.keys().err())
    }

    /// Access key and secret key; `None`: the bucket is read without a signature.
    fn keys(&self) -> Result<Option<(SecretRef, SecretRef)>, String> {
        let access = (self.access_key_env.as_ref(), self.access_key_file.as_ref());
        let secret = (self.secret_key_env.as_ref(), self.secret_key_file.as_ref());
        key_pair(access, secret).map_err(|fault| format!("source: {fault}"))
    }
}

/// A variable or a file that holds a key.
type KeyPlace<'k> = (Option<&'k String>, Option<&'k PathBuf>);

/// Where the access key and the secret key of a store are kept; `None`: no keys are named.
///
/// # Errors
/// What is wrong with the settings that name them, in words.
pub fn key_pair(access: KeyPlace<'_>, secret: KeyPlace<'_>) -> Result<Option<(SecretRef, SecretRef)>, String> {
    if (access, secret) == ((None, None), (None, None)) {
        return Ok(None);
    }
    Ok(Some((SecretRef::of("access_key", access.0, access.1)?, SecretRef::of("secret_key", secret.0, secret.1)?)))
}

/// What is wrong with the address of a store, in words; `allow_http` is for one on this machine.
pub fn endpoint_fault(endpoint: &str, allow_http: bool) -> Option<String> {
    let url = match Url::parse(endpoint) {
        Ok(url) => url,
        Err(error) => return Some(format!("{error}; write https://host")),
    };
    if !url.username().is_empty() || url.password().is_some() || url.query().is_some() {
        return Some("holds no keys; name them in access_key_env and secret_key_env".to_owned());
    }
    match url.scheme() {
        "https" => None,
        "http" if allow_http && is_loopback(&url) => None,
        "http" => Some("write https://; allow_http is for an endpoint on this machine".to_owned()),
        _ => Some("write https://host".to_owned()),
    }
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

/// An S3 source of a feed.
pub struct S3Source {
    config: S3Config,
    feed_id: String,
    environment: Environment,
    kept: Kept,
}

impl S3Source {
    /// A source of a feed, with where its keys are looked up and what failed tries keep.
    pub fn new(config: S3Config, feed_id: String, environment: Environment, kept: Kept) -> Self {
        Self { config, feed_id, environment, kept }
    }

    fn store(&self, request: &Request) -> Result<AmazonS3> {
        let config = &self.config;
        let options = ClientOptions::new()
            .with_timeout(config.timeout.0)
            .with_connect_timeout(Duration::from_secs(10))
            .with_allow_http(config.allow_http);
        // The feed's own retries are the patient ones.
        let retry = RetryConfig { max_retries: 2, retry_timeout: Duration::from_secs(20), ..RetryConfig::default() };
        let mut builder = AmazonS3Builder::new()
            .with_bucket_name(&config.bucket)
            .with_region(config.region.as_deref().unwrap_or("us-east-1"))
            .with_client_options(options)
            .with_retry(retry);
        if let Some(endpoint) = &config.endpoint {
            builder = builder.with_endpoint(endpoint);
        }
        let refused = |what: String| Error::new(ErrorKind::Refused, what);
        builder = match config.keys().map_err(refused)? {
            Some((access, secret)) => builder
                .with_access_key_id(access.read(&request.deployment, self.environment)?.reveal())
                .with_secret_access_key(secret.read(&request.deployment, self.environment)?.reveal()),
            None => builder.with_skip_signature(true),
        };
        builder.build().map_err(|error| Error::caused(ErrorKind::Refused, "the store cannot be addressed", error))
    }

    /// The objects that are taken, by key in byte order.
    async fn list(&self, store: &AmazonS3) -> Result<Vec<ObjectMeta>> {
        let prefix = Key::parse(self.config.prefix.trim_matches('/'))
            .map_err(|error| Error::caused(ErrorKind::Refused, "source.prefix", error))?;
        let prefix = (!prefix.as_ref().is_empty()).then_some(&prefix);
        let taken = |object: &ObjectMeta| {
            let name = object.location.filename().unwrap_or_default();
            object.size > 0 && self.config.pattern.as_ref().is_some_and(|names| names.take(name))
        };
        let listed = store.list(prefix).map_err(|error| self.failed(error));
        let mut objects: Vec<ObjectMeta> =
            listed.try_filter(|object| futures::future::ready(taken(object))).try_collect().await?;
        objects.sort_by(|one, other| one.location.as_ref().cmp(other.location.as_ref()));
        Ok(objects)
    }

    async fn object(&self, store: &AmazonS3, object: &ObjectMeta, into: &Landing) -> Result<crate::landing::Incoming> {
        // What is read must be what was listed, or the next listing would take it for known.
        let options = GetOptions { if_match: object.e_tag.clone(), ..GetOptions::default() };
        let answer = store.get_opts(&object.location, options).await.map_err(|error| self.failed(error))?;
        let body = answer.into_stream().map(|part| part.map_err(|error| self.failed(error)));
        let bytes = into.receive(body, self.config.max_bytes).await?;
        if bytes.size == object.size {
            return Ok(bytes);
        }
        let (key, got, listed) = (&object.location, bytes.size, object.size);
        Err(Error::new(ErrorKind::Retry, format!("{key} ended after {got} of {listed} bytes")))
    }

    /// A failed call in our own words: the store's may repeat what was signed.
    fn failed(&self, error: StoreError) -> Error {
        let bucket = &self.config.bucket;
        let status = status(&error);
        let (kind, what) = match (&error, status) {
            (StoreError::NotFound { path, .. }, _) if !path.is_empty() && path != bucket => {
                (ErrorKind::Retry, format!("{path} went away while bucket {bucket} was read"))
            }
            (StoreError::NotFound { .. }, _) | (_, Some(404)) => {
                (ErrorKind::Source, format!("there is no bucket {bucket} at the endpoint (404)"))
            }
            (StoreError::PermissionDenied { .. } | StoreError::Unauthenticated { .. }, _) | (_, Some(401 | 403)) => {
                (ErrorKind::Source, format!("the store does not let our keys read bucket {bucket}"))
            }
            (StoreError::Precondition { path, .. }, _) => {
                (ErrorKind::Retry, format!("{path} changed while bucket {bucket} was read"))
            }
            (_, Some(status @ 300..=499)) if status != 429 && status != 408 => {
                (ErrorKind::Source, format!("the store answered {status} for bucket {bucket}"))
            }
            (_, Some(status)) => (ErrorKind::Retry, format!("the store answered {status} for bucket {bucket}")),
            (_, None) => (ErrorKind::Retry, format!("the store of bucket {bucket} cannot be reached, or broke off")),
        };
        Error::new(kind, what)
    }
}

/// The HTTP status somewhere below an error, where the store gives none of its own kinds to it.
fn status(error: &StoreError) -> Option<u16> {
    let text = error.to_string();
    // object_store writes "Server returned non-2xx status code: 403 Forbidden: …" and gives no type to it.
    let (_, after) = text.split_once("status code: ")?;
    after.get(..3)?.parse().ok()
}

/// How a version of an object is told from others.
fn fingerprint(object: &ObjectMeta) -> String {
    match &object.e_tag {
        Some(tag) => format!("{tag} {}", object.size),
        None => format!("{} {}", object.last_modified.timestamp_micros(), object.size),
    }
}

#[async_trait]
impl Source for S3Source {
    async fn fetch(&self, request: &Request, into: &Landing) -> Result<Vec<Fetched>> {
        let store = self.store(request)?;
        let mut seen = Seen::of(into, &self.feed_id, &self.kept);
        let mut fetched = Vec::new();
        let outcome = self.fetch_all(&store, into, &mut seen, &mut fetched).await;
        seen.end(outcome, fetched)
    }
}

impl S3Source {
    async fn fetch_all(
        &self,
        store: &AmazonS3,
        into: &Landing,
        seen: &mut Seen,
        fetched: &mut Vec<Fetched>,
    ) -> Result<()> {
        for object in self.list(store).await? {
            let (name, fingerprint) = (object.location.to_string(), fingerprint(&object));
            if let Some(landed) = seen.landed(&name, &fingerprint, into) {
                fetched.push(landed);
                continue;
            }
            let bytes = self.object(store, &object, into).await?;
            seen.note(&name, &fingerprint, &bytes);
            fetched.push(Fetched { object: name, bytes });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(keys: &str) -> Option<String> {
        toml::from_str::<S3Config>(&format!("bucket = 'feeds'\n{keys}")).unwrap().fault()
    }

    #[test]
    fn plain_http_is_for_this_machine_only() {
        assert_eq!(fault("endpoint = 'https://oss.example'"), None);
        assert_eq!(fault("endpoint = 'http://127.0.0.1:9000'\nallow_http = true"), None);
        assert!(fault("endpoint = 'http://127.0.0.1:9000'").is_some());
        assert!(fault("endpoint = 'http://oss.example'\nallow_http = true").is_some());
    }

    #[test]
    fn keys_come_in_pairs_and_by_reference() {
        assert_eq!(fault(""), None, "an open bucket needs none");
        assert_eq!(fault("access_key_env = 'A'\nsecret_key_file = 'secrets/s3'"), None);
        assert!(fault("access_key_env = 'A'").is_some());
        assert!(fault("endpoint = 'https://key:secret@oss.example'").is_some());
        assert!(toml::from_str::<S3Config>("bucket = 'feeds'\nsecret_key = 'hush'").is_err());
    }
}
