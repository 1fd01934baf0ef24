//! The API under `/api/v1`: JSON with the field names of `--json`.

pub(crate) mod health;
mod workers;

use axum::http::{Method, StatusCode, Uri};

use crate::access::Scope;
use crate::endpoint::Endpoint;
use crate::error::ApiError;

/// Every route of the API.
pub(crate) fn endpoints() -> Vec<Endpoint> {
    vec![Endpoint::get("/api/v1/workers", Scope::Read, workers::list)]
}

/// The answer for a path that does not exist.
pub(crate) async fn no_such_path(_uri: Uri) -> ApiError {
    ApiError::new(StatusCode::NOT_FOUND, "not_found", "there is nothing at this path")
        .hint("GET /api/v1/openapi.json lists every path")
}

/// The answer for a method that a path does not have.
pub(crate) async fn no_such_method(method: Method) -> ApiError {
    ApiError::new(
        StatusCode::METHOD_NOT_ALLOWED,
        "method_not_allowed",
        format!("{method} is not possible at this path"),
    )
    .hint("GET /api/v1/openapi.json lists every path with its methods")
}
