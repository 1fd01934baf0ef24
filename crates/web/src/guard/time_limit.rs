use std::time::Duration;

use axum::extract::Request;
use axum::http::StatusCode;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::error::ApiError;

/// How long a handler may take until its answer begins. A claim waits for at most a minute.
pub(crate) const ANSWER_MAX: Duration = Duration::from_secs(90);

/// Ends a request that has no answer in time, such as one whose body comes byte by byte.
pub(crate) async fn limit(request: Request, next: Next) -> Response {
    match tokio::time::timeout(ANSWER_MAX, next.run(request)).await {
        Ok(response) => response,
        Err(_) => ApiError::new(StatusCode::REQUEST_TIMEOUT, "timed_out", "the request took too long")
            .hint("read the state before you repeat a change: it may have happened")
            .into_response(),
    }
}
