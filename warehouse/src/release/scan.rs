//! A table of a release as an ordinary Parquet scan over the files the release names.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::Statistics;
use datafusion::common::stats::Precision;
use datafusion::datasource::TableType;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::{FileGroup, FileScanConfigBuilder, ParquetSource};
use datafusion::datasource::source::DataSourceExec;
use datafusion::error::Result;
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::logical_expr::Expr;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::empty::EmptyExec;

use crate::session::STORE_URL;
use crate::table::TableVersion;

/// The files of one table version.
pub(crate) struct ParquetTable {
    schema: SchemaRef,
    files: Vec<PartitionedFile>,
    rows: usize,
    bytes: usize,
    /// The number of values of each column, where it is known.
    distinct: Vec<Precision<usize>>,
}

impl ParquetTable {
    /// A scan over a table version; `schema` is the storage schema.
    pub(crate) fn new(version: &TableVersion, schema: &SchemaRef) -> Self {
        let schema = readable(schema);
        let folder = version.name.path();
        let files = version.files.iter().map(|file| {
            let mut statistics = Statistics::new_unknown(&schema);
            statistics.num_rows = Precision::Exact(usize::try_from(file.rows).unwrap_or(usize::MAX));
            PartitionedFile::new(format!("{folder}/{}", file.path), file.size).with_statistics(Arc::new(statistics))
        });
        let total = |part: fn(&crate::table::DataFile) -> u64| {
            usize::try_from(version.files.iter().map(part).sum::<u64>()).unwrap_or(usize::MAX)
        };
        let distinct = vec![Precision::Absent; schema.fields().len()];
        Self { files: files.collect(), rows: total(|file| file.rows), bytes: total(|file| file.size), distinct, schema }
    }

    /// The table, with how many values some columns have.
    pub(crate) fn with_distinct(mut self, distinct: &BTreeMap<String, u64>) -> Self {
        for (field, known) in self.schema.fields().iter().zip(&mut self.distinct) {
            if let Some(values) = distinct.get(field.name()) {
                *known = Precision::Inexact(usize::try_from(*values).unwrap_or(usize::MAX));
            }
        }
        self
    }

    fn statistics(&self) -> Statistics {
        let mut statistics = Statistics::new_unknown(&self.schema);
        statistics.num_rows = Precision::Exact(self.rows);
        statistics.total_byte_size = Precision::Inexact(self.bytes);
        for (column, known) in statistics.column_statistics.iter_mut().zip(&self.distinct) {
            column.distinct_count = *known;
        }
        statistics
    }
}

impl fmt::Debug for ParquetTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ParquetTable").field("files", &self.files.len()).field("rows", &self.rows).finish()
    }
}

#[async_trait]
impl TableProvider for ParquetTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn statistics(&self) -> Option<Statistics> {
        Some(self.statistics())
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        _filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        if self.files.is_empty() {
            let schema = match projection {
                Some(columns) => Arc::new(self.schema.project(columns)?),
                None => Arc::clone(&self.schema),
            };
            return Ok(Arc::new(EmptyExec::new(schema)));
        }
        let options = state.table_options().parquet.clone();
        let source = ParquetSource::new(Arc::clone(&self.schema)).with_table_parquet_options(options);
        let groups = FileGroup::new(self.files.clone()).split_files(state.config().target_partitions());
        let config = FileScanConfigBuilder::new(ObjectStoreUrl::parse(STORE_URL)?, Arc::new(source))
            .with_file_groups(groups)
            .with_statistics(self.statistics())
            .with_projection_indices(projection.cloned())?
            .with_limit(limit)
            .build();
        Ok(DataSourceExec::from_data_source(config))
    }
}

/// The schema readers see: text in Arrow's view layout, which the engine joins and groups faster.
pub(crate) fn readable(schema: &SchemaRef) -> SchemaRef {
    let fields = schema.fields().iter().map(|field| match field.data_type() {
        DataType::Utf8 => Field::new(field.name(), DataType::Utf8View, field.is_nullable()),
        _ => field.as_ref().clone(),
    });
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}
