use axum::http::StatusCode;
use axum::response::Response;
use longshore::remote::{ClaimNumber, RemoteEnd};
use longshore_core::{Failure, FailureType, InvalidCheckpoint, JobData, JobId, StepName};
use serde::Serialize;

use super::bodies::{CompletedAttempt, FailedAttempt, NewCheckpoint, ReturnedAttempt, SnoozedAttempt};
use super::path::PathAttempt;
use crate::error::ApiError;
use crate::input::{JsonBody, Query};
use crate::json::json;
use crate::state::{State, WebState};

pub(super) async fn complete(
    State(state): State,
    path: PathAttempt,
    query: Query,
    JsonBody(CompletedAttempt { claim_number, result, log }): JsonBody<CompletedAttempt>,
) -> Result<Response, ApiError> {
    query.end()?;
    end(&state, path, claim_number, RemoteEnd::Completed { result }, &log).await
}

pub(super) async fn fail(
    State(state): State,
    path: PathAttempt,
    query: Query,
    JsonBody(body): JsonBody<FailedAttempt>,
) -> Result<Response, ApiError> {
    query.end()?;
    if let Some(delay) = body.rate_limited {
        if body.failure_type.is_some() || body.retry_after.is_some() {
            return Err(ApiError::invalid("rate_limited is no failure: give it without failure_type and retry_after"));
        }
        return end(&state, path, body.claim_number, RemoteEnd::RateLimited { delay }, &body.log).await;
    }
    let mut failure = Failure::new(body.failure_type.unwrap_or(FailureType::Unknown), body.message());
    failure.traceback = body.traceback();
    let failed = RemoteEnd::Failed { failure, retry_after: body.retry_after };
    end(&state, path, body.claim_number, failed, &body.log).await
}

pub(super) async fn snooze(
    State(state): State,
    path: PathAttempt,
    query: Query,
    JsonBody(SnoozedAttempt { claim_number, delay, log }): JsonBody<SnoozedAttempt>,
) -> Result<Response, ApiError> {
    query.end()?;
    end(&state, path, claim_number, RemoteEnd::Snoozed { delay }, &log).await
}

pub(super) async fn give_back(
    State(state): State,
    path: PathAttempt,
    query: Query,
    JsonBody(ReturnedAttempt { claim_number, log }): JsonBody<ReturnedAttempt>,
) -> Result<Response, ApiError> {
    query.end()?;
    end(&state, path, claim_number, RemoteEnd::Returned, &log).await
}

async fn end(
    state: &WebState,
    path: PathAttempt,
    claim_number: ClaimNumber,
    end: RemoteEnd,
    log: &str,
) -> Result<Response, ApiError> {
    Ok(json(&state.remote().end(path.under(claim_number), end, log).await?))
}

/// What was stored.
#[derive(Serialize)]
struct SavedCheckpoint {
    id: JobId,
    claim_number: ClaimNumber,
    step: Option<String>,
}

pub(super) async fn checkpoint(
    State(state): State,
    path: PathAttempt,
    query: Query,
    JsonBody(NewCheckpoint { claim_number, value, step }): JsonBody<NewCheckpoint>,
) -> Result<Response, ApiError> {
    query.end()?;
    let name = step.clone().map(step_name).transpose()?;
    let attempt = path.under(claim_number);
    let id = attempt.id;
    state.remote().save_checkpoint(attempt, name, value).await?;
    Ok(json(&SavedCheckpoint { id, claim_number, step }))
}

/// The result of a step.
#[derive(Serialize)]
struct StepResult {
    step: String,
    result: JobData,
}

pub(super) async fn step(State(state): State, path: PathAttempt, mut query: Query) -> Result<Response, ApiError> {
    let claim_number: Option<i64> = query.one("claim_number")?;
    query.end()?;
    let claim_number = claim_number.ok_or_else(|| ApiError::invalid("the query must name the claim_number"))?;
    let step = path.step.clone().unwrap_or_default();
    let name = step_name(step.clone())?;
    match state.remote().step_result(path.under(ClaimNumber(claim_number)), name).await? {
        Some(result) => Ok(json(&StepResult { step, result })),
        None => Err(ApiError::not_found(format_args!("result of the step {step:?}"))),
    }
}

fn step_name(name: String) -> Result<StepName, ApiError> {
    StepName::new(name).map_err(|error: InvalidCheckpoint| {
        ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid_checkpoint", error.to_string())
    })
}
