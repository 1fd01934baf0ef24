use serde_json::json;

use crate::sandbox::Sandbox;

fn codes(sandbox: &Sandbox) -> Vec<String> {
    let ran = sandbox.run(&["doctor", "--json"]);
    let diagnosis = ran.document();
    let findings = diagnosis["findings"].as_array().unwrap_or_else(|| panic!("{ran:?}"));
    let mut codes: Vec<String> = findings.iter().map(|it| it["code"].as_str().unwrap().to_owned()).collect();
    // This test does not depend on how full the disk of the machine is.
    codes.retain(|code| code != "disk_almost_full");
    assert_eq!(ran.exit == 0, diagnosis["ok"] == true, "{ran:?}");
    codes
}

#[test]
fn a_new_database_is_well() {
    let sandbox = Sandbox::new();
    sandbox.json(&["migrate", "up"]);
    assert_eq!(codes(&sandbox), [""; 0]);
}

#[test]
fn jobs_that_nobody_can_run_are_found() {
    let sandbox = Sandbox::new();
    sandbox.write("longshore.toml", "[jobs.known]\nrun = [\"true\"]");
    sandbox.json(&["enqueue", "known"]);
    assert_eq!(codes(&sandbox), ["no_worker"]);
    sandbox.json(&["enqueue", "unknown"]);
    assert_eq!(codes(&sandbox), ["no_worker", "unknown_job_type"]);
    assert_eq!(sandbox.run(&["doctor"]).exit, 3);
}

#[test]
fn a_paused_queue_that_holds_jobs_back_is_found() {
    let sandbox = Sandbox::new();
    sandbox.write("longshore.toml", "[jobs.known]\nrun = [\"true\"]");
    sandbox.json(&["enqueue", "known"]);
    sandbox.json(&["queues", "pause", "default"]);
    assert_eq!(codes(&sandbox), ["paused_queue"]);
}

#[test]
fn a_schema_that_is_not_understood_is_found_and_keeps_its_exit_code() {
    let sandbox = Sandbox::new();
    sandbox.json(&["migrate", "up", "--to", "longshore:2"]);
    let ran = sandbox.run(&["doctor", "--json"]);
    assert_eq!(ran.exit, 5);
    let finding = &ran.document()["findings"][0];
    assert_eq!((&finding["code"], &finding["hint"]), (&json!("schema_disagrees"), &json!("longshore migrate up")));
    let told = sandbox.run(&["doctor"]).stdout;
    assert!(!told.contains("removed after"), "a database that cannot be used needs no word about retention: {told}");
}

#[test]
fn a_database_that_is_not_there_is_an_error() {
    let sandbox = Sandbox::new();
    let ran = sandbox.run(&["doctor", "--json"]);
    assert_eq!((ran.exit, ran.code().as_str()), (1, "database_missing"));
    assert_eq!(sandbox.files(), [""; 0]);
}

#[test]
fn a_type_that_a_plain_insert_brought_cannot_move_the_cursor() {
    let sandbox = Sandbox::new();
    sandbox.json(&["migrate", "up"]);
    let database = rusqlite::Connection::open(sandbox.path("longshore.db")).unwrap();
    let insert = "INSERT INTO job_queue (job_type, job_data) VALUES (char(27) || '[2J' || char(10), '{}')";
    database.execute(insert, []).unwrap();
    let ran = sandbox.run(&["doctor"]);
    assert!(ran.exit == 3 && ran.stdout.contains("[2J") && !ran.stdout.contains('\u{1b}'), "{ran:?}");
}

#[test]
fn a_foreign_key_with_which_no_job_can_run_is_named_with_what_to_do() {
    let sandbox = Sandbox::new();
    sandbox.json(&["enqueue", "a"]);
    let foreign = rusqlite::Connection::open(sandbox.path("longshore.db")).unwrap();
    let table = "CREATE TABLE notes (j INTEGER, s TEXT, FOREIGN KEY (j, s) REFERENCES job_queue (id, status))";
    foreign.execute_batch(table).unwrap();
    let ran = sandbox.run(&["doctor", "--json"]);
    let diagnosis = ran.document();
    let findings = diagnosis["findings"].as_array().unwrap();
    let finding = findings.iter().find(|finding| finding["code"] == "broken_foreign_key").unwrap();
    let message = finding["message"].as_str().unwrap();
    assert!(message.starts_with("the foreign key notes (j, s) refers to job_queue (id, status)"), "{message}");
    assert_eq!(ran.exit, 3);
}

#[test]
fn a_table_that_keeps_ended_jobs_is_named_with_what_to_do() {
    let sandbox = Sandbox::new();
    sandbox.json(&["enqueue", "a"]);
    sandbox.json(&["jobs", "cancel", "1"]);
    let foreign = rusqlite::Connection::open(sandbox.path("longshore.db")).unwrap();
    foreign
        .execute_batch("CREATE TABLE photos (job_id INTEGER REFERENCES job_queue (id)); INSERT INTO photos VALUES (1);")
        .unwrap();
    let ran = sandbox.run(&["doctor", "--json"]);
    let diagnosis = ran.document();
    let findings = diagnosis["findings"].as_array().unwrap();
    let finding = findings.iter().find(|finding| finding["code"] == "jobs_kept_by_table").unwrap();
    let message = "photos.job_id refers to 1 ended job, which cannot be removed";
    assert_eq!((ran.exit, &finding["message"]), (3, &json!(message)));
    let ran = sandbox.run(&["jobs", "delete", "1", "--json"]);
    assert_eq!((ran.exit, ran.code().as_str()), (1, "not_moved"));
    assert_eq!(ran.document()["error"]["refused"], json!([{"reason": "constraint", "id": 1}]));
}
