use std::path::Path;
use std::process::Stdio;

use serde_json::json;

use crate::sandbox::{Ran, Sandbox};

/// A program for each job, and one that stays: both use what came before.
const CONFIG: &str = r#"
[jobs.measure]
run = ["sh", "-c", '''echo '{"longshore": {"result": {"width": 21}}}' ''']

[jobs.double]
run = ["python3", "double.py"]

[jobs.report]
serve = ["python3", "report.py"]
"#;

const DOUBLE: &str = r#"
import json, os
before = json.loads(os.environ["LONGSHORE_DEPENDENCIES"])
assert before["measured"] == before["1"], before
print(json.dumps({"longshore": {"result": 2 * before["measured"]["result"]["width"]}}))
"#;

const REPORT: &str = r#"
import json, sys
print(json.dumps({"longshore": {"ready": 1}}), flush=True)
for line in sys.stdin:
    message = json.loads(line)
    if "job" in message:
        job = message["job"]
        before = job["dependencies"]
        done = [before["doubled"]["result"], before["approved"]["result"]["by"]]
        print(json.dumps({"longshore": {"job": job["id"], "done": done}}), flush=True)
    if "quit" in message:
        break
"#;

const FLOW: &str = r#"{"batch": {"name": "import"}}
{"ref": "measured", "job_type": "measure"}
{"ref": "doubled", "job_type": "double", "after": ["measured"]}
{"ref": "told", "job_type": "report", "after": ["doubled", {"signal": "approved"}]}
"#;

#[test]
fn programs_use_the_results_of_earlier_steps_and_the_data_of_a_signal() {
    let sandbox = Sandbox::new();
    for (name, text) in
        [("longshore.toml", CONFIG), ("double.py", DOUBLE), ("report.py", REPORT), ("import.ndjson", FLOW)]
    {
        sandbox.write(name, text);
    }
    let made = sandbox.json(&["enqueue", "--batch", "import.ndjson"]);
    let batch = made["batch_id"].to_string();
    sandbox.run(&["signal", "approved", "--batch", &batch, r#"{"by": "ada"}"#]);
    sandbox.json(&["work", "--drain", "-q"]);
    let result = |reference: &str| {
        let id = made["ids"][reference].to_string();
        let job = sandbox.json(&["jobs", "show", &id]);
        assert_eq!(job["status"], json!("completed"), "{job:#}");
        job["result"].clone()
    };
    assert_eq!(result("doubled"), json!(42));
    assert_eq!(result("told"), json!([42, "ada"]));
    assert_eq!(sandbox.json(&["batches", "show", &batch])["status"], json!("completed"));
}

const LONG_CONFIG: &str = r#"
[jobs.write]
run = ["python3", "write.py"]

[jobs.read]
run = ["python3", "read.py"]
max_retries = 0

[jobs.hold]
run = ["python3", "hold.py"]

[jobs.part]
run = ["true"]
"#;

const WRITE: &str = r#"
import json, sys
print(json.dumps({"longshore": {"result": "x" * json.load(sys.stdin)}}))
"#;

const READ: &str = r#"
import json, os, stat
assert "LONGSHORE_DEPENDENCIES" not in os.environ
path = os.environ["LONGSHORE_DEPENDENCIES_FILE"]
before = json.load(open(path))
assert before["part-0"] == before["2"] and before["part-499"]["status"] == "cancelled", before["part-499"]
assert before["long"]["is_result_left_out"] is True and "result" not in before["long"], before["long"].keys()
print(json.dumps({"longshore": {"result": [path, stat.S_IMODE(os.stat(path).st_mode)]}}))
"#;

const HOLD: &str = r#"
import os, time
open("held.new", "w").write(os.environ["LONGSHORE_DEPENDENCIES_FILE"])
os.rename("held.new", "held")
time.sleep(120)
"#;

/// A job that waited for so many others that a list of them is too long for a variable, and for one whose result is too
/// long for the list.
fn with_long_list(waiting: &str) -> Sandbox {
    let sandbox = Sandbox::new();
    for (name, text) in [("longshore.toml", LONG_CONFIG), ("write.py", WRITE), ("read.py", READ), ("hold.py", HOLD)] {
        sandbox.write(name, text);
    }
    let mut lines = vec![json!({"ref": "long", "job_type": "write", "job_data": 40_000})];
    let mut after = vec![json!("long")];
    for number in 0..500 {
        let name = format!("part-{number}");
        lines.push(json!({"ref": name, "job_type": "part"}));
        after.push(json!({"ref": name, "needs": "ended"}));
    }
    lines.push(json!({"job_type": waiting, "after": after}));
    let lines: Vec<String> = lines.iter().map(ToString::to_string).collect();
    sandbox.write("long.ndjson", lines.join("\n"));
    sandbox.json(&["enqueue", "--batch", "long.ndjson"]);
    sandbox.json(&["jobs", "cancel", "--all", "--type", "part", "--yes"]);
    sandbox
}

#[test]
fn what_is_too_long_for_a_variable_is_a_file_that_goes_with_the_attempt() {
    let sandbox = with_long_list("read");
    let mut drain = sandbox.command(&["work", "--drain", "-q"]);
    let ran = Ran::of(drain.env("TMPDIR", sandbox.path("")).output().unwrap());
    assert_eq!(ran.exit, 0, "{ran:?}");
    let job = sandbox.json(&["jobs", "show", "502"]);
    assert_eq!((&job["status"], &job["result"][1]), (&json!("completed"), &json!(0o600)), "{job:#}");
    let path = job["result"][0].as_str().unwrap();
    assert!(Path::new(path).starts_with(sandbox.path("")) && !Path::new(path).exists(), "{path}");
}

#[test]
fn a_folder_for_temporary_files_that_is_missing_is_named_by_the_error() {
    let sandbox = with_long_list("read");
    let folder = sandbox.path("missing");
    let mut drain = sandbox.command(&["work", "--drain", "-q"]);
    Ran::of(drain.env("TMPDIR", &folder).output().unwrap());
    let job = sandbox.json(&["jobs", "show", "502"]);
    assert_eq!((&job["status"], &job["failure_type"]), (&json!("dead_letter"), &json!("system_error")), "{job:#}");
    let error = job["error_message"].as_str().unwrap();
    assert!(error.contains(&format!("no file can be written in {} (No such file", folder.display())), "{error}");
}

#[test]
fn the_file_of_a_worker_that_was_killed_is_removed() {
    let sandbox = with_long_list("hold");
    let mut command = sandbox.command(&["work", "-q"]);
    let mut worker = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    sandbox.until(|| sandbox.path("held").exists());
    let path = std::fs::read_to_string(sandbox.path("held")).unwrap();
    assert!(Path::new(&path).exists(), "{path}");

    worker.kill().unwrap();
    worker.wait().unwrap();

    sandbox.until(|| !Path::new(&path).exists());
}
