//! A mart whose rows are computed once for a session and kept in files, because many metrics read it and it
//! costs more than they do.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::config::TableParquetOptions;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::dataframe::DataFrameWriteOptions;
use datafusion::datasource::TableType;
use datafusion::datasource::file_format::parquet::ParquetFormat;
use datafusion::datasource::listing::{ListingOptions, ListingTable, ListingTableConfig, ListingTableUrl};
use datafusion::datasource::source_as_provider;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::SessionState;
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, TableScan};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::prelude::{DataFrame, SessionConfig};
use tokio::sync::OnceCell;

use super::folders::Folders;

/// Lets a session keep marts in the folder for temporary files.
pub(super) fn allow(config: &mut SessionConfig) {
    config.set_extension(Arc::new(Folders::new(std::env::temp_dir())));
}

/// A mart that is computed when it is first read.
pub(super) struct Kept {
    name: &'static str,
    sql: &'static str,
    plan: LogicalPlan,
    rows: OnceCell<Arc<dyn TableProvider>>,
}

impl Kept {
    /// `plan` without the columns it does not use.
    pub(super) fn new(name: &'static str, sql: &'static str, plan: LogicalPlan) -> Self {
        Self { name, sql, plan, rows: OnceCell::new() }
    }

    /// Computes the rows into a folder of their own. One that waits goes on if the first asker gives up.
    async fn computed(&self, state: &SessionState) -> Result<Arc<dyn TableProvider>> {
        let folders = state.config().get_extension::<Folders>().ok_or_else(|| {
            DataFusionError::Internal(format!("{} is read by a session that keeps no marts", self.name))
        })?;
        let folder = folders.make()?;
        let rows = self.written(state, folder.path()).await?;
        folders.take(folder);
        Ok(rows)
    }

    async fn written(&self, state: &SessionState, folder: &Path) -> Result<Arc<dyn TableProvider>> {
        let path = folder.to_str().ok_or_else(|| {
            DataFusionError::Execution(format!("the folder {} for temporary files is not UTF-8", folder.display()))
        })?;
        let mut parquet = TableParquetOptions::default();
        parquet.global.compression = Some("zstd(1)".to_owned());
        parquet.global.statistics_enabled = Some("chunk".to_owned());
        DataFrame::new(state.clone(), self.plan.clone())
            .write_parquet(path, DataFrameWriteOptions::new(), Some(parquet))
            .await?;
        let options = ListingOptions::new(Arc::new(ParquetFormat::default())).with_file_extension(".parquet");
        let config = ListingTableConfig::new(ListingTableUrl::parse(format!("{path}/"))?)
            .with_listing_options(options)
            .with_schema(self.schema());
        Ok(Arc::new(ListingTable::try_new(config)?))
    }
}

impl fmt::Debug for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kept").field("name", &self.name).field("computed", &self.rows.initialized()).finish()
    }
}

#[async_trait]
impl TableProvider for Kept {
    fn schema(&self) -> SchemaRef {
        Arc::clone(self.plan.schema().inner())
    }

    fn table_type(&self) -> TableType {
        TableType::View
    }

    fn get_table_definition(&self) -> Option<&str> {
        Some(self.sql)
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let session = state
            .as_any()
            .downcast_ref::<SessionState>()
            .ok_or_else(|| DataFusionError::Internal(format!("{} is read by a session of another kind", self.name)))?;
        match self.rows.get_or_try_init(|| self.computed(session)).await {
            Ok(rows) => rows.scan(state, projection, filters, limit).await,
            Err(error) if is_of_the_disk(&error) => {
                tracing::warn!(mart = self.name, %error, "a mart cannot be kept in the folder for temporary files");
                let mut plan = LogicalPlanBuilder::from(self.plan.clone());
                if let Some(columns) = projection {
                    plan = plan.select(columns.iter().copied())?;
                }
                state.create_physical_plan(&plan.build()?).await
            }
            Err(error) => Err(error),
        }
    }
}

/// Whether an error says that files cannot be written, and not that rows cannot be computed.
fn is_of_the_disk(error: &DataFusionError) -> bool {
    use DataFusionError::{IoError, ObjectStore, ParquetError};
    matches!(error.find_root(), IoError(_) | ObjectStore(_) | ParquetError(_))
}

