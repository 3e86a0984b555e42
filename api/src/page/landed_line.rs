//! A landed line: the text as it was delivered, how it was read, what became of it, and the file's hash.

use std::sync::Arc;

use axum::extract::{Path, RawQuery, State};
use axum::response::{Html, IntoResponse, Response};
use maud::{Markup, html};

use super::record::state_name;
use super::standing::{moment, standing, zone};
use super::{Address, Frame, Lang, figure};
use crate::http::{AppState, Caller, Parameters, handing_out};
use crate::landed::{self, LandedLine, Outcome};
use crate::output::shown;
use crate::problem::Problem;
use crate::release_choice::ReleaseChoice;
use crate::rows::text;

/// `GET /batches/{id}/rows/{n}`
pub async fn show(
    State(app): State<AppState>,
    caller: Caller,
    Path((batch, row)): Path<(String, String)>,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let mut parameters = Parameters::of(query.as_deref());
    let lang = Lang::of(&parameters);
    parameters.one("lang")?;
    parameters.finish()?;
    let number = landed::row_no(&row)?;
    let release = app.deployment.release(ReleaseChoice::Latest).await?;
    let (deployment, permission, id) = (Arc::clone(&app.deployment), caller.permission.clone(), batch.clone());
    let find = async move { landed::line(&deployment, &release, &id, number, &permission).await };
    let line = app.engine.run(find).await?;
    let title = lang.pick("原始报送行", "Delivered line").to_owned() + " " + &row;
    let main = html! {
        h1 { (title) }
        (outcome(&line, lang))
        h2 { (lang.pick("原文", "As delivered")) }
        @if !line.header.is_empty() {
            pre.header tabindex="0" { (line.header) }
        }
        @match &line.text {
            Some(text) => pre.raw tabindex="0" { (text) },
            None => p.empty { (lang.pick("该行含敏感字段，您的角色不能查看原文。", "This line holds sensitive values that your role may not see.")) },
        }
        @if line.bytes.is_some() {
            p {
                a href=(format!("/api/v1/batches/{batch}/rows/{number}?format=raw")) download { (lang.pick("下载原始字节", "Download the exact bytes")) }
            }
        }
        h2 { (lang.pick("文件", "File")) }
        (file(&line, lang))
        h2 { (lang.pick("解读", "As read")) }
        (decoded(&line, lang))
        p.out { a href=(Address::of("/").to(lang)) { (lang.pick("回到首页", "To the first page")) } }
    };
    let here = Address::joined(&["batches", &batch, "rows", &row]);
    let standing = standing(&app, lang).await?;
    let page = Frame { lang, title: &title, here: &here, standing }.around(&main);
    Ok(handing_out(Html(page.into_string()).into_response(), 1))
}

fn outcome(line: &LandedLine, lang: Lang) -> Markup {
    let dataset = text(&line.batch, "dataset").unwrap_or_default();
    let good = matches!(line.outcome, Outcome::Version { .. } | Outcome::Unchanged);
    html! {
        p.notice.good[good] {
            @match &line.outcome {
                Outcome::Version { state, key } => {
                    (lang.pick("已入库，版本状态：", "Accepted; the version is: ")) strong { (state_name(state, lang)) } " · "
                    a href=(Address::joined(&["records", dataset, key]).to(lang)) { (dataset) " " (key) }
                },
                Outcome::Held { message_zh, message_en, .. } => {
                    strong { (lang.pick("已暂扣：", "Held: ")) } (lang.pick(message_zh, message_en))
                },
                Outcome::Unchanged => {
                    (lang.pick("内容与现行版本相同，未产生新版本。", "It said the same as the current version; no new version was made."))
                },
                Outcome::BatchHeld { reason } => {
                    strong { (lang.pick("整批暂扣：", "The whole batch is held: ")) } (reason)
                },
            }
        }
    }
}

fn file(line: &LandedLine, lang: Lang) -> Markup {
    let of = |name: &str| line.batch.get(name).and_then(shown).unwrap_or_else(|| "—".to_owned());
    html! {
        dl {
            dt { (lang.pick("报送源", "Feed")) } dd { (of("feed_id")) }
            dt { (lang.pick("报送方", "Reporter")) } dd { (of("reporter")) }
            dt { (lang.pick("来源对象", "Object")) } dd { code { (of("object")) } }
            dt { (lang.pick("到达时间", "Landed")) } dd { (moment(&of("landed_at"))) " " small { (zone(lang)) } }
            dt { (lang.pick("批次", "Batch")) } dd { code { (of("batch_id")) } }
            dt { (lang.pick("行号", "Record")) } dd { (figure::plain(line.row_no as f64)) " / " (figure::exact(line.batch.get("rows_read"))) }
            dt { (lang.pick("文件内偏移（字节）", "Offset in the file (bytes)")) } dd { @match line.offset { Some(offset) => (figure::plain(offset as f64)), None => "—" } }
            dt { (lang.pick("文件 SHA-256", "SHA-256 of the file")) } dd { code { (of("sha256")) } }
            dt { (lang.pick("落地路径", "Landed path")) } dd { code { (of("landed_path")) } }
        }
    }
}

fn decoded(line: &LandedLine, lang: Lang) -> Markup {
    if let Some((zh, en)) = &line.decoded.rejected {
        return html! { p.empty { (lang.pick(zh, en)) } };
    }
    html! {
        div.wide role="region" tabindex="0" aria-label=(lang.pick("解读", "As read")) {
            table {
                caption { (lang.pick("按报送源现行配置重新解读", "read again as the feed is configured now")) " · " (zone(lang)) }
                thead { tr {
                    th scope="col" { (lang.pick("字段", "Column")) }
                    th scope="col" { (lang.pick("值", "Value")) }
                    th scope="col" { (lang.pick("问题", "What is wrong")) }
                } }
                tbody {
                    @for column in &line.decoded.columns {
                        tr {
                            th scope="row" { (lang.pick(&column.title, &column.title_en)) " " small { (column.name) } }
                            td { (shown(&column.value).map_or_else(|| "—".to_owned(), |value| moment(&value))) }
                            td { @if let Some((zh, en)) = &column.failure { (lang.pick(zh, en)) } }
                        }
                    }
                }
            }
        }
    }
}
