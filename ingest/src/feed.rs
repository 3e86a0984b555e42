//! Feeds: what is pulled or pushed, from whom, when, and how its file maps onto a dataset.
//!
//! One `feeds/<feed_id>.toml` each. Everything wrong in a feed is refused before anything runs,
//! naming file, line and key.

mod computed;
mod implied;
mod load;
mod place;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use anze_warehouse::contract::Contract;
use serde::Deserialize;

use crate::decode::{Format, Mapping};
use crate::expression::SourceExpression;
use crate::schedule::CronSchedule;
use crate::source::SourceConfig;
use crate::span::Span;

/// All feeds of a deployment, by feed_id in byte order.
#[derive(Debug, Default, Clone)]
pub struct Feeds {
    feeds: BTreeMap<String, Arc<Feed>>,
}

/// One feed, validated.
#[derive(Debug, Clone)]
pub struct Feed {
    /// Stem of its file.
    pub feed_id: String,
    /// Title for people.
    pub title: String,
    /// Contract of its dataset.
    pub contract: Arc<Contract>,
    /// Who answers for it.
    pub reporter: String,
    /// Region of the party answerable.
    pub region_code: Option<String>,
    /// Department answerable.
    pub department: Option<String>,
    /// How its rows enter the dataset.
    pub mode: Mode,
    /// When it is due; `None`: only by hand or push.
    pub schedule: Option<CronSchedule>,
    /// What happens to slots missed while nothing ran.
    pub catch_up: CatchUp,
    /// How far back missed slots are looked for.
    pub catch_up_window: Span,
    /// What happens when a slot comes due while the feed runs.
    pub overlap: Overlap,
    /// Its slots are begun up to so long after their instant, each after a wait of its own.
    pub jitter: Span,
    /// Until when a slot must be fulfilled.
    pub deadline: Option<Deadline>,
    /// How failures are tried again.
    pub retry: Retry,
    /// Reporters whose keys it may overwrite.
    pub takes_over: Vec<String>,
    /// Where the bytes come from.
    pub source: SourceConfig,
    /// How the bytes are read.
    pub format: Format,
    /// How their columns become ours.
    pub mapping: Mapping,
    /// How much may be wrong.
    pub policy: Policy,
}

/// How rows enter a dataset.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// By key, the newest version winning.
    #[default]
    Upsert,
    /// By key too, and the feed says that no key comes twice: another version of one that came
    /// counts as in `upsert`, with a finding, and nothing is ever deleted.
    Append,
    /// The file is the whole truth for its reporter.
    Snapshot,
}

impl Mode {
    /// Its name in configuration and tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Upsert => "upsert",
            Self::Append => "append",
            Self::Snapshot => "snapshot",
        }
    }
}

/// What happens to slots missed while nothing ran.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CatchUp {
    /// They stay missed.
    None,
    /// The last one is run.
    #[default]
    Last,
    /// All are run, in order.
    All,
}

impl CatchUp {
    /// Its name in configuration and tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Last => "last",
            Self::All => "all",
        }
    }
}

/// What happens when a slot comes due while the feed runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Overlap {
    /// The slot is skipped.
    #[default]
    Skip,
    /// The slot waits.
    Queue,
}

impl Overlap {
    /// Its name in configuration and tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Skip => "skip",
            Self::Queue => "queue",
        }
    }
}

/// Until when a slot must be fulfilled, counted in workdays of the calendar dataset.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Deadline {
    /// Workdays after the slot's day.
    pub workdays: u32,
    /// Time of that day, `18:00`.
    #[serde(deserialize_with = "load::time_of_day")]
    pub at: chrono::NaiveTime,
}

/// How failures that a retry can help are tried again.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Retry {
    /// How often it is tried in all.
    #[serde(default = "load::attempts")]
    pub attempts: u32,
    /// Wait before the second try; it doubles each time.
    #[serde(default = "load::first_wait")]
    pub first: Span,
    /// Longest wait.
    #[serde(default = "load::longest_wait")]
    pub most: Span,
}

impl Default for Retry {
    fn default() -> Self {
        Self { attempts: load::attempts(), first: load::first_wait(), most: load::longest_wait() }
    }
}

