//! What every request passes before its handler.
//!
//! Two functions instead of a layer for each check, so that their order is read in one place.

mod headers;
mod host;
mod identity;
mod origin;

pub(crate) use self::identity::access_of;

use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::access::Scope;
use crate::error::ApiError;
use crate::state::WebState;

/// How long a handler may take until its answer begins. A claim waits for at most a minute.
const ANSWER_MAX: Duration = Duration::from_secs(90);

/// Whatever the path: checks the host name, and adds the headers of every answer.
pub(crate) async fn receive(State(state): State<WebState>, request: Request, next: Next) -> Response {
    let is_trusted = headers::is_trusted(request.headers());
    let mut response = match host::check(&state, &request) {
        Ok(()) => next.run(request).await,
        Err(error) => error.into_response(),
    };
    headers::add(response.headers_mut(), is_trusted);
    response
}

/// At a route without a user: checks where the request comes from.
pub(crate) async fn refuse_other_sites(request: Request, next: Next) -> Response {
    match origin::check(&request) {
        Ok(()) => in_time(next.run(request)).await,
        Err(error) => error.into_response(),
    }
}

/// At a route that shows or changes something: checks where the request comes from, whose it is, and whether that user
/// has the right.
pub(crate) async fn admit(state: WebState, scope: Option<Scope>, request: Request, next: Next) -> Response {
    match origin::check(&request) {
        Ok(()) => in_time(identity::run(&state, scope, request, next)).await,
        Err(error) => error.into_response(),
    }
}

/// Ends a request that has no answer in time, such as one whose body comes byte by byte.
async fn in_time(answer: impl Future<Output = Response>) -> Response {
    match tokio::time::timeout(ANSWER_MAX, answer).await {
        Ok(response) => response,
        Err(_) => ApiError::new(StatusCode::REQUEST_TIMEOUT, "timed_out", "the request took too long")
            .hint("read the state before you repeat a change: it may have happened")
            .into_response(),
    }
}
