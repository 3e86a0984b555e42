//! The endpoint: routes, layers, and the frame they run in.

mod answers;
mod asked;
mod assessments;
mod body;
mod datasets;
mod desk;
mod door;
mod dress;
mod feeds;
mod format;
mod freshness;
mod health;
mod leads;
mod maintenance;
mod metrics;
mod noting;
mod openapi;
mod overload;
mod parameters;
mod push;
mod quarantine;
mod records;
mod releases;
mod routes;
mod server;
mod sql;
mod state;
#[cfg(test)]
mod tests;

use axum::Router;
use axum::extract::Request;
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use tower_http::catch_panic::CatchPanicLayer;

pub use answers::Ask;
pub use asked::{Asked, question, release as asked_release};
pub use door::{Caller, Door};
pub use feeds::states as feed_states;
pub use leads::question as lead_question;
pub use noting::handing_out;
pub use parameters::Parameters;
pub use server::{Server, StopSignal};
pub use state::{App, AppState};

use crate::page;
use crate::permission::Access;
use crate::problem::Problem;
use routes::Routes;

/// Every route, with what it hands out.
fn routes(app: AppState) -> Routes {
    Routes::new(app)
        .get("/healthz", Access::Open, health::alive)
        .get("/readyz", Access::Open, health::ready)
        .get("/openapi.json", Access::Open, openapi::show)
        .get("/api/v1/metrics", Access::Metrics, metrics::list)
        .get("/api/v1/metrics/{id}", Access::Metrics, metrics::value)
        .get("/api/v1/metrics/{id}/trend", Access::Metrics, metrics::trend)
        .get("/api/v1/metrics/{id}/evidence", Access::Evidence, metrics::evidence)
        .get("/api/v1/leads", Access::Leads, leads::list)
        .get("/api/v1/leads/{id}", Access::Leads, leads::show)
        .post("/api/v1/leads/{id}/review", Access::Review, leads::review)
        .post("/api/v1/sql", Access::Rows, sql::run)
        .get("/api/v1/datasets", Access::Dictionary, datasets::list)
        .get("/api/v1/datasets/{name}", Access::Dictionary, datasets::show)
        .get("/api/v1/records/{dataset}/{key}", Access::Rows, records::show)
        .get("/api/v1/batches/{id}/rows/{n}", Access::LandedLines, records::line)
        .get("/api/v1/feeds", Access::Feeds, feeds::list)
        .get("/api/v1/feeds/{id}", Access::Feeds, feeds::show)
        .get("/api/v1/feeds/{id}/runs", Access::Feeds, feeds::runs)
        .post("/api/v1/feeds/{id}/run", Access::RunFeeds, feeds::run)
        .post("/api/v1/feeds/{id}/cancel", Access::RunFeeds, feeds::cancel)
        .post("/api/v1/runs", Access::RunFeeds, feeds::run_many)
        .put("/api/v1/feeds/{id}/batches/{key}", Access::Push, push::put)
        .post("/api/v1/feeds/{id}/backfill", Access::RunFeeds, feeds::backfill)
        .get("/api/v1/quarantine", Access::Rows, quarantine::list)
        .post("/api/v1/quarantine/replay", Access::Settle, quarantine::replay)
        .post("/api/v1/quarantine/discard", Access::Settle, quarantine::discard)
        .get("/api/v1/assessments", Access::Assessments, assessments::list)
        .post("/api/v1/assessments", Access::Assess, assessments::run)
        .get("/api/v1/assessments/{id}", Access::Assessments, assessments::show)
        .get("/api/v1/assessments/{id}/subjects/{code}", Access::Assessments, assessments::subject)
        .get("/api/v1/assessments/{id}/difference/{before}", Access::Assessments, assessments::difference)
        .post("/api/v1/assessments/{id}/what-if", Access::Assessments, assessments::what_if)
        .post("/api/v1/assessments/{id}/freeze", Access::Assess, assessments::freeze)
        .post("/api/v1/assessments/{id}/verify", Access::Assess, assessments::verify)
        .post("/api/v1/assessments/{id}/drop", Access::Assess, assessments::drop_draft)
        .get("/api/v1/assessments/{id}/export", Access::Assessments, assessments::export)
        .post("/api/v1/maintenance", Access::Maintain, maintenance::run)
        .get("/api/v1/releases", Access::Releases, releases::list)
        .get("/api/v1/releases/{n}", Access::Releases, releases::show)
        .get("/api/v1/releases/{n}/diff/{m}", Access::Rows, releases::diff)
        .get("/assets/{file}", Access::Open, page::assets::show)
        .get("/", Access::Pages, page::home::show)
        .get("/metrics/{id}/gap", Access::Evidence, page::gap::show)
        .get("/leads", Access::Leads, page::leads::kinds)
        .get("/leads/{id}", Access::Leads, page::leads::show)
        .get("/reports/{city}/{month}", Access::Leads, page::brief::show)
        .get("/assessments", Access::Assessments, page::assessment::list)
        .get("/assessments/{id}", Access::Assessments, page::assessment::show)
        .get("/assessments/{id}/subjects/{code}", Access::Assessments, page::assessment::subject)
        .get("/records/{dataset}/{key}", Access::Rows, page::record::show)
        .get("/batches/{id}/rows/{n}", Access::LandedLines, page::landed_line::show)
}

/// The routes with all layers around them. A request meets the layers from the last to the first:
///
/// 5. `dress` first, so that whatever happens inside has a number, a log line and a body;
/// 4. `catch_panic` inside it, so that a panic is dressed as a problem too;
/// 3. `check_host` before anything reads the request: hosts that are not ours get nothing;
/// 2. `check_origin` next: other origins change nothing;
/// 1. `overload` last: only what would be worked on counts against the limit.
///
/// Who asks is found out by each route's own guard, because a route says what it hands out.
pub fn router(app: &AppState) -> Router {
    let (_, routes) = routes(app.clone()).finish();
    routes
        .fallback(nothing_here)
        .layer(from_fn_with_state(app.clone(), overload::limit))
        .layer(from_fn_with_state(app.clone(), check_origin))
        .layer(from_fn_with_state(app.clone(), check_host))
        .layer(CatchPanicLayer::custom(panicked))
        .layer(from_fn(dress::dress))
        .with_state(app.clone())
}

async fn check_host(
    axum::extract::State(app): axum::extract::State<AppState>,
    request: Request,
    next: Next,
) -> Response {
    match app.door.check_host(request.uri(), request.headers()) {
        Ok(()) => next.run(request).await,
        Err(problem) => problem.into_response(),
    }
}

async fn check_origin(
    axum::extract::State(app): axum::extract::State<AppState>,
    request: Request,
    next: Next,
) -> Response {
    match app.door.check_origin(request.method(), request.headers()) {
        Ok(()) => next.run(request).await,
        Err(problem) => problem.into_response(),
    }
}

async fn nothing_here() -> Problem {
    Problem::not_found("not_found", "there is nothing at this address; /openapi.json describes what there is")
}

fn panicked(panic: Box<dyn std::any::Any + Send + 'static>) -> Response {
    let said = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
    Problem::internal(&format!("a handler panicked: {}", said.unwrap_or("without a word"))).into_response()
}
