//! `/quarantine`: what is held, and why.

use std::sync::Arc;

use axum::extract::{RawQuery, State};
use axum::http::HeaderMap;
use axum::response::Response;
use serde_json::json;

use super::answers::Ask;
use super::asked::limit;
use super::door::Caller;
use super::format::AnswerFormat;
use super::parameters::Parameters;
use super::state::AppState;
use crate::held::{self, HeldFilter};
use crate::problem::Problem;

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
    parameters.finish()?;
    let release = app.deployment.release(Default::default()).await?;
    let request = json!(["quarantine", filter.canonical(), cursor, most]).to_string();
    let (limits, permission, of) = (app.deployment.limits(), caller.permission.clone(), Arc::clone(&release));
    let compute = async move {
        let page = held::list(&of, &limits, &filter, cursor.as_deref(), most, &permission).await?;
        Ok(json!({"release": of.number(), "rows": page.rows, "next": page.next}))
    };
    let ask = Ask { release: &release, request, caller: &caller };
    app.respond(&ask, format, &headers, compute).await
}
