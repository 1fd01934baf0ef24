use longshore_core::{ClaimNumber, JobId, Lease, Timestamp, fractional_seconds};
use serde::{Serialize, Serializer};

use crate::handler::job_document::JobDocument;
use crate::workflow::DependencyList;

/// How many bytes of the results of its dependencies a claimed job brings along.
pub(super) const RESULT_BYTES_MAX: usize = 1024 * 1024;

/// A job that a remote worker has claimed. Serialised as programs get it, with what a worker needs beyond that.
pub struct ClaimedJob {
    pub(super) lease: Lease,
    pub(super) dependencies: DependencyList,
}

#[derive(Serialize)]
struct Document<'a> {
    #[serde(flatten)]
    job: JobDocument<'a>,
    claim_number: ClaimNumber,
    priority: i32,
    /// How long the attempt may run. The worker must see to it.
    timeout_seconds: Option<f64>,
    deadline_at: Option<Timestamp>,
    /// Whether it must not run beside other jobs, because a worker was lost while it ran.
    runs_alone: bool,
    /// The W3C trace context of the enqueue.
    traceparent: Option<String>,
}

impl ClaimedJob {
    /// The job.
    pub const fn id(&self) -> JobId {
        self.lease.id
    }

    /// The fence of this attempt.
    pub const fn claim_number(&self) -> ClaimNumber {
        self.lease.claim_number
    }
}

impl Serialize for ClaimedJob {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let lease = &self.lease;
        let document = Document {
            job: JobDocument::new(lease, &self.dependencies),
            claim_number: lease.claim_number,
            priority: lease.priority.0,
            timeout_seconds: lease.timeout.map(fractional_seconds),
            deadline_at: lease.budgets.time.deadline_at,
            runs_alone: lease.budgets.is_suspect(),
            traceparent: lease.metadata.as_ref().and_then(longshore_core::traceparent),
        };
        document.serialize(serializer)
    }
}
