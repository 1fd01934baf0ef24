//! The behaviours that every store must have, and the random run against the model, on SQLite.

#[path = "support/template.rs"]
mod template;

use std::path::PathBuf;
use std::sync::Arc;

use longshore_core::{Clock, JobId, Limits, Status, WorkerId};
use longshore_sqlite::rusqlite::{Connection, ToSql};
use longshore_sqlite::{Durability, SqliteOptions, SqliteStore};
use longshore_testkit::suite::{Harness, PlainInsert};
use longshore_testkit::{FakeClock, RandomRun, limit_suite, moving_suite, store_suite};
use tempfile::TempDir;

/// The ledger of an application whose migrations add to our tables.
const OF_APPLICATION: &str = "
    CREATE TABLE IF NOT EXISTS schema_migrations (
        id INTEGER PRIMARY KEY, migration_number INTEGER UNIQUE NOT NULL,
        migration_name TEXT NOT NULL, applied_at TEXT DEFAULT (datetime('now')), rollback_at TEXT
    );
    INSERT INTO schema_migrations (migration_number, migration_name) VALUES (1, 'refuse') ON CONFLICT DO NOTHING;";

/// A separate file, in a folder that is removed with it.
struct Sqlite {
    folder: TempDir,
    clock: FakeClock,
    limits: Limits,
}

impl Sqlite {
    fn path(&self) -> PathBuf {
        self.folder.path().join("queue.db")
    }
}

impl Harness for Sqlite {
    type Store = SqliteStore;

    fn create(clock: FakeClock, limits: Limits) -> Self {
        let folder = tempfile::tempdir().expect("the system has a folder for temporary files");
        let sqlite = Self { folder, clock, limits };
        template::create_migrated(&sqlite.path());
        sqlite
    }

    fn open(&self) -> SqliteStore {
        // These tests are not about power cuts, and otherwise every commit would wait for the disk.
        let options = SqliteOptions::new(self.path()).durability(Durability::Normal);
        let options = options.limits(self.limits).clock(Arc::new(self.clock.clone()));
        SqliteStore::open(options).expect("the database is one of ours")
    }

    fn spoil_count(&self, queue: &str, status: Status, by: i64) -> bool {
        let foreign = Connection::open(self.path()).expect("the database is there");
        let update = "UPDATE job_depths SET jobs = jobs + ?3 WHERE queue = ?1 AND status = ?2";
        foreign.execute(update, (queue, status.as_str(), by)).expect("nobody holds the lock for long") == 1
    }

    fn try_insert_plainly(&self, plain: &PlainInsert) -> Result<JobId, String> {
        let foreign = Connection::open(self.path()).expect("the database is there");
        let PlainInsert { job_type, queue, priority, max_retries, timeout_seconds } = plain;
        let mut columns = vec!["job_type", "job_data", "created_at"];
        let data = "{}".to_owned();
        let now = self.clock.now().as_ms();
        let mut values: Vec<&dyn ToSql> = vec![job_type, &data, &now];
        if let Some(queue) = queue {
            columns.push("queue");
            values.push(queue);
        }
        if let Some(priority) = priority {
            columns.push("priority");
            values.push(priority);
        }
        if let Some(max_retries) = max_retries {
            columns.push("max_retries");
            values.push(max_retries);
        }
        if let Some(timeout_seconds) = timeout_seconds {
            columns.push("timeout_seconds");
            values.push(timeout_seconds);
        }
        let places = vec!["?"; columns.len()].join(", ");
        let insert = format!("INSERT INTO job_queue ({}) VALUES ({places})", columns.join(", "));
        foreign.execute(&insert, &values[..]).map_err(|error| error.to_string())?;
        Ok(JobId(foreign.last_insert_rowid()))
    }

    /// An index whose expression fails for this very move. The migrations of an application may add to our tables; the
    /// ledger says that there are such.
    fn refuse(&self, id: JobId, moves: &[Status]) {
        let foreign = Connection::open(self.path()).expect("the database is there");
        let words = moves.iter().map(|status| format!("'{status}'")).collect::<Vec<_>>().join(", ");
        let index = format!(
            "CREATE INDEX refused ON job_queue (
                 CASE WHEN id = {id} AND status IN ({words}) THEN json('no JSON of ' || id) END
             )"
        );
        foreign
            .execute_batch(&format!("BEGIN; {OF_APPLICATION} DROP INDEX IF EXISTS refused; {index}; COMMIT"))
            .expect("nobody holds the lock for long");
    }

    fn refuse_type(&self, job_type: &str) {
        let foreign = Connection::open(self.path()).expect("the database is there");
        let index = format!(
            "CREATE INDEX refused_type ON job_queue (CASE WHEN job_type = '{job_type}' THEN json('no JSON') END)"
        );
        foreign
            .execute_batch(&format!("BEGIN; {OF_APPLICATION} {index}; COMMIT"))
            .expect("nobody holds the lock for long");
    }

    fn write_newer_definition(&self, schedule: &str) {
        let foreign = Connection::open(self.path()).expect("the database is there");
        let update =
            "UPDATE job_schedules SET definition = json_set(definition, '$.of_a_newer_version', 1) WHERE name = ?1";
        assert_eq!(foreign.execute(update, [schedule]).expect("nobody holds the lock for long"), 1);
    }

    /// Dropping a store returns nothing and drops the locks of its workers, like the end of a process.
    fn kill(&self, store: SqliteStore) {
        drop(store);
    }

    fn lose_session(&self, worker_id: &WorkerId) {
        let file = self.folder.path().join("queue.db-workers").join(worker_id.as_str());
        std::fs::remove_file(file).expect("a living worker has its file");
    }
}

store_suite!(crate::Sqlite);
limit_suite!(crate::Sqlite);
moving_suite!(crate::Sqlite);

#[tokio::test]
async fn sqlite_agrees_with_the_model_under_a_random_run() {
    RandomRun::from_env(500).on::<Sqlite>().await;
}
