//! `/records` and `/batches`: every version of a record, and the landed line it came from.

use std::sync::Arc;

use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::answers::Ask;
use super::asked::release;
use super::door::Caller;
use super::format::AnswerFormat;
use super::parameters::Parameters;
use super::state::AppState;
use crate::landed::{self, LandedLine};
use crate::problem::Problem;
use crate::record::{self, RecordKey, Version};

/// `GET /records/{dataset}/{key}`
pub async fn show(
    State(app): State<AppState>,
    caller: Caller,
    Path((dataset, key)): Path<(String, String)>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let mut parameters = Parameters::of(query.as_deref());
    let choice = release(&mut parameters)?;
    parameters.finish()?;
    let contract = record::dataset(&dataset)?;
    let key = RecordKey::parse(&key, contract);
    let release = app.deployment.release(choice).await?;
    let request = json!(["record", dataset, key.parts()]).to_string();
    let (limits, permission, of) = (app.deployment.limits(), caller.permission.clone(), Arc::clone(&release));
    let compute = async move {
        let found = record::versions(&of, &limits, contract, &key, &permission).await?;
        if found.versions.is_empty() {
            let detail = format!("no record of {} has the key {}", contract.name, key.parts().join(","));
            return Err(Problem::not_found("no_such_record", detail));
        }
        let versions: Vec<Value> = found.versions.iter().map(Version::json).collect();
        Ok(
            json!({"dataset": contract.name, "key": key.parts(), "release": of.number(), "versions": versions, "more": found.cut}),
        )
    };
    let ask = Ask { release: &release, request, caller: &caller };
    app.respond(&ask, AnswerFormat::Json, &headers, compute).await
}

/// `GET /batches/{id}/rows/{n}`: as JSON, or with `format=raw` exactly the landed bytes.
pub async fn line(
    State(app): State<AppState>,
    caller: Caller,
    Path((batch, row)): Path<(String, String)>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let mut parameters = Parameters::of(query.as_deref());
    let form = parameters.one("format")?;
    let choice = release(&mut parameters)?;
    parameters.finish()?;
    let row = landed::row_no(&row)?;
    let release = app.deployment.release(choice).await?;
    let deployment = Arc::clone(&app.deployment);
    let (of, permission) = (Arc::clone(&release), caller.permission.clone());
    let request = json!(["line", batch, row]).to_string();
    let find = async move { landed::line(&deployment, &of, &batch, row, &permission).await };
    match form.as_deref() {
        None | Some("json") => {
            let ask = Ask { release: &release, request, caller: &caller };
            app.respond(&ask, AnswerFormat::Json, &headers, async { Ok(find.await?.json()) }).await
        }
        Some("raw") => {
            let line = app.engine.run(find).await?;
            Ok((app.headers(&release).await?, raw(line)?).into_response())
        }
        Some(other) => {
            Err(Problem::bad_request("bad_parameter", format!("`format`: `{other}` is neither json nor raw")))
        }
    }
}

/// The bytes of the line as they came, whatever their encoding.
fn raw(line: LandedLine) -> Result<Response, Problem> {
    let bytes = line
        .bytes
        .ok_or_else(|| Problem::forbidden("sensitive", "this line holds values that your role may not see"))?;
    Ok(([(header::CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"))], bytes).into_response())
}
