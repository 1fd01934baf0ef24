use axum::Json;
use axum::extract::State;
use longshore_core::WorkerRecord;
use serde::Serialize;

use crate::error::ApiError;
use crate::state::WebState;

#[derive(Serialize)]
pub(super) struct Workers {
    workers: Vec<WorkerRecord>,
}

pub(super) async fn list(State(state): State<WebState>) -> Result<Json<Workers>, ApiError> {
    Ok(Json(Workers { workers: state.backend().workers().await? }))
}
