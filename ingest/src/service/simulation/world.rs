//! The world outside: feeds, their senders with outages, and when the machine is up.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anze_warehouse::Warehouse;
use async_trait::async_trait;
use bytes::Bytes;
use chrono::{DateTime, Datelike, NaiveDate, NaiveTime, TimeZone, Utc, Weekday};
use chrono_tz::Asia::Shanghai;

use crate::clock::Clock;
use crate::error::{Error, ErrorKind, Result};
use crate::feed::Feeds;
use crate::landing::Landing;
use crate::schedule::jitter::share;
use crate::source::{Fetched, Request, Source};

/// How a sender behaves when it is asked for a slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Behaviour {
    Good,
    /// The first answers are failures that another try can help.
    Down(u32),
    /// It does not accept our secret.
    Refuses,
    HasNothing,
    /// The first answer takes so long.
    Slow,
}

/// How long a slow answer takes: longer than the half day between two slots.
pub(super) const SLOW: Duration = Duration::from_secs(13 * 3600);
/// How often a feed tries.
pub(super) const ATTEMPTS: u32 = 3;

/// How the machine went down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    Stopped,
    Crashed,
    /// What was due at that instant was landed and not loaded.
    CrashedBeforeLoading,
    Finished,
}

/// The machine is up from an instant to another.
pub(super) struct Period {
    pub(super) from: DateTime<Utc>,
    pub(super) to: DateTime<Utc>,
    pub(super) ending: Ending,
}

/// A feed as its file says, in numbers.
pub(super) struct Feed {
    pub(super) feed_id: String,
    /// Hours of its slots, at half past.
    pub(super) hours: &'static [u32],
    /// Only on Mondays.
    pub(super) weekly: bool,
    pub(super) catch_up: &'static str,
    pub(super) overlap: &'static str,
    pub(super) jitter: bool,
    /// Workdays and hour of its deadline.
    pub(super) deadline: Option<(u32, u32)>,
}

/// How often each sender was asked for each slot.
pub(super) type Asked = Mutex<BTreeMap<(String, DateTime<Utc>), u32>>;

pub(super) struct World {
    pub(super) seed: u64,
    pub(super) folder: tempfile::TempDir,
    pub(super) clock: Arc<Clock>,
    pub(super) feeds: Vec<Feed>,
    pub(super) periods: Vec<Period>,
    pub(super) asked: Arc<Asked>,
    instants: BTreeSet<DateTime<Utc>>,
}

/// A local time of the three weeks.
pub(super) fn local(month: u32, day: u32, hour: u32, minute: u32) -> DateTime<Utc> {
    Shanghai.with_ymd_and_hms(2026, month, day, hour, minute, 0).unwrap().with_timezone(&Utc)
}

