use serde_json::json;

use crate::sandbox::Sandbox;

const CONFIG: &str = r#"
[jobs.echo]
run = ["true"]

[jobs.fail]
run = ["sh", "-c", "echo broken >&2; exit 65"]
"#;

fn workshop() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write("longshore.toml", CONFIG);
    sandbox
}

fn said(sandbox: &Sandbox, id: &str) -> String {
    let ran = sandbox.run(&["jobs", "explain", id]);
    assert_eq!(ran.exit, 0, "{ran:?}");
    ran.stdout
}

#[test]
fn a_waiting_job_says_the_one_reason_and_what_comes_then() {
    let sandbox = workshop();
    sandbox.json(&["enqueue", "echo", "--at", "2999-01-01T00:00:00Z"]);
    sandbox.json(&["queues", "pause", "default"]);
    sandbox.json(&["enqueue", "echo", "--parent", "1"]);

    let document = sandbox.json(&["jobs", "explain", "1"]);

    assert_eq!((&document["id"], &document["status"]), (&json!(1), &json!("pending")));
    let reason = &document["reason"];
    assert_eq!((&reason["code"], &reason["at"]), (&json!("not_due"), &json!("2999-01-01T00:00:00.000Z")));
    assert!(reason["message"].as_str().unwrap().ends_with(", at 2999-01-01T00:00:00.000Z"), "{document}");
    let also: Vec<_> = document["also"].as_array().unwrap().iter().map(|cause| cause["code"].clone()).collect();
    assert_eq!(also, [json!("queue_paused"), json!("no_worker")]);
    let lines = said(&sandbox, "1");
    assert!(
        lines.starts_with("job 1 is pending: it is due in ") && lines.ends_with("\nthen: no worker is running\n"),
        "{lines}"
    );
    let child = said(&sandbox, "2");
    assert!(
        child.starts_with("job 2 is blocked: it waits for its parent, job 1, which is pending: it is due in"),
        "{child}"
    );
}

#[test]
fn an_ended_job_says_how_it_ended_and_a_job_that_is_not_there_is_an_error() {
    let sandbox = workshop();
    sandbox.json(&["enqueue", "fail"]);
    sandbox.json(&["enqueue", "echo"]);
    sandbox.json(&["work", "--drain", "-q"]);
    let dead = sandbox.json(&["jobs", "explain", "1"]);
    assert_eq!(
        (&dead["reason"]["code"], &dead["reason"]["failure_type"]),
        (&json!("dead_letter"), &json!("validation_error"))
    );
    assert!(said(&sandbox, "2").starts_with("job 2 is completed: it completed "));
    let missing = sandbox.run(&["jobs", "explain", "3", "--json"]);
    let shown = sandbox.run(&["jobs", "show", "3", "--json"]);
    assert_eq!((missing.exit, missing.code()), (shown.exit, shown.code()));
    assert_eq!(missing.exit, 1);
}

#[test]
fn a_job_whose_type_nobody_runs_names_what_is_run() {
    let sandbox = workshop();
    sandbox.json(&["enqueue", "unknown"]);
    let mut worker = sandbox.command(&["work", "-q"]).spawn().unwrap();
    sandbox.until(|| sandbox.json(&["workers"])["workers"].as_array().is_some_and(|workers| !workers.is_empty()));
    let line = said(&sandbox, "1");
    worker.kill().unwrap();
    worker.wait().unwrap();
    assert_eq!(
        line.lines().next(),
        Some("job 1 is pending: no running worker knows the type unknown: the worker that runs knows echo, fail")
    );
}
