//! Looking after the warehouse: done here, or by the server that writes; noted in `system.maintenance`.

use anze_ingest::clock::Clock;
use anze_warehouse::Warehouse;
use anze_warehouse::maintenance::{
    BackupReport, CheckReport, CompactReport, Compaction, Depth, Kind, MaintenanceLog, Outcome, Removal, RestoreReport,
    VacuumReport,
};
use anze_warehouse::publication::Writer;
use anze_warehouse::session::Limits;
use anze_warehouse::store::Store;
use anze_warehouse::warehouse::Holder;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::deployment::Deployment;
use crate::output::Report;
use crate::rows::Row;
use crate::{handover, writer};

/// What the writer is asked to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Maintenance {
    /// Files that are far from full are put together.
    Compact {
        /// Only of tables with many such files.
        #[serde(default)]
        worthwhile: bool,
    },
    /// Files that no kept release names are removed.
    Vacuum {
        /// Only told.
        #[serde(default)]
        dry_run: bool,
    },
}

impl Maintenance {
    /// Does it with the writer in hand, and notes it.
    pub async fn run(self, writer: &Writer, clock: &Clock, asked_by: &str) -> anze_warehouse::Result<Value> {
        let log = MaintenanceLog::of(writer.warehouse())?;
        log.note_interrupted()?;
        match self {
            Self::Vacuum { dry_run: true } => {
                let report = writer.vacuum(clock.now(), Removal::Preview).await?;
                Ok(in_json(&report, true))
            }
            Self::Vacuum { dry_run: false } => {
                let noted = log.begin(Kind::Vacuum, clock.now(), asked_by)?;
                let done = writer.vacuum(clock.now(), Removal::Done).await;
                let outcome = done.as_ref().map(vacuumed).map_err(ToString::to_string);
                log.end(noted, clock.now(), outcome.as_ref().map_err(Clone::clone))?;
                Ok(in_json(&done?, false))
            }
            Self::Compact { worthwhile } => {
                let which = if worthwhile { Compaction::Worthwhile } else { Compaction::All };
                let noted = log.begin(Kind::Compact, clock.now(), asked_by)?;
                let done = writer.compact(clock.now(), which).await;
                let outcome = done.as_ref().map(compacted).map_err(ToString::to_string);
                log.end(noted, clock.now(), outcome.as_ref().map_err(Clone::clone))?;
                Ok(json!(done?))
            }
        }
    }
}

/// A vacuum in JSON, with whether it was one.
fn in_json(report: &VacuumReport, dry_run: bool) -> Value {
    let mut told = json!(report);
    told["dry_run"] = json!(dry_run);
    told
}

fn vacuumed(report: &VacuumReport) -> Outcome {
    let (files, dropped) = (report.removed.len(), report.dropped.len());
    Outcome {
        files: Some(files as u64),
        bytes: Some(report.bytes),
        message_zh: format!("清理 {files} 个文件；{dropped} 次发布不再保留"),
        message_en: format!("{files} files removed; {dropped} releases no longer kept"),
        ..Outcome::default()
    }
}

fn compacted(report: &CompactReport) -> Outcome {
    let of = |count: fn(&anze_warehouse::maintenance::CompactedTable) -> usize| {
        report.tables.iter().map(count).sum::<usize>()
    };
    let (before, after) = (of(|table| table.before), of(|table| table.after));
    Outcome {
        release: report.release,
        files: Some(before as u64),
        message_zh: format!("{} 张表的 {before} 个文件合并为 {after} 个", report.tables.len()),
        message_en: format!("{before} files of {} tables became {after}", report.tables.len()),
        ..Outcome::default()
    }
}

/// Does it: in the running server if there is one, else in this process.
pub async fn run(deployment: &Deployment, job: Maintenance) -> anyhow::Result<Value> {
    let warehouse = deployment.warehouse();
    if let Some(Holder { address: Some(address), secret: Some(secret), .. }) = warehouse.writer_holder()? {
        return handover::ask(&address, &secret, "/api/v1/maintenance", &json!(job)).await;
    }
    let writer = warehouse.writer(&writer::holder("anze maintain"), writer::WAIT).await?;
    Ok(job.run(&writer, &Clock::Wall, "operator").await?)
}

