//! Leads for enforcement: how many of each kind, and one kind row by row, down to the landed line.

use std::sync::Arc;

use axum::extract::{Path, RawQuery, State};
use axum::response::{Html, IntoResponse, Response};
use maud::{Markup, html};
use serde_json::{Map, Value};

use super::answer::text;
use super::standing::{minute, standing, zone};
use super::{Address, Frame, Lang, figure};
use crate::http::{AppState, Ask, Caller, Parameters, handing_out, lead_question};
use crate::leads::known_kind;
use crate::permission::Access;
use crate::problem::Problem;

/// What of a row this viewer can follow.
#[derive(Clone, Copy)]
struct Links {
    records: bool,
    lines: bool,
}

/// `GET /leads`
pub async fn kinds(
    State(app): State<AppState>,
    caller: Caller,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let mut parameters = Parameters::of(query.as_deref());
    let lang = Lang::of(&parameters);
    parameters.one("lang")?;
    let question = lead_question(None, &mut parameters)?;
    parameters.finish()?;
    let granted = question.granted(&app.deployment, &caller.permission).await?;
    let release = Arc::clone(granted.release());
    let ask = Ask { release: &release, request: granted.canonical(), caller: &caller };
    let answer = app.answer(&ask, granted.counts()).await?;
    let kinds: Vec<&Map<String, Value>> =
        answer.value["kinds"].as_array().into_iter().flatten().filter_map(Value::as_object).collect();
    let title = lang.pick("执法线索", "Leads for enforcement");
    let here = Address::here("/leads", query.as_deref());
    let main = html! {
        h1 { (title) }
        p.meaning { (lang.pick(
            "线索是需要核查的记录，不是结论；每条都能追溯到原始报送行，核查结论由何人、何时、因何作出一并留存。",
            "A lead is a row to look into, not a verdict; each leads back to its delivered line, and who decided what, when and why is kept.",
        )) }
        div.wide role="region" tabindex="0" aria-label=(title) {
            table.long {
                caption { (about(&answer.value, lang)) }
                thead { tr {
                    th scope="col" { (lang.pick("种类", "Kind")) }
                    th.number scope="col" { (lang.pick("待核查（条）", "Open")) }
                    th.number scope="col" { (lang.pick("属实（条）", "Confirmed")) }
                    th.number scope="col" { (lang.pick("排除（条）", "Dismissed")) }
                    th scope="col" { (lang.pick("依据", "Basis")) }
                } }
                tbody { @for kind in &kinds { (counted(kind, &here, lang)) } }
            }
        }
        p.out { a href=(Address::of("/").to(lang)) { (lang.pick("回到首页", "To the first page")) } }
    };
    let standing = standing(&app, lang).await?;
    let page = Frame { lang, title, here: &here, standing }.around(&main);
    Ok(handing_out(Html(page.into_string()).into_response(), kinds.len()))
}

fn counted(kind: &Map<String, Value>, here: &Address, lang: Lang) -> Markup {
    let id = text(kind, "kind").unwrap_or_default();
    let title = lang.pick(text(kind, "title").unwrap_or(id), text(kind, "title_en").unwrap_or(id));
    let of_state = |state: &str| here.clone().at(&["leads", id]).with("where.state", state).to(lang);
    html! {
        tr {
            th scope="row" { a href=(here.clone().at(&["leads", id]).to(lang)) { (title) } }
            @for state in ["open", "confirmed", "dismissed"] {
                td.number { a href=(of_state(state)) { (figure::exact(kind.get(state))) } }
            }
            td { (text(kind, "basis").unwrap_or("—")) }
        }
    }
}

/// `GET /leads/{id}`
pub async fn show(
    State(app): State<AppState>,
    caller: Caller,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let mut parameters = Parameters::of(query.as_deref());
    let lang = Lang::of(&parameters);
    parameters.one("lang")?;
    let question = lead_question(Some(id.clone()), &mut parameters)?;
    parameters.finish()?;
    let kind = known_kind(&id)?;
    let granted = question.granted(&app.deployment, &caller.permission).await?;
    let release = Arc::clone(granted.release());
    let ask = Ask { release: &release, request: granted.canonical(), caller: &caller };
    let answer = app.answer(&ask, granted.page()).await?;
    let rows: Vec<&Map<String, Value>> =
        answer.value["rows"].as_array().into_iter().flatten().filter_map(Value::as_object).collect();
    let here = Address::here(&format!("/leads/{id}"), query.as_deref());
    let links = Links {
        records: caller.permission.may(Access::Rows).is_ok(),
        lines: caller.permission.may(Access::LandedLines).is_ok(),
    };
    let title = lang.pick(&kind.title, &kind.title_en);
    let main = html! {
        h1 { (title) }
        p.meaning { (lang.pick(&kind.definition, &kind.definition_en)) " " (kind.basis) }
        @if rows.is_empty() {
            p.empty { (lang.pick("没有这样的线索。", "There are no such leads.")) }
        } @else {
            div.wide role="region" tabindex="0" aria-label=(title) {
                table {
                    caption { (about(&answer.value, lang)) " · " (zone(lang)) }
                    thead { (head(kind.measure.as_deref(), lang)) }
                    tbody { @for row in &rows { (lead(row, kind.measure.is_some(), links, lang)) } }
                }
            }
        }
        @if let Some(next) = answer.value["next"].as_str() {
            p.next { a rel="next" href=(here.clone().replacing("cursor", next).to(lang)) { (lang.pick("下一页", "Next page")) " →" } }
        }
        p.out { a href=(Address::of("/leads").to(lang)) { (lang.pick("全部种类", "All kinds")) } }
    };
    let standing = standing(&app, lang).await?;
    let page = Frame { lang, title, here: &here, standing }.around(&main);
    Ok(handing_out(Html(page.into_string()).into_response(), rows.len()))
}

