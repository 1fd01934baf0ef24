//! Databases as applications have them: with modules, functions, collations and tables of their own.

use rusqlite::Connection;
use rusqlite::functions::FunctionFlags;

use crate::sandbox::{QUEUE_MIGRATIONS, Sandbox};

/// Each part needs something that only the application has.
const PARTS: [(&str, &str); 7] = [
    ("an index with a collation", "CREATE INDEX tracks_title ON tracks (title COLLATE app_order)"),
    (
        "a key with a collation",
        "CREATE TABLE names (name TEXT COLLATE app_order PRIMARY KEY); INSERT INTO names VALUES ('a')",
    ),
    ("a function in a CHECK", "CREATE TABLE checked (a TEXT CHECK (app_valid(a))); INSERT INTO checked VALUES ('a')"),
    (
        "a function in a generated column",
        "CREATE TABLE made (a TEXT, b TEXT GENERATED ALWAYS AS (app_valid(a)) STORED); INSERT INTO made (a) VALUES ('a')",
    ),
    ("a function in an index", "CREATE INDEX tracks_valid ON tracks (app_valid(title))"),
    (
        "a function in a view and in a trigger",
        "CREATE VIEW valid AS SELECT app_valid(title) AS v FROM tracks; CREATE TRIGGER tracks_checked AFTER INSERT ON tracks BEGIN SELECT app_valid(new.title); END",
    ),
    (
        "a module",
        "CREATE VIRTUAL TABLE search USING fts5(title); PRAGMA writable_schema = ON; \
         UPDATE sqlite_schema SET sql = replace(sql, 'fts5', 'app_search') WHERE name = 'search'; PRAGMA writable_schema = RESET",
    ),
];

fn database(parts: &[&str]) -> Sandbox {
    let sandbox = Sandbox::new();
    let connection = Connection::open(sandbox.path("longshore.db")).unwrap();
    connection.create_collation("app_order", |a: &str, b: &str| b.cmp(a)).unwrap();
    let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC;
    connection.create_scalar_function("app_valid", 1, flags, |_| Ok(1)).unwrap();
    connection
        .execute_batch(
            "CREATE TABLE tracks (id INTEGER PRIMARY KEY, title TEXT); INSERT INTO tracks (title) VALUES ('b'), ('a')",
        )
        .unwrap();
    for part in parts {
        connection.execute_batch(part).unwrap();
    }
    sandbox
}

#[test]
fn what_only_the_application_has_is_left_alone_and_the_queue_works_beside_it() {
    let all: Vec<&str> = PARTS.iter().map(|(_, sql)| *sql).collect();
    let sandbox = database(&all);
    sandbox.write("longshore.toml", "[jobs.mail]\nrun = [\"true\"]\n");

    for command in [
        &["migrate", "status"][..],
        &["migrate", "up", "--dry-run"],
        &["migrate", "up"],
        &["migrate", "verify"],
        &["migrate", "repair"],
        &["migrate", "dump"],
        &["enqueue", "mail"],
        &["work", "--drain"],
        &["migrate", "redo"],
        &["migrate", "verify"],
    ] {
        let ran = sandbox.run(command);
        assert_eq!(ran.exit, 0, "{command:?}: {ran:?}");
    }

    let doctor = sandbox.run(&["doctor"]);
    assert!([0, 3].contains(&doctor.exit), "{doctor:?}");
    let connection = Connection::open(sandbox.path("longshore.db")).unwrap();
    let titles: Vec<String> = connection
        .prepare("SELECT title FROM tracks NOT INDEXED ORDER BY id")
        .unwrap()
        .query_map([], |row| row.get(0))
        .unwrap()
        .map(Result::unwrap)
        .collect();
    assert_eq!(titles, ["b", "a"]);
}

#[test]
fn each_of_them_alone_stops_nothing_half_way() {
    for (what, sql) in PARTS {
        let sandbox = database(&[sql]);
        let ran = sandbox.run(&["migrate", "up"]);
        assert_eq!(ran.exit, 0, "{what}: {ran:?}");
        assert_eq!(sandbox.run(&["migrate", "status", "--check"]).exit, 0, "{what}");
    }
}

#[test]
fn rows_are_never_ordered_by_a_collation_that_is_not_at_hand() {
    let sandbox = database(&[
        "CREATE TABLE names (name TEXT COLLATE app_order UNIQUE); INSERT INTO names VALUES ('a'), ('b'), ('c')",
    ]);
    sandbox.json(&["migrate", "up"]);
    sandbox.write("migrations/001_more.up.sql", "CREATE TABLE more (id INTEGER);\nINSERT INTO names VALUES ('bb');\n");
    let ran = sandbox.run(&["migrate", "up", "--json"]);
    assert_ne!(ran.exit, 0, "{ran:?}");
    let connection = Connection::open(sandbox.path("longshore.db")).unwrap();
    assert_eq!(connection.query_row("SELECT count(*) FROM names", [], |row| row.get::<_, i64>(0)).unwrap(), 3);
    assert!(connection.prepare("SELECT * FROM more").is_err(), "all of it is taken back");
}

