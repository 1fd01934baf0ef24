use std::time::Duration;

use axum::http::StatusCode;
use axum::response::Response;
use longshore::remote::{ClaimedJob, RemoteClaim};
use longshore_core::JsonObject;
use serde::Serialize;

use super::bodies::Claim;
use super::path::PathWorker;
use crate::error::ApiError;
use crate::input::{JsonBody, Query};
use crate::json::json;
use crate::state::State;

/// The jobs that a worker has claimed.
#[derive(Serialize)]
struct ClaimedJobs {
    jobs: Vec<ClaimedJob>,
}

/// Waits at most as long as the claim says. If the client hangs up, this future is dropped, and what it would have got is
/// given back.
pub(super) async fn claim(
    State(state): State,
    PathWorker(worker_id): PathWorker,
    query: Query,
    JsonBody(body): JsonBody<Claim>,
) -> Result<Response, ApiError> {
    query.end()?;
    body.check()?;
    let _permit = state.poll_permit().ok_or_else(|| {
        ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "too_many_claims", "too many claims wait at this server")
            .hint("let one claim take several jobs, or start another server")
    })?;
    let request = RemoteClaim {
        worker_id,
        job_types: body.job_types,
        queues: state.shown().claimable(body.queues)?,
        limit: body.limit,
        wait: body.wait.unwrap_or(Duration::ZERO),
        holds: body.holds.iter().map(|JsonObject(held)| (held.id, held.claim_number)).collect(),
    };
    let jobs = state.remote().claim(request, state.closed()).await?;
    Ok(json(&ClaimedJobs { jobs }))
}
