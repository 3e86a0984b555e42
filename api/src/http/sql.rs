//! `POST /sql`: one read-only statement, answered row by row. What breaks midway ends abnormally.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderValue, StatusCode, Version, header};
use axum::response::{IntoResponse, Response};
use chrono::Utc;
use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::SchemaRef;
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt, stream};
use serde::Deserialize;

use super::body;
use super::door::Caller;
use super::format::AnswerFormat;
use super::noting::AskedInBody;
use super::parameters::Parameters;
use super::state::{App, AppState};
use crate::access_log::Accessed;
use crate::output::{cell, csv, json};
use crate::problem::Problem;
use crate::release_choice::{KnownAt, ReleaseChoice};
use crate::statement::{self, Asked};

/// The largest answer for callers that cannot tell a torn answer from a whole one.
const WHOLE_ANSWER_BYTES: usize = 64 << 20;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Statement {
    sql: String,
    #[serde(default)]
    params: serde_json::Value,
    release: Option<u64>,
    known_at: Option<String>,
}

/// `POST /sql`
pub async fn run(State(app): State<AppState>, caller: Caller, request: Request) -> Result<Response, Problem> {
    let mut parameters = Parameters::of(request.uri().query());
    let format = AnswerFormat::asked(&mut parameters, request.headers())?;
    parameters.finish()?;
    let version = request.version();
    let body: Statement = body::read(request).await?;
    let known_at = body.known_at.as_deref().map(str::parse::<KnownAt>).transpose();
    let choice = known_at.and_then(|known_at| ReleaseChoice::of(body.release, known_at));
    let choice = choice.map_err(|error| Problem::bad_request("bad_parameter", error))?;
    let release = app.deployment.release(choice).await?;
    let statement = body.sql.clone();
    let asked =
        Asked { sql: body.sql, params: statement::params(&body.params)?, permission: caller.permission.clone() };
    let (schema, batches) = start(&app, asked, Arc::clone(&release)).await?;
    let sent = Arc::new(AtomicU64::new(0));
    let counter = Arc::clone(&sent);
    let batches = batches.inspect_ok(move |batch| {
        counter.fetch_add(u64::try_from(batch.num_rows()).unwrap_or(u64::MAX), Ordering::Relaxed);
    });
    let pieces = encode(format, release.number(), &schema, batches.boxed());
    let mut headers = app.headers(&release).await?;
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(format.content_type()));
    let pieces = noted_at_the_end(&app, &caller, &statement, release.number(), sent, pieces);
    let mut response = (headers, sendable(version, pieces).await?).into_response();
    response.extensions_mut().insert(AskedInBody(statement));
    Ok(response)
}

/// The guard notes that rows begin to be handed out; how many there were is noted when all are on their way.
fn noted_at_the_end(
    app: &AppState,
    caller: &Caller,
    statement: &str,
    release: u64,
    sent: Arc<AtomicU64>,
    pieces: Pieces,
) -> Pieces {
    let app = Arc::clone(app);
    let mut accessed = Accessed {
        at: Utc::now(),
        token_id: caller.token_id.clone(),
        role: caller.permission.role,
        door: "http",
        action: "sql_end",
        dataset: None,
        metric_id: None,
        request: statement.to_owned(),
        request_id: None,
        release: Some(release),
        rows: None,
        outcome: "given",
    };
    let end = async move {
        accessed.at = Utc::now();
        accessed.rows = Some(sent.load(Ordering::Relaxed));
        app.access_log.note(accessed).await
    };
    let end = stream::once(end).filter_map(|noted| std::future::ready(noted.err().map(Err)));
    pieces.chain(end).boxed()
}

/// What the engine hands over: the columns first, then the rows.
enum Part {
    Columns(SchemaRef),
    Rows(RecordBatch),
}

