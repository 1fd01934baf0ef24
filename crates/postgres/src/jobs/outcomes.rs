pub(crate) mod report;
pub(crate) mod started;

use std::sync::Arc;

use longshore_core::{Record, Recorded, WorkerId};

use crate::session::fault::Fault;
use crate::store::Parts;

/// Writes what became of attempts.
pub(crate) async fn record(
    parts: Arc<Parts>,
    _worker_id: WorkerId,
    _records: Arc<[Record]>,
) -> Result<Vec<Recorded>, Fault> {
    Err(parts.context.closed().into())
}
