use std::sync::Arc;

use longshore_core::{QueueScope, Timestamp};

/// A read that found nothing to claim, and its time.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct NothingReady {
    pub(crate) job_types: Arc<[String]>,
    pub(crate) scope: QueueScope,
    /// Whether jobs under a limit were looked for, too.
    pub(crate) takes_limited: bool,
    /// When a limit opened by itself, seen from that read. It is another one, or none, once that has passed.
    pub(crate) opening: Option<Timestamp>,
    pub(crate) mark: MovesMark,
}

/// Equal as long as no connection has changed a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct MovesMark {
    pub(crate) own: u64,
    pub(crate) foreign: i64,
}
