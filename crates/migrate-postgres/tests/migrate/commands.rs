//! The commands, one after the other, as an application uses them.

use longshore_migrate::report::finding::FindingKind;
use longshore_migrate::target::{Session, Target};
use longshore_migrate::{Goal, RepairMode, RepairRequest, RunMode, RunRequest};
use longshore_migrate_postgres::{Access, PostgresTarget};
use longshore_testkit_postgres::TestDatabase;

use crate::support::{app, database, marking, migrator, migrator_with, options, refused, rows, source, steps, up};

const FILES: [(&str, &str); 6] = [
    ("001_accounts.up.sql", "CREATE TABLE accounts (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text);"),
    ("001_accounts.down.sql", "DROP TABLE accounts;"),
    (
        "002_orders.up.sql",
        "CREATE TYPE state AS ENUM ('open', 'paid');
         CREATE TABLE orders (id serial PRIMARY KEY, account_id bigint NOT NULL REFERENCES accounts (id),
             state state NOT NULL DEFAULT 'open');
         CREATE INDEX orders_open ON orders (account_id) WHERE state = 'open';",
    ),
    ("002_orders.down.sql", "DROP TABLE orders; DROP TYPE state;"),
    ("003_total.up.sql", "ALTER TABLE orders ADD COLUMN total numeric(10, 2) NOT NULL DEFAULT 0 CHECK (total >= 0);"),
    ("003_total.down.sql", "ALTER TABLE orders DROP COLUMN total;"),
];

#[test]
fn ups_downs_and_redos_agree_with_the_schema_and_the_ledger() {
    let database = database();
    let mut migrator = migrator(&database, &FILES);
    let status = migrator.status().unwrap();
    assert_eq!((status.applied_count, status.pending_count), (0, 3));
    assert_eq!(rows(&database, "SELECT count(*) FROM pg_namespace WHERE nspname = 'longshore'"), ["0"]);
    assert_eq!(up(&mut migrator), [1, 2, 3]);
    assert!(migrator.verify().unwrap().ok, "{:#?}", migrator.verify().unwrap());
    assert_eq!(up(&mut migrator), [0; 0]);
    let ledger = "SELECT migration_number, migration_name, rollback_at IS NULL FROM schema_migrations ORDER BY 1";
    assert_eq!(rows(&database, ledger), ["1|accounts|t", "2|orders|t", "3|total|t"]);
    let down = migrator.down(&steps(2)).unwrap();
    assert_eq!(down.migrations.iter().map(|one| one.id.number).collect::<Vec<_>>(), [3, 2]);
    assert_eq!(rows(&database, ledger), ["1|accounts|t", "2|orders|f", "3|total|f"]);
    assert_eq!(rows(&database, "SELECT to_regclass('orders'), to_regtype('state')"), ["NULL|NULL"]);
    assert_eq!(up(&mut migrator), [2, 3]);
    migrator.redo(&RunRequest::default()).unwrap();
    assert!(migrator.verify().unwrap().ok);
    let events = migrator.history(None).unwrap().events;
    assert_eq!(events.len(), 3 + 2 + 2 + 2);
    assert!(events.iter().all(|event| event.who.as_deref() == Some("ann")));
}

#[test]
fn a_look_writes_nothing_and_a_target_for_looking_cannot() {
    let database = database();
    let mut looker = migrator_with(options(&database).access(Access::Inspect), vec![source(&FILES)]);
    looker.status().unwrap();
    looker.verify().unwrap();
    looker.lint().unwrap();
    let dry = RunRequest { mode: RunMode::DryRun, ..RunRequest::default() };
    assert_eq!(looker.up(&dry).unwrap().migrations.len(), 3);
    looker.dump().unwrap();
    assert_eq!(looker.up(&RunRequest::default()).unwrap_err().code(), "database");
    let left = "SELECT nspname FROM pg_namespace WHERE nspname LIKE 'longshore%'";
    assert_eq!(rows(&database, left), [""; 0]);
    assert_eq!(rows(&database, "SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace"), ["0"]);
}

#[test]
fn a_difference_is_named_with_the_migration_that_made_the_object() {
    let database = database();
    let mut migrator = migrator(&database, &FILES);
    up(&mut migrator);
    database.sql("DROP INDEX orders_open");
    let report = migrator.verify().unwrap();
    assert!(!report.ok);
    let found: Vec<_> = report.differences.iter().map(|one| (one.object.as_str(), one.because.clone())).collect();
    assert_eq!(found, [("index orders_open on orders", Some(app(2)))]);
}

