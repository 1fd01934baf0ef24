use std::time::Duration;

use crate::{Budgets, ClaimNumber, JobData, JobId, Priority, Timestamp};

/// A claimed job: the right of one worker to run it until its lease ends.
#[derive(Clone, Debug, PartialEq)]
pub struct Lease {
    /// The job.
    pub id: JobId,
    /// The fence: every write of this attempt names it.
    pub claim_number: ClaimNumber,
    /// Which handler runs it.
    pub job_type: String,
    /// The payload.
    pub job_data: JobData,
    /// The queue it came from.
    pub queue: String,
    /// Higher runs first.
    pub priority: Priority,
    /// What it has spent and may spend.
    pub budgets: Budgets,
    /// The time limit of the attempt, if the job has its own.
    pub timeout: Option<Duration>,
    /// From when on it could have been claimed, for its waiting time.
    pub ready_at: Timestamp,
    /// What the application keeps beside the payload.
    pub metadata: Option<JobData>,
}

impl Lease {
    /// Which try this is, from one.
    pub const fn attempt(&self) -> u32 {
        self.budgets.retry_count.saturating_add(1)
    }
}
