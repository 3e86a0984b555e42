//! One read-only statement on a release, within limits.

mod allowed;
mod limited;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use anze_warehouse::Release;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::execution::context::SQLOptions;
use datafusion::prelude::DataFrame;

use crate::error::{Error, Result};
use crate::session;
use crate::statement::{Statement, Value};

/// What one statement may use; users cannot raise it.
#[derive(Debug, Clone, Copy)]
pub struct QueryLimits {
    /// Time from the call to the last row. A stream that passes it ends with an error.
    pub time: Duration,
    /// Most rows. A stream with more ends with an error: a cut answer would look complete.
    pub rows: u64,
}

impl Default for QueryLimits {
    fn default() -> Self {
        Self { time: Duration::from_secs(60), rows: 1_000_000 }
    }
}

/// Runs one read-only statement: SELECT, WITH, VALUES, EXPLAIN of one, SHOW TABLES or COLUMNS,
/// DESCRIBE. It sees the tables, the marts and the functions of the release at its day.
///
/// # Errors
/// Statement, with line and column where known, for what is wrong or not allowed; Limit where time,
/// rows or memory run out, also as the last item of the stream ([`crate::Error::from`] reads it).
pub async fn sql(release: &Arc<Release>, statement: &str, limits: QueryLimits) -> Result<SendableRecordBatchStream> {
    sql_with(release, statement, &BTreeMap::new(), limits).await
}

/// As [`sql`], with values for `$placeholders`.
///
/// # Errors
/// As [`sql`].
pub async fn sql_with(
    release: &Arc<Release>,
    statement: &str,
    params: &BTreeMap<String, Value>,
    limits: QueryLimits,
) -> Result<SendableRecordBatchStream> {
    let started = tokio::time::Instant::now();
    let deadline = started.checked_add(limits.time).unwrap_or(started);
    let statement = Statement::parse(statement)?;
    allowed::read_only(&statement)?;
    let statement = statement.bind(params)?;
    let planned = async {
        let observed = session::observed(release, None).await?;
        let plan = statement.plan(&observed.context).await?;
        // The allow-list is ours; this is the engine's own word that the plan changes nothing.
        let read_only = SQLOptions::new().with_allow_ddl(false).with_allow_dml(false).with_allow_statements(false);
        read_only.verify_plan(&plan)?;
        let stream = DataFrame::new(observed.context.state(), plan).execute_stream().await?;
        Ok::<_, Error>((stream, observed))
    };
    let (stream, observed) = match tokio::time::timeout_at(deadline, planned).await {
        Ok(planned) => planned?,
        Err(_) => return Err(limited::out_of_time(limits.time)),
    };
    Ok(limited::within(stream, observed, deadline, limits))
}

#[cfg(test)]
mod tests {
    use datafusion::arrow::array::{ArrayRef, RecordBatch, StringArray};
    use datafusion::arrow::util::pretty::pretty_format_batches;
    use futures::TryStreamExt;

    use super::*;
    use crate::error::ErrorKind;
    use crate::handworked::empty_release;

    async fn run(statement: &str, limits: QueryLimits) -> Result<String> {
        let batches: Vec<_> = sql(&empty_release(), statement, limits).await?.try_collect().await?;
        Ok(pretty_format_batches(&batches)?.to_string())
    }

    #[tokio::test]
    async fn tables_marts_and_functions_are_there() {
        let limits = QueryLimits::default();
        let tables = run("show tables", limits).await.unwrap();
        for name in ["expense_finding", "placed_policy", "policy", "seen", "history", "system"] {
            assert!(tables.contains(name), "{tables}");
        }
        let functions = "select in_force(date '2026-01-01', date '2027-01-01', null, date '2026-01-01'), \
                         term_end(date '2027-01-01', date '2026-06-01'), \
                         on_roster(date '2026-01-01', date '2026-06-01', date '2026-06-01'), \
                         qualified(null, null, null, date '2026-06-01'), \
                         rule_value('none', '330102', 'mine', date '2026-01-01'), \
                         rule_unit('none', '330102', 'mine', date '2026-01-01'), \
                         kaplan_meier(days, paid, 0.5), kaplan_meier_within(days, paid, 5) \
                         from (values (3, true), (9, false), (5, true)) as claim (days, paid)";
        let answer = run(functions, limits).await.unwrap();
        let row = answer.lines().nth(3).unwrap().replace(' ', "");
        assert_eq!(row, "|true|2026-06-01|false|false|||5|0.666666666666666667|");
        assert!(run("describe expense_finding", limits).await.unwrap().contains("severity"));
        assert!(run("show columns from policy", limits).await.unwrap().contains("inception"));
    }

