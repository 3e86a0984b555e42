//! `anze check`: everything that can be wrong before anything runs.

use anze_warehouse::live::Chain;
use anze_warehouse::reading::Reading;
use anze_warehouse::store::Store;
use anze_warehouse::{Release, Warehouse};
use chrono::Utc;
use serde_json::{Map, Value, json};

use super::Desk;
use crate::deployment::{catalogue, schemes};
use crate::exit::{Misuse, Outcome};
use crate::output::Report;
use crate::place;
use crate::settings::{PublicSettings, Settings};
use crate::token::TokenFile;

/// One thing that was looked at.
struct Checked {
    what: &'static str,
    found: Result<String, String>,
}

pub(super) async fn run(desk: &Desk) -> anyhow::Result<Outcome> {
    let settings = Settings::load(&desk.dir)?;
    let mut checked = vec![Checked { what: "anze.toml", found: Ok("sound".to_owned()) }];
    let mut warnings = Vec::new();
    match anze_ingest::feed::Feeds::load(&desk.dir) {
        Ok(feeds) => {
            if feeds.is_empty() {
                warnings.push("feeds/ holds no .toml: nothing will be taken in".to_owned());
            }
            checked.push(Checked { what: "feeds", found: Ok(format!("{} feeds", feeds.len())) });
        }
        Err(error) => checked.push(Checked { what: "feeds", found: Err(error.to_string()) }),
    }
    let store = place::existing_warehouse(&desk.dir, &settings)?;
    checked.push(Checked { what: "metrics", found: metrics(desk, &settings, store.clone()).await });
    if let Ok(catalogue) = catalogue(&desk.dir) {
        let found = schemes(&desk.dir, &catalogue).map(|schemes| format!("{} schemes", schemes.schemes().len()));
        checked.push(Checked { what: "schemes", found: found.map_err(|error| format!("{error:#}")) });
    }
    let tokens = store.as_ref().map(|store| TokenFile::of(store).tokens()).transpose();
    let tokens = tokens.map(|tokens| format!("{} tokens", tokens.map_or(0, |tokens| tokens.len())));
    let tokens = tokens.map_err(|error| format!("{error:#}"));
    checked.push(Checked { what: "tokens", found: tokens });
    checked.push(Checked { what: "access log", found: Ok(access_log(store, &mut warnings)?) });
    let faults: Vec<String> = checked.iter().filter_map(|one| one.found.as_ref().err()).cloned().collect();
    desk.terminal.print(&report(&checked, &warnings))?;
    match (faults.as_slice(), warnings.as_slice()) {
        ([], []) => Ok(Outcome::Done),
        ([], _) => Ok(Outcome::Findings),
        (faults, _) => Err(Misuse::new(faults.join("\n")).into()),
    }
}

/// Follows the chain of the access log; a break is a finding.
fn access_log(store: Option<Store>, warnings: &mut Vec<String>) -> anyhow::Result<String> {
    let Some(store) = store else { return Ok("nothing in it yet".to_owned()) };
    Ok(match Warehouse::at(store, Reading::default()).access_log()?.verify()? {
        Chain::Whole { rows, last_hash } => {
            let last = last_hash.map(|hash| format!(", last hash {hash}")).unwrap_or_default();
            format!("{rows} accesses, one chain{last}")
        }
        Chain::Broken { line, why } => {
            warnings.push(format!(
                "访问日志的哈希链在第 {line} 行断开 live/access_log.ndjson: the chain breaks at line {line}: {why}; \
                 somebody changed the log, compare it with a backup"
            ));
            "the chain is broken".to_owned()
        }
    })
}

/// Plans every metric on the newest release, or on an empty one.
async fn metrics(desk: &Desk, settings: &Settings, store: Option<Store>) -> Result<String, String> {
    let catalogue = catalogue(&desk.dir).map_err(|error| format!("{error:#}"))?;
    // What is published by default may not be in the catalogue yet; what somebody wrote must be.
    if settings.public != PublicSettings::default()
        && let Some(unknown) = settings.public.metrics.iter().find(|id| catalogue.metric(id).is_none())
    {
        return Err(format!("anze.toml: [public] metrics: there is no metric `{unknown}`"));
    }
    let planned = async {
        let release = match store {
            Some(store) => Warehouse::at(store, Reading::default()).latest().await?,
            None => None,
        };
        let release = match release {
            Some(release) => release,
            None => Release::in_memory(Utc::now().date_naive(), Vec::new())?,
        };
        anyhow::Ok(catalogue.check(&release).await?)
    };
    planned.await.map_err(|error| format!("{error:#}"))?;
    Ok(format!("{} metrics", catalogue.metrics().len()))
}

fn report(checked: &[Checked], warnings: &[String]) -> Report {
    let row = |one: &Checked| {
        let (state, detail) = match &one.found {
            Ok(detail) => ("ok", detail),
            Err(detail) => ("wrong", detail),
        };
        Map::from_iter(
            [("what", one.what), ("state", state), ("detail", detail.as_str())]
                .map(|(name, value)| (name.to_owned(), Value::from(value))),
        )
    };
    let mut report = Report::list("checked", &["what", "state", "detail"], checked.iter().map(row).collect());
    report.json["warnings"] = json!(warnings);
    report.notes = warnings.iter().map(|warning| format!("warning: {warning}")).collect();
    report
}
