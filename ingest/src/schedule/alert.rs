//! Alerts: what is wrong with a feed, one row per feed, kind and raising. An alert is told when it
//! is raised, when it grows and when it is resolved, and not in between.

use std::collections::BTreeMap;

use anze_warehouse::Warehouse;
use anze_warehouse::live::{LiveFile, LiveRow};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::error::Result;

/// What can be wrong with a feed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AlertKind {
    /// A deadline passed with nothing landed.
    Overdue,
    /// A batch is held whole.
    Held,
    /// Its run failed, for good or as often as the feed tries.
    Failed,
}

impl AlertKind {
    /// Its name in tables and messages.
    pub fn name(self) -> &'static str {
        match self {
            Self::Overdue => "overdue",
            Self::Held => "held",
            Self::Failed => "failed",
        }
    }
}

/// What is wrong now; equal trouble is not told twice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    /// The slots concerned, oldest first.
    pub slots: Vec<DateTime<Utc>>,
    /// The batch that is held.
    pub batch_id: Option<String>,
    /// For officials, in Chinese and English.
    pub message: (String, String),
}

/// One alert as its row tells it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alert {
    /// Its feed.
    pub feed_id: String,
    /// What is wrong.
    pub kind: AlertKind,
    /// Since when.
    pub raised_at: DateTime<Utc>,
    /// When it was raised, grew or was resolved, whichever came last.
    pub changed_at: DateTime<Utc>,
    /// `None`: it stands.
    pub resolved_at: Option<DateTime<Utc>>,
    /// The change that the webhook took last.
    pub told_at: Option<DateTime<Utc>>,
    /// The slots concerned, as a JSON list.
    slots: String,
    /// The batch that is held.
    pub batch_id: Option<String>,
    /// For officials.
    pub message_zh: String,
    /// The same in English.
    pub message_en: String,
}

impl Alert {
    /// `raised`, `changed` or `resolved`.
    pub fn state(&self) -> &'static str {
        match self.resolved_at {
            Some(_) => "resolved",
            None if self.changed_at == self.raised_at => "raised",
            None => "changed",
        }
    }

    /// The slots concerned, as JSON.
    pub fn slots(&self) -> Value {
        serde_json::from_str(&self.slots).unwrap_or(Value::Null)
    }

    fn is_untold(&self) -> bool {
        self.told_at != Some(self.changed_at)
    }

    fn row(&self) -> Result<LiveRow> {
        match serde_json::to_value(self)? {
            Value::Object(row) => Ok(row),
            _ => Ok(LiveRow::new()),
        }
    }
}

type Key = (String, AlertKind, DateTime<Utc>);

/// The live table `system.alert`.
#[derive(Debug)]
pub struct Alerts {
    file: LiveFile,
    /// The alerts that stand, by feed and kind.
    standing: BTreeMap<(String, AlertKind), Alert>,
    /// Changes that the webhook has not taken.
    untold: BTreeMap<Key, Alert>,
    /// When the last change of each feed and kind was.
    last_change: BTreeMap<(String, AlertKind), DateTime<Utc>>,
}

impl Alerts {
    /// Reads the alerts of a warehouse.
    ///
    /// # Errors
    /// Warehouse.
    pub fn open(warehouse: &Warehouse) -> Result<Self> {
        let file = warehouse.live("alert")?;
        let rows = file.rows()?;
        let mut alerts =
            Self { file, standing: BTreeMap::new(), untold: BTreeMap::new(), last_change: BTreeMap::new() };
        for row in rows {
            alerts.hold(serde_json::from_value(row.into())?);
        }
        Ok(alerts)
    }

    /// The alerts of a kind that stand.
    pub fn standing(&self, kind: AlertKind) -> impl Iterator<Item = &Alert> {
        self.standing.values().filter(move |alert| alert.kind == kind)
    }

    /// Notes what is wrong with a feed now, or that nothing is; `true` where that is news.
    ///
    /// # Errors
    /// Warehouse.
    pub fn settle(
        &mut self,
        feed_id: &str,
        kind: AlertKind,
        now: DateTime<Utc>,
        trouble: Option<Trouble>,
    ) -> Result<bool> {
        let of = (feed_id.to_owned(), kind);
        // A second change within a microsecond, or after a clock that was set back, is still later.
        let after = self.last_change.get(&of).map(|last| *last + chrono::Duration::microseconds(1));
        let at = after.map_or(now, |after| after.max(now));
        let changed = match (self.standing.get(&of), trouble) {
            (None, None) => return Ok(false),
            (Some(alert), None) => Alert { changed_at: at, resolved_at: Some(at), ..alert.clone() },
            (standing, Some(trouble)) => {
                let slots = json!(trouble.slots).to_string();
                let is_same = standing.is_some_and(|alert| alert.slots == slots && alert.batch_id == trouble.batch_id);
                if is_same {
                    return Ok(false);
                }
                Alert {
                    feed_id: feed_id.to_owned(),
                    kind,
                    raised_at: standing.map_or(at, |alert| alert.raised_at),
                    changed_at: at,
                    resolved_at: None,
                    told_at: standing.and_then(|alert| alert.told_at),
                    slots,
                    batch_id: trouble.batch_id,
                    message_zh: trouble.message.0,
                    message_en: trouble.message.1,
                }
            }
        };
        self.note(changed)?;
        Ok(true)
    }

