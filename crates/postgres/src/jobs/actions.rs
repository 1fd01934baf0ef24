use std::sync::Arc;

use longshore_core::{Action, Actioned, JobEdit, JobId, Selection};

use crate::session::fault::Fault;
use crate::store::Parts;

/// Changes the selected jobs.
pub(crate) async fn act(parts: Arc<Parts>, _selection: Selection, _action: Action) -> Result<Actioned, Fault> {
    Err(parts.context.closed().into())
}

/// Changes one job that is not running.
pub(crate) async fn edit(parts: Arc<Parts>, _id: JobId, _edit: JobEdit) -> Result<Actioned, Fault> {
    Err(parts.context.closed().into())
}
