use std::sync::Arc;
use std::time::Duration;

use longshore_core::{Presence, Registration, Store, TypeSettings, WorkerId};

use super::JOB_TYPE;

/// A worker to register. Defaults: type `work`, all queues, 4 slots, a lease of 30 s.
#[derive(Clone, Debug)]
pub struct WorkerBuilder(Registration);

/// A worker with a new identity and the defaults.
pub fn worker() -> WorkerBuilder {
    WorkerBuilder(Registration {
        worker_id: WorkerId::random(),
        host: "test".to_owned(),
        pid: 1,
        lease: Duration::from_secs(30),
        queues: Vec::new(),
        job_types: Arc::new([JOB_TYPE.to_owned()]),
        settings: Arc::new([]),
        concurrency: 4,
        presence: Presence::Process,
    })
}

impl WorkerBuilder {
    /// Sets its identity, if a test must know it beforehand.
    #[must_use]
    pub fn id(mut self, worker_id: WorkerId) -> Self {
        self.0.worker_id = worker_id;
        self
    }

    /// Sets how long it keeps its jobs without a heartbeat.
    #[must_use]
    pub fn lease(mut self, lease: Duration) -> Self {
        self.0.lease = lease;
        self
    }

    /// Sets the job types that it can run.
    #[must_use]
    pub fn job_types<const N: usize>(mut self, job_types: [&str; N]) -> Self {
        self.0.job_types = job_types.iter().map(ToString::to_string).collect();
        self
    }

    /// Sets the queues that it takes from.
    #[must_use]
    pub fn queues<const N: usize>(mut self, queues: [&str; N]) -> Self {
        self.0.queues = queues.iter().map(ToString::to_string).collect();
        self
    }

    /// Sets the settings of its types.
    #[must_use]
    pub fn settings<const N: usize>(mut self, settings: [TypeSettings; N]) -> Self {
        self.0.settings = settings.into();
        self
    }

    /// Sets how many jobs it runs at once.
    #[must_use]
    pub fn concurrency(mut self, concurrency: u32) -> Self {
        self.0.concurrency = concurrency;
        self
    }

    /// Lets only its heartbeats show that it lives.
    #[must_use]
    pub fn by_heartbeats(mut self) -> Self {
        self.0.presence = Presence::Heartbeats;
        self
    }

    /// The registration for a store.
    pub fn registration(self) -> Registration {
        self.0
    }
}

/// Registers a worker that keeps its session as long as its store is open, and then dies as its process would.
pub async fn register_for_good(store: &(impl Store + ?Sized), registration: Registration) -> WorkerId {
    let worker_id = registration.worker_id.clone();
    let session = store.register(registration).await.expect("a worker can be registered");
    // Dropping it would give it up.
    std::mem::forget(session);
    worker_id
}
