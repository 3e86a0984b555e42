//! Releases: one consistent version of all tables, and the only thing readers ever see.

mod difference;
mod distinct;
mod dropped;
mod history;
mod manifest;
mod scan;

use std::sync::Arc;

use chrono::{DateTime, NaiveDate, Utc};
use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{Field, Schema, SchemaRef};
use datafusion::catalog::{MemTable, TableProvider};
use datafusion::common::TableReference;
use datafusion::prelude::SessionContext;

pub(crate) use difference::difference;
pub use difference::{ChangedDataset, ChangedKey, Difference, Entered};
pub use dropped::Dropped;
pub use manifest::Manifest;
pub(crate) use scan::{ParquetTable, readable};

use crate::contract::{self, Contract, Contracts};
use crate::error::{Error, ErrorKind, Result};
use crate::live::LiveTable;
use crate::metric_values::{self, FollowingTable};
use crate::reading::Reading;
use crate::session::CATALOG;
use crate::store::Store;
use crate::table::{TableKind, TableName, TableVersion};

/// One release, ready to be read.
#[derive(Debug)]
pub struct Release {
    manifest: Manifest,
    tables: Vec<(TableName, Arc<dyn TableProvider>)>,
    versions: Vec<TableVersion>,
    store: Option<Store>,
    reading: Arc<Reading>,
}

impl Release {
    /// Puts a release together from its manifest and the versions of its tables.
    pub(crate) fn new(
        store: &Store,
        manifest: Manifest,
        versions: Vec<TableVersion>,
        reading: &Arc<Reading>,
    ) -> Result<Self> {
        let contracts = contract::builtin();
        let mut tables: Vec<(TableName, Arc<dyn TableProvider>)> = Vec::new();
        for (name, schema) in release_tables(contracts) {
            let version = versions.iter().find(|version| version.name == name);
            let provider: Arc<dyn TableProvider> = match version {
                _ if name == metric_values::table() => {
                    Arc::new(FollowingTable::new(store, manifest.release, &schema, version))
                }
                Some(version) => {
                    let distinct = distinct::distinct(contracts, version, &versions);
                    Arc::new(ParquetTable::new(version, &schema).with_distinct(&distinct))
                }
                None => empty(&schema)?,
            };
            tables.push((name, provider));
        }
        for (name, contract) in live_tables(contracts) {
            tables.push((name, Arc::new(LiveTable::new(store, contract))));
        }
        Ok(Self { manifest, tables, versions, store: Some(store.clone()), reading: Arc::clone(reading) })
    }

    /// A release whose rows are in memory, for tests: tables not named are empty.
    ///
    /// Tables are named `policy` or `system.batch`; the columns a batch lacks are null.
    ///
    /// # Errors
    /// Refused, where a table or one of its columns is unknown.
    pub fn in_memory(day: NaiveDate, rows: Vec<(String, RecordBatch)>) -> Result<Arc<Self>> {
        let contracts = contract::builtin();
        let mut tables: Vec<(TableName, Arc<dyn TableProvider>)> = Vec::new();
        let live = live_tables(contracts).map(|(name, contract)| (name, contract.table_schema()));
        for (name, schema) in release_tables(contracts).into_iter().chain(live) {
            let sql_name = match name.kind {
                TableKind::Data => name.name.clone(),
                _ => format!("{}.{}", name.sql_schema(), name.name),
            };
            let batches = rows
                .iter()
                .filter(|(table, _)| *table == sql_name)
                .map(|(_, batch)| fitted(batch, &scan::readable(&schema)))
                .collect::<Result<Vec<_>>>()?;
            tables.push((name, Arc::new(MemTable::try_new(scan::readable(&schema), vec![batches])?)));
        }
        let manifest = Manifest::first(day);
        Ok(Arc::new(Self { manifest, tables, versions: Vec::new(), store: None, reading: Arc::default() }))
    }

    /// Number of the release, from 1.
    pub fn number(&self) -> u64 {
        self.manifest.release
    }

    /// The observation day: the day in the deployment's zone on which it was published.
    pub fn day(&self) -> NaiveDate {
        self.manifest.day
    }

    /// When it was published.
    pub fn published_at(&self) -> DateTime<Utc> {
        self.manifest.published_at
    }

