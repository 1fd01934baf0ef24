use axum::extract::{FromRequestParts, RawPathParams};
use axum::http::StatusCode;
use axum::http::request::Parts;
use longshore::remote::{ClaimNumber, RemoteAttempt, RemoteWorkers, WorkerId};
use longshore_core::{InvalidId, JobId};

use crate::error::ApiError;
use crate::state::Mounted;

/// The worker over HTTP that a path names. The user may speak for it.
#[derive(Clone, Debug)]
pub(super) struct PathWorker(pub(super) WorkerId);

/// The worker and the job that a path names. The user may speak for the worker.
#[derive(Clone, Debug)]
pub(super) struct PathAttempt {
    worker_id: WorkerId,
    id: JobId,
    /// The last name of the path.
    pub(super) step: Option<String>,
}

impl PathAttempt {
    pub(super) fn under(self, claim_number: ClaimNumber) -> RemoteAttempt {
        RemoteAttempt { worker_id: self.worker_id, id: self.id, claim_number }
    }
}

/// By their names, because an application may mount the router below names of its own.
struct Names(Vec<(String, String)>);

impl Names {
    async fn read(parts: &mut Parts, mounted: &Mounted) -> Result<Self, ApiError> {
        let params = RawPathParams::from_request_parts(parts, mounted).await;
        let params = params.map_err(|_| ApiError::invalid("a name in the path is not UTF-8"))?;
        Ok(Self(params.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()))
    }

    fn of(&self, name: &str) -> Option<&str> {
        self.0.iter().rev().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    async fn worker(&self, parts: &Parts, mounted: &Mounted) -> Result<WorkerId, ApiError> {
        let worker = RemoteWorkers::identity(self.of("worker").unwrap_or_default()).ok_or_else(no_worker)?;
        if mounted.seen_by(&parts.extensions).shown().may_be(&worker).await? { Ok(worker) } else { Err(no_worker()) }
    }
}

/// The error for a worker that is none, or for which the user may not speak.
pub(super) fn no_worker() -> ApiError {
    ApiError::new(StatusCode::NOT_FOUND, "not_a_worker", "the path names no worker over HTTP")
        .hint("register one with POST /api/v1/workers, and use the worker_id that it answers")
}

impl FromRequestParts<Mounted> for PathWorker {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, mounted: &Mounted) -> Result<Self, ApiError> {
        Names::read(parts, mounted).await?.worker(parts, mounted).await.map(Self)
    }
}

impl FromRequestParts<Mounted> for PathAttempt {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, mounted: &Mounted) -> Result<Self, ApiError> {
        let names = Names::read(parts, mounted).await?;
        let id = names.of("id").unwrap_or_default().parse();
        let id = id.map_err(|error: InvalidId| ApiError::invalid(error.to_string()))?;
        Ok(Self { worker_id: names.worker(parts, mounted).await?, id, step: names.of("step").map(str::to_owned) })
    }
}
