//! Other programs that write to the same tables by plain SQL.

use std::time::Duration;

use longshore_core::{Console, Interest, Status, Store, StoreError, Wakeups};
use longshore_migrate::files::source::LONGSHORE;
use longshore_migrate::{Migrator, RunRequest, Source};
use longshore_migrate_sqlite::{Access, SqliteTarget};
use longshore_sqlite::rusqlite::Connection;
use longshore_sqlite::rusqlite::config::DbConfig;
use longshore_sqlite::{SqliteOptions, SqliteStore};

use crate::database::{self, Database, ids, job};

#[tokio::test]
async fn a_plain_insert_is_a_job_and_wakes_a_worker_that_waits() {
    let database = Database::new();
    let worker = database.worker().await;
    let mut wakeups = database.store.wakeups(Interest::Anything);
    assert!(database.claim(&worker, 1).await.leases.is_empty());
    let connection = database.foreign();
    tokio::task::spawn_blocking(move || {
        connection.execute("INSERT INTO job_queue (job_type, job_data) VALUES ('mail', '[1]')", []).unwrap();
    })
    .await
    .unwrap();

    wait_for_hint(&mut *wakeups).await;

    let lease = database.claim_one(&worker).await;
    assert_eq!(lease.job_data.as_str(), "[1]");
    database.assert_counts_are_true();
}

/// A hint that never comes fails the test rather than hanging it.
async fn wait_for_hint(wakeups: &mut dyn Wakeups) {
    tokio::time::timeout(Duration::from_secs(20), wakeups.changed()).await.unwrap();
}

#[tokio::test]
async fn an_enqueue_wakes_a_listener_in_the_same_process() {
    let database = Database::new();
    let mut wakeups = database.store.wakeups(Interest::Anything);

    database.enqueue(job()).await;

    wait_for_hint(&mut *wakeups).await;
}

#[tokio::test]
async fn counts_stay_true_whatever_a_foreign_program_does() {
    let database = Database::new();
    let foreign = database.foreign();
    for _ in 0..3 {
        database.enqueue(job().queue("a")).await;
        foreign.execute("INSERT INTO job_queue (job_type, job_data) VALUES ('mail', '{}')", []).unwrap();
    }
    let worker = database.worker().await;
    let leases = database.claim(&worker, 3).await.leases;
    // A job that is put into another queue while it runs is counted where it stands.
    foreign.execute("UPDATE job_queue SET queue = 'moved' WHERE id = ?1", [leases[0].id.0]).unwrap();
    for lease in &leases {
        database.record(&worker, lease, longshore_core::Outcome::Completed { result: None }).await;
    }
    foreign.execute("DELETE FROM job_queue WHERE status = 'completed' AND queue = 'moved'", []).unwrap();

    database.assert_counts_are_true();
    assert_eq!(database.number("SELECT count(*) FROM job_queue WHERE status = 'completed'"), 2);
}

#[tokio::test]
async fn a_job_of_an_unknown_type_and_odd_values_stops_no_claim() {
    let database = Database::new();
    let foreign = database.foreign();
    let odd = "INSERT INTO job_queue (job_type, job_data, max_retries, priority, timeout_seconds, worker_id)
        VALUES ('mail', '{}', 99999999999, 99999999999, 1.5, x'ff00')";
    foreign.execute(odd, []).unwrap();
    foreign.execute("INSERT INTO job_queue (job_type, job_data) VALUES ('nobody knows', '{}')", []).unwrap();
    let known = database.enqueue(job()).await;
    let worker = database.worker().await;

    let leases = database.claim(&worker, 9).await.leases;

    assert_eq!(leases.len(), 2);
    assert_eq!((leases[0].priority.0, leases[0].budgets.max_retries), (i32::MAX, Some(u32::MAX)));
    assert_eq!(leases[0].timeout, Some(Duration::from_millis(1500)));
    assert_eq!(leases[1].id, known);
}

#[tokio::test]
async fn a_table_of_the_applications_own_changes_nothing_for_the_store() {
    let database = Database::new();
    database.foreign().execute_batch("CREATE TABLE photos (id INTEGER PRIMARY KEY)").unwrap();

    let id = database.enqueue(job()).await;

    assert_eq!(database.job(id).await.status, Status::Pending);
}

