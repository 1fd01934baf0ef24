//! Workers over HTTP: the block of the guide, and the Python worker on the jobs of the library scanner.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::sandbox::Sandbox;
use crate::serve::{Process, Served, body};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

fn example(name: &str) -> String {
    root().join("examples/python-worker").join(name).display().to_string()
}

/// A shell without anything but the path and these variables.
fn shell(sandbox: &Sandbox, arguments: &[&str], variables: &[(&str, &str)]) -> std::process::Output {
    let mut command = Command::new("sh");
    command.args(arguments).current_dir(sandbox.path("")).env_clear().stdin(Stdio::null());
    command.env("PATH", std::env::var_os("PATH").unwrap()).env("TMPDIR", sandbox.path(""));
    command.envs(variables.iter().copied()).output().unwrap()
}

fn answer(served: &Served, path: &str) -> Value {
    body(&served.ask(&format!("GET /api/v1/{path}")))
}

#[test]
fn the_shell_block_of_the_guide_is_a_worker() {
    let sandbox = Sandbox::new();
    let served = Served::start(&sandbox, &[]);
    let page = std::fs::read_to_string(root().join("docs/http-workers.md")).unwrap();
    let (_, block) = page.split_once("\n```sh\n").unwrap();
    let (block, _) = block.split_once("```").unwrap();
    assert!(block.contains("127.0.0.1:7070"), "{block}");
    let block = block.replace("127.0.0.1:7070", &served.address);

    let ran = shell(&sandbox, &["-euc", &block], &[]);

    assert!(ran.status.success(), "{ran:?}");
    let job = answer(&served, "jobs/1");
    assert_eq!(
        (&job["status"], &job["result"], &job["progress"]),
        (&json!("completed"), &json!({ "width": 80 }), &json!(0.5))
    );
    assert_eq!(answer(&served, "jobs/1/logs")["entries"][0]["text"], "half\n");
    assert_eq!(answer(&served, "workers")["workers"], json!([]));
}

#[test]
fn the_python_worker_retires_over_a_second_connection_if_the_first_is_closed() {
    let sandbox = Sandbox::new();
    let script = "
import sys
sys.dont_write_bytecode = True
sys.path.insert(0, sys.argv[1])
from longshore_http import Refused, Worker
for second in (None, Refused(410, {'message': 'gone', 'code': 'worker_gone'})):
    worker, asked = Worker('http://127.0.0.1:1'), []
    def ask(method, path):
        asked.append(method)
        if len(asked) == 1:
            raise ConnectionResetError('reset by peer')
        if second:
            raise second
    worker.server.ask = ask
    worker.retire()
    assert asked == ['DELETE', 'DELETE'], asked
";

    let ran = shell(&sandbox, &["-euc", "exec python3 -c \"$0\" \"$1\"", script, &example("")], &[]);

    assert!(ran.status.success(), "{ran:?}");
    assert!(!String::from_utf8_lossy(&ran.stderr).contains("could not retire"), "{ran:?}");
}

#[test]
fn the_python_example_scans_a_directory() {
    let sandbox = Sandbox::new();
    for name in ["music/a", "music/b c/d", "music/ü"] {
        sandbox.write(name, name);
    }
    let music = sandbox.path("music").display().to_string();
    let program = env!("CARGO_BIN_EXE_longshore");
    let ran = shell(&sandbox, &[&example("run.sh"), &music], &[("LONGSHORE", program)]);
    assert!(ran.status.success(), "{ran:?}");
    let said = String::from_utf8(ran.stdout).unwrap();
    assert!(said.contains("3 files agree with"), "{said}");
}

/// The example's worker in a process of its own. `pause` is how long a checksum waits after each megabyte.
fn python_worker(sandbox: &Sandbox, served: &Served, pause: &str) -> Process {
    let mut command = Command::new("python3");
    command.arg(example("scanner.py")).arg(format!("http://{}", served.address)).current_dir(sandbox.path(""));
    command.env("LONGSHORE_LEASE", "2s").env("SCANNER_PAUSE", pause).stdin(Stdio::null());
    Process(command.spawn().unwrap())
}

fn scan(sandbox: &Sandbox, served: &Served, manifest: &str) {
    let (directory, manifest) = (sandbox.path("music"), sandbox.path(manifest));
    let job = json!({ "job_type": "scan", "job_data": { "directory": directory, "manifest": manifest } });
    let created = body(&served.ask(&format!("POST /api/v1/jobs\n{job}")));
    assert!(created["id"].is_i64(), "{created}");
}

/// Waits until a checksum runs, and answers its id.
fn running(sandbox: &Sandbox, served: &Served) -> Value {
    let mut found = Value::Null;
    sandbox.until(|| {
        found = answer(served, "jobs?status=running&type=checksum")["jobs"][0]["id"].clone();
        found.is_i64()
    });
    found
}

fn status(served: &Served, id: &Value) -> Value {
    answer(served, &format!("jobs/{id}"))["status"].clone()
}

#[test]
fn a_python_worker_survives_what_happens_to_it_and_to_its_server() {
    let sandbox = Sandbox::new();
    sandbox.write("music/large", vec![0; 8 << 20]);
    sandbox.write("music/small", "small");
    let config = example("longshore.toml");
    let served = Served::start(&sandbox, &["--config", &config]);

    // Killed while a job runs: another worker runs it after the lease.
    let mut killed = python_worker(&sandbox, &served, "30");
    scan(&sandbox, &served, "first");
    let taken_over = running(&sandbox, &served);
    killed.0.kill().unwrap();
    killed.0.wait().unwrap();
    let worker = python_worker(&sandbox, &served, "0");
    sandbox.until(|| sandbox.path("first").exists());
    let job = answer(&served, &format!("jobs/{taken_over}"));
    assert_eq!((&job["status"], &job["crash_count"], &job["retry_count"]), (&json!("completed"), &json!(1), &json!(0)));

    // The server restarts, and the worker waits for it.
    let address = served.address.clone();
    assert_eq!(served.stop(), Some(0));
    let served = Served::start_at(&sandbox, &address, &["--config", &config]);
    scan(&sandbox, &served, "second");
    sandbox.until(|| sandbox.path("second").exists());
    let lines = std::fs::read_to_string(sandbox.path("second")).unwrap();
    assert_eq!(lines.lines().count(), 2, "{lines}");
    assert_eq!(worker.stop(), Some(0), "an idle worker ends at once");

    // SIGTERM while a job runs: it completes, and the worker retires.
    let worker = python_worker(&sandbox, &served, "0.2");
    scan(&sandbox, &served, "third");
    let finished = running(&sandbox, &served);
    assert_eq!(worker.stop(), Some(0));
    assert_eq!(status(&served, &finished), "completed");
    assert_eq!(answer(&served, "workers")["workers"], json!([]));
}
