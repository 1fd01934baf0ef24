//! Statements outside of a transaction, and what a broken one leaves behind.

use longshore_migrate::RunRequest;

use crate::support::{app, database, migrator, refused, rows, up};

const TABLE: (&str, &str) = ("001_a.up.sql", "CREATE TABLE a (i int, j int)");
const BUILD: (&str, &str) = (
    "002_index.up.sql",
    "-- longshore: no transaction\nCREATE UNIQUE INDEX CONCURRENTLY a_i ON a (i);\nCREATE INDEX CONCURRENTLY a_j ON a (j);",
);
const DROP: (&str, &str) =
    ("002_index.down.sql", "-- longshore: no transaction\nDROP INDEX CONCURRENTLY a_j;\nDROP INDEX CONCURRENTLY a_i;");

#[test]
fn an_index_is_built_and_dropped_concurrently() {
    let database = database();
    let mut migrator = migrator(&database, &[TABLE, BUILD, DROP]);
    assert_eq!(up(&mut migrator), [1, 2]);
    assert!(migrator.verify().unwrap().ok);
    migrator.down(&RunRequest::default()).unwrap();
    assert_eq!(rows(&database, "SELECT count(*) FROM pg_index WHERE indrelid = 'a'::regclass"), ["0"]);
    assert_eq!(rows(&database, "SELECT count(*) FROM longshore.longshore_migrations_checkpoints"), ["0"]);
}

#[test]
fn a_failed_build_is_named_and_the_next_up_begins_it_again() {
    let database = database();
    let mut migrator = migrator(&database, &[TABLE, BUILD, DROP]);
    migrator.up(&crate::support::steps(1)).unwrap();
    database.sql("INSERT INTO a VALUES (1, 1), (1, 2)");
    assert_eq!(refused(migrator.up(&RunRequest::default())).0, "migration_failed");
    assert_eq!(rows(&database, "SELECT indisvalid FROM pg_index WHERE indexrelid = 'a_i'::regclass"), ["f"]);
    let status = migrator.status().unwrap();
    let problem = status.migrations[1].problem.clone().unwrap_or_default();
    assert!(problem.contains("interrupted in its first statement"), "{problem}");
    database.sql("DELETE FROM a WHERE j = 2");
    assert_eq!(up(&mut migrator), [2]);
    assert!(migrator.verify().unwrap().ok, "{:#?}", migrator.verify().unwrap());
}

#[test]
fn an_index_that_became_invalid_is_a_difference() {
    let database = database();
    let mut migrator = migrator(&database, &[TABLE, BUILD, DROP]);
    up(&mut migrator);
    database.admin_sql("UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'a_j'::regclass");
    let found = migrator.verify().unwrap().differences;
    assert_eq!(found[0].object, "index a_j on a");
    assert_eq!(found[0].found.as_deref(), Some("INVALID"));
}

#[test]
fn an_interrupted_run_continues_after_what_is_done() {
    let database = database();
    let text = "-- longshore: no transaction\nCREATE TABLE b (i int);\nCREATE INDEX CONCURRENTLY b_i ON b (i);\n\
                INSERT INTO b SELECT 1 / (1 - (SELECT count(*) FROM a));";
    let mut migrator = migrator(&database, &[TABLE, ("002_b.up.sql", text)]);
    migrator.up(&crate::support::steps(1)).unwrap();
    database.sql("INSERT INTO a VALUES (1, 1)");
    let (code, message) = refused(migrator.up(&RunRequest::default()));
    assert_eq!(code, "migration_failed");
    assert!(message.contains("first 2 statements are done"), "{message}");
    database.sql("DELETE FROM a");
    assert_eq!(up(&mut migrator), [2]);
    assert_eq!(rows(&database, "SELECT i FROM b"), ["1"]);
    assert!(migrator.verify().unwrap().ok);
}

#[test]
fn an_index_that_is_there_keeps_its_place_among_those_that_are_built() {
    let database = database();
    let text = "-- longshore: no transaction\nCREATE INDEX CONCURRENTLY a_i ON a (i);\n\
                CREATE INDEX CONCURRENTLY a_j ON a (j);\nCREATE UNIQUE INDEX CONCURRENTLY a_both ON a (i, j);";
    let mut migrator = migrator(&database, &[TABLE, ("002_indexes.up.sql", text)]);
    migrator.up(&crate::support::steps(1)).unwrap();
    database.sql("INSERT INTO a VALUES (1, 1), (1, 1)");
    database.sql("CREATE INDEX a_i ON a (i)");
    let only = RunRequest { only: Some(app(2)), ..RunRequest::default() };
    let (code, message) = refused(migrator.up(&only));
    assert_eq!(code, "migration_failed", "{message}");
    assert!(message.contains("first 2 statements are done"), "{message}");
    assert_eq!(migrator.status().unwrap().findings, []);
    database.sql("DELETE FROM a");
    assert_eq!(up(&mut migrator), [2]);
    assert!(migrator.verify().unwrap().ok, "{:#?}", migrator.verify().unwrap());
}

#[test]
fn a_build_that_ended_without_its_runner_is_taken_as_done() {
    let database = database();
    let mut migrator = migrator(&database, &[TABLE, BUILD, DROP]);
    migrator.up(&crate::support::steps(1)).unwrap();
    // As a runner leaves it that was killed after the server had built the index.
    database.sql("INSERT INTO longshore.longshore_migrations_checkpoints VALUES ('app', 2, 'up', 0, 'begun')");
    database.sql("CREATE UNIQUE INDEX CONCURRENTLY a_i ON a (i)");
    assert_eq!(up(&mut migrator), [2]);
    assert!(migrator.verify().unwrap().ok);
}

#[test]
fn an_index_that_somebody_else_made_is_not_taken_over() {
    let database = database();
    let mut migrator = migrator(&database, &[TABLE, BUILD, DROP]);
    migrator.up(&crate::support::steps(1)).unwrap();
    database.sql("CREATE UNIQUE INDEX a_i ON a (i)");
    assert_eq!(refused(migrator.up(&RunRequest::default())).0, "already_there");
}

#[test]
fn a_concurrent_build_wants_a_file_that_says_so() {
    let database = database();
    let files = [TABLE, ("002_b.up.sql", "CREATE INDEX CONCURRENTLY a_i ON a (i)")];
    let (code, message) = refused(migrator(&database, &files).up(&RunRequest::default()));
    assert_eq!(code, "history_broken");
    assert!(message.contains("does not run in a transaction"), "{message}");
}
