pub(crate) mod changes;
pub(crate) mod subscribers;

use std::pin::Pin;
use std::sync::Arc;

use crate::{ClaimNumber, JobId, QueueScope, WorkerId};

/// What a subscriber acts on: only that wakes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Interest {
    /// Whatever changes.
    Anything,
    /// Jobs that its claims could get, now or when they come due.
    Jobs {
        /// The types that it can run.
        job_types: Arc<[String]>,
        /// The queues that it takes from; the limits play no part.
        scope: QueueScope,
    },
    /// Schedules that are due at other instants than before, because somebody has changed them.
    Schedules,
    /// Requests to end the running jobs of this worker.
    Cancellations {
        /// The worker, registered or not.
        worker_id: WorkerId,
    },
}

/// What may have happened since the last hint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hint {
    /// Anything: the store knows no more, as after a commit of another program. The subscriber reads what it acts on.
    Anything,
    /// Jobs that the subscriber asked about may wait.
    Jobs,
    /// The end of these running jobs was asked for through this store. A request that came another way is told by
    /// [`Hint::Anything`].
    Cancellations(Vec<(JobId, ClaimNumber)>),
}

/// A subscription to hints.
pub trait Wakeups: Send {
    /// Resolves after something of interest may have happened since the last call, or since the subscription began.
    /// Several hints become one. Cancellation safe: a hint that was not returned comes with the next call.
    fn changed(&mut self) -> Pin<Box<dyn Future<Output = Hint> + Send + '_>>;
}
