use std::time::Duration;

use longshore_core::{
    Console, Filter, JobId, Lease, Maintained, Maintenance, NewJob, Retention, Status, Store, WorkerId, WorkerSession,
};
use longshore_postgres::{PostgresOptions, PostgresStore};
use longshore_testkit::{claim, ended, worker};
use longshore_testkit_postgres::TestDatabase;

use crate::template;

/// Where the first partition ends.
pub(crate) const FIRST: i64 = 1_000_000;

pub(crate) struct Scene {
    pub(crate) database: TestDatabase,
    pub(crate) store: PostgresStore,
    pub(crate) worker_id: WorkerId,
    pub(crate) _session: Box<dyn WorkerSession>,
}

impl Scene {
    pub(crate) async fn new() -> Self {
        Self::with(template::migrated(), |options| options).await
    }

    pub(crate) async fn with(database: TestDatabase, change: impl FnOnce(PostgresOptions) -> PostgresOptions) -> Self {
        let options = change(PostgresOptions::new(database.config()));
        let store = PostgresStore::connect_lazily(options).expect("a thread can be started");
        let registration = worker().lease(Duration::from_secs(600)).registration();
        let worker_id = registration.worker_id.clone();
        let session = store.register(registration).await.expect("a worker can be registered");
        Self { database, store, worker_id, _session: session }
    }

    /// The next job gets this id.
    pub(crate) fn go_to(&self, id: i64) {
        self.database.sql(&format!("SELECT setval('longshore.job_id', {id}, false)"));
    }

    pub(crate) async fn enqueue(&self, jobs: Vec<NewJob>) -> Vec<JobId> {
        let enqueued = self.store.enqueue(jobs).await.expect("the jobs are acceptable");
        enqueued.into_iter().map(|enqueued| enqueued.id).collect()
    }

    pub(crate) async fn claim(&self, limit: u32) -> Vec<Lease> {
        self.store.claim(claim(&self.worker_id, limit)).await.expect("the worker may claim").leases
    }

    pub(crate) async fn complete(&self, leases: &[Lease]) {
        let records: Vec<_> = leases.iter().map(|lease| ended(lease).completed()).collect();
        let recorded = self.store.record(self.worker_id.clone(), records.into()).await;
        recorded.expect("outcomes can be written");
    }

    /// Everything that has ended until now is over.
    pub(crate) async fn keep_house(&self) -> Maintained {
        self.try_to_keep_house().await.expect("house can be kept")
    }

    pub(crate) async fn try_to_keep_house(&self) -> Result<Maintained, longshore_core::StoreError> {
        // What has just ended is older than now.
        tokio::time::sleep(Duration::from_millis(2)).await;
        let old = Maintenance {
            retention: Retention::After(Duration::ZERO),
            dead_letter_retention: Retention::Forever,
            rows_max: 1000,
        };
        self.store.maintain(old).await
    }

    /// The bounds of the partitions of a table, in order.
    pub(crate) fn bounds(&self, table: &str) -> Vec<String> {
        let rows = self.database.sql(&format!(
            "SELECT replace(replace(pg_get_expr(c.relpartbound, c.oid), 'FOR VALUES ', ''), '''', '')
             FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
             WHERE i.inhparent = 'longshore.{table}'::regclass
             ORDER BY NULLIF((regexp_match(pg_get_expr(c.relpartbound, c.oid), 'FROM \\(''?([0-9]+)'))[1], '')::bigint NULLS FIRST"
        ));
        rows.into_iter().filter_map(|row| row.into_iter().next().flatten()).collect()
    }

    /// Every table has the same partitions.
    pub(crate) fn all_bounds(&self) -> Vec<String> {
        let bounds = self.bounds("job");
        for table in ["ended", "attempt", "log_chunk"] {
            assert_eq!(self.bounds(table), bounds, "{table}");
        }
        bounds
    }

    /// The jobs as the view shows them.
    pub(crate) fn shown(&self) -> Vec<Vec<Option<String>>> {
        self.database.sql("SELECT q::text FROM longshore.job_queue AS q ORDER BY id")
    }

    pub(crate) async fn count(&self, status: Status) -> u64 {
        let filter = Filter::all().statuses([status]);
        let counted = self.store.count(filter.into()).await.expect("jobs can be counted");
        let rows = self.database.sql(&format!("SELECT count(*) FROM longshore.job_queue WHERE status = '{status}'"));
        assert_eq!(rows[0][0].as_deref(), Some(counted.to_string().as_str()), "the count of {status} jobs is right");
        counted
    }

    pub(crate) fn number(&self, sql: &str) -> i64 {
        self.database.sql(sql)[0][0].as_deref().expect("it is a number").parse().expect("it is a number")
    }
}
