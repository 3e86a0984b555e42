//! How many requests are worked on at once; more are told to come back.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tokio::sync::Semaphore;

use super::state::AppState;
use crate::problem::Problem;

/// Places for requests.
#[derive(Debug, Clone)]
pub struct Places(Arc<Semaphore>);

impl Places {
    /// So many at once.
    pub fn new(requests: usize) -> Self {
        Self(Arc::new(Semaphore::new(requests.min(Semaphore::MAX_PERMITS))))
    }
}

/// Takes a place for as long as the request is worked on.
pub async fn limit(State(app): State<AppState>, request: Request, next: Next) -> Response {
    let Ok(_place) = app.places.0.try_acquire() else {
        let detail = "try again in a few seconds";
        return Problem::new(StatusCode::SERVICE_UNAVAILABLE, "busy", "系统繁忙", "Too many requests at once", detail)
            .into_response();
    };
    next.run(request).await
}