    /// What the release names.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// How its deployment reads it.
    pub fn reading(&self) -> &Reading {
        &self.reading
    }

    /// The versions of the tables with rows.
    pub fn versions(&self) -> &[TableVersion] {
        &self.versions
    }

    /// Every table a reader can see, rows or not.
    pub fn tables(&self) -> impl Iterator<Item = (&TableName, &Arc<dyn TableProvider>)> {
        self.tables.iter().map(|(name, provider)| (name, provider))
    }

    /// A session that sees this release and the live tables.
    ///
    /// # Errors
    /// Internal.
    pub fn session(&self, limits: &crate::session::Limits) -> Result<SessionContext> {
        let session = crate::session::build(limits, self.store.as_ref())?;
        self.register(&session)?;
        Ok(session)
    }

    /// Registers every table with a session of [`crate::session::build`].
    ///
    /// `history.<dataset>` is a view: every version of every key, the current one included, with
    /// `version_state` (current, replaced, superseded, deleted) and `replaced_by` (batch).
    pub fn register(&self, session: &SessionContext) -> Result<()> {
        for (name, provider) in &self.tables {
            let reference = TableReference::full(CATALOG, name.sql_schema(), name.name.as_str());
            let provider = match name.kind {
                TableKind::History => {
                    let current = self.provider(&TableName::new(TableKind::Data, name.name.as_str()))?;
                    history::every_version(Arc::clone(provider), current)?
                }
                _ => Arc::clone(provider),
            };
            session.register_table(reference, provider)?;
        }
        Ok(())
    }

    fn provider(&self, name: &TableName) -> Result<Arc<dyn TableProvider>> {
        self.tables
            .iter()
            .find(|(candidate, _)| candidate == name)
            .map(|(_, provider)| Arc::clone(provider))
            .ok_or_else(|| Error::new(ErrorKind::NotFound, format!("no table {}", name.path())))
    }
}

/// Every table a release can hold, with its storage schema.
pub(crate) fn release_tables(contracts: &Contracts) -> Vec<(TableName, SchemaRef)> {
    let datasets = contracts.datasets().iter().flat_map(|contract| {
        [
            (TableName::new(TableKind::Data, &contract.name), contract.table_schema()),
            (TableName::new(TableKind::History, &contract.name), history::schema(contract)),
        ]
    });
    let system = contracts
        .system_tables()
        .iter()
        .filter(|contract| !crate::live::is_live(&contract.name))
        .map(|contract| (TableName::new(TableKind::System, &contract.name), contract.table_schema()));
    datasets.chain(system).collect()
}

pub(crate) use history::{REPLACED_BY, VERSION_STATE, schema as history_schema};

fn live_tables(contracts: &Contracts) -> impl Iterator<Item = (TableName, &Arc<Contract>)> {
    contracts
        .system_tables()
        .iter()
        .filter(|contract| crate::live::is_live(&contract.name))
        .map(|contract| (TableName::new(TableKind::System, &contract.name), contract))
}

fn empty(schema: &SchemaRef) -> Result<Arc<dyn TableProvider>> {
    Ok(Arc::new(MemTable::try_new(scan::readable(schema), vec![vec![]])?))
}

/// A batch with the columns of `schema`, in its order and types; absent columns are null.
fn fitted(batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch> {
    if let Some(unknown) = batch.schema().fields().iter().find(|field| schema.index_of(field.name()).is_err()) {
        return Err(Error::refused(format!("no column {}", unknown.name())));
    }
    let columns = schema
        .fields()
        .iter()
        .map(|field| match batch.column_by_name(field.name()) {
            Some(column) => Ok(cast(column, field.data_type())?),
            None => Ok(datafusion::arrow::array::new_null_array(field.data_type(), batch.num_rows())),
        })
        .collect::<Result<Vec<_>>>()?;
    Ok(RecordBatch::try_new(Arc::new(nullable(schema)), columns)?)
}

fn nullable(schema: &SchemaRef) -> Schema {
    let field = |field: &Arc<Field>| field.as_ref().clone().with_nullable(true);
    Schema::new(schema.fields().iter().map(field).collect::<Vec<_>>())
}