impl World {
    pub(super) fn new(seed: u64, count: usize) -> Self {
        let feeds: Vec<Feed> = (0..count).map(feed).collect();
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("feeds")).unwrap();
        for feed in &feeds {
            std::fs::write(folder.path().join(format!("feeds/{}.toml", feed.feed_id)), file(feed)).unwrap();
        }
        let up = |from, to, ending| Period { from, to, ending };
        let periods = vec![
            // Stopped while those that were down at half past two wait to ask again.
            up(local(2, 9, 0, 0), local(2, 11, 2, 34), Ending::Stopped),
            // Down over the worked Saturday and the first days of the festival.
            up(local(2, 11, 2, 41), local(2, 13, 20, 0), Ending::Crashed),
            up(local(2, 16, 7, 0), local(2, 20, 11, 30), Ending::Stopped),
            up(local(2, 20, 11, 31), local(2, 25, 14, 30), Ending::CrashedBeforeLoading),
            up(local(2, 25, 14, 50), local(3, 2, 0, 0), Ending::Finished),
        ];
        let clock = Arc::new(Clock::simulated(periods[0].from));
        let mut world = Self { seed, folder, clock, feeds, periods, asked: Arc::default(), instants: BTreeSet::new() };
        let slots = world.feeds.iter().flat_map(|feed| world.slots(feed).into_iter().map(move |slot| (feed, slot)));
        let instants = slots.flat_map(|(feed, slot)| {
            // Half a minute after a slot those with jitter have begun.
            let begun = feed.jitter.then(|| slot + chrono::Duration::seconds(30));
            let over = world.due(feed, slot).map(|due| due + chrono::Duration::seconds(1));
            [Some(slot), begun, over].into_iter().flatten()
        });
        world.instants = instants.collect();
        world
    }

    /// When something happens next: a slot, a deadline, or a wait that ends, in steps of 5 minutes.
    pub(super) fn next_instant(&self, now: DateTime<Utc>) -> DateTime<Utc> {
        let Clock::Simulated(simulated) = self.clock.as_ref() else { panic!("the clock is simulated") };
        let wakes = simulated.next_wake().map(|wake| {
            let late = wake.timestamp().rem_euclid(300);
            DateTime::from_timestamp(wake.timestamp() - late + 300, 0).unwrap()
        });
        let planned = self.instants.range((std::ops::Bound::Excluded(now), std::ops::Bound::Unbounded)).next().copied();
        wakes.into_iter().chain(planned).min().unwrap_or(DateTime::<Utc>::MAX_UTC)
    }

    /// The slots of a feed in the three weeks, worked out from the days.
    pub(super) fn slots(&self, feed: &Feed) -> Vec<DateTime<Utc>> {
        let (first, last) = (self.periods[0].from, self.periods[self.periods.len() - 1].to);
        let days = NaiveDate::from_ymd_opt(2026, 2, 9).unwrap().iter_days().take(21);
        let days = days.filter(|day| !feed.weekly || day.weekday() == Weekday::Mon);
        let slots = days.flat_map(|day| feed.hours.iter().map(move |hour| at(day, *hour, 30)));
        slots.filter(|slot| *slot > first && *slot <= last).collect()
    }

    /// Until when a slot must be fulfilled, by the holidays that were decreed.
    pub(super) fn due(&self, feed: &Feed, slot: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let (workdays, hour) = feed.deadline?;
        let mut day = slot.with_timezone(&Shanghai).date_naive();
        for _ in 0..workdays {
            day = day.iter_days().skip(1).find(|day| is_workday(*day)).unwrap();
        }
        Some(at(day, hour, 0))
    }

    /// How the sender of a feed behaves for a slot.
    pub(super) fn behaviour(&self, feed_id: &str, slot: DateTime<Utc>) -> Behaviour {
        behaviour(self.seed, feed_id, slot)
    }

    pub(super) fn warehouse(&self) -> Arc<Warehouse> {
        Warehouse::open(&self.folder.path().join("data")).unwrap()
    }

    pub(super) fn loaded_feeds(&self) -> Feeds {
        Feeds::load(self.folder.path()).unwrap()
    }

    pub(super) fn senders(&self) -> BTreeMap<String, Arc<dyn Source>> {
        let sender = |feed: &Feed| {
            let (clock, asked) = (Arc::clone(&self.clock), Arc::clone(&self.asked));
            let sender = Sender { feed_id: feed.feed_id.clone(), seed: self.seed, clock, asked };
            (feed.feed_id.clone(), Arc::new(sender) as Arc<dyn Source>)
        };
        self.feeds.iter().map(sender).collect()
    }
}

fn at(day: NaiveDate, hour: u32, minute: u32) -> DateTime<Utc> {
    let time = NaiveTime::from_hms_opt(hour, minute, 0).unwrap();
    Shanghai.from_local_datetime(&day.and_time(time)).unwrap().with_timezone(&Utc)
}

