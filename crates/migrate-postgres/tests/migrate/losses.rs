//! What a migration loses is counted before its commit, whatever way it goes.

use longshore_migrate::{DataLoss, RunRequest};

use crate::support::{database, migrator, refused, rows, steps, up};

/// A parent and a child, a trigger and a function that delete.
const BASE: (&str, &str) = (
    "001_base.up.sql",
    "CREATE TABLE a (id int PRIMARY KEY, name text, note text);
     CREATE TABLE b (id int PRIMARY KEY, a_id int REFERENCES a (id) ON DELETE CASCADE, c_id int);
     CREATE TABLE c (id int PRIMARY KEY, a_id int REFERENCES a (id) ON DELETE SET NULL);
     CREATE TABLE log (id int PRIMARY KEY, text text);
     CREATE FUNCTION clean() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN DELETE FROM log; RETURN NULL; END $$;
     CREATE FUNCTION empty_note() RETURNS void LANGUAGE sql AS $$ UPDATE a SET note = NULL WHERE id = 1 $$;
     CREATE TABLE fire (i int);
     CREATE TRIGGER t AFTER INSERT ON fire FOR EACH STATEMENT EXECUTE FUNCTION clean();
     CREATE TABLE parts (id int, k int) PARTITION BY LIST (k);
     CREATE TABLE parts_1 PARTITION OF parts FOR VALUES IN (1);
     CREATE TABLE parts_2 PARTITION OF parts FOR VALUES IN (2);
     CREATE SCHEMA other; CREATE TABLE other.d (id int);",
);
const ROWS: &str = "INSERT INTO a VALUES (1, 'x', 'y'), (2, 'x', 'y'); INSERT INTO b VALUES (1, 1, 1), (2, 2, 2);
    INSERT INTO c VALUES (1, 1); INSERT INTO log VALUES (1, 'x'); INSERT INTO parts VALUES (1, 1), (2, 2);
    INSERT INTO other.d VALUES (1)";

/// Each statement, and what it loses in the words of the refusal.
const LOSSES: [(&str, &str); 22] = [
    ("DROP TABLE log", "table log (1 row)"),
    ("DELETE FROM log", "table log (1 row)"),
    ("TRUNCATE log", "table log (1 row)"),
    ("DO $$ BEGIN EXECUTE 'TRUNCATE a CASCADE'; END $$", "table b (2 rows)"),
    ("DELETE FROM a WHERE id = 1", "table b (1 of 2 rows)"),
    ("DELETE FROM a WHERE id = 1", "column c.a_id (1 value)"),
    ("ALTER TABLE a DROP COLUMN note", "column a.note (2 values)"),
    ("ALTER TABLE a RENAME note TO text; ALTER TABLE a DROP COLUMN text", "(2 values)"),
    ("UPDATE a SET note = nullif(note, 'y') WHERE id = 1", "column a.note (1 of 2 values)"),
    ("ALTER TABLE b ALTER COLUMN c_id TYPE text USING nullif(c_id, 1)::text", "column b.c_id (1 of 2 values)"),
    ("INSERT INTO fire VALUES (1)", "table log (1 row)"),
    ("SELECT empty_note()", "column a.note (1 of 2 values)"),
    ("DO $$ BEGIN EXECUTE 'DELETE FROM ' || 'log'; END $$", "table log (1 row)"),
    ("WITH gone AS (DELETE FROM log RETURNING id) SELECT * FROM gone", "table log (1 row)"),
    (
        "INSERT INTO a VALUES (1, 'z', NULL) ON CONFLICT (id) DO UPDATE SET note = excluded.note",
        "column a.note (1 of 2 values)",
    ),
    ("DROP SCHEMA other CASCADE", "table other.d (1 row)"),
    ("DELETE FROM parts WHERE k = 1", "table parts_1 (1 row)"),
    ("DROP TABLE parts", "table parts_1 (1 row)"),
    ("ALTER TABLE parts DROP COLUMN id", "column parts_1.id (1 value)"),
    (
        "ALTER TABLE log RENAME TO log_old; CREATE TABLE log (id int PRIMARY KEY, text text); DROP TABLE log_old",
        "table log (1 row)",
    ),
    (
        "CREATE TABLE new (id int PRIMARY KEY, name text, note text); INSERT INTO new SELECT id, name FROM a; DROP TABLE a CASCADE; ALTER TABLE new RENAME TO a",
        "column a.note (2 values)",
    ),
    ("MERGE INTO log USING a ON a.id = log.id WHEN MATCHED THEN DELETE", "table log (1 row)"),
];