/// How much may be wrong before a whole batch is held for a person.
#[derive(Debug, Clone)]
pub struct Policy {
    /// What happens to columns the mapping and the contract do not know.
    pub unknown_columns: UnknownColumns,
    /// Held rows over which the batch is held.
    pub max_quarantined: Allowance,
    /// Rows of the reporter that a snapshot may end.
    pub max_removed: Allowance,
    /// A condition over their columns: rows for which it holds delete their key.
    pub deleted_when: Option<Arc<SourceExpression>>,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            unknown_columns: UnknownColumns::default(),
            max_quarantined: load::max_quarantined(),
            max_removed: load::max_removed(),
            deleted_when: None,
        }
    }
}

/// What happens to columns the mapping and the contract do not know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UnknownColumns {
    /// Nothing: they stay in the landed file.
    #[default]
    Ignore,
    /// The file is held whole.
    Refuse,
}

/// How many rows may be amiss: a share of all, written `"5%"`, or a number of them, written `20`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Allowance {
    /// Parts of a million, so that comparing is exact.
    Share(u64),
    /// Rows.
    Rows(u64),
}

impl Allowance {
    /// All of them: a limit that nothing exceeds.
    pub const WHOLE: Self = Self::Share(1_000_000);

    /// Whether `part` of `whole` is more.
    pub fn is_exceeded_by(self, part: u64, whole: u64) -> bool {
        match self {
            Self::Share(share) => u128::from(part) * 1_000_000 > u128::from(whole) * u128::from(share),
            Self::Rows(rows) => part > rows,
        }
    }
}

impl std::fmt::Display for Allowance {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let parts = match self {
            Self::Share(parts) => parts,
            Self::Rows(rows) => return write!(f, "{rows}"),
        };
        let (whole, rest) = (parts / 10_000, parts % 10_000);
        if rest == 0 { write!(f, "{whole}%") } else { write!(f, "{whole}.{rest:04}%") }
    }
}

impl std::str::FromStr for Allowance {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let fault = || format!("`{text}` is no share; write for example \"5%\", or a number of rows such as 20");
        let number = text.strip_suffix('%').ok_or_else(fault)?;
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        let is_written = !whole.is_empty() && [whole, fraction].concat().bytes().all(|byte| byte.is_ascii_digit());
        if !is_written || fraction.len() > 4 {
            return Err(fault());
        }
        let digits = format!("{whole}{fraction:0<4}");
        let parts: u64 = digits.parse().map_err(|_| fault())?;
        if parts > 1_000_000 { Err(fault()) } else { Ok(Self::Share(parts)) }
    }
}

impl<'de> Deserialize<'de> for Allowance {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ShareOrRows;
        impl serde::de::Visitor<'_> for ShareOrRows {
            type Value = Allowance;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a share such as \"5%\", or a number of rows such as 20")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Allowance, E> {
                text.parse().map_err(E::custom)
            }

            fn visit_i64<E: serde::de::Error>(self, rows: i64) -> Result<Allowance, E> {
                let fault = || E::custom(format!("{rows} rows are fewer than none"));
                u64::try_from(rows).map(Allowance::Rows).map_err(|_| fault())
            }
        }
        deserializer.deserialize_any(ShareOrRows)
    }
}

impl Feeds {
    /// Reads `feeds/*.toml` of a deployment.
    ///
    /// # Errors
    /// Refused: every fault of every file, with file, line and key.
    pub fn load(deployment: &std::path::Path) -> crate::Result<Self> {
        load::feeds(deployment)
    }

    /// The feeds, by feed_id.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Feed>> {
        self.feeds.values()
    }

    /// A feed by its id.
    pub fn get(&self, feed_id: &str) -> Option<&Arc<Feed>> {
        self.feeds.get(feed_id)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.feeds.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.feeds.is_empty()
    }
}

impl FromIterator<Feed> for Feeds {
    fn from_iter<T: IntoIterator<Item = Feed>>(feeds: T) -> Self {
        Self { feeds: feeds.into_iter().map(|feed| (feed.feed_id.clone(), Arc::new(feed))).collect() }
    }
}

/// Where a deployment keeps its feeds.
fn folder(deployment: &std::path::Path) -> PathBuf {
    deployment.join("feeds")
}
