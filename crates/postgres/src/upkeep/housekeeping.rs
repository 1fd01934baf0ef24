use std::sync::Arc;

use longshore_core::{Maintained, Maintenance};

use crate::session::fault::Fault;
use crate::store::Parts;

/// One bounded step of housekeeping.
pub(crate) async fn maintain(parts: Arc<Parts>, _maintenance: Maintenance) -> Result<Maintained, Fault> {
    Err(parts.context.closed().into())
}