#[test]
fn every_way_to_lose_rows_or_values_is_counted_and_refused() {
    for (statement, loss) in LOSSES {
        let database = database();
        migrator(&database, &[BASE]).up(&RunRequest::default()).unwrap();
        database.sql(ROWS);
        let files = [BASE, ("002_loss.up.sql", statement)];
        let (code, message) = refused(migrator(&database, &files).up(&RunRequest::default()));
        assert_eq!(code, "data_loss", "{statement}: {message}");
        assert!(message.contains(loss), "{statement}: {message}");
        assert_eq!(
            rows(
                &database,
                "SELECT (SELECT count(*) FROM a), (SELECT count(note) FROM a), (SELECT count(*) FROM b), (SELECT count(*) FROM log)"
            ),
            ["2|2|2|1"],
            "{statement}"
        );
    }
}

/// Statements that lose nothing.
const NO_LOSS: [&str; 11] = [
    "ALTER TABLE a RENAME COLUMN note TO text",
    "ALTER TABLE log RENAME TO journal",
    "ALTER TABLE a ADD COLUMN more text DEFAULT 'x'; UPDATE a SET more = name",
    "ALTER TABLE b ALTER COLUMN c_id TYPE bigint",
    "UPDATE parts SET k = 2 WHERE k = 1",
    "CREATE TEMP TABLE kept AS SELECT * FROM log; DELETE FROM log; INSERT INTO log SELECT * FROM kept; DROP TABLE kept",
    "CREATE TABLE new (id int PRIMARY KEY, text text); INSERT INTO new SELECT * FROM log; DROP TABLE log; ALTER TABLE new RENAME TO log",
    "ALTER TABLE parts DETACH PARTITION parts_1",
    "DROP TABLE fire",
    "CREATE TABLE s (i int); INSERT INTO s VALUES (1); DELETE FROM s; DROP TABLE s",
    "UPDATE a SET note = NULL WHERE id = 1",
];

#[test]
fn what_only_moves_or_is_meant_is_no_loss() {
    for statement in NO_LOSS {
        let database = database();
        migrator(&database, &[BASE]).up(&RunRequest::default()).unwrap();
        database.sql(ROWS);
        let result = migrator(&database, &[BASE, ("002_move.up.sql", statement)]).up(&RunRequest::default());
        assert!(result.is_ok(), "{statement}: {}", result.unwrap_err());
    }
}

#[test]
fn a_declared_loss_passes_and_so_does_an_explicit_word() {
    let database = database();
    up(&mut migrator(&database, &[BASE]));
    database.sql(ROWS);
    let files = [
        BASE,
        (
            "002_log.up.sql",
            "-- longshore: loses log, other.d, a.note\nDROP TABLE log; DROP TABLE other.d; UPDATE a SET note = nullif(note, 'y')",
        ),
        ("003_b.up.sql", "DROP TABLE b"),
    ];
    assert_eq!(refused(migrator(&database, &files).up(&RunRequest::default())).0, "data_loss");
    assert_eq!(migrator(&database, &files).up(&steps(1)).unwrap().migrations.len(), 1);
    let allowed = RunRequest { data_loss: DataLoss::Allow, ..RunRequest::default() };
    assert_eq!(migrator(&database, &files).up(&allowed).unwrap().migrations.len(), 1);
    assert_eq!(rows(&database, "SELECT to_regclass('b'), to_regclass('log')"), ["NULL|NULL"]);
}

#[test]
fn a_down_that_would_lose_rows_is_refused() {
    let database = database();
    let files = [("001_a.up.sql", "CREATE TABLE a (i int)"), ("001_a.down.sql", "DROP TABLE a")];
    let mut migrator = migrator(&database, &files);
    up(&mut migrator);
    database.sql("INSERT INTO a VALUES (1)");
    let (code, message) = refused(migrator.down(&RunRequest::default()));
    assert_eq!((code.as_str(), message.contains("table a (1 row)")), ("data_loss", true), "{message}");
}

#[test]
fn rows_that_somebody_else_deletes_meanwhile_are_no_loss_of_the_migration() {
    let database = database();
    up(&mut migrator(&database, &[BASE]));
    database.sql(ROWS);
    // The migration waits for the other session inside its transaction.
    let text = "ALTER TABLE a ADD COLUMN k int; SELECT pg_sleep(0.5); INSERT INTO c VALUES (9, NULL);";
    let runner = std::thread::scope(|scope| {
        let runner = scope.spawn(|| migrator(&database, &[BASE, ("002_k.up.sql", text)]).up(&RunRequest::default()));
        database.sql("DELETE FROM other.d");
        runner.join().unwrap()
    });
    assert!(runner.is_ok(), "{}", runner.unwrap_err());
}
