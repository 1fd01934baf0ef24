use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use longshore_migrate::target::Target;
use longshore_migrate_sqlite::{Access, SqliteTarget};
use rusqlite::Connection;

use crate::sandbox::Sandbox;

const INCIDENT: &str = include_str!("../../../migrate-sqlite/tests/data/incident.sql");

fn execute(sandbox: &Sandbox, sql: &str) {
    Connection::open(sandbox.path("longshore.db")).unwrap().execute_batch(sql).unwrap();
}

#[test]
fn a_command_that_only_looks_creates_no_database() {
    let sandbox = Sandbox::new();
    for command in [
        &["jobs", "list"][..],
        &["jobs", "show", "1"],
        &["jobs", "retry", "1"],
        &["dead", "list"],
        &["queues", "list"],
        &["queues", "pause", "a"],
        &["workers"],
    ] {
        let ran = sandbox.run(&[command, &["--json"]].concat());
        assert_eq!((ran.exit, ran.code().as_str()), (1, "database_missing"), "{command:?}");
    }
    assert_eq!(sandbox.files(), [""; 0]);
}

#[test]
fn a_hint_acts_on_the_database_of_the_command() {
    let sandbox = Sandbox::new();
    sandbox.write("a.toml", "");
    let there = ["--database", "my shop.db", "--config", "a.toml"];
    let with = "longshore --database 'my shop.db' --config a.toml";
    let ran = sandbox.run(&[&there[..], &["status"]].concat());
    assert!(ran.stderr.contains(&format!("create it with \"{with} migrate up\"")), "{ran:?}");
    let ran = sandbox.run(&[&there[..], &["migrate", "status"]].concat());
    assert!(ran.stdout.ends_with(&format!("next: {with} migrate up\n")), "{ran:?}");
    sandbox.json(&[&there[..], &["migrate", "up", "--to", "longshore:2"]].concat());
    let ran = sandbox.run(&[&there[..], &["status"]].concat());
    assert!(ran.exit == 5 && ran.stderr.contains(&format!("hint: {with} migrate up")), "{ran:?}");
    let found = sandbox.json_with_exit(&[&there[..], &["doctor"]].concat(), 5);
    assert_eq!(found["findings"][0]["hint"], format!("{with} migrate up"));
    assert!(!sandbox.path("longshore.db").exists());
}

#[test]
fn an_empty_file_is_no_database_to_look_at_and_one_to_enqueue_into() {
    let sandbox = Sandbox::new();
    sandbox.write("longshore.db", "");
    assert_eq!(sandbox.run(&["jobs", "list", "--json"]).code(), "database_missing");
    assert_eq!(sandbox.run(&["enqueue", "mail"]).stdout, "1\n");
}

#[test]
fn the_database_of_an_application_is_migrated_only_when_somebody_says_so() {
    let sandbox = Sandbox::new();
    execute(&sandbox, "CREATE TABLE tracks (id INTEGER PRIMARY KEY); INSERT INTO tracks VALUES (7);");
    sandbox.write("longshore.toml", "[jobs.mail]\nrun = [\"true\"]");
    for command in [&["enqueue", "mail"][..], &["work", "--drain"], &["jobs", "list"]] {
        let ran = sandbox.run(command);
        assert_eq!(ran.exit, 5, "{ran:?}");
        assert!(ran.stderr.contains("hint: longshore migrate up"), "{ran:?}");
    }
    assert_eq!(sandbox.run(&["migrate", "up"]).exit, 0);
    assert_eq!(sandbox.run(&["enqueue", "mail"]).stdout, "1\n");
}

