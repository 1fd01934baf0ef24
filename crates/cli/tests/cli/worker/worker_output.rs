//! What a worker, and whoever waits, says to a person.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use serde_json::json;

use crate::sandbox::Sandbox;

const CONFIG: &str = r#"
[jobs.good]
run = ["true"]

[jobs.flaky]
run = ["sh", "-c", "echo began >&2; test -e fixed || { echo cannot reach mx.example.org >&2; touch fixed; exit 69; }"]
retry = { first_delay = "1s", jitter = 0.0 }

[jobs.bad]
run = ["sh", "-c", "echo reading >&2; echo broken >&2; echo >&2; exit 65"]
"#;

fn workshop() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write("longshore.toml", CONFIG);
    sandbox
}

/// The text with every time that something took replaced.
fn without_times(text: &str) -> String {
    let lines = text.lines().map(|line| match line.split_once(" in ") {
        Some((before, _)) if line.starts_with("completed") => format!("{before} in TIME"),
        _ => line.to_owned(),
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn the_usual_log_is_one_line_for_each_attempt() {
    let sandbox = workshop();
    for job_type in ["good", "flaky", "bad"] {
        sandbox.json(&["enqueue", job_type, r#"{"secret": "payload"}"#]);
    }
    let ran = sandbox.run(&["work", "--drain", "--concurrency", "1"]);
    let told = without_times(&ran.stderr);
    let mut lines: Vec<&str> = told.lines().collect();
    assert_eq!(lines.remove(0), "running jobs of bad, flaky, good; stop with Ctrl-C or SIGTERM");
    assert!(lines.remove(0).starts_with("completed and cancelled jobs are removed after 7 days"), "{told}");
    lines.sort_unstable();
    let expected = [
        "completed flaky #2 in TIME",
        "completed good #1 in TIME",
        "failed flaky #2, will retry in 1 s: cannot reach mx.example.org",
        "gave up bad #3, a validation_error is not retried: broken",
    ];
    assert_eq!(lines, expected);
    assert!(!ran.stderr.contains("payload") && ran.stdout.is_empty(), "{ran:?}");
}

#[test]
fn a_quiet_log_has_only_what_needs_a_person() {
    let sandbox = workshop();
    for job_type in ["good", "flaky", "bad"] {
        sandbox.json(&["enqueue", job_type]);
    }
    let ran = sandbox.run(&["work", "--drain", "-q"]);
    assert_eq!(ran.stderr, "gave up bad #3, a validation_error is not retried: broken\n");
}

#[test]
fn the_last_line_of_standard_error_is_the_message_and_nothing_is_printed_twice() {
    let sandbox = workshop();
    sandbox.json(&["enqueue", "bad"]);
    let worker = sandbox.run(&["work", "--drain"]);
    assert_eq!(worker.stderr.matches("broken").count(), 1, "{worker:?}");
    let job = sandbox.json(&["jobs", "show", "1"]);
    assert_eq!((&job["error_message"], &job["last_error_traceback"]), (&json!("broken"), &json!("reading\nbroken")));
    for call in [["jobs", "show", "1"], ["dead", "show", "1"]] {
        let told = sandbox.run(&call).stdout;
        assert_eq!(told.matches("broken").count(), 1, "{told}");
        assert!(told.contains("error         broken\ntraceback     reading\n"), "{told}");
    }
    let listed = sandbox.run(&["dead"]).stdout;
    assert_eq!(listed.matches("broken").count(), 1, "{listed}");
}

#[test]
fn a_dead_letter_without_an_error_shows_its_reason_in_every_list() {
    let sandbox = workshop();
    sandbox.json(&["enqueue", "bad"]);
    sandbox.json(&["work", "--drain", "-q"]);
    sandbox.json(&["enqueue", "good", "--parent", "1"]);
    for call in [&["dead"][..], &["jobs", "list", "--status", "dead_letter"]] {
        let told = sandbox.run(call).stdout;
        assert!(
            told.lines().nth(1).unwrap().ends_with("\tparent_ended: its parent job 1 ended as dead_letter"),
            "{told}"
        );
    }
}

#[test]
fn a_drain_says_what_it_waits_for() {
    let sandbox = workshop();
    sandbox.json(&["enqueue", "good", "--delay", "6s"]);
    let ran = sandbox.run(&["work", "--drain"]);
    assert!(ran.stderr.contains("\nwaiting: 1 job is not due yet, the next one in "), "{ran:?}");
    assert_eq!(ran.stderr.matches("waiting:").count(), 1, "{ran:?}");
}

#[test]
fn jobs_wait_says_what_it_waits_for() {
    let sandbox = workshop();
    sandbox.json(&["enqueue", "good", "--delay", "1h"]);
    let ran = sandbox.run(&["jobs", "wait", "1", "--timeout", "100ms"]);
    assert_eq!((ran.exit, ran.stdout.as_str()), (3, "pending\n"));
    assert_eq!(ran.stderr, "waiting: job 1 is pending, due in 59m\njob 1 did not end in time\n");
    assert_eq!(sandbox.run(&["jobs", "wait", "1", "--timeout", "10ms", "-q"]).stderr, "");
}

#[test]
fn bench_says_each_step() {
    let sandbox = Sandbox::new();
    let mut bench = sandbox.command(&["bench", "--jobs", "10"]).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(bench.stderr.take().unwrap()).lines();
    let steps = [lines.next().unwrap().unwrap(), lines.next().unwrap().unwrap()];
    let _ = bench.kill();
    let _ = bench.wait();
    assert_eq!(steps, ["step 1 of 11: making large queues", "step 2 of 11: SQLite by hand, round 1 of 3"]);
}

#[test]
fn a_folder_that_bench_cannot_write_to_is_named_once() {
    let sandbox = Sandbox::new();
    let ran = sandbox.run(&["bench", "--jobs", "10", "--folder", "none"]);
    let message = "error: cannot write to none: entity not found; give another folder with --folder\n";
    assert!(ran.exit == 1 && ran.stderr.ends_with(message), "{ran:?}");
}

#[test]
fn on_a_terminal_counts_stand_below_the_lines_and_are_removed_at_the_end() {
    let sandbox = workshop();
    sandbox.json(&["enqueue", "good"]);
    sandbox.json(&["enqueue", "good", "--delay", "2s"]);
    let told = sandbox.run_on_terminal(80, "longshore work --drain");
    assert!(told.contains("running, 1 completed"), "{told:?}");
    let lines: Vec<&str> = told.lines().filter(|line| line.contains("completed good #")).collect();
    assert_eq!(lines.len(), 2, "{told:?}");
    let last = told.rsplit('\n').next().unwrap();
    assert!(last.ends_with("\x1b[2K") || last.is_empty(), "the line of counts is removed: {told:?}");
}

#[test]
fn on_a_terminal_waiting_is_shown_live() {
    let sandbox = workshop();
    sandbox.json(&["enqueue", "good", "--delay", "1h"]);
    let told = sandbox.run_on_terminal(80, "longshore jobs wait 1 --timeout 500ms; true");
    assert!(told.contains("job 1 is pending, due in 59m; waiting for 1s"), "{told:?}");
}
