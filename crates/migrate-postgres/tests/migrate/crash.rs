//! A runner is killed with SIGKILL: its locks go at once, its transaction is taken back, and the next run goes on.

use std::{
    env,
    io::{BufRead, BufReader, Write},
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use longshore_migrate::{
    Migrator, RepairMode, RepairRequest, RunRequest,
    report::NextStep,
    target::{Progress, Target},
};
use longshore_migrate_postgres::{PostgresTarget, PostgresTargetOptions, PostgresUrl};
use longshore_testkit_postgres::TestDatabase;

use crate::support::{database, migrator, rows, source, up};

const URL: &str = "LONGSHORE_TEST_URL";
const PAUSE_BEFORE: &str = "LONGSHORE_TEST_PAUSE_BEFORE";
const PAUSED: &str = "runner: paused";

const FILES: [(&str, &str); 3] = [
    ("001_a.up.sql", "CREATE TABLE a (i int);\nINSERT INTO a VALUES (1);\nCREATE TABLE b (i int);"),
    ("002_i.up.sql", "-- longshore: no transaction\nCREATE INDEX CONCURRENTLY a_i ON a (i);\nCREATE TABLE c (i int);"),
    ("003_j.up.sql", "ALTER TABLE a ADD COLUMN j int;\nALTER TABLE b ADD COLUMN j int;"),
];
const STATEMENTS: usize = 7;

fn start(database: &TestDatabase, pause_before: usize) -> Child {
    start_with(database, pause_before, &[])
}

fn start_with(database: &TestDatabase, pause_before: usize, variables: &[(&str, &str)]) -> Child {
    let mut program = Command::new(env::current_exe().unwrap());
    program.args(["--exact", "crash::does_what_its_environment_says", "--nocapture"]);
    program.env(URL, database.url()).env(PAUSE_BEFORE, pause_before.to_string());
    program.envs(variables.iter().copied());
    let mut child = program.stdout(Stdio::piped()).spawn().unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(lines.map(Result::unwrap).any(|line| line.contains(PAUSED)), "the runner did not pause");
    child
}

#[test]
fn a_runner_killed_before_any_statement_leaves_whole_migrations_and_no_lock() {
    for at in 0..STATEMENTS {
        let database = database();
        let mut runner = start(&database, at);
        runner.kill().unwrap();
        runner.wait().unwrap();
        let mut next = migrator(&database, &FILES);
        let status = next.status().unwrap();
        // Of statements outside of a transaction those before it are done, and the next up continues.
        assert_eq!(status.next, Some(NextStep::Up), "statement {at}: {:#?}", status.differences);
        up(&mut next);
        let verified = next.verify().unwrap();
        assert!(verified.ok, "statement {at}: {verified:#?}");
        assert_eq!(rows(&database, "SELECT i, j FROM a"), ["1|NULL"], "statement {at}");
    }
}

/// What a repair of it has to do, in its order: with the steps of one transaction and those behind it.
const DAMAGE: &str = "ALTER TABLE a DROP COLUMN j, ALTER COLUMN i TYPE bigint, ADD CHECK (i > 0);
    DROP INDEX a_i; ALTER TABLE b ALTER COLUMN i SET DEFAULT 5; DROP TABLE c";
const REPAIR: &str = "LONGSHORE_TEST_REPAIR";

#[test]
fn a_repair_killed_before_any_statement_leaves_the_old_state_or_the_new_one() {
    let request = RepairRequest { mode: RepairMode::Apply { reason: "a test".to_owned() } };
    let damaged = || {
        let database = database();
        up(&mut migrator(&database, &FILES));
        database.sql(DAMAGE);
        database
    };
    let steps = migrator(&damaged(), &FILES).repair(&RepairRequest::default()).unwrap().steps.len();
    assert!(steps >= 5, "{steps}");
    for at in 0..steps {
        let database = damaged();
        let old = migrator(&database, &FILES).verify().unwrap().differences;
        let mut repairer = start_with(&database, at, &[(REPAIR, "1")]);
        repairer.kill().unwrap();
        repairer.wait().unwrap();
        let left = migrator(&database, &FILES).verify().unwrap().differences;
        assert_eq!(left, old, "statement {at}");
        assert_eq!(rows(&database, "SELECT i FROM a"), ["1"], "statement {at}");
        migrator(&database, &FILES).repair(&request).unwrap_or_else(|error| panic!("statement {at}: {error}"));
        assert!(migrator(&database, &FILES).verify().unwrap().ok, "statement {at}");
        assert_eq!(rows(&database, "SELECT i, j FROM a"), ["1|NULL"], "statement {at}");
    }
}

#[test]
fn does_what_its_environment_says() {
    let Ok(url) = env::var(URL) else { return };
    let pause_before: usize = env::var(PAUSE_BEFORE).unwrap().parse().unwrap();
    let seen = AtomicUsize::new(0);
    let url: PostgresUrl = url.parse().unwrap();
    let mut target = PostgresTarget::open(PostgresTargetOptions::new(url)).unwrap();
    target.watch(Arc::new(move |progress: &Progress| {
        if matches!(progress, Progress::Statement { .. }) && seen.fetch_add(1, Ordering::SeqCst) == pause_before {
            writeln!(std::io::stdout(), "{PAUSED}").unwrap();
            loop {
                thread::park();
            }
        }
    }));
    let mut migrator = Migrator::new(Box::new(target), vec![source(&FILES)]);
    if env::var(REPAIR).is_ok() {
        let mode = RepairMode::Apply { reason: "a test".to_owned() };
        migrator.repair(&RepairRequest { mode }).unwrap();
        return;
    }
    migrator.up(&RunRequest::default()).unwrap();
}
