//! Table rebuilds: cascades do not fire, what others made stays, a million rows report how far they are.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicU64, Ordering},
};

use longshore_migrate::{
    Bounds, CodeError, CodeMigration, Migrator, RunRequest, Source,
    target::{Progress, Rebuild, Session, Target},
};
use longshore_migrate_sqlite::{Access, SqliteTarget};

use crate::support::{Database, source};

const PARENT_AND_CHILD: &str = "
    CREATE TABLE parent (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT);
    CREATE TABLE child (id INTEGER PRIMARY KEY, parent_id INTEGER NOT NULL REFERENCES parent (id) ON DELETE CASCADE);
    CREATE INDEX parent_name ON parent (name);";

struct StrictNames;

impl CodeMigration for StrictNames {
    fn number(&self) -> i64 {
        2
    }

    fn name(&self) -> &str {
        "strict_names"
    }

    fn up(&self, session: &mut dyn Session) -> Result<(), CodeError> {
        session.rebuild(&Rebuild {
            table: "parent".to_owned(),
            shape: "CREATE TABLE parent (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL DEFAULT '', boss INTEGER REFERENCES parent (id))".to_owned(),
            values: vec![("name".to_owned(), "coalesce(name, 'nobody')".to_owned())],
        })?;
        Ok(())
    }

    fn down(&self, session: &mut dyn Session) -> Result<(), CodeError> {
        session.rebuild(&Rebuild {
            table: "parent".to_owned(),
            shape: "CREATE TABLE parent (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT)".to_owned(),
            values: Vec::new(),
        })?;
        Ok(())
    }

    fn bounds(&self) -> Bounds {
        Bounds::Rebuild
    }
}

struct Start;

impl CodeMigration for Start {
    fn number(&self) -> i64 {
        1
    }

    fn name(&self) -> &str {
        "start"
    }

    fn up(&self, session: &mut dyn Session) -> Result<(), CodeError> {
        for statement in PARENT_AND_CHILD.split(';').filter(|statement| !statement.trim().is_empty()) {
            session.execute(statement)?;
        }
        Ok(())
    }

    fn down(&self, session: &mut dyn Session) -> Result<(), CodeError> {
        session.execute("DROP TABLE child")?;
        session.execute("DROP TABLE parent")?;
        Ok(())
    }
}

fn code() -> Source {
    Source::code("app", vec![Arc::new(StrictNames), Arc::new(Start)])
}

#[test]
fn a_code_migration_rebuilds_a_parent_and_its_children_survive() {
    let database = Database::with(PARENT_AND_CHILD);
    database.execute(
        "INSERT INTO parent (id, name) VALUES (1, NULL), (7, 'x'), (9, 'y'); DELETE FROM parent WHERE id = 9;
         INSERT INTO child (parent_id) VALUES (1), (7), (7);
         CREATE VIEW theirs AS SELECT name FROM parent; CREATE TABLE log (n);
         CREATE TRIGGER theirs_too AFTER INSERT ON parent BEGIN INSERT INTO log VALUES (NEW.id); END;",
    );
    database.migrator_of(vec![code()]).baseline(&crate::support::app(1), "made by hand").unwrap();

    database.migrator_of(vec![code()]).up(&RunRequest::default()).unwrap();

    assert_eq!(database.rows("SELECT id, name FROM parent ORDER BY id"), ["1|nobody", "7|x"]);
    assert_eq!(database.value("SELECT count(*) FROM child"), "3");
    assert_eq!(database.rows("SELECT name FROM theirs ORDER BY 1"), ["nobody", "x"]);
    assert_eq!(database.value("INSERT INTO parent (name) VALUES ('z') RETURNING id"), "10");
    assert_eq!(database.rows("SELECT n FROM log"), ["10"]);
    assert_eq!(database.value("SELECT count(*) FROM sqlite_schema WHERE name = 'parent_name'"), "1");
    assert_eq!(database.rows("PRAGMA foreign_key_check"), Vec::<String>::new());
    let verify = database.migrator_of(vec![code()]).verify().unwrap();
    let extra: Vec<_> = verify.differences.iter().map(|one| one.object.as_str()).collect();
    assert_eq!(extra, ["trigger theirs_too on parent"]);
}

