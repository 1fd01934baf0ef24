//! Several runners at once: none fails and none applies twice.

use std::{sync::Barrier, thread, time::Duration};

use longshore_migrate::{
    OutsideCause, RunRequest,
    target::{Session, Target, TargetError},
};
use longshore_migrate_sqlite::{Access, SqliteTarget, wait_for_runner};

use crate::{
    QUEUE_MIGRATIONS,
    runner::Runner,
    support::{Database, fresh},
};

fn assert_applied_once(database: &Database) {
    let events = database.rows("SELECT event || ' ' || migration_number FROM longshore_migrations_history ORDER BY id");
    let each: Vec<_> = (1..=QUEUE_MIGRATIONS).map(|number| format!("applied {number}")).collect();
    assert_eq!(events, each);
    assert_eq!(database.schema(), fresh().schema());
}

#[test]
fn three_threads_at_once_apply_each_migration_once() {
    for _ in 0..5 {
        let database = Database::empty();
        let barrier = Barrier::new(3);
        let applied: usize = thread::scope(|scope| {
            let runners: Vec<_> = (0..3)
                .map(|_| {
                    scope.spawn(|| {
                        let mut migrator = database.migrator();
                        barrier.wait();
                        migrator.up(&RunRequest::default()).unwrap().migrations.len()
                    })
                })
                .collect();
            runners.into_iter().map(|runner| runner.join().unwrap()).sum()
        });
        assert_eq!(applied, QUEUE_MIGRATIONS);
        assert_applied_once(&database);
    }
}

#[test]
fn three_processes_at_once_apply_each_migration_once() {
    for _ in 0..5 {
        let database = Database::empty();
        let runners: Vec<Runner> = (0..3).map(|_| Runner::start(&database, "up", None)).collect();
        runners.into_iter().for_each(Runner::wait);
        assert_applied_once(&database);
    }
}

#[test]
fn a_killed_runner_leaves_no_lock_behind() {
    let database = Database::empty();
    let mut runner = Runner::start(&database, "up", Some(3));
    assert_eq!(runner.answer(), "paused");
    let mut target = SqliteTarget::open(&database.path, Access::Write).unwrap();
    assert!(target.lock(Duration::ZERO).is_err());

    runner.kill();

    assert!(target.lock(Duration::ZERO).is_ok());
}

#[test]
fn whoever_waits_for_a_runner_where_there_never_was_one_leaves_nothing_behind() {
    let database = Database::with("CREATE TABLE tracks (id INTEGER PRIMARY KEY)");
    wait_for_runner(&database.path).unwrap();
    let names: Vec<_> =
        std::fs::read_dir(database.directory()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["jobs.db"]);
}

#[test]
fn a_look_at_a_file_that_another_program_holds_names_it() {
    let database = fresh();
    let connection = database.connection();
    connection.busy_timeout(Duration::ZERO).unwrap();
    let holder = database.connection();
    holder.execute_batch("PRAGMA journal_mode = DELETE; BEGIN EXCLUSIVE").unwrap();
    let mut target = SqliteTarget::on(&connection);

    for error in [target.ledger().unwrap_err(), target.observe().unwrap_err()] {
        assert!(matches!(error, TargetError::Outside(OutsideCause::Busy { .. })), "{error}");
        assert!(error.to_string().contains("jobs.db"), "{error}");
    }
}