#[test]
fn a_table_of_the_application_under_a_name_of_the_queue_is_named_and_never_made_over() {
    let sandbox = database(&[
        "CREATE TABLE job_logs (id INTEGER PRIMARY KEY, said TEXT); INSERT INTO job_logs (said) VALUES ('mine')",
    ]);
    for command in [
        &["migrate", "up"][..],
        &["migrate", "repair"],
        &["migrate", "repair", "--apply", "--reason", "x"],
        &["enqueue", "mail"],
    ] {
        let ran = sandbox.run(&[command, &["--json"]].concat());
        assert!([5, 7].contains(&ran.exit), "{command:?}: {ran:?}");
        let error = &ran.document()["error"];
        assert!(error["message"].as_str().unwrap().contains("table job_logs is there already"), "{command:?}: {error}");
    }
    let connection = Connection::open(sandbox.path("longshore.db")).unwrap();
    let said = |query: &str| connection.query_row(query, [], |row| row.get::<_, String>(0)).unwrap();
    assert_eq!(said("SELECT said FROM job_logs"), "mine");
    assert_eq!(said("SELECT count(*) || '' FROM sqlite_schema WHERE name = 'job_queue'"), "0", "nothing is half done");
}

#[test]
fn what_stops_a_later_migration_of_the_queue_takes_the_earlier_ones_back() {
    for obstacle in
        ["CREATE INDEX job_workers ON tracks (title)", "CREATE VIEW job_workers AS SELECT title FROM tracks"]
    {
        let sandbox = database(&[obstacle]);
        let ran = sandbox.run(&["migrate", "up", "--json"]);
        assert!([1, 5].contains(&ran.exit), "{ran:?}");
        assert!(ran.document()["error"]["message"].as_str().unwrap().contains("job_workers"), "{ran:?}");
        let connection = Connection::open(sandbox.path("longshore.db")).unwrap();
        let made = "SELECT count(*) FROM sqlite_schema WHERE name LIKE 'job\\_%' ESCAPE '\\' AND name <> 'job_workers'";
        assert_eq!(connection.query_row(made, [], |row| row.get::<_, i64>(0)).unwrap(), 0, "{obstacle}");
        drop(connection);
        let status = sandbox.json(&["migrate", "status"]);
        assert_eq!(
            (&status["applied_count"], &status["pending_count"]),
            (&0.into(), &QUEUE_MIGRATIONS.into()),
            "{obstacle}"
        );
    }
}

#[test]
fn a_dry_run_shows_the_one_transaction_of_the_queues_migrations() {
    let sandbox = database(&[]);
    sandbox.write("migrations/001_songs.up.sql", "CREATE TABLE songs (id INTEGER);\n");
    let shown = sandbox.run(&["migrate", "up", "--dry-run"]).stdout;
    assert_eq!((shown.matches("BEGIN IMMEDIATE").count(), shown.matches("COMMIT").count()), (2, 2), "{shown}");
    let steps = sandbox.json(&["migrate", "up", "--dry-run"])["migrations"].clone();
    let joined: Vec<bool> = steps.as_array().unwrap().iter().map(|it| it["joined"].as_bool().unwrap()).collect();
    assert_eq!(joined, [[true; QUEUE_MIGRATIONS].as_slice(), &[false]].concat());
}

/// An earlier version kept the history of all sources under this name.
#[test]
fn a_table_of_the_application_that_is_called_like_an_old_ledger_is_a_table_like_any_other() {
    let history = "CREATE TABLE schema_migrations_history (id INTEGER PRIMARY KEY, said TEXT);\n\
                   INSERT INTO schema_migrations_history (said) VALUES ('mine'), ('too');\n";
    let sandbox = database(&["CREATE TABLE schema_migrations_verified (id INTEGER)"]);
    sandbox.write("longshore.toml", "[jobs.mail]\nrun = [\"true\"]\n");
    sandbox.write("migrations/001_history.up.sql", history);
    sandbox.write(
        "migrations/001_history.down.sql",
        "-- longshore: loses schema_migrations_history\nDROP TABLE schema_migrations_history;\n",
    );
    assert_eq!(sandbox.run(&["migrate", "up"]).exit, 0);
    sandbox.write("migrations/002_empty.up.sql", "DELETE FROM schema_migrations_history;\n");
    let refused = sandbox.run(&["migrate", "up", "--json"]);
    assert_eq!(refused.exit, 7, "its rows are counted: {refused:?}");
    std::fs::remove_file(sandbox.path("migrations/002_empty.up.sql")).unwrap();
    for command in [&["migrate", "verify"][..], &["enqueue", "mail"], &["work", "--drain"], &["migrate", "repair"]] {
        let ran = sandbox.run(command);
        assert_eq!(ran.exit, 0, "{command:?}: {ran:?}");
    }
    let status = sandbox.json(&["migrate", "status"]);
    let foreign = status["foreign"].to_string();
    assert!(foreign.contains("schema_migrations_verified") && !foreign.contains("_history"), "{foreign}");
    let connection = Connection::open(sandbox.path("longshore.db")).unwrap();
    let rows =
        || connection.query_row("SELECT count(*) FROM schema_migrations_history", [], |row| row.get::<_, i64>(0));
    assert_eq!(rows().unwrap(), 2);
    connection.execute_batch("ALTER TABLE schema_migrations_history ADD COLUMN by_hand TEXT").unwrap();
    assert_eq!(sandbox.run(&["migrate", "verify"]).exit, 5, "and its shape is compared");
    connection.execute_batch("ALTER TABLE schema_migrations_history DROP COLUMN by_hand").unwrap();
    assert_eq!(sandbox.run(&["migrate", "down"]).exit, 0);
    assert!(rows().is_err());
}
