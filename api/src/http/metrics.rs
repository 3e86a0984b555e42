//! `/metrics`: the catalogue, values, trends and the rows behind them.

use axum::extract::{Path, RawQuery, State};
use axum::http::HeaderMap;
use axum::response::Response;
use serde_json::{Value, json};

use super::answers::Ask;
use super::asked::{Asked, question};
use super::door::Caller;
use super::format::AnswerFormat;
use super::parameters::Parameters;
use super::state::{App, AppState};
use crate::problem::Problem;

/// `GET /metrics`
pub async fn list(
    State(app): State<AppState>,
    caller: Caller,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let mut parameters = Parameters::of(query.as_deref());
    let format = AnswerFormat::asked(&mut parameters, &headers)?;
    parameters.finish()?;
    app.describe(&catalogue(&app, &caller), format, &headers).await
}

/// `GET /metrics/{id}`
pub async fn value(
    State(app): State<AppState>,
    caller: Caller,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    answer(&app, &caller, id, Asked::Value, query, &headers).await
}

/// `GET /metrics/{id}/trend`
pub async fn trend(
    State(app): State<AppState>,
    caller: Caller,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    answer(&app, &caller, id, Asked::Trend, query, &headers).await
}

/// `GET /metrics/{id}/evidence`
pub async fn evidence(
    State(app): State<AppState>,
    caller: Caller,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    answer(&app, &caller, id, Asked::Evidence, query, &headers).await
}

async fn answer(
    app: &App,
    caller: &Caller,
    id: String,
    asked: Asked,
    query: Option<String>,
    headers: &HeaderMap,
) -> Result<Response, Problem> {
    let mut parameters = Parameters::of(query.as_deref());
    let question = question(id, asked, &mut parameters)?;
    let format = AnswerFormat::asked(&mut parameters, headers)?;
    parameters.finish()?;
    let granted = question.granted(&app.deployment, &caller.permission).await?;
    let release = std::sync::Arc::clone(granted.release());
    let ask = Ask { release: &release, request: granted.canonical(), caller };
    app.respond(&ask, format, headers, granted.answer()).await
}

/// The metrics that this caller may see, each with all that its file says.
fn catalogue(app: &App, caller: &Caller) -> Value {
    let published = &app.deployment.settings().public.metrics;
    let metrics = app.deployment.catalogue().metrics().iter();
    let seen = metrics.filter(|metric| caller.permission.sees_metric(&metric.id, published));
    json!({ "metrics": seen.map(crate::definition::of).collect::<Vec<_>>() })
}
