use std::sync::Arc;

use longshore_core::Health;

use crate::session::fault::Fault;
use crate::store::Parts;

/// The facts that `doctor` checks.
pub(crate) async fn health(parts: Arc<Parts>) -> Result<Health, Fault> {
    Err(parts.context.closed().into())
}
