//! `/quarantine`: what is held and why, and settling it.

use std::sync::Arc;

use axum::extract::{RawQuery, Request, State};
use axum::http::HeaderMap;
use axum::response::Response;
use serde_json::json;

use super::answers::Ask;
use super::asked::{limit, release};
use super::body;
use super::door::Caller;
use super::feeds::live;
use super::format::AnswerFormat;
use super::parameters::Parameters;
use super::state::{App, AppState};
use crate::held::{self, HeldFilter};
use crate::problem::Problem;
use crate::settling::Settling;

/// `GET /quarantine`
pub async fn list(
    State(app): State<AppState>,
    caller: Caller,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let mut parameters = Parameters::of(query.as_deref());
    let filter = HeldFilter {
        feed: parameters.one("feed")?,
        batch: parameters.one("batch")?,
        rule: parameters.one("rule")?,
        dataset: parameters.one("dataset")?,
        state: parameters.one("state")?,
    };
    let cursor = parameters.one("cursor")?;
    let most = limit(parameters.parsed("limit")?)?;
    let format = AnswerFormat::asked(&mut parameters, &headers)?;
    let choice = release(&mut parameters)?;
    parameters.finish()?;
    let release = app.deployment.release(choice).await?;
    let request = json!(["quarantine", filter.canonical(), cursor, most]).to_string();
    let (limits, permission, of) = (app.deployment.limits(), caller.permission.clone(), Arc::clone(&release));
    let compute = async move {
        let page = held::list(&of, &limits, &filter, cursor.as_deref(), most, &permission).await?;
        Ok(json!({"release": of.number(), "rows": page.rows, "next": page.next}))
    };
    let ask = Ask { release: &release, request, caller: &caller };
    app.respond(&ask, format, &headers, compute).await
}

/// `POST /quarantine/replay`: reads held records again and answers with the counts before and after.
pub async fn replay(State(app): State<AppState>, caller: Caller, request: Request) -> Result<Response, Problem> {
    Parameters::of(request.uri().query()).finish()?;
    settle(&app, caller, Settling::Replay(body::read(request).await?)).await
}

/// `POST /quarantine/discard`: gives held records up, with a reason.
pub async fn discard(State(app): State<AppState>, caller: Caller, request: Request) -> Result<Response, Problem> {
    Parameters::of(request.uri().query()).finish()?;
    settle(&app, caller, Settling::Discard(body::read(request).await?)).await
}

/// Has it done by the writer; who asked stands in the books.
pub(super) async fn settle(app: &App, caller: Caller, settling: Settling) -> Result<Response, Problem> {
    let asked_by = caller.token_id.unwrap_or_else(|| "operator".to_owned());
    let done = app.desk.settle(settling, asked_by)?.await?;
    app.deployment.forget_newest();
    live(app, AnswerFormat::Json, done).await
}
