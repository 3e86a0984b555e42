//! The last sheet: the rules that were looked up, confirmed leads, and what belongs to no subject.

use rust_xlsxwriter::{Worksheet, XlsxError};

use super::look::{HEAD_ROW, Look, head};
use crate::assessment::Handed;

const COLUMNS: [(&str, f64); 4] = [("类别", 16.0), ("名称", 34.0), ("内容", 80.0), ("出处", 60.0)];

pub(super) fn write(sheet: &mut Worksheet, handed: &Handed, look: &Look) -> Result<(), XlsxError> {
    let one = &handed.assessment;
    sheet.set_name("依据")?;
    head(sheet, "方案、规则与依据", &super::score_sheet::standing(handed), &COLUMNS, 0, look)?;
    let mut lines: Vec<[String; 4]> = Vec::new();
    for rule in &one.scores.rules {
        let of = |name: &str| rule.values.get(name).cloned().unwrap_or_default();
        let name = if rule.dataset == "rule" { of("rule_id") } else { format!("{} {}", of("sector"), of("size")) };
        let value = if rule.dataset == "rule" { of("value") } else { of("visits_per_year") };
        let span =
            format!("{} 至 {}", of("effective_from"), rule.values.get("effective_to").map_or("今", String::as_str));
        let content = format!("{value} {} · 地区 {} · 行业 {} · {span}", of("unit"), of("region_code"), of("sector"));
        let basis = if of("basis").is_empty() { of("document_no") } else { of("basis") };
        lines.push(["规则".to_owned(), name, content, basis]);
    }
    for lead in &one.scores.leads {
        let content = format!(
            "{} · {} {} · {} 于 {} 核实",
            lead.subject, lead.dataset, lead.key, lead.reviewed_by, lead.reviewed_at
        );
        lines.push(["已核实线索".to_owned(), lead.kind.clone(), content, lead.lead_id.clone()]);
    }
    for outside in &one.scores.outside {
        let content = format!("分子 {}，分母 {}", outside.numerator, outside.denominator);
        lines.push([
            "不属任何对象".to_owned(),
            format!("{} {}", outside.member, outside.name),
            content,
            outside.metric.clone(),
        ]);
    }
    for line in one.scheme.text.lines() {
        lines.push(["方案原文".to_owned(), one.scheme.id.clone(), line.to_owned(), String::new()]);
    }
    for (row, line) in (HEAD_ROW + 1..).zip(&lines) {
        for (column, text) in (0_u16..).zip(line) {
            sheet.write_string_with_format(row, column, text, &look.text)?;
        }
    }
    Ok(())
}
