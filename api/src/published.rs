//! What is published: the releases and what each names.

use anze_warehouse::Release;
use anze_warehouse::session::Limits;
use serde_json::{Value, json};

use crate::output::instant;
use crate::problem::Problem;
use crate::rows::{self, Row, Selection};

/// All releases up to this one, newest first.
pub async fn list(newest: &Release, limits: &Limits) -> Result<Vec<Row>, Problem> {
    let order = rows::by(&["release"]);
    let selection =
        Selection { schema: "system", table: "release", columns: &[], conditions: Vec::new(), order, most: None };
    let mut found = rows::select(newest, limits, selection).await?;
    found.reverse();
    for row in &mut found {
        row.remove("tables");
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
