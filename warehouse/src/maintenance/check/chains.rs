//! Chains and pins: the access log follows from row to row, frozen assessments are numbered without a
//! gap, and the releases they need are kept.

use super::super::trouble::Trouble;
use super::{CheckReport, unreadable};
use crate::error::Result;
use crate::live::Chain;
use crate::warehouse::Warehouse;

pub(super) async fn check(warehouse: &Warehouse, report: &mut CheckReport) -> Result<()> {
    if let Chain::Broken { line, why } = warehouse.access_log()?.verify()? {
        report.findings.push(Trouble::new(
            "broken_chain",
            "live/access_log.ndjson",
            format!("访问日志第 {line} 行与前一行不相承：{why}；该行可能被改动"),
            format!(
                "line {line} of the access log does not follow from the one before: {why}; somebody may have changed it"
            ),
        ));
    }
    let assessments = warehouse.assessments();
    for (expected, number) in (1..).zip(assessments.frozen_numbers().await?) {
        if number != expected {
            report.findings.push(Trouble::new(
                "missing_assessment",
                crate::assessments::frozen_path(expected),
                format!("已冻结的考核结果第 {expected} 号不存在；请从备份恢复"),
                format!("the frozen assessment number {expected} is not there; restore it from a backup"),
            ));
            break;
        }
    }
    let pins = match assessments.pinned_releases().await {
        Ok(pins) => pins,
        Err(error) => {
            report.findings.push(unreadable("assessments/pins", &error));
            return Ok(());
        }
    };
    let dropped = warehouse.dropped().await?;
    for (release, ids) in pins {
        if dropped.contains(release) || release > report.release {
            let ids = ids.join(", ");
            report.findings.push(Trouble::new(
                "missing_release",
                format!("release {release}"),
                format!("考核结果 {ids} 所依据的发布 {release} 已不在；请从备份恢复"),
                format!("release {release}, which {ids} needs, is not kept; restore it from a backup"),
            ));
        }
    }
    Ok(())
}
