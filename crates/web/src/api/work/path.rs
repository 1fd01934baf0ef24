use axum::extract::{FromRequestParts, RawPathParams};
use axum::http::StatusCode;
use axum::http::request::Parts;
use longshore::remote::{ClaimNumber, RemoteAttempt, RemoteWorkers, WorkerId};
use longshore_core::{InvalidId, JobId};

use crate::error::ApiError;

/// The worker over HTTP that a path names.
#[derive(Clone, Debug)]
pub(super) struct PathWorker(pub(super) WorkerId);

/// The worker and the job that a path names.
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
    async fn read<S: Send + Sync>(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let params = RawPathParams::from_request_parts(parts, state).await;
        let params = params.map_err(|_| ApiError::invalid("a name in the path is not UTF-8"))?;
        Ok(Self(params.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()))
    }

    fn of(&self, name: &str) -> Option<&str> {
        self.0.iter().rev().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    fn worker(&self) -> Result<WorkerId, ApiError> {
        RemoteWorkers::identity(self.of("worker").unwrap_or_default()).ok_or_else(|| {
            ApiError::new(StatusCode::NOT_FOUND, "not_a_worker", "the path names no worker over HTTP")
                .hint("register one with POST /api/v1/workers, and use the worker_id that it answers")
        })
    }
}

impl<S: Send + Sync> FromRequestParts<S> for PathWorker {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        Names::read(parts, state).await?.worker().map(Self)
    }
}

impl<S: Send + Sync> FromRequestParts<S> for PathAttempt {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let names = Names::read(parts, state).await?;
        let id = names.of("id").unwrap_or_default().parse();
        let id = id.map_err(|error: InvalidId| ApiError::invalid(error.to_string()))?;
        Ok(Self { worker_id: names.worker()?, id, step: names.of("step").map(str::to_owned) })
    }
}
