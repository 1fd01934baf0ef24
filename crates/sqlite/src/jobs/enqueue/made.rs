use longshore_core::{Enqueued, Status};

/// What came of one job.
pub(crate) struct Made {
    pub(crate) enqueued: Enqueued,
    pub(super) change: Change,
}

/// What a job changed in the counts.
pub(super) enum Change {
    /// A new job stands in this state.
    Entered(Status),
    /// A duplicate was given what the new job says, and may stand in another state of its queue.
    Moved { queue: String, from: Status, to: Status },
    /// A duplicate is as it was.
    Nothing,
}
