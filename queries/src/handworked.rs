//! Runs the hand-worked tests that stand beside metrics and marts (`*.test.toml`).
//!
//! A file has scenarios: a day, small tables and questions with the answers worked out by hand. Of
//! every answer the runner also proves that it adds up: over each dimension, over the evidence, and
//! under `where`.

pub(crate) mod laws;
pub(crate) mod table;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anze_warehouse::Release;
use anze_warehouse::session::Limits;
use chrono::NaiveDate;
use datafusion::prelude::DataFrame;
use serde::Deserialize;
use serde_json::Value as Json;

use crate::session;
use crate::statement::Statement;
use crate::{Catalogue, LeadRequest, MetricRequest, Side, answer, evidence, leads, trend};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TestFile {
    scenario: Vec<Scenario>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Scenario {
    name: String,
    day: toml::value::Datetime,
    tables: BTreeMap<String, String>,
    #[serde(default)]
    ask: Vec<Ask>,
    #[serde(default)]
    select: Vec<Select>,
    #[serde(default)]
    leads: Vec<AskLeads>,
}

/// A question to the metric that the file is named for.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Ask {
    name: String,
    #[serde(default)]
    by: Vec<String>,
    as_of: Option<toml::value::Datetime>,
    from: Option<toml::value::Datetime>,
    to: Option<toml::value::Datetime>,
    observed_until: Option<toml::value::Datetime>,
    #[serde(default, rename = "where")]
    filters: BTreeMap<String, String>,
    #[serde(default)]
    params: BTreeMap<String, String>,
    /// Ask for the trend instead.
    #[serde(default)]
    trend: bool,
    /// The rows expected, in order; only the columns named are compared.
    rows: Option<String>,
    without_rule: Option<i64>,
    provisional: Option<bool>,
    /// Datasets and keys of the gap, in order.
    gap: Option<Vec<String>>,
    /// Part of the refusal expected.
    refused: Option<String>,
}

/// A question for leads of one kind.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AskLeads {
    name: String,
    kind: String,
    as_of: Option<toml::value::Datetime>,
    from: Option<toml::value::Datetime>,
    to: Option<toml::value::Datetime>,
    observed_until: Option<toml::value::Datetime>,
    #[serde(default, rename = "where")]
    filters: BTreeMap<String, String>,
    #[serde(default)]
    params: BTreeMap<String, String>,
    /// The leads expected, by since when and key; only the columns named are compared.
    rows: String,
}

/// A statement of plain SQL.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Select {
    name: String,
    sql: String,
    observed_until: Option<toml::value::Datetime>,
    rows: String,
}

#[tokio::test]
async fn every_hand_worked_answer_of_the_metrics_is_given() {
    let catalogue = Catalogue::load(None).unwrap();
    let mut asked = 0;
    for path in files("metrics") {
        let id = path.file_name().unwrap().to_str().unwrap().strip_suffix(".test.toml").unwrap().to_owned();
        asked += run(&catalogue, &id, &path).await;
    }
    assert!(asked > 0);
}

#[tokio::test]
async fn every_hand_worked_row_of_the_marts_is_there() {
    let catalogue = Catalogue::load(None).unwrap();
    for path in files("marts") {
        run(&catalogue, "", &path).await;
    }
}

#[tokio::test]
async fn every_hand_worked_lead_stands() {
    let catalogue = Catalogue::load(None).unwrap();
    let mut empty = Vec::new();
    for path in files("leads") {
        if run(&catalogue, "", &path).await == 0 {
            empty.push(path);
        }
    }
    assert!(empty.is_empty(), "families without a hand-worked lead: {empty:?}");
}

fn files(folder: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.to_str().unwrap().ends_with(".test.toml"));
    files.sort();
    files
}

async fn run(catalogue: &Catalogue, id: &str, path: &Path) -> usize {
    let file = path.file_name().unwrap().to_string_lossy().into_owned();
    let tests: TestFile =
        toml::from_str(&std::fs::read_to_string(path).unwrap()).unwrap_or_else(|error| panic!("{file}: {error}"));
    let mut asked = 0;
    for scenario in tests.scenario {
        let rows = scenario.tables.iter().map(|(name, text)| (name.clone(), table::batch(name, text))).collect();
        let release = Release::in_memory(day(scenario.day), rows).unwrap();
        for question in &scenario.ask {
            let place = format!("{file}: {}: {}", scenario.name, question.name);
            ask(catalogue, &release, id, question, &place).await;
            asked += 1;
        }
        for statement in &scenario.select {
            let place = format!("{file}: {}: {}", scenario.name, statement.name);
            select(&release, statement, &place).await;
        }
        for question in &scenario.leads {
            let place = format!("{file}: {}: {}", scenario.name, question.name);
            ask_leads(&release, question, &place).await;
            asked += 1;
        }
    }
    asked
}

