//! The rows behind a cell: who or what is missing, each with its record and its landed line.

use std::sync::Arc;

use axum::extract::{Path, RawQuery, State};
use axum::response::{Html, IntoResponse, Response};
use maud::{Markup, html};
use serde_json::{Map, Value};

use super::answer::standing;
use super::standing::standing as head;
use super::{Address, Frame, Lang, figure};
use crate::http::{AppState, Ask, Asked, Caller, Parameters, handing_out, question};
use crate::permission::Access;
use crate::problem::Problem;

/// `GET /metrics/{id}/gap`
pub async fn show(
    State(app): State<AppState>,
    caller: Caller,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let mut parameters = Parameters::of(query.as_deref());
    let lang = Lang::of(&parameters);
    parameters.one("lang")?;
    let side = parameters.clone().one("side")?.unwrap_or_else(|| "gap".to_owned());
    let question = question(id.clone(), Asked::Evidence, &mut parameters)?;
    parameters.finish()?;
    let granted = question.granted(&app.deployment, &caller.permission).await?;
    let release = Arc::clone(granted.release());
    let ask = Ask { release: &release, request: granted.canonical(), caller: &caller };
    let answer = app.answer(&ask, granted.answer()).await?;
    let answer = answer.value.as_object().ok_or_else(|| Problem::internal(&"a page of evidence is no object"))?;
    let metric = app.deployment.catalogue().metric(&id);
    let title = metric.map_or(id.as_str(), |metric| lang.pick(&metric.title, &metric.title_en));
    let heading = format!("{title} · {}", side_name(&side, lang));
    let here = Address::here(&format!("/metrics/{id}/gap"), query.as_deref());
    let may_see_lines = caller.permission.may(Access::LandedLines).is_ok();
    let may_see_records = caller.permission.may(Access::Rows).is_ok();
    let main = html! {
        h1 { (heading) }
        @if let Some(metric) = metric {
            p.meaning { (lang.pick(&metric.definition, &metric.definition_en)) }
        }
        p.sides {
            @for other in ["gap", "numerator", "denominator"] {
                @if other == side {
                    strong { (side_name(other, lang)) } " "
                } @else {
                    a href=(here.clone().without("cursor").replacing("side", other).to(lang)) { (side_name(other, lang)) } " "
                }
            }
        }
        (table(answer, may_see_records, may_see_lines, lang))
        @if let Some(next) = answer.get("next").and_then(Value::as_str) {
            p.next { a rel="next" href=(here.clone().replacing("cursor", next).to(lang)) { (lang.pick("下一页", "Next page")) " →" } }
        }
        p.out { a href=(Address::of("/").to(lang)) { (lang.pick("回到首页", "To the first page")) } }
    };
    let head = head(&app, lang).await?;
    let page = Frame { lang, title: &heading, here: &here, standing: head }.around(&main);
    let rows = answer.get("rows").and_then(Value::as_array).map_or(0, Vec::len);
    Ok(handing_out(Html(page.into_string()).into_response(), rows))
}

fn table(page: &Map<String, Value>, may_see_records: bool, may_see_lines: bool, lang: Lang) -> Markup {
    let rows: Vec<&Map<String, Value>> =
        page.get("rows").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_object).collect();
    let of_every_row = ["dataset", "key", "batch_id", "row_no", "numerator", "denominator", "share", "days", "event"];
    let dimensions: Vec<&String> = rows
        .first()
        .into_iter()
        .flat_map(|row| row.keys())
        .filter(|name| !of_every_row.contains(&name.as_str()))
        // A code whose name stands beside it says no more to people.
        .filter(|name| !rows.iter().any(|row| row.contains_key(&format!("{name}_name"))))
        .collect();
    if rows.is_empty() {
        return html! { p.empty { (lang.pick("没有这样的记录。", "There are no such rows.")) } };
    }
    html! {
        div.wide role="region" tabindex="0" aria-label=(lang.pick("明细", "Rows")) {
            table {
                caption {
                    (lang.pick("每行为其所占份额，合计等于指标的分子与分母", "each row's share; they add up to the metric's numerator and denominator"))
                    " · " (standing(page, lang))
                }
                thead { tr {
                    th scope="col" { (lang.pick("记录", "Record")) }
                    @for name in &dimensions { th scope="col" { (dimension_title(name, lang)) } }
                    th.number scope="col" { (lang.pick("计入分子", "Numerator")) }
                    th.number scope="col" { (lang.pick("计入分母", "Denominator")) }
                    th scope="col" { (lang.pick("原始报送行", "Delivered line")) }
                } }
                tbody {
                    @for row in &rows {
                        tr {
                            th scope="row" { (record(row, may_see_records, lang)) }
                            @for name in &dimensions { td lang="zh-CN" { (row.get(name.as_str()).and_then(Value::as_str).unwrap_or("—")) } }
                            td.number { (figure::exact(row.get("numerator"))) }
                            td.number { (figure::exact(row.get("denominator"))) }
                            td { (line(row, may_see_lines, lang)) }
                        }
                    }
                }
            }
        }
    }
}

fn record(row: &Map<String, Value>, linked: bool, lang: Lang) -> Markup {
    let text = |name: &str| row.get(name).and_then(Value::as_str);
    let (Some(dataset), Some(key)) = (text("dataset"), text("key")) else { return html! { "—" } };
    html! {
        small { (dataset) } " "
        @if linked {
            a href=(Address::joined(&["records", dataset, key]).to(lang)) { (key) }
        } @else {
            (key)
        }
    }
}

fn line(row: &Map<String, Value>, linked: bool, lang: Lang) -> Markup {
    let batch = row.get("batch_id").and_then(Value::as_str);
    let number = row.get("row_no").filter(|number| !number.is_null());
    let (Some(batch), Some(number)) = (batch, number) else { return html! { "—" } };
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

fn side_name(side: &str, lang: Lang) -> &str {
    match side {
        "gap" => lang.pick("缺口清单", "the gap"),
        "numerator" => lang.pick("计入分子", "numerator"),
        "denominator" => lang.pick("计入分母", "denominator"),
        other => other,
    }
}

fn dimension_title(name: &str, lang: Lang) -> String {
    let dimension = name.strip_suffix("_name").unwrap_or(name);
    match anze_queries::Dimension::parse(dimension) {
        Some(dimension) => lang.pick(dimension.title(), dimension.title_en()).to_owned(),
        None => name.to_owned(),
    }
}