/// Looks at everything, beside whoever writes, and notes what was found.
pub async fn check(
    warehouse: &Warehouse,
    depth: Depth,
    limits: &Limits,
    clock: &Clock,
    asked_by: &str,
) -> anze_warehouse::Result<CheckReport> {
    let log = MaintenanceLog::of(warehouse)?;
    let noted = log.begin(Kind::Check, clock.now(), asked_by)?;
    let done = warehouse.check(depth, clock.now(), limits).await;
    let outcome = done.as_ref().map(checked).map_err(ToString::to_string);
    log.end(noted, clock.now(), outcome.as_ref().map_err(Clone::clone))?;
    done
}

/// Copies everything into a place, beside whoever writes, and notes it.
pub async fn backup(
    warehouse: &Warehouse,
    to: &Store,
    clock: &Clock,
    asked_by: &str,
) -> anze_warehouse::Result<BackupReport> {
    let log = MaintenanceLog::of(warehouse)?;
    let noted = log.begin(Kind::Backup, clock.now(), asked_by)?;
    let done = warehouse.backup(to, clock.now()).await;
    let outcome = done.as_ref().map(backed_up).map_err(ToString::to_string);
    log.end(noted, clock.now(), outcome.as_ref().map_err(Clone::clone))?;
    done
}

fn backed_up(report: &BackupReport) -> Outcome {
    Outcome {
        release: Some(report.release),
        files: Some(report.copied),
        bytes: Some(report.copied_bytes),
        message_zh: format!("备份 {}：共 {} 个文件，新复制 {} 个", report.backup, report.objects, report.copied),
        message_en: format!("backup {}: {} files, {} of them copied now", report.backup, report.objects, report.copied),
        ..Outcome::default()
    }
}

/// Copies a backup into this empty warehouse, then looks at everything.
pub async fn restore(
    deployment: &Deployment,
    from: &Store,
    name: Option<&str>,
    clock: &Clock,
) -> anyhow::Result<(RestoreReport, CheckReport)> {
    let warehouse = deployment.warehouse();
    let writer = warehouse.writer(&writer::holder("anze maintain restore"), writer::WAIT).await?;
    let begun = clock.now();
    let report = writer.restore(from, name).await?;
    let log = MaintenanceLog::of(warehouse)?;
    let outcome = Outcome {
        release: Some(report.release),
        files: Some(report.objects),
        bytes: Some(report.bytes),
        message_zh: format!("恢复自备份 {}", report.backup),
        message_en: format!("restored from backup {}", report.backup),
        ..Outcome::default()
    };
    log.end(log.begin(Kind::Restore, begun, "operator")?, clock.now(), Ok(&outcome))?;
    let found = check(warehouse, Depth::Contents, &deployment.limits(), clock, "operator").await?;
    Ok((report, found))
}

fn checked(report: &CheckReport) -> Outcome {
    let findings = report.findings.len();
    Outcome {
        release: Some(report.release),
        files: Some(report.files + report.landed),
        bytes: Some(report.bytes),
        findings: Some(findings as u64),
        message_zh: report.findings.first().map_or("未发现问题".to_owned(), |first| first.message_zh.clone()),
        message_en: report.findings.first().map_or("nothing wrong".to_owned(), |first| first.message_en.clone()),
    }
}

