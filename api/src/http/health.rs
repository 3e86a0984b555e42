//! `/healthz` and `/readyz`: for whoever watches over the process.

use std::sync::atomic::Ordering;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::state::AppState;
use crate::problem::Problem;

/// `GET /healthz`: the process answers.
pub async fn alive() -> Response {
    Json(json!({"status": "ok"})).into_response()
}

/// `GET /readyz`: the warehouse can be read and no stop was asked for. A deployment without a release
/// is ready too: it says so with `"release": null`.
pub async fn ready(State(app): State<AppState>) -> Result<Response, Problem> {
    if app.stopping.load(Ordering::Relaxed) {
        let detail = "a stop was asked for";
        return Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, "stopping", "正在停止", "Stopping", detail));
    }
    let release = app.deployment.newest().await?;
    Ok(Json(json!({"status": "ready", "release": release.map(|release| release.number())})).into_response())
}
