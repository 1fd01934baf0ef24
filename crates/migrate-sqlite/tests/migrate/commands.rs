//! up, down, redo, marks, baseline, dump and the ledger in all its forms.

use std::fs;

use longshore_migrate::{
    Agreement, DataLoss, Goal, Marking, MigrateError, RepairRequest, RunMode, RunRequest, Source, Verification,
    report::NextStep, report::State,
};
use longshore_migrate_sqlite::{Access, SqliteTarget};

use crate::QUEUE_MIGRATIONS;
use crate::support::{Database, app, fresh, id, longshore, marking, repair_now, source};

const NOTES: &[(&str, &str)] = &[
    ("001_notes.up.sql", "CREATE TABLE notes (id INTEGER PRIMARY KEY, text TEXT NOT NULL);"),
    ("001_notes.down.sql", "DROP TABLE notes;"),
    ("002_notes_pinned.up.sql", "ALTER TABLE notes ADD COLUMN pinned INTEGER NOT NULL DEFAULT 0;"),
    ("002_notes_pinned.down.sql", "ALTER TABLE notes DROP COLUMN pinned;"),
];

fn allowing_loss() -> RunRequest {
    RunRequest { data_loss: DataLoss::Allow, ..RunRequest::default() }
}

#[test]
fn two_sources_share_one_number_and_no_ledger() {
    let database = Database::empty();

    let report = database.migrator_of(vec![longshore(), source(NOTES)]).up(&RunRequest::default()).unwrap();

    assert_eq!(report.migrations.len(), QUEUE_MIGRATIONS + 2);
    let numbers = |query: &str| database.rows(query).join(" ");
    assert_eq!(numbers("SELECT migration_number FROM schema_migrations ORDER BY 1"), "1 2");
    let own = "SELECT migration_number FROM longshore_migrations WHERE source = 'longshore' ORDER BY 1";
    let each: Vec<_> = (1..=QUEUE_MIGRATIONS).map(|number| number.to_string()).collect();
    assert_eq!(numbers(own), each.join(" "));
    assert!(database.migrator_of(vec![longshore(), source(NOTES)]).verify().unwrap().ok);
    let ambiguous = database.migrator_of(vec![longshore(), source(NOTES)]).resolve("1").unwrap_err();
    assert_eq!(ambiguous.code(), "ambiguous_migration");
    assert_eq!(database.migrator_of(vec![longshore(), source(NOTES)]).resolve("003").unwrap(), id(3));
}

#[test]
fn every_down_undoes_its_up_and_a_migration_applies_again_over_its_own_row() {
    let database = fresh();

    for _ in 0..QUEUE_MIGRATIONS {
        database.migrator().down(&allowing_loss()).unwrap();
        assert!(database.looker().verify().unwrap().ok);
    }
    assert_eq!(database.value("SELECT count(*) FROM sqlite_schema WHERE name LIKE 'job_%'"), "0");
    database.migrator().up(&RunRequest::default()).unwrap();

    assert!(database.looker().verify().unwrap().ok);
    let applied = database.value("SELECT count(*) FROM longshore_migrations WHERE rollback_at IS NULL");
    assert_eq!(applied, QUEUE_MIGRATIONS.to_string());
    assert_eq!(database.looker().history(Some(&id(1))).unwrap().events.len(), 3);
}

#[test]
fn a_down_on_a_table_with_rows_wants_the_explicit_word() {
    let database = Database::empty();
    database.migrator_of(vec![source(NOTES)]).up(&RunRequest::default()).unwrap();
    database.execute("INSERT INTO notes (text) VALUES ('a')");

    let error = database.migrator_of(vec![source(NOTES)]).down(&RunRequest::default()).unwrap_err();

    assert_eq!(error.code(), "data_loss");
    assert_eq!(error.to_string(), "app:2 down would lose data: column notes.pinned (1 value)");
    let report = database.migrator_of(vec![source(NOTES)]).down(&allowing_loss()).unwrap();
    assert!(report.backup.unwrap().exists());
}

