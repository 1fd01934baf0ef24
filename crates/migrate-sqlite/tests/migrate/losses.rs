//! No migration loses a row or a value unasked: every way to lose one, on up and on down, under every header.

use std::{fs, sync::OnceLock};

use longshore_migrate::{DataLoss, LossKind, MigrateError, RunRequest, Source};

use crate::support::{Database, source};

const HEADERS: [&str; 3] = ["", "-- longshore: no transaction\n", "-- longshore: rebuild\n"];

const LIBRARY: &str = "
CREATE TABLE parent (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT UNIQUE, note TEXT NOT NULL DEFAULT 'none');
CREATE TABLE cascading (id INTEGER PRIMARY KEY, parent_id INTEGER REFERENCES parent (id) ON DELETE CASCADE);
CREATE TABLE grandchild (id INTEGER PRIMARY KEY, child_id INTEGER REFERENCES cascading (id) ON DELETE CASCADE);
CREATE TABLE nulling (id INTEGER PRIMARY KEY, parent_id INTEGER REFERENCES parent (id) ON DELETE SET NULL);
CREATE TABLE defaulting (id INTEGER PRIMARY KEY, parent_id INTEGER DEFAULT 1 REFERENCES parent (id) ON DELETE SET DEFAULT DEFERRABLE INITIALLY DEFERRED);
CREATE TABLE replacing (code TEXT UNIQUE ON CONFLICT REPLACE, body TEXT);
CREATE TABLE alone (id INTEGER PRIMARY KEY AUTOINCREMENT, code TEXT, body TEXT);
CREATE TABLE priced (id INTEGER PRIMARY KEY, name TEXT, price INTEGER DEFAULT 1);
CREATE TABLE log (n INTEGER);
CREATE TABLE cleared (n INTEGER);
CREATE INDEX alone_code ON alone (code);
CREATE TRIGGER alone_logs AFTER UPDATE ON alone BEGIN INSERT INTO log VALUES (NEW.id); END;
CREATE TRIGGER log_clears AFTER INSERT ON log BEGIN DELETE FROM cleared; END;
CREATE TABLE viewed (name TEXT, note TEXT);
CREATE VIEW named AS SELECT name FROM viewed;
CREATE TRIGGER named_deletes INSTEAD OF DELETE ON named BEGIN DELETE FROM viewed WHERE name = OLD.name; END;
";

const ROWS: &str = "
INSERT INTO parent (id, name, note) VALUES (1, 'a', 'x'), (2, 'b', 'y'), (3, 'c', 'none'), (9, 'd', 'z');
DELETE FROM parent WHERE id = 9;
INSERT INTO cascading VALUES (1, 2), (2, 3), (3, 3);
INSERT INTO grandchild VALUES (1, 1), (2, 3);
INSERT INTO nulling VALUES (1, 2), (2, 3);
INSERT INTO defaulting VALUES (1, 2), (2, 3);
INSERT INTO replacing VALUES ('a', 'x'), ('b', 'y');
INSERT INTO alone (id, code, body) VALUES (1, 'a', 'x'), (2, 'b', 'y'), (7, 'c', 'z');
DELETE FROM alone WHERE id = 7;
INSERT INTO cleared VALUES (1), (2);
INSERT INTO priced VALUES (1, 'a', 1), (2, 'b', 20);
INSERT INTO viewed VALUES ('a', 'x'), ('b', NULL);
";

