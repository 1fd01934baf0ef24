//! Looking never writes: whatever is in a migration, its replay opens no file and changes none.

use std::{collections::BTreeMap, fs, path::Path};

use fastrand::Rng;
use longshore_migrate::{
    CodeError, CodeMigration, RunRequest, Source,
    target::{Session, Target, TargetError},
};
use longshore_migrate_sqlite::{Access, SqliteTarget};

use crate::support::{Database, source};

fn files(directory: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    entries.map(|path| (path.display().to_string(), fs::read(&path).unwrap())).collect()
}

fn victim() -> Database {
    Database::with("CREATE TABLE rows (n INTEGER); INSERT INTO rows VALUES (1), (2), (3);")
}

/// Runs every command that only looks over one up, then says whether anything in the directory is other than before.
fn look_at(database: &Database, text: &str) {
    let before = files(database.directory());
    let files_of = [("001_look.up.sql", text), ("001_look.down.sql", text)];
    let target = || SqliteTarget::open(&database.path, Access::Inspect).unwrap();
    let migrator = || longshore_migrate::Migrator::new(Box::new(target()), vec![source(&files_of)]);
    let _ = migrator().lint();
    let _ = migrator().status();
    let _ = migrator().verify();
    let _ = migrator().repair(&Default::default());
    let dry = RunRequest { mode: longshore_migrate::RunMode::DryRun, ..RunRequest::default() };
    let _ = migrator().up(&dry);
    assert_eq!(files(database.directory()), before, "{text}");
}

#[test]
fn a_file_that_attaches_a_database_empties_no_table_when_it_is_looked_at() {
    for declared in ["", "-- longshore: other files\n"] {
        for header in ["", "-- longshore: no transaction\n", "-- longshore: rebuild\n"] {
            let database = victim();
            let path = database.path.display();
            look_at(
                &database,
                &format!("{header}{declared}ATTACH DATABASE '{path}' AS d; CREATE TABLE a (b); DELETE FROM d.rows;"),
            );
            look_at(&database, &format!("{header}{declared}VACUUM INTO '{path}-copy'; CREATE TABLE a (b);"));
            assert_eq!(database.value("SELECT count(*) FROM rows"), "3");
        }
    }
}

#[test]
fn up_refuses_a_statement_that_reaches_another_file_unless_the_file_declares_it() {
    let database = Database::empty();
    let other = victim();
    let text = format!(
        "ATTACH DATABASE '{}' AS d;\nCREATE TABLE rows (n INTEGER);\nINSERT INTO rows SELECT n FROM d.rows;\nDETACH d;",
        other.path.display()
    );
    let text = format!("-- longshore: no transaction\n{text}");

    let refused = database.migrator_of(vec![source(&[("001_copy.up.sql", &text)])]).up(&RunRequest::default());
    let declared = format!("{text}\n-- longshore: other files\n");
    database.migrator_of(vec![source(&[("001_copy.up.sql", &declared)])]).up(&RunRequest::default()).unwrap();

    let refused = refused.unwrap_err();
    assert_eq!(refused.code(), "history_broken");
    assert!(refused.to_string().contains("line 2: `ATTACH DATABASE"), "{refused}");
    assert_eq!(database.value("SELECT count(*) FROM rows"), "3");
    assert!(database.migrator_of(vec![source(&[("001_copy.up.sql", &declared)])]).verify().unwrap().ok);
}

#[test]
fn what_no_file_can_declare_is_refused_by_its_line() {
    for statement in
        ["PRAGMA writable_schema = ON", "SELECT load_extension('x')", "PRAGMA temp_store_directory = '/tmp'"]
    {
        let text = format!("-- longshore: other files\nCREATE TABLE a (b);\n{statement};");
        let lint = Database::empty().migrator_of(vec![source(&[("001_a.up.sql", &text)])]).lint().unwrap();
        assert!(lint.findings.iter().any(|finding| finding.message.starts_with("line 3: ")), "{lint:#?}");
    }
}

/// Code reaches for a file in a way that no reader of files sees.
struct Reaching(String);

impl CodeMigration for Reaching {
    fn number(&self) -> i64 {
        1
    }

    fn name(&self) -> &str {
        "reaching"
    }

    fn up(&self, session: &mut dyn Session) -> Result<(), CodeError> {
        session.execute("CREATE TABLE a (b)")?;
        Ok(session.execute(&self.0).map(|_| ())?)
    }

    fn down(&self, session: &mut dyn Session) -> Result<(), CodeError> {
        session.execute("DROP TABLE a")?;
        Ok(())
    }
}

#[test]
fn a_code_migration_reaches_no_file_either() {
    let database = victim();
    let path = database.path.display().to_string();
    for statement in [format!("ATTACH '{path}' AS d"), format!("VACUUM INTO '{path}-copy'")] {
        let before = files(database.directory());
        let code = || Source::code("app", vec![std::sync::Arc::new(Reaching(statement.clone()))]);
        let status = database.migrator_of(vec![code()]).status().unwrap();
        assert_eq!(files(database.directory()), before, "{statement}");
        assert!(status.findings.iter().any(|finding| finding.message.contains("is not permitted")), "{status:#?}");
        assert_eq!(database.migrator_of(vec![code()]).up(&RunRequest::default()).unwrap_err().code(), "history_broken");
    }
}

