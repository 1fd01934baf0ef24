use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use longshore_core::{JobId, SchedulesRequest};
use serde::Serialize;

use crate::state::{Mounted, State};

/// The answer of both, without anything that a stranger should not read.
#[derive(Serialize)]
struct Health {
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<&'static str>,
}

/// At exactly these paths: nothing below them is open.
pub(crate) fn routes() -> Router<Mounted> {
    Router::new().route("/healthz", get(alive)).route("/readyz", get(ready))
}

/// The process answers.
async fn alive() -> Json<Health> {
    Json(Health { status: "ok", code: None })
}

/// The database answers, and its schema is understood. Reads alone do not tell: some of them work with another schema,
/// while every write is refused.
async fn ready(State(state): State) -> Response {
    let shown = state.shown();
    let request = SchedulesRequest { names: Some(Vec::new()), after: None, limit: 1 };
    let answer = async {
        shown.check_schema().await?;
        shown.job(JobId(1)).await?;
        shown.schedules(request).await.map(drop)
    };
    match answer.await {
        Ok(()) => Json(Health { status: "ok", code: None }).into_response(),
        Err(error) => {
            tracing::warn!(code = error.code(), error = %error, "not ready");
            let health = Health { status: "unavailable", code: Some(error.code()) };
            (StatusCode::SERVICE_UNAVAILABLE, Json(health)).into_response()
        }
    }
}
