//! A sheet for each subject: every indicator with its numbers, how they became points, and a chart.

use anze_queries::assessment::{Provisional, SubjectScore};
use rust_xlsxwriter::{Chart, ChartType, Worksheet, XlsxError};
use serde_json::json;

use super::look::{HEAD_ROW, Look, head, number, sheet_name};
use super::score_sheet::standing;
use crate::assessment::Handed;

const COLUMNS: [(&str, f64); 11] = [
    ("指标", 26.0),
    ("代码", 30.0),
    ("分子", 14.0),
    ("分母", 14.0),
    ("指标值", 12.0),
    ("计分方法", 30.0),
    ("权重", 10.0),
    ("得分", 10.0),
    ("缺口行数", 10.0),
    ("分母行数", 10.0),
    ("说明", 40.0),
];

pub(super) fn write(
    sheet: &mut Worksheet,
    handed: &Handed,
    subject: &SubjectScore,
    look: &Look,
) -> Result<(), XlsxError> {
    let name = sheet_name(&format!("{} {}", subject.code, subject.name));
    sheet.set_name(&name)?;
    let total = subject.total.as_ref().map_or("—".to_owned(), ToString::to_string);
    let rank = subject.rank.map_or("—".to_owned(), |rank| rank.to_string());
    let title =
        format!("{}：总分 {total}，名次 {rank}，等次 {}", subject.name, subject.grade.as_deref().unwrap_or("—"));
    head(sheet, &title, &standing(handed), &COLUMNS, 1, look)?;
    let mut row = HEAD_ROW;
    for (used, score) in handed.assessment.scores.indicators.iter().zip(&subject.indicators) {
        row += 1;
        sheet.write_string_with_format(row, 0, &used.title, &look.text)?;
        sheet.write_string_with_format(row, 1, &used.metric, &look.code)?;
        number(sheet, row, 2, &score.numerator, look, &look.count)?;
        number(sheet, row, 3, &score.denominator, look, &look.count)?;
        number(sheet, row, 4, &json!(score.value), look, look.unit(&used.unit))?;
        sheet.write_string_with_format(row, 5, &used.scoring, &look.text)?;
        number(sheet, row, 6, &json!(score.weight), look, &look.points)?;
        number(sheet, row, 7, &json!(score.points), look, &look.points)?;
        number(sheet, row, 8, &json!(score.cases.gap), look, &look.count)?;
        number(sheet, row, 9, &json!(score.cases.denominator), look, &look.count)?;
        let mut remarks: Vec<String> = score.provisional.iter().map(remark).collect();
        if score.points.is_none() {
            remarks.push("不适用，权重由其他指标按比例分担".to_owned());
        }
        if score.not_reached {
            remarks.push("未达到，按最差计".to_owned());
        }
        sheet.write_string_with_format(row, 10, remarks.join("；"), &look.text)?;
    }
    let last = row;
    let mut below = last + 1;
    let capped = subject.capped.iter().map(|capped| {
        format!(
            "否决：{} 经核实 {} 条，等次不高于{}（按分数为{}）",
            capped.lead, capped.confirmed, capped.cap_grade, capped.by_points
        )
    });
    for remark in subject.provisional.iter().map(remark).chain(capped) {
        below += 1;
        sheet.write_string_with_format(below, 0, remark, &look.note)?;
    }
    let mut chart = Chart::new(ChartType::Bar);
    for (column, title) in [(6, "权重"), (7, "得分")] {
        let series = chart.add_series();
        series
            .set_categories((name.as_str(), HEAD_ROW + 1, 0, last, 0))
            .set_values((name.as_str(), HEAD_ROW + 1, column, last, column))
            .set_name(title);
    }
    chart.title().set_name("得分与权重");
    chart.y_axis().set_reverse();
    chart.set_width(760).set_height(460);
    sheet.insert_chart(below + 2, 0, &chart)?;
    Ok(())
}

/// Why something is provisional.
pub(super) fn remark(reason: &Provisional) -> String {
    match reason {
        Provisional::Gate { metric, value, feeds } => {
            let value = value.as_ref().map_or("无".to_owned(), ToString::to_string);
            format!("暂定：{metric} 为 {value}，涉及报送源 {}", feeds.join("、"))
        }
        Provisional::EmptyRoster { open_units } => format!("暂定：名册为空，而有高危行业在营单位 {open_units} 家"),
        Provisional::Calendar => "暂定：工作日历尚未公布".to_owned(),
    }
}