    #[tokio::test]
    async fn a_plan_is_explained_without_the_files_it_reads() {
        let plan = run("explain verbose select policy_no from policy", QueryLimits::default()).await.unwrap();
        assert!(plan.contains("policy_no") && !plan.contains("physical_plan"), "{plan}");
    }

    #[tokio::test]
    async fn a_fault_says_what_and_where() {
        let error = run("select policy_no,\n  premuim_written from policy", QueryLimits::default()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Statement);
        assert!(error.to_string().contains("premuim_written"), "{error}");
        assert!(error.to_string().contains("line 2, column 3"), "{error}");
        let error = run("select * form policy", QueryLimits::default()).await.unwrap_err();
        assert!(error.to_string().contains("line 1, column"), "{error}");
        let error = run("select 1 / 0", QueryLimits::default()).await.unwrap_err();
        assert_eq!((error.kind(), error.message()), (ErrorKind::Statement, "Divide by zero error"));
    }

    #[tokio::test]
    async fn more_rows_than_allowed_end_with_an_error_and_not_with_fewer_rows() {
        let limits = QueryLimits { rows: 2, ..QueryLimits::default() };
        assert!(run("values (1), (2)", limits).await.is_ok());
        let error = run("values (1), (2), (3)", limits).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Limit);
        assert!(error.to_string().contains("more than 2 rows"), "{error}");
    }

    #[tokio::test]
    async fn a_statement_that_passes_its_time_is_stopped() {
        let limits = QueryLimits { time: Duration::from_millis(200), ..QueryLimits::default() };
        let endless = "with recursive n as (select 1 as i union all select i + 1 from n) select sum(i) from n";
        let error = run(endless, limits).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Limit);
        assert!(error.to_string().contains("longer than 0.2 seconds"), "{error}");
    }

    #[tokio::test]
    async fn files_cannot_be_read_by_name() {
        let statement = "select * from '/etc/passwd'";
        let error = run(statement, QueryLimits::default()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Statement);
        for function in ["read_csv('/etc/passwd')", "parquet_metadata('x')", "read_parquet('x')"] {
            assert!(run(&format!("select * from {function}"), QueryLimits::default()).await.is_err(), "{function}");
        }
    }

    #[tokio::test]
    async fn rows_are_read_to_the_end_though_the_session_is_forgotten_meanwhile() {
        let column = |value: &str| Arc::new(StringArray::from(vec![value; 2])) as ArrayRef;
        let line_no = Arc::new(StringArray::from(vec!["E1", "E2"])) as ArrayRef;
        let rows = [("line_no", line_no), ("insurer_code", column("PICC")), ("booked_on", column("2026-01-20"))];
        let rows = vec![("expense".to_owned(), RecordBatch::try_from_iter(rows).unwrap())];
        let release = Release::in_memory("2026-06-30".parse().unwrap(), rows).unwrap();
        let statement = "select line_no from expense_check order by line_no";
        let stream = sql(&release, statement, QueryLimits::default()).await.unwrap();
        session::forget();
        let batches: Vec<_> = stream.try_collect().await.unwrap();
        let table = pretty_format_batches(&batches).unwrap().to_string();
        assert!(table.contains("E1") && table.contains("E2"), "{table}");
    }

    #[tokio::test]
    async fn placeholders_are_values() {
        let params = BTreeMap::from([("name".to_owned(), Value::Text("' or '1' = '1".into()))]);
        let statement = "select count(*) as n from (values ('a')) as t (name) where name = $name";
        let stream = sql_with(&empty_release(), statement, &params, QueryLimits::default()).await.unwrap();
        let batches: Vec<_> = stream.try_collect().await.unwrap();
        assert!(pretty_format_batches(&batches).unwrap().to_string().contains("| 0 |"));
    }
}
