//! A record: all its versions side by side, what changed marked, each leading to its landed line.

use std::sync::Arc;

use axum::extract::{Path, RawQuery, State};
use axum::response::{Html, IntoResponse, Response};
use maud::{Markup, html};

use super::standing::{moment, standing, zone};
use super::{Address, Frame, Lang};
use crate::http::{AppState, Caller, Parameters, handing_out};
use crate::output::shown;
use crate::permission::Access;
use crate::problem::Problem;
use crate::record::{self, RecordKey, Version};
use crate::release_choice::ReleaseChoice;
use crate::rows::text;

/// `GET /records/{dataset}/{key}`
pub async fn show(
    State(app): State<AppState>,
    caller: Caller,
    Path((dataset, key)): Path<(String, String)>,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let mut parameters = Parameters::of(query.as_deref());
    let lang = Lang::of(&parameters);
    parameters.one("lang")?;
    parameters.finish()?;
    let contract = record::dataset(&dataset)?;
    let parsed = RecordKey::parse(&key, contract);
    let release = app.deployment.release(ReleaseChoice::Latest).await?;
    let (limits, permission, of) = (app.deployment.limits(), caller.permission.clone(), Arc::clone(&release));
    let look = async move { record::versions(&of, &limits, contract, &parsed, &permission).await };
    let found = app.engine.run(look).await?;
    if found.versions.is_empty() {
        return Err(Problem::not_found("no_such_record", format!("no record of {dataset} has the key {key}")));
    }
    let lines = caller.permission.may(Access::LandedLines).is_ok();
    let title = format!("{} {key}", lang.pick(&contract.title, &contract.title_en));
    let main = html! {
        h1 { (title) }
        p.meaning {
            (lang.pick(&contract.description, &contract.description_en))
        }
        div.wide role="region" tabindex="0" aria-label=(lang.pick("各版本", "Versions")) {
            table.versions {
                caption {
                    (found.versions.len()) " " (lang.pick("个版本，由旧到新", "versions, oldest first"))
                    @if found.cut { (lang.pick("（仅显示前 1000 个）", " (the first 1000 are shown)")) }
                    " · " (lang.pick("标色处与前一版本不同", "what differs from the version before is marked"))
                    " · " (zone(lang)) " · " (lang.pick("发布", "release")) " " (release.number())
                }
                thead {
                    tr {
                        th scope="col" { (lang.pick("字段", "Column")) }
                        @for version in &found.versions { th scope="col" { (state_name(&version.state, lang)) } }
                    }
                }
                tbody {
                    tr {
                        th scope="row" { (lang.pick("报送行", "Delivered line")) }
                        @for version in &found.versions { td { (line(version, lines, lang)) } }
                    }
                    tr {
                        th scope="row" { (lang.pick("报送源", "Feed")) }
                        @for version in &found.versions { td { (text(&version.lineage, "feed_id").unwrap_or("—")) } }
                    }
                    tr {
                        th scope="row" { (lang.pick("到达", "Landed")) }
                        @for version in &found.versions { td.moment { (moment(text(&version.lineage, "landed_at").unwrap_or("—"))) } }
                    }
                    tr.end {
                        th scope="row" { (lang.pick("来源时间", "Source's clock")) }
                        @for version in &found.versions { td.moment { (moment(text(&version.lineage, "source_updated_at").unwrap_or("—"))) } }
                    }
                    @for column in &contract.columns {
                        @if found.versions.iter().any(|version| !version.values.get(&column.name).is_none_or(serde_json::Value::is_null)) {
                            tr {
                                th scope="row" { (lang.pick(&column.title, &column.title_en)) " " small { (column.name) } }
                                @for (index, version) in found.versions.iter().enumerate() {
                                    (value(&column.name, version, before(&found.versions, index, &contract.key)))
                                }
                            }
                        }
                    }
                }
            }
        }
        p.out { a href=(Address::of("/").to(lang)) { (lang.pick("回到首页", "To the first page")) } }
    };
    let here = Address::joined(&["records", &dataset, &key]);
    let standing = standing(&app, lang).await?;
    let page = Frame { lang, title: &title, here: &here, standing }.around(&main);
    Ok(handing_out(Html(page.into_string()).into_response(), found.versions.len()))
}

/// The version before one, of the same record.
fn before<'a>(versions: &'a [Version], index: usize, key: &[String]) -> Option<&'a Version> {
    let before = versions.get(index.checked_sub(1)?)?;
    let own = versions.get(index)?;
    key.iter().all(|part| before.values.get(part) == own.values.get(part)).then_some(before)
}

/// A value, marked where it differs from the version before.
fn value(column: &str, version: &Version, before: Option<&Version>) -> Markup {
    let own = version.values.get(column);
    let shown = own.and_then(shown).map_or_else(|| "—".to_owned(), |shown| moment(&shown));
    let changed = before.is_some_and(|before| before.values.get(column) != own);
    html! {
        @if changed { td { mark { (shown) } } } @else { td { (shown) } }
    }
}

fn line(version: &Version, linked: bool, lang: Lang) -> Markup {
    let Some((batch, number)) = version.landed_line() else { return html! { "—" } };
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

/// What became of a version, in words.
pub(super) fn state_name(state: &str, lang: Lang) -> &str {
    match state {
        "current" => lang.pick("现行", "current"),
        "replaced" => lang.pick("已被更新", "replaced"),
        "superseded" => lang.pick("到达时已过时", "superseded on arrival"),
        "deleted" => lang.pick("已删除", "deleted"),
        other => other,
    }
}
