pub(crate) mod reclaim;

use std::sync::Arc;

use longshore_core::{ClaimNumber, Extended, Heartbeat, JobId, Registration, WorkerId, WorkerRecord, WorkerSession};

use crate::session::fault::Fault;
use crate::store::Parts;

/// The workers of this store.
#[derive(Debug, Default)]
pub(crate) struct Workers {}

/// Makes a worker known.
pub(crate) async fn register(parts: Arc<Parts>, _registration: Registration) -> Result<Box<dyn WorkerSession>, Fault> {
    Err(parts.context.closed().into())
}

/// Returns every job that the worker holds and deletes its registration.
pub(crate) async fn retire(parts: Arc<Parts>, _worker_id: WorkerId) -> Result<(), Fault> {
    Err(parts.context.closed().into())
}

/// Extends the lease of a worker.
pub(crate) async fn extend(parts: Arc<Parts>, _heartbeat: Heartbeat) -> Result<Extended, Fault> {
    Err(parts.context.closed().into())
}

/// The running jobs of a worker whose cancellation was requested.
pub(crate) async fn cancel_requests(
    parts: Arc<Parts>,
    _worker_id: WorkerId,
) -> Result<Vec<(JobId, ClaimNumber)>, Fault> {
    Err(parts.context.closed().into())
}

/// The registered workers.
pub(crate) async fn records(parts: Arc<Parts>) -> Result<Vec<WorkerRecord>, Fault> {
    Err(parts.context.closed().into())
}
