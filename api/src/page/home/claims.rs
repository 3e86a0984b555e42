//! Claim speed, by insurer or by city.

use anze_queries::Dimension;
use maud::{Markup, html};
use serde_json::{Map, Value};

use crate::page::answer::{Answer, Part, Viewer, gap, is_compared, missing, name, rows, standing};
use crate::page::figure;

pub(super) fn section(answer: &Part, dimension: &str, viewer: Viewer) -> Markup {
    let lang = viewer.lang;
    html! {
        section aria-labelledby="claims" {
            h2 #claims { (lang.pick("理赔时效", "Claim speed")) }
            p.meaning {
                (lang.pick(
                    "从报案到赔付的中位天数，未结案件按观察日截尾（Kaplan–Meier）；“九成”是九成案件赔付所需天数。",
                    "Median days from report to payment, open claims censored at the observation day (Kaplan–Meier); “90 %” is when nine in ten are paid.",
                ))
            }
            @match answer {
                Err(problem) => (missing(problem, lang)),
                Ok(answer) => (table(answer, dimension, viewer)),
            }
        }
    }
}

fn table(answer: &Answer, dimension: &str, viewer: Viewer) -> Markup {
    let lang = viewer.lang;
    let of = Dimension::parse(dimension).map_or(dimension, |known| lang.pick(known.title(), known.title_en()));
    html! {
        div.wide role="region" tabindex="0" aria-labelledby="claims" {
            table.long {
                caption { (standing(answer, lang)) }
                thead { tr {
                    th scope="col" { (of) }
                    th.number scope="col" { (lang.pick("中位（天）", "Median (days)")) }
                    th.number scope="col" { (lang.pick("九成（天）", "90 % (days)")) }
                    th.number scope="col" { (lang.pick("30 天内赔付", "Paid in 30 days")) }
                    th.number scope="col" { (lang.pick("已赔 / 案件（件）", "Paid / claims")) }
                    @if is_compared(answer) { th.number scope="col" { (lang.pick("上年同期（天）", "A year before (days)")) } }
                    @if viewer.evidence { th.number scope="col" { (lang.pick("未赔", "Open")) } }
                } }
                tbody {
                    @for row in rows(answer) {
                        tr {
                            th scope="row" lang="zh-CN" { (name(row, dimension)) }
                            // The unit stands in the head of the column.
                            td.number { (figure::value("plain", row, lang)) }
                            td.number { (figure::exact(row.get("p90"))) }
                            td.number { (share(row, "within_30")) }
                            td.number { (figure::exact(row.get("numerator"))) " / " (figure::exact(row.get("denominator"))) }
                            @if is_compared(answer) { td.number { (figure::since("plain", row, lang)) } }
                            @if viewer.evidence { td.number { (gap(answer, row, dimension, lang)) } }
                        }
                    }
                }
            }
        }
    }
}

fn share(row: &Map<String, Value>, field: &str) -> String {
    row.get(field).and_then(figure::number).map_or_else(|| "—".to_owned(), figure::percent)
}
