use std::fmt;

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use longshore_core::{InvalidJob, JobId, Refusal, StoreError};
use serde::Serialize;

use crate::access::Scope;

/// Why a request failed. In JSON `{"error": {"code", "message", "hint"}}`, as the commands print it.
#[derive(Clone, Debug)]
pub struct ApiError {
    status: StatusCode,
    code: &'static str,
    message: String,
    hint: Option<String>,
}

#[derive(Serialize)]
struct Body<'a> {
    error: Words<'a>,
}

#[derive(Serialize)]
struct Words<'a> {
    code: &'a str,
    message: &'a str,
    hint: Option<&'a str>,
}

impl ApiError {
    pub(crate) fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into(), hint: None }
    }

    #[must_use]
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The same error of a part of the request.
    pub(crate) fn within(mut self, part: impl fmt::Display) -> Self {
        self.message = format!("{part}: {}", self.message);
        self
    }

    /// A parameter or a body that is not as it must be.
    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid_request", message)
    }

    pub(crate) fn no_such_job(id: JobId) -> Self {
        Self::new(StatusCode::NOT_FOUND, "job_not_found", format!("there is no job {id}"))
            .hint("list the jobs with GET /api/v1/jobs")
    }

    /// The database was too slow.
    pub(crate) fn timed_out(message: &'static str) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "timed_out", message)
            .hint("try again, or look at one status or queue")
    }

    pub(crate) fn not_found(what: impl fmt::Display) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", format!("there is no {what}"))
    }

    pub(crate) fn unauthenticated() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "unauthenticated", "the request names no known token or user").hint(
            "send the header \"Authorization: Bearer TOKEN\"; longshore token add NAME --scope read makes a token",
        )
    }

    pub(crate) fn forbidden(scope: Scope) -> Self {
        Self::new(StatusCode::FORBIDDEN, "forbidden", format!("this needs the right to {scope}"))
            .hint(format!("use a token with the scope {scope}, and a server that is not read-only"))
    }

    pub(crate) fn stale_form() -> Self {
        Self::new(StatusCode::FORBIDDEN, "stale_form", "the form is not from this log-in, or the server was restarted")
            .hint("go back, reload the page, and send the form again")
    }

    /// A queue that this user does not see.
    pub(crate) fn hidden_queue(queue: &str) -> Self {
        let message = format!("this user may not use queue {queue:?}");
        Self::new(StatusCode::FORBIDDEN, "forbidden", message).hint("name a queue that GET /api/v1/queues lists")
    }

    /// Something that concerns all queues, for a user who sees some.
    pub(crate) fn of_all_queues(what: &str) -> Self {
        let message = format!("{what} all queues, and this user sees only some");
        Self::new(StatusCode::FORBIDDEN, "forbidden", message).hint("use a token without --queue")
    }

    /// A fault of this program.
    pub(crate) fn internal() -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "the server failed in a way that it does not know")
            .hint("the log of the server says more")
    }

    /// The status code.
    pub(crate) const fn status(&self) -> StatusCode {
        self.status
    }

    /// The stable code for programs.
    pub(crate) const fn code(&self) -> &'static str {
        self.code
    }

    /// The sentence for people.
    pub(crate) fn message(&self) -> &str {
        &self.message
    }

    /// What to do.
    pub(crate) fn hint_words(&self) -> Option<&str> {
        self.hint.as_deref()
    }
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

/// The response keeps the error, from which the pages make one of theirs.
impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let words = Words { code: self.code, message: &self.message, hint: self.hint.as_deref() };
        let mut response = (self.status, Json(Body { error: words })).into_response();
        match self.status {
            StatusCode::UNAUTHORIZED => {
                let scheme = HeaderValue::from_static("Bearer realm=\"longshore\"");
                response.headers_mut().insert(header::WWW_AUTHENTICATE, scheme);
            }
            StatusCode::SERVICE_UNAVAILABLE => {
                response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("5"));
            }
            _ => {}
        }
        response.extensions_mut().insert(self);
        response
    }
}

fn status_of(error: &StoreError) -> StatusCode {
    match error {
        StoreError::InDatabase { source, .. } => status_of(source),
        StoreError::InvalidJob(_)
        | StoreError::InvalidLimit(_)
        | StoreError::InvalidWorkflow(_)
        | StoreError::UnknownDependency { .. }
        | StoreError::DependencyElsewhere { .. }
        | StoreError::Aborted { .. }
        | StoreError::UnknownParent { .. }
        | StoreError::ParentElsewhere { .. }
        | StoreError::SeveralDatabases { .. } => StatusCode::UNPROCESSABLE_ENTITY,
        StoreError::UnknownBatch { .. } => StatusCode::NOT_FOUND,
        StoreError::WorkerGone { .. } => StatusCode::GONE,
        StoreError::BatchClosed { .. } | StoreError::UnknownDefinition { .. } => StatusCode::CONFLICT,
        StoreError::Panicked { .. } => StatusCode::INTERNAL_SERVER_ERROR,
        // What an operator must mend, or what passes: the request itself is right.
        _ => StatusCode::SERVICE_UNAVAILABLE,
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        let status = status_of(&error);
        if status.is_server_error() {
            tracing::warn!(code = error.code(), error = %error, "a request failed");
        }
        let hint = match &error {
            StoreError::WorkerGone { .. } => Some("register again with the same worker_id, then send a heartbeat"),
            error => error.hint(),
        };
        let hint = hint.map(str::to_owned);
        Self { status, code: error.code(), message: error.to_string(), hint }
    }
}

impl From<InvalidJob> for ApiError {
    fn from(error: InvalidJob) -> Self {
        StoreError::from(error).into()
    }
}

impl From<Refusal> for ApiError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::NotFound { id } => Self::no_such_job(id),
            Refusal::WrongStatus { .. } => Self::new(StatusCode::CONFLICT, "wrong_status", refusal.to_string()),
            Refusal::UniqueKeyTaken { by, .. } => {
                Self::new(StatusCode::CONFLICT, "unique_key_taken", refusal.to_string())
                    .hint(format!("cancel job {by}, or wait until it has ended"))
            }
            _ => Self::new(StatusCode::CONFLICT, "not_changed", refusal.to_string()),
        }
    }
}
