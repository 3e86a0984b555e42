//! The courier: tells the webhook of alerts, one request a feed and change, until it takes them.
//! What it took is noted with the alert, so that a restart goes on where the last process stopped;
//! a crash between the two tells an alert again.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use tokio::sync::watch;
use url::Url;

use crate::error::{Error, ErrorKind, Result};
use crate::run::Ingest;
use crate::schedule::{Alert, ZONE};

/// How often news is looked for; the wait after the first failure, which doubles each time.
const PACE: Duration = Duration::from_secs(2);
/// Longest wait after a failure.
const LONGEST: Duration = Duration::from_secs(600);
/// Limit for one request.
const TIME_LIMIT: Duration = Duration::from_secs(10);

/// Where alerts are told. Its address may hold a secret and is never shown.
#[derive(Clone)]
pub struct Webhook {
    address: Url,
    client: reqwest::Client,
    pace: Duration,
}

impl Webhook {
    /// A webhook at an address.
    ///
    /// # Errors
    /// Refused, where the address is none; the message does not repeat it.
    pub fn new(address: &str) -> Result<Self> {
        let refused = |what: &str| Error::new(ErrorKind::Refused, what);
        let address = Url::parse(address.trim()).map_err(|_| refused("the webhook is no address; write https://…"))?;
        if !matches!(address.scheme(), "http" | "https") {
            return Err(refused("the webhook is no web address; write https://…"));
        }
        let client = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(TIME_LIMIT)
            .build()
            .map_err(|error| Error::caused(ErrorKind::Refused, "the HTTP client does not start", error))?;
        Ok(Self { address, client, pace: PACE })
    }

    /// The same at another pace.
    #[cfg(test)]
    pub(super) fn at_pace(self, pace: Duration) -> Self {
        Self { pace, ..self }
    }

    async fn tell(&self, told: &Value) -> Result<()> {
        let call = self.client.post(self.address.clone());
        let call = call.header("content-type", "application/json").body(told.to_string());
        let failed = |error: reqwest::Error| {
            Error::caused(ErrorKind::Retry, "the webhook cannot be reached", error.without_url())
        };
        let status = call.send().await.map_err(failed)?.status();
        match status.is_success() {
            true => Ok(()),
            false => Err(Error::new(ErrorKind::Source, format!("the webhook answered {}", status.as_u16()))),
        }
    }
}

/// Carries alerts until the service stops.
pub(super) async fn carry(ingest: Arc<Ingest>, webhook: Webhook, mut stopped: watch::Receiver<bool>) {
    let mut failures = 0_u32;
    loop {
        let wait = webhook.pace.saturating_mul(1 << failures.min(16)).min(LONGEST);
        tokio::select! {
            biased;
            _ = stopped.changed() => return,
            // The webhook lives on the wall clock, whatever clock schedules go by.
            () = tokio::time::sleep(wait) => {}
        }
        tokio::select! {
            biased;
            // What was being told is told again at the next start.
            _ = stopped.changed() => return,
            told = tell_all(&ingest, &webhook) => match told {
                Ok(()) => failures = 0,
                Err(error) => {
                    failures += 1;
                    tracing::warn!(%error, failures, "an alert could not be told; trying again");
                }
            },
        }
    }
}

/// Tells all there is; a refusal of one does not keep the others back, silence does.
async fn tell_all(ingest: &Ingest, webhook: &Webhook) -> Result<()> {
    let mut refused = Ok(());
    let now = ingest.clock().now();
    for alert in ingest.untold_alerts().await {
        if is_stale(&alert, now) {
            ingest.note_told(&alert).await?;
            continue;
        }
        match webhook.tell(&message(ingest, &alert)).await {
            Ok(()) => ingest.note_told(&alert).await?,
            Err(error) if error.kind() == ErrorKind::Retry => return Err(error),
            Err(error) => refused = Err(error),
        }
    }
    refused
}

/// Over for a week and never told: there was no webhook then.
fn is_stale(alert: &Alert, now: DateTime<Utc>) -> bool {
    alert.told_at.is_none() && alert.resolved_at.is_some_and(|resolved| now - resolved > chrono::Duration::days(7))
}

/// What the webhook is sent.
fn message(ingest: &Ingest, alert: &Alert) -> Value {
    let feed = ingest.feeds().get(&alert.feed_id);
    let at = |at: DateTime<Utc>| at.with_timezone(&ZONE).to_rfc3339();
    json!({
        "id": format!("{}/{}/{}", alert.feed_id, alert.kind.name(), alert.changed_at.timestamp_micros()),
        "feed_id": alert.feed_id,
        "title": feed.map(|feed| &feed.title),
        "reporter": feed.map(|feed| &feed.reporter),
        "region_code": feed.and_then(|feed| feed.region_code.as_ref()),
        "department": feed.and_then(|feed| feed.department.as_ref()),
        "kind": alert.kind.name(),
        "state": alert.state(),
        "raised_at": at(alert.raised_at),
        "changed_at": at(alert.changed_at),
        "resolved_at": alert.resolved_at.map(at),
        "slots": alert.slots(),
        "batch_id": alert.batch_id,
        "message_zh": alert.message_zh,
        "message_en": alert.message_en,
    })
}
