//! The first page: coverage, claims, prevention spend, feeds. Each part stands or fails alone.

mod claims;
mod coverage;
mod feeds;
mod spend;

use std::sync::Arc;

use axum::extract::{RawQuery, State};
use axum::response::{Html, IntoResponse, Response};
use maud::{Markup, html};

use super::answer::{Part, Viewer};
use super::standing::standing;
use super::{Address, Frame, Lang};
use crate::http::{App, AppState, Ask, Asked, Caller, Parameters, feed_states, question};
use crate::permission::{Access, Role};
use crate::problem::Problem;

/// `GET /`
pub async fn show(State(app): State<AppState>, caller: Caller, RawQuery(query): RawQuery) -> Result<Response, Problem> {
    let mut parameters = Parameters::of(query.as_deref());
    let lang = Lang::of(&parameters);
    parameters.one("lang")?;
    parameters.finish()?;
    if app.deployment.newest().await?.is_none() {
        return Ok(Html(nothing_yet(lang).into_string()).into_response());
    }
    let viewer = Viewer {
        evidence: caller.permission.may(Access::Evidence).is_ok(),
        limited: !caller.permission.scope.is_whole(),
        lang,
    };
    // What is published is published by city; insurers are named to those who may see them.
    let claims_by = if caller.permission.role == Role::Public { "city" } else { "insurer" };
    // Published cells come without the year before.
    let year_before = if caller.permission.role == Role::Public { "" } else { "compare=yoy" };
    let by_city = format!("by=city&{year_before}");
    let of_total = if viewer.limited { format!("benchmarks=province&{year_before}") } else { year_before.to_owned() };
    let of_claims = format!("by={claims_by}&{year_before}");
    let of_spend = format!("by=insurer&{year_before}");
    let (by_city, total, trend, claims, spend) = futures::join!(
        part(&app, &caller, "coverage_rate", Asked::Value, &by_city),
        part(&app, &caller, "coverage_rate", Asked::Value, &of_total),
        part(&app, &caller, "coverage_rate", Asked::Trend, ""),
        part(&app, &caller, "claim_settlement_days", Asked::Value, &of_claims),
        part(&app, &caller, "prevention_spend_ratio", Asked::Value, &of_spend),
    );
    let feeds = match caller.permission.may(Access::Feeds) {
        Ok(()) => feed_states(&app, &caller).await,
        Err(denied) => Err(denied.into()),
    };
    let fresh = app.freshness.now(&app.deployment, &app.clock).await?;
    let main = html! {
        h1 { (lang.pick("全省安全生产责任保险运行情况", "Work-safety liability insurance in the province")) }
        @if !fresh.late_feeds.is_empty() { (late(fresh.late_feeds.len(), lang)) }
        @if caller.permission.may(Access::Leads).is_ok() {
            p { a href=(Address::of("/leads").to(lang)) { (lang.pick("执法线索", "Leads for enforcement")) } }
        }
        @if caller.permission.may(Access::Assessments).is_ok() {
            p { a href=(Address::of("/assessments").to(lang)) { (lang.pick("目标责任考核", "Assessments")) } }
        }
        (coverage::section(&by_city, &total, &trend, viewer))
        (claims::section(&claims, claims_by, viewer))
        (spend::section(&spend, viewer))
        (feeds::section(&feeds, lang))
    };
    let here = Address::of("/");
    let standing = standing(&app, lang).await?;
    let frame = Frame { lang, title: lang.pick("首页", "First page"), here: &here, standing };
    Ok(Html(frame.around(&main).into_string()).into_response())
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

fn late(count: usize, lang: Lang) -> Markup {
    html! {
        p.notice {
            @match lang {
                Lang::Zh => { "现有 " strong { (count) } " 个报送源逾期未报，下列数字可能不完整。" },
                Lang::En => { strong { (count) } " feeds are past their deadline; the figures below may be incomplete." },
            }
        }
    }
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