#[test]
fn an_older_schema_is_refused_and_up_brings_it_up_to_date() {
    let sandbox = Sandbox::new();
    sandbox.json(&["migrate", "up", "--to", "longshore:2"]);
    let ran = sandbox.run(&["enqueue", "mail", "--json"]);
    assert_eq!((ran.exit, ran.code().as_str()), (5, "schema_older"));
    let ran = sandbox.run(&["up", "--json"]);
    assert_eq!((ran.exit, ran.code().as_str()), (2, "no_job_types"), "migrated first, and then nothing to run");
    assert_eq!(sandbox.run(&["migrate", "status", "--check"]).exit, 0);
}

/// The incident of log entry 068: the ledger says that 001 is rolled back although its table exists, and 002 never ran.
/// There, workers failed on one job after the other. Here no worker starts, and the command that fixes it is printed.
#[test]
fn incident_068_no_worker_starts_and_the_way_out_is_told() {
    let sandbox = Sandbox::new();
    execute(&sandbox, INCIDENT);
    for command in [&["work"][..], &["up"], &["work", "--drain"], &["enqueue", "mail"], &["doctor"]] {
        let ran = sandbox.run(command);
        assert_eq!(ran.exit, 5, "{ran:?}");
        let said = ran.stdout + &ran.stderr;
        assert!(said.contains("longshore migrate repair"), "{said}");
    }
    let status = sandbox.run(&["migrate", "status"]).stdout;
    assert!(status.starts_with("Applied migrations: 0\n"), "{status}");
    let plan = sandbox.json(&["migrate", "repair"]);
    assert_eq!(plan["steps"][0]["action"], "mark_applied");
    let words = sandbox.run(&["migrate", "repair"]).stdout;
    assert!(words.contains("lines of SQL, which --json prints") && words.lines().count() < 200, "{words}");
    assert_eq!(sandbox.json(&["migrate", "repair", "--apply", "--reason", "log entry 068"])["applied"], true);
    assert_eq!(sandbox.run(&["migrate", "verify"]).exit, 0);
    assert_eq!(sandbox.run(&["migrate", "up"]).exit, 0);
    assert_eq!(sandbox.json(&["jobs", "list"])["jobs"].as_array().unwrap().len(), 6);
}

#[test]
fn several_first_enqueues_at_once_make_one_database_and_lose_nothing() {
    let sandbox = Sandbox::new();
    let enqueues: Vec<_> =
        (0..8).map(|_| sandbox.command(&["enqueue", "mail"]).stdout(Stdio::piped()).spawn().unwrap()).collect();
    for enqueue in enqueues {
        assert!(enqueue.wait_with_output().unwrap().status.success());
    }
    assert_eq!(sandbox.json(&["jobs", "list"])["jobs"].as_array().unwrap().len(), 8);
}

#[test]
fn several_first_enqueues_at_once_into_an_empty_file_wait_for_the_one_that_migrates() {
    let sandbox = Sandbox::new();
    for round in 0..6 {
        let name = format!("{round}.db");
        sandbox.write(&name, "");
        let start = |_| sandbox.command(&["enqueue", "mail", "--database", &name]).stderr(Stdio::piped()).spawn();
        let enqueues: Vec<_> = (0..8).map(start).collect();

        let ended: Vec<_> = enqueues.into_iter().map(|enqueue| enqueue.unwrap().wait_with_output().unwrap()).collect();

        assert!(ended.iter().all(|enqueue| enqueue.status.success()), "round {round}: {ended:?}");
        let jobs = sandbox.json(&["jobs", "list", "--database", &name]);
        assert_eq!(jobs["jobs"].as_array().unwrap().len(), 8);
    }
}

#[test]
fn an_enqueue_that_is_killed_while_it_makes_the_database_is_in_nobodys_way() {
    let sandbox = Sandbox::new();
    for round in 0..8 {
        let name = format!("{round}.db");
        let mut killed = sandbox.command(&["enqueue", "mail", "--database", &name]).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(fastrand::u64(0..150)));
        killed.kill().unwrap();
        killed.wait().unwrap();
        assert_eq!(sandbox.run(&["enqueue", "mail", "--database", &name]).exit, 0, "round {round}");
    }
}

