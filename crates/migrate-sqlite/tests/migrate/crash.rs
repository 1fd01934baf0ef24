//! A process is killed between any two statements of a migration: afterwards the database is before it or after it,
//! and `status` knows which.

use longshore_migrate::{Agreement, RunRequest};

use crate::{
    runner::Runner,
    support::{Database, fresh, repair_now},
};

fn statements(database: &Database, command: &str) -> usize {
    let mut runner = Runner::start(database, command, None);
    let count = runner.answer().parse().unwrap();
    runner.wait();
    count
}

/// Runs until just before statement `at`, then sends SIGKILL.
fn kill_before(database: &Database, command: &str, at: usize) {
    let mut runner = Runner::start(database, command, Some(at));
    assert_eq!(runner.answer(), "paused", "statement {at}");
    runner.kill();
}

#[test]
fn up_killed_before_any_statement_leaves_whole_migrations_and_goes_on() {
    let total = statements(&Database::empty(), "up");
    assert!(total > 30, "{total}");
    let expected = fresh().schema();
    // All of them share one transaction. Every second statement in one of the two journal modes, and the last in both.
    let moments = (0..total).step_by(2).map(|at| (at, at % 4 == 0));
    for (at, wal) in moments.chain([(total - 1, false), (total - 1, true)]) {
        let database = Database::empty();
        if wal {
            database.connection().pragma_update(None, "journal_mode", "wal").unwrap();
        }
        kill_before(&database, "up", at);

        let status = database.looker().status().unwrap();
        let verify = database.looker().verify().unwrap();
        assert!(verify.ok, "statement {at}: {verify:#?}");
        assert_eq!(status.agreement(), Agreement::Pending, "statement {at}: {status:#?}");
        database.migrator().up(&RunRequest::default()).unwrap();
        assert_eq!(database.schema(), expected, "statement {at}");
    }
}

#[test]
fn repair_killed_before_any_statement_leaves_the_incident_as_it_was() {
    let incident = include_str!("../data/incident.sql");
    let total = statements(&Database::with(incident), "repair");
    let before = Database::with(incident);
    for at in 0..total {
        let database = Database::with(incident);
        kill_before(&database, "repair", at);

        assert_eq!(database.schema(), before.schema(), "statement {at}");
        let rows = |database: &Database| database.rows("SELECT * FROM job_queue ORDER BY id");
        assert_eq!(rows(&database), rows(&before), "statement {at}");
        assert_eq!(database.value("SELECT count(*) FROM schema_migrations WHERE rollback_at IS NULL"), "0");
    }
    let database = Database::with(incident);
    kill_before(&database, "repair", total - 1);
    database.migrator().repair(&repair_now()).unwrap();
    assert!(database.looker().verify().unwrap().ok);
}
