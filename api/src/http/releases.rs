//! `/releases`: what is published.

use std::sync::Arc;

use axum::extract::{Path, RawQuery, State};
use axum::http::HeaderMap;
use axum::response::Response;
use serde_json::json;

use super::answers::Ask;
use super::door::Caller;
use super::format::AnswerFormat;
use super::parameters::Parameters;
use super::state::AppState;
use crate::permission::Access;
use crate::problem::Problem;
use crate::published;
use crate::release_choice::ReleaseChoice;

/// `GET /releases`
pub async fn list(
    State(app): State<AppState>,
    caller: Caller,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let mut parameters = Parameters::of(query.as_deref());
    let format = AnswerFormat::asked(&mut parameters, &headers)?;
    parameters.finish()?;
    let release = app.deployment.release(ReleaseChoice::Latest).await?;
    let (limits, of) = (app.deployment.limits(), Arc::clone(&release));
    let compute = async move { Ok(json!({ "releases": published::list(&of, &limits).await? })) };
    let ask = Ask { release: &release, request: "releases".to_owned(), caller: &caller };
    app.respond(&ask, format, &headers, compute).await
}

/// `GET /releases/{n}`
pub async fn show(
    State(app): State<AppState>,
    caller: Caller,
    Path(number): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    Parameters::of(query.as_deref()).finish()?;
    let number = number
        .parse()
        .map_err(|_| Problem::not_found("no_such_release", format!("`{number}` is no release number")))?;
    let release = app.deployment.release(ReleaseChoice::Number(number)).await?;
    let mut shown = published::show(&release);
    if let Some(shown) = shown.as_object_mut()
        && caller.permission.may(Access::Rows).is_err()
    {
        // Names of batches tell of deliveries that are not everybody's.
        shown.remove("batches");
    }
    let ask = Ask { release: &release, request: format!("release {number}"), caller: &caller };
    app.respond(&ask, AnswerFormat::Json, &headers, async { Ok(shown) }).await
}
