//! A sheet for each indicator: the rows of its gap, each with its delivery.

use std::collections::HashMap;

use anze_queries::assessment::{IndicatorUsed, SampleRow};
use rust_xlsxwriter::{Worksheet, XlsxError};
use serde_json::json;

use super::look::{HEAD_ROW, Look, head, number, sheet_name};
use super::{Landed, MOST_ROWS};
use crate::assessment::Handed;
use crate::deployment::Deployment;
use crate::problem::Problem;
use crate::rows::{self, Selection, text};

const COLUMNS: [(&str, f64); 10] = [
    ("代码", 10.0),
    ("考核对象", 18.0),
    ("数据集", 16.0),
    ("记录", 40.0),
    ("计入分子", 12.0),
    ("计入分母", 12.0),
    ("批次", 24.0),
    ("行号", 9.0),
    ("报送文件 SHA-256", 68.0),
    ("说明", 24.0),
];

pub(super) fn write(
    sheet: &mut Worksheet,
    handed: &Handed,
    used: &IndicatorUsed,
    rows: &HashMap<String, Vec<SampleRow>>,
    landed: &Landed,
    look: &Look,
) -> Result<(), XlsxError> {
    sheet.set_name(sheet_name(&format!("明细 {}", used.title)))?;
    let title = format!("{} {}：缺口明细", used.title, used.metric);
    head(sheet, &title, &super::score_sheet::standing(handed), &COLUMNS, 2, look)?;
    let mut row = HEAD_ROW;
    for subject in &handed.assessment.scores.subjects {
        let found = rows.get(&subject.code).map(Vec::as_slice).unwrap_or_default();
        for case in found {
            row += 1;
            sheet.write_string_with_format(row, 0, &subject.code, &look.text)?;
            sheet.write_string_with_format(row, 1, &subject.name, &look.text)?;
            sheet.write_string_with_format(row, 2, &case.dataset, &look.text)?;
            sheet.write_string_with_format(row, 3, &case.key, &look.text)?;
            number(sheet, row, 4, &case.numerator, look, &look.count)?;
            number(sheet, row, 5, &case.denominator, look, &look.count)?;
            let batch = case.batch_id.as_deref().unwrap_or("—");
            sheet.write_string_with_format(row, 6, batch, &look.code)?;
            number(sheet, row, 7, &json!(case.row_no), look, &look.count)?;
            sheet.write_string_with_format(row, 8, landed.get(batch).map_or("—", String::as_str), &look.code)?;
        }
        let gap =
            subject.indicators.iter().find(|score| score.metric == used.metric).map_or(0, |score| score.cases.gap);
        if found.len() >= MOST_ROWS && gap > found.len() as u64 {
            row += 1;
            sheet.write_string_with_format(row, 0, &subject.code, &look.text)?;
            sheet.write_string_with_format(row, 1, &subject.name, &look.text)?;
            let remark = format!("共 {gap} 行，此处列出前 {} 行", found.len());
            sheet.write_string_with_format(row, 9, remark, &look.text)?;
        }
    }
    if row > HEAD_ROW {
        sheet.autofilter(HEAD_ROW, 0, row, 9)?;
    }
    Ok(())
}

/// The hash of the landed file of every batch of the release.
pub(super) async fn landed(deployment: &Deployment, handed: &Handed) -> Result<Landed, Problem> {
    let release = deployment.book().release(&handed.assessment).await?;
    let selection = Selection {
        schema: "system",
        table: "batch",
        columns: &["batch_id", "sha256"],
        conditions: Vec::new(),
        order: rows::by(&["batch_id"]),
        most: None,
    };
    let batches = rows::select(&release, &deployment.limits(), selection).await?;
    let pair = |row: &rows::Row| Some((text(row, "batch_id")?.to_owned(), text(row, "sha256")?.to_owned()));
    Ok(batches.iter().filter_map(pair).collect())
}
