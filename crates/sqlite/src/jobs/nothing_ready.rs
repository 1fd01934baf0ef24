use std::sync::Arc;

use longshore_core::QueueScope;

/// A look that found nothing to claim, and when it was.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct NothingReady {
    pub(crate) job_types: Arc<[String]>,
    pub(crate) scope: QueueScope,
    pub(crate) mark: MovesMark,
}

/// Stays the same for as long as no job has moved, by whatever connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct MovesMark {
    pub(crate) own: u64,
    pub(crate) foreign: i64,
}
