//! The behaviours that every store must have, and the random run against the model, on PostgreSQL.

#[path = "support/template.rs"]
mod template;
#[path = "support/test_clock.rs"]
mod test_clock;

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use longshore_core::{JobId, Limits, Status, WorkerId};
use longshore_postgres::{PostgresOptions, PostgresStore};
use longshore_testkit::suite::{Harness, PlainInsert};
use longshore_testkit::{FakeClock, RandomRun, limit_suite, moving_suite, store_suite, workflow_suite};
use longshore_testkit_postgres::TestDatabase;

/// A separate database, which is dropped with it.
struct Postgres {
    database: TestDatabase,
    clock: FakeClock,
    limits: Limits,
    /// How many stores it has opened.
    opened: AtomicU32,
}

impl Postgres {
    /// The only value of the only row.
    fn value(&self, sql: &str) -> Option<String> {
        let rows = self.database.sql(sql);
        rows.into_iter().next().and_then(|row| row.into_iter().next().flatten())
    }

    /// Waits until the server has ended these sessions; it notices a moment later.
    fn wait_until_none(&self, sessions: &str) {
        let begun = Instant::now();
        let count = format!("SELECT count(*) FROM pg_stat_activity WHERE {sessions}");
        while self.value(&count).as_deref() != Some("0") {
            assert!(begun.elapsed() < Duration::from_secs(30), "the sessions with {sessions} are still there");
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}

impl Harness for Postgres {
    type Store = PostgresStore;

    /// A sequence gives no number twice, not even after a rollback; a claim number is that of a whole batch.
    fn leaves_no_gaps() -> bool {
        false
    }

    /// What was told before the first LISTEN is lost.
    fn looks_before_it_hears() -> bool {
        true
    }

    fn create(clock: FakeClock, limits: Limits) -> Self {
        let database = template::migrated_with_test_clock();
        test_clock::follow(&clock, database.config());
        Self { database, clock, limits, opened: AtomicU32::new(0) }
    }

    fn open(&self) -> PostgresStore {
        let number = self.opened.fetch_add(1, Ordering::Relaxed);
        let mut config = self.database.config();
        config.application_name(format!("store-{number}"));
        let options = PostgresOptions::new(config).limits(self.limits).clock(Arc::new(self.clock.clone()));
        PostgresStore::connect_lazily(options).expect("a thread can be started")
    }

    fn spoil_count(&self, queue: &str, status: Status, by: i64) -> bool {
        self.database.sql(&format!("INSERT INTO longshore.change (queue, {status}) VALUES ('{queue}', {by})"));
        true
    }

    fn try_insert_plainly(&self, plain: &PlainInsert) -> Result<JobId, String> {
        let PlainInsert { job_type, queue, priority, max_retries, timeout_seconds } = plain;
        let columns = [
            ("job_type", Some(format!("'{job_type}'"))),
            ("queue", queue.as_ref().map(|queue| format!("'{queue}'"))),
            ("priority", priority.map(|priority| priority.to_string())),
            ("max_retries", max_retries.map(|max_retries| max_retries.to_string())),
            ("timeout_seconds", timeout_seconds.map(|seconds| seconds.to_string())),
        ];
        let (names, values): (Vec<_>, Vec<_>) =
            columns.into_iter().filter_map(|(name, value)| value.map(|value| (name, value))).unzip();
        let insert = format!(
            "INSERT INTO longshore.job_queue ({}) VALUES ({}) RETURNING id",
            names.join(", "),
            values.join(", ")
        );
        let rows = self.database.try_sql(&insert)?;
        let id = rows.into_iter().flatten().next().flatten().expect("the statement returns the id");
        Ok(JobId(id.parse().expect("an id is a number")))
    }

    /// Triggers on the tables of those states, as the migrations of an application may add.
    fn refuse(&self, id: JobId, moves: &[Status]) {
        let words = moves.iter().map(|status| format!("'{status}'")).collect::<Vec<_>>().join(", ");
        let words = if words.is_empty() { "NULL" } else { &words };
        let mut sql = format!(
            "CREATE OR REPLACE FUNCTION longshore.refuse() RETURNS trigger LANGUAGE plpgsql AS $$
             DECLARE status text;
             BEGIN
                 -- A partition has the name of its table and its bounds.
                 status = CASE split_part(TG_TABLE_NAME, '_', 1)
                     WHEN 'ready' THEN 'pending'
                     WHEN 'later' THEN CASE WHEN (to_json(NEW) ->> 'is_retry')::boolean THEN 'retrying' ELSE 'pending' END
                     WHEN 'ended' THEN
                         (ARRAY['completed', 'cancelled', 'dead_letter'])[(to_json(NEW) ->> 'status')::integer]
                     ELSE split_part(TG_TABLE_NAME, '_', 1)
                 END;
                 IF NEW.id = {id} AND status IN ({words}) THEN
                     RAISE check_violation USING MESSAGE = 'job {id} may not be ' || status;
                 END IF;
                 RETURN NEW;
             END $$;"
        );
        for table in ["ready", "later", "blocked", "running", "ended"] {
            sql += &format!(
                "DROP TRIGGER IF EXISTS refuse ON longshore.{table};
                 CREATE TRIGGER refuse BEFORE INSERT OR UPDATE ON longshore.{table}
                     FOR EACH ROW EXECUTE FUNCTION longshore.refuse();"
            );
        }
        self.database.sql(&sql);
    }

    fn refuse_type(&self, job_type: &str) {
        self.database
            .sql(&format!("ALTER TABLE longshore.job ADD CONSTRAINT refused CHECK (job_type <> '{job_type}')"));
    }

    fn write_newer_definition(&self, schedule: &str) {
        self.database.sql(&format!(
            "UPDATE longshore.schedule SET definition = overlay(definition PLACING '{{\"of_a_newer_version\":1,' FROM 1 FOR 1)
             WHERE name = '{schedule}'"
        ));
    }

    fn kill(&self, store: PostgresStore) {
        let name = format!("{store:?}");
        let number =
            (0..self.opened.load(Ordering::Relaxed)).find(|number| name.contains(&format!("\"store-{number}\"")));
        let number = number.expect("this harness has opened it");
        // Other tests use the same server.
        let sessions = format!("datname = current_database() AND application_name = 'store-{number}'");
        store.close();
        drop(store);
        self.database.sql(&format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {sessions}"));
        self.wait_until_none(&sessions);
    }

    fn lose_session(&self, worker_id: &WorkerId) {
        let holder = format!(
            "SELECT l.pid
             FROM longshore.worker w
             JOIN longshore.worker_name n USING (worker)
             JOIN pg_locks l ON l.locktype = 'advisory' AND l.objsubid = 1 AND l.granted
                 AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
                 AND (l.classid::bigint << 32) | l.objid::bigint = w.session_key
             WHERE n.worker_id = '{worker_id}'"
        );
        // Another process may have ended its lease, and then it has no row that names its lock.
        let Some(pid) = self.value(&holder) else { return };
        self.database.sql(&format!("SELECT pg_terminate_backend({pid})"));
        self.wait_until_none(&format!("pid = {pid}"));
    }
}

store_suite!(crate::Postgres);
moving_suite!(crate::Postgres);
workflow_suite!(crate::Postgres);
limit_suite!(crate::Postgres);

#[tokio::test]
async fn postgres_agrees_with_the_model_under_a_random_run() {
    RandomRun::from_env(500).on::<Postgres>().await;
}