#[tokio::test]
async fn after_a_migration_of_its_own_tables_the_store_writes_nothing() {
    let database = Database::new();
    database.enqueue(job()).await;
    database.foreign().execute_batch("ALTER TABLE job_queue ADD COLUMN colour TEXT").unwrap();

    let error = database.store.enqueue(vec![job()]).await.unwrap_err();

    assert!(matches!(error, StoreError::SchemaChanged { .. }), "{error}");
    assert_eq!(database.number("SELECT count(*) FROM job_queue"), 1);
}

/// The queue's migrations as a later program has them: one more, which changes rows alone.
fn later_program(database: &Database) -> Migrator<'static> {
    let folder = database.path().with_file_name("migrations");
    std::fs::create_dir_all(&folder).unwrap();
    for entry in std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/migrations")).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), folder.join(entry.file_name())).unwrap();
    }
    let next = longshore_sqlite::migrations::longshore().migrations().len() + 1;
    for (direction, priority) in [("up", 9), ("down", 5)] {
        let sql = format!("UPDATE job_queue SET priority = {priority} WHERE job_type = 'mail';");
        std::fs::write(folder.join(format!("{next:03}_urge_mail.{direction}.sql")), sql).unwrap();
    }
    let target = SqliteTarget::open(database.path(), Access::Write).unwrap();
    Migrator::new(Box::new(target), vec![Source::directory(LONGSHORE, &folder).unwrap()])
}

#[tokio::test]
async fn a_later_programs_migration_of_rows_alone_stops_the_store_until_it_is_rolled_back() {
    let database = Database::new();
    database.enqueue(job()).await;
    later_program(&database).up(&RunRequest::default()).unwrap();
    // The later program would remember that all is well under its own fingerprint, not under that of this one.
    database.foreign().execute("DELETE FROM longshore_migrations_verified", []).unwrap();

    let refused = database.store.enqueue(vec![job()]).await;
    later_program(&database).down(&RunRequest::default()).unwrap();

    assert!(matches!(refused, Err(StoreError::SchemaChanged { .. })), "{refused:?}");
    database.enqueue(job()).await;
}

/// A program that binds bytes where text belongs (Python's `b"mail"`) writes blobs, which no text equals.
#[tokio::test]
async fn regression_a_blob_where_a_name_belongs_stops_nobody_else() {
    let database = Database::new();
    let foreign = database.foreign();
    let insert = "INSERT INTO job_queue (job_type, job_data, queue) VALUES (?1, '{}', ?2)";
    foreign.execute(insert, ("mail", &b"\xff"[..])).expect_err("no queue has such a name");
    foreign.execute(insert, (&b"mail"[..], "default")).expect_err("no type has such a name");
    foreign.execute(insert, ("mail", "default")).unwrap();
    foreign.execute(insert, ("mail", "default")).unwrap();
    foreign
        .execute(
            "UPDATE job_queue SET status = 'running', worker_id = x'ff', started_at = 1700000000000 WHERE id = 1",
            [],
        )
        .unwrap();
    let worker = database.worker().await;

    let leases = database.claim(&worker, 9).await.leases;

    database.store.reclaim().await.unwrap();
    assert_eq!(leases.iter().map(|lease| lease.id.0).collect::<Vec<_>>(), [2]);
}

