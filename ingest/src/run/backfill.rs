//! Backfill: the slots of a past period are asked for again, in order, in one run.

use std::collections::HashMap;
use std::sync::Arc;

use anze_warehouse::live::LiveRow;
use anze_warehouse::publication::Writer;
use anze_warehouse::session::Limits;
use chrono::{DateTime, Days, Duration, NaiveDate, NaiveTime, TimeZone, Utc};
use datafusion::arrow::array::AsArray;
use datafusion::arrow::datatypes::TimestampMicrosecondType;
use datafusion::logical_expr::{col, lit};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::taken::Verdict;
use super::{Ingest, Job, Publish, RunReport};
use crate::error::{Error, ErrorKind, Result};
use crate::feed::{Feed, Mode};
use crate::landing::{Delivery, batch_id};
use crate::load::{BatchReport, Due, load};
use crate::schedule::{ZONE, day_of};
use crate::source::Fetched;

/// Most slots of one backfill; a longer period is asked for in parts.
const MOST_SLOTS: usize = 5_000;

/// A period to be fetched again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BackfillAsk {
    /// The feed.
    pub feed: String,
    /// First day.
    pub from: NaiveDate,
    /// First day after the period.
    pub to: NaiveDate,
    /// Say what would happen, and change nothing.
    #[serde(default)]
    pub preview: bool,
}

/// What a backfill did, or in a preview would do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BackfillReport {
    /// Whether nothing was landed on purpose.
    pub preview: bool,
    /// The feed.
    pub feed_id: String,
    /// The release that has the batches; `None`: there is none.
    pub release: Option<u64>,
    /// The slots of the period, oldest first.
    pub slots: Vec<BackfilledSlot>,
    /// Frozen assessments about days of the period. None is altered by a backfill.
    pub frozen_assessments: Vec<String>,
}

/// What came for one slot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BackfilledSlot {
    /// The slot; midnight of the day for a feed without a schedule.
    pub slot_at: DateTime<Utc>,
    /// Its day, which the source was asked for.
    pub slot_date: NaiveDate,
    /// `published`, `held`, `nothing_new` or `failed`.
    pub outcome: &'static str,
    /// Objects that are new.
    pub objects: Vec<String>,
    /// Their size in bytes.
    pub bytes: u64,
    /// Records read.
    pub read: u64,
    /// Records that became current.
    pub accepted: u64,
    /// Valid records behind a newer version.
    pub superseded: u64,
    /// Records equal to the current version.
    pub unchanged: u64,
    /// Records held.
    pub quarantined: u64,
    /// Why a batch is held whole, or what failed.
    pub reason: Option<String>,
}

impl BackfillReport {
    /// Whether a slot failed.
    pub fn has_failed(&self) -> bool {
        self.slots.iter().any(|slot| slot.outcome == "failed")
    }

    /// Whether a person has something to look at.
    pub fn has_held(&self) -> bool {
        self.slots.iter().any(|slot| slot.outcome == "held" || slot.quarantined > 0)
    }
}

impl Ingest {
    /// The frozen assessments about days that are fetched again.
    fn frozen_assessments(&self, ask: &BackfillAsk) -> Result<Vec<String>> {
        let text = |row: &LiveRow, name: &str| row.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let (from, to) = (ask.from.to_string(), ask.to.to_string());
        let rows = self.warehouse.live("assessment")?.rows()?;
        // Days written alike compare like days.
        let frozen = rows.iter().filter(|row| text(row, "state") == "frozen");
        let concerned = frozen.filter(|row| text(row, "period_from") < to && from < text(row, "period_to"));
        Ok(concerned.map(|row| text(row, "assessment_id")).collect())
    }

    /// Fetches the slots of a period again, lands and loads them in order and publishes once.
    ///
    /// # Errors
    /// Refused, for an unknown feed, a period without a slot, or a snapshot feed with a newer
    /// snapshot; Warehouse. A slot whose source fails is in the report and does not stop the others.
    pub async fn backfill(&self, writer: &Writer, ask: &BackfillAsk, by: &str) -> Result<BackfillReport> {
        let Some(feed) = self.feeds.get(&ask.feed).map(Arc::clone) else {
            let what = format!("there is no feed `{}`; anze feeds list shows them", ask.feed);
            return Err(Error::new(ErrorKind::Refused, what));
        };
        let begun = self.clock.now();
        let slots = slots(&feed, ask.from, ask.to, begun)?;
        self.refuse_older_snapshots(&feed, &slots).await?;
        let mut report = BackfillReport {
            preview: ask.preview,
            feed_id: ask.feed.clone(),
            release: None,
            slots: slots.iter().map(|slot| BackfilledSlot::of(*slot)).collect(),
            frozen_assessments: self.frozen_assessments(ask)?,
        };
        let run = if ask.preview {
            self.preview_slots(writer, &feed, &mut report.slots).await?
        } else {
            let jobs = slots.iter().map(|slot| Job { feed: Arc::clone(&feed), slot_at: Some(*slot) }).collect();
            self.run(writer, jobs, by, Publish::Once).await?
        };
        for batch in run.batches.iter().filter(|batch| batch.delivery.feed_id == feed.feed_id) {
            let slot = report.slots.iter_mut().find(|slot| Some(slot.slot_at) == batch.delivery.slot_at);
            if let Some(slot) = slot {
                slot.add(batch);
            }
        }
        if !run.failures.is_empty() {
            self.note_failed(&feed, begun, &mut report.slots)?;
        }
        report.release = run.release.map(|release| release.number());
        Ok(report)
    }

