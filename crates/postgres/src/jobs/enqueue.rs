pub(crate) mod offer;
pub(crate) mod stream;

use std::sync::Arc;

use longshore_core::{Enqueued, ValidJob};

use crate::session::fault::Fault;
use crate::store::Parts;

/// What the enqueues of this store share.
#[derive(Debug, Default)]
pub(crate) struct Enqueues {}

/// Enqueues all of the jobs or none.
pub(crate) async fn enqueue(parts: Arc<Parts>, _jobs: Vec<ValidJob>) -> Result<Vec<Enqueued>, Fault> {
    Err(parts.context.closed().into())
}
