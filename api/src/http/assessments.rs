//! `/assessments`: the life of an assessment.

use std::collections::BTreeMap;
use std::sync::Arc;

use anze_queries::assessment::State as Kept;
use axum::extract::{Path, RawQuery, Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use chrono::Utc;
use serde::Deserialize;
use serde_json::{Value, json};

use super::answers::Ask;
use super::body;
use super::door::Caller;
use super::feeds::live;
use super::format::AnswerFormat;
use super::noting::handing_out;
use super::parameters::Parameters;
use super::state::{App, AppState};
use crate::assessment::{self, Handed, RunAsk};
use crate::problem::Problem;
use crate::release_choice::ReleaseChoice;

/// Rows of each indicator that an explanation shows, unless told otherwise.
const ROWS: usize = 2;
const XLSX: HeaderValue = HeaderValue::from_static("application/vnd.openxmlformats-officedocument.spreadsheetml.sheet");

/// `GET /assessments`
pub async fn list(
    State(app): State<AppState>,
    caller: Caller,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let mut parameters = Parameters::of(query.as_deref());
    let format = AnswerFormat::asked(&mut parameters, &headers)?;
    parameters.finish()?;
    let rows = assessment::list(&app.deployment, &caller.permission).await?;
    live(&app, format, json!({"assessments": rows})).await
}

/// `POST /assessments`: computes a scheme and keeps the draft.
pub async fn run(State(app): State<AppState>, caller: Caller, request: Request) -> Result<Response, Problem> {
    Parameters::of(request.uri().query()).finish()?;
    let ask: RunAsk = body::read(request).await?;
    let release = ask.release.map_or(ReleaseChoice::Latest, ReleaseChoice::Number);
    let (deployment, by) = (Arc::clone(&app.deployment), asked_by(&caller));
    let handed = app.engine.run_to_the_end(async move { assessment::run(&deployment, ask, release, by).await }).await?;
    let rows = handed.assessment.scores.subjects.len();
    let answer = handing_out(live(&app, AnswerFormat::Json, handed.json()).await?, rows);
    let place = HeaderValue::from_str(&format!("/api/v1/assessments/{}", handed.assessment.id));
    let place = place.map_err(|error| Problem::internal(&error))?;
    Ok((StatusCode::CREATED, [(header::LOCATION, place)], answer).into_response())
}

/// `GET /assessments/{id}`
pub async fn show(
    State(app): State<AppState>,
    caller: Caller,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let mut parameters = Parameters::of(query.as_deref());
    let format = AnswerFormat::asked(&mut parameters, &headers)?;
    parameters.finish()?;
    let handed = assessment::handed(&app.deployment, &id, &caller.permission).await?;
    respond(&app, &caller, handed, "scores", format, &headers, |handed, _| async move { Ok(handed.json()) }).await
}

/// `GET /assessments/{id}/subjects/{code}`: from the total down to landed lines.
pub async fn subject(
    State(app): State<AppState>,
    caller: Caller,
    Path((id, code)): Path<(String, String)>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let mut parameters = Parameters::of(query.as_deref());
    let only = parameters.one("indicator")?;
    let rows = parameters.parsed::<usize>("rows")?.unwrap_or(ROWS);
    let format = AnswerFormat::asked(&mut parameters, &headers)?;
    parameters.finish()?;
    let handed = assessment::handed(&app.deployment, &id, &caller.permission).await?;
    handed.subject(&code)?;
    let permission = caller.permission.clone();
    let about = json!(["subject", code, only, rows]).to_string();
    respond(&app, &caller, handed, &about, format, &headers, |handed, deployment| async move {
        let explained = assessment::explain(&deployment, &handed, &code, only.as_deref(), rows, &permission).await?;
        Ok(explained.json)
    })
    .await
}

/// `GET /assessments/{id}/difference/{before}`: what moved since another one, and why.
pub async fn difference(
    State(app): State<AppState>,
    caller: Caller,
    Path((id, before)): Path<(String, String)>,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    Parameters::of(query.as_deref()).finish()?;
    if !caller.permission.sees_every_subject() {
        let detail = "只有可见全部对象者可比较 / two assessments are compared by those who see every subject";
        return Err(Problem::forbidden("outside_scope", detail));
    }
    let book = app.deployment.book();
    let moved = app
        .engine
        .run_to_the_end(async move { book.difference(&before, &id).await.map_err(assessment::no_such) })
        .await?;
    let rows = moved.rows();
    Ok(handing_out(live(&app, AnswerFormat::Json, json!(moved)).await?, rows))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WhatIf {
    weights: BTreeMap<String, serde_json::Number>,
}

/// `POST /assessments/{id}/what-if`: the scores under other weights; nothing is kept.
pub async fn what_if(
    State(app): State<AppState>,
    caller: Caller,
    Path(id): Path<String>,
    request: Request,
) -> Result<Response, Problem> {
    Parameters::of(request.uri().query()).finish()?;
    let asked: WhatIf = body::read(request).await?;
    let weights = asked.weights.into_iter().map(|(metric, weight)| (metric, weight.to_string())).collect();
    let handed = assessment::handed(&app.deployment, &id, &caller.permission).await?;
    let scores = assessment::under_weights(&app.deployment, &handed, &weights, &caller.permission)?;
    let rows = assessment::before_and_after(&handed, &scores);
    let answer = json!({"assessment_id": id, "indicators": scores.indicators, "rows": rows});
    live(&app, AnswerFormat::Json, answer).await
}

/// `POST /assessments/{id}/freeze`
pub async fn freeze(
    State(app): State<AppState>,
    caller: Caller,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    Parameters::of(query.as_deref()).finish()?;
    let (deployment, by, writes) = (Arc::clone(&app.deployment), asked_by(&caller), app.desk.writes());
    let handed =
        app.engine.run_to_the_end(async move { assessment::freeze_here(&deployment, &id, &by, writes).await }).await?;
    live(&app, AnswerFormat::Json, Value::Object(handed.header())).await
}

/// `POST /assessments/{id}/verify`
pub async fn verify(
    State(app): State<AppState>,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    Parameters::of(query.as_deref()).finish()?;
    let book = app.deployment.book();
    let found = app.engine.run_to_the_end(async move { book.verify(&id).await.map_err(assessment::no_such) }).await?;
    live(&app, AnswerFormat::Json, json!(found)).await
}

/// `POST /assessments/{id}/drop`: gives a draft up.
pub async fn drop_draft(
    State(app): State<AppState>,
    caller: Caller,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    Parameters::of(query.as_deref()).finish()?;
    let by = asked_by(&caller);
    app.deployment.book().drop_draft(&id, &by, Utc::now()).await.map_err(assessment::no_such)?;
    live(&app, AnswerFormat::Json, json!({"assessment_id": id, "state": "dropped"})).await
}

/// `GET /assessments/{id}/export`: the workbook.
pub async fn export(
    State(app): State<AppState>,
    caller: Caller,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let mut parameters = Parameters::of(query.as_deref());
    match parameters.one("format")?.as_deref() {
        None | Some("xlsx") => {}
        Some(other) => {
            let detail = format!("`format`: an assessment is exported as xlsx, not as `{other}`");
            return Err(Problem::bad_request("bad_parameter", detail));
        }
    }
    parameters.finish()?;
    let handed = assessment::handed(&app.deployment, &id, &caller.permission).await?;
    let release = app.deployment.book().release(&handed.assessment).await?;
    let mut headers = app.headers(&release).await?;
    let deployment = Arc::clone(&app.deployment);
    let exported = app.engine.run_to_the_end(async move { assessment::workbook(&deployment, &handed).await }).await?;
    headers.insert(header::CONTENT_TYPE, XLSX);
    let name = HeaderValue::from_str(&format!("attachment; filename=\"{id}.xlsx\""));
    headers.insert(header::CONTENT_DISPOSITION, name.map_err(|error| Problem::internal(&error))?);
    Ok(handing_out((headers, exported.bytes).into_response(), exported.rows))
}

/// An answer about an assessment: named after its release; the same until it is frozen.
async fn respond<F>(
    app: &App,
    caller: &Caller,
    handed: Handed,
    about: &str,
    format: AnswerFormat,
    headers: &HeaderMap,
    compute: impl FnOnce(Handed, Arc<crate::deployment::Deployment>) -> F,
) -> Result<Response, Problem>
where
    F: Future<Output = Result<Value, Problem>> + Send + 'static,
{
    let release = app.deployment.book().release(&handed.assessment).await?;
    let one = &handed.assessment;
    let state = if one.state == Kept::Frozen { handed.sha256.clone() } else { Some(one.created_at.to_rfc3339()) };
    let request = json!(["assessment", one.id, state, about]).to_string();
    let ask = Ask { release: &release, request, caller };
    app.respond(&ask, format, headers, compute(handed, Arc::clone(&app.deployment))).await
}

fn asked_by(caller: &Caller) -> String {
    caller.token_id.clone().unwrap_or_else(|| "operator".to_owned())
}
