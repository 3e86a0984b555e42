//! Assessments: the list, the scores of one, and one subject down to its landed lines. Made to be printed.

use axum::extract::{Path, RawQuery, State};
use axum::response::{Html, IntoResponse, Response};
use maud::{Markup, html};
use serde_json::{Value, json};

use super::standing::{minute, standing as head};
use super::{Address, Frame, Lang, figure};
use crate::assessment::{self, Handed};
use crate::http::{AppState, Caller, Parameters, handing_out};
use crate::permission::Access;
use crate::problem::Problem;

/// Rows of each indicator on the page of a subject.
const ROWS: usize = 3;

/// `GET /assessments`
pub async fn list(State(app): State<AppState>, caller: Caller, RawQuery(query): RawQuery) -> Result<Response, Problem> {
    let (lang, parameters) = language(query.as_deref())?;
    parameters.finish()?;
    let rows = assessment::list(&app.deployment, &caller.permission).await?;
    let title = lang.pick("目标责任考核", "Assessments");
    let text = |row: &serde_json::Map<String, Value>, name: &str| {
        row.get(name).and_then(crate::output::shown).unwrap_or_else(|| "—".to_owned())
    };
    let main = html! {
        h1 { (title) }
        @if rows.is_empty() {
            p.empty { (lang.pick("尚无可查看的考核。", "There is no assessment that you may see.")) }
        } @else {
            div.wide { table {
                thead { tr {
                    th { (lang.pick("考核", "Assessment")) }
                    th { (lang.pick("考核期", "Period")) }
                    th { (lang.pick("状态", "State")) }
                    th.number { (lang.pick("数据发布", "Release")) }
                    th { (lang.pick("计算时间", "Computed")) }
                    th { (lang.pick("更正", "Corrects")) }
                } }
                tbody { @for row in &rows { tr {
                    th scope="row" {
                        a href=(Address::joined(&["assessments", &text(row, "assessment_id")]).to(lang)) { (text(row, "title")) }
                        br; small { (text(row, "assessment_id")) }
                    }
                    td { (text(row, "period")) }
                    td { (state(&text(row, "state"), lang)) }
                    td.number { (text(row, "release")) }
                    td.moment { (minute(&text(row, "created_at"))) }
                    td { (text(row, "succeeds")) }
                } } }
            } }
        }
    };
    let here = Address::here("/assessments", query.as_deref());
    page(&app, lang, title, &here, &main).await
}

/// `GET /assessments/{id}`
pub async fn show(
    State(app): State<AppState>,
    caller: Caller,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let (lang, parameters) = language(query.as_deref())?;
    parameters.finish()?;
    let handed = assessment::handed(&app.deployment, &id, &caller.permission).await?;
    let one = &handed.assessment;
    let main = html! {
        h1 { (one.title) }
        p.meaning { (about(&handed, lang)) }
        (seal(&handed, lang))
        (scores(&handed, lang))
        p.out {
            a href=(format!("/api/v1/assessments/{id}/export")) { (lang.pick("下载工作簿（xlsx）", "Download the workbook (xlsx)")) }
            " · "
            a href=(Address::of("/assessments").to(lang)) { (lang.pick("全部考核", "All assessments")) }
        }
    };
    let here = Address::here(&format!("/assessments/{id}"), query.as_deref());
    let subjects = one.scores.subjects.len();
    Ok(handing_out(page(&app, lang, &one.title, &here, &main).await?, subjects))
}

