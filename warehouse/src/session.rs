//! The one place where a query session is built.

mod memory;

use std::sync::{Arc, OnceLock};

use datafusion::catalog::{CatalogProvider, MemoryCatalogProvider, MemorySchemaProvider};
use datafusion::execution::memory_pool::MemoryPool;
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::prelude::{SessionConfig, SessionContext};

use crate::error::{Error, ErrorKind, Result};
use crate::functions;
use crate::store::Store;
pub use memory::QuestionMemory;

/// Name of the catalog.
pub const CATALOG: &str = "anze";
/// Schema of the datasets and views.
pub const DEFAULT_SCHEMA: &str = "public";
/// Address of the warehouse's store inside a session.
pub(crate) const STORE_URL: &str = "anze://data";

/// What sessions may use. Those of one value and its clones share the memory.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Memory for sorts, joins and aggregates.
    pub memory: Arc<QuestionMemory>,
    /// Number of parallel partitions.
    pub target_partitions: usize,
}

impl Default for Limits {
    fn default() -> Self {
        let cores = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
        Self { memory: Arc::new(QuestionMemory::new(2 << 30)), target_partitions: cores }
    }
}

impl Limits {
    /// Memory of its own, in bytes, and a partition a core.
    pub fn of_memory(bytes: usize) -> Self {
        Self { memory: Arc::new(QuestionMemory::new(bytes)), ..Self::default() }
    }
}

/// A session without tables, for planning expressions.
///
/// # Errors
/// Internal.
pub fn planner() -> Result<&'static SessionContext> {
    static PLANNER: OnceLock<SessionContext> = OnceLock::new();
    if let Some(planner) = PLANNER.get() {
        return Ok(planner);
    }
    let built = build(&Limits::default(), None)?;
    Ok(PLANNER.get_or_init(|| built))
}

/// A session with the catalog `anze`, its schemas and our row functions, and no table yet.
///
/// It knows no store but the warehouse's: nothing else can be read through it.
///
/// # Errors
/// Internal.
pub fn build(limits: &Limits, store: Option<&Store>) -> Result<SessionContext> {
    let memory: Arc<dyn MemoryPool> = Arc::<QuestionMemory>::clone(&limits.memory);
    let runtime = RuntimeEnvBuilder::new().with_memory_pool(memory).build_arc()?;
    if let Some(store) = store {
        let url = url::Url::parse(STORE_URL)
            .map_err(|error| Error::caused(ErrorKind::Internal, "the store's address does not parse", error))?;
        runtime.register_object_store(&url, Arc::clone(store.inside()));
    }
    let config = SessionConfig::new()
        .with_target_partitions(limits.target_partitions)
        .with_default_catalog_and_schema(CATALOG, DEFAULT_SCHEMA)
        .with_create_default_catalog_and_schema(false)
        .with_information_schema(true);
    let session = SessionContext::new_with_config_rt(config, runtime);
    let catalog = MemoryCatalogProvider::new();
    for schema in [DEFAULT_SCHEMA, "history", "system"] {
        catalog.register_schema(schema, Arc::new(MemorySchemaProvider::new()))?;
    }
    session.register_catalog(CATALOG, Arc::new(catalog));
    for function in functions::row_functions() {
        session.register_udf(function);
    }
    Ok(session)
}

#[cfg(test)]
mod tests {
    use datafusion::arrow::array::{ArrayRef, AsArray, Int64Array, RecordBatch, StringArray};
    use datafusion::arrow::datatypes::Int64Type;
    use datafusion::execution::memory_pool::MemoryConsumer;

    use super::*;

    #[test]
    fn questions_of_all_sessions_share_one_memory() {
        let limits = Limits::of_memory(1 << 20);
        let [one, other] = [(); 2].map(|()| build(&limits, None).unwrap().runtime_env());
        let step = MemoryConsumer::new("sort").register(&one.memory_pool);
        step.try_grow(1000).unwrap();
        assert_eq!(other.memory_pool.reserved(), 1000);
        drop(step);
        assert_eq!(other.memory_pool.reserved(), 0);
    }

    #[tokio::test]
    async fn a_question_of_many_steps_is_answered_while_memory_is_left() {
        const KEYS: usize = 50_000;
        let limits = Limits { target_partitions: 2, ..Limits::of_memory(16 << 20) };
        let session = build(&limits, None).unwrap();
        let keys: ArrayRef = Arc::new((0..KEYS).map(|key| Some(format!("key-{key:012}"))).collect::<StringArray>());
        let values: ArrayRef = Arc::new(Int64Array::from_iter_values(0..KEYS as i64));
        let rows = RecordBatch::try_from_iter([("k", keys), ("v", values)]).unwrap();
        session.register_batch("t", rows).unwrap();
        let step = |step: usize| format!("(select k, sum(v) as s from t group by k) as g{step}");
        let joins: String = (1..8).map(|number| format!(" join {} on g0.k = g{number}.k", step(number))).collect();
        let sql = format!("select count(*) from {}{joins}", step(0));
        let answer = session.sql(&sql).await.unwrap().collect().await.unwrap();
        assert_eq!(answer[0].column(0).as_primitive::<Int64Type>().value(0), KEYS as i64);
    }
}