#[test]
fn a_url_with_a_harmless_parameter_names_the_same_file_as_the_path() {
    let sandbox = Sandbox::new();
    for url in ["sqlite:z.db?mode=rwc", "sqlite:///z.db", "sqlite://z.db?mode=rw", "z.db"] {
        assert_eq!(sandbox.run(&["enqueue", "mail", "--database", url]).exit, 0, "{url}");
    }
    assert_eq!(sandbox.json(&["jobs", "list", "--database", "z.db"])["jobs"].as_array().unwrap().len(), 4);
    let absolute = format!("sqlite:///{}", sandbox.path("z.db").display());
    assert_eq!(sandbox.json(&["jobs", "list", "--database", &absolute])["jobs"].as_array().unwrap().len(), 4);
    for url in ["postgres:app", "file:a.db", "odd:a.db", "sqlite:a.db?mode=ro"] {
        assert_eq!(sandbox.run(&["enqueue", "mail", "--database", url]).exit, 2, "{url}");
    }
    assert!(sandbox.files().iter().all(|name| name.starts_with("z.db")), "{:?}", sandbox.files());
}

/// The state that an enqueue finds during another process's first migration: some migrations are applied, and the
/// runner holds its lock until all are.
#[test]
fn an_enqueue_that_meets_half_of_the_first_migration_waits_for_the_other_half() {
    let sandbox = Sandbox::new();
    sandbox.json(&["migrate", "up", "--to", "longshore:2"]);
    let mut runner = SqliteTarget::open(sandbox.path("longshore.db"), Access::Write).unwrap();
    let lock = runner.lock(Duration::ZERO).unwrap();
    let mut enqueue =
        sandbox.command(&["enqueue", "mail"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let held = sandbox.path("longshore.db.migrate.lock");
    let pid = enqueue.id();
    sandbox.until(|| has_open(pid, &held));
    assert!(enqueue.try_wait().unwrap().is_none(), "it waits");

    migrate_the_rest(&sandbox);
    drop(lock);

    let ended = enqueue.wait_with_output().unwrap();
    assert_eq!(String::from_utf8_lossy(&ended.stdout), "1\n", "{ended:?}");
}

fn has_open(pid: u32, file: &Path) -> bool {
    let files = std::fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
    files.filter_map(|entry| std::fs::read_link(entry.path()).ok()).any(|open| open == file.canonicalize().unwrap())
}

/// As the runner that holds the lock would: on a connection, where no lock is taken.
fn migrate_the_rest(sandbox: &Sandbox) {
    let mut connection = Connection::open(sandbox.path("longshore.db")).unwrap();
    longshore_sqlite::schema::install(&mut connection).unwrap();
}

/// The commands, one for each way to use a file.
const MEETINGS: [&[&str]; 17] = [
    &["jobs", "list"],
    &["enqueue", "mail"],
    &["work", "--drain"],
    &["up"],
    &["doctor"],
    &["migrate", "status"],
    &["migrate", "up"],
    &["migrate", "down"],
    &["migrate", "redo"],
    &["migrate", "verify"],
    &["migrate", "repair"],
    &["migrate", "repair", "--apply", "--reason", "x"],
    &["migrate", "mark-applied", "longshore:1", "--reason", "x"],
    &["migrate", "mark-rolled-back", "longshore:1", "--reason", "x"],
    &["migrate", "baseline", "longshore:1", "--reason", "x"],
    &["migrate", "history"],
    &["migrate", "dump"],
];

/// Checks that every command ends in the same way and names the file.
fn assert_told(sandbox: &Sandbox, exit: i32, code: &str) {
    for command in MEETINGS {
        let ran = sandbox.run(&[command, &["--json"]].concat());
        assert_eq!((ran.exit, ran.code().as_str()), (exit, code), "{command:?}: {ran:?}");
        let message = ran.document()["error"]["message"].as_str().unwrap().to_owned();
        assert!(message.contains("longshore.db"), "{command:?}: {message}");
    }
}

#[test]
fn a_file_that_is_no_database_is_told_as_such() {
    let sandbox = Sandbox::new();
    let letter = "this is a letter, and a long one, so that it fills what would be the header of a database file\n";
    sandbox.write("longshore.db", letter.repeat(100));
    assert_told(&sandbox, 1, "not_a_database");
    assert_eq!(std::fs::read_to_string(sandbox.path("longshore.db")).unwrap(), letter.repeat(100));
}

#[test]
fn a_damaged_database_is_told_as_such() {
    let sandbox = Sandbox::new();
    sandbox.json(&["migrate", "up"]);
    let mut bytes = std::fs::read(sandbox.path("longshore.db")).unwrap();
    bytes[200..].fill(0xff);
    sandbox.write("longshore.db", bytes);
    assert_told(&sandbox, 1, "database_damaged");
}

/// Read-only for everybody, including root: the header requires a later SQLite version for writing.
fn forbid_to_write(sandbox: &Sandbox) {
    let mut bytes = std::fs::read(sandbox.path("longshore.db")).unwrap();
    bytes[18] = 3;
    sandbox.write("longshore.db", bytes);
}

#[test]
fn a_database_that_may_not_be_written_is_told_before_a_worker_starts() {
    let sandbox = Sandbox::new();
    sandbox.write("longshore.toml", "[jobs.mail]\nrun = [\"true\"]");
    sandbox.json(&["migrate", "up"]);
    forbid_to_write(&sandbox);
    let before = std::fs::read(sandbox.path("longshore.db")).unwrap();
    for command in [&["enqueue", "mail"][..], &["work"], &["work", "--drain"], &["up"]] {
        assert_read_only(&sandbox, command);
    }
    assert_eq!(std::fs::read(sandbox.path("longshore.db")).unwrap(), before);
}

#[test]
fn a_migration_of_a_database_that_may_not_be_written_is_told_as_such() {
    let sandbox = Sandbox::new();
    sandbox.json(&["migrate", "up", "--to", "longshore:2"]);
    forbid_to_write(&sandbox);
    for command in [
        &["up"][..],
        &["down"],
        &["redo"],
        &["repair", "--apply", "--reason", "x"],
        &["mark-applied", "longshore:3", "--reason", "x", "--unverified"],
        &["mark-rolled-back", "longshore:2", "--reason", "x", "--unverified"],
    ] {
        assert_read_only(&sandbox, &[&["migrate"], command].concat());
    }
    assert_eq!(sandbox.json(&["migrate", "status"])["applied_count"], 2);
}

fn assert_read_only(sandbox: &Sandbox, command: &[&str]) {
    let ran = sandbox.run(&[command, &["--json"]].concat());
    assert_eq!((ran.exit, ran.code().as_str()), (1, "database_read_only"), "{command:?}: {ran:?}");
    assert!(ran.document()["error"]["message"].as_str().unwrap().contains("longshore.db cannot be written"));
}

#[test]
fn a_database_that_another_program_holds_is_locked() {
    let sandbox = Sandbox::new();
    sandbox.json(&["migrate", "up"]);
    let holder = Connection::open(sandbox.path("longshore.db")).unwrap();
    holder.execute_batch("BEGIN IMMEDIATE").unwrap();
    let ran = sandbox.run(&["enqueue", "mail", "--json"]);
    assert_eq!((ran.exit, ran.code().as_str()), (6, "database_locked"));
}

#[test]
fn a_plain_insert_from_anywhere_is_a_job() {
    let sandbox = Sandbox::new();
    sandbox.json(&["migrate", "up"]);
    execute(&sandbox, "INSERT INTO job_queue (job_type, job_data) VALUES ('mail', '{\"a\":1}')");
    assert_eq!(sandbox.json(&["jobs", "show", "1"])["job_data"]["a"], 1);
}
