//! Requests with defaults, so that a test names only the values that matter to it.

mod record;
mod worker;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use longshore_core::{
    ClaimNumber, ClaimRequest, Heartbeat, Held, JobData, JobId, NewJob, QueueScope, RequestId, WorkerId,
};

pub use record::{RecordBuilder, ended};
pub use worker::{WorkerBuilder, register_for_good, worker};

/// The default type of every job and worker.
pub(crate) const JOB_TYPE: &str = "work";

/// A job of type `work`; all other properties have their defaults.
pub fn job() -> NewJob {
    NewJob::new(JOB_TYPE, JobData::default())
}

/// A claim of at most `limit` jobs of type `work` from all queues, with a unique id.
pub fn claim(worker_id: &WorkerId, limit: u32) -> ClaimRequest {
    ClaimRequest {
        request_id: request_id(),
        worker_id: worker_id.clone(),
        job_types: Arc::new([JOB_TYPE.to_owned()]),
        scope: QueueScope::All,
        limit,
        limited_max: limit,
    }
}

/// An id that no other claim of this process has.
pub fn request_id() -> RequestId {
    static LAST: AtomicU64 = AtomicU64::new(0);
    RequestId(LAST.fetch_add(1, Ordering::Relaxed) + 1)
}

/// A heartbeat that names all that the worker holds, with a number above those of its earlier ones.
pub fn heartbeat(worker_id: &WorkerId, held: Vec<(JobId, ClaimNumber)>) -> Heartbeat {
    static LAST: AtomicU64 = AtomicU64::new(0);
    let number = LAST.fetch_add(1, Ordering::Relaxed) + 1;
    Heartbeat { worker_id: worker_id.clone(), number, held: Held::All(held) }
}
