//! The application's own directory of migrations beside another manager, and the ledger of earlier versions.

use super::{FOUNDING, Harbour};
use crate::sandbox::QUEUE_MIGRATIONS;

/// What the version before left of an application's two migrations and the queue's six: every source in one table.
const COMBINED: &str = "
CREATE TABLE schema_migrations (
    id INTEGER PRIMARY KEY AUTOINCREMENT, migration_number INTEGER NOT NULL, migration_name TEXT NOT NULL,
    applied_at TEXT DEFAULT (datetime('now')), rollback_at TEXT NULL, source TEXT NOT NULL DEFAULT 'app', checksum TEXT,
    duration_ms INTEGER, applied_by TEXT, is_verified INTEGER NOT NULL DEFAULT 1, UNIQUE (source, migration_number));
CREATE TABLE schema_migrations_history (
    id INTEGER PRIMARY KEY AUTOINCREMENT, at TEXT NOT NULL, event TEXT NOT NULL, source TEXT NOT NULL,
    migration_number INTEGER NOT NULL, migration_name TEXT NOT NULL, who TEXT, host TEXT, reason TEXT, duration_ms INTEGER,
    checksum TEXT, detail TEXT);
CREATE TRIGGER schema_migrations_history_is_never_shortened BEFORE DELETE ON schema_migrations_history
BEGIN SELECT RAISE(ABORT, 'the history of migrations is append-only'); END;
CREATE TABLE schema_migrations_checkpoints (
    source TEXT NOT NULL, migration_number INTEGER NOT NULL, direction TEXT NOT NULL, statement INTEGER NOT NULL,
    checksum TEXT NOT NULL, PRIMARY KEY (source, migration_number, direction, statement)) WITHOUT ROWID;
CREATE TABLE schema_migrations_verified (source TEXT PRIMARY KEY, fingerprint TEXT NOT NULL, at TEXT NOT NULL) WITHOUT ROWID;
INSERT INTO schema_migrations (migration_number, migration_name, applied_at, rollback_at, source, checksum, duration_ms, applied_by, is_verified)
    SELECT migration_number, migration_name, applied_at, rollback_at, source, checksum, duration_ms, applied_by, is_verified
    FROM longshore_migrations ORDER BY id;
INSERT INTO schema_migrations_history (at, event, source, migration_number, migration_name, who, host, reason, duration_ms, checksum, detail)
    SELECT at, event, source, migration_number, migration_name, who, host, reason, duration_ms, checksum, detail
    FROM longshore_migrations_history ORDER BY id;
DROP TABLE longshore_migrations;
DROP TABLE longshore_migrations_history;
DROP TABLE longshore_migrations_checkpoints;
DROP TABLE longshore_migrations_verified;";

fn with_directory(harbour: &Harbour) {
    harbour.sandbox.write("migrations/001_albums.up.sql", "CREATE TABLE albums (id INTEGER PRIMARY KEY);");
    harbour.sandbox.write("migrations/001_albums.down.sql", "DROP TABLE albums;");
    harbour.sandbox.write("migrations/002_artists.up.sql", "CREATE TABLE artists (id INTEGER PRIMARY KEY);");
    harbour.sandbox.write("migrations/002_artists.down.sql", "DROP TABLE artists;");
}

/// A database as the version before left it: the queue and the application's directory in one ledger.
fn combined() -> Harbour {
    let harbour = Harbour::with("CREATE TABLE tracks (id INTEGER PRIMARY KEY)");
    with_directory(&harbour);
    assert_eq!(harbour.run(&["migrate", "up"]).exit, 0);
    harbour.execute(&format!("DROP TABLE schema_migrations; {COMBINED}"));
    harbour
}

#[test]
fn a_ledger_of_both_sources_is_understood_as_it_is_and_split_on_the_first_write() {
    let harbour = combined();
    let bytes = std::fs::read(harbour.sandbox.path("longshore.db")).unwrap();
    let queues = QUEUE_MIGRATIONS;

    let looked = harbour.run(&["migrate", "status", "--check"]);
    assert_eq!(looked.exit, 0, "{looked:?}");
    let applied = format!("Applied migrations: {}\n", queues + 2);
    assert!(looked.stdout.starts_with(&applied), "{}", looked.stdout);
    assert_eq!(harbour.run(&["migrate", "verify"]).exit, 0);
    assert!(std::fs::read(harbour.sandbox.path("longshore.db")).unwrap() == bytes, "status wrote to the database");
    assert_eq!(harbour.run(&["work", "--drain"]).exit, 0);
    let mut numbers: Vec<usize> = (1..=queues).chain([1, 2]).collect();
    numbers.sort_unstable();
    assert_eq!(harbour.manager(&[]), format!("{numbers:?}"));

    harbour.sandbox.write("migrations/003_labels.up.sql", "CREATE TABLE labels (id INTEGER PRIMARY KEY);");
    harbour.sandbox.write("migrations/003_labels.down.sql", "DROP TABLE labels;");
    assert_eq!(harbour.run(&["migrate", "up"]).exit, 0);

    assert_eq!(harbour.manager(&[]), "[1, 2, 3]");
    let own = "SELECT count(*) FROM longshore_migrations WHERE source = 'longshore' AND checksum IS NOT NULL";
    assert_eq!(harbour.rows(own), [queues.to_string()]);
    let parts = "SELECT count(*) FROM sqlite_schema WHERE name LIKE 'schema_migrations\\__%' ESCAPE '\\'";
    assert_eq!(harbour.rows(parts), ["0"]);
    let status = harbour.run(&["migrate", "status", "--check"]);
    assert_eq!(status.exit, 0, "{status:?}");
    let applied = format!("Applied migrations: {}\n", queues + 3);
    assert!(status.stdout.starts_with(&applied), "{}", status.stdout);
    assert_eq!(harbour.sandbox.json(&["migrate", "history"])["events"].as_array().unwrap().len(), queues + 3);
    assert_eq!(harbour.run(&["work", "--drain"]).exit, 0);
}

