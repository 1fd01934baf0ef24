use axum::body::{Body, Bytes, HttpBody};
use axum::extract::{FromRequest, Request};
use axum::http::{HeaderMap, StatusCode, header};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use longshore_core::JsonObject;
use longshore_report::in_plain_words;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::error::ApiError;

/// The largest body: a payload and metadata of a megabyte each, or many smaller jobs.
pub(crate) const BYTES_MAX: usize = 16 * 1024 * 1024;

/// A body that is a JSON object.
#[derive(Debug)]
pub(crate) struct JsonBody<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for JsonBody<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, _state: &S) -> Result<Self, ApiError> {
        parse(&read(request).await?).map(Self)
    }
}

/// A body that is a JSON object and may be left out, or be null.
#[derive(Debug)]
pub(crate) struct OptionalBody<T>(pub(crate) T);

impl<T: DeserializeOwned + Default, S: Send + Sync> FromRequest<S> for OptionalBody<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, _state: &S) -> Result<Self, ApiError> {
        let is_json = is_json(request.headers());
        let bytes = collect(request.into_body()).await?;
        match bytes.is_empty() {
            true => Ok(Self(T::default())),
            false if is_json => match serde_json::from_slice::<Option<JsonObject<T>>>(&bytes) {
                Ok(body) => Ok(Self(body.unwrap_or_default().0)),
                Err(error) => Err(invalid(&error)),
            },
            false => Err(not_json()),
        }
    }
}

/// The body of a request that says everything in its path: none, or an object without fields.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NoFields {}

/// Parses a body that is an object.
pub(crate) fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, ApiError> {
    serde_json::from_slice(bytes).map(|JsonObject(body)| body).map_err(|error| invalid(&error))
}

/// The error of a body that is not as it must be.
pub(crate) fn invalid(error: &serde_json::Error) -> ApiError {
    let message = format!("the body is not as expected: {}", in_plain_words(&error.to_string(), "an object"));
    ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid_body", message)
        .hint("GET /api/v1/openapi.json describes the body")
}

/// Reads a body of JSON within its limit.
pub(crate) async fn read(request: Request) -> Result<Bytes, ApiError> {
    // A form of another site cannot send this type without asking first.
    if !is_json(request.headers()) {
        return Err(not_json());
    }
    collect(request.into_body()).await
}

fn not_json() -> ApiError {
    let message = "the request does not say that its body is JSON: send the header \"Content-Type: application/json\"";
    ApiError::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "not_json", message)
        .hint("with curl: -H 'Content-Type: application/json', or --json in place of -d")
}

async fn collect(body: Body) -> Result<Bytes, ApiError> {
    // Before anything is read, because a client may announce much and send little.
    if body.size_hint().lower() > BYTES_MAX as u64 {
        return Err(too_large(BYTES_MAX as u64));
    }
    match Limited::new(body, BYTES_MAX).collect().await {
        Ok(body) => Ok(body.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(too_large(BYTES_MAX as u64)),
        Err(_) => Err(ApiError::invalid("the body ended before it was complete")),
    }
}

/// The error of a body beyond its limit.
pub(crate) fn too_large(bytes_max: u64) -> ApiError {
    let message = format!("the body has more than {bytes_max} bytes");
    ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", message).hint("send fewer jobs at once")
}

/// Whether the body is JSON lines.
pub(crate) fn is_lines(headers: &HeaderMap) -> bool {
    matches!(content_type(headers).as_str(), "application/x-ndjson" | "application/ndjson" | "application/jsonl")
}

fn content_type(headers: &HeaderMap) -> String {
    let value = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

fn is_json(headers: &HeaderMap) -> bool {
    let kind = content_type(headers);
    kind == "application/json" || (kind.starts_with("application/") && kind.ends_with("+json"))
}
