//! `anze metrics`: the catalogue, and the numbers.

mod answered;

use std::collections::BTreeMap;

use anze_queries::{Benchmark, Compare, Comparison, MOST_ROWS, MetricRequest, Side};
use chrono::{NaiveDate, Utc};
use clap::{Args, Subcommand};
use serde_json::{Map, Value};

use super::noted::{Handed, note};
use super::{Desk, ReleaseArgs, pair};
use crate::definition;
use crate::deployment::Deployment;
use crate::exit::{Misuse, Outcome};
use crate::output::Report;
use crate::permission::Permission;
use crate::problem::Problem;
use crate::question::{About, Question};

/// What the numbers mean, and the numbers
#[derive(Debug, Subcommand)]
pub enum Metrics {
    /// All metrics
    List,
    /// One metric: definition, basis, dimensions, parameters, SQL
    Show {
        /// Its id
        id: String,
    },
    /// Plan every metric and compare its columns with its declaration
    Check,
    /// Compute a metric
    Run(Box<Run>),
}

/// Compute a metric
#[derive(Debug, Args)]
pub struct Run {
    /// Its id; anze metrics list shows them
    id: String,
    /// Dimensions to break it down by, with commas: --by city,sector
    #[arg(long, value_delimiter = ',', value_name = "DIM,…")]
    by: Vec<String>,
    /// The day, for metrics of a day [default: the day of the release]
    #[arg(long, value_name = "DAY", conflicts_with_all = ["from", "to"])]
    as_of: Option<NaiveDate>,
    /// First day of the period [default: 1 January]
    #[arg(long, value_name = "DAY")]
    from: Option<NaiveDate>,
    /// First day after the period: exclusive. The first half of 2026 is
    /// --from 2026-01-01 --to 2026-07-01 [default: the day after the release's]
    #[arg(long, value_name = "DAY", verbatim_doc_comment)]
    to: Option<NaiveDate>,
    /// As if nothing after this day were known [default: the day of the release]
    #[arg(long, value_name = "DAY")]
    observed_until: Option<NaiveDate>,
    /// Only these cases, repeatable: --where sector=mine
    #[arg(long = "where", value_name = "DIM=MEMBER", value_parser = pair)]
    filters: Vec<(String, String)>,
    /// A parameter of the metric, repeatable: --param grace_days=30
    #[arg(long = "param", value_name = "NAME=VALUE", value_parser = pair)]
    params: Vec<(String, String)>,
    #[command(flatten)]
    release: ReleaseArgs,
    /// The earlier figure beside each: yoy (a year before) or mom (the period, or month, before)
    #[arg(long, value_name = "EARLIER", value_parser = compare, conflicts_with = "evidence")]
    compare: Option<Compare>,
    /// Figures of others beside each: province, nation, or both with a comma
    #[arg(long, value_delimiter = ',', value_name = "WHOSE", value_parser = benchmark, conflicts_with = "evidence")]
    benchmarks: Vec<Benchmark>,
    /// The rows behind the number instead of it: gap, numerator or denominator
    #[arg(long, value_name = "SIDE", value_parser = side)]
    evidence: Option<Side>,
    /// With --evidence: at most so many rows [default: all]
    #[arg(long, value_name = "ROWS", requires = "evidence")]
    limit: Option<usize>,
}

fn compare(text: &str) -> Result<Compare, String> {
    Compare::parse(text).ok_or_else(|| format!("`{text}` is neither yoy nor mom"))
}

fn benchmark(text: &str) -> Result<Benchmark, String> {
    Benchmark::parse(text).ok_or_else(|| format!("`{text}` is neither province nor nation"))
}

fn side(text: &str) -> Result<Side, String> {
    Side::parse(text).ok_or_else(|| format!("`{text}` is neither gap, numerator nor denominator"))
}

impl Metrics {
    pub(super) async fn run(self, desk: &Desk) -> anyhow::Result<Outcome> {
        let deployment = desk.deployment()?;
        match self {
            Self::List => desk.terminal.print(&list(&deployment))?,
            Self::Show { id } => desk.terminal.print(&show(&deployment, &id)?)?,
            Self::Check => {
                check(&deployment).await?;
                desk.terminal.say(&format!("{} metrics, all sound", deployment.catalogue().metrics().len()));
            }
            Self::Run(run) => desk.terminal.print(&run.answer(&deployment).await?)?,
        }
        Ok(Outcome::Done)
    }
}

