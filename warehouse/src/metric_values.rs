//! `metric_value`: every metric by month, computed after the release it follows and kept beside it.
//!
//! | object | |
//! |---|---|
//! | `system/metric_value/` | a table like others, one file a month |
//! | `values/<release>.json` | which version of that table follows the release |
//! | `values/newest.json` | the newest of those |
//! | `values/notes.json` | what its maker needs in order to tell what a later release changes |
//!
//! One version of the table is a sheet. A release is there before its sheet; until then its readers see
//! the sheet that stood when it was published, which the manifest names, so that what a kept release shows
//! is kept with it. The rows say which release they were computed on.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::catalog::{Session, TableProvider};
use datafusion::datasource::TableType;
use datafusion::error::DataFusionError;
use datafusion::logical_expr::Expr;
use datafusion::physical_plan::ExecutionPlan;
use serde::{Deserialize, Serialize};
use tokio::sync::OnceCell;

use crate::error::{Error, ErrorKind, Result};
use crate::release::{ParquetTable, readable};
use crate::store::{Store, Stored};
use crate::table::{TableKind, TableLog, TableName, TableVersion};

/// The table's name, in SQL too, where it stands beside the datasets.
pub const METRIC_VALUE: &str = "metric_value";
/// The column that says the month, `2026-03`; every file holds one.
pub(crate) const MONTH: &str = "month";
/// The column that says the metric.
pub(crate) const METRIC_ID: &str = "metric_id";

/// One version of the table, and the release that it follows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sheet {
    /// The release on which it was brought up to date.
    pub release: u64,
    /// The version of the table.
    pub version: u64,
}

/// The sheets of a warehouse.
#[derive(Debug, Clone)]
pub struct MetricValues {
    store: Store,
}

impl MetricValues {
    pub(crate) fn new(store: &Store) -> Self {
        Self { store: store.clone() }
    }

    /// The newest sheet; `None` before the first.
    ///
    /// # Errors
    /// Storage, Corrupt.
    pub async fn newest(&self) -> Result<Option<Sheet>> {
        self.read(NEWEST).await
    }

    /// The sheet that follows a release; `None` while it is not there. Readers of the release then see the
    /// version that its manifest names. Vacuum keeps the files of both.
    ///
    /// # Errors
    /// Storage, Corrupt.
    pub async fn of(&self, release: u64) -> Result<Option<Sheet>> {
        self.read(&path(release)).await
    }

    /// The versions of the table that follow some releases, each with those, and that of the newest sheet.
    /// With the versions that manifests name they are all that anybody reads.
    ///
    /// # Errors
    /// Storage, Corrupt.
    pub(crate) async fn following(&self, releases: &BTreeSet<u64>) -> Result<BTreeMap<u64, BTreeSet<u64>>> {
        let mut versions: BTreeMap<u64, BTreeSet<u64>> = BTreeMap::new();
        if let Some(newest) = self.newest().await? {
            versions.entry(newest.version).or_default().insert(newest.release);
        }
        for (release, _) in self.stored().await? {
            if releases.contains(&release)
                && let Some(sheet) = self.of(release).await?
            {
                versions.entry(sheet.version).or_default().insert(release);
            }
        }
        Ok(versions)
    }

    /// Where it is said which sheets follow other releases than those: nobody reads them any more.
    ///
    /// # Errors
    /// Storage.
    pub(crate) async fn outdated(&self, readable: &BTreeSet<u64>) -> Result<Vec<Stored>> {
        let mut stored = self.stored().await?;
        stored.retain(|(release, _)| !readable.contains(release));
        Ok(stored.into_iter().map(|(_, object)| object).collect())
    }

    /// The releases that a sheet was made for, with the objects that say which.
    async fn stored(&self) -> Result<Vec<(u64, Stored)>> {
        let numbered = |object: Stored| {
            let name = object.path.strip_prefix(FOLDER)?.strip_prefix('/')?.strip_suffix(".json")?;
            Some((name.parse().ok()?, object))
        };
        Ok(self.store.list(FOLDER).await?.into_iter().filter_map(numbered).collect())
    }

    /// What the maker of the newest sheet noted with it; `None` where that is another's, or none at all.
    ///
    /// # Errors
    /// Storage.
    pub async fn notes(&self, sheet: &Sheet) -> Result<Option<serde_json::Value>> {
        let Some(bytes) = self.store.read(NOTES).await? else { return Ok(None) };
        // Without its notes a sheet is made anew: nothing is lost with them.
        let Ok(noted) = serde_json::from_slice::<Noted>(&bytes) else { return Ok(None) };
        Ok((noted.of == *sheet).then_some(noted.notes))
    }

    /// Makes a committed version of the table the sheet of a release.
    pub(crate) async fn follow(&self, sheet: Sheet, notes: serde_json::Value) -> Result<()> {
        let noted = Noted { of: sheet, notes };
        self.store.replace(NOTES, serde_json::to_vec(&noted)?).await?;
        let bytes = serde_json::to_vec(&noted.of)?;
        self.store.replace(&path(noted.of.release), bytes.clone()).await?;
        self.store.replace(NEWEST, bytes).await
    }

    async fn read(&self, path: &str) -> Result<Option<Sheet>> {
        let Some(bytes) = self.store.read(path).await? else { return Ok(None) };
        let sheet = serde_json::from_slice(&bytes)
            .map_err(|error| Error::caused(ErrorKind::Corrupt, format!("{path} is damaged"), error))?;
        Ok(Some(sheet))
    }

    async fn version(&self, version: u64) -> Result<TableVersion> {
        TableLog::new(&self.store, table())?.read(version).await
    }
}

#[derive(Serialize, Deserialize)]
struct Noted {
    of: Sheet,
    notes: serde_json::Value,
}

const FOLDER: &str = "values";
const NEWEST: &str = "values/newest.json";
const NOTES: &str = "values/notes.json";

fn path(release: u64) -> String {
    format!("values/{release:010}.json")
}

/// The table behind it.
pub(crate) fn table() -> TableName {
    TableName::new(TableKind::System, METRIC_VALUE)
}

/// The table as a release shows it.
#[derive(Debug)]
pub(crate) struct FollowingTable {
    values: MetricValues,
    release: u64,
    schema: SchemaRef,
    /// The version that the manifest names.
    named: Option<TableVersion>,
    /// The version that follows the release, once it has been seen.
    following: OnceCell<TableVersion>,
}

impl FollowingTable {
    pub(crate) fn new(store: &Store, release: u64, schema: &SchemaRef, named: Option<&TableVersion>) -> Self {
        Self {
            values: MetricValues::new(store),
            release,
            schema: Arc::clone(schema),
            named: named.cloned(),
            following: OnceCell::new(),
        }
    }

    async fn current(&self) -> Result<Option<TableVersion>> {
        if let Some(known) = self.following.get() {
            return Ok(Some(known.clone()));
        }
        match self.values.of(self.release).await? {
            None => Ok(self.named.clone()),
            Some(sheet) => {
                let version = self.values.version(sheet.version).await?;
                Ok(Some(self.following.get_or_init(|| async { version }).await.clone()))
            }
        }
    }
}

#[async_trait]
impl TableProvider for FollowingTable {
    fn schema(&self) -> SchemaRef {
        readable(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> datafusion::error::Result<Arc<dyn ExecutionPlan>> {
        let current = self.current().await.map_err(|error| DataFusionError::External(Box::new(error)))?;
        let current =
            current.unwrap_or_else(|| TableVersion { name: table(), version: 0, files: Arc::new(Vec::new()) });
        ParquetTable::new(&current, &self.schema).scan(state, projection, filters, limit).await
    }
}
