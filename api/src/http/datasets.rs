//! `/datasets`: the dictionary.

use axum::extract::{Path, RawQuery, State};
use axum::http::HeaderMap;
use axum::response::Response;

use super::answers::Ask;
use super::door::Caller;
use super::format::AnswerFormat;
use super::parameters::Parameters;
use super::state::AppState;
use crate::dictionary;
use crate::problem::Problem;

/// `GET /datasets`
pub async fn list(
    State(app): State<AppState>,
    caller: Caller,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let mut parameters = Parameters::of(query.as_deref());
    let format = AnswerFormat::asked(&mut parameters, &headers)?;
    parameters.finish()?;
    let release = app.deployment.release(Default::default()).await?;
    let ask = Ask { release: &release, request: "datasets".to_owned(), caller: &caller };
    app.respond(&ask, format, &headers, async { Ok(dictionary::list()) }).await
}

/// `GET /datasets/{name}`
pub async fn show(
    State(app): State<AppState>,
    caller: Caller,
    Path(name): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    Parameters::of(query.as_deref()).finish()?;
    let shown = dictionary::show(&name)?;
    let release = app.deployment.release(Default::default()).await?;
    let ask = Ask { release: &release, request: format!("datasets {name}"), caller: &caller };
    app.respond(&ask, AnswerFormat::Json, &headers, async { Ok(shown) }).await
}
