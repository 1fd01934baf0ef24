//! Log lines may be lost; jobs are never lost.

use std::fs::OpenOptions;
use std::io::{BufRead, BufReader, Write, pipe};
use std::process::{Child, Command, Stdio};

use serde_json::json;

use crate::sandbox::Sandbox;

const CONFIG: &str = r#"
[jobs.quick]
run = ["true"]
"#;

/// Starts a worker with this standard error, lets it run jobs, and stops it. Everything must work as usual.
fn works_with(stderr: impl FnOnce(Command) -> Child) {
    let sandbox = Sandbox::new();
    sandbox.write("longshore.toml", CONFIG);
    sandbox.json(&["enqueue", "quick"]);
    // With the most verbose log.
    let mut command = sandbox.command(&["work", "-vv", "--json", "--concurrency", "2"]);
    command.stdout(Stdio::piped());
    let mut worker = Killed(stderr(command));
    let jobs = 20;
    for _ in 1..jobs {
        sandbox.json(&["enqueue", "quick"]);
    }
    for id in 1..=jobs {
        let ran = sandbox.run(&["jobs", "wait", &id.to_string(), "--timeout", "50s"]);
        assert_eq!((ran.exit, ran.stdout.as_str()), (0, "completed\n"), "job {id}: {ran:?}");
    }

    let killed = Command::new("kill").args(["-s", "TERM", &worker.0.id().to_string()]).status().unwrap();
    assert!(killed.success());
    sandbox.until(|| worker.0.try_wait().unwrap().is_some());
    assert_eq!(worker.0.wait().unwrap().code(), Some(0));
    let ended = std::io::read_to_string(worker.0.stdout.take().unwrap()).unwrap();
    assert_eq!(ended, "{\"ended\":\"stopped\"}\n");
    assert_eq!(sandbox.json(&["workers"])["workers"], json!([]));
}

/// Killed when the test ends.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_reader_that_ends_after_two_lines_costs_no_job() {
    works_with(|mut command| {
        let mut worker = command.stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(worker.stderr.take().unwrap()).lines();
        assert!(lines.next().unwrap().is_ok() && lines.next().unwrap().is_ok());
        worker
    });
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_under_the_log_costs_no_job() {
    works_with(|mut command| {
        let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
        command.stderr(full).spawn().unwrap()
    });
}

#[test]
fn a_closed_standard_error_costs_no_job() {
    works_with(|command| {
        let mut closing = Command::new("sh");
        closing.args(["-c", "exec \"$@\" 2>&-", "sh"]).arg(command.get_program()).args(command.get_args());
        closing.current_dir(command.get_current_dir().unwrap()).env_clear();
        closing.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
        closing.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap()
    });
}

#[test]
fn a_reader_that_does_not_read_costs_no_job() {
    let (reader, writer) = pipe().unwrap();
    let mut filler = writer.try_clone().unwrap();
    // Fills the pipe and then blocks until the reader is dropped.
    let filling = std::thread::spawn(move || while filler.write_all(&[b'x'; 4096]).is_ok() {});
    works_with(|mut command| {
        let worker = command.stderr(writer).spawn().unwrap();
        drop(command);
        worker
    });
    drop(reader);
    filling.join().unwrap();
}

#[test]
fn a_line_of_an_attempt_names_the_job_and_nothing_that_only_a_tracing_system_reads() {
    let sandbox = Sandbox::new();
    sandbox.write("longshore.toml", "[jobs.quick]\nrun = [\"false\"]\nmax_retries = 0\n");
    let traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    sandbox.write("jobs", format!(r#"{{"job_type":"quick","metadata":{{"traceparent":"{traceparent}"}}}}"#));
    sandbox.json(&["enqueue", "--batch", "jobs"]);

    let ran = sandbox.run(&["work", "--drain", "-v"]);

    let line = ran.stderr.lines().find(|line| line.contains("gave up quick #1")).unwrap_or_else(|| panic!("{ran:?}"));
    let span = r#"attempt{job_id=1 queue="default" job_type="quick" attempt=1}: "#;
    assert!(line.contains(span), "{line}");
    for word in ["otel", "messaging", "traceparent", traceparent] {
        assert!(!ran.stderr.contains(word), "{word}: {}", ran.stderr);
    }
}
