//! Repairs that meet rows which do not fit, and what interrupted runs have left.

use longshore_migrate::{
    MigrateError, RepairRequest, RunRequest,
    target::{Session, Target},
};
use longshore_migrate_sqlite::{Access, SqliteTarget};

use crate::support::{Database, repair_now, source};

const ADDRESSES: &[(&str, &str)] = &[(
    "001_addresses.up.sql",
    "CREATE TABLE addresses (id INTEGER PRIMARY KEY, zip INTEGER, code NUMERIC, note TEXT);",
)];

const AUTHORS: &[(&str, &str)] = &[(
    "001_authors.up.sql",
    "CREATE TABLE authors (id INTEGER PRIMARY KEY, email TEXT NOT NULL, age INTEGER CHECK (age > 0));
     CREATE UNIQUE INDEX authors_email ON authors (email);",
)];

/// A database after `files`, on which somebody has run `by_hand`.
fn changed(files: &[(&str, &str)], by_hand: &str) -> Database {
    let database = Database::empty();
    database.migrator_of(vec![source(files)]).up(&RunRequest::default()).unwrap();
    database.execute(by_hand);
    database
}

fn both(database: &Database, files: &[(&str, &str)]) -> [MigrateError; 2] {
    let mut migrator = database.migrator_of(vec![source(files)]);
    [RepairRequest::default(), repair_now()].map(|request| migrator.repair(&request).unwrap_err())
}

#[test]
fn a_repair_that_would_change_values_is_refused_with_their_number_and_keeps_them() {
    let database = changed(
        ADDRESSES,
        "DROP TABLE addresses;
         CREATE TABLE addresses (id INTEGER PRIMARY KEY, zip TEXT, code TEXT, note TEXT);
         INSERT INTO addresses VALUES (1, '00123', '12345678901234567890123', 'x'), (2, '1e3', '0x10', NULL);",
    );

    for error in both(&database, ADDRESSES) {
        let lost = "column addresses.code (1 of 2 values), column addresses.zip (2 values)";
        assert_eq!(error.to_string(), format!("app:1 up would lose data: {lost}"));
    }

    let stored = database.rows("SELECT zip, code, typeof(zip), typeof(code) FROM addresses ORDER BY id");
    assert_eq!(stored, ["00123|12345678901234567890123|text|text", "1e3|0x10|text|text"]);
    assert_eq!(database.value("SELECT count(*) FROM longshore_migrations_history WHERE source = 'app'"), "1");
}

#[test]
fn a_repair_gives_values_another_type_where_their_text_stays_the_same() {
    let database = changed(
        ADDRESSES,
        "DROP TABLE addresses;
         CREATE TABLE addresses (id INTEGER PRIMARY KEY, zip TEXT, code TEXT, note);
         INSERT INTO addresses VALUES (1, '12', '1.5', 7), (2, NULL, 'none', x'00');",
    );

    database.migrator_of(vec![source(ADDRESSES)]).repair(&repair_now()).unwrap();

    let stored = database.rows("SELECT zip, code, note, typeof(zip), typeof(code) FROM addresses ORDER BY id");
    assert_eq!(stored, ["12|1.5|7|integer|real", "NULL|none|[0]|null|text"]);
    assert!(database.migrator_of(vec![source(ADDRESSES)]).verify().unwrap().ok);
}

#[test]
fn rows_that_break_what_a_repair_restores_are_counted_before_it_begins() {
    let made_again = "DROP TABLE authors; CREATE TABLE authors (id INTEGER PRIMARY KEY, email TEXT, age INTEGER);";
    let cases = [
        (
            "DROP INDEX authors_email; INSERT INTO authors (email) VALUES ('a'), ('a'), ('a');".to_owned(),
            "there are 2 rows of authors with the same email as another one",
        ),
        (
            format!("{made_again} INSERT INTO authors (email) VALUES (NULL);"),
            "there is 1 row of authors without a value in email",
        ),
        (
            format!("{made_again} INSERT INTO authors (email, age) VALUES ('a', 0);"),
            "there is 1 row of authors against CHECK age > 0",
        ),
    ];
    for (by_hand, expected) in cases {
        let database = changed(AUTHORS, &by_hand);
        for error in both(&database, AUTHORS) {
            assert!(error.code() == "no_repair" && error.to_string().contains(expected), "{error}");
        }
        assert_eq!(database.value("SELECT count(*) FROM longshore_migrations_history WHERE source = 'app'"), "1");
    }
}

const PAIR: &[(&str, &str)] = &[
    ("001_wanted.up.sql", "CREATE TABLE wanted (x); CREATE TABLE kept (y NOT NULL);"),
    ("001_wanted.down.sql", "DROP TABLE kept; DROP TABLE wanted;"),
    ("002_pair.up.sql", "CREATE TABLE a (i INTEGER); CREATE TABLE b (i INTEGER);"),
    (
        "002_pair.down.sql",
        "-- longshore: no transaction\nDROP TABLE b;\nINSERT INTO kept SELECT x FROM wanted;\nDROP TABLE a;",
    ),
];

/// The second statement of the down has failed, and would not fail again.
fn interrupted_down() -> Database {
    let database = changed(PAIR, "INSERT INTO wanted VALUES (NULL)");
    database.migrator_of(vec![source(PAIR)]).down(&RunRequest::default()).unwrap_err();
    database.execute("UPDATE wanted SET x = 3");
    database
}

#[test]
fn a_down_that_was_interrupted_before_a_repair_begins_anew() {
    let database = interrupted_down();
    database.migrator_of(vec![source(PAIR)]).repair(&repair_now()).unwrap();
    assert!(database.migrator_of(vec![source(PAIR)]).verify().unwrap().ok);

    database.migrator_of(vec![source(PAIR)]).down(&RunRequest::default()).unwrap();

    assert_eq!(database.rows("SELECT name FROM sqlite_schema WHERE name IN ('a', 'b')"), Vec::<String>::new());
}

#[test]
fn the_status_says_that_a_down_was_interrupted_and_the_next_one_continues() {
    let database = interrupted_down();

    let status = database.migrator_of(vec![source(PAIR)]).status().unwrap();

    let problem = status.migrations[1].problem.clone().unwrap_or_default();
    assert!(problem.starts_with("its down was interrupted after 1 of its statements; the next down"), "{problem}");
    database.migrator_of(vec![source(PAIR)]).down(&RunRequest::default()).unwrap();
    assert_eq!(database.migrator_of(vec![source(PAIR)]).status().unwrap().migrations[1].problem, None);
    assert_eq!(database.rows("SELECT name FROM sqlite_schema WHERE name IN ('a', 'b')"), Vec::<String>::new());
}

fn tables(target: &mut SqliteTarget<'_>) -> usize {
    target.observe().unwrap().tables().count()
}

#[test]
fn a_look_at_ledger_and_schema_sees_one_state_while_another_runner_commits() {
    let database = changed(&PAIR[..2], "PRAGMA journal_mode = WAL");
    let mut looking = SqliteTarget::open(&database.path, Access::Inspect).unwrap();

    assert!(looking.begin_look().unwrap());
    let rows = looking.ledger().unwrap().rows.len();
    database.migrator_of(vec![source(PAIR)]).up(&RunRequest::default()).unwrap();
    let during = tables(&mut looking);
    looking.end_look();

    assert_eq!((rows, during), (1, 2));
    let rows = looking.ledger().unwrap().rows.len();
    assert_eq!((rows, tables(&mut looking)), (2, 4));
}
