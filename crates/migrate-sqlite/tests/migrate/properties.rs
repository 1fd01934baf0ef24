//! Random sequences of commands and of changes by hand: repair ends clean, or refuses with a reason and changes
//! nothing.

use longshore_migrate::{DataLoss, Marking, MigrateError, RunRequest, Source, Verification, target::Session};
use longshore_migrate_sqlite::{Access, SqliteTarget};
use proptest::prelude::*;

use crate::support::{Database, app, repair_now, source};

fn files() -> Source {
    source(&[
        (
            "001_a.up.sql",
            "CREATE TABLE a (id INTEGER PRIMARY KEY, name TEXT NOT NULL DEFAULT ''); CREATE INDEX a_name ON a (name);",
        ),
        ("001_a.down.sql", "DROP TABLE a;"),
        (
            "002_a_more.up.sql",
            "ALTER TABLE a ADD COLUMN note TEXT; ALTER TABLE a ADD COLUMN size INTEGER; CREATE INDEX a_size ON a (size) WHERE size > 0;",
        ),
        ("002_a_more.down.sql", "DROP INDEX a_size; ALTER TABLE a DROP COLUMN size; ALTER TABLE a DROP COLUMN note;"),
        (
            "003_b.up.sql",
            "CREATE TABLE b (id INTEGER PRIMARY KEY, a_id INTEGER REFERENCES a (id) ON DELETE CASCADE, v INTEGER CHECK (v >= 0)); CREATE VIEW both AS SELECT a.name, b.v FROM a JOIN b ON b.a_id = a.id;",
        ),
        ("003_b.down.sql", "DROP VIEW both; DROP TABLE b;"),
        (
            "004_a_counts.up.sql",
            "CREATE TRIGGER a_counts AFTER INSERT ON b BEGIN UPDATE a SET size = coalesce(size, 0) + 1 WHERE id = NEW.a_id; END; DROP INDEX a_name;",
        ),
        ("004_a_counts.down.sql", "CREATE INDEX a_name ON a (name); DROP TRIGGER a_counts;"),
    ])
}

#[derive(Debug, Clone)]
enum Deed {
    Up(usize),
    Down(usize),
    Redo,
    MarkApplied(i64),
    MarkRolledBack(i64),
    ByHand(&'static str),
}

/// Each may fail on the schema of the moment; then it did nothing.
const BY_HAND: &[&str] = &[
    "DROP TABLE b",
    "DROP TABLE a",
    "DROP INDEX a_name",
    "DROP INDEX a_size",
    "CREATE INDEX a_name ON a (name)",
    "CREATE INDEX a_name ON a (name, id)",
    "ALTER TABLE a ADD COLUMN note TEXT",
    "ALTER TABLE a ADD COLUMN size TEXT",
    "ALTER TABLE a DROP COLUMN note",
    "ALTER TABLE a ADD COLUMN extra TEXT",
    "CREATE TABLE a (id INTEGER PRIMARY KEY, name TEXT)",
    "CREATE TABLE b (id INTEGER PRIMARY KEY, a_id INTEGER, v INTEGER)",
    "CREATE TABLE foreign_one (x)",
    "DROP VIEW both",
    "CREATE VIEW both AS SELECT name FROM a",
    "DROP TRIGGER a_counts",
    "CREATE TRIGGER stray AFTER INSERT ON a BEGIN SELECT 1; END",
    "INSERT INTO a (name) VALUES ('x')",
    "INSERT INTO b (a_id, v) SELECT id, 1 FROM a",
    "DELETE FROM schema_migrations WHERE migration_number = 2",
    "DELETE FROM schema_migrations",
    "DROP TABLE schema_migrations",
    "UPDATE schema_migrations SET rollback_at = datetime('now') WHERE migration_number = 1",
    "UPDATE longshore_migrations SET checksum = 'sha256-lf:0 sha256-words:0' WHERE migration_number = 3",
];

fn deed() -> impl Strategy<Value = Deed> {
    prop_oneof![
        3 => (1usize..7).prop_map(Deed::Up),
        2 => (1usize..3).prop_map(Deed::Down),
        1 => Just(Deed::Redo),
        1 => (1i64..7).prop_map(Deed::MarkApplied),
        1 => (1i64..7).prop_map(Deed::MarkRolledBack),
        5 => (0..BY_HAND.len()).prop_map(|at| Deed::ByHand(BY_HAND[at])),
    ]
}

fn perform(database: &Database, deed: &Deed) {
    let request = |steps: Option<usize>| RunRequest {
        goal: longshore_migrate::Goal { to: None, steps },
        data_loss: DataLoss::Allow,
        ..RunRequest::default()
    };
    let marking = |number| Marking { id: app(number), reason: "chance".to_owned(), verification: Verification::Waived };
    let mut migrator = database.migrator_of(vec![files()]);
    // That a command refuses is part of the sequence.
    match deed {
        Deed::Up(steps) => drop(migrator.up(&request(Some(*steps)))),
        Deed::Down(steps) => drop(migrator.down(&request(Some(*steps)))),
        Deed::Redo => drop(migrator.redo(&request(None))),
        Deed::MarkApplied(number) => drop(migrator.mark_applied(&marking(*number))),
        Deed::MarkRolledBack(number) => drop(migrator.mark_rolled_back(&marking(*number))),
        Deed::ByHand(sql) => drop(database.connection().execute_batch(sql)),
    }
}

fn state(database: &Database) -> (longshore_migrate::schema::Schema, Vec<String>, Vec<String>) {
    let mut target = SqliteTarget::open(&database.path, Access::Inspect).unwrap();
    let schema = target.observe().unwrap();
    let rows = |table: &str| {
        let is_there = database.value(&format!("SELECT count(*) FROM sqlite_schema WHERE name = '{table}'")) == "1";
        if is_there { database.rows(&format!("SELECT * FROM {table}")) } else { Vec::new() }
    };
    (schema, rows("a"), rows("schema_migrations"))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, failure_persistence: None, max_shrink_iters: 200, ..ProptestConfig::default() })]

    #[test]
    fn repair_ends_clean_or_refuses_with_a_reason(deeds in prop::collection::vec(deed(), 1..9)) {
        let database = Database::with("CREATE TABLE theirs (x)");
        for deed in &deeds {
            perform(&database, deed);
        }
        let before = state(&database);
        match database.migrator_of(vec![files()]).repair(&repair_now()) {
            Ok(_) => {
                let verify = database.migrator_of(vec![files()]).verify().unwrap();
                prop_assert!(verify.ok, "{verify:#?}");
                let again = database.migrator_of(vec![files()]).repair(&repair_now()).unwrap();
                prop_assert!(again.steps.is_empty(), "a second repair has more to do: {again:#?}");
                if before.0.contains(&longshore_migrate::schema::ObjectName::table("a")) {
                    prop_assert_eq!(before.1.len(), state(&database).1.len(), "rows of a");
                }
            }
            Err(error) => {
                prop_assert!(matches!(error, MigrateError::NoRepair { .. } | MigrateError::DataLoss { .. }), "{error}");
                prop_assert_eq!(before, state(&database));
            }
        }
    }
}
