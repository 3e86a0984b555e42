//! Assessments as tables and text for people.

use anze_queries::assessment::{Scores, Succession, Verification};
use serde_json::{Map, Value, json};

use super::{Handed, row};
use crate::output::{Report, shown};

/// The list of assessments.
pub fn listed(rows: Vec<Map<String, Value>>) -> Report {
    let columns = [
        "assessment_id",
        "state",
        "scheme",
        "subjects",
        "period",
        "release",
        "created_at",
        "frozen_at",
        "number",
        "succeeds",
    ];
    Report::list("assessments", &columns, rows)
}

/// Scores: a row for each subject, the points of its indicators beside.
pub fn scored(handed: &Handed, scores: &Scores) -> Report {
    let one = &handed.assessment;
    let rows: Vec<Map<String, Value>> = scores.subjects.iter().map(row).collect();
    let mut caption = vec![format!(
        "{} · {} · {} {} 至 to {} (exclusive) · release {} · {}",
        one.title,
        one.id,
        one.period.name,
        one.period.from,
        one.period.to,
        one.release.release,
        one.state.name()
    )];
    caption.extend(
        handed
            .sha256
            .iter()
            .map(|sha256| format!("冻结序号 number {} · sha256 {sha256}", one.number.unwrap_or_default())),
    );
    let mut notes = Vec::new();
    let provisional = scores.subjects.iter().filter(|subject| subject.is_provisional()).count();
    if provisional > 0 {
        notes.push(format!("{provisional} 个对象的结果为暂定 subjects are provisional"));
    }
    if one.period.partial {
        notes.push("考核期未满，不能冻结 the period is not over: this cannot be frozen".to_owned());
    }
    for subject in &scores.subjects {
        for capped in &subject.capped {
            notes.push(format!(
                "{} {}: {} × {} → {} (按分数 by points {})",
                subject.code, subject.name, capped.lead, capped.confirmed, capped.cap_grade, capped.by_points
            ));
        }
    }
    if !scores.outside.is_empty() {
        notes.push(format!(
            "{} 项计数不属于任何考核对象 counts belong to no subject: --format json",
            scores.outside.len()
        ));
    }
    Report { json: handed.json(), caption, columns: Report::columns_of(&rows), rows, notes, ..Report::default() }
}

/// A subject, from its total down to landed lines.
pub fn subject_text(explained: &Value) -> String {
    let of = |value: &Value, name: &str| value.get(name).and_then(shown).unwrap_or_else(|| "–".to_owned());
    let mut said = format!(
        "{}  {}  {}\n总分 total {} · 名次 rank {}/{} · 等次 grade {} · {} · release {}\n",
        of(explained, "assessment_id"),
        of(explained, "subject"),
        of(explained, "subject_name"),
        of(explained, "total"),
        of(explained, "rank"),
        of(explained, "of"),
        of(explained, "grade"),
        of(explained, "state"),
        of(explained, "release"),
    );
    for capped in explained["capped"].as_array().into_iter().flatten() {
        said +=
            &format!("否决 veto: {} × {} → {}\n", of(capped, "lead"), of(capped, "confirmed"), of(capped, "cap_grade"));
    }
    for reason in explained["provisional"].as_array().into_iter().flatten() {
        said += &format!("暂定 provisional: {reason}\n");
    }
    for indicator in explained["indicators"].as_array().into_iter().flatten() {
        said += &format!("\n{} {}\n  {}\n", of(indicator, "metric"), of(indicator, "title"), of(indicator, "formula"));
        let cases = &indicator["cases"];
        said += &format!(
            "  行数 rows: 分母 denominator {}, 分子 numerator {}, 缺口 gap {}\n",
            of(cases, "denominator"),
            of(cases, "numerator"),
            of(cases, "gap")
        );
        for reason in indicator["provisional"].as_array().into_iter().flatten() {
            said += &format!("  暂定 provisional: {reason}\n");
        }
        for row in indicator["rows"].as_array().into_iter().flatten() {
            said += &format!(
                "  · {} {}  ({} / {})\n",
                of(row, "dataset"),
                of(row, "key"),
                of(row, "numerator"),
                of(row, "denominator")
            );
            let landed = &row["landed"];
            said += &format!(
                "    {} · {} · 第 {} 行 record {} · batch {}\n    file sha256 {}\n",
                of(landed, "feed_id"),
                of(landed, "object"),
                of(row, "row_no"),
                of(row, "row_no"),
                of(row, "batch_id"),
                of(landed, "sha256"),
            );
            if let Some(line) = landed["line"].as_str() {
                said += &format!("    | {line}\n");
            }
        }
    }
    said
}