/// `GET /assessments/{id}/subjects/{code}`
pub async fn subject(
    State(app): State<AppState>,
    caller: Caller,
    Path((id, code)): Path<(String, String)>,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let (lang, parameters) = language(query.as_deref())?;
    parameters.finish()?;
    let handed = assessment::handed(&app.deployment, &id, &caller.permission).await?;
    let (deployment, permission) = (std::sync::Arc::clone(&app.deployment), caller.permission.clone());
    let explained = {
        let (handed, code) = (handed.clone(), code.clone());
        let work = async move { assessment::explain(&deployment, &handed, &code, None, ROWS, &permission).await };
        app.engine.run(work).await?
    };
    let rows = explained.rows();
    let explained = explained.json;
    let subject = handed.subject(&code)?;
    let may_see_lines = caller.permission.may(Access::LandedLines).is_ok();
    let main = html! {
        h1 { (subject.name) " · " (handed.assessment.title) }
        p.meaning { (about(&handed, lang)) }
        p.headline {
            span.of { (lang.pick("总分", "Total")) }
            span.figure { (shown(&json!(subject.total))) }
            span.made {
                (lang.pick("名次", "Rank")) " " (shown(&json!(subject.rank))) " / " (shown(&explained["of"]))
                " · " (lang.pick("等次", "Grade")) " " (subject.grade.as_deref().unwrap_or("—"))
            }
        }
        @for indicator in explained["indicators"].as_array().into_iter().flatten() {
            (indicator_section(indicator, may_see_lines, lang))
        }
        p.out { a href=(Address::joined(&["assessments", &id]).to(lang)) { (lang.pick("回到考核", "To the assessment")) } }
    };
    let here = Address::here(&format!("/assessments/{id}/subjects/{code}"), query.as_deref());
    Ok(handing_out(page(&app, lang, &subject.name, &here, &main).await?, rows))
}

async fn page(app: &AppState, lang: Lang, title: &str, here: &Address, main: &Markup) -> Result<Response, Problem> {
    let standing = head(app, lang).await?;
    Ok(Html(Frame { lang, title, here, standing }.around(main).into_string()).into_response())
}

fn language(query: Option<&str>) -> Result<(Lang, Parameters), Problem> {
    let mut parameters = Parameters::of(query);
    let lang = Lang::of(&parameters);
    parameters.one("lang")?;
    Ok((lang, parameters))
}

/// What the assessment is about, and what it rests on.
fn about(handed: &Handed, lang: Lang) -> Markup {
    let one = &handed.assessment;
    html! {
        (lang.pick("考核期", "Period")) " " (one.period.name) "（" (one.period.from) " – " (one.period.last_day()) "） · "
        (lang.pick("方案", "scheme")) " " (one.scheme.id) " v" (one.scheme.version) " · "
        (lang.pick("数据发布", "release")) " " (one.release.release) "（" (lang.pick("截至", "to")) " " (one.release.day) "） · "
        (state(one.state.name(), lang))
        @if one.period.partial { " · " (lang.pick("考核期未满", "the period is not over")) }
    }
}

fn seal(handed: &Handed, lang: Lang) -> Markup {
    let one = &handed.assessment;
    html! {
        @if let (Some(sha256), Some(number)) = (&handed.sha256, one.number) {
            p.notice.good {
                (lang.pick("已冻结，冻结序号", "Frozen, number")) " " (number) " · SHA-256 " code { (sha256) }
            }
        } @else {
            p.notice { (lang.pick("草稿：尚未冻结，不作为考核结果。", "A draft: not frozen, and no result yet.")) }
        }
        @if let Some(succession) = &one.succeeds {
            p.notice { (lang.pick("更正", "Corrects")) " " (succession.id) " · " (succession.moved.len()) " " (lang.pick("个对象有变化", "subjects moved")) }
        }
    }
}

