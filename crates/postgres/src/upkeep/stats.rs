use std::sync::Arc;

use longshore_core::Stats;

use crate::session::fault::Fault;
use crate::store::Parts;

/// The depths of all queues, and what ended in the last minutes.
pub(crate) async fn stats(parts: Arc<Parts>, _minutes: u32) -> Result<Stats, Fault> {
    Err(parts.context.closed().into())
}
