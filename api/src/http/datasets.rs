//! `/datasets`: the dictionary.

use axum::extract::{Path, RawQuery, State};
use axum::http::HeaderMap;
use axum::response::Response;

use super::format::AnswerFormat;
use super::parameters::Parameters;
use super::state::AppState;
use crate::dictionary;
use crate::problem::Problem;

/// `GET /datasets`
pub async fn list(
    State(app): State<AppState>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let mut parameters = Parameters::of(query.as_deref());
    let format = AnswerFormat::asked(&mut parameters, &headers)?;
    parameters.finish()?;
    app.describe(&dictionary::list(), format, &headers).await
}

/// `GET /datasets/{name}`
pub async fn show(
    State(app): State<AppState>,
    Path(name): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    Parameters::of(query.as_deref()).finish()?;
    app.describe(&dictionary::show(&name)?, AnswerFormat::Json, &headers).await
}
