pub(crate) mod health;
pub(crate) mod housekeeping;
pub(crate) mod stats;

use std::sync::Arc;

use longshore_core::QueueChange;

use crate::session::fault::Fault;
use crate::store::Parts;

/// Pauses or resumes a queue.
pub(crate) async fn change_queue(parts: Arc<Parts>, _queue: String, _change: QueueChange) -> Result<(), Fault> {
    Err(parts.context.closed().into())
}
