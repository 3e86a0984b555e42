//! Landed files: each hashes to its name, and every batch of the newest release has its own, unless its
//! years of keeping (`archive_years` in the dataset `rule`) are over.

use std::collections::HashMap;

use chrono::{DateTime, Datelike, Utc};
use datafusion::arrow::array::{Array, AsArray};
use datafusion::arrow::datatypes::{DataType, Float64Type, Int64Type, TimeUnit, TimestampMicrosecondType};
use datafusion::logical_expr::{cast, col, lit};

use super::super::trouble::Trouble;
use super::{CheckReport, Depth};
use crate::error::{Error, ErrorKind, Result};
use crate::release::Release;
use crate::session::Limits;
use crate::warehouse::Warehouse;

pub(super) async fn check(
    warehouse: &Warehouse,
    release: &Release,
    depth: Depth,
    at: DateTime<Utc>,
    limits: &Limits,
    report: &mut CheckReport,
) -> Result<()> {
    let there: HashMap<String, u64> =
        warehouse.store().list("landed").await?.into_iter().map(|object| (object.path, object.size_bytes)).collect();
    let oldest = match archive_years(release, limits).await? {
        Some(years) => at.with_year(at.year() - years).unwrap_or(at),
        None => DateTime::<Utc>::MIN_UTC,
    };
    for batch in batches(release, limits).await? {
        let (path, id) = (&batch.landed_path, &batch.batch_id);
        match there.get(path) {
            Some(size) if *size == batch.bytes => {}
            Some(size) => report.findings.push(Trouble::new(
                "wrong_size",
                path,
                format!("批次 {id} 的原始文件应为 {} 字节，实为 {size} 字节；请从备份恢复", batch.bytes),
                format!("the landed file of batch {id} has {size} bytes, not {}; restore it from a backup", batch.bytes),
            )),
            None if batch.landed_at < oldest => report.archived += 1,
            None => report.findings.push(Trouble::new(
                "missing_landed_file",
                path,
                format!("批次 {id} 的原始文件不存在，保存期未满；请从备份恢复"),
                format!("the landed file of batch {id} is not there and its years of keeping are not over; restore it from a backup"),
            )),
        }
    }
    report.landed = there.len() as u64;
    if depth == Depth::Contents {
        for path in there.keys() {
            let name = path.rsplit('/').next().unwrap_or(path);
            let hash = warehouse.store().sha256(path).await?;
            if hash.is_some_and(|hash| hash.sha256 != name) {
                report.findings.push(Trouble::new(
                    "wrong_hash",
                    path,
                    "原始文件的内容与其 SHA-256 文件名不符；请从备份恢复",
                    "the landed file is not the one its name, its SHA-256, tells of; restore it from a backup",
                ));
            }
        }
    }
    Ok(())
}

struct Batch {
    batch_id: String,
    landed_path: String,
    bytes: u64,
    landed_at: DateTime<Utc>,
}

async fn batches(release: &Release, limits: &Limits) -> Result<Vec<Batch>> {
    let session = release.session(limits)?;
    let text = |name: &str| cast(col(name), DataType::Utf8).alias(name);
    let micros = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    let rows = session.table("system.batch").await?.select(vec![
        text("batch_id"),
        text("landed_path"),
        cast(col("bytes"), DataType::Int64).alias("bytes"),
        cast(col("landed_at"), micros).alias("landed_at"),
    ])?;
    let mut batches = Vec::new();
    for rows in rows.collect().await? {
        let (ids, paths) = (rows.column(0).as_string::<i32>(), rows.column(1).as_string::<i32>());
        let bytes = rows.column(2).as_primitive::<Int64Type>();
        let landed = rows.column(3).as_primitive::<TimestampMicrosecondType>();
        batches.extend((0..rows.num_rows()).map(|row| Batch {
            batch_id: ids.value(row).to_owned(),
            landed_path: paths.value(row).to_owned(),
            bytes: u64::try_from(bytes.value(row)).unwrap_or_default(),
            landed_at: DateTime::from_timestamp_micros(landed.value(row)).unwrap_or_default(),
        }));
    }
    Ok(batches)
}

/// The longest keeping that any rule asks for; none: nothing says that it ever ends.
async fn archive_years(release: &Release, limits: &Limits) -> Result<Option<i32>> {
    let session = release.session(limits)?;
    let rows = session
        .table("rule")
        .await?
        .filter(col("rule_id").eq(lit("archive_years")))?
        .select(vec![cast(col("value"), DataType::Float64).alias("value")])?;
    let mut longest: Option<f64> = None;
    for rows in rows.collect().await? {
        let values = rows.column(0).as_primitive::<Float64Type>();
        for row in (0..values.len()).filter(|row| values.is_valid(*row)) {
            longest = Some(longest.map_or(values.value(row), |known| known.max(values.value(row))));
        }
    }
    match longest {
        Some(years) if !(0.0..=1000.0).contains(&years) => {
            Err(Error::new(ErrorKind::Corrupt, format!("the rule archive_years says {years}")))
        }
        // A part of a year is kept as a whole one.
        Some(years) => Ok(Some(years.ceil() as i32)),
        None => Ok(None),
    }
}
