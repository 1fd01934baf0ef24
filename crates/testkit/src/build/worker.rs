use std::sync::Arc;
use std::time::Duration;

use longshore_core::{Registration, WorkerId};

use super::JOB_TYPE;

/// A worker that is to make itself known: type `work`, all queues, 4 slots, a lease of 30 s unless told.
#[derive(Clone, Debug)]
pub struct WorkerBuilder(Registration);

/// A worker with a fresh identity and every property at its default.
pub fn worker() -> WorkerBuilder {
    WorkerBuilder(Registration {
        worker_id: WorkerId::random(),
        host: "test".to_owned(),
        pid: 1,
        lease: Duration::from_secs(30),
        queues: Vec::new(),
        job_types: Arc::new([JOB_TYPE.to_owned()]),
        concurrency: 4,
    })
}

impl WorkerBuilder {
    /// Its identity, where a test wants to know it beforehand.
    #[must_use]
    pub fn id(mut self, worker_id: WorkerId) -> Self {
        self.0.worker_id = worker_id;
        self
    }

    /// How long its jobs stay its own without a heartbeat.
    #[must_use]
    pub fn lease(mut self, lease: Duration) -> Self {
        self.0.lease = lease;
        self
    }

    /// The types that it can run.
    #[must_use]
    pub fn job_types<const N: usize>(mut self, job_types: [&str; N]) -> Self {
        self.0.job_types = job_types.iter().map(ToString::to_string).collect();
        self
    }

    /// How many jobs it runs at once.
    #[must_use]
    pub fn concurrency(mut self, concurrency: u32) -> Self {
        self.0.concurrency = concurrency;
        self
    }

    /// What a store is told.
    pub fn registration(self) -> Registration {
        self.0
    }
}
