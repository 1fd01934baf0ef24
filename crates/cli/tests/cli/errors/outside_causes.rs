//! What the machine can refuse: files, a full disk behind standard output, an interpreter. Each error names the thing
//! and says whether a job exists.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};

use crate::sandbox::Sandbox;

/// Runs the program with its standard output on a full disk.
fn run_on_full_disk(sandbox: &Sandbox, arguments: &[&str]) -> Output {
    let full = File::options().write(true).open("/dev/full").unwrap();
    sandbox.command(arguments).stdout(full).stderr(Stdio::piped()).output().unwrap()
}

fn assert_untold(sandbox: &Sandbox, arguments: &[&str], done: &str) {
    let ran = run_on_full_disk(sandbox, arguments);
    let stderr = String::from_utf8(ran.stderr).unwrap();
    assert_eq!(ran.status.code(), Some(1), "{arguments:?}: {stderr}");
    assert!(stderr.contains(done), "{arguments:?}: {stderr}");
    assert!(stderr.contains("standard output cannot be written: No space left on device"), "{stderr}");
    assert!(stderr.contains("hint: do not run the command again"), "{stderr}");
}

#[test]
fn what_was_done_is_said_when_its_result_cannot_be_printed() {
    let sandbox = Sandbox::new();
    sandbox.write("jobs.ndjson", "{\"job_type\": \"mail\"}\n{\"job_type\": \"mail\"}\n");
    sandbox.write("longshore.toml", "[jobs.none]\nrun = [\"true\"]\n");
    for (arguments, done) in [
        (&["migrate", "up", "--to", "longshore:1"][..], "applied longshore:1, but"),
        (&["migrate", "up"], "applied longshore:2, "),
        (&["enqueue", "mail"], "job 1 was enqueued, but"),
        (&["enqueue", "mail", "--json"], "job 2 was enqueued, but"),
        (&["enqueue", "mail", "--unique-key", "k"], "job 3 was enqueued, but"),
        (&["enqueue", "mail", "--unique-key", "k"], "job 3 existed already, but"),
        (&["enqueue", "--batch", "jobs.ndjson"], "2 jobs enqueued, but"),
        (&["jobs", "cancel", "1"], "1 job cancelled"),
        (&["jobs", "retry", "1"], "1 job retried, but"),
        (&["jobs", "priority", "1", "7"], "1 job reprioritised, but"),
        (&["jobs", "delete", "1"], "1 job deleted, but"),
        (&["queues", "pause", "default"], "queue default is paused"),
        (&["queues", "resume", "default"], "queue default is resumed, but"),
        (&["work", "--drain", "--json"], "the worker has drained, but"),
        (&["migrate", "new", "songs"], "were written, but"),
    ] {
        assert_untold(&sandbox, arguments, done);
    }
    assert_eq!(sandbox.json(&["jobs", "list"])["jobs"].as_array().unwrap().len(), 4);
}

#[test]
fn a_result_that_only_looks_and_cannot_be_printed_names_standard_output() {
    let sandbox = Sandbox::new();
    sandbox.json(&["enqueue", "mail"]);
    for arguments in [&["jobs", "list"][..], &["jobs", "show", "1", "--json"], &["workers"], &["doctor"]] {
        let ran = run_on_full_disk(&sandbox, arguments);
        let stderr = String::from_utf8(ran.stderr).unwrap();
        assert_eq!(ran.status.code(), Some(1), "{arguments:?}: {stderr}");
        assert!(stderr.contains("standard output cannot be written"), "{arguments:?}: {stderr}");
    }
}

#[test]
fn a_reader_that_has_gone_is_no_failure_of_an_enqueue() {
    let sandbox = Sandbox::new();
    let mut enqueue = sandbox.command(&["enqueue", "mail"]).stdout(Stdio::piped()).spawn().unwrap();
    drop(enqueue.stdout.take());
    assert_eq!(enqueue.wait().unwrap().code(), Some(0));
    assert_eq!(sandbox.json(&["jobs", "show", "1"])["id"], 1);
}

/// The program with a limit on open files.
fn with_files(sandbox: &Sandbox, files: u32, arguments: &[&str]) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", &format!("ulimit -n {files}; exec \"$0\" \"$@\""), env!("CARGO_BIN_EXE_longshore")]);
    command.args(arguments).current_dir(sandbox.path("")).env_clear().env("PATH", std::env::var_os("PATH").unwrap());
    command
}

