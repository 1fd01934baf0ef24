use axum::http::StatusCode;
use axum::response::Response;
use longshore_core::{Action, JobId, Status};
use longshore_report::{JobList, PlacedDetail};

use super::change::{change, change_one};
use super::selection::{RETRY, RETRY_SELECTION, RetryBody, RetrySelectionBody, SELECTION, SelectionBody};
use super::{filter, jobs};
use crate::access::Scope;
use crate::audit::Audit;
use crate::endpoint::Endpoint;
use crate::error::ApiError;
use crate::input::{JsonBody, OptionalBody, PathId, Query};
use crate::json::json;
use crate::state::{State, WebState};

pub(super) fn endpoints() -> Vec<Endpoint> {
    vec![
        Endpoint::get("/api/v1/dead", Scope::Read, list)
            .says("Lists dead letters, newest first")
            .query(filter::kind_parameters())
            .query(jobs::page_parameters())
            .answers(200, "JobList"),
        Endpoint::get("/api/v1/dead/{id}", Scope::Read, show)
            .says("Shows one dead letter with its attempts")
            .answers(200, "JobDetail")
            .fails(&["409"]),
        Endpoint::post("/api/v1/dead/retry", Scope::Operate, retry)
            .says("Retries dead letters by id or by filter")
            .body(RETRY_SELECTION)
            .answers(200, "Changed")
            .fails(&["404"]),
        Endpoint::post("/api/v1/dead/discard", Scope::Operate, discard)
            .says("Deletes dead letters by id or by filter")
            .body(SELECTION)
            .answers(200, "Changed")
            .fails(&["404"]),
        Endpoint::post("/api/v1/dead/{id}/retry", Scope::Operate, retry_one)
            .says("Retries a dead letter")
            .body(RETRY)
            .answers(200, "Changed"),
        Endpoint::post("/api/v1/dead/{id}/discard", Scope::Operate, discard_one)
            .says("Deletes a dead letter")
            .answers(200, "Changed"),
    ]
}

async fn list(State(state): State, mut query: Query) -> Result<Response, ApiError> {
    let filter = filter::take(&mut query)?;
    if filter.statuses.is_some() {
        return Err(ApiError::invalid("dead letters have one status, so the parameter status means nothing here"));
    }
    let request = jobs::page(filter.statuses([Status::DeadLetter]).into(), &mut query)?;
    query.end()?;
    Ok(json(&JobList::new(state.shown().jobs(request).await?, |id| state.place_of(id))))
}

async fn show(State(state): State, PathId(id): PathId, query: Query) -> Result<Response, ApiError> {
    query.end()?;
    let detail = state.shown().job(id).await?.ok_or_else(|| ApiError::no_such_job(id))?;
    if detail.job.status != Status::DeadLetter {
        return Err(not_dead(detail.job.id, detail.job.status));
    }
    Ok(json(&PlacedDetail { detail: &detail, database: state.place_of(id) }))
}

fn not_dead(id: JobId, status: Status) -> ApiError {
    let message = format!("job {id} is not a dead letter, it is {status}");
    ApiError::new(StatusCode::CONFLICT, "not_a_dead_letter", message)
}

async fn retry(
    state: State,
    audit: Audit,
    query: Query,
    body: JsonBody<RetrySelectionBody>,
) -> Result<Response, ApiError> {
    let (selection, action) = body.0.parts();
    check(&state.0, &selection).await?;
    change(state, audit, query, selection.of_status(Status::DeadLetter), action).await
}

async fn discard(
    state: State,
    audit: Audit,
    query: Query,
    body: JsonBody<SelectionBody>,
) -> Result<Response, ApiError> {
    check(&state.0, &body.0).await?;
    change(state, audit, query, body.0.of_status(Status::DeadLetter), Action::Discard).await
}

/// Fails, before anything is changed, unless every named job is a dead letter.
async fn check(state: &WebState, body: &SelectionBody) -> Result<(), ApiError> {
    match body.named()? {
        Some(ids) => check_ids(state, ids).await,
        None => Ok(()),
    }
}

async fn check_ids(state: &WebState, ids: &[JobId]) -> Result<(), ApiError> {
    let known = state.shown().statuses(ids).await?;
    for id in ids.iter().copied() {
        match known.get(&id) {
            None => return Err(ApiError::no_such_job(id)),
            Some(Status::DeadLetter) => {}
            Some(status) => return Err(not_dead(id, *status)),
        }
    }
    Ok(())
}

async fn retry_one(
    state: State,
    audit: Audit,
    id: PathId,
    query: Query,
    body: OptionalBody<RetryBody>,
) -> Result<Response, ApiError> {
    check_ids(&state.0, &[id.0]).await?;
    change_one(audit, id, query, body.0.action()).await
}

async fn discard_one(audit: Audit, id: PathId, query: Query) -> Result<Response, ApiError> {
    change_one(audit, id, query, Action::Discard).await
}
