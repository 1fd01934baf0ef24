use axum::extract::Request;
use axum::response::Response;
use longshore_core::{Action, Actioned, JobId, JsonObject, Priority, Refusal, Selection};
use serde::{Deserialize, Serialize};

use super::filter::FilterBody;
use super::selection::{RETRY, RETRY_SELECTION, RetryBody, RetrySelectionBody, SELECTION, SelectionBody};
use crate::access::Scope;
use crate::audit::Audit;
use crate::endpoint::Endpoint;
use crate::endpoint::document::Body;
use crate::error::ApiError;
use crate::input::{JsonBody, OptionalBody, PathId, Query, json_body};
use crate::json::json;
use crate::state::State;

pub(super) fn endpoints() -> Vec<Endpoint> {
    vec![
        Endpoint::post("/api/v1/jobs/retry", Scope::Operate, retry)
            .says("Retries jobs by id or by filter, with new budgets. Without `status`, completed jobs are left out.")
            .body(RETRY_SELECTION)
            .answers(200, "Changed"),
        Endpoint::post("/api/v1/jobs/cancel", Scope::Operate, cancel)
            .says("Cancels jobs by id or by filter. Running ones are asked to stop.")
            .body(SELECTION)
            .answers(200, "Changed"),
        Endpoint::post("/api/v1/jobs/delete", Scope::Operate, delete)
            .says("Deletes jobs that are not running, with their history, by id or by filter")
            .body(SELECTION)
            .answers(200, "Changed"),
        Endpoint::post("/api/v1/jobs/priority", Scope::Operate, reprioritise)
            .says("Changes the priority of jobs that have not ended, by id or by filter")
            .body(Body { schemas: &["PrioritySelection"], is_required: true })
            .answers(200, "Changed"),
        Endpoint::post("/api/v1/jobs/{id}/retry", Scope::Operate, retry_one)
            .says("Retries a job now, with new budgets")
            .body(RETRY)
            .answers(200, "Changed"),
        Endpoint::post("/api/v1/jobs/{id}/cancel", Scope::Operate, cancel_one)
            .says("Cancels a job. A running one is asked to stop.")
            .answers(200, "Changed"),
        Endpoint::post("/api/v1/jobs/{id}/priority", Scope::Operate, reprioritise_one)
            .says("Changes the priority of a job that has not ended")
            .body(Body { schemas: &["NewPriority"], is_required: true })
            .answers(200, "Changed"),
        Endpoint::delete("/api/v1/jobs/{id}", Scope::Operate, delete_one)
            .says("Deletes a job that is not running, with its history")
            .answers(200, "Changed"),
    ]
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct PrioritySelectionBody {
    priority: Priority,
    // Not flattened: serde would then accept unknown fields.
    #[serde(default)]
    ids: Option<Vec<JobId>>,
    #[serde(default)]
    filter: Option<JsonObject<FilterBody>>,
    #[serde(default)]
    dry_run: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct NewPriorityBody {
    priority: Priority,
}

/// How many jobs a change would touch.
#[derive(Serialize)]
struct Counted {
    dry_run: bool,
    matching: u64,
}

/// What a change did.
#[derive(Serialize)]
struct Changed<'a> {
    touched: u64,
    refused: Vec<Refused<'a>>,
}

#[derive(Serialize)]
struct Refused<'a> {
    #[serde(flatten)]
    refusal: &'a Refusal,
    message: String,
}

async fn retry(
    state: State,
    audit: Audit,
    query: Query,
    body: JsonBody<RetrySelectionBody>,
) -> Result<Response, ApiError> {
    let (selection, action) = body.0.parts();
    change(state, audit, query, selection, action).await
}

async fn cancel(state: State, audit: Audit, query: Query, body: JsonBody<SelectionBody>) -> Result<Response, ApiError> {
    change(state, audit, query, body.0, Action::Cancel).await
}

async fn delete(state: State, audit: Audit, query: Query, body: JsonBody<SelectionBody>) -> Result<Response, ApiError> {
    change(state, audit, query, body.0, Action::Delete).await
}

async fn reprioritise(
    state: State,
    audit: Audit,
    query: Query,
    JsonBody(body): JsonBody<PrioritySelectionBody>,
) -> Result<Response, ApiError> {
    let PrioritySelectionBody { priority, ids, filter, dry_run } = body;
    change(state, audit, query, SelectionBody::new(ids, filter, dry_run), Action::Reprioritise(priority)).await
}

/// Changes the selected jobs, or counts them.
pub(super) async fn change(
    State(state): State,
    audit: Audit,
    query: Query,
    body: SelectionBody,
    action: Action,
) -> Result<Response, ApiError> {
    query.end()?;
    let is_dry_run = body.is_dry_run();
    let selection = body.into_selection(action.usual_statuses())?;
    if is_dry_run {
        return Ok(json(&Counted { dry_run: true, matching: state.shown().count(selection).await? }));
    }
    Ok(changed(&audit.act(selection, action).await?))
}

pub(super) fn changed(actioned: &Actioned) -> Response {
    let refused = actioned.refused.iter().map(|refusal| Refused { refusal, message: refusal.to_string() });
    json(&Changed { touched: actioned.touched, refused: refused.collect() })
}

async fn retry_one(
    audit: Audit,
    id: PathId,
    query: Query,
    body: OptionalBody<RetryBody>,
) -> Result<Response, ApiError> {
    change_one(audit, id, query, body.0.action()).await
}

async fn cancel_one(audit: Audit, id: PathId, query: Query) -> Result<Response, ApiError> {
    change_one(audit, id, query, Action::Cancel).await
}

async fn delete_one(audit: Audit, id: PathId, query: Query) -> Result<Response, ApiError> {
    change_one(audit, id, query, Action::Delete).await
}

async fn reprioritise_one(audit: Audit, id: PathId, query: Query, request: Request) -> Result<Response, ApiError> {
    let NewPriorityBody { priority } = json_body::parse(&json_body::read(request).await?)?;
    change_one(audit, id, query, Action::Reprioritise(priority)).await
}

/// Changes one job. That it cannot be changed is an error here.
pub(super) async fn change_one(
    audit: Audit,
    PathId(id): PathId,
    query: Query,
    action: Action,
) -> Result<Response, ApiError> {
    query.end()?;
    let actioned = audit.act(Selection::job(id), action).await?;
    match actioned.refused.first() {
        None => Ok(changed(&actioned)),
        Some(refusal) => Err((*refusal).into()),
    }
}
