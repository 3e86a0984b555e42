//! What an address answered last, by the marks that the source gave it (`ETag`, `Last-Modified`), so
//! that it need not be sent again.
//!
//! One small file a feed below `live/`. It is used only while the bytes lie landed, so it may be
//! written before they land, and losing it costs a fetch.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};

use reqwest::RequestBuilder;
use reqwest::header::{ETAG, HeaderName, IF_MODIFIED_SINCE, IF_NONE_MATCH, LAST_MODIFIED};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use url::Url;

use super::call::Answer;
use crate::error::Result;
use crate::landing::{Incoming, Landing};

/// Addresses remembered for a feed; older ones are forgotten.
const MOST: usize = 1000;

/// What one address answered last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Validator {
    /// SHA-256 of the address, which may carry secrets.
    address: String,
    etag: Option<String>,
    last_modified: Option<String>,
    /// The bytes of the answer.
    sha256: String,
    pub(super) is_json: bool,
}

/// What the addresses of one feed answered last.
#[derive(Debug)]
pub(super) struct Validators {
    path: PathBuf,
    known: Vec<Validator>,
    has_changed: bool,
}

static WRITTEN: AtomicU64 = AtomicU64::new(0);

impl Validators {
    /// What is remembered for a feed; a file that does not parse is as good as none.
    pub(super) fn of(landing: &Landing, feed_id: &str) -> Self {
        let path = landing.live_folder().join(format!("http-{feed_id}.json"));
        let known = std::fs::read(&path).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default();
        Self { path, known, has_changed: false }
    }

    /// What an address answered last, with the bytes that still lie landed.
    pub(super) fn known(&self, address: &Url, landing: &Landing) -> Option<(&Validator, Incoming)> {
        let name = name_of(address);
        let validator = self.known.iter().find(|known| known.address == name)?;
        Some((validator, landing.landed_before(&validator.sha256)?))
    }

    /// Notes an answer; one without marks is not remembered.
    pub(super) fn note(&mut self, address: &Url, answer: &Answer) {
        let text = |name: HeaderName| answer.headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let validator = Validator {
            address: name_of(address),
            etag: text(ETAG),
            last_modified: text(LAST_MODIFIED),
            sha256: answer.bytes.sha256.clone(),
            is_json: answer.is_json,
        };
        self.known.retain(|known| known.address != validator.address);
        if validator.etag.is_some() || validator.last_modified.is_some() {
            self.known.push(validator);
        }
        self.known.drain(..self.known.len().saturating_sub(MOST));
        self.has_changed = true;
    }

    /// Writes what has changed; not synced, for a file that a power cut empties is as good as none.
    ///
    /// # Errors
    /// Warehouse.
    pub(super) fn keep(self) -> Result<()> {
        if !self.has_changed {
            return Ok(());
        }
        if let Some(folder) = self.path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        // Two slots of a feed may be fetched at once; each writes a whole file of its own.
        let number = WRITTEN.fetch_add(1, Ordering::Relaxed);
        let unfinished = self.path.with_extension(format!("{number}.unfinished"));
        std::fs::write(&unfinished, serde_json::to_vec(&self.known)?)?;
        std::fs::rename(&unfinished, &self.path)?;
        Ok(())
    }
}

impl Validator {
    /// The request, to be answered only by something else than what is known.
    pub(super) fn apply(&self, mut call: RequestBuilder) -> RequestBuilder {
        if let Some(etag) = &self.etag {
            call = call.header(IF_NONE_MATCH, etag);
        }
        if let Some(moment) = &self.last_modified {
            call = call.header(IF_MODIFIED_SINCE, moment);
        }
        call
    }
}

fn name_of(address: &Url) -> String {
    Sha256::digest(address.as_str()).iter().map(|byte| format!("{byte:02x}")).collect()
}
