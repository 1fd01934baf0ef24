use std::time::Duration;

use axum::http::StatusCode;
use axum::response::Response;
use longshore::remote::{HeldAttempt, NewRemoteWorker, RemoteWorkers, WorkerId};
use longshore_core::{JsonObject, Progress};
use serde::Serialize;

use super::bodies::{HeldWithNews, LEASE, NewWorker, WorkerHeartbeat};
use super::path::{PathWorker, no_worker};
use crate::error::ApiError;
use crate::input::{JsonBody, Query};
use crate::json::{json, json_with};
use crate::state::State;

/// A worker that was registered.
#[derive(Serialize)]
struct RegisteredWorker {
    worker_id: WorkerId,
    lease_seconds: f64,
    /// How often it should send a heartbeat, so that several may be lost.
    heartbeat_seconds: f64,
}

/// A worker that has retired.
#[derive(Serialize)]
struct RetiredWorker {
    worker_id: WorkerId,
}

pub(super) async fn register(
    State(state): State,
    query: Query,
    JsonBody(body): JsonBody<NewWorker>,
) -> Result<Response, ApiError> {
    query.end()?;
    body.check()?;
    let identity = |word: &String| {
        RemoteWorkers::identity(word).ok_or_else(|| {
            ApiError::invalid("worker_id must begin with \"http-\" and have up to 64 letters, digits, \"-\" and \"_\"")
        })
    };
    let worker_id = body.worker_id.as_ref().map(identity).transpose()?;
    let lease = body.lease.unwrap_or(LEASE);
    if let Some(worker_id) = &worker_id
        && !state.shown().may_be(worker_id).await?
    {
        return Err(no_worker());
    }
    let NewWorker { job_types, queues, host, pid, concurrency, .. } = body;
    let queues = state.shown().claimable(queues)?;
    let worker = NewRemoteWorker { worker_id, host, pid, lease, queues, job_types, concurrency };
    let worker_id = state.remote().register(worker).await?;
    let heartbeat_seconds = (lease / 6).max(Duration::from_millis(200)).as_secs_f64();
    let registered = RegisteredWorker { worker_id, lease_seconds: lease.as_secs_f64(), heartbeat_seconds };
    Ok(json_with(StatusCode::CREATED, &registered))
}

pub(super) async fn heartbeat(
    State(state): State,
    PathWorker(worker_id): PathWorker,
    query: Query,
    JsonBody(body): JsonBody<WorkerHeartbeat>,
) -> Result<Response, ApiError> {
    query.end()?;
    body.check()?;
    let jobs = body.jobs.into_iter().map(|JsonObject(job)| held(job)).collect::<Result<_, _>>()?;
    Ok(json(&state.remote().heartbeat(&worker_id, jobs).await?))
}

fn held(job: HeldWithNews) -> Result<HeldAttempt, ApiError> {
    let HeldWithNews { id, claim_number, progress, message, log } = job;
    let progress = match (progress, message) {
        (Some(fraction), message) => Some(Progress { fraction, message }),
        (None, Some(_)) => return Err(ApiError::invalid("a message belongs to a progress from 0 to 1")),
        (None, None) => None,
    };
    Ok(HeldAttempt { id, claim_number, progress, log })
}

pub(super) async fn retire(
    State(state): State,
    PathWorker(worker_id): PathWorker,
    query: Query,
) -> Result<Response, ApiError> {
    query.end()?;
    state.remote().retire(&worker_id).await?;
    Ok(json(&RetiredWorker { worker_id }))
}