/// `CAST(x'ff' AS TEXT)` is text to SQLite and to no other program. A scan that compared a repaired copy of such a
/// name would find it again for ever.
#[tokio::test]
async fn regression_names_that_are_no_utf8_stop_no_claim_and_no_look() {
    let database = Database::new();
    let foreign = database.foreign();
    // The triggers refuse such names; they come from programs that have switched them off, and go uncounted.
    foreign.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, false).unwrap();
    for (queue, job_type) in [("61ff", "mail"), ("ff", "mail"), ("fe", "other"), ("ffff", "mail")] {
        let insert = format!(
            "INSERT INTO job_queue (job_type, job_data, queue)
             VALUES ('{job_type}', '{{}}', CAST(x'{queue}' AS TEXT)), (CAST(x'{queue}' AS TEXT), '{{}}', 'default')"
        );
        foreign.execute(&insert, []).unwrap();
    }
    foreign
        .execute_batch(
            "INSERT INTO job_depths (queue, status, jobs) SELECT queue, status, count(*) FROM job_queue GROUP BY 1, 2",
        )
        .unwrap();
    let known = database.enqueue(job().queue("\u{10ffff}")).await;
    let worker = database.worker().await;

    let everywhere = database.claim(&worker, 9).await;
    let health = database.store.health().await.unwrap();

    assert_eq!(ids(&everywhere), [known], "it stands between the odd names");
    let unreadable: u64 = health.backlog.iter().filter(|of| !of.has_valid_names).map(|of| of.jobs).sum();
    assert_eq!((unreadable, health.backlog.len()), (8, 8));
    assert!(database.claim(&worker, 9).await.leases.is_empty());
    database.assert_counts_are_true();
}

#[tokio::test]
async fn a_name_that_is_no_text_is_counted_and_is_the_reason_why_its_job_does_not_run() {
    for name in ["x'ff'", "CAST(x'ff' AS TEXT)"] {
        for column in ["queue", "job_type"] {
            let database = Database::new();
            let (odd, after) = (database.enqueue(job()).await, database.enqueue(job().queue("z")).await);
            let foreign = database.foreign();
            foreign.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, false).unwrap();
            let update = format!(
                "PRAGMA ignore_check_constraints = ON; UPDATE job_queue SET {column} = {name} WHERE id = {}",
                odd.0
            );
            foreign.execute_batch(&update).unwrap();

            let backlog = database.store.health().await.unwrap().backlog;
            let facts = |id| database.store.waiting_facts(id);

            let counted: Vec<(bool, u64)> = backlog.iter().map(|of| (of.has_valid_names, of.jobs)).collect();
            assert!(counted.len() == 2 && counted.contains(&(false, 1)) && counted.contains(&(true, 1)), "{counted:?}");
            assert!(!facts(odd).await.unwrap().unwrap().job.has_valid_names, "{column} = {name}");
            assert!(facts(after).await.unwrap().unwrap().job.has_valid_names);
        }
    }
}

#[tokio::test]
async fn a_schema_that_is_as_it_was_again_is_written_to_again() {
    let database = Database::new();
    let worker = database.worker().await;
    database.foreign().execute_batch("ALTER TABLE job_queue ADD COLUMN colour TEXT").unwrap();
    let claimed = database.store.claim(database::request(&worker, 1)).await;
    assert!(
        matches!(claimed, Err(StoreError::SchemaChanged { .. })),
        "a look counts only on a schema that is understood"
    );

    database.foreign().execute_batch("ALTER TABLE job_queue DROP COLUMN colour").unwrap();

    database.enqueue(job()).await;
    assert_eq!(database.claim(&worker, 1).await.leases.len(), 1);
}

#[tokio::test]
async fn a_read_of_a_column_that_a_migration_took_away_is_no_failure_of_the_database() {
    let database = Database::new();
    let id = database.enqueue(job()).await;
    database.store.job(id).await.unwrap();
    database.foreign().execute_batch("ALTER TABLE job_queue RENAME COLUMN claim_number TO claims").unwrap();

    let read = database.store.job(id).await;

    assert!(matches!(read, Err(StoreError::SchemaChanged { .. })), "{read:?}");
}

#[test]
fn a_database_that_is_not_understood_keeps_its_journal_and_its_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("old.db");
    let old = Connection::open(&path).unwrap();
    old.execute_batch("CREATE TABLE job_queue (id INTEGER PRIMARY KEY)").unwrap();
    drop(old);
    let before = std::fs::read(&path).unwrap();

    let refused = SqliteStore::open(SqliteOptions::new(&path));

    assert!(matches!(refused, Err(StoreError::Schema { .. })), "{refused:?}");
    assert_eq!(std::fs::read(&path).unwrap(), before);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "and no file beside it");
}