/// What a script loses, and the script. The schema afterwards is as before.
#[rustfmt::skip]
const WAYS: [(&str, &str); 26] = [
    ("cascading", "CREATE TABLE parent_2 (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT UNIQUE, note TEXT NOT NULL DEFAULT 'none');
        INSERT INTO parent_2 SELECT * FROM parent; DROP TABLE parent; ALTER TABLE parent_2 RENAME TO parent;"),
    ("nulling.parent_id", "PRAGMA defer_foreign_keys = ON;
        CREATE TABLE parent_2 (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT UNIQUE, note TEXT NOT NULL DEFAULT 'none');
        INSERT INTO parent_2 SELECT * FROM parent; DROP TABLE parent; ALTER TABLE parent_2 RENAME TO parent;"),
    ("", "PRAGMA foreign_keys = OFF;
        CREATE TABLE parent_2 (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT UNIQUE, note TEXT NOT NULL DEFAULT 'none');
        INSERT INTO parent_2 SELECT * FROM parent; DROP TABLE parent; ALTER TABLE parent_2 RENAME TO parent;"),
    ("cascading", "ALTER TABLE parent RENAME TO parent_old;
        CREATE TABLE parent (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT UNIQUE, note TEXT NOT NULL DEFAULT 'none');
        INSERT INTO parent SELECT * FROM parent_old; DROP TABLE parent_old;"),
    ("cascading", "INSERT OR REPLACE INTO parent (id, name, note) VALUES (2, 'b', 'y');"),
    ("cascading", "REPLACE INTO parent (id, name, note) SELECT id, name, note FROM parent;"),
    ("parent", "UPDATE OR REPLACE parent SET name = 'a' WHERE id = 2;"),
    ("alone", "WITH old AS (SELECT 1 AS id) DELETE FROM alone WHERE id IN (SELECT id FROM old);"),
    ("alone", "DELETE FROM alone WHERE 1;"),
    ("alone", "DELETE FROM alone;"),
    ("alone", "DELETE FROM alone WHERE id = 2;"),
    ("viewed", "DELETE FROM named WHERE name = 'b';"),
    ("cleared", "INSERT INTO log VALUES (1);"),
    ("cleared", "UPDATE alone SET code = upper(code);"),
    ("alone", "CREATE TABLE alone_2 (id INTEGER PRIMARY KEY AUTOINCREMENT, code TEXT, body TEXT);
        DROP TABLE alone; ALTER TABLE alone_2 RENAME TO alone; CREATE INDEX alone_code ON alone (code);
        CREATE TRIGGER alone_logs AFTER UPDATE ON alone BEGIN INSERT INTO log VALUES (NEW.id); END;"),
    ("alone.body", "CREATE TABLE alone_2 (id INTEGER PRIMARY KEY AUTOINCREMENT, code TEXT, body TEXT);
        INSERT INTO alone_2 (id, code) SELECT id, code FROM alone; DROP TABLE alone; ALTER TABLE alone_2 RENAME TO alone;
        UPDATE sqlite_sequence SET seq = 7 WHERE name = 'alone'; CREATE INDEX alone_code ON alone (code);
        CREATE TRIGGER alone_logs AFTER UPDATE ON alone BEGIN INSERT INTO log VALUES (NEW.id); END;"),
    ("priced", "CREATE TEMP TABLE kept AS SELECT * FROM priced; DELETE FROM priced;
        INSERT INTO priced (id, name) SELECT id, name FROM kept; DROP TABLE kept;"),
    ("priced.price", "INSERT OR REPLACE INTO priced (id, name) SELECT id, name FROM priced;"),
    ("alone", "CREATE TABLE alone_2 (id INTEGER PRIMARY KEY AUTOINCREMENT, code TEXT UNIQUE, body TEXT);
        INSERT OR IGNORE INTO alone_2 SELECT id, 'a', body FROM alone; DROP TABLE alone; ALTER TABLE alone_2 RENAME TO alone;"),
    ("alone", "CREATE TABLE alone_2 (id INTEGER PRIMARY KEY AUTOINCREMENT, code TEXT, body TEXT);
        INSERT INTO alone_2 SELECT * FROM alone; DROP TABLE alone; ALTER TABLE alone_2 RENAME TO alone;
        CREATE INDEX alone_code ON alone (code); CREATE TRIGGER alone_logs AFTER UPDATE ON alone BEGIN INSERT INTO log VALUES (NEW.id); END;"),
    ("alone_code", "CREATE TABLE alone_2 (id INTEGER PRIMARY KEY AUTOINCREMENT, code TEXT, body TEXT);
        INSERT INTO alone_2 SELECT * FROM alone; DROP TABLE alone; ALTER TABLE alone_2 RENAME TO alone;
        UPDATE sqlite_sequence SET seq = 7 WHERE name = 'alone';
        CREATE TRIGGER alone_logs AFTER UPDATE ON alone BEGIN INSERT INTO log VALUES (NEW.id); END;"),
    ("alone_logs", "CREATE TABLE alone_2 (id INTEGER PRIMARY KEY AUTOINCREMENT, code TEXT, body TEXT);
        INSERT INTO alone_2 SELECT * FROM alone; DROP TABLE alone; ALTER TABLE alone_2 RENAME TO alone;
        UPDATE sqlite_sequence SET seq = 7 WHERE name = 'alone'; CREATE INDEX alone_code ON alone (code);"),
    ("named_deletes", "DROP VIEW named; CREATE VIEW named AS SELECT name FROM viewed;"),
    ("alone.body", "UPDATE alone SET body = nullif(body, body) WHERE id = 1;"),
    ("alone.body", "ALTER TABLE alone DROP COLUMN body; ALTER TABLE alone ADD COLUMN body TEXT;"),
    ("replacing.body", "INSERT INTO replacing (code) VALUES ('a');"),
];

fn way(script: &str, declared: &str, header: &str, is_down: bool) -> Source {
    let (marker_up, marker_down) = ("CREATE TABLE marker (x);\n", "DROP TABLE marker;\n");
    let script = script.trim_end();
    let (up, down) = if is_down {
        (marker_up.to_owned(), format!("{header}{declared}{script}\n{marker_down}"))
    } else {
        (format!("{header}{declared}{script}\n{marker_up}"), marker_down.to_owned())
    };
    source(&[("001_library.up.sql", LIBRARY), ("002_way.up.sql", &up), ("002_way.down.sql", &down)])
}

/// A database with rows, before the direction that is tried. Each is a copy of one that was made once.
fn before(script: &str, declared: &str, header: &str, is_down: bool) -> (Database, Source) {
    static MADE: [OnceLock<Vec<u8>>; 2] = [const { OnceLock::new() }; 2];
    let bytes = MADE[usize::from(is_down)].get_or_init(|| {
        let database = Database::empty();
        let source = if is_down { way("", "", "", true) } else { source(&[("001_library.up.sql", LIBRARY)]) };
        database.migrator_of(vec![source]).up(&RunRequest::default()).unwrap();
        database.execute(ROWS);
        fs::read(&database.path).unwrap()
    });
    let database = Database::empty();
    fs::write(&database.path, bytes).unwrap();
    (database, way(script, declared, header, is_down))
}

fn run(database: &Database, way: &Source, is_down: bool, data_loss: DataLoss) -> Result<(), MigrateError> {
    let mut migrator = database.migrator_of(vec![way.clone()]);
    let request = RunRequest { data_loss, ..RunRequest::default() };
    let result = if is_down { migrator.down(&request) } else { migrator.up(&request) };
    result.map(|_| ())
}

/// Rows and values, where each counter stands, and every object by name.
fn holdings(database: &Database) -> Vec<(String, i64)> {
    let mut found = Vec::new();
    let tables = [
        "parent",
        "cascading",
        "grandchild",
        "nulling",
        "defaulting",
        "replacing",
        "alone",
        "cleared",
        "viewed",
        "priced",
    ];
    for table in tables {
        let columns = database.rows(&format!("SELECT name FROM pragma_table_info('{table}')"));
        found.push((
            table.to_owned(),
            database.value(&format!("SELECT count(*) FROM \"{table}\"")).parse().unwrap_or(-1),
        ));
        for column in columns {
            let count =
                format!("SELECT count({column}) + sum({column} IS NOT 'none' AND {column} IS NOT 1) FROM \"{table}\"");
            found.push((format!("{table}.{column}"), database.value(&count).parse().unwrap_or(-1)));
        }
    }
    for counter in ["parent", "alone"] {
        let stand = database.value(&format!("SELECT seq FROM sqlite_sequence WHERE name = '{counter}'"));
        found.push((format!("counter of {counter}"), stand.parse().unwrap_or(-1)));
    }
    for object in ["alone_code", "alone_logs", "log_clears", "named", "named_deletes"] {
        let there = database.value(&format!("SELECT count(*) FROM sqlite_schema WHERE name = '{object}'"));
        found.push((object.to_owned(), there.parse().unwrap()));
    }
    found
}

/// What there is less of than before.
fn lost(before: &[(String, i64)], database: &Database) -> Vec<String> {
    let after = holdings(database);
    let less = |(name, count): &&(String, i64)| {
        after.iter().find(|(other, _)| other == name).is_none_or(|(_, now)| now < count)
    };
    // A run outside a transaction may stop where the old table is still there under its other name.
    let is_halfway = database.value("SELECT count(*) FROM sqlite_schema WHERE name = 'parent_old'") == "1";
    let names = before.iter().filter(less).map(|(name, _)| name.clone());
    names.filter(|name| !is_halfway || name != "counter of parent").collect()
}

#[test]
fn whatever_a_script_does_under_whichever_header_it_loses_nothing_unasked() {
    for (what, script) in WAYS {
        for header in HEADERS {
            for is_down in [false, true] {
                let (database, way) = before(script, "", header, is_down);
                let held = holdings(&database);
                let result = run(&database, &way, is_down, DataLoss::Refuse);
                let case = format!("{header}{script} (down: {is_down}): {result:?}");
                let gone = lost(&held, &database);
                // A column that was dropped by one statement of its own and made again by the next.
                assert_eq!(gone, [""; 0], "{case}");
                match &result {
                    Err(MigrateError::DataLoss { losses, .. }) => {
                        let told = losses.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
                        assert!(what.is_empty() || told.contains(what), "{case}: {told}");
                    }
                    Err(error) if error.code() == "history_broken" => assert!(script.starts_with("PRAGMA"), "{case}"),
                    // A table that is renamed away takes the keys that refer to it along.
                    Err(error)
                        if error.code() == "did_not_undo" || error.to_string().contains("rows refer to rows") =>
                    {
                        assert!(header.contains("rebuild") && script.starts_with("ALTER"), "{case}");
                    }
                    // Outside a transaction nobody waits for a deferred key.
                    Err(error) if error.to_string().contains("FOREIGN KEY") => assert!(header.contains("no"), "{case}"),
                    Err(error) => panic!("{case}: {error}"),
                    // Foreign keys are off, or what a rebuild drops is made again.
                    Ok(()) => assert!(
                        header == "-- longshore: rebuild\n" || what.is_empty(),
                        "{case} was let through, though it says nothing of its loss"
                    ),
                }
            }
        }
    }
}

#[test]
fn a_null_that_is_asked_for_excuses_no_other_of_the_same_column() {
    let script = "DROP TRIGGER alone_logs; UPDATE alone SET body = NULL WHERE id = 1; UPDATE alone SET body = nullif(body, body);";
    let (database, way) = before(script, "", "", false);
    let held = holdings(&database);
    let error = run(&database, &way, false, DataLoss::Refuse).unwrap_err();
    assert_eq!((error.code(), lost(&held, &database)), ("data_loss", Vec::new()), "{error}");
}

#[test]
fn the_header_of_sqlx_hides_no_loss() {
    for (what, script) in WAYS.iter().filter(|(what, _)| ["alone", "cleared", "alone.body"].contains(what)) {
        let (database, way) = before(script, "", "-- no-transaction\n", false);
        let held = holdings(&database);
        let error = run(&database, &way, false, DataLoss::Refuse).unwrap_err();
        assert_eq!((error.code(), lost(&held, &database)), ("data_loss", Vec::new()), "{what}: {script}: {error}");
    }
}

#[test]
fn what_is_declared_or_allowed_is_lost_and_nothing_else() {
    let script = "DELETE FROM alone WHERE id = 2; DELETE FROM cleared;";
    for header in HEADERS {
        for is_down in [false, true] {
            let half = "-- longshore: loses alone\n";
            let both = "-- longshore: loses alone, cleared\n";
            for (declared, data_loss, is_done) in [
                (half, DataLoss::Refuse, false),
                (both, DataLoss::Refuse, true),
                ("", DataLoss::Refuse, false),
                ("", DataLoss::Allow, true),
            ] {
                let (database, way) = before(script, declared, header, is_down);
                let result = run(&database, &way, is_down, data_loss);
                let case = format!("{header}{declared}{is_down}: {result:?}");
                assert_eq!(result.is_ok(), is_done, "{case}");
                if is_done {
                    assert_eq!(database.value("SELECT count(*) FROM alone"), "1", "{case}");
                    assert_eq!(database.value("SELECT count(*) FROM cleared"), "0", "{case}");
                } else {
                    assert_eq!(database.value("SELECT count(*) FROM cleared"), "2", "{case}");
                }
            }
        }
    }
}

#[test]
fn a_loss_is_told_with_its_numbers_and_everything_is_as_before() {
    let (database, way) = before(WAYS[0].1, "", "", false);

    let error = run(&database, &way, false, DataLoss::Refuse).unwrap_err();

    assert_eq!(
        error.to_string(),
        "app:2 up would lose data: table cascading (3 rows), column defaulting.parent_id (2 values), table grandchild (2 \
         rows), column nulling.parent_id (2 values), table parent (its AUTOINCREMENT counter, from 9 to 3)"
    );
    assert_eq!(database.value("SELECT count(*) FROM sqlite_schema WHERE name IN ('marker', 'parent_2')"), "0");
    assert_eq!(database.rows("SELECT event FROM longshore_migrations_history ORDER BY id"), ["applied", "failed"]);
    assert_eq!(database.value("SELECT count(*) FROM schema_migrations"), "1");
    let MigrateError::DataLoss { losses, .. } = error else { panic!("{error}") };
    assert_eq!((losses[0].kind, losses[0].before, losses[0].after), (LossKind::Rows, 3, 0));
}

#[test]
fn outside_a_transaction_the_statements_before_the_loss_stay_and_the_next_run_goes_on_behind_them() {
    let script = "INSERT INTO cleared VALUES (3);\nDELETE FROM alone WHERE 1;";
    let (database, way) = before(script, "", "-- longshore: no transaction\n", false);

    let error = run(&database, &way, false, DataLoss::Refuse).unwrap_err();
    let (_, declared) = before(script, "-- longshore: loses alone\n", "-- longshore: no transaction\n", false);

    assert!(error.to_string().contains("table alone (2 rows); its first statement is done and stays so"), "{error}");
    assert_eq!(database.value("SELECT count(*) FROM alone"), "2");
    run(&database, &declared, false, DataLoss::Refuse).unwrap();
    assert_eq!(database.value("SELECT count(*) FROM alone"), "0");
    assert_eq!(database.value("SELECT count(*) FROM cleared"), "3", "the first statement ran once");
}

#[test]
fn outside_a_transaction_foreign_keys_stay_off_as_long_as_the_file_says_so() {
    let script = WAYS[2].1;
    for header in ["-- longshore: no transaction\n", "-- no-transaction\n"] {
        let fixed =
            script.to_owned() + "UPDATE sqlite_sequence SET seq = 9 WHERE name = 'parent'; PRAGMA foreign_keys = ON;";
        let fixed = fixed.replace(
            "DROP TABLE parent;",
            "UPDATE sqlite_sequence SET seq = 9 WHERE name = 'parent_2'; DROP TABLE parent;",
        );
        let (database, way) = before(&fixed, "", header, false);

        run(&database, &way, false, DataLoss::Refuse).unwrap();

        assert_eq!(database.value("SELECT count(*) FROM cascading"), "3");
        assert_eq!(database.rows("PRAGMA foreign_key_check"), [""; 0]);
    }
}

#[test]
fn outside_a_transaction_rows_that_refer_to_nothing_keep_the_migration_from_being_recorded() {
    let script = "PRAGMA foreign_keys = OFF;\nDELETE FROM parent WHERE id = 2;";
    let (database, way) = before(script, "-- longshore: loses parent\n", "-- longshore: no transaction\n", false);

    let error = run(&database, &way, false, DataLoss::Refuse).unwrap_err();
    assert!(error.to_string().contains("rows refer to rows that are not there"), "{error}");
    assert_eq!(database.value("SELECT count(*) FROM schema_migrations"), "1");
    database.execute(
        "UPDATE cascading SET parent_id = 1; UPDATE nulling SET parent_id = 1; UPDATE defaulting SET parent_id = 1",
    );
    run(&database, &way, false, DataLoss::Refuse).unwrap();
    assert_eq!(database.value("SELECT count(*) FROM schema_migrations"), "2");
}

#[test]
fn a_pragma_that_does_nothing_where_it_stands_is_an_error_before_anything_runs() {
    for (header, pragma, is_idle) in [
        ("", "PRAGMA foreign_keys = OFF", true),
        ("", "PRAGMA main.foreign_keys(0)", true),
        ("", "PRAGMA journal_mode = WAL", true),
        ("-- longshore: rebuild\n", "PRAGMA page_size = 8192", true),
        ("-- longshore: no transaction\n", "PRAGMA defer_foreign_keys = ON", true),
        ("", "PRAGMA foreign_keys = ON", false),
        ("", "PRAGMA foreign_keys", false),
        ("-- longshore: rebuild\n", "PRAGMA foreign_keys = OFF", false),
        ("", "PRAGMA defer_foreign_keys = ON", false),
        ("", "PRAGMA user_version = 7", false),
        ("-- longshore: no transaction\n", "PRAGMA foreign_keys = OFF", false),
    ] {
        for is_down in [false, true] {
            let (database, way) = before(&format!("{pragma};"), "", header, is_down);
            let result = run(&database, &way, is_down, DataLoss::Refuse);
            let case = format!("{header}{pragma} (down: {is_down}): {result:?}");
            assert_eq!(result.is_err(), is_idle, "{case}");
            if let Err(error) = result {
                assert_eq!(error.code(), "history_broken", "{case}");
                assert!(error.to_string().contains("does nothing"), "{case}");
                let markers = if is_down { "1" } else { "0" };
                assert_eq!(
                    database.value("SELECT count(*) FROM sqlite_schema WHERE name = 'marker'"),
                    markers,
                    "{case}"
                );
            }
            let lint = database.migrator_of(vec![way]).lint().unwrap();
            let is_found = lint.findings.iter().any(|finding| finding.kind.breaks_history());
            assert_eq!(is_found, is_idle, "{case}: {lint:#?}");
        }
    }
}

/// Migrations as they are written every day. None of them loses anything.
#[rustfmt::skip]
const HARMLESS: [&str; 23] = [
    "ALTER TABLE cascading RENAME TO falling;",
    "ALTER TABLE alone RENAME COLUMN body TO content;",
    "ALTER TABLE alone RENAME COLUMN body TO content; UPDATE alone SET content = upper(content);",
    "ALTER TABLE alone RENAME TO other; ALTER TABLE replacing RENAME TO alone; ALTER TABLE other RENAME TO replacing;",
    "ALTER TABLE alone ADD COLUMN more TEXT DEFAULT 'x'; UPDATE alone SET more = code || body;",
    "UPDATE alone SET body = NULL WHERE body = '';",
    "UPDATE main.alone AS a SET code = upper(code), body = NULL WHERE a.id > 0;",
    "UPDATE parent SET note = 'none' WHERE id = 1;",
    "UPDATE alone SET code = trim(code), body = replace(body, 'x', '');",
    "INSERT INTO parent (id, name) VALUES (1, 'a') ON CONFLICT DO UPDATE SET name = 'aa';",
    "INSERT OR IGNORE INTO parent (id, name) VALUES (1, 'a'), (4, 'd');",
    "INSERT OR REPLACE INTO replacing VALUES ('a', 'new');",
    "DELETE FROM alone WHERE code NOT IN (SELECT code FROM alone);",
    "CREATE UNIQUE INDEX alone_codes ON alone (code); DROP INDEX alone_code;",
    "DROP TRIGGER alone_logs; UPDATE alone SET code = upper(code);",
    "DROP TRIGGER named_deletes; DROP VIEW named; CREATE VIEW named AS SELECT name, note FROM viewed;",
    "CREATE TEMP TABLE kept AS SELECT * FROM alone; DELETE FROM alone; INSERT INTO alone SELECT * FROM kept; DROP TABLE kept;",
    "CREATE TABLE alone_2 (id INTEGER PRIMARY KEY, code TEXT NOT NULL, content TEXT);
        INSERT INTO alone_2 (id, code, content) SELECT id, code, body FROM alone; DROP TABLE alone; ALTER TABLE alone_2 RENAME TO alone;
        CREATE INDEX alone_by_code ON alone (code); CREATE TRIGGER alone_logs AFTER UPDATE ON alone BEGIN SELECT 1; END;",
    "CREATE TABLE new_grandchild (id INTEGER PRIMARY KEY, child_id INTEGER REFERENCES cascading (id) ON DELETE CASCADE, n INTEGER DEFAULT 0);
        INSERT INTO new_grandchild (id, child_id) SELECT id, child_id FROM grandchild; DROP TABLE grandchild;
        ALTER TABLE new_grandchild RENAME TO grandchild;",
    "ALTER TABLE grandchild RENAME TO grandchild_old; CREATE TABLE grandchild (id INTEGER PRIMARY KEY, child_id INTEGER);
        INSERT INTO grandchild SELECT * FROM grandchild_old; DROP TABLE grandchild_old;",
    "CREATE VIRTUAL TABLE found USING fts5 (body, content = 'alone', content_rowid = 'id'); INSERT INTO found (found) VALUES ('rebuild');
        DROP TABLE found; CREATE VIRTUAL TABLE found USING fts5 (body); INSERT INTO found SELECT body FROM alone; INSERT INTO found (found) VALUES ('optimize');",
    "CREATE TABLE later (a); INSERT INTO later VALUES (1), (2); DELETE FROM later WHERE a = 1; DROP TABLE later;",
    "DROP TABLE IF EXISTS missing; CREATE TABLE IF NOT EXISTS log (n INTEGER); DELETE FROM log;",
];

#[test]
fn everyday_migrations_are_not_taken_for_a_loss() {
    for script in HARMLESS {
        for header in HEADERS {
            let is_by_statements = header.contains("no");
            // What is in two tables at once can only be told at the end of a transaction.
            if is_by_statements && script.starts_with("CREATE TEMP TABLE") {
                continue;
            }
            let (database, way) = before(script, "", header, false);
            database.execute("UPDATE alone SET body = '' WHERE id = 1; DELETE FROM log; DELETE FROM cleared;");
            let result = run(&database, &way, false, DataLoss::Refuse);
            assert!(result.is_ok(), "{header}{script}: {}", result.unwrap_err());
        }
    }
}

#[test]
fn a_rebuild_keeps_rows_counter_indexes_triggers_and_views_and_the_replay_agrees() {
    let script = "CREATE TABLE parent_2 (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT UNIQUE, note TEXT NOT NULL DEFAULT 'none', more TEXT);
        INSERT INTO parent_2 (id, name, note) SELECT id, name, note FROM parent; DROP TABLE parent; ALTER TABLE parent_2 RENAME TO parent;
        CREATE TABLE alone_2 (id INTEGER PRIMARY KEY AUTOINCREMENT, code TEXT NOT NULL, body TEXT);
        INSERT INTO alone_2 SELECT * FROM alone; DROP TABLE alone; ALTER TABLE alone_2 RENAME TO alone;";
    let library = format!(
        "{LIBRARY} CREATE INDEX parent_note ON parent (note); CREATE VIEW noted AS SELECT note FROM parent;
         CREATE VIEW over AS SELECT note FROM noted; CREATE TRIGGER viewed_counts AFTER INSERT ON viewed
         BEGIN INSERT INTO log SELECT count(*) FROM parent; END;"
    );
    let script = format!("-- longshore: rebuild\n{script}");
    let files = [("001_library.up.sql", library.as_str()), ("002_way.up.sql", script.as_str())];
    let database = Database::empty();
    database.migrator_of(vec![source(&files[..1])]).up(&RunRequest::default()).unwrap();
    database.execute(ROWS);
    database.execute("CREATE INDEX theirs ON alone (body); CREATE VIEW their_view AS SELECT note FROM parent;");
    let held = holdings(&database);
    let way = source(&files);

    run(&database, &way, false, DataLoss::Refuse).unwrap();

    let made = "'parent_note', 'noted', 'over', 'viewed_counts'";
    assert_eq!(database.value(&format!("SELECT count(*) FROM sqlite_schema WHERE name IN ({made})")), "4");

    assert_eq!(lost(&held, &database), [""; 0]);
    assert_eq!(database.value("SELECT count(*) FROM sqlite_schema WHERE name IN ('theirs', 'their_view')"), "2");
    assert_eq!(database.value("INSERT INTO parent (name) VALUES ('z') RETURNING id"), "10");
    let verify = database.migrator_of(vec![way]).verify().unwrap();
    let extra: Vec<_> = verify.differences.iter().map(|one| one.object.as_str()).collect();
    assert_eq!(extra, ["index theirs on alone"]);
}

#[test]
fn what_does_not_fit_the_new_shape_of_a_rebuild_is_named_and_nothing_is_done() {
    let script = "CREATE TABLE parent_2 (id INTEGER PRIMARY KEY AUTOINCREMENT, title TEXT UNIQUE, note TEXT NOT NULL DEFAULT 'none');
        INSERT INTO parent_2 (id, title, note) SELECT id, name, note FROM parent; DROP TABLE parent; ALTER TABLE parent_2 RENAME TO parent;";
    let rebuild = format!("-- longshore: rebuild\n{script}");
    let files = [("001_library.up.sql", LIBRARY), ("002_rename.up.sql", rebuild.as_str())];
    let database = Database::empty();
    database.migrator_of(vec![source(&files[..1])]).up(&RunRequest::default()).unwrap();
    database.execute(ROWS);
    database.execute("CREATE VIEW their_view AS SELECT name FROM parent;");

    let error = database.migrator_of(vec![source(&files)]).up(&RunRequest::default()).unwrap_err();

    assert_eq!(error.code(), "not_kept");
    assert!(error.to_string().starts_with("app:2 cannot keep view their_view"), "{error}");
    assert_eq!(database.value("SELECT count(name) FROM parent"), "3");
}
