//! What is published: the releases and what each names.

use anze_warehouse::Release;
use anze_warehouse::release::{Difference, Dropped};
use anze_warehouse::session::Limits;
use serde_json::{Value, json};

use crate::deployment::Deployment;
use crate::output::{Report, instant};
use crate::problem::Problem;
use crate::record;
use crate::release_choice::ReleaseChoice;
use crate::rows::{self, Row, Selection};

/// All releases up to this one, newest first, each with whether it is still kept.
pub async fn list(newest: &Release, dropped: &Dropped, limits: &Limits) -> Result<Vec<Row>, Problem> {
    let order = rows::by(&["release"]);
    let selection =
        Selection { schema: "system", table: "release", columns: &[], conditions: Vec::new(), order, most: None };
    let mut found = rows::select(newest, limits, selection).await?;
    found.reverse();
    for row in &mut found {
        row.remove("tables");
        let number = row.get("release").and_then(Value::as_u64);
        row.insert("kept".to_owned(), json!(!number.is_some_and(|number| dropped.contains(number))));
    }
    Ok(found)
}

/// One release: its day, the version of every table, the batches that entered with it.
pub fn show(release: &Release) -> Value {
    let manifest = release.manifest();
    json!({
        "release": manifest.release,
        "published_at": instant(manifest.published_at),
        "day": manifest.day.to_string(),
        "tables": manifest.tables,
        "batches": manifest.batches,
        "contracts_sha256": manifest.contracts,
    })
}

/// What changed from a release to a later one; of one dataset, or of all.
pub async fn diff(
    deployment: &Deployment,
    [from, to]: [u64; 2],
    dataset: Option<&str>,
    keys: usize,
) -> Result<Difference, Problem> {
    if from >= to {
        let detail = format!("release {from} is not earlier than {to}: name the earlier one first");
        return Err(Problem::bad_request("bad_parameter", detail));
    }
    if let Some(name) = dataset {
        record::dataset(name)?;
    }
    let earlier = deployment.release(ReleaseChoice::Number(from)).await?;
    let later = deployment.release(ReleaseChoice::Number(to)).await?;
    let limits = deployment.limits();
    Ok(deployment.warehouse().difference(&earlier, &later, dataset, keys, &limits).await?)
}

/// What changed, for people.
pub fn diff_report(found: &Difference) -> Report {
    let row = |value: Value| value.as_object().cloned().unwrap_or_default();
    let mut rows: Vec<Row> = Vec::new();
    for changed in &found.datasets {
        for key in &changed.keys {
            let parts: Vec<&str> = key.key.iter().map(|part| part.as_deref().unwrap_or_default()).collect();
            rows.push(row(json!({
                "dataset": changed.dataset, "change": key.change, "key": parts.join(","), "batch_id": key.batch_id,
            })));
        }
    }
    let mut notes: Vec<String> = Vec::new();
    for changed in &found.datasets {
        let (name, named) = (&changed.dataset, changed.keys.len() as u64);
        let (added, replaced, removed) = (changed.added, changed.replaced, changed.removed);
        notes.push(format!(
            "{name}: 新增 {added} 更新 {replaced} 移除 {removed} added {added}, replaced {replaced}, removed {removed}"
        ));
        if named < added + replaced + removed {
            notes.push(format!("{name}: 只列出前 {named} 个键 only the first {named} keys are listed: --keys"));
        }
    }
    if found.datasets.is_empty() {
        notes.push("各数据集均无变化 no dataset changed".to_owned());
    }
    let batches: usize = found.batches.iter().map(|entered| entered.batches.len()).sum();
    notes.push(format!("其间批次 batches between: {batches}"));
    notes.push(match found.contracts_changed {
        true => "数据契约已改变 the contracts are others".to_owned(),
        false => "数据契约未变 the contracts are the same".to_owned(),
    });
    let columns = ["dataset", "change", "key", "batch_id"].map(str::to_owned).to_vec();
    let columns = if rows.is_empty() { Vec::new() } else { columns };
    Report { json: json!(found), columns, rows, notes, ..Report::default() }
}
