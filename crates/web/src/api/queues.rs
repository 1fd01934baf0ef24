use axum::response::Response;
use longshore_core::{Clock, Deed, InvalidJob, QueueChange, SystemClock};
use longshore_report::{ChangedQueue, QueueList, WorkerList};

use crate::access::Scope;
use crate::audit::Audit;
use crate::endpoint::Endpoint;
use crate::error::ApiError;
use crate::input::{PathName, Query};
use crate::json::json;
use crate::state::State;

pub(super) fn endpoints() -> Vec<Endpoint> {
    vec![
        Endpoint::get("/api/v1/queues", Scope::Read, list)
            .says("Lists the queues with depth, running jobs, and the age of the oldest that waits")
            .answers(200, "QueueList"),
        Endpoint::post("/api/v1/queues/{queue}/pause", Scope::Operate, pause)
            .says("Stops claims from a queue; running jobs continue")
            .answers(200, "ChangedQueue"),
        Endpoint::post("/api/v1/queues/{queue}/resume", Scope::Operate, resume)
            .says("Lets workers claim from a queue again")
            .answers(200, "ChangedQueue"),
        Endpoint::get("/api/v1/workers", Scope::Read, workers)
            .says("Lists the workers and the jobs that they run")
            .answers(200, "WorkerList"),
    ]
}

async fn list(State(state): State, query: Query) -> Result<Response, ApiError> {
    query.end()?;
    let stats = state.shown().stats(0).await?;
    Ok(json(&QueueList::new(stats.queues, SystemClock::new().now())))
}

async fn workers(State(state): State, query: Query) -> Result<Response, ApiError> {
    query.end()?;
    Ok(json(&WorkerList { workers: state.shown().workers().await? }))
}

async fn pause(state: State, audit: Audit, queue: PathName, query: Query) -> Result<Response, ApiError> {
    change(state, audit, queue, query, QueueChange::Pause).await
}

async fn resume(state: State, audit: Audit, queue: PathName, query: Query) -> Result<Response, ApiError> {
    change(state, audit, queue, query, QueueChange::Resume).await
}

async fn change(
    State(state): State,
    audit: Audit,
    PathName(queue): PathName,
    query: Query,
    change: QueueChange,
) -> Result<Response, ApiError> {
    query.end()?;
    // No job can have this queue name, so it is a mistake.
    InvalidJob::check_queue(&queue)?;
    audit.change(Deed::on_queue(change, &queue), state.shown().change_queue(queue.clone(), change)).await?;
    Ok(json(&ChangedQueue { queue: &queue, is_paused: change == QueueChange::Pause }))
}
