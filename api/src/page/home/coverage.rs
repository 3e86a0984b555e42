//! Coverage: the whole, its course over the months, and each city.

use maud::{Markup, html};
use serde_json::{Map, Value};

use crate::page::answer::{
    Answer, Part, Viewer, gap, gap_address, is_compared, missing, ratio_cells, rows, standing, text, unit,
};
use crate::page::chart::{self, Axis, Point};
use crate::page::figure;

const AXIS: Axis = Axis { full: 1.0, mark: None };

pub(super) fn section(by_city: &Part, total: &Part, trend: &Part, viewer: Viewer) -> Markup {
    let lang = viewer.lang;
    html! {
        section aria-labelledby="coverage" {
            h2 #coverage { (lang.pick("投保覆盖率", "Coverage")) }
            p.meaning {
                (lang.pick(
                    "应保名册上、当日持有有效保单的单位占名册单位的比例（通知二(二)，应保尽保）。",
                    "Units on the must-insure roster with a policy in force, of all units on the roster (notice II(2)).",
                ))
            }
            @match by_city {
                Err(problem) => (missing(problem, lang)),
                Ok(answer) => {
                    div.split {
                        div {
                            @if let Ok(total) = total {
                                @for row in rows(total) { (headline(total, row, viewer)) }
                            }
                            @if let Ok(trend) = trend { (course(trend, viewer)) }
                        }
                        (cities(answer, viewer))
                    }
                }
            }
        }
    }
}

/// One large number with what it is made of.
fn headline(answer: &Answer, row: &Map<String, Value>, viewer: Viewer) -> Markup {
    let lang = viewer.lang;
    html! {
        p.headline {
            span.of { (viewer.whole()) " · " (standing(answer, lang)) }
            span.figure { (figure::value(unit(answer), row, lang)) }
            span.made {
                (figure::exact(row.get("numerator"))) " / " (figure::exact(row.get("denominator"))) " "
                (lang.pick("家", "units"))
                @if viewer.evidence {
                    " · " a href=(gap_address(answer, None).to(lang)) { (lang.pick("未投保清单", "the uninsured")) }
                }
            }
            @if is_compared(answer) {
                span.made { (lang.pick("上年同期", "a year before")) " " (figure::since(unit(answer), row, lang)) }
            }
            @if let (true, Some(province)) = (viewer.limited, row.get("province").and_then(Value::as_object)) {
                span.made { (lang.pick("全省", "the province")) " " (figure::value(unit(answer), province, lang)) }
            }
        }
    }
}

fn course(trend: &Answer, viewer: Viewer) -> Markup {
    let lang = viewer.lang;
    let month = |row: &Map<String, Value>| text(row, "month").unwrap_or_default().to_owned();
    let points: Vec<Point> =
        rows(trend).map(|row| Point { month: month(row), ratio: row.get("value").and_then(figure::number) }).collect();
    let title = lang.pick("各月月末覆盖率", "Coverage at the end of each month");
    html! {
        figure {
            figcaption { (title) " · " (viewer.whole()) }
            (chart::line(&points, title, lang))
            details {
                summary { (lang.pick("逐月数值", "Month by month")) }
                table {
                    caption { (standing(trend, lang)) }
                    thead { tr {
                        th scope="col" { (lang.pick("月份", "Month")) }
                        th.number scope="col" { (lang.pick("覆盖率", "Rate")) }
                        th.number scope="col" { (lang.pick("已投保 / 名册（家）", "Insured / roster (units)")) }
                    } }
                    tbody {
                        @for row in rows(trend) {
                            tr {
                                th scope="row" { (month(row)) }
                                td.number { (figure::value(unit(trend), row, lang)) }
                                td.number { (figure::exact(row.get("numerator"))) " / " (figure::exact(row.get("denominator"))) }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn cities(answer: &Answer, viewer: Viewer) -> Markup {
    let lang = viewer.lang;
    html! {
        div.wide role="region" tabindex="0" aria-labelledby="coverage" {
            table.bars {
                caption { (standing(answer, lang)) }
                thead { tr {
                    th scope="col" { (lang.pick("设区市", "City")) }
                    th.number scope="col" { (lang.pick("覆盖率", "Rate")) }
                    th.drawn scope="col" { (lang.pick("已投保 / 名册（家）", "Insured / roster (units)")) }
                    @if is_compared(answer) { th.number scope="col" { (lang.pick("上年同期", "A year before")) } }
                    @if viewer.evidence { th.number scope="col" { (lang.pick("未投保", "Gap")) } }
                } }
                tbody {
                    @for row in rows(answer) {
                        tr {
                            (ratio_cells(answer, row, "city", AXIS, lang))
                            @if is_compared(answer) { td.number { (figure::since(unit(answer), row, lang)) } }
                            @if viewer.evidence { td.number { (gap(answer, row, "city", lang)) } }
                        }
                    }
                }
            }
        }
    }
}
