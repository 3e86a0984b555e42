//! The brief of a city and month as a page to print: over HTTP, or as one file that needs nothing else.

use std::sync::Arc;

use axum::extract::{Path, RawQuery, State};
use axum::response::{Html, IntoResponse, Response};
use maud::{DOCTYPE, Markup, PreEscaped, html};
use serde_json::{Map, Value};

use super::answer::text;
use super::standing::minute;
use super::{Address, Lang, assets, figure};
use crate::brief::{self, Month};
use crate::http::{AppState, Ask, Caller, Parameters, asked_release, handing_out};
use crate::problem::Problem;

/// Where the style comes from.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Style {
    /// A style sheet of this server.
    Linked,
    /// Inside the file.
    Inside,
}

/// `GET /reports/{city}/{month}`
pub async fn show(
    State(app): State<AppState>,
    caller: Caller,
    Path((city, month)): Path<(String, String)>,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let mut parameters = Parameters::of(query.as_deref());
    let lang = Lang::of(&parameters);
    parameters.one("lang")?;
    let choice = asked_release(&mut parameters)?;
    parameters.finish()?;
    let month: Month = month.parse().map_err(|error: String| Problem::bad_request("bad_parameter", error))?;
    let granted = brief::granted(&app.deployment, &caller.permission, &city, month, choice).await?;
    let release = Arc::clone(granted.release());
    let ask = Ask { release: &release, request: granted.canonical(), caller: &caller };
    let brief = app.answer(&ask, granted.brief()).await?;
    let here = Address::here(&format!("/reports/{city}/{month}"), query.as_deref());
    let page = document(&brief.value, lang, Style::Linked, Some(&here));
    Ok(handing_out(Html(page.into_string()).into_response(), leads_listed(&brief.value)))
}

/// The brief as one file.
pub fn file(brief: &Value, lang: Lang) -> String {
    document(brief, lang, Style::Inside, None).into_string()
}

/// How many leads a brief names.
pub fn leads_listed(brief: &Value) -> usize {
    let kinds = brief["leads"].as_array().into_iter().flatten();
    kinds.map(|kind| kind["top"].as_array().map_or(0, Vec::len)).sum()
}

fn document(brief: &Value, lang: Lang, style: Style, here: Option<&Address>) -> Markup {
    let of = |name: &str| brief[name].as_str().unwrap_or_default();
    let title = match lang {
        Lang::Zh => format!("{} {} 安责险运行情况简报", of("city_name"), of("month")),
        Lang::En => format!("Work-safety liability insurance, {} {}", of("city_name"), of("month")),
    };
    html! {
        (DOCTYPE)
        html lang=(lang.tag()) {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (title) }
                @match style {
                    Style::Linked => { link rel="stylesheet" href=(assets::brief_sheet()); },
                    Style::Inside => { style { (PreEscaped(assets::brief_style())) } },
                }
            }
            body {
                header {
                    @if let Some(here) = here {
                        p.screen {
                            a href=(Address::of("/").to(lang)) { (lang.pick("首页", "First page")) } " · "
                            a href=(here.to(lang.other())) lang=(lang.other().tag()) { (lang.other().own_name()) }
                        }
                    }
                    h1 { (title) }
                    p.about {
                        (lang.pick("供会商使用", "For the consultation")) " · "
                        (release(brief, lang)) " · "
                        (lang.pick("期间", "period")) " " (of("from")) " – " (of("last")) " · "
                        (lang.pick("发布于", "published")) " " (minute(of("published_at")))
                    }
                }
                main {
                    @for part in brief["parts"].as_array().into_iter().flatten() { (figures(brief, part, lang)) }
                    (late(brief, lang))
                    (leads(brief, lang))
                }
                footer { p {
                    (lang.pick(
                        "每个数字出自上述发布，可逐级追溯到原始报送行；线索须经核查。",
                        "Every number is of the release named, and leads back to the delivered line; leads are to be looked into.",
                    ))
                } }
            }
        }
    }
}

fn release(brief: &Value, lang: Lang) -> Markup {
    html! {
        (lang.pick("发布", "release")) " " (brief["release"].to_string()) " · "
        (lang.pick("数据截至", "data to")) " " (brief["day"].as_str().unwrap_or_default())
    }
}

fn figures(brief: &Value, part: &Value, lang: Lang) -> Markup {
    let title = lang.pick(part["title"].as_str().unwrap_or_default(), part["title_en"].as_str().unwrap_or_default());
    let previous = brief["previous_month"].as_str().unwrap_or_default();
    html! {
        section {
            h2 { (title) }
            table {
                caption { (release(brief, lang)) }
                thead { tr {
                    th scope="col" { (lang.pick("指标", "Metric")) }
                    th.number scope="col" { (lang.pick("本月", "This month")) }
                    th.number scope="col" { (lang.pick("分子 / 分母", "Numerator / denominator")) }
                    th.number scope="col" { (lang.pick("上月", "Month before")) " " (previous) }
                    th.number scope="col" { (lang.pick("全省", "Province")) }
                } }
                tbody {
                    @for metric in part["metrics"].as_array().into_iter().flatten() { (metric_row(metric, lang)) }
                }
            }
        }
    }
}

fn metric_row(metric: &Value, lang: Lang) -> Markup {
    let unit = metric["unit"].as_str().unwrap_or_default();
    let none = Map::new();
    let row = |name: &str| metric[name].as_object().unwrap_or(&none).clone();
    let (now, previous, province) = (row("now"), row("previous"), row("province"));
    html! {
        tr {
            th scope="row" {
                (lang.pick(metric["title"].as_str().unwrap_or_default(), metric["title_en"].as_str().unwrap_or_default()))
            }
            td.number { strong { (figure::value(unit, &now, lang)) } }
            td.number { (figure::exact(now.get("numerator"))) " / " (figure::exact(now.get("denominator"))) }
            td.number { (figure::value(unit, &previous, lang)) }
            td.number { (figure::value(unit, &province, lang)) }
        }
    }
}