    /// What the webhook has not taken, in the order in which it changed.
    pub fn untold(&self) -> Vec<Alert> {
        let mut untold: Vec<Alert> = self.untold.values().cloned().collect();
        untold.sort_by(|a, b| (a.changed_at, &a.feed_id, a.kind).cmp(&(b.changed_at, &b.feed_id, b.kind)));
        untold
    }

    /// Notes that the webhook took an alert as it stood; what changed since is told again.
    ///
    /// # Errors
    /// Warehouse.
    pub fn told(&mut self, alert: &Alert) -> Result<()> {
        let key = (alert.feed_id.clone(), alert.kind, alert.raised_at);
        let Some(now) = self.untold.get(&key) else { return Ok(()) };
        let told = Alert { told_at: Some(alert.changed_at), ..now.clone() };
        self.note(told)
    }

    fn note(&mut self, alert: Alert) -> Result<()> {
        self.file.append(&[alert.row()?])?;
        self.hold(alert);
        Ok(())
    }

    fn hold(&mut self, alert: Alert) {
        let of = (alert.feed_id.clone(), alert.kind);
        let key = (alert.feed_id.clone(), alert.kind, alert.raised_at);
        let last = self.last_change.entry(of.clone()).or_insert(alert.changed_at);
        *last = alert.changed_at.max(*last);
        if alert.is_untold() {
            self.untold.insert(key, alert.clone());
        } else {
            self.untold.remove(&key);
        }
        if alert.resolved_at.is_none() {
            self.standing.insert(of, alert);
        } else if self.standing.get(&of).is_some_and(|standing| standing.raised_at == alert.raised_at) {
            self.standing.remove(&of);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    fn trouble(slots: &[&str]) -> Option<Trouble> {
        let slots = slots.iter().map(|slot| at(slot)).collect();
        Some(Trouble { slots, batch_id: None, message: ("逾期".to_owned(), "overdue".to_owned()) })
    }

    const MONDAY: &str = "2026-03-02T18:00:00Z";
    const TUESDAY: &str = "2026-03-03T18:00:00Z";

    fn open() -> (tempfile::TempDir, std::sync::Arc<Warehouse>) {
        let folder = tempfile::tempdir().unwrap();
        let warehouse = Warehouse::open(folder.path()).unwrap();
        (folder, warehouse)
    }

    #[test]
    fn an_alert_is_news_when_it_is_raised_grows_and_is_resolved_and_not_in_between() {
        let (_folder, warehouse) = open();
        let mut alerts = Alerts::open(&warehouse).unwrap();
        let steps = [
            (None, None),
            (trouble(&[MONDAY]), Some("raised")),
            (trouble(&[MONDAY]), None),
            (trouble(&[MONDAY, TUESDAY]), Some("changed")),
            (trouble(&[MONDAY, TUESDAY]), None),
            (None, Some("resolved")),
            (None, None),
            (trouble(&[TUESDAY]), Some("raised")),
        ];
        for (hour, (trouble, news)) in steps.into_iter().enumerate() {
            let now = at("2026-03-05T00:00:00Z") + chrono::Duration::hours(hour as i64);
            let is_news = alerts.settle("f", AlertKind::Overdue, now, trouble).unwrap();
            assert_eq!(is_news, news.is_some(), "step {hour}");
            let untold = alerts.untold();
            assert_eq!(untold.first().map(Alert::state), news, "step {hour}");
            untold.iter().for_each(|alert| alerts.told(alert).unwrap());
            // A process that starts here goes on in the same place.
            alerts = Alerts::open(&warehouse).unwrap();
        }
        assert_eq!(warehouse.live("alert").unwrap().rows().unwrap().len(), 2, "it was raised twice");
    }

    #[test]
    fn what_changes_while_it_is_being_told_is_told_again() {
        let (_folder, warehouse) = open();
        let mut alerts = Alerts::open(&warehouse).unwrap();
        let now = at("2026-03-05T00:00:00Z");
        alerts.settle("f", AlertKind::Overdue, now, trouble(&[MONDAY])).unwrap();
        let under_way = alerts.untold().remove(0);
        alerts.settle("f", AlertKind::Overdue, now, None).unwrap();
        alerts.told(&under_way).unwrap();
        let left = Alerts::open(&warehouse).unwrap().untold();
        assert_eq!(left.iter().map(Alert::state).collect::<Vec<_>>(), ["resolved"]);
    }
}
