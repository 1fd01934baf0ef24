use rusqlite::Connection;

use crate::sandbox::Sandbox;

const INCIDENT: &str = include_str!("../../../sqlite/tests/data/incident.sql");

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

/// The incident of log entry 068: the ledger says that 001 is rolled back while its table is there, and 002 never
/// ran. Workers died of it one job after the other; here none starts, and the command that mends it is printed.
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
    assert_eq!(sandbox.json(&["migrate", "repair", "--apply", "--reason", "log entry 068"])["applied"], true);
    assert_eq!(sandbox.run(&["migrate", "verify"]).exit, 0);
    assert_eq!(sandbox.run(&["migrate", "up"]).exit, 0);
    assert_eq!(sandbox.json(&["jobs", "list"])["jobs"].as_array().unwrap().len(), 6);
}

#[test]
fn several_first_enqueues_at_once_make_one_database_and_lose_nothing() {
    let sandbox = Sandbox::new();
    let enqueues: Vec<_> = (0..8)
        .map(|_| sandbox.command(&["enqueue", "mail"]).stdout(std::process::Stdio::piped()).spawn().unwrap())
        .collect();
    for enqueue in enqueues {
        assert!(enqueue.wait_with_output().unwrap().status.success());
    }
    assert_eq!(sandbox.json(&["jobs", "list"])["jobs"].as_array().unwrap().len(), 8);
}

/// The commands that meet a file in each of the ways in which one is met.
const MEETINGS: [&[&str]; 6] = [
    &["jobs", "list"],
    &["enqueue", "mail"],
    &["work", "--drain"],
    &["doctor"],
    &["migrate", "status"],
    &["migrate", "up"],
];

#[test]
fn a_file_that_is_no_database_is_told_as_such() {
    let sandbox = Sandbox::new();
    let letter = "this is a letter, and a long one, so that it fills what would be the header of a database file\n";
    sandbox.write("longshore.db", letter.repeat(100));
    for command in MEETINGS {
        let ran = sandbox.run(&[command, &["--json"]].concat());
        assert_eq!((ran.exit, ran.code().as_str()), (1, "not_a_database"), "{command:?}");
    }
    assert_eq!(std::fs::read_to_string(sandbox.path("longshore.db")).unwrap(), letter.repeat(100));
}

#[test]
fn a_damaged_database_is_told_as_such() {
    let sandbox = Sandbox::new();
    sandbox.json(&["migrate", "up"]);
    let mut bytes = std::fs::read(sandbox.path("longshore.db")).unwrap();
    bytes[200..].fill(0xff);
    sandbox.write("longshore.db", bytes);
    for command in MEETINGS {
        let ran = sandbox.run(&[command, &["--json"]].concat());
        assert_eq!((ran.exit, ran.code().as_str()), (1, "database_damaged"), "{command:?}");
    }
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
