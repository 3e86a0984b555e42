//! `/maintenance`: looking after the warehouse, by the server that writes.

use axum::extract::{Request, State};
use axum::response::Response;

use super::body;
use super::door::Caller;
use super::feeds::live;
use super::format::AnswerFormat;
use super::parameters::Parameters;
use super::state::AppState;
use crate::maintenance::Maintenance;
use crate::problem::Problem;

/// `POST /maintenance`: compacts or vacuums after what is being loaded, and answers when it is done.
pub async fn run(State(app): State<AppState>, caller: Caller, request: Request) -> Result<Response, Problem> {
    Parameters::of(request.uri().query()).finish()?;
    let job: Maintenance = body::read(request).await?;
    let asked_by = caller.token_id.unwrap_or_else(|| "operator".to_owned());
    let done = app.desk.maintain(job, asked_by)?.await?;
    app.deployment.forget_newest();
    live(&app, AnswerFormat::Json, done).await
}