async fn start(
    app: &App,
    asked: Asked,
    release: Arc<anze_warehouse::Release>,
) -> Result<(SchemaRef, BoxStream<'static, Result<RecordBatch, Problem>>), Problem> {
    let deployment = Arc::clone(&app.deployment);
    let work = async move {
        let rows = statement::run(&deployment, &release, asked).await?;
        let columns = stream::once(std::future::ready(Ok(Part::Columns(rows.schema()))));
        Ok::<_, Problem>(columns.chain(statement::items(rows).map_ok(Part::Rows)))
    };
    let mut parts = app.engine.stream(work).await?;
    let Some(Part::Columns(schema)) = parts.try_next().await? else {
        return Err(Problem::internal(&"a stream of rows began without its columns"));
    };
    // The first rows are waited for: what fails before them is answered as a problem, not torn.
    let first = parts.next().await;
    let rows = stream::iter(first).chain(parts).filter_map(|part| {
        std::future::ready(match part {
            Ok(Part::Rows(batch)) => Some(Ok(batch)),
            Ok(Part::Columns(_)) => None,
            Err(problem) => Some(Err(problem)),
        })
    });
    let mut rows = rows.boxed().peekable();
    if let Some(Err(problem)) = std::pin::Pin::new(&mut rows).peek().await {
        return Err(problem.clone());
    }
    Ok((schema, rows.boxed()))
}

type Pieces = BoxStream<'static, Result<Bytes, Problem>>;

fn encode(
    format: AnswerFormat,
    release: u64,
    schema: &SchemaRef,
    batches: BoxStream<'static, Result<RecordBatch, Problem>>,
) -> Pieces {
    match format {
        AnswerFormat::Json => as_json(release, schema, batches),
        AnswerFormat::Csv => as_csv(schema, batches),
    }
}

fn as_json(release: u64, schema: &SchemaRef, batches: BoxStream<'static, Result<RecordBatch, Problem>>) -> Pieces {
    let writer = json::RowsWriter::new(schema);
    let start = writer.start(release, schema);
    let rows = stream::unfold(Some((batches, writer)), |state| async move {
        let (mut batches, mut writer) = state?;
        match batches.next().await {
            None => Some((Ok(Bytes::from_static(writer.end().as_bytes())), None)),
            Some(Err(problem)) => Some((Err(problem), None)),
            Some(Ok(batch)) => match writer.rows(&batch) {
                Ok(text) => Some((Ok(Bytes::from(text)), Some((batches, writer)))),
                Err(error) => Some((Err(Problem::internal(&error)), None)),
            },
        }
    });
    stream::once(std::future::ready(Ok(Bytes::from(start)))).chain(rows).boxed()
}

fn as_csv(schema: &SchemaRef, batches: BoxStream<'static, Result<RecordBatch, Problem>>) -> Pieces {
    let start = format!("{}{}", csv::BYTE_ORDER_MARK, csv::header(&cell::names(schema)));
    let rows = batches.map(|batch| csv::rows(&batch?).map(Bytes::from).map_err(|error| Problem::internal(&error)));
    stream::once(std::future::ready(Ok(Bytes::from(start)))).chain(rows).boxed()
}

/// The pieces as a body. An error ends the connection without the last chunk; a caller of HTTP/1.0
/// knows no chunks and would take the torn answer for a whole one, so it gets the answer in one.
async fn sendable(version: Version, pieces: Pieces) -> Result<Body, Problem> {
    if version >= Version::HTTP_11 {
        let pieces = pieces.inspect_err(|problem| tracing::warn!(code = problem.code, %problem, "an answer broke off"));
        return Ok(Body::from_stream(pieces.map_err(|problem| std::io::Error::other(problem.code))));
    }
    let whole = pieces.try_fold(Vec::new(), |mut whole, piece| async move {
        if whole.len() + piece.len() > WHOLE_ANSWER_BYTES {
            return Err(Problem::new(
                StatusCode::HTTP_VERSION_NOT_SUPPORTED,
                "http_1_1_needed",
                "需要 HTTP/1.1",
                "HTTP/1.1 is needed",
                "large answers are sent in pieces, which HTTP/1.0 cannot tell from torn ones",
            ));
        }
        whole.extend_from_slice(&piece);
        Ok(whole)
    });
    Ok(Body::from(whole.await?))
}
