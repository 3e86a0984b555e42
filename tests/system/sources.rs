//! Sources against real servers, started by each test in a temporary folder and ended with it.

mod certificates;
mod databases;
mod https;
mod line;
mod s3;
mod sftp;

use serde_json::Value;

use crate::deployment::{Answer, Deployment, finish};

/// Runs the feed `units` with variables in its environment.
fn run(deployment: &Deployment, variables: &[(&str, &str)]) -> Answer {
    let mut command = deployment.command(&["ingest", "run", "units", "--format", "json"]);
    finish(command.envs(variables.iter().copied()))
}

/// The tries of the feed `units`: number, outcome and error of each.
fn tries(deployment: &Deployment) -> Vec<(u64, String, String)> {
    let rows = deployment
        .sql("select attempt, outcome, error from system.run where feed_id = 'units' order by started_at, attempt");
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    rows.iter().map(|row| (row["attempt"].as_u64().unwrap(), text(&row["outcome"]), text(&row["error"]))).collect()
}

/// The one try of a feed whose fault no other try can change, with its error.
fn only_failure(deployment: &Deployment) -> String {
    let tries = tries(deployment);
    let [(1, outcome, error)] = tries.as_slice() else { panic!("not one try: {tries:?}") };
    assert_eq!(outcome, "failed");
    error.clone()
}

/// The batches of the feed `units` in the order in which they landed: read, accepted, unchanged, held.
fn batches(deployment: &Deployment) -> Vec<[u64; 4]> {
    let rows = deployment.sql(
        "select rows_read, rows_accepted, rows_unchanged, rows_quarantined from system.batch \
         where feed_id = 'units' order by landed_at, object",
    );
    let columns = ["rows_read", "rows_accepted", "rows_unchanged", "rows_quarantined"];
    rows.iter().map(|row| columns.map(|column| row[column].as_u64().unwrap())).collect()
}

/// Numbers of the units, each with its name: `U1 一矿, U2 二矿`.
fn units(deployment: &Deployment) -> String {
    let rows = deployment.sql("select unit_id, name from unit order by unit_id");
    let names =
        rows.iter().map(|row| format!("{} {}", row["unit_id"].as_str().unwrap(), row["name"].as_str().unwrap()));
    names.collect::<Vec<_>>().join(", ")
}

/// A feed of units, quick to try again, with what is to stand in `[source]` and after it.
fn feed(source: &str) -> String {
    format!(
        "dataset = \"unit\"\nreporter = \"HZ\"\nretry = {{ attempts = 3, first = \"10ms\", most = \"10ms\" }}\n\n[source]\n{source}"
    )
}
