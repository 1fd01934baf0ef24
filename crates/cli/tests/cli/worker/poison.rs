//! A program that kills its worker, beside programs that do not: real processes and real kills.

use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::sandbox::Sandbox;

/// The time limit of a test.
const PATIENCE: Duration = Duration::from_secs(120);

/// The parent of a program is its supervisor, whose parent is the worker. The harmless programs run long enough to be
/// running when the worker dies.
fn workshop(max_crashes: u32) -> Sandbox {
    let sandbox = Sandbox::new();
    let kill = "sleep 0.1; read -r pid name state worker rest < /proc/$PPID/stat; kill -9 $worker; sleep 60";
    let jobs = format!(
        "[jobs.harmless]\nrun = [\"sleep\", \"0.4\"]\nmax_crashes = {max_crashes}\n
[jobs.poison]\nrun = [\"sh\", \"-c\", \"{kill}\"]\nmax_crashes = {max_crashes}\n"
    );
    sandbox.write("longshore.toml", jobs);
    sandbox
}

fn worker(sandbox: &Sandbox, concurrency: u32) -> Child {
    let mut command = sandbox.command(&["work", "--drain", "-q", "--concurrency", &concurrency.to_string()]);
    command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

/// Keeps this many workers alive until each has ended by itself. Returns how many were killed.
fn work_off(sandbox: &Sandbox, workers: usize, concurrency: u32) -> u64 {
    let mut running: Vec<Child> = (0..workers).map(|_| worker(sandbox, concurrency)).collect();
    let (mut deaths, began) = (0, Instant::now());
    while !running.is_empty() {
        assert!(began.elapsed() < PATIENCE, "{deaths} workers were killed: {}", sandbox.json(&["jobs", "list"]));
        std::thread::sleep(Duration::from_millis(20));
        let mut left = Vec::new();
        for mut child in running {
            match child.try_wait().unwrap() {
                None => left.push(child),
                Some(status) if status.success() => {}
                Some(_) => {
                    deaths += 1;
                    left.push(worker(sandbox, concurrency));
                }
            }
        }
        running = left;
    }
    deaths
}

fn show(sandbox: &Sandbox, id: &Value) -> Value {
    sandbox.json(&["jobs", "show", &id.to_string()])
}

/// Enqueues jobs of these types, runs all of them, and checks how each ended.
fn assert_only_the_poisons_are_given_up(types: &[&str], workers: usize, max_crashes: u32) {
    let sandbox = workshop(max_crashes);
    let ids: Vec<Value> = types.iter().map(|job_type| sandbox.json(&["enqueue", job_type])["id"].clone()).collect();
    let poisons = types.iter().filter(|job_type| **job_type == "poison").count() as u64;

    let deaths = work_off(&sandbox, workers, 4);

    let mut charged = 0;
    for (job_type, id) in types.iter().zip(&ids) {
        let job = show(&sandbox, id);
        if *job_type == "harmless" {
            assert_eq!((&job["status"], &job["retry_count"]), (&json!("completed"), &json!(0)), "{job}");
            continue;
        }
        assert_eq!(job["status"], "dead_letter", "{job}");
        let crashes = job["crash_count"].as_u64().unwrap();
        assert_eq!(job["dead_letter_reason"], format!("crashes_spent: its worker died {crashes} times while it ran"));
        assert!(crashes >= u64::from(max_crashes), "{job}");
        charged += crashes;
    }
    // Each death is charged to a poison job. After the first one the cause may be unknown, so one more may follow.
    let bound = poisons * u64::from(max_crashes.max(2));
    assert!(deaths <= bound, "{deaths} deaths are more than {bound}");
    assert!(deaths <= charged, "{deaths} deaths, of which {charged} were charged");
}

#[test]
fn a_program_that_kills_its_worker_is_given_up_and_its_neighbours_complete() {
    let sandbox = workshop(3);
    for job_type in ["harmless", "harmless", "poison", "harmless"] {
        sandbox.json(&["enqueue", job_type]);
    }

    assert_eq!(work_off(&sandbox, 1, 4), 3);

    let poison = sandbox.json(&["jobs", "show", "3"]);
    assert_eq!(poison["status"], "dead_letter");
    assert_eq!(poison["dead_letter_reason"], "crashes_spent: its worker died 3 times while it ran");
    for id in ["1", "2", "4"] {
        let job = sandbox.json(&["jobs", "show", id]);
        assert_eq!((&job["status"], &job["retry_count"]), (&json!("completed"), &json!(0)), "{job}");
    }
}

#[test]
fn of_several_programs_only_the_two_that_kill_their_worker_are_given_up() {
    assert_only_the_poisons_are_given_up(&["harmless", "poison", "harmless", "poison", "harmless"], 1, 3);
}

#[test]
fn a_neighbour_that_may_crash_once_is_not_given_up_for_the_crash_of_another() {
    assert_only_the_poisons_are_given_up(&["harmless", "harmless", "poison", "harmless"], 1, 1);
    assert_only_the_poisons_are_given_up(&["harmless", "harmless", "poison", "harmless"], 1, 0);
}

#[test]
fn two_processes_give_up_only_the_program_that_kills_them() {
    let types = ["harmless", "harmless", "poison", "harmless", "harmless", "harmless", "poison", "harmless"];
    assert_only_the_poisons_are_given_up(&types, 2, 2);
}