/// A vacuum for people.
pub fn vacuum_report(done: Value) -> Report {
    let of = |name: &str| done[name].as_array().cloned().unwrap_or_default();
    let (removed, dropped, settled) = (of("removed"), of("dropped"), of("settled"));
    let rows = removed.iter().map(|path| Row::from_iter([("file".to_owned(), path.clone())])).collect();
    let bytes = done["bytes"].as_u64().unwrap_or_default();
    let mut notes = vec![
        format!("{} 个文件，{bytes} 字节 files, bytes: {}, {bytes}", removed.len(), removed.len()),
        format!("不再保留的发布 releases no longer kept: {}", runs(&dropped)),
        format!("保留 kept: {}", done["kept"]),
    ];
    if !settled.is_empty() {
        notes.push(format!("日志复位 logs set right after a crash: {}", settled.len()));
    }
    if done["dry_run"] == true {
        notes.push("预览，未作任何更改 a preview: nothing was changed".to_owned());
    }
    Report { json: done, columns: vec!["file".to_owned()], rows, notes, ..Report::default() }
}

/// `1–28, 30`: numbers in order, by the ends of their runs.
fn runs(numbers: &[Value]) -> String {
    let mut runs: Vec<(u64, u64)> = Vec::new();
    for number in numbers.iter().filter_map(Value::as_u64) {
        match runs.last_mut() {
            Some((_, last)) if *last + 1 == number => *last = number,
            _ => runs.push((number, number)),
        }
    }
    let told =
        runs.iter().map(|(first, last)| if first == last { first.to_string() } else { format!("{first}–{last}") });
    if runs.is_empty() { "无 none".to_owned() } else { told.collect::<Vec<_>>().join(", ") }
}

/// A compaction for people.
pub fn compact_report(done: Value) -> Report {
    let rows: Vec<Row> =
        done["tables"].as_array().into_iter().flatten().filter_map(|table| table.as_object().cloned()).collect();
    let notes = vec![match done["release"].as_u64() {
        Some(release) => format!("发布 published: release {release}"),
        None => "无需合并，未发布 nothing to put together, nothing published".to_owned(),
    }];
    let columns = if rows.is_empty() { Vec::new() } else { ["table", "before", "after"].map(str::to_owned).to_vec() };
    Report { json: done, columns, rows, notes, ..Report::default() }
}

/// A check for people.
pub fn check_report(report: &CheckReport) -> Report {
    let mut notes = vec![
        format!(
            "发布 {}：保留 {} 次，不再保留 {} 次；{} 个数据文件（{} 字节），{} 个原始文件，{} 个已过保存期",
            report.release, report.kept, report.dropped, report.files, report.bytes, report.landed, report.archived
        ),
        format!(
            "release {}: {} kept, {} no longer; {} data files ({} bytes), {} landed files, {} gone after their years",
            report.release, report.kept, report.dropped, report.files, report.bytes, report.landed, report.archived
        ),
    ];
    if report.unnamed > 0 {
        notes.push(format!(
            "{} 个文件无发布引用，由 vacuum 清理 files that nothing names: anze maintain vacuum",
            report.unnamed
        ));
    }
    notes.push(match report.findings.len() {
        0 => "未发现问题 nothing wrong".to_owned(),
        some => format!("发现 {some} 个问题 findings: {some}"),
    });
    let json = json!(report);
    let rows: Vec<Row> =
        json["findings"].as_array().into_iter().flatten().filter_map(|finding| finding.as_object().cloned()).collect();
    let columns = ["code", "object", "message_zh", "message_en"].map(str::to_owned).to_vec();
    let columns = if rows.is_empty() { Vec::new() } else { columns };
    Report { json, columns, rows, notes, ..Report::default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dropped_releases_are_told_by_the_ends_of_their_runs() {
        assert_eq!(runs(&[json!(1), json!(2), json!(3), json!(7)]), "1–3, 7");
        assert_eq!(runs(&[]), "无 none");
    }

    #[test]
    fn what_is_handed_to_a_server_is_read_there_as_it_was_meant() {
        for job in [Maintenance::Compact { worthwhile: true }, Maintenance::Vacuum { dry_run: true }] {
            assert_eq!(serde_json::from_value::<Maintenance>(json!(job)).unwrap(), job);
        }
        assert!(serde_json::from_value::<Maintenance>(json!({"kind": "vacuum", "dry": true})).is_err());
    }
}
