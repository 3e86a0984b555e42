//! What is different between two releases: the current rows of each dataset by key, the batches that came
//! between, and whether the contracts changed.

use std::collections::HashSet;
use std::sync::Arc;

use datafusion::arrow::array::{Array, AsArray};
use datafusion::arrow::util::display::array_value_to_string;
use datafusion::common::JoinType;
use datafusion::logical_expr::{Expr, Operator, binary_expr, ident, lit, not, when};
use datafusion::prelude::{DataFrame, SessionContext};
use futures::StreamExt;
use serde::Serialize;

use super::{ParquetTable, Release};
use crate::contract::{self, Contract};
use crate::error::{Error, ErrorKind, Result};
use crate::lineage;
use crate::session::{self, Limits};
use crate::table::{TableKind, TableName, TableVersion};

/// What changed from one release to a later one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// The earlier release.
    pub from: u64,
    /// The later one.
    pub to: u64,
    /// Whether the contracts in force, and so the checks, are others.
    pub contracts_changed: bool,
    /// Batches that came between, by the release they entered with.
    pub batches: Vec<Entered>,
    /// The datasets whose current rows changed. Rules in force are the dataset `rule` like any other.
    pub datasets: Vec<ChangedDataset>,
}

/// The batches of one release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Entered {
    /// The release.
    pub release: u64,
    /// Its batches.
    pub batches: Vec<String>,
}

/// A dataset whose rows changed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct ChangedDataset {
    /// Which.
    pub dataset: String,
    /// Number of keys that are new.
    pub added: u64,
    /// Number of keys whose row is another.
    pub replaced: u64,
    /// Number of keys that have no row any more.
    pub removed: u64,
    /// The first of them, by key.
    pub keys: Vec<ChangedKey>,
}

/// A key whose row changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ChangedKey {
    /// `added`, `replaced` or `removed`.
    pub change: &'static str,
    /// The parts of the key, in order; an empty part is null.
    pub key: Vec<Option<String>>,
    /// The batch whose row stands now; of a removed key the one whose row stood.
    pub batch_id: Option<String>,
}

const ADDED: &str = "added";
const REPLACED: &str = "replaced";
const REMOVED: &str = "removed";

/// Compares two releases. `batches` are those that entered after `from`, up to `to`; at most `most` keys
/// of each dataset are named. Only files that one of the two names and the other does not are read.
pub(crate) async fn difference(
    from: &Release,
    to: &Release,
    batches: Vec<Entered>,
    only: Option<&str>,
    most: usize,
    limits: &Limits,
) -> Result<Difference> {
    let mut datasets = Vec::new();
    for contract in contract::builtin().datasets().iter().filter(|c| only.is_none_or(|only| only == c.name)) {
        let changed = dataset(from, to, contract, most, limits).await?;
        if changed.added + changed.replaced + changed.removed > 0 {
            datasets.push(changed);
        }
    }
    let contracts_changed = from.manifest().contracts != to.manifest().contracts;
    Ok(Difference { from: from.number(), to: to.number(), contracts_changed, batches, datasets })
}

async fn dataset(
    from: &Release,
    to: &Release,
    contract: &Contract,
    most: usize,
    limits: &Limits,
) -> Result<ChangedDataset> {
    let mut changed = ChangedDataset { dataset: contract.name.clone(), ..ChangedDataset::default() };
    let (before, after) = (alone(from, to, &contract.name), alone(to, from, &contract.name));
    if before.files.is_empty() && after.files.is_empty() {
        return Ok(changed);
    }
    let session = session::build(limits, from.store.as_ref())?;
    let mut rows = compared(&session, contract, &before, &after)?.execute_stream().await?;
    while let Some(batch) = rows.next().await {
        let batch = batch?;
        let text = |column: usize, row: usize| -> Result<Option<String>> {
            let column = batch.column(column);
            Ok(if column.is_null(row) { None } else { Some(array_value_to_string(column, row)?) })
        };
        let changes = datafusion::arrow::compute::cast(batch.column(0), &datafusion::arrow::datatypes::DataType::Utf8)?;
        for row in 0..batch.num_rows() {
            let (change, count) = match changes.as_string::<i32>().value(row) {
                ADDED => (ADDED, &mut changed.added),
                REPLACED => (REPLACED, &mut changed.replaced),
                _ => (REMOVED, &mut changed.removed),
            };
            *count += 1;
            if changed.keys.len() < most {
                let key = (2..batch.num_columns()).map(|column| text(column, row)).collect::<Result<_>>()?;
                changed.keys.push(ChangedKey { change, key, batch_id: text(1, row)? });
            }
        }
    }
    Ok(changed)
}

/// The files of a dataset that one release names and the other does not.
fn alone(of: &Release, other: &Release, dataset: &str) -> TableVersion {
    let name = TableName::new(TableKind::Data, dataset);
    let version = |release: &Release| release.versions().iter().find(|version| version.name == name).cloned();
    let known: HashSet<String> =
        version(other).iter().flat_map(|version| version.files.iter()).map(|file| file.path.clone()).collect();
    let files = version(of).map(|version| version.files.iter().filter(|f| !known.contains(&f.path)).cloned().collect());
    TableVersion { name, version: 0, files: Arc::new(files.unwrap_or_default()) }
}

/// `change`, `batch_id` and the key of every row that is not the same before and after, by key.
fn compared(
    session: &SessionContext,
    contract: &Contract,
    before: &TableVersion,
    after: &TableVersion,
) -> Result<DataFrame> {
    let schema = contract.table_schema();
    let names: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
    if contract.key.is_empty() {
        return Err(Error::new(ErrorKind::Internal, format!("{} has no key", contract.name)));
    }
    let old = |name: &str| ident(format!("old_{name}"));
    let new = |name: &str| ident(format!("new_{name}"));
    let side = |prefix: &str| -> Vec<Expr> {
        let columns = names.iter().map(|name| ident(*name).alias(format!("{prefix}_{name}")));
        columns.chain([lit(true).alias(format!("{prefix}_is"))]).collect()
    };
    let table = |version| session.read_table(Arc::new(ParquetTable::new(version, &schema)));
    let before = table(before)?.select(side("old"))?;
    let after = table(after)?.select(side("new"))?;
    let same = |name: &str| binary_expr(old(name), Operator::IsNotDistinctFrom, new(name));
    let differs = |name: &str| binary_expr(old(name), Operator::IsDistinctFrom, new(name));
    let joined = before.join_on(after, JoinType::Full, contract.key.iter().map(|name| same(name)))?;
    let any = names.iter().map(|name| differs(name)).reduce(Expr::or);
    let any = any.ok_or_else(|| Error::new(ErrorKind::Internal, "a table without columns"))?;
    let (was, is) = (ident("old_is").is_not_null(), ident("new_is").is_not_null());
    let change = when(not(was.clone()), lit(ADDED)).when(not(is.clone()), lit(REMOVED)).otherwise(lit(REPLACED))?;
    let either = |name: &str| when(is.clone(), new(name)).otherwise(old(name));
    let mut columns = vec![change.alias("change"), either(lineage::BATCH_ID)?.alias("batch")];
    for (number, name) in contract.key.iter().enumerate() {
        columns.push(either(name)?.alias(format!("key_{number}")));
    }
    let order = (0..contract.key.len()).map(|number| ident(format!("key_{number}")).sort(true, true));
    Ok(joined.filter(any.or(not(was)).or(not(is)))?.select(columns)?.sort(order.collect())?)
}
