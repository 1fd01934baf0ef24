use rusqlite::Connection;
use serde_json::json;

use crate::sandbox::Sandbox;

/// Copies pages, says after each where it stands, and fails after the third one.
const CONFIG: &str = r#"
[jobs.copy]
run = ["sh", "-c", '''
    for page in $(seq $((${LONGSHORE_CHECKPOINT:-0} + 1)) 5); do
        echo page $page
        echo "{\"longshore\": {\"checkpoint\": $page}}"
        if [ $page = 3 ] && [ ! -e mended ]; then exit 65; fi
    done''']
"#;

fn workshop() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write("longshore.toml", CONFIG);
    sandbox.json(&["enqueue", "copy"]);
    sandbox.json(&["work", "--drain", "-q"]);
    sandbox
}

/// The pages of all attempts.
fn log(sandbox: &Sandbox) -> String {
    let log = sandbox.run(&["jobs", "logs", "1"]).stdout;
    log.lines().filter_map(|line| line.strip_prefix("page ")).map(|page| format!("{page} ")).collect()
}

#[test]
fn a_program_continues_from_its_checkpoint_when_its_job_is_retried() {
    let sandbox = workshop();
    let job = sandbox.json(&["jobs", "show", "1"]);
    assert_eq!((&job["status"], &job["checkpoint"], &job["steps"]), (&json!("dead_letter"), &json!(3), &json!([])));
    let shown = sandbox.run(&["jobs", "show", "1"]).stdout;
    assert!(shown.contains("\ncheckpoint    3\n"), "{shown}");

    sandbox.write("mended", "");
    sandbox.json(&["jobs", "retry", "1"]);
    sandbox.json(&["work", "--drain", "-q"]);

    assert_eq!(log(&sandbox), "1 2 3 4 5 ");
    let job = sandbox.json(&["jobs", "show", "1"]);
    assert_eq!((&job["status"], &job["checkpoint"]), (&json!("completed"), &json!(5)));
    assert!(job["checkpoint_at"].is_string(), "{job}");
}

#[test]
fn the_log_of_an_attempt_is_that_of_the_newest_with_its_number() {
    let sandbox = workshop();
    sandbox.write("mended", "");
    sandbox.json(&["jobs", "retry", "1"]);
    sandbox.json(&["work", "--drain", "-q"]);

    let logs = |attempt: &[&str]| sandbox.run(&[&["jobs", "logs", "1"][..], attempt].concat()).stdout;

    assert_eq!(logs(&["--attempt", "1"]), "page 4\npage 5\n");
    assert_eq!(logs(&[]), "page 1\npage 2\npage 3\n--- attempt 1 ---\npage 4\npage 5\n");
    assert_eq!(logs(&["--attempt", "2"]), "");
}

#[test]
fn a_job_that_is_retried_from_the_start_forgets_its_checkpoint() {
    for retry in [
        &["jobs", "retry", "1", "--from-start"][..],
        &["dead", "retry", "1", "--from-start", "--alone"],
        &["jobs", "retry", "--all", "--type", "copy", "--from-start", "--yes"],
        &["dead", "retry", "--all", "--from-start", "--yes"],
    ] {
        let sandbox = workshop();
        sandbox.write("mended", "");
        assert_eq!(sandbox.json(retry)["touched"], 1);
        assert_eq!(sandbox.json(&["jobs", "show", "1"])["checkpoint"], json!(null));
        sandbox.json(&["work", "--drain", "-q"]);
        assert_eq!(log(&sandbox), "1 2 3 1 2 3 4 5 ", "{retry:?}");
    }
}

#[test]
fn a_job_shows_its_steps_with_their_times() {
    let sandbox = workshop();
    let longest = format!("\"{}\"", "x".repeat(5000));
    for (name, attempt, at, value) in
        [("charge", 1, 1_700_000_000_000_i64, r#"{"receipt": 7}"#), ("ship", 2, 1_700_000_060_500, &longest)]
    {
        let insert = format!("INSERT INTO job_checkpoints VALUES (1, '{name}', {attempt}, {at}, '{value}')");
        Connection::open(sandbox.path("longshore.db")).unwrap().execute(&insert, []).unwrap();
    }

    let job = sandbox.json(&["jobs", "show", "1"]);

    let charge = json!({
        "name": "charge", "attempt": 1, "finished_at": "2023-11-14T22:13:20.000Z",
        "result": {"receipt": 7}, "result_bytes": 14,
    });
    let ship = json!({
        "name": "ship", "attempt": 2, "finished_at": "2023-11-14T22:14:20.500Z", "result": null, "result_bytes": 5002,
    });
    assert_eq!(job["steps"], json!([charge, ship]));
    let shown = sandbox.run(&["jobs", "show", "1"]).stdout;
    for words in ["STEP", "2023-11-14T22:13:20.000Z (", "{\"receipt\": 7}", "5002 bytes"] {
        assert!(shown.contains(words), "{words}: {shown}");
    }
}

#[test]
fn no_migration_forgets_checkpoints_unasked() {
    let sandbox = workshop();
    let refused = sandbox.run(&["migrate", "down", "--to", "longshore:7"]);
    assert_eq!(refused.exit, 7, "{refused:?}");
    assert!(refused.stderr.contains("job_checkpoints"), "{refused:?}");
    assert_eq!(sandbox.json(&["jobs", "show", "1"])["checkpoint"], json!(3));
    assert_eq!(sandbox.run(&["migrate", "down", "--to", "longshore:7", "--allow-data-loss"]).exit, 0);
    assert_eq!(sandbox.run(&["migrate", "up"]).exit, 0);
    assert_eq!(sandbox.json(&["jobs", "show", "1"])["checkpoint"], json!(null));
}
