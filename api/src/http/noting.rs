//! Every access to rows is noted by the route's own guard, before anything is sent: a route cannot hand
//! out rows without naming its access, so it cannot hand them out unnoted.

use axum::http::StatusCode;
use axum::response::Response;
use chrono::Utc;

use super::answers::RELEASE;
use super::door::Caller;
use super::state::App;
use crate::access_log::{Accessed, is_noted};
use crate::page;
use crate::permission::Access;
use crate::problem::Problem;

/// How many rows a response holds, for the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HandedOut(pub u64);

/// What was asked where the address does not say it: the statement of SQL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AskedInBody(pub String);

/// The number of a request, as its answer names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestNumber(pub String);

/// A response that says how many rows it holds.
pub fn handing_out(mut response: Response, rows: usize) -> Response {
    response.extensions_mut().insert(HandedOut(u64::try_from(rows).unwrap_or(u64::MAX)));
    response
}

/// What a guard knows of a request before it is handled.
pub struct Noted {
    access: Access,
    method: String,
    path: String,
    query: Option<String>,
    number: Option<String>,
}

impl Noted {
    /// From the parts of a request.
    pub fn of(request: &axum::extract::Request, access: Access) -> Self {
        Self {
            access,
            method: request.method().to_string(),
            path: request.uri().path().to_owned(),
            query: request.uri().query().map(str::to_owned),
            number: request.extensions().get::<RequestNumber>().map(|number| number.0.clone()),
        }
    }

    /// Notes what became of it; nothing is handed out that could not be noted.
    pub async fn note(self, app: &App, caller: &Caller, response: Response) -> Response {
        let noted = if self.access == Access::Metrics {
            self.count(app, caller, response.status()).await
        } else if is_noted(self.access) {
            let accessed = self.accessed(caller, &response);
            app.access_log.note(accessed).await
        } else {
            Ok(())
        };
        match noted {
            Ok(()) => response,
            Err(problem) => axum::response::IntoResponse::into_response(problem),
        }
    }

    async fn count(&self, app: &App, caller: &Caller, status: StatusCode) -> Result<(), Problem> {
        match self.after("metrics") {
            Some(metric) if is_given(status) => {
                let token = caller.token_id.as_deref();
                app.access_log.poll(Utc::now(), token, caller.permission.role, &metric).await
            }
            _ => Ok(()),
        }
    }

    fn accessed(&self, caller: &Caller, response: &Response) -> Accessed {
        let is_page = page::is_page(&self.path);
        let address = match &self.query {
            Some(query) => format!("{} {}?{query}", self.method, self.path),
            None => format!("{} {}", self.method, self.path),
        };
        let body = response.extensions().get::<AskedInBody>();
        let release = response.headers().get(RELEASE).and_then(|release| release.to_str().ok()?.parse().ok());
        Accessed {
            at: Utc::now(),
            token_id: caller.token_id.clone(),
            role: caller.permission.role,
            door: if is_page { "pages" } else { "http" },
            action: self.action(),
            dataset: self.after("records"),
            metric_id: self.after("metrics"),
            request: body.map_or(address.clone(), |body| format!("{address} {}", body.0)),
            request_id: self.number.clone(),
            release,
            rows: response.extensions().get::<HandedOut>().map(|rows| rows.0),
            outcome: outcome(response.status()),
        }
    }

    fn action(&self) -> &'static str {
        let has = |part: &str| self.path.split('/').any(|own| own == part);
        match self.access {
            Access::Evidence => "evidence",
            Access::Leads => "leads",
            Access::Review => "review",
            Access::LandedLines => "landed_line",
            Access::Assessments if has("export") => "export",
            Access::Assessments | Access::Assess => "assessment",
            _ if has("records") => "record",
            _ if has("sql") => "sql",
            _ if has("quarantine") => "quarantine",
            _ => "rows",
        }
    }

    /// The part of the path after this one.
    fn after(&self, part: &str) -> Option<String> {
        let mut parts = self.path.split('/').skip_while(|own| *own != part);
        parts.nth(1).filter(|found| !found.is_empty()).map(str::to_owned)
    }
}

fn is_given(status: StatusCode) -> bool {
    status.is_success() || status == StatusCode::NOT_MODIFIED
}

fn outcome(status: StatusCode) -> &'static str {
    match status {
        StatusCode::NOT_MODIFIED => "unchanged",
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => "denied",
        status if status.is_success() => "given",
        _ => "failed",
    }
}