const REBUILD_FILE: &[(&str, &str)] = &[
    ("001_start.up.sql", PARENT_AND_CHILD),
    (
        "002_rebuild.up.sql",
        "-- longshore: rebuild
CREATE TABLE parent_new (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL DEFAULT '');
INSERT INTO parent_new (id, name) SELECT id, coalesce(name, '') FROM parent;
DROP TABLE parent;
ALTER TABLE parent_new RENAME TO parent;
CREATE INDEX parent_name ON parent (name);",
    ),
];

#[test]
fn cascade_rows_survive_a_rebuild_in_a_file_and_so_do_views_and_indexes_of_others() {
    let database = Database::empty();
    database.migrator_of(vec![source(&REBUILD_FILE[..1])]).up(&RunRequest::default()).unwrap();
    database.execute(
        "INSERT INTO parent (name) VALUES ('a'), (NULL); INSERT INTO child (parent_id) VALUES (1), (2), (2);
         CREATE VIEW theirs AS SELECT name FROM parent; CREATE INDEX theirs_by_id ON parent (name, id);",
    );

    database.migrator_of(vec![source(REBUILD_FILE)]).up(&RunRequest::default()).unwrap();

    assert_eq!(database.value("SELECT count(*) FROM child"), "3");
    assert_eq!(database.value("SELECT count(*) FROM theirs"), "2");
    assert_eq!(database.value("SELECT count(*) FROM sqlite_schema WHERE name = 'theirs_by_id'"), "1");
}

#[test]
fn a_rebuild_that_loses_rows_or_orphans_others_is_undone() {
    let mut files = REBUILD_FILE.to_vec();
    files[1].1 = "-- longshore: rebuild
-- longshore: loses parent
CREATE TABLE parent_new (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL DEFAULT '');
INSERT INTO parent_new (id, name) SELECT id, name FROM parent WHERE name IS NOT NULL;
DROP TABLE parent;
ALTER TABLE parent_new RENAME TO parent;
CREATE INDEX parent_name ON parent (name);";
    let database = Database::empty();
    database.migrator_of(vec![source(&files[..1])]).up(&RunRequest::default()).unwrap();
    database.execute("INSERT INTO parent (name) VALUES ('a'), (NULL); INSERT INTO child (parent_id) VALUES (1), (2);");

    let error = database.migrator_of(vec![source(&files)]).up(&RunRequest::default()).unwrap_err();

    assert_eq!(error.code(), "database");
    assert!(error.to_string().contains("child → parent"), "{error}");
    let undeclared = files[1].1.replace("-- longshore: loses parent\n", "");
    files[1].1 = &undeclared;
    let error = database.migrator_of(vec![source(&files)]).up(&RunRequest::default()).unwrap_err();
    assert_eq!(error.to_string(), "app:2 up would lose data: table parent (1 of 2 rows)");
    assert_eq!(database.value("SELECT count(*) FROM parent"), "2");
}

#[test]
fn a_million_rows_report_how_far_they_are() {
    let files = [
        ("001_big.up.sql", "CREATE TABLE big (id INTEGER PRIMARY KEY, n INTEGER);"),
        ("002_twice.up.sql", "ALTER TABLE big ADD COLUMN twice INTEGER;\nUPDATE big SET twice = n * 2;"),
    ];
    let database = Database::empty();
    database.migrator_of(vec![source(&files[..1])]).up(&RunRequest::default()).unwrap();
    database.execute(
        "PRAGMA synchronous = OFF;
         WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 1000000) INSERT INTO big (n) SELECT n FROM numbers;",
    );
    let reports = Arc::new(Mutex::new(Vec::new()));
    let largest = Arc::new(AtomicU64::new(0));
    let (told, seen) = (reports.clone(), largest.clone());
    let mut target = SqliteTarget::open(&database.path, Access::Write).unwrap();
    target.watch(Arc::new(move |progress: &Progress| {
        if let Progress::Rows { done, total } = progress {
            seen.fetch_max(*done, Ordering::Relaxed);
            told.lock().unwrap().push((*done, *total));
        }
    }));

    Migrator::new(Box::new(target), vec![source(&files)]).up(&RunRequest::default()).unwrap();

    let reports = reports.lock().unwrap();
    assert!(reports.len() > 10, "{}", reports.len());
    assert!(reports.iter().any(|(done, total)| *total == Some(1_000_000) && *done > 0));
    assert!(largest.load(Ordering::Relaxed) > 900_000);
    assert_eq!(database.value("SELECT sum(twice) FROM big"), "1000001000000");
}