#[test]
fn a_ledger_of_the_queue_alone_leaves_none_behind_when_it_is_split() {
    let harbour = Harbour::with("CREATE TABLE tracks (id INTEGER PRIMARY KEY)");
    assert_eq!(harbour.run(&["migrate", "up"]).exit, 0);
    assert_eq!(harbour.rows("SELECT count(*) FROM sqlite_schema WHERE name = 'schema_migrations'"), ["0"]);
    harbour.execute(COMBINED);

    assert_eq!(harbour.run(&["migrate", "redo", "--allow-data-loss"]).exit, 0);

    assert_eq!(harbour.rows("SELECT count(*) FROM sqlite_schema WHERE name LIKE 'schema_migrations%'"), ["0"]);
    assert_eq!(harbour.run(&["migrate", "status", "--check"]).exit, 0);
}

#[test]
fn what_an_upgrade_in_place_had_taken_from_another_manager_is_given_back() {
    let harbour = combined();
    // Its 001 was taken for the queue's and marked, its 004 for the queue's fourth and run over.
    harbour.execute(
        "INSERT INTO schema_migrations_history (at, event, source, migration_number, migration_name, detail) VALUES
            ('2025-06-28T16:02:11.000Z', 'applied', 'longshore', 1, 'Migration001', 'read from the older ledger'),
            ('2025-07-02T09:14:05.000Z', 'applied', 'longshore', 4, 'Migration004', 'read from the older ledger');
         INSERT INTO schema_migrations (migration_number, migration_name) VALUES (9, 'Migration009');
         DELETE FROM schema_migrations WHERE source = 'app' AND migration_number < 3;",
    );
    std::fs::remove_dir_all(harbour.sandbox.path("migrations")).unwrap();

    assert_eq!(harbour.run(&["migrate", "redo", "--allow-data-loss"]).exit, 0);

    assert_eq!(harbour.manager(&[]), "[1, 2, 4, 9]");
    let status = harbour.sandbox.json(&["migrate", "status"]);
    assert_eq!(status["applied_count"], QUEUE_MIGRATIONS, "{status:#}");
    harbour.manager(&["run", "3"]);
    assert_eq!(harbour.run(&["migrate", "status", "--check"]).exit, 0);
    assert_eq!(harbour.run(&["work", "--drain"]).exit, 0);
}

#[test]
fn the_applications_directory_is_never_taken_for_the_other_managers_numbers() {
    let harbour = Harbour::with(FOUNDING);
    harbour.sandbox.write("migrations/004_albums.up.sql", "CREATE TABLE albums (id INTEGER PRIMARY KEY);");
    harbour.sandbox.write("migrations/004_albums.down.sql", "DROP TABLE albums;");
    harbour.sandbox.write("migrations/020_artists.up.sql", "CREATE TABLE artists (id INTEGER PRIMARY KEY);");
    harbour.sandbox.write("migrations/020_artists.down.sql", "DROP TABLE artists;");

    assert_eq!(harbour.adopt(&[]).exit, 0);
    let status = harbour.sandbox.json(&["migrate", "status"]);
    let app: Vec<&str> = status["migrations"].as_array().unwrap()[QUEUE_MIGRATIONS..]
        .iter()
        .map(|it| it["state"].as_str().unwrap())
        .collect();
    assert_eq!(app, ["pending", "pending"], "row 4 says nothing of albums, and the schema has none");
    assert_eq!(harbour.run(&["migrate", "up"]).exit, 0);

    assert_eq!(harbour.manager(&[]), "[1, 2, 4, 5, 6, 7, 20]");
    assert_eq!(harbour.run(&["migrate", "status", "--check"]).exit, 0);
    assert_eq!(harbour.run(&["migrate", "down"]).exit, 0);
    assert_eq!(harbour.manager(&[]), "[1, 2, 4, 5, 6, 7]");
    harbour.manager(&["run", "14"]);
    assert_eq!(harbour.run(&["migrate", "status", "--check"]).exit, 3);
}

#[test]
fn a_ledger_that_is_strict_about_its_columns_is_written_to_as_it_is() {
    let harbour = Harbour::with(FOUNDING);
    with_directory(&harbour);
    let columns = "SELECT name, \"notnull\", dflt_value FROM pragma_table_info('schema_migrations')";
    let before = harbour.rows(columns);
    harbour.adopt(&[]);
    harbour.sandbox.write("migrations/021_labels.up.sql", "CREATE TABLE labels (id INTEGER PRIMARY KEY);");
    harbour.sandbox.write("migrations/021_labels.down.sql", "DROP TABLE labels;");

    assert_eq!(harbour.run(&["migrate", "up", "--to", "app:21"]).exit, 0);

    assert_eq!(harbour.rows(columns), before);
    // A program that writes its rows by position goes on to do so.
    harbour.execute("INSERT INTO schema_migrations VALUES (NULL, 30, 'Migration030', datetime('now'), NULL)");
    assert_eq!(harbour.run(&["migrate", "status", "--check"]).exit, 0);
}
