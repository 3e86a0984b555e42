//! `/releases`: what is published.

use std::sync::Arc;

use axum::extract::{Path, RawQuery, State};
use axum::http::HeaderMap;
use axum::response::Response;
use serde_json::json;

use super::answers::Ask;
use super::asked::limit;
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
    let dropped = app.deployment.warehouse().dropped().await?;
    // Vacuum drops releases without publishing one: the answer is another one then.
    let request = format!("releases, {} of them no longer kept", dropped.numbers().count());
    let compute = async move { Ok(json!({ "releases": published::list(&of, &dropped, &limits).await? })) };
    let ask = Ask { release: &release, request, caller: &caller };
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
    let number = self::number(&number)?;
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

/// `GET /releases/{n}/diff/{m}`: what changed from a release to a later one.
pub async fn diff(
    State(app): State<AppState>,
    caller: Caller,
    Path((from, to)): Path<(String, String)>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let mut parameters = Parameters::of(query.as_deref());
    let (dataset, keys) = (parameters.one("dataset")?, limit(parameters.parsed("limit")?)?);
    parameters.finish()?;
    if !caller.permission.scope.is_whole() {
        // Keys of rows are rows: those of other places are not for a limited token.
        return Err(Problem::forbidden(
            "outside_scope",
            "限定范围的令牌不能比较发布 / a limited token cannot compare releases",
        ));
    }
    let between = [number(&from)?, number(&to)?];
    let release = app.deployment.release(ReleaseChoice::Number(between[1])).await?;
    let request = json!(["diff", between, dataset, keys]).to_string();
    let deployment = Arc::clone(&app.deployment);
    let compute = async move { Ok(json!(published::diff(&deployment, between, dataset.as_deref(), keys).await?)) };
    let ask = Ask { release: &release, request, caller: &caller };
    app.respond(&ask, AnswerFormat::Json, &headers, compute).await
}

fn number(text: &str) -> Result<u64, Problem> {
    text.parse().map_err(|_| Problem::not_found("no_such_release", format!("`{text}` is no release number")))
}
