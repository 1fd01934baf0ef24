use std::process::{Child, Stdio};

use serde_json::{Value, json};

use crate::sandbox::Sandbox;

const CONFIG: &str = r#"
[jobs.quick]
run = ["true"]

[jobs.hang]
run = ["sh", "-c", "echo $$ > hang.pid; exec sleep 600"]
grace = "500ms"
"#;

fn workshop() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write("longshore.toml", CONFIG);
    sandbox
}

fn start_worker(sandbox: &Sandbox) -> Child {
    sandbox.command(&["work", "-q"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

fn show(sandbox: &Sandbox, id: &str) -> Value {
    sandbox.json(&["jobs", "show", id])
}

/// Whether the reason of the job starts like this.
fn is_because(job: &Value, reason: &str) -> bool {
    job["dead_letter_reason"].as_str().is_some_and(|words| words.starts_with(reason))
}

#[test]
fn an_expired_job_is_cancelled_with_the_reason_and_never_run() {
    let sandbox = workshop();
    sandbox.json(&["enqueue", "quick", "--expires-in", "1ms"]);
    sandbox.json(&["enqueue", "quick"]);

    sandbox.json(&["work", "--drain", "-q"]);

    let job = show(&sandbox, "1");
    assert_eq!((&job["status"], &job["started_at"], &job["attempts"]), (&json!("cancelled"), &Value::Null, &json!([])));
    assert!(is_because(&job, "expired: it expired"), "{job}");
    assert_eq!(show(&sandbox, "2")["status"], "completed");
    let words = sandbox.run(&["jobs", "show", "1"]).stdout;
    assert!(words.contains("because       expired: it expired: no attempt may begin after "), "{words}");
    assert!(words.contains("\nexpires  "), "{words}");
    assert!(sandbox.run(&["jobs", "list"]).stdout.contains("expired: it expired"));
    assert_eq!(sandbox.run(&["jobs", "wait", "1"]).exit, 3);
}

#[test]
fn a_worker_ends_expired_jobs_of_types_that_it_does_not_know() {
    let sandbox = workshop();
    let mut worker = start_worker(&sandbox);
    sandbox.json(&["enqueue", "foreign", "--expires-in", "200ms"]);
    sandbox.json(&["enqueue", "foreign", "--delay", "1h", "--deadline", "200ms"]);

    sandbox.until(|| show(&sandbox, "1")["status"] == "cancelled");
    sandbox.until(|| show(&sandbox, "2")["status"] == "dead_letter");

    let job = show(&sandbox, "2");
    assert!(is_because(&job, "expired: its deadline passed"), "{job}");
    assert!(sandbox.run(&["dead", "list"]).stdout.contains("expired: its deadline passed"));
    worker.kill().unwrap();
    worker.wait().unwrap();
}

#[test]
fn a_program_is_stopped_at_the_deadline_of_its_job() {
    let sandbox = workshop();
    sandbox.json(&["enqueue", "hang", "--deadline", "1s", "--timeout", "10m"]);

    sandbox.json(&["work", "--drain", "-q"]);

    let job = show(&sandbox, "1");
    assert_eq!((&job["status"], &job["failure_type"]), (&json!("dead_letter"), &json!("timeout_error")));
    assert!(is_because(&job, "expired: its deadline passed"), "{job}");
    assert_eq!(job["attempts"].as_array().unwrap().len(), 1);
    let pid = std::fs::read_to_string(sandbox.path("hang.pid")).unwrap();
    assert!(!std::path::Path::new("/proc").join(pid.trim()).exists(), "the program still runs");
}

#[test]
fn a_job_that_was_retried_by_hand_runs_although_it_had_expired() {
    let sandbox = workshop();
    sandbox.json(&["enqueue", "quick", "--expires-in", "1ms"]);
    sandbox.json(&["work", "--drain", "-q"]);

    assert_eq!(sandbox.json(&["jobs", "retry", "1"])["touched"], 1);
    sandbox.json(&["work", "--drain", "-q"]);

    let job = show(&sandbox, "1");
    assert_eq!(
        (&job["status"], &job["expires_at"], &job["dead_letter_reason"]),
        (&json!("completed"), &Value::Null, &Value::Null)
    );
}
