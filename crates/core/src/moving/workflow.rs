use std::time::Duration;

use crate::{BatchId, BatchRole, DependencyState, JobData, JobId, Needs, Otherwise, Status, Timestamp};

/// A job's place in its workflow, as a database keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MovedMember {
    /// Its batch; none if it only has a name.
    pub batch: Option<BatchId>,
    /// What it is to its batch.
    pub role: BatchRole,
    /// The name that its workflow gave it.
    pub reference: Option<String>,
    /// The final status that the counts of the batch hold of it.
    pub counted: Option<Status>,
}

/// What a job waits or waited for, as a database keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MovedDependency {
    /// What it waits for.
    pub target: MovedTarget,
    /// The name that its workflow gave to the job that it waits for.
    pub reference: Option<String>,
    /// Which end.
    pub needs: Needs,
    /// What becomes of the job when that can no longer happen.
    pub otherwise: Otherwise,
    /// Where it is.
    pub state: DependencyState,
    /// How long a signal is waited for.
    pub timeout: Option<Duration>,
    /// Until when it is waited for.
    pub timeout_at: Option<Timestamp>,
}

/// What a job waits for, by its id.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum MovedTarget {
    /// A job.
    Job(JobId),
    /// A batch.
    Batch(BatchId),
    /// A signal to a batch.
    Signal {
        /// The batch.
        batch: BatchId,
        /// The name of the signal.
        name: String,
    },
}

/// A signal that was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MovedSignal {
    /// The batch.
    pub batch: BatchId,
    /// Its name.
    pub name: String,
    /// What it told.
    pub data: Option<JobData>,
}
