//! Job types whose program stays.

use std::process::Stdio;

use serde_json::json;

use crate::sandbox::Sandbox;

/// Runs every job in one process, whose id is the result.
pub(crate) const PROGRAM: &str = r#"
import json, os, sys
def say(**words): print(json.dumps({"longshore": words}), flush=True)
say(ready=1)
for line in sys.stdin:
    order = json.loads(line)
    if "job" not in order: break
    print("log of", order["job"]["id"], os.environ["LONGSHORE_DATABASE"])
    say(job=order["job"]["id"], done=os.getpid())
"#;

pub(crate) const DECLARED: &str = "[jobs.resize]\nserve = [\"python3\", \"worker.py\"]\nmax_jobs = 100\n";

#[test]
fn one_program_runs_all_jobs_of_a_drain() {
    let sandbox = Sandbox::new();
    sandbox.write("longshore.toml", DECLARED);
    sandbox.write("worker.py", PROGRAM);
    for _ in 0..5 {
        sandbox.json(&["enqueue", "resize", "{}"]);
    }
    assert_eq!(sandbox.json(&["work", "--drain", "-q", "--concurrency", "1"]), json!({"ended": "drained"}));
    let first = sandbox.json(&["jobs", "show", "1"]);
    assert!(first["result"].is_number(), "{first}");
    for id in ["2", "3", "4", "5"] {
        let job = sandbox.json(&["jobs", "show", id]);
        assert_eq!((&job["status"], &job["result"]), (&json!("completed"), &first["result"]));
        assert!(sandbox.run(&["jobs", "logs", id]).stdout.starts_with(&format!("log of {id} sqlite:")));
    }
}

#[test]
fn doctor_says_why_a_program_does_not_become_ready() {
    let sandbox = Sandbox::new();
    sandbox.write("longshore.toml", DECLARED);
    sandbox.write("worker.py", "import sys\nsys.exit('no module named resize')\n");
    sandbox.json(&["enqueue", "resize", "{}"]);
    let mut command = sandbox.command(&["work", "--json"]);
    let mut worker = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let finding = || {
        let found = sandbox.run(&["doctor", "--json"]).document();
        let findings = found["findings"].as_array().unwrap().clone();
        findings.into_iter().find(|finding| finding["code"] == "program_not_ready")
    };
    sandbox.until(|| finding().is_some());
    let message = finding().unwrap()["message"].as_str().unwrap().to_owned();
    let expected = "jobs of type \"resize\" wait, because the program python3 exited with status 1 before it was \
                    ready: no module named resize";
    assert_eq!(message, expected);
    let job = sandbox.json(&["jobs", "show", "1"]);
    assert_eq!((&job["retry_count"], &job["crash_count"]), (&json!(0), &json!(0)));
    worker.kill().unwrap();
    worker.wait().unwrap();

    // Once the program is corrected, the job runs and the finding is gone.
    sandbox.write("worker.py", PROGRAM);
    sandbox.json(&["work", "--drain", "-q"]);
    assert_eq!(sandbox.json(&["jobs", "show", "1"])["status"], "completed");
    assert!(finding().is_none());
}

#[test]
fn the_log_shows_the_type_and_the_last_lines_of_a_program_that_does_not_become_ready() {
    let sandbox = Sandbox::new();
    let declared =
        "[jobs.resize]\nserve = [\"python3\", \"worker.py\"]\n[jobs.crop]\nserve = [\"python3\", \"crop.py\"]\n";
    sandbox.write("longshore.toml", declared);
    sandbox.write("worker.py", "def begin(): raise OSError('no disk')\nbegin()\n");
    sandbox.write("crop.py", "print('no licence')\nraise SystemExit(3)\n");
    sandbox.json(&["enqueue", "resize", "{}"]);
    sandbox.json(&["enqueue", "crop", "{}"]);

    let drained = sandbox.run(&["work", "--drain"]);

    let log = &drained.stderr;
    let resize =
        "warning: the program of resize exited with status 1 before it was ready: OSError: no disk; its jobs wait";
    let lines = format!("{resize} program=python3 pause=1s\n  | Traceback (most recent call last):\n");
    assert!(log.contains(&lines), "{log}");
    let crop = "warning: the program of crop exited with status 3 before it was ready: no licence; its jobs wait";
    assert!(log.contains(crop), "{log}");
    assert_eq!((drained.exit, log.matches("are left, because").count()), (1, 1), "{log}");
}

#[test]
fn a_program_that_is_not_found_is_named_with_its_setting() {
    let sandbox = Sandbox::new();
    sandbox.write("longshore.toml", "[jobs.resize]\nserve = [\"./worker\"]\n");
    sandbox.json(&["enqueue", "resize", "{}"]);
    sandbox.json(&["work", "--drain", "-q"]);
    let job = sandbox.json(&["jobs", "show", "1"]);
    assert_eq!((&job["status"], &job["failure_type"]), (&json!("dead_letter"), &json!("config_error")));
    assert_eq!(job["error_message"], "./worker was not found: check `serve` of the job type");
}
