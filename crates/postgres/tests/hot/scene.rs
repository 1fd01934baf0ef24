use std::time::{Duration, Instant};

use longshore_core::{Claimed, JobId, NewJob, Record, Recorded, Store, StoreError, WorkerId};
use longshore_postgres::{PostgresOptions, PostgresStore};
use longshore_testkit::{claim, ended, job, worker};
use longshore_testkit_postgres::TestDatabase;

use crate::template;

/// How long a test waits for what must happen.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// A database with one store and one worker.
pub(crate) struct Scene {
    pub(crate) database: TestDatabase,
    pub(crate) store: PostgresStore,
    pub(crate) worker_id: WorkerId,
    _session: Box<dyn longshore_core::WorkerSession>,
}

impl Scene {
    pub(crate) async fn new() -> Self {
        let database = template::migrated();
        let mut config = database.config();
        config.application_name("hot");
        let store = PostgresStore::connect_lazily(PostgresOptions::new(config)).expect("a thread can be started");
        let registration = worker().lease(Duration::from_secs(600)).registration();
        let worker_id = registration.worker_id.clone();
        let session = store.register(registration).await.expect("a worker can be registered");
        Self { database, store, worker_id, _session: session }
    }

    pub(crate) async fn enqueue(&self, count: usize) -> Vec<JobId> {
        let jobs: Vec<NewJob> = vec![job(); count];
        let enqueued = self.store.enqueue(jobs).await.expect("the jobs are acceptable");
        enqueued.into_iter().map(|enqueued| enqueued.id).collect()
    }

    pub(crate) async fn claim(&self, limit: u32) -> Claimed {
        self.store.claim(claim(&self.worker_id, limit)).await.expect("the worker may claim")
    }

    pub(crate) async fn try_claim(&self, limit: u32) -> Result<Claimed, StoreError> {
        self.store.claim(claim(&self.worker_id, limit)).await
    }

    /// The same after connections have ended. The store learns of the end of an idle one a moment later, and until then
    /// a call that gets it fails before it did anything.
    pub(crate) async fn claim_again(&self, limit: u32) -> Claimed {
        let begun = Instant::now();
        loop {
            match self.try_claim(limit).await {
                Ok(claimed) => return claimed,
                Err(error) => {
                    assert!(error.is_passing() && begun.elapsed() < PATIENCE, "{error:?}");
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
            }
        }
    }

    /// Claims and completes; gives the ids.
    pub(crate) async fn drain(&self, limit: u32) -> Vec<JobId> {
        let leases = self.claim(limit).await.leases;
        let records: Vec<Record> = leases.iter().map(|lease| ended(lease).completed()).collect();
        if !records.is_empty() {
            let answers = self.store.record(self.worker_id.clone(), records.into()).await.expect("it can be written");
            assert!(answers.iter().all(|answer| *answer == Recorded::Recorded), "{answers:?}");
        }
        leases.into_iter().map(|lease| lease.id).collect()
    }

    /// Ends the connections of the store, as an operator or a restart does.
    pub(crate) fn end_connections(&self) {
        // Other tests use the same server.
        let sql = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                   WHERE datname = current_database() AND application_name = 'hot'";
        self.database.sql(sql);
    }
}
