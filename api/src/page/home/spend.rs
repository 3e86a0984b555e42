//! Prevention spend by insurer, against the national cap.

use maud::{Markup, html};

use crate::page::answer::{
    Answer, Part, Viewer, gap_address, is_compared, missing, ratio_cells, rows, standing, text, unit,
};
use crate::page::chart::Axis;
use crate::page::figure;

/// 应急〔2025〕27号: at most 21 % of collected premium; Zhejiang has no floor.
const AXIS: Axis = Axis { full: 0.3, mark: Some(0.21) };

pub(super) fn section(answer: &Part, viewer: Viewer) -> Markup {
    let lang = viewer.lang;
    html! {
        section aria-labelledby="spend" {
            h2 #spend { (lang.pick("预防费用投入率", "Prevention spend")) }
            p.meaning {
                (lang.pick(
                    "台账中合规的事故预防服务费用占实收保费的比例；竖线为国家上限 21%（应急〔2025〕27号）。",
                    "Compliant prevention expense on the ledger, of premium collected; the mark is the national cap of 21 % (应急〔2025〕27号).",
                ))
            }
            @match answer {
                Err(problem) => (missing(problem, lang)),
                Ok(answer) => (table(answer, viewer)),
            }
        }
    }
}

fn table(answer: &Answer, viewer: Viewer) -> Markup {
    let lang = viewer.lang;
    // What is missing from this ratio is premium that was not spent, which no row shows: the links
    // lead to the expense lines that count.
    let spent = |insurer: &str| gap_address(answer, Some("numerator")).with("where.insurer", insurer).to(lang);
    html! {
        div.wide role="region" tabindex="0" aria-labelledby="spend" {
            table.bars.long {
                caption { (standing(answer, lang)) }
                thead { tr {
                    th scope="col" { (lang.pick("保险机构", "Insurer")) }
                    th.number scope="col" { (lang.pick("投入率", "Ratio")) }
                    th.drawn scope="col" { (lang.pick("合规支出 / 实收保费（元）", "Compliant spend / collected (CNY)")) }
                    @if is_compared(answer) { th.number scope="col" { (lang.pick("上年同期", "A year before")) } }
                    @if viewer.evidence { th.number scope="col" { (lang.pick("台账", "Ledger")) } }
                } }
                tbody {
                    @for row in rows(answer) {
                        tr {
                            (ratio_cells(answer, row, "insurer", AXIS, lang))
                            @if is_compared(answer) { td.number { (figure::since(unit(answer), row, lang)) } }
                            @if viewer.evidence {
                                td.number {
                                    @if let Some(insurer) = text(row, "insurer") {
                                        a href=(spent(insurer)) { (lang.pick("明细", "lines")) }
                                    }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}