/// Visits every scan of a table of the release in a plan, also those by which a kept mart is computed.
///
/// # Errors
/// Those of the engine and of `visit`.
pub fn each_scan(plan: &LogicalPlan, visit: &mut dyn FnMut(&TableScan) -> Result<()>) -> Result<()> {
    plan.apply_with_subqueries(|node| {
        if let LogicalPlan::TableScan(scan) = node {
            let provider = source_as_provider(&scan.source)?;
            match provider.downcast_ref::<Kept>() {
                Some(kept) => each_scan(&kept.plan, visit)?,
                None => visit(scan)?,
            }
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::sync::Mutex;

    use datafusion::arrow::array::AsArray;
    use datafusion::arrow::datatypes::Int64Type;
    use datafusion::logical_expr::{ColumnarValue, Volatility, create_udf};
    use datafusion::prelude::SessionContext;

    use super::*;

    /// A session in which mart `t` counts how often its one row is computed.
    async fn session(inside: &Path) -> (SessionContext, Arc<Mutex<u32>>) {
        let mut config = SessionConfig::new();
        config.set_extension(Arc::new(Folders::new(inside.to_owned())));
        let session = SessionContext::new_with_config(config);
        let times = Arc::new(Mutex::new(0));
        let counted = Arc::clone(&times);
        let count = move |values: &[ColumnarValue]| {
            *counted.lock().unwrap() += 1;
            Ok(values[0].clone())
        };
        let number = datafusion::arrow::datatypes::DataType::Int64;
        let function = create_udf("counted", vec![number.clone()], number, Volatility::Volatile, Arc::new(count));
        session.register_udf(function);
        let sql = "select counted(column1) as a, column2 as b from (values (7, 'x'), (8, 'y'))";
        let plan = session.state().create_logical_plan(sql).await.unwrap();
        let plan = session.state().optimize(&plan).unwrap();
        session.register_table("t", Arc::new(Kept::new("t", sql, plan))).unwrap();
        (session, times)
    }

    async fn sum(session: &SessionContext) -> i64 {
        let rows = session.sql("select sum(a) from t where b = 'y'").await.unwrap().collect().await.unwrap();
        rows[0].column(0).as_primitive::<Int64Type>().value(0)
    }

    fn folders(inside: &Path) -> usize {
        fs::read_dir(inside).unwrap().count()
    }

    #[tokio::test]
    async fn a_kept_mart_is_computed_once_and_its_files_go_with_the_session() {
        let inside = tempfile::tempdir().unwrap();
        let (session, times) = session(inside.path()).await;
        assert_eq!(folders(inside.path()), 0, "nothing is computed before it is asked for");
        assert_eq!(sum(&session).await, 8);
        let once = *times.lock().unwrap();
        assert_eq!(sum(&session).await, 8);
        assert_eq!(*times.lock().unwrap(), once);
        assert_eq!(folders(inside.path()), 1);

        drop(session);
        assert_eq!(folders(inside.path()), 0);
    }

    #[tokio::test]
    async fn where_no_file_can_be_written_a_mart_is_computed_each_time() {
        let inside = tempfile::tempdir().unwrap();
        let (session, times) = session(&inside.path().join("missing")).await;
        for _ in 0..2 {
            assert_eq!(sum(&session).await, 8);
        }
        assert!(*times.lock().unwrap() >= 2);
    }

    #[tokio::test]
    async fn what_a_kept_mart_reads_is_seen_in_plans_over_it() {
        let inside = tempfile::tempdir().unwrap();
        let (session, _) = session(inside.path()).await;
        session
            .register_batch(
                "u",
                datafusion::arrow::record_batch::RecordBatch::new_empty(
                    session.table("t").await.unwrap().schema().inner().clone(),
                ),
            )
            .unwrap();
        let plan = session.state().create_logical_plan("select a from u").await.unwrap();
        session.register_table("v", Arc::new(Kept::new("v", "", plan))).unwrap();
        let plan = session
            .state()
            .create_logical_plan("select count(*) from v where a > (select max(a) from v)")
            .await
            .unwrap();
        let mut names = Vec::new();
        each_scan(&plan, &mut |scan| {
            names.push(scan.table_name.table().to_owned());
            Ok(())
        })
        .unwrap();
        assert_eq!(names, ["u", "u"]);
    }
}