async fn ask(catalogue: &Catalogue, release: &Arc<Release>, id: &str, ask: &Ask, place: &str) {
    let request = MetricRequest {
        id: id.to_owned(),
        by: ask.by.clone(),
        as_of: ask.as_of.map(day),
        from: ask.from.map(day),
        to: ask.to.map(day),
        observed_until: ask.observed_until.map(day),
        filters: ask.filters.clone(),
        params: ask.params.clone(),
    };
    let given = match ask.trend {
        true => trend(catalogue, release, &request).await,
        false => answer(catalogue, release, &request).await,
    };
    let given = match (given, &ask.refused) {
        (Err(error), Some(refusal)) => {
            assert!(error.to_string().contains(refusal), "{place}: {error}");
            return;
        }
        (Err(error), None) => panic!("{place}: {error}: {:?}", std::error::Error::source(&error)),
        (Ok(_), Some(refusal)) => panic!("{place}: answered, and should be refused: {refusal}"),
        (Ok(given), None) => given,
    };
    let json = serde_json::to_value(&given).unwrap();
    if let Some(rows) = &ask.rows {
        table::assert_rows(rows, json["rows"].as_array().unwrap(), place);
    }
    if let Some(without_rule) = ask.without_rule {
        assert_eq!(given.without_rule, without_rule, "{place}");
    }
    if let Some(provisional) = ask.provisional {
        assert_eq!(given.provisional, provisional, "{place}");
    }
    if ask.trend {
        return;
    }
    if let Some(gap) = &ask.gap {
        let page = evidence(catalogue, release, &request, Side::Gap, None, 1000).await.unwrap();
        let rows: Vec<String> = page.rows.iter().map(|row| format!("{} {}", row.dataset, row.key)).collect();
        assert_eq!(&rows, gap, "{place}");
    }
    laws::hold(catalogue, release, &request, place).await;
}

async fn select(release: &Arc<Release>, select: &Select, place: &str) {
    let context = session(release, select.observed_until.map(day)).await.unwrap();
    let plan = Statement::parse(&select.sql).unwrap().plan(&context).await.unwrap_or_else(|e| panic!("{place}: {e}"));
    let frame = DataFrame::new(context.state(), plan);
    let batches = frame.collect().await.unwrap_or_else(|error| panic!("{place}: {error}"));
    let rows: Vec<Json> = batches.iter().flat_map(table::json).collect();
    table::assert_rows(&select.rows, &rows, place);
}

async fn ask_leads(release: &Arc<Release>, ask: &AskLeads, place: &str) {
    let request = LeadRequest {
        kind: Some(ask.kind.clone()),
        as_of: ask.as_of.map(day),
        from: ask.from.map(day),
        to: ask.to.map(day),
        observed_until: ask.observed_until.map(day),
        filters: ask.filters.clone(),
        params: ask.params.clone(),
        ..LeadRequest::default()
    };
    let given = leads(release, &request, None, None, 1000).await;
    let given = given.unwrap_or_else(|error| panic!("{place}: {error}: {:?}", std::error::Error::source(&error)));
    let mut rows: Vec<Json> = given.rows.iter().map(|lead| serde_json::to_value(lead).unwrap()).collect();
    // Names are hashes, so that the order of what began on one day is no order for people.
    rows.sort_by_key(|row| (row["since"].to_string(), row["key"].to_string()));
    table::assert_rows(&ask.rows, &rows, place);
    let again = leads(release, &request, None, None, 1).await.unwrap();
    assert_eq!(again.rows, given.rows.iter().take(1).cloned().collect::<Vec<_>>(), "{place}: the first page");
}

fn day(date: toml::value::Datetime) -> NaiveDate {
    date.to_string().parse().unwrap()
}

/// A release without a row.
pub(crate) fn empty_release() -> Arc<Release> {
    Release::in_memory("2026-06-30".parse().unwrap(), Vec::new()).unwrap()
}

#[tokio::test]
async fn every_built_in_metric_plans_against_empty_tables() {
    Catalogue::load(None).unwrap().check(&empty_release()).await.unwrap();
}

#[tokio::test]
async fn a_session_of_the_release_can_be_built_within_its_limits() {
    assert!(empty_release().session(&Limits::default()).is_ok());
}
