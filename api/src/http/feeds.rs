//! `/feeds`: what is configured, how it stands, and starting a run.

use std::sync::Arc;

use anze_ingest::run::BackfillAsk;
use anze_warehouse::Release;
use axum::Json;
use axum::extract::{Path, RawQuery, Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::asked::limit;
use super::body;
use super::door::Caller;
use super::format::{AnswerFormat, rows_as_csv};
use super::parameters::Parameters;
use super::state::{App, AppState};
use crate::feed_state::{self, FeedState, LastBatches};
use crate::problem::Problem;
use crate::settling::Settling;
use crate::work::Work;

/// `GET /feeds`
pub async fn list(
    State(app): State<AppState>,
    caller: Caller,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let mut parameters = Parameters::of(query.as_deref());
    let format = AnswerFormat::asked(&mut parameters, &headers)?;
    parameters.finish()?;
    let states = states(&app, &caller).await?;
    let feeds: Vec<Value> = states.iter().map(FeedState::json).collect();
    live(&app, format, json!({ "feeds": feeds })).await
}

/// `GET /feeds/{id}`
pub async fn show(
    State(app): State<AppState>,
    caller: Caller,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    Parameters::of(query.as_deref()).finish()?;
    let state = state(&app, &caller, &id).await?;
    live(&app, AnswerFormat::Json, state.json()).await
}

/// `GET /feeds/{id}/runs`
pub async fn runs(
    State(app): State<AppState>,
    caller: Caller,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let mut parameters = Parameters::of(query.as_deref());
    let format = AnswerFormat::asked(&mut parameters, &headers)?;
    let most = limit(parameters.parsed("limit")?)?;
    parameters.finish()?;
    state(&app, &caller, &id).await?;
    let runs = feed_state::runs(app.deployment.warehouse(), &id, most).await?;
    live(&app, format, json!({ "feed_id": id, "runs": runs })).await
}

/// `POST /feeds/{id}/run`: starts a run and answers when it ended, or at once with `wait=false`.
pub async fn run(
    State(app): State<AppState>,
    caller: Caller,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let mut parameters = Parameters::of(query.as_deref());
    let wait = parameters.parsed::<bool>("wait")?.unwrap_or(true);
    parameters.finish()?;
    let asked_by = caller.token_id.unwrap_or_else(|| "operator".to_owned());
    let running = app.desk.start(&Work::Feeds(vec![id.clone()]), asked_by)?;
    if !wait {
        let place =
            HeaderValue::from_str(&format!("/api/v1/feeds/{id}/runs")).map_err(|error| Problem::internal(&error))?;
        let body = Json(json!({"feed_id": id, "state": "started"}));
        return Ok((StatusCode::ACCEPTED, [(header::LOCATION, place)], body).into_response());
    }
    let done = running.await?;
    app.deployment.forget_newest();
    live(&app, AnswerFormat::Json, done).await
}

/// `POST /feeds/{id}/cancel`: ends the fetch of a feed that is under way.
pub async fn cancel(
    State(app): State<AppState>,
    caller: Caller,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    Parameters::of(query.as_deref()).finish()?;
    state(&app, &caller, &id).await?;
    let by = caller.token_id.unwrap_or_else(|| "operator".to_owned());
    let cancelled = app.desk.cancel(&id, &by).await?;
    live(&app, AnswerFormat::Json, json!({ "feed_id": id, "cancelled": cancelled })).await
}

/// `POST /runs`: `{"feeds": ["…"]}` or `"all"`; answers when the run ended. The commands on this
/// machine hand over their work here while a server holds the writer's lease.
pub async fn run_many(State(app): State<AppState>, caller: Caller, request: Request) -> Result<Response, Problem> {
    Parameters::of(request.uri().query()).finish()?;
    let work: Work = body::read(request).await?;
    if matches!(work, Work::File { .. }) {
        return Err(Problem::bad_request("bad_body", "a file in hand is taken by the command line only"));
    }
    let asked_by = caller.token_id.unwrap_or_else(|| "operator".to_owned());
    let done = app.desk.start(&work, asked_by)?.await?;
    app.deployment.forget_newest();
    live(&app, AnswerFormat::Json, done).await
}

/// `POST /feeds/{id}/backfill`: `{"from", "to", "preview"}`; answers when the period was fetched.
pub async fn backfill(
    State(app): State<AppState>,
    caller: Caller,
    Path(id): Path<String>,
    request: Request,
) -> Result<Response, Problem> {
    Parameters::of(request.uri().query()).finish()?;
    let BackfillPeriod { from, to, preview } = body::read(request).await?;
    let ask = BackfillAsk { feed: id, from, to, preview };
    super::quarantine::settle(&app, caller, Settling::Backfill(ask)).await
}

/// Which period.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct BackfillPeriod {
    from: chrono::NaiveDate,
    to: chrono::NaiveDate,
    #[serde(default)]
    preview: bool,
}

/// The feeds that a caller may see.
pub async fn states(app: &App, caller: &Caller) -> Result<Vec<FeedState>, Problem> {
    let batches = match app.deployment.newest().await? {
        Some(newest) => app.arrivals.of(newest, app).await?,
        None => Arc::default(),
    };
    feed_state::list(app.deployment.warehouse(), &batches, &caller.permission, app.clock.now()).await
}

/// One feed; a feed that the caller may not see is not there.
async fn state(app: &App, caller: &Caller, id: &str) -> Result<FeedState, Problem> {
    states(app, caller).await?.into_iter().find(|state| state.id() == id).ok_or_else(|| {
        Problem::not_found("no_such_feed", format!("there is no feed `{id}`; /api/v1/feeds lists yours"))
    })
}

/// The last batches of the newest release, read once for it.
#[derive(Default)]
pub struct Arrivals {
    known: tokio::sync::Mutex<Option<(u64, Arc<LastBatches>)>>,
}

impl Arrivals {
    async fn of(&self, newest: Arc<Release>, app: &App) -> Result<Arc<LastBatches>, Problem> {
        let mut known = self.known.lock().await;
        let number = newest.number();
        if let Some((of, batches)) = known.as_ref()
            && *of == number
        {
            return Ok(Arc::clone(batches));
        }
        let limits = app.deployment.limits();
        let read = async move { feed_state::last_batches(&newest, &limits).await };
        let batches = Arc::new(app.engine.run(read).await?);
        *known = Some((number, Arc::clone(&batches)));
        Ok(batches)
    }
}

/// An answer about now: named after the newest release, and never kept.
pub(super) async fn live(app: &App, format: AnswerFormat, answer: Value) -> Result<Response, Problem> {
    let mut headers = match app.deployment.newest().await? {
        Some(newest) => app.headers(&newest).await?,
        None => HeaderMap::new(),
    };
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(format.content_type()));
    let body = match format {
        AnswerFormat::Json => answer.to_string(),
        AnswerFormat::Csv => rows_as_csv(&answer),
    };
    Ok((headers, body).into_response())
}
