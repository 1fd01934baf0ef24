//! Requests with defaults, so that a test says only what it is about.

mod record;
mod worker;

use std::sync::Arc;

use longshore_core::{ClaimRequest, JobData, NewJob, QueueScope, WorkerId};

pub use record::{RecordBuilder, ended};
pub use worker::{WorkerBuilder, worker};

/// The type of every job and worker that is not told another.
pub(crate) const JOB_TYPE: &str = "work";

/// A job of type `work` with every property at its default.
pub fn job() -> NewJob {
    NewJob::new(JOB_TYPE, JobData::default())
}

/// A claim of at most `limit` jobs of type `work` from every queue.
pub fn claim(worker_id: &WorkerId, limit: u32) -> ClaimRequest {
    ClaimRequest {
        worker_id: worker_id.clone(),
        job_types: Arc::new([JOB_TYPE.to_owned()]),
        scope: QueueScope::All,
        limit,
    }
}
