//! Who was handed rows: written before they are sent, chained by hash, many accesses in one group.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use anze_warehouse::live::{ChainedFile, LiveRow};
use chrono::{DateTime, SecondsFormat, SubsecRound, Utc};
use serde_json::{Value, json};

use crate::permission::{Access, Role};
use crate::problem::Problem;

/// Longest text of a request that is kept; the rest is cut off.
const MOST_REQUEST_CHARS: usize = 4096;

/// One access to rows.
#[derive(Debug, Clone, PartialEq)]
pub struct Accessed {
    pub at: DateTime<Utc>,
    /// None for a caller without a token.
    pub token_id: Option<String>,
    pub role: Role,
    /// http, pages, cli.
    pub door: &'static str,
    /// evidence, leads, record, landed_line, sql …
    pub action: &'static str,
    pub dataset: Option<String>,
    pub metric_id: Option<String>,
    pub request: String,
    pub request_id: Option<String>,
    pub release: Option<u64>,
    /// Rows handed out, where they are counted before they are sent.
    pub rows: Option<u64>,
    /// given, unchanged (the caller had it), denied, failed.
    pub outcome: &'static str,
}

/// The minute, token, role and metric of polls that are counted together.
type Polled = (DateTime<Utc>, Option<String>, &'static str, String);
/// Polls of metrics, counted.
type Polls = BTreeMap<Polled, u64>;

/// The log of a running program.
pub struct AccessLog {
    file: ChainedFile,
    waiting: Mutex<Waiting>,
    /// The number of the last row that is on disk; held while a group is written.
    written: tokio::sync::Mutex<u64>,
    polls: Mutex<Polls>,
}

#[derive(Default)]
struct Waiting {
    rows: Vec<LiveRow>,
    /// Number of rows that ever waited.
    taken: u64,
}

/// Whether an access of this kind hands out rows and is noted one by one.
pub fn is_noted(access: Access) -> bool {
    use Access::{Assess, Assessments, Evidence, LandedLines, Leads, Review, Rows};
    matches!(access, Assess | Assessments | Evidence | Leads | Review | Rows | LandedLines)
}

impl AccessLog {
    /// The log kept in a file.
    pub fn new(file: ChainedFile) -> Self {
        Self { file, waiting: Mutex::default(), written: tokio::sync::Mutex::new(0), polls: Mutex::default() }
    }

    /// Notes an access and returns when it is on disk. Whoever comes while a group is being written is
    /// written with the next one.
    pub async fn note(&self, accessed: Accessed) -> Result<(), Problem> {
        self.add(vec![row(&accessed)]).await
    }

    /// Counts a poll of a metric. The counts of a minute are written once it is over.
    pub async fn poll(&self, at: DateTime<Utc>, token: Option<&str>, role: Role, metric: &str) -> Result<(), Problem> {
        let minute = minute(at);
        let over = {
            let mut polls = self.polls.lock().unwrap_or_else(PoisonError::into_inner);
            let now = (minute, token.map(str::to_owned), role.as_str(), metric.to_owned());
            *polls.entry(now).or_default() += 1;
            let current = polls.split_off(&(minute, None, "", String::new()));
            std::mem::replace(&mut *polls, current)
        };
        self.write_polls(over).await
    }

    /// Writes what is still counted; called when nothing more will come.
    pub async fn close(&self) -> Result<(), Problem> {
        let over = std::mem::take(&mut *self.polls.lock().unwrap_or_else(PoisonError::into_inner));
        self.write_polls(over).await
    }

    async fn write_polls(&self, polls: Polls) -> Result<(), Problem> {
        if polls.is_empty() {
            return Ok(());
        }
        self.add(polls.into_iter().map(|(polled, times)| counted(&polled, times)).collect()).await
    }

    /// Has rows written with the next group.
    async fn add(&self, rows: Vec<LiveRow>) -> Result<(), Problem> {
        let number = {
            let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
            waiting.taken += rows.len() as u64;
            waiting.rows.extend(rows);
            waiting.taken
        };
        let mut written = self.written.lock().await;
        // Somebody else's group had this row in it.
        if *written >= number {
            return Ok(());
        }
        let (rows, taken) = {
            let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
            (std::mem::take(&mut waiting.rows), waiting.taken)
        };
        let (file, group) = (self.file.clone(), rows.clone());
        let done = tokio::task::spawn_blocking(move || file.append(&group)).await;
        match done.map_err(|error| Problem::internal(&error)).and_then(|done| done.map_err(Problem::from)) {
            Ok(()) => {
                *written = taken;
                Ok(())
            }
            Err(problem) => {
                // They wait for the next try: whoever asked for them was refused, but did ask.
                let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
                drop(waiting.rows.splice(0..0, rows));
                Err(problem)
            }
        }
    }
}

/// The row of polls that were counted together.
fn counted((at, token_id, role, metric): &Polled, times: u64) -> LiveRow {
    let row = json!({
        "accessed_at": instant(*at),
        "token_id": token_id,
        "role": role,
        "door": "http",
        "action": "metric",
        "metric_id": metric,
        "times": times,
        "outcome": "given",
    });
    row.as_object().cloned().unwrap_or_default()
}

/// The row of the contract.
fn row(accessed: &Accessed) -> LiveRow {
    let row = json!({
        "accessed_at": instant(accessed.at),
        "token_id": accessed.token_id,
        "role": accessed.role,
        "door": accessed.door,
        "action": accessed.action,
        "dataset": accessed.dataset,
        "metric_id": accessed.metric_id,
        "request": accessed.request.chars().take(MOST_REQUEST_CHARS).collect::<String>(),
        "request_id": accessed.request_id,
        "release": accessed.release,
        "rows": accessed.rows,
        "times": 1,
        "outcome": accessed.outcome,
    });
    let known = row.as_object().cloned().unwrap_or_default();
    known.into_iter().filter(|(_, value)| *value != Value::Null).collect()
}

fn instant(at: DateTime<Utc>) -> String {
    at.trunc_subsecs(6).to_rfc3339_opts(SecondsFormat::Micros, true)
}

fn minute(at: DateTime<Utc>) -> DateTime<Utc> {
    let seconds = at.timestamp().div_euclid(60) * 60;
    DateTime::from_timestamp(seconds, 0).unwrap_or(at)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use anze_warehouse::Warehouse;
    use anze_warehouse::live::Chain;

    use super::*;

    fn accessed(request: &str) -> Accessed {
        Accessed {
            at: "2026-06-30T02:30:00Z".parse().unwrap(),
            token_id: Some("t1".into()),
            role: Role::Official,
            door: "http",
            action: "leads",
            dataset: None,
            metric_id: None,
            request: request.to_owned(),
            request_id: Some("0001".into()),
            release: Some(3),
            rows: Some(7),
            outcome: "given",
        }
    }

    fn log() -> (tempfile::TempDir, Arc<Warehouse>, AccessLog) {
        let folder = tempfile::tempdir().unwrap();
        let warehouse = Warehouse::open(folder.path()).unwrap();
        let log = AccessLog::new(warehouse.access_log().unwrap());
        (folder, warehouse, log)
    }

    #[tokio::test]
    async fn every_access_is_on_disk_when_it_is_answered_however_many_come_at_once() {
        let (_folder, warehouse, log) = log();
        let notes = (0..50).map(|number| log.note(accessed(&format!("GET /{number}"))));
        for noted in futures::future::join_all(notes).await {
            noted.unwrap();
        }
        let rows = warehouse.live("access_log").unwrap().rows().unwrap();
        assert_eq!(rows.len(), 50);
        assert_eq!((rows[0]["rows"].as_u64(), rows[0]["token_id"].as_str()), (Some(7), Some("t1")));
        assert!(matches!(warehouse.access_log().unwrap().verify().unwrap(), Chain::Whole { rows: 50, .. }));
    }

    #[tokio::test]
    async fn polls_of_a_metric_are_counted_by_minute_token_and_metric() {
        let (_folder, warehouse, log) = log();
        let at = |text: &str| text.parse().unwrap();
        for (second, token) in [("00", "t1"), ("59", "t1"), ("30", "t2")] {
            let moment = at(&format!("2026-06-30T02:30:{second}Z"));
            log.poll(moment, Some(token), Role::Analyst, "coverage_rate").await.unwrap();
        }
        assert!(warehouse.live("access_log").unwrap().rows().unwrap().is_empty(), "the minute is not over");
        log.poll(at("2026-06-30T02:31:00Z"), None, Role::Public, "accident_rate").await.unwrap();
        log.close().await.unwrap();
        let rows = warehouse.live("access_log").unwrap().rows().unwrap();
        let told = |row: &LiveRow| (row["metric_id"].clone(), row.get("token_id").cloned(), row["times"].clone());
        let told: Vec<_> = rows.iter().map(told).collect();
        let expected = [
            (json!("coverage_rate"), Some(json!("t1")), json!(2)),
            (json!("coverage_rate"), Some(json!("t2")), json!(1)),
            (json!("accident_rate"), Some(Value::Null), json!(1)),
        ];
        assert_eq!(told, expected);
    }
}
