//! An adoption and its undo are killed between any two statements: afterwards the database is before it or after it.

use crate::{
    runner::Runner,
    support::{Database, adopt_now},
};

const FOUNDING: &str = include_str!("../../../migrate-sqlite/tests/data/founding.sql");

type Content = (Vec<String>, Vec<String>, Vec<String>, Vec<String>);

fn content(database: &Database) -> Content {
    (
        database.rows("SELECT type, name, sql FROM sqlite_schema ORDER BY type, name"),
        database.rows("SELECT * FROM job_queue ORDER BY id"),
        database.rows("SELECT * FROM schema_migrations ORDER BY id"),
        database.rows("SELECT name, seq FROM sqlite_sequence ORDER BY name"),
    )
}

/// Kills `command` before each of many of its statements, on a database that `prepare` brings to where it begins.
fn is_whole_whenever_it_is_killed(command: &str, prepare: impl Fn() -> Database) -> Database {
    let database = prepare();
    let mut runner = Runner::start(&database, command, None);
    let total: usize = runner.answer().parse().unwrap();
    runner.wait();
    assert!(total > 5, "{total}");
    let database = prepare();
    let before = content(&database);
    let some = (0..total - 1).step_by(total.div_ceil(12)).chain([total - 1]);
    for at in some {
        let mut runner = Runner::start(&database, command, Some(at));
        assert_eq!(runner.answer(), "paused", "statement {at}");
        runner.kill();

        assert_eq!(content(&database), before, "statement {at}");
    }
    database
}

#[test]
fn an_adoption_that_is_killed_leaves_the_founding_database_as_it_was() {
    let database = is_whole_whenever_it_is_killed("adopt", || Database::with(FOUNDING));
    database.migrator().adopt(&adopt_now()).unwrap();
    assert!(database.looker().verify().unwrap().ok);
}

#[test]
fn an_undo_that_is_killed_leaves_the_adopted_database_as_it_was() {
    let adopted = || {
        let database = Database::with(FOUNDING);
        database.migrator().adopt(&adopt_now()).unwrap();
        database
    };
    let database = is_whole_whenever_it_is_killed("give_back", adopted);
    assert!(database.looker().verify().unwrap().ok);
    database.migrator().give_back(&adopt_now().mode).unwrap();
    assert_eq!(database.value("SELECT count(*) FROM job_queue"), "5");
}
