//! How a worker and its programs end after a signal.

use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::json;

use crate::sandbox::Sandbox;

/// A worker in its own process group, as a shell starts it.
struct Worker(Child);

impl Worker {
    fn start(sandbox: &Sandbox) -> Self {
        let mut command = sandbox.command(&["work", "--concurrency", "1", "--json"]);
        Self(command.process_group(0).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap())
    }

    /// Signals the whole group, as a terminal does.
    fn signal(&self, name: &str) {
        let group = format!("-{}", self.0.id());
        assert!(Command::new("kill").args(["-s", name, "--", &group]).status().unwrap().success());
    }

    fn assert_ends(mut self, sandbox: &Sandbox) {
        sandbox.until(|| self.0.try_wait().unwrap().is_some());
        assert_eq!(self.0.wait().unwrap().code(), Some(0));
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_terminal_that_is_closed_again_and_again_gives_its_jobs_back_unspent() {
    let sandbox = Sandbox::new();
    let run = r#"run = ["sh", "-c", "trap '' TERM HUP; touch began; while :; do sleep 0.02; done"]"#;
    sandbox.write("longshore.toml", format!("[worker]\ngrace = \"100ms\"\n\n[jobs.endless]\n{run}\n"));
    sandbox.json(&["enqueue", "endless"]);
    for times in 1..=4 {
        let worker = Worker::start(&sandbox);
        sandbox.until(|| sandbox.path("began").exists());
        worker.signal("HUP");
        worker.assert_ends(&sandbox);
        std::fs::remove_file(sandbox.path("began")).unwrap();

        let job = sandbox.json(&["jobs", "show", "1"]);
        assert_eq!((&job["status"], &job["retry_count"]), (&json!("pending"), &json!(0)), "{times}");
        assert_eq!(job["crash_count"], 0, "{times}");
        assert_eq!(job["attempts"][0]["outcome"], "returned");
    }
}

#[test]
fn a_program_that_needs_a_little_longer_completes_its_job_during_the_shutdown() {
    for signal in ["TERM", "INT", "HUP"] {
        let sandbox = Sandbox::new();
        // An ordinary program, which SIGTERM would end.
        let run = r#"run = ["sh", "-c", "touch began; while [ ! -e go ]; do sleep 0.02; done; echo done"]"#;
        sandbox.write("longshore.toml", format!("[worker]\ngrace = \"10m\"\n\n[jobs.slow]\n{run}\n"));
        sandbox.json(&["enqueue", "slow"]);
        let worker = Worker::start(&sandbox);
        sandbox.until(|| sandbox.path("began").exists());
        worker.signal(signal);
        std::thread::sleep(Duration::from_millis(300));
        sandbox.write("go", "");
        worker.assert_ends(&sandbox);

        let job = sandbox.json(&["jobs", "show", "1"]);
        assert_eq!(job["status"], "completed", "{signal}");
        assert_eq!(sandbox.run(&["jobs", "logs", "1"]).stdout, "done\n");
    }
}

#[test]
fn a_type_may_ask_to_be_told_of_a_shutdown_at_once() {
    let sandbox = Sandbox::new();
    let run = r#"run = ["sh", "-c", "trap 'echo told; exit 0' TERM; touch began; while :; do sleep 0.02; done"]"#;
    let config = format!("[worker]\ngrace = \"10m\"\n\n[jobs.polite]\non_shutdown = \"terminate\"\n{run}\n");
    sandbox.write("longshore.toml", config);
    sandbox.json(&["enqueue", "polite"]);
    let worker = Worker::start(&sandbox);
    sandbox.until(|| sandbox.path("began").exists());
    let asked_at = Instant::now();
    worker.signal("TERM");
    worker.assert_ends(&sandbox);
    assert!(asked_at.elapsed() < Duration::from_secs(300));
    assert_eq!(sandbox.json(&["jobs", "show", "1"])["status"], "completed");
    let log = sandbox.run(&["jobs", "logs", "1"]).stdout;
    // The shell may report its `sleep` too.
    assert!(log.lines().any(|line| line == "told"), "{log}");
}

#[test]
fn an_unknown_word_for_the_shutdown_is_refused_with_its_line() {
    let sandbox = Sandbox::new();
    sandbox.write("longshore.toml", "[jobs.a]\nrun = [\"true\"]\non_shutdown = \"kill\"\n");
    let ran = sandbox.run(&["work"]);
    assert_eq!(ran.exit, 2);
    let expected = "longshore.toml, line 3: unknown word \"kill\", expected \"wait\" or \"terminate\"";
    assert!(ran.stderr.contains(expected), "{ran:?}");
}
