//! The first sheet: rank, total, grade and the points of each indicator, with two charts.

use rust_xlsxwriter::{Chart, ChartType, Worksheet, XlsxError};
use serde_json::json;

use super::look::{HEAD_ROW, Look, head, number};
use crate::assessment::Handed;
use crate::output::instant;

/// Name of the sheet.
pub(super) const NAME: &str = "得分与名次";
/// Columns before those of the indicators.
const BEFORE: u16 = 6;

pub(super) fn write(sheet: &mut Worksheet, handed: &Handed, look: &Look) -> Result<(), XlsxError> {
    let one = &handed.assessment;
    sheet.set_name(NAME)?;
    let titles: Vec<String> =
        one.scores.indicators.iter().map(|used| format!("{}（{}分）", used.title, used.weight)).collect();
    let mut columns =
        vec![("名次", 6.0), ("代码", 10.0), ("考核对象", 22.0), ("总分", 11.0), ("等次", 9.0), ("暂定", 7.0)];
    columns.extend(titles.iter().map(|title| (title.as_str(), 13.0)));
    head(sheet, &one.title, &standing(handed), &columns, 3, look)?;
    let mut row = HEAD_ROW;
    for subject in &one.scores.subjects {
        row += 1;
        number(sheet, row, 0, &json!(subject.rank), look, &look.count)?;
        sheet.write_string_with_format(row, 1, &subject.code, &look.text)?;
        sheet.write_string_with_format(row, 2, &subject.name, &look.text)?;
        number(sheet, row, 3, &json!(subject.total), look, &look.points)?;
        sheet.write_string_with_format(row, 4, subject.grade.as_deref().unwrap_or("—"), &look.text)?;
        sheet.write_string_with_format(row, 5, if subject.is_provisional() { "暂定" } else { "" }, &look.text)?;
        for (column, indicator) in (BEFORE..).zip(&subject.indicators) {
            number(sheet, row, column, &json!(indicator.points), look, &look.points)?;
        }
    }
    if row > HEAD_ROW {
        let last_column = BEFORE + u16::try_from(titles.len()).unwrap_or(0) - 1;
        sheet.autofilter(HEAD_ROW, 0, row, last_column)?;
        charts(sheet, handed, row)?;
    }
    Ok(())
}

fn charts(sheet: &mut Worksheet, handed: &Handed, last: u32) -> Result<(), XlsxError> {
    let first = HEAD_ROW + 1;
    let width = 960;
    let mut totals = Chart::new(ChartType::Column);
    totals
        .add_series()
        .set_categories((NAME, first, 2, last, 2))
        .set_values((NAME, first, 3, last, 3))
        .set_name("总分");
    totals.title().set_name("总分");
    totals.y_axis().set_min(0).set_max(100);
    totals.legend().set_hidden();
    totals.set_width(width).set_height(360);
    sheet.insert_chart(last + 2, 0, &totals)?;
    let mut parts = Chart::new(ChartType::ColumnStacked);
    for (column, used) in (BEFORE..).zip(&handed.assessment.scores.indicators) {
        parts
            .add_series()
            .set_categories((NAME, first, 2, last, 2))
            .set_values((NAME, first, column, last, column))
            .set_name(used.title.as_str());
    }
    parts.title().set_name("各指标得分");
    parts.y_axis().set_min(0).set_max(100);
    parts.set_width(width).set_height(460);
    sheet.insert_chart(last + 22, 0, &parts)?;
    Ok(())
}

/// What the assessment is and what it rests on, in one line.
pub(super) fn standing(handed: &Handed) -> String {
    let one = &handed.assessment;
    let sealed = match (&handed.sha256, one.number, one.frozen_at) {
        (Some(sha256), Some(number), Some(at)) => format!("已冻结 第 {number} 号，{}，SHA-256 {sha256}", instant(at)),
        _ => "草稿，未冻结".to_owned(),
    };
    format!(
        "{} · 考核期 {}（{} 至 {} 前一日） · 方案 {} 第 {} 版 · 数据发布号 {}（截至 {}） · {sealed}",
        one.id,
        one.period.name,
        one.period.from,
        one.period.to,
        one.scheme.id,
        one.scheme.version,
        one.release.release,
        one.release.day
    )
}
