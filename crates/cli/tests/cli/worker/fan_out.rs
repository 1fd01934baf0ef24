//! A command that adds members to its own batch while it runs.

use serde_json::json;

use crate::sandbox::{Ran, Sandbox};

const CONFIG: &str = r#"
[jobs.split]
run = ["sh", "split.sh"]

[jobs.part]
run = ["true"]

[jobs.serve_split]
serve = ["python3", "serve.py"]
"#;

const SPLIT: &str = r#"
printf %s "$LONGSHORE_CLAIM" > claim
"$PROGRAM" batches add "$(cat batch)" parts.ndjson
"#;

/// The same in a program that stays, which gets its claim with each job.
const SERVE: &str = r#"
import json, os, subprocess, sys
print(json.dumps({"longshore": {"ready": 1}}), flush=True)
for line in sys.stdin:
    order = json.loads(line)
    if "job" not in order: break
    assert "LONGSHORE_CLAIM" not in os.environ
    environment = os.environ | {"LONGSHORE_CLAIM": order["claim"]}
    command = [os.environ["PROGRAM"], "batches", "add", open("batch").read(), "parts.ndjson"]
    done = subprocess.run(command, env=environment, stdout=sys.stderr).returncode
    print(json.dumps({"longshore": {"job": order["job"]["id"], "done": done}}), flush=True)
"#;

const PARTS: &str = r#"{"ref": "p1", "job_type": "part"}
{"ref": "p2", "job_type": "part"}
{"job_type": "part", "after": ["p1", "p2"]}
"#;

/// Drains a closed batch whose only member is a job of this type, and returns its id.
fn drained(sandbox: &Sandbox, job_type: &str) -> String {
    for (name, text) in [("longshore.toml", CONFIG), ("split.sh", SPLIT), ("serve.py", SERVE), ("parts.ndjson", PARTS)]
    {
        sandbox.write(name, text);
    }
    sandbox.write("flow.ndjson", format!("{{\"batch\": {{\"name\": \"b\"}}}}\n{{\"job_type\": \"{job_type}\"}}\n"));
    let batch = sandbox.json(&["enqueue", "--batch", "flow.ndjson"])["batch_id"].to_string();
    sandbox.write("batch", &batch);
    let mut drain = sandbox.command(&["work", "--drain", "-q"]);
    let ran = Ran::of(drain.env("PROGRAM", env!("CARGO_BIN_EXE_longshore")).output().unwrap());
    assert_eq!(ran.exit, 0, "{ran:?}");
    batch
}

#[test]
fn a_command_adds_members_to_its_closed_batch_while_it_runs() {
    let sandbox = Sandbox::new();
    let batch = drained(&sandbox, "split");
    assert_eq!(sandbox.json(&["batches", "show", &batch])["status"], json!("completed"));
    for id in ["2", "3", "4"] {
        let part = sandbox.json(&["jobs", "show", id]);
        assert_eq!((&part["job_type"], &part["status"]), (&json!("part"), &json!("completed")), "{part:#}");
        assert_eq!(part["batch_id"].to_string(), batch);
    }

    // The claim of an attempt that has ended opens nothing any more.
    let claim = std::fs::read_to_string(sandbox.path("claim")).unwrap();
    let mut late = sandbox.command(&["batches", "add", &batch, "parts.ndjson"]);
    let ran = Ran::of(late.env("LONGSHORE_CLAIM", claim).output().unwrap());
    assert!(ran.exit != 0 && ran.stderr.contains("is closed"), "{ran:?}");
}

#[test]
fn a_program_that_stays_adds_members_with_the_claim_of_its_job() {
    let sandbox = Sandbox::new();
    let batch = drained(&sandbox, "serve_split");
    assert_eq!(sandbox.json(&["jobs", "show", "1"])["result"], json!(0));
    assert_eq!(sandbox.json(&["jobs", "show", "4"])["batch_id"].to_string(), batch);
    assert_eq!(sandbox.json(&["batches", "show", &batch])["status"], json!("completed"));
}