#[test]
fn a_failure_takes_its_migration_back_and_names_the_line() {
    let database = database();
    let broken = "CREATE TABLE a (i int);\n\nINSERT INTO a VALUES (1), (2);\nALTER TABLE a ADD UNIQUE (i);\n\
                  INSERT INTO a SELECT 9\n/ (count(*) - (SELECT count(*) FROM present)) FROM a;";
    let files = [("001_present.up.sql", "CREATE TABLE present (i int)"), ("002_broken.up.sql", broken)];
    let mut migrator = migrator(&database, &files);
    up_to_first(&mut migrator);
    database.sql("INSERT INTO present VALUES (1), (2)");
    let (code, message) = refused(migrator.up(&RunRequest::default()));
    assert_eq!(code, "migration_failed");
    assert!(
        message.contains("app:2") && message.contains("line 5") && message.contains("division by zero"),
        "{message}"
    );
    assert_eq!(rows(&database, "SELECT to_regclass('a')"), ["NULL"]);
    let last = migrator.history(None).unwrap().events.pop().unwrap();
    assert_eq!(last.event.word(), "failed");
}

fn up_to_first(migrator: &mut longshore_migrate::Migrator<'_>) {
    migrator.up(&RunRequest { goal: Goal { steps: Some(1), to: None }, ..RunRequest::default() }).unwrap();
}

#[test]
fn a_syntax_error_names_its_own_line_of_the_file() {
    let database = database();
    let files = [("001_a.up.sql", "-- why\nCREATE TABLE a (\n  i int,\n  j nonsense\n);")];
    let findings = migrator(&database, &files).status().unwrap().findings;
    assert!(findings[0].message.contains("line 4") && findings[0].message.contains("nonsense"), "{findings:?}");
}

#[test]
fn marks_and_baselines_say_only_what_the_schema_shows() {
    let database = database();
    database.sql("CREATE TABLE accounts (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text)");
    let mut migrator = migrator(&database, &FILES);
    assert_eq!(refused(migrator.mark_applied(&marking(2))).0, "not_shown");
    migrator.mark_applied(&marking(1)).unwrap();
    assert_eq!(up(&mut migrator), [2, 3]);
    assert_eq!(refused(migrator.mark_rolled_back(&marking(3))).0, "still_there");
    assert!(migrator.verify().unwrap().ok);
}

#[test]
fn a_repair_records_what_is_there_and_runs_what_is_not() {
    let database = database();
    let mut migrator = migrator(&database, &FILES);
    up(&mut migrator);
    database.sql("DELETE FROM longshore.longshore_migrations; DELETE FROM schema_migrations; DROP INDEX orders_open");
    let request = RepairRequest { mode: RepairMode::Apply { reason: "it was lost".to_owned() } };
    let report = migrator.repair(&request).unwrap_or_else(|error| panic!("{error}"));
    assert!(report.applied);
    assert!(migrator.verify().unwrap().ok, "{:#?}", migrator.verify().unwrap());
    assert_eq!(migrator.status().unwrap().pending_count, 0);
}

#[test]
fn a_dump_makes_the_schema_again_and_agrees_with_itself() {
    let origin = database();
    let mut migrator_of_origin = migrator(&origin, &FILES);
    up(&mut migrator_of_origin);
    let dump = migrator_of_origin.dump().unwrap();
    assert!(migrator_of_origin.dump_agrees_with(&dump.replace('\n', "\r\n")).unwrap());
    let copy = database();
    copy.sql(&dump);
    let mut migrator = migrator(&copy, &FILES);
    migrator.baseline(&app(3), "from a dump").unwrap();
    assert!(migrator.verify().unwrap().ok, "{dump}");
    assert!(migrator.dump_agrees_with(&dump).unwrap(), "{dump}\n{}", migrator.dump().unwrap());
}

const THINGS: [(&str, &str); 4] = [
    (
        "001_things.up.sql",
        "CREATE TABLE owners (id bigint PRIMARY KEY);
         CREATE TABLE things (id bigint PRIMARY KEY, name text NOT NULL UNIQUE, size int DEFAULT 1 CHECK (size > 0),
             owner bigint REFERENCES owners (id));
         CREATE INDEX things_size ON things (size);",
    ),
    ("001_things.down.sql", "DROP TABLE things; DROP TABLE owners;"),
    ("002_colour.up.sql", "ALTER TABLE things ADD COLUMN colour text;"),
    ("002_colour.down.sql", "ALTER TABLE things DROP COLUMN colour;"),
];

