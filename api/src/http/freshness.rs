//! How fresh the data are now, beside what was known at the release.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anze_ingest::clock::Clock;
use axum::http::HeaderValue;
use chrono::{DateTime, Utc};
use tokio::sync::Mutex;

use crate::deployment::Deployment;
use crate::output::instant;
use crate::problem::Problem;
use crate::rows::{Row, text};

/// The state of the slots is read again after this.
const LOOK_AGAIN: Duration = Duration::from_secs(2);

/// What is fresh and what is behind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fresh {
    /// The newest release and when it was published.
    pub newest: Option<(u64, DateTime<Utc>)>,
    /// Feeds whose last deadline passed without a delivery.
    pub late_feeds: Vec<String>,
}

/// Reads the state of the slots now and then, once for all who ask.
#[derive(Default)]
pub struct Freshness {
    known: Mutex<Option<(Instant, Arc<Fresh>)>>,
}

impl Freshness {
    /// The state now, at most two seconds old.
    pub async fn now(&self, deployment: &Arc<Deployment>, clock: &Clock) -> Result<Arc<Fresh>, Problem> {
        let mut known = self.known.lock().await;
        if let Some((looked_at, fresh)) = known.as_ref()
            && looked_at.elapsed() < LOOK_AGAIN
        {
            return Ok(Arc::clone(fresh));
        }
        let newest = deployment.newest().await?.map(|release| (release.number(), release.published_at()));
        let reader = Arc::clone(deployment);
        let now = clock.now();
        let late_feeds = tokio::task::spawn_blocking(move || {
            let slots = reader.warehouse().live("slot")?.rows()?;
            Ok::<_, anze_warehouse::Error>(late_feeds(&slots, now))
        });
        let late_feeds = late_feeds.await.map_err(|error| Problem::internal(&error))??;
        let fresh = Arc::new(Fresh { newest, late_feeds });
        *known = Some((Instant::now(), Arc::clone(&fresh)));
        Ok(fresh)
    }

    /// The state as a header: `release=12, published_at="…", late_feeds=2`.
    pub async fn header(&self, deployment: &Arc<Deployment>, clock: &Clock) -> Result<HeaderValue, Problem> {
        let fresh = self.now(deployment, clock).await?;
        let newest = match fresh.newest {
            Some((number, at)) => format!("release={number}, published_at=\"{}\", ", instant(at)),
            None => String::new(),
        };
        let text = format!("{newest}late_feeds={}", fresh.late_feeds.len());
        HeaderValue::from_str(&text).map_err(|error| Problem::internal(&error))
    }
}

/// The feeds whose latest slot with a past deadline was not fulfilled, in byte order.
fn late_feeds(slots: &[Row], now: DateTime<Utc>) -> Vec<String> {
    let mut latest: BTreeMap<&str, (DateTime<Utc>, bool)> = BTreeMap::new();
    for slot in slots {
        let at =
            |column| text(slot, column).and_then(|text| DateTime::parse_from_rfc3339(text).ok()).map(|at| at.to_utc());
        let (Some(feed), Some(slot_at), Some(due_at)) = (text(slot, "feed_id"), at("slot_at"), at("due_at")) else {
            continue;
        };
        let known = latest.get(feed).map(|(known, _)| *known);
        if due_at <= now && known.is_none_or(|known| known < slot_at) {
            latest.insert(feed, (slot_at, text(slot, "fulfilled_by").is_none()));
        }
    }
    latest.into_iter().filter(|(_, (_, late))| *late).map(|(feed, _)| feed.to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn slot(feed: &str, day: &str, due: &str, fulfilled_by: Option<&str>) -> Row {
        let at = |day: &str| format!("{day}T10:00:00Z");
        let row = json!({"feed_id": feed, "slot_at": at(day), "due_at": at(due), "fulfilled_by": fulfilled_by});
        row.as_object().unwrap().clone()
    }

    #[test]
    fn a_feed_is_late_while_its_last_due_slot_stands_open() {
        let slots = [
            slot("a", "2026-06-28", "2026-06-29", None),
            slot("a", "2026-06-29", "2026-06-30", Some("b1")),
            slot("b", "2026-06-29", "2026-06-30", None),
            slot("b", "2026-06-30", "2026-07-01", None),
            slot("c", "2026-06-30", "2026-07-01", None),
        ];
        assert_eq!(late_feeds(&slots, "2026-06-30T12:00:00Z".parse().unwrap()), ["b"]);
    }
}
