use std::time::Duration;

use crate::{Budgets, ClaimNumber, JobData, JobId, Priority, Timestamp};

/// A claimed job: one worker may run it until the lease ends.
#[derive(Clone, Debug, PartialEq)]
pub struct Lease {
    /// The job id.
    pub id: JobId,
    /// The fence: every write of this attempt names it.
    pub claim_number: ClaimNumber,
    /// The job type; it selects the handler.
    pub job_type: String,
    /// The payload.
    pub job_data: JobData,
    /// The queue that it was claimed from.
    pub queue: String,
    /// Higher runs first.
    pub priority: Priority,
    /// The budgets: what is spent and what is allowed.
    pub budgets: Budgets,
    /// The timeout of the attempt, if the job sets one.
    pub timeout: Option<Duration>,
    /// When the job became claimable; used to compute queue wait.
    pub ready_at: Timestamp,
    /// Data that the application keeps beside the payload.
    pub metadata: Option<JobData>,
    /// The last checkpoint that an earlier attempt stored.
    pub checkpoint: Option<JobData>,
    /// How many steps earlier attempts have finished. Their results are read one by one.
    pub step_count: u32,
    /// Whether it waited for other jobs, a batch or a signal. A parent that was deleted may count.
    /// [`Workflows::dependencies`](crate::Workflows::dependencies) reads their results.
    pub has_dependencies: bool,
}

impl Lease {
    /// The number of this attempt; the first is 1.
    pub const fn attempt(&self) -> u32 {
        self.budgets.retry_count.saturating_add(1)
    }
}