#[test]
fn a_dump_has_a_table_as_it_is_where_the_migrations_make_another() {
    let schema = |database: &TestDatabase| PostgresTarget::open(options(database)).unwrap().observe().unwrap();
    for change in [
        "DROP TABLE things; CREATE TABLE things (a text NOT NULL, z int)",
        "ALTER TABLE things ADD COLUMN added text; CREATE INDEX things_added ON things (added)",
        "ALTER TABLE things DROP COLUMN colour",
        "ALTER TABLE things DROP COLUMN colour; \
         ALTER TABLE things ADD COLUMN colour text GENERATED ALWAYS AS (upper(name)) STORED",
        "ALTER TABLE things ADD COLUMN number bigint GENERATED ALWAYS AS IDENTITY",
        "ALTER TABLE things RENAME COLUMN size TO amount",
        "ALTER TABLE things ALTER COLUMN size TYPE bigint",
        "ALTER TABLE things ALTER COLUMN size SET DEFAULT 2",
        "ALTER TABLE things ALTER COLUMN colour SET NOT NULL",
        "ALTER TABLE things ALTER COLUMN name DROP NOT NULL",
        "ALTER TABLE things DROP CONSTRAINT things_size_check",
        "ALTER TABLE things ADD CHECK (name <> '')",
        "ALTER TABLE things DROP CONSTRAINT things_name_key",
        "ALTER TABLE things ADD UNIQUE (name, size)",
        "ALTER TABLE things DROP CONSTRAINT things_owner_fkey",
        "ALTER TABLE things ADD FOREIGN KEY (size) REFERENCES things (id)",
    ] {
        let (database, copy) = (database(), database());
        let mut migrator = migrator(&database, &THINGS);
        up(&mut migrator);
        let committed = migrator.dump().unwrap();
        database.sql(change);
        let dump = migrator.dump().unwrap();
        assert!(!migrator.dump_agrees_with(&committed).unwrap(), "{change}");
        copy.sql(&dump);
        assert_eq!(schema(&copy), schema(&database), "{change}\n{dump}");
    }
}

#[test]
fn several_sources_in_schemas_of_their_own_stand_beside_each_other() {
    let database = database();
    let queue = [
        (
            "001_jobs.up.sql",
            "CREATE SCHEMA IF NOT EXISTS longshore;\nCREATE SEQUENCE longshore.job_id;\n\
          CREATE TABLE longshore.job (id bigint PRIMARY KEY DEFAULT nextval('longshore.job_id'), data json);",
        ),
        ("001_jobs.down.sql", "DROP TABLE longshore.job; DROP SEQUENCE longshore.job_id;"),
        ("002_more.up.sql", "ALTER TABLE longshore.job ADD COLUMN note text;"),
        ("002_more.down.sql", "ALTER TABLE longshore.job DROP COLUMN note;"),
    ];
    let queue = longshore_migrate::Source::embedded_in(
        longshore_migrate::files::script::Dialect::Postgres,
        "longshore",
        &queue,
    );
    let mut migrator = migrator_with(options(&database), vec![queue, source(&FILES)]);
    assert_eq!(up(&mut migrator), [1, 2, 1, 2, 3]);
    assert!(migrator.verify().unwrap().ok, "{:#?}", migrator.verify().unwrap());
    database.sql("ALTER TABLE longshore.job ALTER COLUMN note SET DEFAULT 'x'");
    let found = migrator.verify().unwrap().differences;
    assert_eq!(found[0].object, "column longshore.job.note");
    database.sql("ALTER TABLE longshore.job ALTER COLUMN note DROP DEFAULT");
    assert_eq!(migrator.lint().unwrap().findings, []);
}

#[test]
fn a_name_of_the_target_has_no_credentials() {
    let database = database();
    let mut config = database.config();
    config.password("secret");
    let target = PostgresTarget::open(longshore_migrate_postgres::PostgresTargetOptions::new(config)).unwrap();
    assert!(target.name().starts_with("postgres://") && !target.name().contains("secret"), "{}", target.name());
}

#[test]
fn lint_says_what_locks_the_tables_of_others() {
    let database = database();
    let files = [
        ("001_a.up.sql", "CREATE TABLE a (i int, j int); CREATE INDEX a_i ON a (i); UPDATE a SET i = 1;"),
        (
            "002_b.up.sql",
            "CREATE INDEX a_j ON a (j);\nALTER TABLE a ALTER COLUMN i SET NOT NULL;\n\
          ALTER TABLE a ADD CHECK (i > 0);\nUPDATE a SET j = 1;\nALTER TABLE a ALTER COLUMN j TYPE bigint;",
        ),
    ];
    let found = migrator(&database, &files).lint().unwrap().findings;
    let locking = found.iter().filter(|one| one.kind == FindingKind::Locking);
    let said: Vec<_> = locking.map(|one| (one.subject.as_str(), one.message.split(':').next().unwrap())).collect();
    let expected = ["line 1", "line 2", "line 3", "line 4", "line 5"].map(|line| ("app:2", line));
    assert_eq!(said, expected);
}

#[test]
fn lint_finds_downs_that_do_not_undo_and_ups_that_do_not_run() {
    let database = database();
    let files = [
        ("001_a.up.sql", "CREATE TABLE a (i int, j int)"),
        ("001_a.down.sql", "DROP TABLE a"),
        ("002_b.up.sql", "ALTER TABLE a ADD COLUMN k int; CREATE INDEX a_k ON a (k)"),
        ("002_b.down.sql", "ALTER TABLE a DROP COLUMN k, DROP COLUMN j"),
    ];
    let found = migrator(&database, &files).lint().unwrap().findings;
    assert!(found.iter().any(|one| one.message.contains("undoes more") && one.subject == "app:2"), "{found:#?}");
}
