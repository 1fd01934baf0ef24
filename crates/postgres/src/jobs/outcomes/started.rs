use std::sync::Arc;

use longshore_core::{ClaimNumber, JobId, Recorded, StartedAttempt, WorkerId};

use crate::session::fault::Fault;
use crate::store::Parts;

/// Notes that attempts begin.
pub(crate) async fn mark_started(
    parts: Arc<Parts>,
    _worker_id: WorkerId,
    _attempts: Arc<[StartedAttempt]>,
) -> Result<(), Fault> {
    Err(parts.context.closed().into())
}

/// Writes that the attempt of a suspect will start alone.
pub(crate) async fn begin_isolated(
    parts: Arc<Parts>,
    _worker_id: WorkerId,
    _id: JobId,
    _claim_number: ClaimNumber,
) -> Result<Recorded, Fault> {
    Err(parts.context.closed().into())
}
