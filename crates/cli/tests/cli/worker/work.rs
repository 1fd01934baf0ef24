use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use serde_json::json;

use crate::sandbox::Sandbox;

const CONFIG: &str = r#"
[jobs.echo]
run = ["sh", "-c", "echo began; cat; echo; echo '{\"longshore\": {\"result\": 42}}'"]

[jobs.fail]
run = ["sh", "-c", "echo broken >&2; exit 65"]

[jobs.hang]
run = ["sleep", "600"]
queue = "slow"
"#;

fn workshop() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write("longshore.toml", CONFIG);
    sandbox
}

#[test]
fn a_drained_worker_has_run_everything_and_ends() {
    let sandbox = workshop();
    sandbox.json(&["enqueue", "echo", r#"{"n":1}"#]);
    sandbox.json(&["enqueue", "echo", "--delay", "200ms"]);
    assert_eq!(sandbox.json(&["work", "--drain", "-q"]), json!({"ended": "drained"}));
    let job = sandbox.json(&["jobs", "show", "1"]);
    assert_eq!((&job["status"], &job["result"]), (&json!("completed"), &json!(42)));
    assert_eq!(job["attempts"][0]["outcome"], "completed");
    assert_eq!(sandbox.run(&["jobs", "logs", "1"]).stdout, "began\n{\"n\":1}\n");
    assert_eq!(sandbox.run(&["jobs", "wait", "2"]).exit, 0);
}

/// Another program wrote the name past all checks.
#[test]
fn a_job_whose_queue_has_no_valid_name_keeps_no_worker_from_draining() {
    for name in ["x'ff'", "CAST(x'ff' AS TEXT)"] {
        let sandbox = workshop();
        sandbox.json(&["enqueue", "echo"]);
        let foreign = rusqlite::Connection::open(sandbox.path("longshore.db")).unwrap();
        foreign.set_db_config(rusqlite::config::DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, false).unwrap();
        let update = format!("PRAGMA ignore_check_constraints = ON; UPDATE job_queue SET queue = {name}");
        foreign.execute_batch(&update).unwrap();
        assert_eq!(sandbox.json(&["work", "--drain", "-q"]), json!({"ended": "drained"}));
        assert_eq!(sandbox.json(&["jobs", "explain", "1"])["reason"]["code"], "invalid_name");
        let doctor = sandbox.json_with_exit(&["doctor"], 3);
        assert!(doctor.to_string().contains("1 job cannot run because a name is not valid UTF-8"), "{doctor}");
    }
}

#[test]
fn a_failed_job_is_a_dead_letter_that_can_be_retried_and_discarded() {
    let sandbox = workshop();
    sandbox.json(&["enqueue", "fail"]);
    sandbox.json(&["enqueue", "echo"]);
    sandbox.json(&["work", "--drain", "-q"]);
    let dead = sandbox.json(&["dead", "list"]);
    let job = &dead["jobs"][0];
    assert_eq!((&job["id"], &job["failure_type"]), (&json!(1), &json!("validation_error")));
    assert_eq!(dead["jobs"].as_array().unwrap().len(), 1);
    assert_eq!(sandbox.json(&["dead", "show", "1"])["attempts"][0]["error_message"], "broken");
    assert_eq!(sandbox.run(&["jobs", "wait", "1"]).exit, 3);

    let ran = sandbox.run(&["dead", "retry", "1", "2", "--json"]);
    assert_eq!((ran.exit, ran.code().as_str()), (1, "not_a_dead_letter"));
    assert_eq!(sandbox.json(&["dead", "retry", "--all", "--type", "fail", "--yes"])["touched"], 1);
    assert_eq!(sandbox.json(&["jobs", "show", "1"])["status"], "pending");
    sandbox.json(&["work", "--drain", "-q"]);
    assert_eq!(sandbox.json(&["dead", "discard", "1"])["touched"], 1);
    assert_eq!(sandbox.run(&["jobs", "show", "1"]).exit, 1);
}

#[test]
fn a_worker_takes_only_from_its_queues() {
    let sandbox = workshop();
    sandbox.json(&["enqueue", "echo", "--queue", "one"]);
    sandbox.json(&["enqueue", "echo", "--queue", "other"]);
    sandbox.json(&["work", "--drain", "-q", "--queue", "one:2"]);
    assert_eq!(sandbox.json(&["jobs", "show", "1"])["status"], "completed");
    assert_eq!(sandbox.json(&["jobs", "show", "2"])["status"], "pending");
}

#[test]
fn a_worker_without_any_type_says_so() {
    let sandbox = Sandbox::new();
    let ran = sandbox.run(&["work"]);
    assert_eq!(ran.exit, 2);
    assert!(ran.stderr.contains("declare [jobs.NAME]"), "{ran:?}");
    assert!(!ran.stderr.contains("running jobs of"), "{ran:?}");
    assert!(sandbox.files().is_empty(), "no database is made for it");
}

#[test]
fn a_worker_names_the_types_whose_jobs_others_run_and_how_they_get_them() {
    for declared in ["http = true", "concurrency = 2"] {
        let sandbox = Sandbox::new();
        sandbox.write("longshore.toml", format!("[jobs.resize]\n{declared}\n"));
        let ran = sandbox.run(&["work"]);
        assert_eq!((ran.exit, sandbox.files()), (2, vec!["longshore.toml".to_owned()]), "{ran:?}");
        assert!(ran.stderr.contains("other programs run the jobs of resize"), "{ran:?}");
        assert!(ran.stderr.contains("\"longshore serve\" or \"longshore up\""), "{ran:?}");
        assert_eq!(sandbox.run(&["work", "--drain"]).exit, 0);
        sandbox.json(&["enqueue", "resize"]);
        assert_eq!(sandbox.run(&["work"]).exit, 2);
    }
}

#[test]
fn draining_without_any_type_ends_because_nothing_could_run() {
    let sandbox = Sandbox::new();
    sandbox.json(&["enqueue", "mail"]);
    let ran = sandbox.run(&["work", "--drain"]);
    assert_eq!((ran.exit, ran.stdout.as_str()), (0, ""));
    assert!(ran.stderr.contains("no job type is declared"), "{ran:?}");
    assert_eq!(sandbox.json(&["jobs", "show", "1"])["status"], "pending");
}

#[test]
fn the_mark_of_a_cut_log_has_a_line_of_its_own() {
    let sandbox = Sandbox::new();
    let run = r#"run = ['sh', '-c', 'yes | head -c 100000 | tr -d "\\n"; seq 100000']"#;
    sandbox.write("longshore.toml", format!("[jobs.flood]\n{run}\n"));
    sandbox.json(&["enqueue", "flood"]);
    sandbox.json(&["work", "--drain", "-q"]);
    let log = sandbox.run(&["jobs", "logs", "1"]).stdout;
    let marks: Vec<&str> = log.lines().filter(|line| line.contains("bytes are missing here")).collect();
    assert_eq!(marks.len(), 1);
    assert!(marks[0].starts_with("--- "), "{}", &marks[0][..80]);
}

/// A worker that is stopped when the test ends.
struct Running(Child);

impl Running {
    fn start(sandbox: &Sandbox, arguments: &[&str]) -> Self {
        let mut command = sandbox.command(arguments);
        Self(command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap())
    }
}

impl Running {
    fn signal(&self, name: &str) {
        let status = std::process::Command::new("kill").args(["-s", name, &self.0.id().to_string()]).status();
        assert!(status.unwrap().success());
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_running_job_is_seen_and_cancelled_and_a_signal_ends_the_worker() {
    let sandbox = workshop();
    sandbox.json(&["enqueue", "hang"]);
    let mut worker = Running::start(&sandbox, &["up", "--json"]);
    sandbox.until(|| sandbox.json(&["jobs", "show", "1"])["status"] == "running");
    let workers = sandbox.json(&["workers"]);
    assert_eq!(
        (&workers["workers"][0]["running"][0]["id"], &workers["workers"][0]["is_alive"]),
        (&json!(1), &json!(true))
    );

    sandbox.json(&["jobs", "cancel", "1"]);
    assert_eq!(sandbox.run(&["jobs", "wait", "1", "--timeout", "30s"]).stdout, "cancelled\n");

    worker.signal("TERM");
    assert_eq!(worker.0.wait().unwrap().code(), Some(0));
}

/// A job that answers SIGTERM with a file and continues, and a second one that waits for its slot.
fn unheeding(grace: &str) -> (Sandbox, Running) {
    let sandbox = Sandbox::new();
    let run = r#"on_shutdown = "terminate"
run = ["sh", "-c", "trap 'touch told' TERM; touch began; while :; do sleep 0.02; done"]"#;
    sandbox.write("longshore.toml", format!("[worker]\ngrace = \"{grace}\"\n\n[jobs.unheeding]\n{run}\n"));
    sandbox.json(&["enqueue", "unheeding"]);
    sandbox.json(&["enqueue", "unheeding"]);
    let worker = Running::start(&sandbox, &["work", "--concurrency", "1", "--json"]);
    sandbox.until(|| sandbox.path("began").exists());
    (sandbox, worker)
}

fn assert_given_back_unspent(sandbox: &Sandbox) {
    let job = sandbox.json(&["jobs", "show", "1"]);
    assert_eq!((&job["status"], &job["retry_count"]), (&json!("pending"), &json!(0)));
    assert_eq!(job["attempts"][0]["outcome"], "returned");
    let second = sandbox.json(&["jobs", "show", "2"]);
    assert_eq!((&second["status"], &second["attempts"]), (&json!("pending"), &json!([])), "nothing more was begun");
}

#[test]
fn a_signal_gives_a_job_back_unspent_when_its_grace_is_over() {
    let (sandbox, mut worker) = unheeding("300ms");
    let asked_at = Instant::now();
    worker.signal("TERM");
    sandbox.until(|| worker.0.try_wait().unwrap().is_some());
    assert_eq!(worker.0.wait().unwrap().code(), Some(0));
    let ended = std::io::read_to_string(worker.0.stdout.take().unwrap()).unwrap();
    assert_eq!(ended, "{\"ended\":\"stopped\"}\n");
    assert!(asked_at.elapsed() >= Duration::from_millis(300), "{:?}", asked_at.elapsed());
    assert!(sandbox.path("told").exists());
    assert_given_back_unspent(&sandbox);
}

#[test]
fn a_second_signal_does_not_wait_for_the_grace() {
    let (sandbox, mut worker) = unheeding("1h");
    worker.signal("TERM");
    sandbox.until(|| sandbox.path("told").exists());
    worker.signal("INT");
    sandbox.until(|| worker.0.try_wait().unwrap().is_some());
    assert_eq!(worker.0.wait().unwrap().code(), Some(0));
    assert_given_back_unspent(&sandbox);
}

#[test]
fn a_log_is_followed_to_the_end_of_its_job() {
    let sandbox = workshop();
    sandbox.json(&["enqueue", "echo"]);
    let _worker = Running::start(&sandbox, &["work", "--json"]);
    let ran = sandbox.run(&["jobs", "logs", "1", "--follow"]);
    assert_eq!((ran.exit, ran.stdout.as_str()), (0, "began\n{}\n"));
}

#[test]
fn a_job_that_somebody_deletes_while_it_runs_is_not_said_to_be_with_another_worker() {
    let sandbox = Sandbox::new();
    sandbox.write("longshore.toml", format!("[worker]\nlease = \"1s\"\n{CONFIG}"));
    sandbox.json(&["enqueue", "hang"]);
    let log = std::fs::File::create(sandbox.path("worker.log")).unwrap();
    let _worker = Running(sandbox.command(&["work"]).stdout(Stdio::null()).stderr(log).spawn().unwrap());
    sandbox.until(|| sandbox.json(&["jobs", "show", "1"])["status"] == "running");

    let connection = rusqlite::Connection::open(sandbox.path("longshore.db")).unwrap();
    connection.busy_timeout(Duration::from_secs(60)).unwrap();
    assert_eq!(connection.execute("DELETE FROM job_queue WHERE id = 1", []).unwrap(), 1);

    let log = || std::fs::read_to_string(sandbox.path("worker.log")).unwrap();
    sandbox.until(|| log().contains("lost hang #1: it was taken over, changed or deleted meanwhile"));
}

#[test]
fn a_queue_that_is_given_twice_is_refused() {
    let sandbox = workshop();
    let ran = sandbox.run(&["work", "--queue", "a:1", "--queue", "b", "--queue", "a:2", "--json"]);
    assert_eq!((ran.exit, ran.code().as_str()), (2, "usage"));
    assert_eq!(ran.document()["error"]["message"], "queue a is given twice");
    assert!(!sandbox.files().contains(&"longshore.db".to_owned()));
}

#[test]
fn a_worker_pauses_during_a_redo_and_a_drain_under_an_undone_migration_ends_with_the_error() {
    let sandbox = workshop();
    sandbox.json(&["enqueue", "echo"]);
    let mut command = sandbox.command(&["work", "--json"]);
    let log = std::fs::File::create(sandbox.path("worker.log")).unwrap();
    let worker = Running(command.stdout(Stdio::null()).stderr(log).spawn().unwrap());
    assert_eq!(sandbox.run(&["jobs", "wait", "1", "--timeout", "30s"]).exit, 0);

    sandbox.json(&["migrate", "down", "--allow-data-loss"]);
    let log = || std::fs::read_to_string(sandbox.path("worker.log")).unwrap();
    sandbox.until(|| log().contains("paused by a migration"));
    let refused = sandbox.run(&["work", "--drain", "--json"]);
    assert_eq!((refused.exit, refused.code().as_str()), (5, "schema_older"));
    sandbox.json(&["migrate", "up"]);
    sandbox.until(|| log().contains("the worker continues"));
    let id = sandbox.json(&["enqueue", "echo"])["id"].to_string();
    assert_eq!(sandbox.run(&["jobs", "wait", &id, "--timeout", "30s"]).exit, 0);
    assert_eq!(log().matches("paused by a migration").count(), 1);

    sandbox.json(&["enqueue", "hang"]);
    let mut command = sandbox.command(&["work", "--drain", "--json"]);
    drop(worker);
    let drain = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    sandbox.until(|| !sandbox.json(&["workers"])["workers"].as_array().unwrap().is_empty());
    sandbox.json(&["migrate", "down", "--allow-data-loss"]);
    assert_eq!(drain.wait_with_output().unwrap().status.code(), Some(5));
}

#[test]
fn a_retry_of_all_dead_letters_runs_a_family_in_its_order() {
    let sandbox = workshop();
    sandbox.json(&["enqueue", "fail"]);
    sandbox.json(&["enqueue", "echo", "--parent", "1"]);
    sandbox.json(&["enqueue", "echo", "--parent", "2"]);
    sandbox.json(&["work", "--drain", "-q"]);
    let status = |id: &str| sandbox.json(&["jobs", "show", id])["status"].as_str().unwrap().to_owned();
    assert_eq!([status("1"), status("2"), status("3")], ["dead_letter"; 3]);

    assert_eq!(sandbox.json(&["dead", "retry", "--all", "--yes"]), json!({"touched": 3, "refused": []}));
    assert_eq!([status("1"), status("2"), status("3")], ["pending", "blocked", "blocked"]);
    sandbox.json(&["work", "--drain", "-q"]);
    assert_eq!([status("1"), status("2"), status("3")], ["dead_letter"; 3], "the parent fails again");

    assert_eq!(sandbox.json(&["dead", "retry", "2"])["touched"], 2);
    sandbox.json(&["work", "--drain", "-q"]);
    assert_eq!([status("1"), status("2"), status("3")], ["dead_letter", "blocked", "blocked"]);
    let finding = &sandbox.run(&["doctor", "--json"]).document()["findings"];
    let told = finding.as_array().unwrap().iter().find(|it| it["code"] == "stuck_jobs").unwrap();
    assert_eq!(
        told["message"],
        "1 job cannot continue, such as job 2, which waits for job 1, which ended as dead_letter"
    );

    sandbox.write("longshore.toml", CONFIG.replace("exit 65", "exit 0"));
    assert_eq!(sandbox.json(&["jobs", "retry", "1", "--alone"])["touched"], 1);
    sandbox.json(&["work", "--drain", "-q"]);
    assert_eq!([status("1"), status("2"), status("3")], ["completed"; 3]);
}

#[test]
fn a_parent_that_is_retried_alone_leaves_its_child_a_dead_letter() {
    let sandbox = workshop();
    sandbox.json(&["enqueue", "fail"]);
    sandbox.json(&["enqueue", "echo", "--parent", "1"]);
    sandbox.json(&["work", "--drain", "-q"]);
    sandbox.write("longshore.toml", CONFIG.replace("exit 65", "exit 0"));

    assert_eq!(sandbox.json(&["dead", "retry", "1", "--alone"])["touched"], 1);

    sandbox.json(&["work", "--drain", "-q"]);
    assert_eq!(sandbox.json(&["jobs", "show", "1"])["status"], "completed");
    assert_eq!(sandbox.json(&["jobs", "show", "2"])["status"], "dead_letter");
}

#[test]
fn a_drain_ends_whatever_plain_sql_has_left_behind() {
    let sandbox = workshop();
    for _ in 0..4 {
        sandbox.json(&["enqueue", "echo"]);
    }
    let foreign = rusqlite::Connection::open(sandbox.path("longshore.db")).unwrap();
    foreign.execute_batch("PRAGMA ignore_check_constraints = ON").unwrap();
    foreign.set_db_config(rusqlite::config::DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, false).unwrap();
    foreign
        .execute_batch(
            "UPDATE job_queue SET status = 'retrying' WHERE id = 1;
             UPDATE job_queue SET status = 'running', worker_id = '' WHERE id = 2;
             UPDATE job_queue SET claim_number = 9223372036854775807 WHERE id = 3;",
        )
        .unwrap();
    let ran = sandbox.run(&["doctor", "--json"]);
    assert!(ran.stdout.contains("\"stuck_jobs\""), "{ran:?}");

    assert_eq!(sandbox.json(&["work", "--drain", "-q"]), json!({"ended": "drained"}));

    let statuses = ["1", "2", "3", "4"].map(|id| sandbox.json(&["jobs", "show", id])["status"].clone());
    assert_eq!(statuses, ["completed", "completed", "dead_letter", "completed"].map(|word| json!(word)));
    assert!(!sandbox.run(&["doctor", "--json"]).stdout.contains("stuck_jobs"));
}