#[test]
fn a_process_without_a_file_to_spare_says_whether_it_enqueued() {
    let sandbox = Sandbox::new();
    sandbox.json(&["enqueue", "mail"]);
    let mut enqueued = 1;
    for files in 3..30 {
        let ran = with_files(&sandbox, files, &["enqueue", "mail", "--json"]).output().unwrap();
        if ran.status.success() {
            enqueued += 1;
            continue;
        }
        let stderr = String::from_utf8_lossy(&ran.stderr);
        assert!(!stderr.contains("panicked"), "{files}: {stderr}");
        // With very few files the system cannot even start the program. With a few more, our program reports the error.
        if let Ok(document) = serde_json::from_slice::<Value>(&ran.stdout) {
            let error = &document["error"];
            if error["code"] == "result_not_printed" {
                // There were enough files to enqueue it, but not to read it back.
                assert!(error["message"].as_str().unwrap().contains(" was enqueued, but"), "{files}: {error}");
                enqueued += 1;
                continue;
            }
            assert_eq!(error["code"], "too_many_open_files", "{files}: {error}");
            assert!(error["hint"].as_str().unwrap().contains("ulimit -n"), "{files}: {error}");
        }
    }
    assert!((2..26).contains(&enqueued), "some limits are too low and some are not: {enqueued}");
    assert_eq!(sandbox.json(&["jobs", "list"])["jobs"].as_array().unwrap().len(), enqueued);
}

#[test]
fn a_worker_that_could_not_even_begin_for_want_of_files_says_so() {
    let sandbox = Sandbox::new();
    sandbox.write("longshore.toml", "[jobs.mail]\nrun = [\"true\"]\n");
    sandbox.json(&["enqueue", "mail"]);
    for files in 6..24 {
        let ran = with_files(&sandbox, files, &["work", "--drain", "--json"]).output().unwrap();
        let stderr = String::from_utf8_lossy(&ran.stderr);
        assert!(!stderr.contains("panicked"), "{files}: {stderr}");
        assert_eq!(ran.status.code(), Some(1), "{files}: {stderr}");
        let document: Value = serde_json::from_slice(&ran.stdout).unwrap();
        assert_eq!(document["error"]["code"], "too_many_open_files", "{files}: {document}");
    }
}

#[test]
fn a_worker_that_runs_out_of_files_waits_and_spends_no_retry() {
    let sandbox = Sandbox::new();
    sandbox.write("longshore.toml", "[jobs.nap]\nrun = [\"sleep\", \"0.3\"]\nmax_retries = 0\n");
    let jobs = 30;
    sandbox.write("jobs.ndjson", "{\"job_type\": \"nap\"}\n".repeat(jobs));
    sandbox.json(&["enqueue", "--batch", "jobs.ndjson"]);

    let ran = with_files(&sandbox, 48, &["work", "--drain", "--concurrency", "30"]).output().unwrap();

    let stderr = String::from_utf8_lossy(&ran.stderr);
    assert_eq!(ran.status.code(), Some(0), "{stderr}");
    assert!(stderr.contains("Too many open files"), "the limit was met: {stderr}");
    let listed = sandbox.json(&["jobs", "list", "--limit", "100"]);
    let listed = listed["jobs"].as_array().unwrap();
    assert_eq!(listed.len(), jobs);
    for job in listed {
        assert_eq!((&job["status"], &job["retry_count"]), (&json!("completed"), &json!(0)), "{job}");
    }
}

#[test]
fn a_script_without_its_interpreter_is_a_config_error_that_names_both() {
    let sandbox = Sandbox::new();
    sandbox.write("render.py", "#!/opt/no-such/python3\nprint(1)\n");
    fs::set_permissions(sandbox.path("render.py"), Permissions::from_mode(0o755)).unwrap();
    sandbox.write("longshore.toml", "[jobs.render]\nrun = [\"./render.py\"]\n");
    sandbox.json(&["enqueue", "render"]);
    sandbox.json(&["work", "--drain", "-q"]);
    let job = sandbox.json(&["jobs", "show", "1"]);
    assert_eq!((&job["status"], &job["failure_type"]), (&json!("dead_letter"), &json!("config_error")));
    let message = job["error_message"].as_str().unwrap();
    assert!(message.contains("render.py") && message.contains("/opt/no-such/python3"), "{message}");
    assert!(!message.contains("check the program's path"), "{message}");
}
