use axum::http::StatusCode;
use axum::response::Response;
use longshore_core::{
    Actioned, BatchChange, BatchId, BatchJobsRequest, BatchStatus, BatchesRequest, Deed, JobData, JobId, NewSignal,
    Status, StoreError,
};
use longshore_report::{BatchDetail, BatchList, ChangedMembers, ClosedBatch, SentSignal};
use serde::Deserialize;

use crate::Access;
use crate::access::Scope;
use crate::audit::Audit;
use crate::endpoint::Endpoint;
use crate::endpoint::document::{Body, Parameter};
use crate::error::ApiError;
use crate::input::{JsonBody, PathId, Query};
use crate::json::json;
use crate::state::{State, WebState};

/// How many batches or jobs a page has at most. One more is read, to see whether there is another page.
const PAGE_MAX: u32 = 500;
const PAGE: u32 = 50;

pub(super) fn endpoints() -> Vec<Endpoint> {
    vec![
        Endpoint::get("/api/v1/batches", Scope::Read, list)
            .says("Lists batches with their counts, newest first")
            .query([
                Parameter::words(
                    "status",
                    "Only batches in one of these states.",
                    BatchStatus::ALL.map(BatchStatus::as_str),
                ),
                Parameter::number("limit", "How many; default 50.", 1..=PAGE_MAX),
                Parameter::text("after", "The `next` of the page before."),
            ])
            .answers(200, "BatchList"),
        Endpoint::get("/api/v1/batches/{id}", Scope::Read, show)
            .says("Shows a batch with its counts, and its jobs by id with what each waits for")
            .query([
                Parameter::words("status", "Only jobs in one of these states.", Status::ALL.map(Status::as_str)),
                Parameter::number(
                    "limit",
                    "How many jobs; default 50. A page looks at 5000 jobs, and may find fewer of a status among them: only \
                     a page without `next` is the last one.",
                    1..=PAGE_MAX,
                ),
                Parameter::text("after", "The `next` of the page before."),
            ])
            .answers(200, "BatchDetail"),
        Endpoint::post("/api/v1/batches/{id}/retry", Scope::Operate, retry)
            .says("Retries the members that are dead letters or were cancelled, with new budgets")
            .answers(200, "ChangedMembers"),
        Endpoint::post("/api/v1/batches/{id}/cancel", Scope::Operate, cancel)
            .says("Cancels the members that have not ended. Running ones are asked to stop.")
            .answers(200, "ChangedMembers"),
        Endpoint::post("/api/v1/batches/{id}/close", Scope::Operate, close)
            .says("Closes a batch: it ends when its members have ended")
            .answers(200, "ClosedBatch"),
        Endpoint::post("/api/v1/batches/{id}/signals", Scope::Operate, signal)
            .says("Sends a signal to a batch. The first of a name counts. Data also needs the scope enqueue.")
            .body(Body { schemas: &["NewSignal"], is_required: true })
            .answers(200, "SentSignal"),
    ]
}

async fn list(State(state): State, mut query: Query) -> Result<Response, ApiError> {
    let statuses: Option<Vec<BatchStatus>> = query.words("status")?;
    let limit = query.number("limit", 1..=PAGE_MAX)?.unwrap_or(PAGE);
    let before = query.one("after")?;
    query.end()?;
    let request = BatchesRequest { statuses, before, limit: limit + 1 };
    let mut batches = state.shown().batches(request).await?;
    let has_more = batches.len() > limit as usize;
    batches.truncate(limit as usize);
    let next = batches.last().filter(|_| has_more).map(|batch| batch.id.to_string());
    Ok(json(&BatchList { batches, next }))
}

async fn show(State(state): State, PathId(id): PathId<BatchId>, mut query: Query) -> Result<Response, ApiError> {
    let statuses: Option<Vec<Status>> = query.words("status")?;
    let limit = query.number("limit", 1..=PAGE_MAX)?.unwrap_or(PAGE);
    let after: Option<JobId> = query.one("after")?;
    query.end()?;
    let batch = state.shown().batch(id).await?.ok_or_else(|| no_such(id))?;
    let page = state.shown().batch_jobs(BatchJobsRequest { id, statuses, after, limit }).await?;
    Ok(json(&BatchDetail::new(batch, page)))
}

pub(crate) fn no_such(id: BatchId) -> ApiError {
    ApiError::new(StatusCode::NOT_FOUND, "batch_not_found", format!("there is no batch {id}"))
        .hint("list the batches with GET /api/v1/batches")
}

async fn retry(State(state): State, audit: Audit, id: PathId<BatchId>, query: Query) -> Result<Response, ApiError> {
    query.end()?;
    changed(&state, audit, id.0, BatchChange::Retry).await
}

async fn cancel(State(state): State, audit: Audit, id: PathId<BatchId>, query: Query) -> Result<Response, ApiError> {
    query.end()?;
    changed(&state, audit, id.0, BatchChange::Cancel).await
}

async fn changed(state: &WebState, audit: Audit, id: BatchId, change: BatchChange) -> Result<Response, ApiError> {
    let actioned = change_members(state, audit, id, change).await?;
    Ok(json(&ChangedMembers { batch_id: id, actioned }))
}

/// Retries or cancels members to the end, even if the client does not wait for it.
pub(crate) async fn change_members(
    state: &WebState,
    audit: Audit,
    id: BatchId,
    change: BatchChange,
) -> Result<Actioned, ApiError> {
    let shown = state.shown().clone();
    let changing = tokio::spawn(async move {
        let changed = audit.change(Deed::on_batch(change, id), shown.change_batch(id, change)).await;
        if let Err(error) = &changed {
            tracing::warn!(batch_id = id.0, code = error.code(), error = %error, "a change of a batch failed");
        }
        changed
    });
    match changing.await.map_err(|_| ApiError::internal())? {
        Err(StoreError::UnknownBatch { batch }) => Err(no_such(batch)),
        changed => Ok(changed?),
    }
}

async fn close(State(state): State, audit: Audit, id: PathId<BatchId>, query: Query) -> Result<Response, ApiError> {
    query.end()?;
    change_members(&state, audit, id.0, BatchChange::Close).await?;
    Ok(json(&ClosedBatch { batch_id: id.0, is_open: false }))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct SignalBody {
    name: String,
    #[serde(default)]
    data: Option<JobData>,
}

async fn signal(
    State(state): State,
    access: Access,
    audit: Audit,
    PathId(id): PathId<BatchId>,
    query: Query,
    JsonBody(SignalBody { name, data }): JsonBody<SignalBody>,
) -> Result<Response, ApiError> {
    query.end()?;
    if data.is_some() {
        // What a job is told is input of its code, as a payload is.
        access.check(Scope::Enqueue)?;
    }
    let is_first = send_signal(&state, &audit, NewSignal { batch: id, name: name.clone(), data }).await?;
    Ok(json(&SentSignal { signal: &name, batch_id: id, is_first }))
}

/// Sends a signal, and says whether it is the first of its name.
pub(crate) async fn send_signal(state: &WebState, audit: &Audit, signal: NewSignal) -> Result<bool, ApiError> {
    signal.check(&state.shown().limits())?;
    let deed = Deed::signal(&signal);
    match audit.change(deed, state.shown().signal(signal)).await {
        Err(StoreError::UnknownBatch { batch }) => Err(no_such(batch)),
        sent => Ok(sent?),
    }
}
