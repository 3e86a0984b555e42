//! A record and all its versions, each with where it came from.

use anze_warehouse::Release;
use anze_warehouse::contract::{ColumnType, Contract};
use anze_warehouse::lineage;
use anze_warehouse::session::Limits;
use datafusion::functions::expr_fn::coalesce;
use datafusion::logical_expr::{Expr, ident, lit};
use datafusion::scalar::ScalarValue;
use serde_json::{Map, Value, json};

use crate::permission::Permission;
use crate::problem::Problem;
use crate::rows::{self, Row, Selection};

/// The most versions that one answer shows.
const MOST: usize = 1000;
/// What stands in place of a value that is not shown.
pub const MASK: &str = "***";

/// The key of a record, or its leading parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordKey(Vec<String>);

impl RecordKey {
    /// Parts joined by commas, fewer than the key has for all records that begin so. A key of one
    /// part is taken as it is.
    pub fn parse(text: &str, contract: &Contract) -> Self {
        Self(text.splitn(contract.key.len().max(1), ',').map(str::to_owned).collect())
    }

    /// The parts given.
    pub fn parts(&self) -> &[String] {
        &self.0
    }

    fn conditions(&self, contract: &Contract) -> Result<Vec<Expr>, Problem> {
        let columns = contract.key.iter().filter_map(|name| contract.column(name));
        columns
            .zip(&self.0)
            .map(|(column, part)| {
                let place = ident(&column.name);
                if part.is_empty() {
                    // The empty value of a key column means *all*.
                    let empty = place.clone().is_null();
                    return Ok(if column.kind == ColumnType::Text { empty.or(place.eq(lit(""))) } else { empty });
                }
                let value = ScalarValue::try_from_string(part.clone(), &column.kind.arrow()).map_err(|_| {
                    let kind = column.kind.notation();
                    Problem::bad_request(
                        "bad_key",
                        format!("`{part}` is no {kind}, as {} of the key must be", column.name),
                    )
                })?;
                Ok(place.eq(lit(value)))
            })
            .collect()
    }
}

/// One version of a record.
#[derive(Debug, Clone)]
pub struct Version {
    /// `current`, `replaced`, `superseded` or `deleted`.
    pub state: String,
    /// The batch that took its place.
    pub replaced_by: Option<String>,
    /// The contract's columns.
    pub values: Row,
    /// Batch, row, feed, reporter and times.
    pub lineage: Row,
}

impl Version {
    /// The landed line it came from: batch and number of the record.
    pub fn landed_line(&self) -> Option<(&str, u64)> {
        Some((rows::text(&self.lineage, lineage::BATCH_ID)?, self.lineage.get(lineage::ROW_NO)?.as_u64()?))
    }

    /// For programs.
    pub fn json(&self) -> Value {
        let line = self.landed_line().map(|(batch, row)| format!("/api/v1/batches/{batch}/rows/{row}"));
        json!({
            "version_state": self.state,
            "replaced_by": self.replaced_by,
            "values": self.values,
            "lineage": self.lineage,
            "landed_line": line,
        })
    }
}

/// The versions of all records with this key, oldest first.
#[derive(Debug, Clone)]
pub struct Versions {
    pub versions: Vec<Version>,
    /// There are more than are shown.
    pub cut: bool,
}

/// Looks the versions up; sensitive values are masked for those who may not see them.
pub async fn versions(
    release: &Release,
    limits: &Limits,
    contract: &Contract,
    key: &RecordKey,
    permission: &Permission,
) -> Result<Versions, Problem> {
    let clock = coalesce(vec![ident(lineage::SOURCE_UPDATED_AT), ident(lineage::LANDED_AT)]);
    let mut order = rows::by(&contract.key.iter().map(String::as_str).collect::<Vec<_>>());
    order.push(clock.sort(true, true));
    order.extend(rows::by(&[lineage::LANDED_AT, lineage::BATCH_ID, lineage::ROW_NO]));
    let selection = Selection {
        schema: "history",
        table: &contract.name,
        columns: &[],
        conditions: key.conditions(contract)?,
        order,
        most: Some(MOST + 1),
    };
    let mut found = rows::select(release, limits, selection).await?;
    let cut = found.len() > MOST;
    found.truncate(MOST);
    let versions = found.into_iter().map(|row| version(contract, row, permission)).collect();
    Ok(Versions { versions, cut })
}

fn version(contract: &Contract, mut row: Row, permission: &Permission) -> Version {
    let text = |value: Option<Value>| value.as_ref().and_then(Value::as_str).map(str::to_owned);
    let state = text(row.remove("version_state")).unwrap_or_default();
    let replaced_by = text(row.remove("replaced_by"));
    let lineage =
        lineage::NAMES.iter().filter_map(|name| row.remove(*name).map(|value| ((*name).to_owned(), value))).collect();
    mask(contract, &mut row, permission);
    Version { state, replaced_by, values: row, lineage }
}

/// Replaces the values of sensitive columns.
pub fn mask(contract: &Contract, values: &mut Map<String, Value>, permission: &Permission) {
    if permission.sees_sensitive() {
        return;
    }
    for column in contract.columns.iter().filter(|column| column.sensitive) {
        if let Some(value) = values.get_mut(&column.name)
            && !value.is_null()
        {
            *value = Value::String(MASK.to_owned());
        }
    }
}

/// Whether lines of this dataset hold values that not everybody may see.
pub fn is_sensitive(contract: &Contract) -> bool {
    contract.columns.iter().any(|column| column.sensitive)
}

/// A dataset by name.
pub fn dataset(name: &str) -> Result<&'static Contract, Problem> {
    let found = anze_warehouse::contract::builtin().dataset(name);
    found.map(AsRef::as_ref).ok_or_else(|| {
        Problem::not_found("no_such_dataset", format!("there is no dataset `{name}`; /api/v1/datasets lists them"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::permission::Role;

    #[test]
    fn key_parts_are_split_as_the_key_has_parts() {
        let parts = |name: &str, text: &str| RecordKey::parse(text, dataset(name).unwrap()).0;
        assert_eq!(parts("policy", "P1,U1"), ["P1", "U1"]);
        assert_eq!(parts("policy", "P1"), ["P1"]);
        assert_eq!(parts("service", "S,1"), ["S,1"]);
        assert_eq!(parts("rule", "a,330000,,2018-01-01"), ["a", "330000", "", "2018-01-01"]);
    }

    #[test]
    fn a_key_part_of_the_wrong_type_is_refused() {
        let contract = dataset("roster").unwrap();
        let key = RecordKey::parse("U1,mine,yesterday", contract);
        assert_eq!(key.conditions(contract).unwrap_err().code, "bad_key");
    }

    #[test]
    fn sensitive_values_are_masked_below_admin() {
        let contract = dataset("service").unwrap();
        let row = json!({"service_no": "S1", "lead_expert": "张三"}).as_object().unwrap().clone();
        let shown = |role| {
            let mut row = row.clone();
            mask(contract, &mut row, &Permission::whole(role));
            row["lead_expert"].as_str().unwrap().to_owned()
        };
        assert_eq!(shown(Role::Admin), "张三");
        assert_eq!(shown(Role::Official), MASK);
    }
}
