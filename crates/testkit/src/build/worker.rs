use std::sync::Arc;
use std::time::Duration;

use longshore_core::{Registration, Store, WorkerId};

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

/// Registers a worker that keeps its session as long as its store is open, and then dies as its process would.
pub async fn register_for_good(store: &impl Store, registration: Registration) -> WorkerId {
    let worker_id = registration.worker_id.clone();
    let session = store.register(registration).await.expect("a worker can be registered");
    // Dropping it would give it up.
    std::mem::forget(session);
    worker_id
}
