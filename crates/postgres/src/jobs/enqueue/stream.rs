use std::sync::Arc;

use longshore_core::ValidJobStream;

use crate::session::fault::Fault;
use crate::store::Parts;

/// Enqueues a stream of jobs in one transaction.
pub(crate) async fn enqueue_stream(parts: Arc<Parts>, _jobs: ValidJobStream) -> Result<u64, Fault> {
    Err(parts.context.closed().into())
}
