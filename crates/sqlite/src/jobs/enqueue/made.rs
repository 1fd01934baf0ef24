use longshore_core::{Enqueued, Status};

/// The result for one job.
pub(crate) struct Made {
    pub(crate) enqueued: Enqueued,
    pub(super) change: Change,
}

/// The change that a job made to the counts.
pub(super) enum Change {
    /// A new job with this status.
    Entered(Status),
    /// A duplicate got the content of the new job, and its status in its queue may have changed.
    Moved { queue: String, from: Status, to: Status },
    /// A duplicate was not changed.
    Nothing,
}