fn late(brief: &Value, lang: Lang) -> Markup {
    let feeds: Vec<&Value> = brief["late"]["feeds"].as_array().into_iter().flatten().collect();
    let stale: Vec<&str> =
        brief["late"]["stale_feeds"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    html! {
        section {
            h2 { (lang.pick("逾期报送源", "Late feeds")) }
            @if feeds.is_empty() {
                p { (lang.pick("本市报送方本月没有逾期的报送时点。", "No slot of the city's reporters was late in the month.")) }
            } @else {
                table {
                    caption { (release(brief, lang)) }
                    thead { tr {
                        th scope="col" { (lang.pick("报送源", "Feed")) }
                        th.number scope="col" { (lang.pick("按时（次）", "In time")) }
                        th.number scope="col" { (lang.pick("应报（次）", "Due")) }
                    } }
                    tbody { @for feed in &feeds { tr {
                        th scope="row" { (feed["feed"].as_str().unwrap_or("—")) }
                        td.number { (figure::exact(feed.get("numerator"))) }
                        td.number { (figure::exact(feed.get("denominator"))) }
                    } } }
                }
            }
            @if !stale.is_empty() {
                p {
                    (lang.pick("发布时全省最近一次未按期到达的报送源：", "Feeds of the province whose latest slot was unfulfilled at the release: "))
                    (stale.join(lang.pick("、", ", ")))
                }
            }
        }
    }
}

fn leads(brief: &Value, lang: Lang) -> Markup {
    let kinds: Vec<&Value> = brief["leads"].as_array().into_iter().flatten().collect();
    html! {
        section {
            h2 { (lang.pick("待核查线索", "Open leads")) }
            @if kinds.is_empty() {
                p { (lang.pick("没有待核查的线索。", "There are no open leads.")) }
            }
            @for kind in &kinds {
                div.kind {
                    h3 {
                        (lang.pick(kind["title"].as_str().unwrap_or_default(), kind["title_en"].as_str().unwrap_or_default()))
                        " " (figure::exact(kind.get("open"))) " " (lang.pick("条", ""))
                    }
                    table {
                        caption { (kind["basis"].as_str().unwrap_or_default()) " · " (release(brief, lang)) }
                        thead { tr {
                            th scope="col" { (lang.pick("对象", "Subject")) }
                            th scope="col" { (lang.pick("地区", "Place")) }
                            th scope="col" { (lang.pick("保险机构", "Insurer")) }
                            th scope="col" { (lang.pick("自", "Since")) }
                            th.number scope="col" { (lang.pick("金额（元）", "Amount (CNY)")) }
                            th.number scope="col" { (lang.pick("人数", "Persons")) }
                            th scope="col" { (lang.pick("记录", "Record")) }
                        } }
                        tbody { @for lead in kind["top"].as_array().into_iter().flatten().filter_map(Value::as_object) { (lead_row(lead)) } }
                    }
                }
            }
        }
    }
}

fn lead_row(lead: &Map<String, Value>) -> Markup {
    let of = |name: &str| text(lead, name);
    html! {
        tr {
            th scope="row" { (of("subject_name").or(of("subject_id")).unwrap_or("—")) " " small { (of("subject_id").unwrap_or_default()) } }
            td { (of("region_name").unwrap_or("—")) }
            td { (of("insurer_name").unwrap_or("—")) }
            td { (of("since").unwrap_or("—")) }
            td.number { (figure::exact(lead.get("amount"))) }
            td.number { (figure::exact(lead.get("heads"))) }
            td { small { (of("dataset").unwrap_or_default()) " " (of("key").unwrap_or_default()) } }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_file_needs_nothing_else_and_every_table_names_its_release() {
        let figure = json!({"numerator": 3, "denominator": 4, "value": 0.75});
        let brief = json!({
            "city": "330100", "city_name": "杭州<市>", "month": "2026-06", "previous_month": "2026-05",
            "from": "2026-06-01", "last": "2026-06-30", "release": 7, "day": "2026-06-30",
            "published_at": "2026-06-30T02:30:00+08:00",
            "parts": [{"title": "总体情况", "title_en": "Overview", "metrics": [
                {"title": "投保覆盖率", "title_en": "Coverage rate", "unit": "ratio", "now": figure, "previous": null, "province": figure},
            ]}],
            "leads": [{"kind": "uninsured", "title": "应保未保", "title_en": "Uninsured", "basis": "通知", "open": 1200, "top": [
                {"subject_id": "U1", "subject_name": "甲", "since": "2026-01-01", "dataset": "roster", "key": "U1,mine,2026-01-01"},
            ]}],
            "late": {"feeds": [], "stale_feeds": ["a-policy"]},
        });
        let page = file(&brief, Lang::Zh);
        assert!(!page.contains("<link") && !page.contains("<script") && page.contains("@page"), "{page}");
        assert!(page.contains("杭州&lt;市&gt;") && page.contains("75.00%") && page.contains("无数据"), "{page}");
        assert!(page.contains("1,200") && page.contains("甲") && page.contains("a-policy"), "{page}");
        assert_eq!(page.matches("发布 7").count(), page.matches("<table>").count() + 1);
        assert!(file(&brief, Lang::En).contains("Coverage rate"));
        assert_eq!(leads_listed(&brief), 1);
    }
}
