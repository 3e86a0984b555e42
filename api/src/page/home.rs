//! The first page: coverage, claims, prevention spend, feeds. Each part stands or fails alone.

use std::sync::Arc;

use axum::extract::{RawQuery, State};
use axum::response::{Html, IntoResponse, Response};
use maud::{Markup, html};
use serde_json::{Map, Value};

use super::chart::{self, Point};
use super::{Address, Frame, Lang, figure};
use crate::feed_state::FeedState;
use crate::http::{App, AppState, Asked, Ask, Caller, Parameters, feed_states, question};
use crate::output::instant;
use crate::permission::Access;
use crate::problem::Problem;

/// One part's answer, or why there is none.
type Part = Result<Map<String, Value>, Problem>;

/// `GET /`
pub async fn show(
    State(app): State<AppState>,
    caller: Caller,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let mut parameters = Parameters::of(query.as_deref());
    let lang = Lang::of(&parameters);
    parameters.one("lang")?;
    parameters.finish()?;
    let Some(release) = app.deployment.newest().await? else {
        return Ok(Html(nothing_yet(lang).into_string()).into_response());
    };
    let (coverage, total, trend, claims, spend) = futures::join!(
        part(&app, &caller, "coverage_rate", Asked::Value, "by=city"),
        part(&app, &caller, "coverage_rate", Asked::Value, ""),
        part(&app, &caller, "coverage_rate", Asked::Trend, ""),
        part(&app, &caller, "claim_settlement_days", Asked::Value, "by=insurer"),
        part(&app, &caller, "prevention_spend_ratio", Asked::Value, "by=insurer"),
    );
    let feeds = match caller.permission.may(Access::Feeds) {
        Ok(()) => feed_states(&app, &caller).await,
        Err(denied) => Err(denied.into()),
    };
    let fresh = app.freshness.now(&app.deployment, &app.clock).await?;
    let may = May { evidence: caller.permission.may(Access::Evidence).is_ok() };
    let main = html! {
        h1 { (lang.pick("全省安全生产责任保险运行情况", "Work-safety liability insurance in the province")) }
        @if !fresh.late_feeds.is_empty() {
            p.notice {
                (lang.pick("现有", "")) " " strong { (fresh.late_feeds.len()) } " "
                (lang.pick("个报送源逾期未报，下列数字可能不完整。", "feeds are past their deadline; the figures below may be incomplete."))
            }
        }
        (coverage_section(&coverage, &total, &trend, may, lang))
        (claims_section(&claims, may, lang))
        (spend_section(&spend, may, lang))
        (feeds_section(&feeds, lang))
    };
    let title = lang.pick("首页", "First page");
    let standing = html! {
        (lang.pick("发布", "Release")) " " b { (release.number()) }
        " · " (lang.pick("数据截至", "data to")) " " time datetime=(release.day()) { (release.day()) }
        " · " (lang.pick("发布于", "published")) " " time datetime=(instant(release.published_at())) { (minute(&instant(release.published_at()))) }
    };
    let here = Address::of("/");
    let page = Frame { lang, title, here: &here, standing: Some(standing) }.around(&main);
    Ok(Html(page.into_string()).into_response())
}

/// What the links of this caller may lead to.
#[derive(Clone, Copy)]
struct May {
    evidence: bool,
}

/// Asks exactly as a program would, so that the page can show nothing else.
async fn part(app: &App, caller: &Caller, id: &str, asked: Asked, query: &str) -> Part {
    let question = question(id.to_owned(), asked, &mut Parameters::of(Some(query)))?;
    let granted = question.granted(&app.deployment, &caller.permission).await?;
    let release = Arc::clone(granted.release());
    let ask = Ask { release: &release, request: granted.canonical(), caller };
    let answer = app.answer(&ask, granted.answer()).await?;
    answer.value.as_object().cloned().ok_or_else(|| Problem::internal(&"an answer is no object"))
}

