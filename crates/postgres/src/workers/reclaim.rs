use std::sync::Arc;

use longshore_core::Reclaimed;

use crate::session::fault::Fault;
use crate::store::Parts;

/// Finds dead workers and returns their jobs.
pub(crate) async fn reclaim(parts: Arc<Parts>) -> Result<Reclaimed, Fault> {
    Err(parts.context.closed().into())
}