    /// A snapshot of an earlier day, loaded after a newer one, would end what stands today.
    async fn refuse_older_snapshots(&self, feed: &Feed, slots: &[DateTime<Utc>]) -> Result<()> {
        let (Mode::Snapshot, Some(first), Some(latest)) = (feed.mode, slots.first(), self.warehouse.latest().await?)
        else {
            return Ok(());
        };
        let session = latest.session(&Limits::default())?;
        let published = col("state").eq(lit("published")).and(col("feed_id").eq(lit(feed.feed_id.as_str())));
        let frame =
            session.table("system.batch").await?.filter(published)?.select_columns(&["slot_at", "landed_at"])?;
        for batch in frame.collect().await? {
            let (slot, landed) = (
                batch.column(0).as_primitive::<TimestampMicrosecondType>(),
                batch.column(1).as_primitive::<TimestampMicrosecondType>(),
            );
            let newest = slot.iter().zip(landed).filter_map(|(slot, landed)| slot.or(landed)).max();
            let newest = newest.and_then(DateTime::from_timestamp_micros);
            if let Some(newest) = newest.filter(|newest| newest > first) {
                let what = format!(
                    "feed {} delivers snapshots, and one of {} stands: an older one would end what it named; \
                     choose --from after that day",
                    feed.feed_id,
                    day_of(newest)
                );
                return Err(Error::new(ErrorKind::Refused, what));
            }
        }
        Ok(())
    }

    /// Fetches and checks the slots without landing them: what they would change, in a publication
    /// that is never published.
    async fn preview_slots(
        &self,
        writer: &Writer,
        feed: &Arc<Feed>,
        slots: &mut [BackfilledSlot],
    ) -> Result<RunReport> {
        // A copy of its own: what a preview notes was not taken.
        let mut own = None;
        let taken = self.known(&mut own).await?;
        let (mut due, mut waiting): (Vec<Due>, Vec<Fetched>) = (Vec::new(), Vec::new());
        for slot in slots {
            let job = Job { feed: Arc::clone(feed), slot_at: Some(slot.slot_at) };
            let fetched = match self.ask(&job).await {
                Ok(fetched) => fetched,
                Err(error) => {
                    slot.fail(&error);
                    continue;
                }
            };
            for object in fetched {
                let sha256 = object.bytes.sha256.clone();
                let Verdict::New { occurrence } = taken.verdict(&feed.feed_id, &object.object, &sha256) else {
                    continue;
                };
                let delivery = Delivery {
                    batch_id: batch_id(&feed.feed_id, &object.object, &sha256, occurrence),
                    feed_id: feed.feed_id.clone(),
                    object: object.object.clone(),
                    sha256,
                    bytes: object.bytes.size,
                    landed_path: self.landing.waiting_path(&object.bytes),
                    landed_at: self.clock.now(),
                    slot_at: Some(slot.slot_at),
                };
                taken.note(&delivery);
                due.push(Due { delivery, feed: Arc::clone(feed), on_time: None });
                // The bytes go away when they are dropped.
                waiting.push(object);
            }
        }
        let at = self.clock.now();
        let mut publication = writer.begin(at, day_of(at)).await?;
        let batches = load(&mut publication, &self.landing, due).await?;
        drop(waiting);
        Ok(RunReport { batches, ..RunReport::default() })
    }

    /// Marks the slots whose last attempt since `begun` failed, from the books.
    fn note_failed(&self, feed: &Feed, begun: DateTime<Utc>, slots: &mut [BackfilledSlot]) -> Result<()> {
        let mut last: HashMap<DateTime<Utc>, (u64, Option<String>)> = HashMap::new();
        for row in self.warehouse.live("run")?.rows()? {
            let text = |name: &str| row.get(name).and_then(Value::as_str);
            let instant = |name: &str| text(name).and_then(|text| text.parse::<DateTime<Utc>>().ok());
            let (Some(slot_at), Some(started_at)) = (instant("slot_at"), instant("started_at")) else { continue };
            if text("feed_id") != Some(feed.feed_id.as_str()) || started_at < begun {
                continue;
            }
            let attempt = row.get("attempt").and_then(Value::as_u64).unwrap_or_default();
            let failed = (text("outcome") == Some("failed")).then(|| text("error").unwrap_or_default().to_owned());
            let known = last.entry(slot_at).or_insert((0, None));
            if attempt >= known.0 {
                *known = (attempt, failed);
            }
        }
        for slot in slots {
            if let Some((_, Some(error))) = last.remove(&slot.slot_at) {
                slot.outcome = "failed";
                slot.reason = Some(error);
            }
        }
        Ok(())
    }
}

