//! What went wrong, as a caller is told: a code for programs, a title in Chinese and English, a
//! detail. What failed inside is for the log and never part of it.

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use crate::engine::GivenUp;
use crate::permission::Denied;

/// An error on its way to a caller; [`crate::http`] dresses it as JSON or as a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    pub status: StatusCode,
    /// For programs; never changes its meaning.
    pub code: &'static str,
    pub title: &'static str,
    pub title_en: &'static str,
    /// What exactly, where, and what to do.
    pub detail: String,
    /// What failed inside: for the log and for whoever runs the command line, never for a caller.
    pub cause: Option<String>,
}

impl Problem {
    /// The request is not understood.
    pub fn bad_request(code: &'static str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, "请求有误", "The request is wrong", detail)
    }

    /// The named thing does not exist.
    pub fn not_found(code: &'static str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, code, "没有找到", "Not found", detail)
    }

    /// Something of ours failed: the cause goes to the log, a caller gets only a number to quote.
    pub fn internal(cause: &(dyn std::fmt::Display + '_)) -> Self {
        let problem = Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal",
            "系统内部错误",
            "Something failed inside",
            "please report the request_id to the administrator, who finds the cause in the log",
        );
        Self { cause: Some(cause.to_string()), ..problem }
    }

    /// Nothing has been published yet.
    pub fn no_release() -> Self {
        let detail = "run the feeds first: anze ingest run --all";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "no_release", "尚未发布任何数据", "Nothing is published yet", detail)
    }

    /// The caller must say who it is.
    pub fn unauthorized(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "unauthorized", "需要有效的令牌", "A valid token is needed", detail)
    }

    /// Refused whoever asks.
    pub fn forbidden(code: &'static str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, code, "请求被拒绝", "The request is refused", detail)
    }

    /// Any other refusal, with its own title.
    pub fn new(
        status: StatusCode,
        code: &'static str,
        title: &'static str,
        title_en: &'static str,
        detail: impl Into<String>,
    ) -> Self {
        Self { status, code, title, title_en, detail: detail.into(), cause: None }
    }
}

impl From<Denied> for Problem {
    fn from(denied: Denied) -> Self {
        Self::new(StatusCode::FORBIDDEN, denied.code, denied.title, denied.title_en, denied.detail)
    }
}

impl From<GivenUp> for Problem {
    fn from(given_up: GivenUp) -> Self {
        match given_up {
            GivenUp::TooLong(limit) => Self::new(
                StatusCode::GATEWAY_TIMEOUT,
                "deadline",
                "查询超时",
                "The question took too long",
                format!("it was given up after {} seconds; ask for less, or for fewer dimensions", limit.as_secs_f64()),
            ),
            GivenUp::Busy => Self::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "busy",
                "系统繁忙",
                "Too many questions at once",
                "try again in a few seconds",
            ),
            GivenUp::Broken => Self::internal(&"the computation panicked"),
        }
    }
}

impl From<anze_queries::Error> for Problem {
    fn from(error: anze_queries::Error) -> Self {
        use anze_queries::ErrorKind;
        let detail = error.to_string();
        match error.kind() {
            ErrorKind::Question => Self::bad_request("bad_question", detail),
            ErrorKind::Statement => Self::new(
                StatusCode::BAD_REQUEST,
                "bad_statement",
                "SQL 语句有误或不被允许",
                "The statement is wrong or not allowed",
                detail,
            ),
            ErrorKind::Limit => Self::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "limit",
                "超出资源限制",
                "The question exceeds a limit",
                detail,
            ),
            ErrorKind::Catalogue | ErrorKind::Internal => Self::internal(&causes(&error)),
        }
    }
}

impl From<anze_warehouse::Error> for Problem {
    fn from(error: anze_warehouse::Error) -> Self {
        if error.kind() == anze_warehouse::ErrorKind::Gone {
            let (title, title_en) = ("该次发布已不再保留", "The release is no longer kept");
            return Self::new(StatusCode::GONE, "release_not_kept", title, title_en, error.to_string());
        }
        Self::internal(&causes(&error))
    }
}

/// An error with all its causes, for the log.
pub fn causes(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let message = error.to_string();
        // Errors that print their cause themselves would repeat it.
        if !text.contains(&message) {
            text.push_str(": ");
            text.push_str(&message);
        }
        cause = error.source();
    }
    text
}

impl std::fmt::Display for Problem {
    /// For the command line, whose user may know what failed inside.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.cause {
            Some(cause) => write!(f, "{} {}: {cause}", self.title, self.title_en),
            None => write!(f, "{} {}: {}", self.title, self.title_en, self.detail),
        }
    }
}

impl std::error::Error for Problem {}

impl Problem {
    /// Whether the asker must change the question: wrong usage, for exit codes.
    pub fn is_misuse(&self) -> bool {
        let misuses = [
            "bad_question",
            "bad_parameter",
            "bad_key",
            "no_such_metric",
            "no_such_dataset",
            "no_such_feed",
            "no_such_kind",
            "no_such_lead",
            "no_such_subject",
            "no_such_assessment",
        ];
        misuses.contains(&self.code)
    }
}

impl IntoResponse for Problem {
    /// The bare status with the problem attached; the outermost layer knows the request's number,
    /// path and language and writes the body.
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}