fn coverage_section(by_city: &Part, total: &Part, trend: &Part, may: May, lang: Lang) -> Markup {
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
                                @for row in rows(total) { (headline(total, row, lang.pick("全省", "Province"), may, lang)) }
                            }
                            @if let Ok(trend) = trend { (trend_figure(trend, lang)) }
                        }
                        div.wide role="region" tabindex="0" aria-labelledby="coverage" {
                            table {
                                caption { (standing(answer, lang)) }
                                thead { tr {
                                    th scope="col" { (lang.pick("设区市", "City")) }
                                    th.number scope="col" { (lang.pick("覆盖率", "Rate")) }
                                    th.drawn scope="col" { (lang.pick("已投保 / 名册（家）", "Insured / roster (units)")) }
                                    @if may.evidence { th.number scope="col" { (lang.pick("未投保", "Gap")) } }
                                } }
                                tbody {
                                    @for row in rows(answer) { (ratio_row(answer, row, "city", 1.0, None, may, lang)) }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn claims_section(answer: &Part, may: May, lang: Lang) -> Markup {
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
                Ok(answer) => {
                    div.wide role="region" tabindex="0" aria-labelledby="claims" {
                        table {
                            caption { (standing(answer, lang)) }
                            thead { tr {
                                th scope="col" { (lang.pick("保险机构", "Insurer")) }
                                th.number scope="col" { (lang.pick("中位（天）", "Median (days)")) }
                                th.number scope="col" { (lang.pick("九成（天）", "90 % (days)")) }
                                th.number scope="col" { (lang.pick("30 天内赔付", "Paid in 30 days")) }
                                th.number scope="col" { (lang.pick("已赔 / 案件（件）", "Paid / claims")) }
                                @if may.evidence { th.number scope="col" { (lang.pick("未赔", "Open")) } }
                            } }
                            tbody {
                                @for row in rows(answer) {
                                    tr {
                                        th scope="row" lang="zh-CN" { (name(row, "insurer")) }
                                        td.number { (figure::value("plain", row, lang)) }
                                        td.number { (figure::exact(row.get("p90"))) }
                                        td.number { (share(row, "within_30")) }
                                        td.number { (figure::exact(row.get("numerator"))) " / " (figure::exact(row.get("denominator"))) }
                                        @if may.evidence { td.number { (gap(answer, row, "insurer", lang)) } }
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

fn spend_section(answer: &Part, may: May, lang: Lang) -> Markup {
    // 应急〔2025〕27号: a cap of 21 % of collected premium; Zhejiang has no floor.
    const CAP: f64 = 0.21;
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
                Ok(answer) => {
                    div.wide role="region" tabindex="0" aria-labelledby="spend" {
                        table {
                            caption { (standing(answer, lang)) }
                            thead { tr {
                                th scope="col" { (lang.pick("保险机构", "Insurer")) }
                                th.number scope="col" { (lang.pick("投入率", "Ratio")) }
                                th.drawn scope="col" { (lang.pick("合规支出 / 实收保费（元）", "Compliant spend / collected (CNY)")) }
                                @if may.evidence { th.number scope="col" { (lang.pick("依据", "Rows")) } }
                            } }
                            tbody {
                                @for row in rows(answer) { (ratio_row(answer, row, "insurer", 0.3, Some(CAP), may, lang)) }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn feeds_section(feeds: &Result<Vec<FeedState>, Problem>, lang: Lang) -> Markup {
    html! {
        section aria-labelledby="feeds" {
            h2 #feeds { (lang.pick("数据报送", "Feeds")) }
            @match feeds {
                Err(problem) => (missing(problem, lang)),
                Ok(feeds) if feeds.is_empty() => p.empty { (lang.pick("没有可显示的报送源。", "There are no feeds to show.")) },
                Ok(feeds) => {
                    div.wide role="region" tabindex="0" aria-labelledby="feeds" {
                        table {
                            caption { (feeds.len()) " " (lang.pick("个报送源 · 实时状态", "feeds · state now")) }
                            thead { tr {
                                th scope="col" { (lang.pick("报送源", "Feed")) }
                                th scope="col" { (lang.pick("报送方", "Reporter")) }
                                th scope="col" { (lang.pick("数据集", "Dataset")) }
                                th scope="col" { (lang.pick("状态", "State")) }
                                th scope="col" { (lang.pick("最近到达", "Last arrival")) }
                                th.number scope="col" { (lang.pick("读入（行）", "Rows read")) }
                                th.number scope="col" { (lang.pick("暂扣（行）", "Held")) }
                            } }
                            tbody { @for feed in feeds { (feed_row(feed, lang)) } }
                        }
                    }
                }
            }
        }
    }
}

fn feed_row(state: &FeedState, lang: Lang) -> Markup {
    let text = |name: &str| state.feed.get(name).and_then(Value::as_str).unwrap_or("—");
    let of_batch = |name: &str| state.last_batch.as_ref().and_then(|batch| batch.get(name));
    let standing = state.standing();
    let words = match standing {
        "late" => lang.pick("逾期", "late"),
        "running" => lang.pick("运行中", "running"),
        "failed" => lang.pick("失败", "failed"),
        "held" => lang.pick("整批暂扣", "held"),
        "fresh" => lang.pick("正常", "fresh"),
        _ => lang.pick("尚无数据", "waiting"),
    };
    html! {
        tr {
            th scope="row" lang="zh-CN" { (text("title")) " " small { (state.id()) } }
            td { (text("reporter")) }
            td { (text("dataset")) }
            td { span class={ "state " (standing) } { (words) } }
            td { (of_batch("landed_at").and_then(Value::as_str).map_or("—".to_owned(), minute)) }
            td.number { (figure::exact(of_batch("rows_read"))) }
            td.number { (figure::exact(of_batch("rows_quarantined"))) }
        }
    }
}

/// One large number with what it is made of.
fn headline(answer: &Map<String, Value>, row: &Map<String, Value>, of: &str, may: May, lang: Lang) -> Markup {
    html! {
        p.headline {
            span.of { (of) }
            span.figure { (figure::value(unit(answer), row, lang)) }
            span.made {
                (figure::exact(row.get("numerator"))) " / " (figure::exact(row.get("denominator"))) " "
                (lang.pick("家", "units"))
                @if may.evidence {
                    " · " a href=(gap_address(answer).to(lang)) { (lang.pick("未投保清单", "the uninsured")) }
                }
            }
        }
    }
}

fn trend_figure(trend: &Map<String, Value>, lang: Lang) -> Markup {
    let points: Vec<Point> = rows(trend)
        .map(|row| Point {
            month: row.get("month").and_then(Value::as_str).unwrap_or_default().to_owned(),
            ratio: row.get("value").and_then(figure::number),
        })
        .collect();
    let title = lang.pick("全省投保覆盖率，各月月末", "Coverage of the province at the end of each month");
    html! {
        figure {
            figcaption { (title) " · " (standing(trend, lang)) }
            (chart::line(&points, title, lang))
            details {
                summary { (lang.pick("逐月数值", "Month by month")) }
                table {
                    thead { tr {
                        th scope="col" { (lang.pick("月份", "Month")) }
                        th.number scope="col" { (lang.pick("覆盖率", "Rate")) }
                        th.number scope="col" { (lang.pick("已投保 / 名册（家）", "Insured / roster (units)")) }
                    } }
                    tbody {
                        @for row in rows(trend) {
                            tr {
                                th scope="row" { (row.get("month").and_then(Value::as_str).unwrap_or_default()) }
                                td.number { (figure::value("ratio", row, lang)) }
                                td.number { (figure::exact(row.get("numerator"))) " / " (figure::exact(row.get("denominator"))) }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// A row of a ratio: name, value, bar with what it is made of, link to the rows behind it.
fn ratio_row(
    answer: &Map<String, Value>,
    row: &Map<String, Value>,
    dimension: &str,
    full: f64,
    mark: Option<f64>,
    may: May,
    lang: Lang,
) -> Markup {
    html! {
        tr {
            th scope="row" lang="zh-CN" { (name(row, dimension)) }
            td.number { (figure::value(unit(answer), row, lang)) }
            td.drawn {
                (chart::bar(row.get("value").and_then(figure::number), full, mark))
                span.made { (figure::exact(row.get("numerator"))) " / " (figure::exact(row.get("denominator"))) }
            }
            @if may.evidence { td.number { (gap(answer, row, dimension, lang)) } }
        }
    }
}

/// The link to a cell's gap list, with how much is missing where that is a count.
fn gap(answer: &Map<String, Value>, row: &Map<String, Value>, dimension: &str, lang: Lang) -> Markup {
    let Some(member) = row.get(dimension).and_then(Value::as_str) else { return html! {} };
    let count = |name: &str| row.get(name).and_then(Value::as_i64);
    let missing = count("denominator").zip(count("numerator")).map(|(all, done)| all - done);
    let words = match missing {
        Some(missing) => figure::plain(missing as f64),
        None => lang.pick("明细", "rows").to_owned(),
    };
    let address = gap_address(answer).with(&format!("where.{dimension}"), member);
    html! { a href=(address.to(lang)) { (words) } }
}

fn gap_address(answer: &Map<String, Value>) -> Address {
    let id = answer.get("metric").and_then(Value::as_str).unwrap_or_default();
    let side = if unit(answer) == "ratio" && answer.get("metric").and_then(Value::as_str) == Some("prevention_spend_ratio") {
        // Its gap is premium not spent, which no row shows; the expense lines are what one looks for.
        Some("numerator")
    } else {
        None
    };
    let address = Address::joined(&["metrics", id, "gap"]);
    match side {
        Some(side) => address.with("side", side),
        None => address,
    }
}

/// Unit, day or period, release and freshness of an answer: what every number must show.
pub(super) fn standing(answer: &Map<String, Value>, lang: Lang) -> Markup {
    let text = |name: &str| answer.get(name).and_then(Value::as_str);
    let stale = answer.get("stale_feeds").and_then(Value::as_array).map(Vec::len);
    let stale = stale.or_else(|| answer.get("stale_feed_count").and_then(Value::as_u64).map(|count| count as usize));
    html! {
        (lang.pick("单位", "unit")) " " (figure::unit_name(unit(answer), lang))
        " · "
        @if let Some(day) = text("as_of") {
            (lang.pick("截至", "as of")) " " (day)
        } @else if let (Some(from), Some(to)) = (text("from"), text("to")) {
            (from) " " (lang.pick("至", "to before")) " " (to) (lang.pick("（不含）", ""))
        }
        " · " (lang.pick("发布", "release")) " " (figure::exact(answer.get("release")))
        " · "
        @match stale {
            None | Some(0) => (lang.pick("各源均按时", "all feeds on time")),
            Some(late) => { (lang.pick("逾期报送源", "late feeds")) " " (late) },
        }
    }
}

fn missing(problem: &Problem, lang: Lang) -> Markup {
    html! { p.empty { (lang.pick(problem.title, problem.title_en)) "：" (problem.detail) } }
}

fn nothing_yet(lang: Lang) -> Markup {
    let title = lang.pick("尚未发布任何数据", "Nothing is published yet");
    let main = html! {
        h1 { (title) }
        p { (lang.pick("运行报送源后，这里会显示数字：", "Run the feeds, and the numbers appear here:")) }
        pre { "anze ingest run --all" }
    };
    let here = Address::of("/");
    Frame { lang, title, here: &here, standing: None }.around(&main)
}

fn rows(answer: &Map<String, Value>) -> impl Iterator<Item = &Map<String, Value>> {
    answer.get("rows").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_object)
}

fn unit(answer: &Map<String, Value>) -> &str {
    answer.get("unit").and_then(Value::as_str).unwrap_or_default()
}

fn name<'a>(row: &'a Map<String, Value>, dimension: &str) -> &'a str {
    let named = row.get(&format!("{dimension}_name")).or_else(|| row.get(dimension));
    named.and_then(Value::as_str).unwrap_or("—")
}

fn share(row: &Map<String, Value>, field: &str) -> String {
    row.get(field).and_then(figure::number).map_or("—".to_owned(), figure::percent)
}

/// `2026-06-30T02:30:00+08:00` to the minute.
fn minute(instant: &str) -> String {
    instant.get(..16).unwrap_or(instant).replace('T', " ")
}