fn scores(handed: &Handed, lang: Lang) -> Markup {
    let one = &handed.assessment;
    html! {
        div.wide role="region" tabindex="0" aria-label=(lang.pick("得分", "Scores")) {
            table {
                caption { (lang.pick("各指标下为得分；“—”为不适用，其权重由其他指标按比例分担", "points of each indicator; — is not applicable, its weight shared among the others in proportion")) }
                thead { tr {
                    th.number scope="col" { (lang.pick("名次", "Rank")) }
                    th scope="col" { (lang.pick("考核对象", "Subject")) }
                    th.number scope="col" { (lang.pick("总分", "Total")) }
                    th scope="col" { (lang.pick("等次", "Grade")) }
                    @for used in &one.scores.indicators {
                        th.number scope="col" { (lang.pick(&used.title, &used.title_en)) br; small { (used.weight) } }
                    }
                } }
                tbody { @for subject in &one.scores.subjects { tr {
                    td.number { (shown(&json!(subject.rank))) }
                    th scope="row" lang="zh-CN" {
                        a href=(Address::joined(&["assessments", &one.id, "subjects", &subject.code]).to(lang)) { (subject.name) }
                        @if subject.is_provisional() { " " small { (lang.pick("暂定", "provisional")) } }
                    }
                    td.number { (shown(&json!(subject.total))) }
                    td lang="zh-CN" { (subject.grade.as_deref().unwrap_or("—")) @if !subject.capped.is_empty() { " *" } }
                    @for indicator in &subject.indicators { td.number { (shown(&json!(indicator.points))) } }
                } } }
            }
        }
        @for subject in one.scores.subjects.iter().filter(|subject| !subject.capped.is_empty()) {
            @for capped in &subject.capped {
                p { "* " (subject.name) "：" (capped.lead) " × " (capped.confirmed) " → " (capped.cap_grade) " (" (lang.pick("按分数为", "by points")) " " (capped.by_points) ")" }
            }
        }
    }
}

fn indicator_section(indicator: &Value, may_see_lines: bool, lang: Lang) -> Markup {
    let text =
        |value: &Value, name: &str| value.get(name).and_then(crate::output::shown).unwrap_or_else(|| "—".to_owned());
    let rows = indicator["rows"].as_array().map(Vec::as_slice).unwrap_or_default();
    html! {
        h2 { (text(indicator, "title")) " " small { (text(indicator, "metric")) } }
        p.meaning { (text(indicator, "formula")) }
        @if !rows.is_empty() {
            div.wide { table {
                caption { (lang.pick("缺口前几行，共", "the first rows of the gap, of")) " " (text(&indicator["cases"], "gap")) }
                thead { tr {
                    th { (lang.pick("记录", "Record")) }
                    th.number { (lang.pick("计入分子", "Numerator")) }
                    th.number { (lang.pick("计入分母", "Denominator")) }
                    th { (lang.pick("原始报送行", "Delivered line")) }
                } }
                tbody { @for row in rows { tr {
                    th scope="row" { small { (text(row, "dataset")) } " " (text(row, "key")) }
                    td.number { (figure::exact(row.get("numerator"))) }
                    td.number { (figure::exact(row.get("denominator"))) }
                    td { (line(row, may_see_lines, lang)) }
                } } }
            } }
        }
    }
}

fn line(row: &Value, may_see_lines: bool, lang: Lang) -> Markup {
    let landed = &row["landed"];
    let (Some(batch), Some(number)) = (row["batch_id"].as_str(), row["row_no"].as_u64()) else {
        return html! { "—" };
    };
    let number = number.to_string();
    html! {
        @if may_see_lines {
            a href=(Address::joined(&["batches", batch, "rows", &number]).to(lang)) { (lang.pick("第", "line")) " " (number) " " (lang.pick("行", "")) }
        } @else {
            (lang.pick("第", "line")) " " (number) " " (lang.pick("行", ""))
        }
        " · " (landed["object"].as_str().unwrap_or("—")) br;
        small { "SHA-256 " code { (landed["sha256"].as_str().unwrap_or("—")) } }
        @if let Some(text) = landed["line"].as_str() { pre.raw { (text) } }
    }
}

fn state(name: &str, lang: Lang) -> &'static str {
    match name {
        "frozen" => lang.pick("已冻结", "frozen"),
        _ => lang.pick("草稿", "draft"),
    }
}

fn shown(value: &Value) -> String {
    crate::output::shown(value).unwrap_or_else(|| "—".to_owned())
}
