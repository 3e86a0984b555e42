//! The books of the newest release: what they say was loaded is in the tables, and counts add up.

use std::collections::BTreeMap;

use datafusion::arrow::array::AsArray;
use datafusion::arrow::datatypes::{DataType, Int64Type};
use datafusion::functions_aggregate::expr_fn::count;
use datafusion::logical_expr::{cast, col, lit};
use datafusion::prelude::SessionContext;

use super::super::trouble::Trouble;
use super::CheckReport;
use crate::contract;
use crate::error::Result;
use crate::lineage;
use crate::release::Release;
use crate::session::Limits;

pub(super) async fn check(release: &Release, limits: &Limits, report: &mut CheckReport) -> Result<()> {
    let session = release.session(limits)?;
    releases_are_listed(&session, release, report).await?;
    let booked = booked(&session, report).await?;
    for dataset in contract::builtin().datasets() {
        let found = found(&session, &dataset.name).await?;
        let here: BTreeMap<&String, i64> =
            booked.iter().filter(|(_, batch)| batch.dataset == dataset.name).map(|(id, b)| (id, b.rows)).collect();
        for id in here.keys().copied().chain(found.keys()).collect::<std::collections::BTreeSet<_>>() {
            let (there, said) = (found.get(id).copied().unwrap_or(0), here.get(id).copied().unwrap_or(0));
            if there != said {
                report.findings.push(Trouble::new(
                    "wrong_count",
                    format!("{} batch {id}", dataset.name),
                    format!("表中有 {there} 行，账上为 {said} 行"),
                    format!("has {there} rows in the table and {said} in the books"),
                ));
            }
        }
    }
    Ok(())
}

async fn releases_are_listed(session: &SessionContext, release: &Release, report: &mut CheckReport) -> Result<()> {
    let rows = session.table("system.release").await?.select_columns(&["release"])?.distinct()?.count().await?;
    if rows as u64 != release.number() {
        report.findings.push(Trouble::new(
            "wrong_count",
            "system.release",
            format!("登记了 {rows} 次发布，应为 {} 次", release.number()),
            format!("lists {rows} releases, not {}", release.number()),
        ));
    }
    Ok(())
}

struct Booked {
    dataset: String,
    rows: i64,
}

/// The batches by id; counts that do not add up are reported.
async fn booked(session: &SessionContext, report: &mut CheckReport) -> Result<BTreeMap<String, Booked>> {
    let text = |name: &str| cast(col(name), DataType::Utf8).alias(name);
    let number = |name: &str| cast(col(name), DataType::Int64).alias(name);
    let parts = ["rows_read", "rows_accepted", "rows_superseded", "rows_unchanged", "rows_quarantined"];
    let columns = ["batch_id", "dataset"].map(text).into_iter().chain(parts.map(number));
    let rows = session.table("system.batch").await?.select(columns.collect::<Vec<_>>())?;
    let mut booked = BTreeMap::new();
    for rows in rows.collect().await? {
        let text = |column: usize| rows.column(column).as_string::<i32>();
        let number = |column: usize, row: usize| rows.column(column).as_primitive::<Int64Type>().value(row);
        for row in 0..rows.num_rows() {
            let id = text(0).value(row).to_owned();
            let [read, accepted, superseded, unchanged, held] = [2, 3, 4, 5, 6].map(|column| number(column, row));
            if read != accepted + superseded + unchanged + held {
                report.findings.push(Trouble::new(
                    "wrong_sum",
                    format!("batch {id}"),
                    format!("读取 {read} 行，不等于 接受 {accepted} + 被取代 {superseded} + 未变 {unchanged} + 暂扣 {held}"),
                    format!("read {read} rows, not accepted {accepted} + superseded {superseded} + unchanged {unchanged} + held {held}"),
                ));
            }
            booked.insert(id, Booked { dataset: text(1).value(row).to_owned(), rows: accepted + superseded });
        }
    }
    Ok(booked)
}

/// Versions in the tables by batch; those that a snapshot ended have no line of their own and are no
/// rows of their batch.
async fn found(session: &SessionContext, dataset: &str) -> Result<BTreeMap<String, i64>> {
    let rows = session
        .table(format!("history.{dataset}"))
        .await?
        .filter(col(lineage::ROW_NO).is_not_null())?
        .aggregate(vec![cast(col(lineage::BATCH_ID), DataType::Utf8).alias("batch")], vec![count(lit(1)).alias("n")])?;
    let mut found = BTreeMap::new();
    for rows in rows.collect().await? {
        let (ids, counts) = (rows.column(0).as_string::<i32>(), rows.column(1).as_primitive::<Int64Type>());
        found.extend((0..rows.num_rows()).map(|row| (ids.value(row).to_owned(), counts.value(row))));
    }
    Ok(found)
}