#[test]
fn backups_are_pruned_to_the_last_five() {
    let database = Database::empty();
    for _ in 0..7 {
        database.migrator_of(vec![source(NOTES)]).up(&RunRequest::default()).unwrap();
        database.migrator_of(vec![source(NOTES)]).down(&allowing_loss()).unwrap();
    }
    let names =
        fs::read_dir(database.directory()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    assert_eq!(names.filter(|name| name.starts_with("jobs.db.backup-")).count(), 5);
}

#[test]
fn a_destructive_up_on_a_table_with_rows_wants_the_explicit_word() {
    let database = Database::with("CREATE TABLE keep (id INTEGER); INSERT INTO keep VALUES (1);");
    let dropping = [("001_drop.up.sql", "DROP TABLE keep;")];
    let emptying = [("001_empty.up.sql", "DELETE FROM keep;")];
    for files in [&dropping[..], &emptying[..]] {
        let error = database.migrator_of(vec![source(files)]).up(&RunRequest::default()).unwrap_err();
        assert!(matches!(error, MigrateError::DataLoss { .. } | MigrateError::HistoryBroken { .. }), "{error}");
    }
    assert_eq!(database.value("SELECT count(*) FROM keep"), "1");
}

#[test]
fn a_down_that_does_not_undo_its_up_is_rolled_back_and_told() {
    let files = [("001_a.up.sql", "CREATE TABLE a (b); CREATE TABLE c (d);"), ("001_a.down.sql", "DROP TABLE a;")];
    let database = Database::empty();
    database.migrator_of(vec![source(&files)]).up(&RunRequest::default()).unwrap();

    let error = database.migrator_of(vec![source(&files)]).down(&RunRequest::default()).unwrap_err();

    assert_eq!(error.code(), "did_not_undo");
    assert!(error.to_string().contains("table c is there still"), "{error}");
    assert_eq!(database.value("SELECT count(*) FROM sqlite_schema WHERE name IN ('a', 'c')"), "2");
    assert_eq!(database.value("SELECT rollback_at FROM schema_migrations"), "NULL");
    assert_eq!(database.value("SELECT event FROM longshore_migrations_history ORDER BY id DESC"), "failed");
}

#[test]
fn a_failing_statement_leaves_its_migration_undone_and_the_earlier_ones_applied() {
    let mut files = NOTES.to_vec();
    files.push(("003_fails.up.sql", "CREATE TABLE late (a);\nINSERT INTO notes (id, text) SELECT 1, NULL FROM notes;"));
    let database = Database::empty();
    let first = Goal { to: Some(app(1)), steps: None };
    database.migrator_of(vec![source(&files)]).up(&RunRequest { goal: first, ..RunRequest::default() }).unwrap();
    database.execute("INSERT INTO notes (text) VALUES ('a')");

    let error = database.migrator_of(vec![source(&files)]).up(&RunRequest::default()).unwrap_err();

    assert_eq!(error.code(), "migration_failed");
    assert!(error.to_string().contains("line 2"), "{error}");
    assert!(error.to_string().contains("app:2 applied before it in this run"), "{error}");
    assert_eq!(database.value("SELECT count(*) FROM sqlite_schema WHERE name = 'late'"), "0");
    let events = database.rows("SELECT event FROM longshore_migrations_history ORDER BY id");
    assert_eq!(events, ["applied", "applied", "failed"]);
}

#[test]
fn a_migration_outside_a_transaction_goes_on_after_its_last_checkpoint() {
    let text =
        "-- longshore: no transaction\nCREATE TABLE a (b NOT NULL);\nVACUUM;\nINSERT INTO a SELECT x FROM wanted;";
    let files = [("001_wanted.up.sql", "CREATE TABLE wanted (x);"), ("002_a.up.sql", text)];
    let database = Database::empty();
    let first = RunRequest { goal: Goal { to: Some(app(1)), steps: None }, ..RunRequest::default() };
    database.migrator_of(vec![source(&files)]).up(&first).unwrap();
    database.execute("INSERT INTO wanted VALUES (NULL)");

    let error = database.migrator_of(vec![source(&files)]).up(&RunRequest::default()).unwrap_err();
    assert!(error.to_string().contains("its first 2 statements are done and stay so"), "{error}");
    database.execute("UPDATE wanted SET x = 1");
    database.migrator_of(vec![source(&files)]).up(&RunRequest::default()).unwrap();

    assert_eq!(database.value("SELECT count(*) FROM a"), "1");
    assert_eq!(database.value("SELECT count(*) FROM longshore_migrations_checkpoints"), "0");
}

const WANTED: (&str, &str) = ("001_wanted.up.sql", "CREATE TABLE wanted (x);");

/// Two rows outside of any transaction: this one and the one that is wanted.
fn two_rows(first: &str) -> Source {
    let text = format!(
        "-- longshore: no transaction\nCREATE TABLE a (b NOT NULL);\nINSERT INTO a VALUES ({first});\n\
         INSERT INTO a SELECT x FROM wanted;"
    );
    source(&[WANTED, ("002_a.up.sql", text.as_str()), ("002_a.down.sql", "DROP TABLE a;")])
}

/// The second row of 002 has failed, and would not fail again.
fn interrupted() -> Database {
    let database = Database::empty();
    database.migrator_of(vec![source(&[WANTED])]).up(&RunRequest::default()).unwrap();
    database.execute("INSERT INTO wanted VALUES (NULL)");
    database.migrator_of(vec![two_rows("2")]).up(&RunRequest::default()).unwrap_err();
    database.execute("UPDATE wanted SET x = 3");
    database
}

#[test]
fn a_statement_that_has_run_may_not_change_before_the_others_have() {
    let database = interrupted();

    let error = database.migrator_of(vec![two_rows("22")]).up(&RunRequest::default()).unwrap_err();

    assert_eq!(error.code(), "history_broken");
    assert!(error.to_string().contains("statement 2, which has run, says something else now"), "{error}");
    assert_eq!(database.rows("SELECT b FROM a"), ["2"]);
    database.migrator_of(vec![two_rows("2")]).up(&RunRequest::default()).unwrap();
    assert_eq!(database.rows("SELECT b FROM a"), ["2", "3"]);
}

#[test]
fn an_up_that_leaves_out_what_is_there_and_is_interrupted_goes_on_by_the_whole_file() {
    let database = Database::empty();
    database.migrator_of(vec![source(&[WANTED])]).up(&RunRequest::default()).unwrap();
    database.execute("INSERT INTO wanted VALUES (NULL); CREATE TABLE a (b NOT NULL)");
    let only = RunRequest { only: Some(app(2)), ..RunRequest::default() };

    let error = database.migrator_of(vec![two_rows("2")]).up(&only).unwrap_err();

    assert!(error.to_string().contains("its first 2 statements are done and stay so"), "{error}");
    assert_eq!(database.migrator_of(vec![two_rows("2")]).status().unwrap().findings, []);
    database.execute("UPDATE wanted SET x = 3");
    database.migrator_of(vec![two_rows("2")]).up(&RunRequest::default()).unwrap();
    assert_eq!(database.rows("SELECT b FROM a"), ["2", "3"]);
    assert!(database.migrator_of(vec![two_rows("2")]).verify().unwrap().ok);
}

#[test]
fn what_an_up_leaves_out_is_not_among_its_statements() {
    let database = Database::empty();
    database.migrator_of(vec![source(&[WANTED])]).up(&RunRequest::default()).unwrap();
    database.execute("INSERT INTO wanted VALUES (3); CREATE TABLE a (b NOT NULL)");
    let only = RunRequest { only: Some(app(2)), ..RunRequest::default() };

    let report = database.migrator_of(vec![two_rows("2")]).up(&only).unwrap();

    assert_eq!(report.migrations[0].sql, ["INSERT INTO a VALUES (2)", "INSERT INTO a SELECT x FROM wanted"]);
    assert_eq!(database.rows("SELECT b FROM a"), ["2", "3"]);
}

#[test]
fn after_a_mark_an_interrupted_migration_begins_anew() {
    let database = interrupted();
    database.migrator_of(vec![two_rows("2")]).mark_applied(&marking(app(2))).unwrap();

    database.migrator_of(vec![two_rows("2")]).down(&allowing_loss()).unwrap();
    database.migrator_of(vec![two_rows("2")]).up(&RunRequest::default()).unwrap();

    assert_eq!(database.rows("SELECT b FROM a"), ["2", "3"]);
}

#[test]
fn redo_runs_down_and_up_in_one_go() {
    let database = Database::empty();
    database.migrator_of(vec![source(NOTES)]).up(&RunRequest::default()).unwrap();

    let report = database.migrator_of(vec![source(NOTES)]).redo(&RunRequest::default()).unwrap();

    assert_eq!(report.migrations.len(), 2);
    assert!(database.migrator_of(vec![source(NOTES)]).verify().unwrap().ok);
}

#[test]
fn a_dry_run_shows_the_statements_and_writes_nothing() {
    let database = Database::empty();
    let request = RunRequest { mode: RunMode::DryRun, ..RunRequest::default() };

    let report = database.looker().up(&request).unwrap();

    assert_eq!(report.migrations.len(), QUEUE_MIGRATIONS);
    assert!(report.migrations[1].sql[0].starts_with("ALTER TABLE job_queue ADD COLUMN failure_type"));
    assert!(!database.path.exists());
    assert_eq!(fs::read_dir(database.directory()).unwrap().count(), 0);
}

#[test]
fn a_checkout_with_crlf_is_the_same_migration() {
    let database = Database::empty();
    database.migrator_of(vec![source(NOTES)]).up(&RunRequest::default()).unwrap();
    let windows: Vec<(&str, String)> =
        NOTES.iter().map(|(name, text)| (*name, text.replace(", ", ",\r\n") + "\r\n")).collect();
    let windows: Vec<(&str, &str)> = windows.iter().map(|(name, text)| (*name, text.as_str())).collect();

    let status = database.migrator_of(vec![source(&windows)]).status().unwrap();

    assert_eq!(status.agreement(), Agreement::InOrder, "{status:#?}");
    assert!(status.migrations.iter().all(|migration| migration.state == State::Applied));
}

#[test]
fn a_changed_file_breaks_the_history_and_repair_takes_it_only_if_the_schema_agrees() {
    let database = Database::empty();
    database.migrator_of(vec![source(NOTES)]).up(&RunRequest::default()).unwrap();
    let mut changed = NOTES.to_vec();
    changed[2].1 =
        "ALTER TABLE notes ADD COLUMN pinned INTEGER NOT NULL DEFAULT 0; UPDATE notes SET pinned = 1 WHERE id = 0;";

    let status = database.migrator_of(vec![source(&changed)]).status().unwrap();
    assert_eq!((status.agreement(), status.migrations[1].state), (Agreement::HistoryBroken, State::Changed));
    database.migrator_of(vec![source(&changed)]).repair(&repair_now()).unwrap();
    assert!(database.migrator_of(vec![source(&changed)]).verify().unwrap().ok);

    changed[2].1 = "ALTER TABLE notes ADD COLUMN starred INTEGER NOT NULL DEFAULT 0;";
    let error = database.migrator_of(vec![source(&changed)]).repair(&RepairRequest::default()).unwrap_err();
    assert_eq!(error.code(), "no_repair", "{error}");
}

#[test]
fn a_missing_and_an_out_of_order_migration_break_the_history() {
    let database = Database::empty();
    database.migrator_of(vec![source(NOTES)]).up(&RunRequest::default()).unwrap();

    let missing = database.migrator_of(vec![source(&NOTES[..2])]).status().unwrap();
    let late = [&NOTES[2..], &[("000_early.up.sql", "CREATE TABLE early (a);")], &NOTES[..2]].concat();
    let out_of_order = database.migrator_of(vec![source(&late)]).up(&RunRequest::default()).unwrap_err();

    assert_eq!((missing.agreement(), missing.migrations[1].state), (Agreement::HistoryBroken, State::Missing));
    assert_eq!(out_of_order.code(), "history_broken");
    assert!(out_of_order.to_string().contains("app:0"), "{out_of_order}");
}

#[test]
fn an_unverified_mark_is_remembered_by_status() {
    let database = Database::empty();
    let unverified = Marking { verification: Verification::Waived, ..marking(app(1)) };

    let report = database.migrator_of(vec![source(NOTES)]).mark_applied(&unverified).unwrap();
    let status = database.migrator_of(vec![source(NOTES)]).status().unwrap();

    assert_eq!(report.marked, [app(1)]);
    assert!(
        status.migrations[0].problem.as_ref().unwrap().contains("marked applied without being shown"),
        "{status:#?}"
    );
    assert_eq!(status.agreement(), Agreement::SchemaDisagrees);
}

#[test]
fn mark_rolled_back_is_the_mirror_image() {
    let database = Database::empty();
    database.migrator_of(vec![source(NOTES)]).up(&RunRequest::default()).unwrap();

    let refused = database.migrator_of(vec![source(NOTES)]).mark_rolled_back(&marking(app(2))).unwrap_err();
    database.execute("ALTER TABLE notes DROP COLUMN pinned");
    database.migrator_of(vec![source(NOTES)]).mark_rolled_back(&marking(app(2))).unwrap();

    assert_eq!(refused.code(), "still_there");
    assert!(database.migrator_of(vec![source(NOTES)]).verify().unwrap().ok);
}

#[test]
fn baseline_adopts_what_is_there_and_refuses_what_is_not() {
    let database = Database::with("CREATE TABLE notes (id INTEGER PRIMARY KEY, text TEXT NOT NULL)");

    let refused = database.migrator_of(vec![source(NOTES)]).baseline(&app(2), "made by hand").unwrap_err();
    let report = database.migrator_of(vec![source(NOTES)]).baseline(&app(1), "made by hand").unwrap();
    database.migrator_of(vec![source(NOTES)]).up(&RunRequest::default()).unwrap();

    assert_eq!(refused.code(), "not_shown");
    assert!(refused.to_string().contains("pinned"), "{refused}");
    assert_eq!(report.marked, [app(1)]);
    assert!(database.migrator_of(vec![source(NOTES)]).verify().unwrap().ok);
}

#[test]
fn the_ledgers_of_other_tools_are_offered_to_baseline_and_never_written() {
    let ledgers = [
        (
            "CREATE TABLE _sqlx_migrations (version BIGINT PRIMARY KEY, description TEXT NOT NULL, installed_on TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP, success BOOLEAN NOT NULL, checksum BLOB NOT NULL, execution_time BIGINT NOT NULL); INSERT INTO _sqlx_migrations VALUES (1, 'notes', '', 1, x'00', 1);",
            "sqlx",
        ),
        (
            "CREATE TABLE refinery_schema_history (version INT4 PRIMARY KEY, name VARCHAR(255), applied_on VARCHAR(255), checksum VARCHAR(255)); INSERT INTO refinery_schema_history VALUES (1, 'notes', '', '');",
            "refinery",
        ),
        (
            "CREATE TABLE __diesel_schema_migrations (version VARCHAR(50) PRIMARY KEY NOT NULL, run_on TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP); INSERT INTO __diesel_schema_migrations (version) VALUES ('1');",
            "diesel",
        ),
        (
            "CREATE TABLE schema_migrations (version varchar(128) primary key); INSERT INTO schema_migrations VALUES ('001');",
            "dbmate",
        ),
        (
            "CREATE TABLE goose_db_version (id INTEGER PRIMARY KEY AUTOINCREMENT, version_id INTEGER NOT NULL, is_applied INTEGER NOT NULL, tstamp TIMESTAMP DEFAULT (datetime('now'))); INSERT INTO goose_db_version (version_id, is_applied) VALUES (0, 1), (1, 1);",
            "goose",
        ),
        (
            "CREATE TABLE schema_migrations (version uint64, dirty bool); INSERT INTO schema_migrations VALUES (1, false);",
            "golang-migrate",
        ),
        (
            "CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL); INSERT INTO alembic_version VALUES ('1');",
            "Alembic",
        ),
    ];
    for (ledger, tool) in ledgers {
        let database =
            Database::with(&format!("CREATE TABLE notes (id INTEGER PRIMARY KEY, text TEXT NOT NULL); {ledger}"));
        let theirs = database.migrator_of(vec![source(NOTES)]).status().unwrap().foreign_ledgers.remove(0);
        let before = database.rows(&format!("SELECT * FROM {}", theirs.table));

        let next = database.migrator_of(vec![source(NOTES)]).status().unwrap().next.unwrap();
        database.migrator_of(vec![source(NOTES)]).baseline(&app(1), "adopted").unwrap();
        database.migrator_of(vec![source(NOTES)]).up(&RunRequest::default()).unwrap();

        assert_eq!(theirs.tool.in_words(), tool);
        assert_eq!(next, NextStep::Baseline { id: app(1), tool });
        assert_eq!(database.rows(&format!("SELECT * FROM {}", theirs.table)), before, "{tool}");
        assert!(database.migrator_of(vec![source(NOTES)]).verify().unwrap().ok, "{tool}");
    }
}

#[test]
fn an_old_ledger_is_written_to_and_never_altered() {
    let old = "CREATE TABLE schema_migrations (id INTEGER PRIMARY KEY AUTOINCREMENT, migration_number INTEGER UNIQUE NOT NULL, migration_name TEXT NOT NULL, applied_at TEXT DEFAULT (datetime('now')), rollback_at TEXT NULL);
        CREATE TABLE notes (id INTEGER PRIMARY KEY, text TEXT NOT NULL);
        INSERT INTO schema_migrations (migration_number, migration_name, applied_at) VALUES (1, 'notes', '2025-06-28 11:35:15');
        CREATE VIEW ledger AS SELECT migration_name FROM schema_migrations;";
    let database = Database::with(old);

    assert!(database.migrator_of(vec![source(NOTES)]).verify().unwrap().ok);
    assert_eq!(database.value("SELECT count(*) FROM pragma_table_info('schema_migrations')"), "5");
    database.migrator_of(vec![source(NOTES)]).up(&RunRequest::default()).unwrap();

    assert_eq!(database.value("SELECT count(*) FROM pragma_table_info('schema_migrations')"), "5");
    let rows = database.rows("SELECT migration_number, applied_at IS NOT NULL FROM schema_migrations ORDER BY id");
    assert_eq!(rows, ["1|1", "2|1"]);
    assert_eq!(database.rows("SELECT migration_name FROM ledger ORDER BY 1"), ["notes", "notes_pinned"]);
    assert_eq!(database.migrator_of(vec![source(NOTES)]).history(None).unwrap().events.len(), 2);
}

#[test]
fn the_history_refuses_to_be_rewritten() {
    let database = fresh();
    for sql in ["UPDATE longshore_migrations_history SET reason = 'x'", "DELETE FROM longshore_migrations_history"] {
        let error = database.connection().execute_batch(sql).unwrap_err();
        assert!(error.to_string().contains("append-only"), "{error}");
    }
}

#[test]
fn status_of_a_file_that_is_not_there_creates_nothing() {
    let database = Database::empty();

    let status = database.looker().status().unwrap();

    assert_eq!((status.pending_count, status.agreement()), (QUEUE_MIGRATIONS, Agreement::Pending));
    assert!(status.migrations.iter().all(|migration| migration.problem.is_none()));
    assert_eq!(fs::read_dir(database.directory()).unwrap().count(), 0);
}

#[test]
fn a_directory_is_read_and_every_stranger_in_it_is_named() {
    let database = Database::empty();
    let dir = database.directory().join("migrations");
    fs::create_dir(&dir).unwrap();
    fs::write(dir.join("1_notes.up.sql"), NOTES[0].1).unwrap();
    fs::write(dir.join("migration_002_enhance.py"), "def upgrade(db):\n    pass\n").unwrap();
    fs::write(dir.join("README.md"), "notes").unwrap();
    fs::write(dir.join("3_empty.up.sql"), "-- nothing yet\n").unwrap();
    let source = || Source::directory("app", &dir).unwrap();

    let status = database.migrator_of(vec![source()]).status().unwrap();
    let up = database.migrator_of(vec![source()]).up(&RunRequest::default()).unwrap_err();

    assert_eq!(status.unrecognised, ["migration_002_enhance.py"]);
    assert_eq!((status.agreement(), up.code()), (Agreement::HistoryBroken, "history_broken"));
    let python = status.findings.iter().find(|finding| finding.subject.ends_with(".py")).unwrap();
    assert!(python.message.contains("function-style Python"), "{python}");
    assert_eq!(
        python.hint.as_deref(),
        Some("write its SQL as 002_enhance.up.sql and 002_enhance.down.sql, or move it elsewhere")
    );
    assert!(status.findings.iter().any(|finding| finding.subject == "3_empty.up.sql"), "{:#?}", status.findings);
}

#[test]
fn new_goes_on_with_the_numbers_that_are_there() {
    let database = Database::empty();
    let dir = database.directory().join("migrations");
    fs::create_dir(&dir).unwrap();
    let migrator = || database.migrator_of(vec![Source::directory("app", &dir).unwrap()]);

    let first = migrator().new_pair("Add users!").unwrap();
    let second = migrator().new_pair("more").unwrap();

    assert!(first.up.ends_with("001_add_users.up.sql"), "{first:?}");
    assert_eq!(second.number, 2);
    assert!(!migrator().lint().unwrap().ok);
}

#[test]
fn a_dump_of_an_upgraded_database_is_that_of_a_fresh_one() {
    let upgraded = Database::with(include_str!("../data/incident.sql"));
    upgraded.execute("DROP TABLE tracks");
    upgraded.migrator().repair(&repair_now()).unwrap();

    let dump = fresh().looker().dump().unwrap();

    assert_eq!(upgraded.looker().dump().unwrap(), dump);
    assert!(upgraded.looker().dump_agrees_with(&dump.replace('\n', "\r\n")).unwrap());
    upgraded.execute("DROP INDEX job_queue_due");
    assert!(!upgraded.looker().dump_agrees_with(&dump).unwrap());
}

const THINGS: &[(&str, &str)] = &[
    (
        "001_things.up.sql",
        "CREATE TABLE owners (id INTEGER PRIMARY KEY);
         CREATE TABLE things (id INTEGER PRIMARY KEY, name TEXT NOT NULL, size INTEGER DEFAULT 1,
             owner INTEGER REFERENCES owners (id), UNIQUE (name), CHECK (size > 0));
         CREATE INDEX things_size ON things (size);
         CREATE VIEW large AS SELECT name FROM things WHERE size > 10;",
    ),
    ("001_things.down.sql", "DROP VIEW large; DROP TABLE things; DROP TABLE owners;"),
    ("002_colour.up.sql", "ALTER TABLE things ADD COLUMN colour TEXT;"),
    ("002_colour.down.sql", "ALTER TABLE things DROP COLUMN colour;"),
];

/// What stands in the statement of the table at the end.
const IN_THINGS: &str = "id INTEGER PRIMARY KEY, name TEXT NOT NULL, size INTEGER DEFAULT 1, \
     owner INTEGER REFERENCES owners (id), colour TEXT, UNIQUE (name), CHECK (size > 0)";

fn things() -> Database {
    let database = Database::empty();
    database.migrator_of(vec![source(THINGS)]).up(&RunRequest::default()).unwrap();
    database
}

fn make_again(things: &str) -> String {
    format!("DROP TABLE things; CREATE TABLE things ({things}); CREATE INDEX things_size ON things (size)")
}

#[test]
fn a_dump_has_a_table_as_it_is_where_the_migrations_make_another() {
    let committed = things().migrator_of(vec![source(THINGS)]).dump().unwrap();
    let edits = [
        ("colour TEXT, ", ""),
        ("colour TEXT", "color TEXT"),
        ("colour TEXT", "colour BLOB"),
        ("colour TEXT", "colour TEXT COLLATE NOCASE"),
        ("colour TEXT", "colour TEXT AS (upper(name)) STORED"),
        ("name TEXT NOT NULL", "name TEXT"),
        ("DEFAULT 1", "DEFAULT 2"),
        ("size INTEGER DEFAULT 1, owner INTEGER", "owner INTEGER, size INTEGER DEFAULT 1"),
        (" REFERENCES owners (id)", ""),
        ("owners (id)", "owners (id) ON DELETE CASCADE"),
        ("UNIQUE (name), ", ""),
        ("UNIQUE (name)", "UNIQUE (name, size)"),
        (", CHECK (size > 0)", ""),
        ("size > 0", "size > 1"),
        ("CHECK (size > 0)", "CHECK (size > 0), CHECK (name <> '')"),
    ];
    let made_again = edits.into_iter().map(|(from, to)| make_again(&IN_THINGS.replacen(from, to, 1)));
    let altered = [
        "ALTER TABLE things ADD COLUMN added TEXT; CREATE INDEX things_added ON things (added)",
        "ALTER TABLE things RENAME COLUMN size TO amount",
        "ALTER TABLE things DROP COLUMN colour",
    ];
    for change in altered.into_iter().map(str::to_owned).chain(made_again) {
        let database = things();
        database.execute(&change);
        let mut migrator = database.migrator_of(vec![source(THINGS)]);
        let dump = migrator.dump().unwrap();
        assert!(!migrator.dump_agrees_with(&committed).unwrap(), "{change}");
        assert_eq!(Database::with(&dump).schema(), database.schema(), "{change}\n{dump}");
    }
}

#[test]
fn a_dump_has_a_table_as_the_migrations_make_it_where_that_means_the_same() {
    let database = things();
    let committed = database.migrator_of(vec![source(THINGS)]).dump().unwrap();
    database.execute(&make_again(IN_THINGS));
    assert_eq!(database.migrator_of(vec![source(THINGS)]).dump().unwrap(), committed);
}

#[test]
fn the_built_in_migrations_lint_without_an_error() {
    let report = Database::empty().looker().lint().unwrap();
    assert!(report.ok, "{report:#?}");
}

#[test]
fn a_second_runner_is_told_who_holds_the_lock() {
    use longshore_migrate::target::Target;
    let database = Database::empty();
    let mut holder = SqliteTarget::open(&database.path, Access::Write).unwrap();
    let _lock = holder.lock(std::time::Duration::ZERO).unwrap();

    let error = database.migrator().lock_wait(std::time::Duration::ZERO).up(&RunRequest::default()).unwrap_err();

    assert_eq!(error.code(), "locked");
}
