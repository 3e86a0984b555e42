//! `anze trace`: every version of a record, and the landed line each came from, byte for byte.

use std::sync::Arc;

use anyhow::bail;
use clap::Args;
use serde_json::{Map, Value, json};

use super::noted::{Handed, note};
use super::{Desk, ReleaseArgs};
use crate::exit::Outcome;
use crate::landed::{self, LandedLine};
use crate::output::{Report, shown};
use crate::permission::Permission;
use crate::problem::Problem;
use crate::record::{self, RecordKey, Version};
use crate::rows::{Row, text};

/// Every version of a record and the landed line of each
#[derive(Debug, Args)]
pub struct Trace {
    /// The dataset, for example policy
    dataset: String,
    /// Its key; parts are joined by a comma, and a leading part matches all that begin so
    key: String,
    /// Only the landed bytes, exactly as they came, a line each
    #[arg(long)]
    raw: bool,
    #[command(flatten)]
    release: ReleaseArgs,
}

/// A version and where it came from; a line that cannot be found says why.
type Traced = (Version, Option<Result<LandedLine, Problem>>);

impl Trace {
    pub(super) async fn run(self, desk: &Desk) -> anyhow::Result<Outcome> {
        let deployment = Arc::new(desk.deployment()?);
        let release = deployment.release(self.release.choice()?).await?;
        let contract = record::dataset(&self.dataset)?;
        let key = RecordKey::parse(&self.key, contract);
        let operator = Permission::operator();
        let found = record::versions(&release, &deployment.limits(), contract, &key, &operator).await?;
        if found.versions.is_empty() {
            bail!("no record of {} has the key {}", self.dataset, self.key);
        }
        let mut traced: Vec<Traced> = Vec::with_capacity(found.versions.len());
        for version in found.versions {
            let line = match version.landed_line() {
                Some((batch, row)) => Some(landed::line(&deployment, &release, batch, row, &operator).await),
                None => None,
            };
            traced.push((version, line));
        }
        let handed = Handed {
            action: "record",
            dataset: Some(&self.dataset),
            metric: None,
            request: format!("trace {} {}", self.dataset, self.key),
            release: release.number(),
            rows: Some(traced.len()),
        };
        note(&deployment, handed).await?;
        if self.raw {
            return raw(desk, traced);
        }
        let report = report(&self.dataset, &key, release.number(), &traced);
        if found.cut {
            desk.terminal.say("还有更多版本 there are more versions: give more parts of the key");
        }
        desk.terminal.print(&report)?;
        Ok(Outcome::Done)
    }
}

fn raw(desk: &Desk, traced: Vec<Traced>) -> anyhow::Result<Outcome> {
    for (_, line) in traced {
        let mut bytes = line.transpose()?.and_then(|line| line.bytes).unwrap_or_default();
        bytes.push(b'\n');
        desk.terminal.write_bytes(&bytes)?;
    }
    Ok(Outcome::Done)
}

fn report(dataset: &str, key: &RecordKey, release: u64, traced: &[Traced]) -> Report {
    let versions: Vec<Value> = traced.iter().map(json_of).collect();
    let json = json!({"dataset": dataset, "key": key.parts(), "release": release, "versions": versions});
    // A version is too wide for a line of a table: each stands by itself, its line below it.
    let text = traced.iter().enumerate().map(|(index, traced)| told(index + 1, traced)).collect();
    let rows: Vec<Row> = traced.iter().map(flat).collect();
    Report { json, text: Some(text), columns: Report::columns_of(&rows), rows, ..Report::default() }
}

fn json_of((version, line): &Traced) -> Value {
    let mut json = version.json();
    json["landed"] = match line {
        Some(Ok(line)) => line.json(),
        Some(Err(problem)) => json!({"problem": problem.to_string()}),
        None => Value::Null,
    };
    json
}

fn flat((version, line): &Traced) -> Row {
    let mut row = Map::from_iter([("version_state".to_owned(), json!(version.state))]);
    row.extend(version.values.clone());
    row.extend(version.lineage.clone());
    let line = line.as_ref().and_then(|line| line.as_ref().ok());
    row.insert("landed_line".to_owned(), json!(line.and_then(|line| line.text.clone())));
    row
}

fn told(number: usize, (version, line): &Traced) -> String {
    let of = |name: &str| version.lineage.get(name).and_then(shown).unwrap_or_else(|| "-".to_owned());
    let mut lines = vec![
        format!(
            "版本 version {number}: {} · feed {} · landed {} · source clock {}",
            version.state,
            of("feed_id"),
            of("landed_at"),
            of("source_updated_at")
        ),
        format!("  batch {} · record {}", of("batch_id"), of("row_no")),
    ];
    match line {
        Some(Ok(line)) => {
            let sha256 = text(&line.batch, "sha256").unwrap_or("-");
            let place = line.offset.map_or(String::new(), |offset| format!(" · offset {offset}"));
            lines.push(format!("  file sha256 {sha256}{place}"));
            lines.push(format!("  | {}", line.text.as_deref().unwrap_or_default()));
        }
        Some(Err(problem)) => lines.push(format!("  landed line: {problem}")),
        None => {}
    }
    let values =
        version.values.iter().filter_map(|(name, value)| shown(value).map(|value| format!("  {name} = {value}")));
    lines.extend(values);
    lines.join("\n") + "\n"
}
