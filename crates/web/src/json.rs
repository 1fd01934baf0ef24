use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

/// A document as an answer.
pub(crate) fn json(document: &impl Serialize) -> Response {
    json_with(StatusCode::OK, document)
}

/// The same with another status.
pub(crate) fn json_with(status: StatusCode, document: &impl Serialize) -> Response {
    // Text from plain SQL that is no JSON is the one thing that cannot be written; the store gives it as a string.
    match serde_json::to_vec(document) {
        Ok(body) => {
            (status, [(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))], body).into_response()
        }
        Err(error) => {
            tracing::error!(error = %error, "a document could not be written");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}