/// Off: 15 to 23 February and weekends; the Saturdays of 14 and 28 February were worked.
fn is_workday(day: NaiveDate) -> bool {
    let of_february = |days: &[u32]| day.month() == 2 && days.contains(&day.day());
    of_february(&[14, 28])
        || !(of_february(&[16, 17, 18, 19, 20, 23]) || matches!(day.weekday(), Weekday::Sat | Weekday::Sun))
}

fn feed(number: usize) -> Feed {
    let (hours, weekly, deadline): (&[u32], _, _) = match number % 10 {
        0..=4 => (&[2], false, Some((1, 18))),
        5..=7 => (&[2, 14], false, Some((0, 23))),
        8 => (&[2, 14], false, None),
        _ => (&[2], true, Some((2, 12))),
    };
    Feed {
        feed_id: format!("f{number:02}"),
        hours,
        weekly,
        catch_up: ["last", "all", "none"][number % 3],
        overlap: ["skip", "queue"][number / 2 % 2],
        jitter: number % 8 == 1,
        deadline,
    }
}

fn file(feed: &Feed) -> String {
    let hours: Vec<String> = feed.hours.iter().map(ToString::to_string).collect();
    let weekday = if feed.weekly { "MON" } else { "*" };
    let deadline = feed
        .deadline
        .map(|(workdays, hour)| format!("deadline = {{ workdays = {workdays}, at = \"{hour:02}:00\" }}\n"));
    format!(
        "dataset = \"insurer\"\nreporter = \"{}\"\nschedule = \"0 30 {} * * {weekday}\"\ncatch_up = \"{}\"\n\
         overlap = \"{}\"\njitter = \"{}\"\nretry = {{ attempts = {ATTEMPTS}, first = \"10m\", most = \"10m\" }}\n{}\
         [source]\nkind = \"directory\"\npath = \"never-asked\"\n[format]\nkind = \"csv\"\n",
        feed.feed_id,
        hours.join(","),
        feed.catch_up,
        feed.overlap,
        if feed.jitter { "30s" } else { "0s" },
        deadline.unwrap_or_default(),
    )
}

fn behaviour(seed: u64, feed_id: &str, slot: DateTime<Utc>) -> Behaviour {
    let drawn = share(&["behaviour", &seed.to_string(), feed_id, &slot.to_rfc3339()]);
    match (drawn * 1000.0) as u32 {
        0..40 => Behaviour::Down(1),
        40..70 => Behaviour::Down(2),
        70..90 => Behaviour::Down(4),
        90..120 => Behaviour::Refuses,
        120..150 => Behaviour::HasNothing,
        150..180 => Behaviour::Slow,
        _ => Behaviour::Good,
    }
}

/// The sender of one feed.
struct Sender {
    feed_id: String,
    seed: u64,
    clock: Arc<Clock>,
    asked: Arc<Asked>,
}

#[async_trait]
impl Source for Sender {
    async fn fetch(&self, request: &Request, into: &Landing) -> Result<Vec<Fetched>> {
        let slot = request.slot_at;
        let asked = {
            let mut asked = self.asked.lock().unwrap();
            let asked = asked.entry((self.feed_id.clone(), slot)).or_default();
            *asked += 1;
            *asked
        };
        match behaviour(self.seed, &self.feed_id, slot) {
            Behaviour::Down(failures) if asked <= failures => {
                return Err(Error::new(ErrorKind::Retry, "the source cannot be reached"));
            }
            Behaviour::Refuses => {
                return Err(Error::new(ErrorKind::Source, "the source does not accept our secret (401)"));
            }
            Behaviour::HasNothing => return Ok(Vec::new()),
            Behaviour::Slow if asked == 1 => self.clock.sleep(SLOW).await,
            Behaviour::Good | Behaviour::Down(_) | Behaviour::Slow => {}
        }
        let object = format!("slot {}", slot.to_rfc3339());
        let text = format!("code,name\n{},{object}\n", self.feed_id);
        let bytes = into.receive(futures::stream::iter([Ok(Bytes::from(text))]), u64::MAX).await?;
        Ok(vec![Fetched { object, bytes }])
    }
}
