//! What the machine can refuse: files, a full disk behind standard output, an interpreter. Each error names the thing
//! and says whether a job exists.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use rusqlite::Connection;
use rustix::process::{Pid, Resource, Rlimit, prlimit};
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
fn what_has_the_name_of_the_folder_of_workers_and_is_none_ends_a_worker() {
    let ways: [fn(&Path); 3] = [
        |path| fs::write(path, "x").unwrap(),
        |path| symlink("nowhere", path).unwrap(),
        |path| symlink(path.file_name().unwrap(), path).unwrap(),
    ];
    for make in ways {
        let sandbox = Sandbox::new();
        sandbox.write("longshore.toml", "[jobs.mail]\nrun = [\"true\"]\n");
        sandbox.json(&["enqueue", "mail"]);
        make(&sandbox.path("longshore.db-workers"));
        for arguments in [&["work", "--drain", "--json"][..], &["work", "--json"]] {
            let ran = sandbox.run(arguments);
            assert_eq!((ran.exit, ran.code().as_str()), (1, "not_a_folder"), "{ran:?}");
            let error = &ran.document()["error"];
            let message = error["message"].as_str().unwrap();
            assert!(message.contains("longshore.db-workers is not a folder"), "{message}");
            assert!(error["hint"].as_str().unwrap().contains("move it away"), "{error}");
        }
    }
}

/// The program with a limit on the size of the files that it writes, in blocks of 512 bytes.
fn with_file_size(sandbox: &Sandbox, blocks: u32, arguments: &[&str]) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", &format!("ulimit -S -f {blocks}; exec \"$0\" \"$@\""), env!("CARGO_BIN_EXE_longshore")]);
    command.args(arguments).current_dir(sandbox.path("")).env_clear().env("PATH", std::env::var_os("PATH").unwrap());
    command
}

/// A limit on the size of files, and the length of a payload that does not fit under it.
const FILE_BLOCKS: u32 = 2000;
const LARGE: usize = 1_040_000;

#[test]
fn an_enqueue_that_meets_the_limit_on_file_sizes_says_so_and_makes_no_job() {
    let sandbox = Sandbox::new();
    sandbox.json(&["enqueue", "mail"]);
    sandbox.write("large.json", format!("\"{}\"", "x".repeat(LARGE)));
    let ran = with_file_size(&sandbox, FILE_BLOCKS, &["enqueue", "mail", "@large.json", "--json"]).output().unwrap();
    let stderr = String::from_utf8_lossy(&ran.stderr);
    assert_eq!(ran.status.code(), Some(1), "{:?}: {stderr}", ran.status);
    let document: Value = serde_json::from_slice(&ran.stdout).unwrap();
    let error = &document["error"];
    assert_eq!(error["code"], "file_too_large", "{error}");
    assert!(error["message"].as_str().unwrap().contains("RLIMIT_FSIZE"), "{error}");
    assert!(error["hint"].as_str().unwrap().contains("changed nothing"), "{error}");
    assert_eq!(sandbox.json(&["jobs", "list"])["jobs"].as_array().unwrap().len(), 1);
}

/// A worker that ends with the test.
struct Started(Child);

impl Drop for Started {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_worker_that_meets_the_limit_on_file_sizes_waits_and_no_job_is_charged() {
    let sandbox = Sandbox::new();
    let script = "while [ ! -e go ]; do sleep 0.05; done";
    sandbox.write("longshore.toml", format!("[jobs.mail]\nrun = [\"sh\", \"-c\", '{script}']\n"));
    sandbox.write("large.json", format!("\"{}\"", "x".repeat(LARGE)));
    sandbox.json(&["enqueue", "mail"]);
    let log = File::create(sandbox.path("worker.log")).unwrap();
    let mut command = with_file_size(&sandbox, FILE_BLOCKS, &["work"]);
    let worker = Started(command.stdout(Stdio::null()).stderr(log).spawn().unwrap());
    let status = || sandbox.json(&["jobs", "show", "1"])["status"].clone();
    sandbox.until(|| status() == "running");

    // A reader keeps the log from being written from its start again.
    let reader = Connection::open(sandbox.path("longshore.db")).unwrap();
    reader.execute_batch("BEGIN; SELECT count(*) FROM job_queue").unwrap();
    for _ in 0..2 {
        sandbox.json(&["enqueue", "large", "@large.json"]);
    }
    sandbox.write("go", "");
    let log = || fs::read_to_string(sandbox.path("worker.log")).unwrap();
    sandbox.until(|| log().contains("RLIMIT_FSIZE"));

    prlimit(Some(Pid::from_child(&worker.0)), Resource::Fsize, Rlimit { current: None, maximum: None }).unwrap();
    reader.execute_batch("COMMIT").unwrap();
    sandbox.until(|| status() == "completed");
    let crashes: i64 =
        reader.query_row("SELECT crash_count FROM job_queue WHERE id = 1", [], |row| row.get(0)).unwrap();
    assert_eq!(crashes, 0);
}

#[test]
fn a_program_of_a_job_is_ended_by_the_limit_on_file_sizes_as_it_would_be_elsewhere() {
    let sandbox = Sandbox::new();
    let script = "head -c 2000000 /dev/zero > large; kill -l $(($? - 128))";
    sandbox.write("longshore.toml", format!("[jobs.mail]\nrun = [\"sh\", \"-c\", '{script}']\n"));
    sandbox.json(&["enqueue", "mail"]);
    let ran = with_file_size(&sandbox, FILE_BLOCKS, &["work", "--drain", "-q"]).output().unwrap();
    assert_eq!(ran.status.code(), Some(0), "{}", String::from_utf8_lossy(&ran.stderr));
    let logs = sandbox.run(&["jobs", "logs", "1"]);
    assert!(logs.stdout.contains("XFSZ"), "{logs:?}");
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
