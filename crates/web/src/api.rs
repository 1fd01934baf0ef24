//! The API under `/api/v1`: JSON with the field names of `--json`.

mod audit;
pub(crate) mod batches;
mod change;
mod dead;
mod edit;
mod enqueue;
pub(crate) mod events;
pub(crate) mod filter;
pub(crate) mod health;
pub(crate) mod jobs;
mod limits;
mod logs;
pub(crate) mod migrations;
pub(crate) mod openapi;
mod queues;
mod schedules;
mod selection;
mod stats;
pub(crate) mod work;

use axum::http::{Method, StatusCode};

use crate::endpoint::Endpoint;
use crate::error::ApiError;

/// Every route of the API.
pub(crate) fn endpoints() -> Vec<Endpoint> {
    [
        jobs::endpoints(),
        enqueue::endpoints(),
        change::endpoints(),
        edit::endpoints(),
        logs::endpoints(),
        dead::endpoints(),
        queues::endpoints(),
        work::endpoints(),
        limits::endpoints(),
        batches::endpoints(),
        schedules::endpoints(),
        audit::endpoints(),
        stats::endpoints(),
        migrations::endpoints(),
        events::endpoints(),
        crate::metrics::endpoints(),
        openapi::endpoints(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// The answer for a method that a path does not have.
pub(crate) async fn no_such_method(method: Method) -> ApiError {
    let message = format!("{method} is not possible at this path");
    ApiError::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", message)
        .hint("GET /api/v1/openapi.json lists every path with its methods")
}