/// Statements, pragmas and functions by which SQLite, its shell or a usual extension opens a file.
#[rustfmt::skip]
const WAYS: [&str; 30] = [
    "ATTACH {path} AS d", "ATTACH DATABASE {path} AS d", "ATTACH (SELECT {path}) AS d", "ATTACH {path} || '' AS \"d\"",
    "VACUUM INTO {path}", "VACUUM main INTO {path}", "VACUUM INTO (SELECT {path})", "VACUUM", "VACUUM temp",
    "ATTACH '' AS d", "ATTACH ':memory:' AS d", "DETACH d", "EXPLAIN ATTACH {path} AS d",
    "PRAGMA temp_store_directory = {path}", "PRAGMA data_store_directory = {path}", "PRAGMA temp_store = 1",
    "PRAGMA main.journal_mode = WAL", "PRAGMA writable_schema = RESET", "PRAGMA \"writable_schema\"(1)",
    "PRAGMA lock_proxy_file = {path}", "PRAGMA cache_spill = 1", "PRAGMA cache_size = 1", "PRAGMA temp.cache_size = 1",
    "SELECT load_extension({path})", "SELECT writefile({path}, 'x')", "SELECT readfile({path})",
    "CREATE VIRTUAL TABLE v USING csv(filename={path})", "CREATE VIRTUAL TABLE v USING fsdir({path})",
    "CREATE VIRTUAL TABLE v USING zipfile({path})", "INSERT INTO d.rows VALUES (9)",
];

#[rustfmt::skip]
const AFTER: [&str; 7] = [
    "DELETE FROM d.rows", "DROP TABLE d.rows", "CREATE TABLE d.made (a)", "PRAGMA d.user_version = 7",
    "UPDATE sqlite_schema SET sql = 'x'", "COMMIT",
    // More than SQLite keeps in memory where it may write a temporary file.
    "CREATE TEMP TABLE big AS WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 3000) SELECT i, randomblob(900) AS b FROM n ORDER BY b",
];

fn disguised(rng: &mut Rng, text: &str) -> String {
    let mut out = String::new();
    for word in text.split(' ') {
        let case = rng.u8(0..3);
        let is_path = word.contains('\'');
        out.push_str(&match case {
            0 if !is_path => word.to_lowercase(),
            1 if !is_path => word.to_uppercase(),
            _ => word.to_owned(),
        });
        out.push_str(["\n", " ", "/* x */ ", " -- x\n", "\t"][rng.usize(0..5)]);
    }
    out
}

fn spelled(rng: &mut Rng, path: &str) -> String {
    let relative = format!("/proc/self/root{path}");
    match rng.u8(0..6) {
        0 => format!("'file:{path}?mode=rwc'"),
        1 => format!("'file:{path}?vfs=unix-none'"),
        2 => format!("'{relative}'"),
        3 => format!("'file://localhost{path}'"),
        4 => format!("'{path}-new'"),
        _ => format!("'{path}'"),
    }
}

/// Which files of the directory this process has open.
fn opened(directory: &Path) -> Vec<String> {
    let Ok(entries) = fs::read_dir("/proc/self/fd") else { return Vec::new() };
    let targets = entries.filter_map(|entry| fs::read_link(entry.ok()?.path()).ok());
    let targets = targets.map(|path| path.display().to_string());
    let directory = directory.display().to_string();
    targets.filter(|path| path.starts_with(&directory)).collect()
}

#[test]
fn no_statement_that_anybody_thinks_of_makes_the_scratch_database_open_a_file() {
    let database = victim();
    let before = files(database.directory());
    let target = SqliteTarget::open(database.directory().join("none.db"), Access::Inspect).unwrap();
    for seed in 0..400 {
        let mut rng = Rng::with_seed(seed);
        // What `status` replays on, and what `lint` runs ups and downs on.
        let mut replay = target.scratch().unwrap();
        let mut rehearsal = target.rehearsal().unwrap();
        let mut ran = Vec::new();
        for _ in 0..6 {
            let from: &[&str] = if rng.bool() { &WAYS } else { &AFTER };
            let statement = from[rng.usize(0..from.len())];
            let path = spelled(&mut rng, &database.path.display().to_string());
            let statement = disguised(&mut rng, statement).replace("{path}", &path).replace("{PATH}", &path);
            let result = if seed % 2 == 0 { replay.execute(&statement) } else { rehearsal.execute(&statement) };
            ran.push(statement);
            assert_eq!(opened(database.directory()), [""; 0], "seed {seed}: {ran:#?}");
            if let Err(TargetError::Outside(cause)) = result {
                panic!("seed {seed} met the file system: {cause}: {ran:#?}");
            }
        }
        assert_eq!(files(database.directory()), before, "seed {seed}: {ran:#?}");
    }
}