fn list(deployment: &Deployment) -> Report {
    let metrics = deployment.catalogue().metrics().iter().map(definition::of);
    let rows = metrics.filter_map(|metric| metric.as_object().cloned()).collect();
    Report::list("metrics", &["id", "title", "title_en", "kind", "unit", "dimensions", "basis"], rows)
}

fn show(deployment: &Deployment, id: &str) -> anyhow::Result<Report> {
    let metric = deployment
        .catalogue()
        .metric(id)
        .ok_or_else(|| Misuse::new(format!("no metric `{id}`; anze metrics list shows them")))?;
    let mut shown = definition::of(metric);
    shown["sql"] = Value::from(metric.sql.clone());
    let mut report = Report::of_one(shown.as_object().cloned().unwrap_or_default());
    // In a table the SQL would be one line: it stands below instead.
    report.rows.retain(|row| row["name"] != "sql");
    report.notes = vec![String::new(), metric.sql.trim_end().to_owned()];
    Ok(report)
}

async fn check(deployment: &Deployment) -> anyhow::Result<()> {
    let release = match deployment.newest().await? {
        Some(release) => release,
        None => anze_warehouse::Release::in_memory(Utc::now().date_naive(), Vec::new())?,
    };
    Ok(deployment.catalogue().check(&release).await?)
}

impl Run {
    async fn answer(self, deployment: &Deployment) -> anyhow::Result<Report> {
        // The catalogue offers the nearest name; a question to HTTP does not need to.
        let request = self.request()?;
        let Some(side) = self.evidence else {
            let comparison = Comparison { earlier: self.compare, benchmarks: self.benchmarks };
            let answer = ask(deployment, About::Value(comparison), request, self.release).await?;
            return Ok(answered::value(answer));
        };
        let mut left = self.limit.unwrap_or(usize::MAX);
        let mut rows: Vec<Map<String, Value>> = Vec::new();
        let mut cursor = None;
        loop {
            let about = About::Evidence { side, cursor, limit: left.clamp(1, MOST_ROWS) };
            let mut page = ask(deployment, about, request.clone(), self.release).await?;
            let found = page.get_mut("rows").and_then(Value::as_array_mut).map(std::mem::take).unwrap_or_default();
            left = left.saturating_sub(found.len());
            rows.extend(
                found.into_iter().filter_map(|row| if let Value::Object(row) = row { Some(row) } else { None }),
            );
            cursor = page.get("next").and_then(Value::as_str).map(str::to_owned);
            if cursor.is_none() || left == 0 {
                let handed = Handed {
                    action: "evidence",
                    dataset: None,
                    metric: Some(&self.id),
                    request: format!("metrics run {} --evidence {}", self.id, side.name()),
                    release: page.get("release").and_then(Value::as_u64).unwrap_or_default(),
                    rows: Some(rows.len()),
                };
                note(deployment, handed).await?;
                return Ok(answered::evidence(page, rows));
            }
        }
    }

    fn request(&self) -> anyhow::Result<MetricRequest> {
        Ok(MetricRequest {
            id: self.id.clone(),
            by: self.by.clone(),
            as_of: self.as_of,
            from: self.from,
            to: self.to,
            observed_until: self.observed_until,
            filters: distinct("--where", &self.filters)?,
            params: distinct("--param", &self.params)?,
        })
    }
}

async fn ask(
    deployment: &Deployment,
    about: About,
    request: MetricRequest,
    release: ReleaseArgs,
) -> anyhow::Result<Map<String, Value>> {
    let question = Question { about, request, release: release.choice()? };
    let granted = question.granted(deployment, &Permission::operator()).await?;
    match granted.answer().await? {
        Value::Object(answer) => Ok(answer),
        _ => Err(Problem::internal(&"an answer is no object").into()),
    }
}

pub(super) fn distinct(option: &str, pairs: &[(String, String)]) -> anyhow::Result<BTreeMap<String, String>> {
    let mut found = BTreeMap::new();
    for (name, value) in pairs {
        if found.insert(name.clone(), value.clone()).is_some() {
            return Err(Misuse::new(format!("{option} {name} is given more than once")).into());
        }
    }
    Ok(found)
}