fn head(measure: Option<&str>, lang: Lang) -> Markup {
    let unit = measure.map_or("", |measure| unit_name(measure, lang));
    html! { tr {
        th scope="col" { (lang.pick("对象", "Subject")) }
        th scope="col" { (lang.pick("地区", "Place")) }
        th scope="col" { (lang.pick("行业", "Sector")) }
        th scope="col" { (lang.pick("保险机构", "Insurer")) }
        th scope="col" { (lang.pick("自", "Since")) }
        th.number scope="col" { (lang.pick("金额（元）", "Amount (CNY)")) }
        th.number scope="col" { (lang.pick("人数", "Persons")) }
        @if measure.is_some() {
            th.number scope="col" { (lang.pick("实际", "Found")) " (" (unit) ")" }
            th.number scope="col" { (lang.pick("应为", "Required")) }
        }
        th scope="col" { (lang.pick("说明", "Detail")) }
        th scope="col" { (lang.pick("状态", "State")) }
        th scope="col" { (lang.pick("记录", "Record")) }
        th scope="col" { (lang.pick("原始报送行", "Delivered line")) }
    } }
}

fn lead(row: &Map<String, Value>, measured: bool, links: Links, lang: Lang) -> Markup {
    let of = |name: &str| text(row, name);
    let detail: Vec<&str> = [of("detail"), of("deferral")].into_iter().flatten().collect();
    html! {
        tr id=(of("lead_id").unwrap_or_default()) {
            th scope="row" lang="zh-CN" {
                (of("subject_name").or(of("subject_id")).unwrap_or("—")) " " small { (of("subject_id").unwrap_or_default()) }
            }
            td lang="zh-CN" { (of("region_name").unwrap_or("—")) }
            td lang="zh-CN" { (of("sector_name").unwrap_or("—")) }
            td lang="zh-CN" { (of("insurer_name").unwrap_or("—")) }
            td.moment { (of("since").unwrap_or("—")) }
            td.number { (figure::exact(row.get("amount"))) }
            td.number { (figure::exact(row.get("heads"))) }
            @if measured {
                td.number { (figure::exact(row.get("found"))) }
                td.number { (figure::exact(row.get("required"))) }
            }
            td { (detail.join(" · ")) }
            td { (state(row, lang)) }
            td { (record(row, links.records, lang)) }
            td { (line(row, links.lines, lang)) }
        }
    }
}

fn state(row: &Map<String, Value>, lang: Lang) -> Markup {
    let state = text(row, "state").unwrap_or_default();
    html! {
        (state_name(state, lang))
        @if let (Some(by), Some(at)) = (text(row, "reviewed_by"), text(row, "reviewed_at")) {
            " " small { (by) " " (minute(at)) " " (text(row, "review_reason").unwrap_or_default()) }
        }
    }
}

fn record(row: &Map<String, Value>, linked: bool, lang: Lang) -> Markup {
    let (Some(dataset), Some(key)) = (text(row, "dataset"), text(row, "key")) else { return html! { "—" } };
    // A slot is kept in the books, not in a dataset.
    html! {
        small { (dataset) } " "
        @if linked && dataset != "slot_state" {
            a href=(Address::joined(&["records", dataset, key]).to(lang)) { (key) }
        } @else {
            (key)
        }
    }
}

fn line(row: &Map<String, Value>, linked: bool, lang: Lang) -> Markup {
    let number = row.get("row_no").filter(|number| !number.is_null());
    let (Some(batch), Some(number)) = (text(row, "batch_id"), number) else { return html! { "—" } };
    let number = number.to_string();
    let words = html! { (lang.pick("第", "line")) " " (number) " " (lang.pick("行", "")) };
    html! {
        @if linked {
            a href=(Address::joined(&["batches", batch, "rows", &number]).to(lang)) { (words) }
        } @else {
            (words)
        }
    }
}

/// Release and day of the leads.
fn about(answer: &Value, lang: Lang) -> Markup {
    html! {
        (lang.pick("发布", "release")) " " (answer["release"].to_string()) " · "
        (lang.pick("观察日", "observed until")) " " (answer["observed_until"].as_str().unwrap_or_default())
    }
}

/// A state in words.
pub(super) fn state_name(state: &str, lang: Lang) -> &str {
    match state {
        "open" => lang.pick("待核查", "open"),
        "confirmed" => lang.pick("属实", "confirmed"),
        "dismissed" => lang.pick("排除", "dismissed"),
        other => other,
    }
}

/// What a kind measures in, in words.
pub(super) fn unit_name(measure: &str, lang: Lang) -> &str {
    match measure {
        "yuan" => lang.pick("元", "CNY"),
        "persons" => lang.pick("人", "persons"),
        "days" => lang.pick("天", "days"),
        "hours" => lang.pick("小时", "hours"),
        "ratio" => lang.pick("比例", "ratio"),
        "factor" => lang.pick("系数", "factor"),
        other => other,
    }
}
