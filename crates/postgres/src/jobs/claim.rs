pub(crate) mod hints;

use std::sync::Arc;

use longshore_core::{ClaimRequest, Claimed};

use crate::session::fault::Fault;
use crate::store::Parts;

/// What the claims of this store share.
#[derive(Debug, Default)]
pub(crate) struct Claims {}

/// Claims runnable jobs.
pub(crate) async fn claim(parts: Arc<Parts>, _request: ClaimRequest) -> Result<Claimed, Fault> {
    Err(parts.context.closed().into())
}
