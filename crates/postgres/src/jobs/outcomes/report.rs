use std::sync::Arc;

use longshore_core::{Recorded, Report, WorkerId};

use crate::session::fault::Fault;
use crate::store::Parts;

/// Writes progress and log of running attempts.
pub(crate) async fn report(
    parts: Arc<Parts>,
    _worker_id: WorkerId,
    _reports: Arc<[Report]>,
) -> Result<Vec<Recorded>, Fault> {
    Err(parts.context.closed().into())
}
