//! Locks: of other runners, and of the application's tables.

use std::{sync::mpsc, thread, time::Duration};

use longshore_migrate::{RunRequest, target::Target};
use longshore_migrate_postgres::PostgresTarget;

use crate::support::{database, migrator, migrator_with, options, refused, rows, source, up};

const FILES: [(&str, &str); 2] =
    [("001_a.up.sql", "CREATE TABLE a (i int)"), ("002_j.up.sql", "ALTER TABLE a ADD COLUMN j int")];

/// Holds a lock on table `a` until it is told to let go; `holds` says that it has it.
fn hold(database: &longshore_testkit_postgres::TestDatabase) -> (thread::JoinHandle<()>, mpsc::Sender<()>) {
    let config = database.config();
    let (let_go, told) = mpsc::channel();
    let (has, holds) = mpsc::channel();
    let holder = thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let (client, connection) = config.connect(tokio_postgres::NoTls).await.unwrap();
            tokio::spawn(connection);
            client.batch_execute("BEGIN; SELECT * FROM a").await.unwrap();
            has.send(()).unwrap();
            let waited = tokio::task::spawn_blocking(move || told.recv());
            let _ = waited.await.unwrap();
            client.batch_execute("COMMIT").await.unwrap();
        });
    });
    holds.recv().unwrap();
    (holder, let_go)
}

#[test]
fn a_second_runner_waits_and_then_names_who_holds_the_lock() {
    let database = database();
    let mut first = PostgresTarget::open(options(&database)).unwrap();
    let lock = first.lock(Duration::from_secs(1)).unwrap();
    let second = migrator(&database, &FILES);
    let mut second = second.lock_wait(Duration::from_millis(200));
    let (code, message) = refused(second.up(&RunRequest::default()));
    assert_eq!(code, "locked");
    assert!(message.contains("the migration lock of postgres://") && message.contains("of app"), "{message}");
    drop(lock);
    assert_eq!(up(&mut second), [1, 2]);
}

#[test]
fn of_many_runners_at_once_each_migration_is_run_by_one() {
    let database = database();
    // The build waits for every older snapshot, and must not wait for a runner that waits for its lock.
    let build = ("003_i.up.sql", "-- longshore: no transaction\nCREATE INDEX CONCURRENTLY a_i ON a (i)");
    let files = [FILES[0], FILES[1], build];
    let runs: Vec<Vec<i64>> = thread::scope(|scope| {
        let run = |_| scope.spawn(|| up(&mut migrator(&database, &files)));
        let runners: Vec<_> = (0..4).map(run).collect();
        runners.into_iter().map(|runner| runner.join().unwrap()).collect()
    });
    assert_eq!(runs.concat().len(), 3, "{runs:?}");
}

#[test]
fn a_statement_that_waits_for_a_lock_lets_others_pass_and_comes_back() {
    let database = database();
    migrator(&database, &FILES).up(&crate::support::steps(1)).unwrap();
    let (holder, let_go) = hold(&database);
    let patient = options(&database).lock_timeout(Duration::from_millis(100)).lock_attempts(400);
    let waiting = thread::spawn(move || up(&mut migrator_with(patient, vec![source(&FILES)])));
    // The runner waits for the lock at times; a query of the application gets through between them.
    let is_waiting =
        "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE 'ALTER TABLE a%'
        AND datname = current_database()";
    while rows(&database, is_waiting) == ["0"] {
        thread::sleep(Duration::from_millis(5));
    }
    database.sql("INSERT INTO a VALUES (1)");
    let_go.send(()).unwrap();
    holder.join().unwrap();
    assert_eq!(waiting.join().unwrap(), [2]);
    assert_eq!(rows(&database, "SELECT i, j FROM a"), ["1|NULL"]);
}

#[test]
fn a_lock_that_never_comes_is_said_and_nothing_is_changed() {
    let database = database();
    migrator(&database, &FILES).up(&crate::support::steps(1)).unwrap();
    let (holder, let_go) = hold(&database);
    let impatient = options(&database).lock_timeout(Duration::from_millis(50)).lock_attempts(2);
    let (code, _) = refused(migrator_with(impatient, vec![source(&FILES)]).up(&RunRequest::default()));
    assert_eq!(code, "database_locked");
    let_go.send(()).unwrap();
    holder.join().unwrap();
    let columns = "SELECT count(*) FROM pg_attribute WHERE attrelid = 'a'::regclass AND attname = 'j'";
    assert_eq!(rows(&database, columns), ["0"]);
    assert_eq!(up(&mut migrator(&database, &FILES)), [2]);
}

#[test]
fn a_runner_whose_lock_is_gone_does_not_write() {
    let database = database();
    let mut target = PostgresTarget::open(options(&database)).unwrap();
    let _lock = target.lock(Duration::from_secs(1)).unwrap();
    database.admin_sql(
        "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'
             AND database = (SELECT oid FROM pg_database WHERE datname = current_database())",
    );
    let error = target.begin(longshore_migrate::target::ForeignKeys::Enforced).unwrap_err();
    assert!(error.to_string().contains("the session that held the migration lock has ended"), "{error}");
}
