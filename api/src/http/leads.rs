//! `/leads`: leads for enforcement, and what is decided about them.

use std::sync::Arc;

use anze_queries::LeadRequest;
use axum::Json;
use axum::extract::{Path, RawQuery, Request, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};

use super::answers::Ask;
use super::asked::{limit, release};
use super::body;
use super::door::Caller;
use super::format::AnswerFormat;
use super::parameters::Parameters;
use super::state::AppState;
use crate::leads::LeadQuestion;
use crate::problem::Problem;
use crate::reviewing::{self, Review};

/// `GET /leads`: the kinds, and how many of each there are.
pub async fn list(
    State(app): State<AppState>,
    caller: Caller,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let mut parameters = Parameters::of(query.as_deref());
    let question = question(None, &mut parameters)?;
    let format = AnswerFormat::asked(&mut parameters, &headers)?;
    parameters.finish()?;
    let granted = question.granted(&app.deployment, &caller.permission).await?;
    let release = Arc::clone(granted.release());
    let ask = Ask { release: &release, request: granted.canonical(), caller: &caller };
    app.respond(&ask, format, &headers, granted.counts()).await
}

/// `GET /leads/{kind}`
pub async fn show(
    State(app): State<AppState>,
    caller: Caller,
    Path(kind): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let mut parameters = Parameters::of(query.as_deref());
    let question = question(Some(kind), &mut parameters)?;
    let format = AnswerFormat::asked(&mut parameters, &headers)?;
    parameters.finish()?;
    let granted = question.granted(&app.deployment, &caller.permission).await?;
    let release = Arc::clone(granted.release());
    let ask = Ask { release: &release, request: granted.canonical(), caller: &caller };
    app.respond(&ask, format, &headers, granted.page()).await
}

/// `POST /leads/{id}/review`
pub async fn review(
    State(app): State<AppState>,
    caller: Caller,
    Path(lead_id): Path<String>,
    request: Request,
) -> Result<Response, Problem> {
    Parameters::of(request.uri().query()).finish()?;
    let review: Review = body::read(request).await?;
    // Only where the writer is: two processes must not decide at once.
    app.desk.ingest()?;
    let by = caller.token_id.clone().unwrap_or_else(|| "operator".to_owned());
    let deployment = Arc::clone(&app.deployment);
    let decide = async move { reviewing::record(&deployment, &caller.permission, &lead_id, &review, &by).await };
    Ok(Json(app.engine.run(decide).await?).into_response())
}

/// A question for leads from the parameters of a request; those that are not its own are left.
pub fn question(kind: Option<String>, parameters: &mut Parameters) -> Result<LeadQuestion, Problem> {
    let request = LeadRequest {
        as_of: parameters.day("as_of")?,
        from: parameters.day("from")?,
        to: parameters.day("to")?,
        observed_until: parameters.day("observed_until")?,
        filters: parameters.prefixed("where")?,
        params: if kind.is_some() { parameters.prefixed("param")? } else { Default::default() },
        kind: kind.clone(),
        ..LeadRequest::default()
    };
    let paged = kind.is_some();
    Ok(LeadQuestion {
        request,
        release: release(parameters)?,
        since: if paged { parameters.parsed("since")? } else { None },
        cursor: if paged { parameters.one("cursor")? } else { None },
        limit: if paged { limit(parameters.parsed("limit")?)? } else { 0 },
    })
}