/// What a verification found.
pub fn verified(found: &Verification) -> Report {
    let rows: Vec<Map<String, Value>> = found
        .findings
        .iter()
        .map(|finding| {
            let row = json!({"kind": finding.kind.title(), "name": finding.name, "detail": finding.detail});
            row.as_object().cloned().unwrap_or_default()
        })
        .collect();
    let mut notes = vec![format!(
        "{} 份冻结考核 frozen assessments · {} 个数据文件 data files · {} 个报送文件 landed files · {} bytes · {}",
        found.frozen,
        found.data_files,
        found.landed_files,
        found.bytes,
        if found.recomputed {
            "全部数值已重新计算 every number was computed again"
        } else {
            "数值未能重新计算 the numbers could not be computed again"
        },
    )];
    notes.push(match found.sound {
        true => format!("{} 无误 sound · sha256 {}", found.assessment_id, found.sha256),
        false => format!("{} 有 {} 处不符 does not hold: {} findings", found.assessment_id, rows.len(), rows.len()),
    });
    let columns = if rows.is_empty() { Vec::new() } else { ["kind", "name", "detail"].map(str::to_owned).to_vec() };
    Report { json: json!(found), columns, rows, notes, ..Report::default() }
}

/// What moved between two assessments, and why.
pub fn changed(succession: &Succession) -> Report {
    let mut rows = Vec::new();
    let pair = |pair: [Value; 2]| {
        let [before, after] = pair.map(|value| shown(&value).unwrap_or_else(|| "–".to_owned()));
        format!("{before} → {after}")
    };
    let mut notes = Vec::new();
    for moved in &succession.moved {
        rows.push(json!({
            "subject": moved.code, "subject_name": moved.name, "indicator": "",
            "points": pair([json!(moved.total[0]), json!(moved.total[1])]),
            "rank": pair([json!(moved.rank[0]), json!(moved.rank[1])]),
            "grade": pair([json!(moved.grade[0]), json!(moved.grade[1])]),
        }));
        for indicator in &moved.indicators {
            let fraction = |side: usize| {
                json!(format!("{}/{}", text(&indicator.numerator[side]), text(&indicator.denominator[side])))
            };
            rows.push(json!({
                "subject": moved.code, "subject_name": moved.name, "indicator": indicator.metric,
                "points": pair([json!(indicator.points[0]), json!(indicator.points[1])]),
                "cases": pair([fraction(0), fraction(1)]),
                "rows_changed": indicator.rows_changed,
            }));
            for change in &indicator.rows {
                let place = |row: &Option<anze_queries::assessment::SampleRow>| match row {
                    Some(row) => format!(
                        "{}/{} batch {} row {}",
                        text(&row.numerator),
                        text(&row.denominator),
                        row.batch_id.as_deref().unwrap_or("–"),
                        row.row_no.map_or("–".to_owned(), |row_no| row_no.to_string())
                    ),
                    None => "无 none".to_owned(),
                };
                let one = change.after.as_ref().or(change.before.as_ref());
                let (dataset, key) = one.map_or(("", ""), |row| (row.dataset.as_str(), row.key.as_str()));
                notes.push(format!(
                    "{} {} {dataset} {key}: {} → {}",
                    moved.code,
                    indicator.metric,
                    place(&change.before),
                    place(&change.after)
                ));
            }
        }
    }
    let causes = succession.causes.iter().map(|cause| format!("原因 cause: {}", json!(cause)));
    let caption = [format!("自 since {} (release {})", succession.id, succession.release)].into_iter().chain(causes);
    let columns = ["subject", "subject_name", "indicator", "points", "cases", "rows_changed", "rank", "grade"];
    Report {
        json: json!(succession),
        caption: caption.collect(),
        columns: columns.map(str::to_owned).to_vec(),
        rows: rows.iter().filter_map(|row| row.as_object().cloned()).collect(),
        notes,
        ..Report::default()
    }
}

fn text(value: &Value) -> String {
    shown(value).unwrap_or_else(|| "–".to_owned())
}
