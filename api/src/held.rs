//! Quarantine: records that were held, with the reason and the text as it came.

use anze_warehouse::Release;
use anze_warehouse::contract::builtin;
use anze_warehouse::session::Limits;
use datafusion::logical_expr::{ident, lit};
use serde_json::Value;

use crate::permission::Permission;
use crate::problem::Problem;
use crate::record::{MASK, is_sensitive};
use crate::rows::{self, Row, Selection};

/// Which held records are asked for; nothing given means all that are still held.
#[derive(Debug, Clone, Default, PartialEq, Eq, clap::Args)]
pub struct HeldFilter {
    /// Only those of this feed
    #[arg(long)]
    pub feed: Option<String>,
    /// Only those of this batch
    #[arg(long)]
    pub batch: Option<String>,
    /// Only those held by this rule
    #[arg(long)]
    pub rule: Option<String>,
    /// Only those of this dataset
    #[arg(long)]
    pub dataset: Option<String>,
    /// held (default), replayed, discarded or all
    #[arg(long)]
    pub state: Option<String>,
}

/// A page of held records and where the next one starts.
pub struct HeldPage {
    pub rows: Vec<Row>,
    pub next: Option<String>,
}

impl HeldFilter {
    /// The filter as one unambiguous text.
    pub fn canonical(&self) -> String {
        serde_json::json!([self.feed, self.batch, self.rule, self.dataset, self.state]).to_string()
    }
}

/// Reads a page, by `quarantine_id`, after the one named by `cursor`.
pub async fn list(
    release: &Release,
    limits: &Limits,
    filter: &HeldFilter,
    cursor: Option<&str>,
    most: usize,
    permission: &Permission,
) -> Result<HeldPage, Problem> {
    let state = filter.state.as_deref().unwrap_or("held");
    let states = ["held", "replayed", "discarded", "all"];
    if !states.contains(&state) {
        return Err(Problem::bad_request(
            "bad_parameter",
            format!("`state`: `{state}` is none of {}", states.join(", ")),
        ));
    }
    let wanted = [
        ("feed_id", filter.feed.as_deref()),
        ("batch_id", filter.batch.as_deref()),
        ("rule", filter.rule.as_deref()),
        ("dataset", filter.dataset.as_deref()),
        ("state", (state != "all").then_some(state)),
    ];
    let mut conditions: Vec<_> =
        wanted.iter().filter_map(|(column, value)| value.map(|value| ident(*column).eq(lit(value)))).collect();
    conditions.extend(cursor.map(|after| ident("quarantine_id").gt(lit(after))));
    let order = rows::by(&["quarantine_id"]);
    let selection =
        Selection { schema: "system", table: "quarantine", columns: &[], conditions, order, most: Some(most + 1) };
    let mut found = rows::select(release, limits, selection).await?;
    let more = found.len() > most;
    found.truncate(most);
    for row in &mut found {
        mask(row, permission);
    }
    let last = found.last().and_then(|row| rows::text(row, "quarantine_id")).map(str::to_owned);
    Ok(HeldPage { next: last.filter(|_| more), rows: found })
}

/// One held record.
pub async fn show(release: &Release, limits: &Limits, id: &str, permission: &Permission) -> Result<Row, Problem> {
    let conditions = vec![ident("quarantine_id").eq(lit(id))];
    let order = rows::by(&["quarantine_id"]);
    let selection = Selection { schema: "system", table: "quarantine", columns: &[], conditions, order, most: Some(1) };
    let mut row = rows::select(release, limits, selection).await?.pop().ok_or_else(|| {
        Problem::not_found("no_such_record", format!("there is no held record `{id}`; anze quarantine list shows them"))
    })?;
    mask(&mut row, permission);
    // The list of failures is stored as text: show it as what it is.
    if let Some(failures) = rows::text(&row, "failures").and_then(|text| serde_json::from_str::<Value>(text).ok()) {
        row.insert("failures".to_owned(), failures);
    }
    Ok(row)
}

/// The text of a record holds its sensitive values too, and so may the failures.
fn mask(row: &mut Row, permission: &Permission) {
    let contract = rows::text(row, "dataset").and_then(|name| builtin().dataset(name));
    if permission.sees_sensitive() || contract.is_some_and(|contract| !is_sensitive(contract)) {
        return;
    }
    for column in ["raw", "failures"] {
        row.insert(column.to_owned(), Value::String(MASK.to_owned()));
    }
}
