use serde_json::json;

use crate::sandbox::Sandbox;

#[test]
fn a_queue_is_listed_with_its_depth_and_the_age_of_what_waits() {
    let sandbox = Sandbox::new();
    sandbox.json(&["enqueue", "a", "--queue", "mail"]);
    let queue = &sandbox.json(&["queues", "list"])["queues"][0];
    assert_eq!((&queue["queue"], &queue["depth"], &queue["running"]), (&json!("mail"), &json!(1), &json!(0)));
    assert!(queue["oldest_waiting_seconds"].is_number() && queue["paused_at"].is_null(), "{queue}");
}

#[test]
fn jobs_that_are_due_later_are_listed_apart() {
    let sandbox = Sandbox::new();
    sandbox.json(&["enqueue", "a"]);
    for _ in 0..2 {
        sandbox.json(&["enqueue", "a", "--delay", "1h"]);
    }
    for command in [&["queues", "list"][..], &["status"]] {
        let queue = &sandbox.json(command)["queues"][0];
        assert_eq!((&queue["depth"], &queue["scheduled"]), (&json!(3), &json!(2)), "{queue}");
        assert_eq!(queue["has_more_scheduled"], json!(false));
    }
    let told = sandbox.run(&["queues", "list"]).stdout;
    let cells: Vec<Vec<&str>> = told.lines().map(|line| line.split('\t').collect()).collect();
    assert_eq!((cells[0][6], cells[1][6]), ("SCHEDULED", "2"), "{told}");
}

#[test]
fn a_queue_is_paused_and_resumed() {
    let sandbox = Sandbox::new();
    sandbox.json(&["enqueue", "a"]);
    assert_eq!(sandbox.json(&["queues", "pause", "default"]), json!({"queue": "default", "is_paused": true}));
    assert!(sandbox.run(&["queues", "list"]).stdout.contains("paused"));
    assert_eq!(sandbox.json(&["queues", "resume", "default"]), json!({"queue": "default", "is_paused": false}));
    assert!(sandbox.json(&["queues", "list"])["queues"][0]["paused_at"].is_null());
}

#[test]
fn without_a_command_queues_and_dead_letters_are_listed() {
    let sandbox = Sandbox::new();
    sandbox.json(&["enqueue", "a"]);
    assert_eq!(sandbox.json(&["queues"])["queues"][0]["queue"], json!("default"));
    assert_eq!(sandbox.json(&["dead"]), json!({"jobs": [], "next": null}));
}

#[test]
fn a_queue_that_never_had_a_job_is_paused_with_a_warning_that_names_a_similar_one() {
    let sandbox = Sandbox::new();
    sandbox.json(&["enqueue", "a"]);
    let slip = sandbox.run(&["queues", "pause", "defualt"]);
    assert_eq!(slip.exit, 0);
    assert_eq!(slip.stderr, "no job has been in queue defualt yet; did you mean default?\n");
    let new = sandbox.run(&["queues", "pause", "mail"]);
    assert_eq!(new.stderr, "no job has been in queue mail yet\n");
    assert_eq!(sandbox.run(&["queues", "pause", "default"]).stderr, "");
}

#[test]
fn status_shows_on_one_screen_what_matters_now() {
    let sandbox = Sandbox::new();
    assert_eq!(sandbox.run(&["status"]).exit, 1, "there is no database yet");
    assert!(sandbox.files().is_empty());
    sandbox.write("longshore.toml", "[jobs.ok]\nrun = [\"true\"]\n[jobs.bad]\nrun = [\"false\"]\nmax_retries = 0\n");
    for job_type in ["ok", "ok", "bad"] {
        sandbox.json(&["enqueue", job_type]);
    }
    assert_eq!(sandbox.run(&["work", "--drain"]).exit, 0);
    sandbox.json(&["enqueue", "ok", "--delay", "1h", "--queue", "later"]);
    let status = sandbox.json(&["status"]);
    assert_eq!((&status["jobs"]["completed"], &status["jobs"]["pending"]), (&json!(2), &json!(1)));
    assert_eq!((&status["last_hour"]["completed"], &status["last_hour"]["dead_letters"]), (&json!(2), &json!(1)));
    assert_eq!(status["last_hour"]["minutes"].as_array().unwrap().len(), 60);
    assert_eq!(status["queues"][1]["queue"], json!("later"));
    assert!(status["next_due_at"].is_string(), "{status}");
    // This test does not depend on how full the disk of the machine is.
    let codes = status["findings"].as_array().unwrap().iter().map(|finding| &finding["code"]);
    let codes: Vec<_> = codes.filter(|code| **code != json!("disk_almost_full")).collect();
    assert_eq!(codes, [&json!("dead_letters_grow")]);
    let told = sandbox.run(&["status"]).stdout;
    assert!(told.starts_with("longshore.db: 1 pending, 0 running, 2 completed, 1 dead letter\n"), "{told}");
    assert!(told.contains("a job is due in 59m") && told.contains("! the number of dead letters grows"), "{told}");
}

#[test]
fn where_nobody_works_there_are_no_workers() {
    let sandbox = Sandbox::new();
    sandbox.json(&["migrate", "up"]);
    assert_eq!(sandbox.json(&["workers"]), json!({"workers": []}));
}