impl BackfilledSlot {
    fn of(slot_at: DateTime<Utc>) -> Self {
        Self {
            slot_at,
            slot_date: day_of(slot_at),
            outcome: "nothing_new",
            objects: Vec::new(),
            bytes: 0,
            read: 0,
            accepted: 0,
            superseded: 0,
            unchanged: 0,
            quarantined: 0,
            reason: None,
        }
    }

    fn add(&mut self, batch: &BatchReport) {
        if self.outcome != "held" {
            self.outcome = batch.state.name();
        }
        self.objects.push(batch.delivery.object.clone());
        self.bytes += batch.delivery.bytes;
        self.read += batch.read;
        self.accepted += batch.accepted;
        self.superseded += batch.superseded;
        self.unchanged += batch.unchanged;
        self.quarantined += batch.quarantined;
        if let Some((zh, en)) = &batch.reason {
            self.reason = Some(format!("{zh} / {en}"));
        }
    }

    fn fail(&mut self, error: &Error) {
        self.outcome = "failed";
        self.reason = Some(error.to_string());
    }
}

/// The slots of a feed in `[from, to)` that have come; days where it has no schedule.
fn slots(feed: &Feed, from: NaiveDate, to: NaiveDate, now: DateTime<Utc>) -> Result<Vec<DateTime<Utc>>> {
    let refuse = |what: String| Err(Error::new(ErrorKind::Refused, what));
    if from >= to {
        return refuse(format!("from {from} to {to} has no day in it: --to is the first day after the period"));
    }
    let (Some(start), Some(end)) = (midnight(from), midnight(to)) else {
        return refuse(format!("from {from} to {to} are no days of the calendar that can be fetched"));
    };
    let until = (end - Duration::seconds(1)).min(now);
    let slots: Vec<DateTime<Utc>> = match &feed.schedule {
        Some(schedule) => {
            std::iter::successors(schedule.next(start - Duration::seconds(1)), |slot| schedule.next(*slot))
                .take_while(|slot| *slot <= until)
                .take(MOST_SLOTS + 1)
                .collect()
        }
        None => std::iter::successors(Some(from), |day| day.checked_add_days(Days::new(1)))
            .take_while(|day| *day < to)
            .filter_map(midnight)
            .take_while(|slot| *slot <= until)
            .collect(),
    };
    match slots.len() {
        0 => refuse(format!("feed {} has no slot from {from} to {to} that has come", feed.feed_id)),
        many if many > MOST_SLOTS => refuse(format!("that is more than {MOST_SLOTS} slots; ask for a shorter period")),
        _ => Ok(slots),
    }
}

fn midnight(day: NaiveDate) -> Option<DateTime<Utc>> {
    ZONE.from_local_datetime(&day.and_time(NaiveTime::MIN)).earliest().map(|at| at.with_timezone(&Utc))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn feed(schedule: &str) -> Feed {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("feeds")).unwrap();
        let text = format!(
            "dataset = \"unit\"\nreporter = \"bureau\"\n{schedule}\n[source]\nkind = \"directory\"\n\
             path = \"inbox\"\n[format]\nkind = \"csv\"\n"
        );
        std::fs::write(folder.path().join("feeds/unit.toml"), text).unwrap();
        let feeds = crate::feed::Feeds::load(folder.path()).unwrap();
        Feed::clone(feeds.get("unit").unwrap())
    }

    fn days(schedule: &str, from: &str, to: &str, now: &str) -> Vec<String> {
        let slots = slots(&feed(schedule), from.parse().unwrap(), to.parse().unwrap(), now.parse().unwrap());
        slots.map(|slots| slots.iter().map(|slot| slot.to_rfc3339()).collect()).unwrap_or_default()
    }

    #[test]
    fn the_slots_of_a_period_are_those_of_the_schedule_and_its_last_day_is_not_in_it() {
        // 00:00 in Shanghai is 16:00 UTC of the day before: the first instant belongs to the period.
        let midnight = "schedule = \"0 0 0 * * *\"";
        let found = days(midnight, "2026-05-01", "2026-05-03", "2026-07-01T00:00:00Z");
        assert_eq!(found, ["2026-04-30T16:00:00+00:00", "2026-05-01T16:00:00+00:00"]);
    }

    #[test]
    fn a_feed_without_a_schedule_is_asked_for_each_day() {
        let found = days("", "2026-05-01", "2026-05-03", "2026-07-01T00:00:00Z");
        assert_eq!(found, ["2026-04-30T16:00:00+00:00", "2026-05-01T16:00:00+00:00"]);
    }

    #[test]
    fn slots_that_have_not_come_are_not_asked_for_and_none_at_all_is_refused() {
        let daily = "schedule = \"0 30 2 * * *\"";
        // At 02:30 in Shanghai on 2 May.
        assert_eq!(days(daily, "2026-05-01", "2026-05-09", "2026-05-01T18:30:00Z").len(), 2);
        assert!(days(daily, "2026-05-03", "2026-05-03", "2026-07-01T00:00:00Z").is_empty());
        assert!(days(daily, "2026-08-01", "2026-08-03", "2026-07-01T00:00:00Z").is_empty());
    }
}
