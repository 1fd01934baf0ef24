mod duplicate;
mod edit;
mod enqueue;
mod explain;
mod queues;
mod times;

use serde_json::{Value, json};

use crate::sandbox::Sandbox;

/// A sandbox with five jobs: 1 and 2 of type a, 3 and 4 of type b in queue slow, 5 of type a for later.
fn five_jobs() -> Sandbox {
    let sandbox = Sandbox::new();
    for arguments in [
        &["enqueue", "a"][..],
        &["enqueue", "a"],
        &["enqueue", "b", "--queue", "slow"],
        &["enqueue", "b", "--queue", "slow"],
        &["enqueue", "a", "--delay", "1h"],
    ] {
        sandbox.json(arguments);
    }
    sandbox
}

fn ids(page: &Value) -> Vec<i64> {
    page["jobs"].as_array().unwrap().iter().map(|job| job["id"].as_i64().unwrap()).collect()
}

fn statuses(sandbox: &Sandbox) -> Vec<String> {
    let page = sandbox.json(&["jobs", "list"]);
    let mut jobs = page["jobs"].as_array().unwrap().clone();
    jobs.reverse();
    jobs.iter().map(|job| job["status"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_list_is_newest_first_and_goes_on_at_its_cursor() {
    let sandbox = five_jobs();
    let first = sandbox.json(&["jobs", "list", "--limit", "3"]);
    assert_eq!(ids(&first), [5, 4, 3]);
    let cursor = first["next"].as_str().unwrap();
    let last = sandbox.json(&["jobs", "list", "--limit", "3", "--after", cursor]);
    assert_eq!((ids(&last), &last["next"]), (vec![2, 1], &Value::Null));
}

#[test]
fn filters_hold_together_and_may_be_lists() {
    let sandbox = five_jobs();
    assert_eq!(ids(&sandbox.json(&["jobs", "list", "--type", "b"])), [4, 3]);
    assert_eq!(ids(&sandbox.json(&["jobs", "list", "--type", "a,b", "--queue", "slow"])), [4, 3]);
    assert_eq!(ids(&sandbox.json(&["jobs", "list", "--status", "running,completed"])), [0; 0]);
    assert_eq!(ids(&sandbox.json(&["jobs", "list", "--type", "unheard-of"])), [0; 0]);
}

#[test]
fn without_a_terminal_a_list_is_separated_by_tabs_and_has_no_colour() {
    let sandbox = five_jobs();
    let ran = sandbox.run(&["jobs", "list"]);
    assert!(
        ran.stdout.starts_with("ID\tTYPE\tSTATUS\tQUEUE\tPRIORITY\tRETRIES\tCREATED\tABOUT\n5\ta\tpending\tdefault\t"),
        "{}",
        ran.stdout
    );
    assert!(ran.stdout.contains("due in 59m") && !ran.stdout.contains('\x1b'), "{}", ran.stdout);
}

#[test]
#[cfg(target_os = "linux")]
fn on_a_terminal_a_list_fits_its_width_and_states_have_a_colour() {
    let sandbox = five_jobs();
    for columns in [80, 45] {
        let told = sandbox.run_on_terminal(columns, "longshore jobs list --status pending");
        let lines: Vec<&str> = told.lines().collect();
        assert!(lines[0].starts_with("\x1b[1mID  TYPE"), "{told:?}");
        assert!(lines.iter().all(|line| console::measure_text_width(line) <= columns), "{columns}: {told}");
        assert!(told.contains("in all rows: ") && told.contains("status pending"), "{told}");
    }
    let told = sandbox.run_on_terminal(80, "longshore workers; longshore queues");
    assert!(told.contains("\x1b[32mopen\x1b[0m"), "{told:?}");
    let plain = sandbox.run_on_terminal(80, "NO_COLOR=1 longshore jobs list");
    assert!(!plain.contains('\x1b') && plain.contains("due in 59m"), "{plain:?}");
}

#[test]
fn a_job_is_shown_with_its_attempts() {
    let sandbox = five_jobs();
    let job = sandbox.json(&["jobs", "show", "1"]);
    assert_eq!((&job["id"], &job["attempts"]), (&json!(1), &json!([])));
    let told = sandbox.run(&["jobs", "show", "1"]).stdout;
    assert!(told.starts_with("job           1\ntype          a\nstatus        pending\n"), "{told}");
}

#[test]
fn named_jobs_are_moved_without_a_question() {
    let sandbox = five_jobs();
    assert_eq!(sandbox.json(&["jobs", "cancel", "1", "2"]), json!({"touched": 2, "refused": []}));
    assert_eq!(sandbox.run(&["jobs", "retry", "1"]).stdout, "1 job retried\n");
    assert_eq!(sandbox.run(&["jobs", "delete", "3"]).stdout, "1 job deleted\n");
    assert_eq!(statuses(&sandbox), ["pending", "cancelled", "pending", "pending"]);
    sandbox.json(&["jobs", "priority", "4", "urgent"]);
    assert_eq!(sandbox.json(&["jobs", "show", "4"])["priority"], 15);
    sandbox.json(&["jobs", "priority", "4", "-3"]);
    assert_eq!(sandbox.json(&["jobs", "show", "4"])["priority"], -3);
}

#[test]
fn a_job_that_does_not_exist_is_an_error_and_the_others_stay_as_they_are() {
    let sandbox = five_jobs();
    for command in [
        &["jobs", "show", "99"][..],
        &["jobs", "logs", "99"],
        &["jobs", "wait", "99"],
        &["jobs", "cancel", "1", "99"],
        &["jobs", "retry", "1", "99"],
        &["jobs", "delete", "1", "99"],
        &["jobs", "priority", "99", "5"],
        &["dead", "show", "99"],
        &["dead", "retry", "99"],
        &["dead", "discard", "99"],
    ] {
        let ran = sandbox.run(&[command, &["--json"]].concat());
        assert_eq!((ran.exit, ran.code().as_str()), (1, "no_such_job"), "{command:?}");
    }
    assert_eq!(statuses(&sandbox), ["pending"; 5]);
}

#[test]
fn a_move_that_a_job_cannot_make_is_an_error_that_says_where_it_stands() {
    let sandbox = five_jobs();
    sandbox.json(&["jobs", "cancel", "1"]);
    let ran = sandbox.run(&["jobs", "cancel", "1", "2", "--json"]);
    assert_eq!((ran.exit, ran.code().as_str()), (1, "not_moved"));
    let error = &ran.document()["error"];
    assert_eq!((&error["message"], &error["touched"]), (&json!("cannot cancel: job 1 is cancelled"), &json!(1)));
    assert_eq!(error["refused"], json!([{"reason": "wrong_status", "id": 1, "status": "cancelled"}]));
}

#[test]
fn a_filter_wants_a_stronger_word_where_nobody_can_be_asked() {
    let sandbox = five_jobs();
    let ran = sandbox.run(&["jobs", "cancel", "--all", "--queue", "slow"]);
    assert_eq!((ran.exit, ran.stdout.as_str()), (7, ""));
    assert!(ran.stderr.starts_with("2 jobs in all\nerror: this would cancel 2 jobs"), "{ran:?}");
    assert_eq!(sandbox.run(&["jobs", "cancel", "--all", "--json"]).code(), "not_confirmed");
    assert_eq!(statuses(&sandbox), ["pending"; 5]);
    assert_eq!(sandbox.json(&["jobs", "cancel", "--all", "--queue", "slow", "--yes"])["touched"], 2);
    assert_eq!(sandbox.run(&["jobs", "delete", "--all", "--type", "unheard-of"]).exit, 0, "nothing needs no consent");
}

#[test]
fn all_without_a_status_means_the_jobs_that_can_make_the_move() {
    let sandbox = five_jobs();
    sandbox.json(&["jobs", "cancel", "1", "2"]);
    assert_eq!(sandbox.json(&["jobs", "retry", "--all", "--yes"]), json!({"touched": 2, "refused": []}));
    assert_eq!(sandbox.json(&["jobs", "priority", "--all", "--type", "b", "low", "--yes"])["touched"], 2);
}

#[test]
fn waiting_for_a_job_that_does_not_end_in_time_is_not_yet() {
    let sandbox = five_jobs();
    let ran = sandbox.run(&["jobs", "wait", "1", "--timeout", "10ms"]);
    assert_eq!((ran.exit, ran.stdout.as_str()), (3, "pending\n"));
    sandbox.json(&["jobs", "cancel", "1"]);
    assert_eq!(sandbox.run(&["jobs", "wait", "1"]).exit, 3);
}

#[test]
fn waiting_no_time_at_all_for_an_ended_job_does_not_call_it_late() {
    let sandbox = five_jobs();
    let ran = sandbox.run(&["jobs", "wait", "1", "--timeout", "0s"]);
    assert_eq!((ran.exit, ran.stderr.as_str()), (3, "job 1 did not end in time\n"));
    sandbox.json(&["jobs", "cancel", "1"]);
    let ran = sandbox.run(&["jobs", "wait", "1", "--timeout", "0s"]);
    assert_eq!((ran.exit, ran.stderr.as_str()), (3, ""));
}

#[test]
fn nothing_is_moved_where_nothing_was_named() {
    let sandbox = five_jobs();
    for verb in ["retry", "cancel", "delete"] {
        assert_eq!(sandbox.run(&["jobs", verb]).exit, 2, "{verb}");
        assert_eq!(sandbox.run(&["jobs", verb, "--yes"]).exit, 2, "{verb}");
        for filter in [["--status", ""], ["--type", ""], ["--queue", ""], ["--failure-type", ""]] {
            let arguments = [&["jobs", verb, "--all", "--yes"], &filter[..]].concat();
            assert_eq!(sandbox.run(&arguments).exit, 2, "{arguments:?}");
        }
    }
    for verb in ["retry", "discard"] {
        assert_eq!(sandbox.run(&["dead", verb]).exit, 2, "{verb}");
    }
    assert_eq!(sandbox.run(&["jobs", "list", "--type", ""]).exit, 2);
    assert_eq!(statuses(&sandbox), ["pending"; 5]);
}

#[test]
fn an_empty_list_says_that_it_is_empty() {
    let sandbox = Sandbox::new();
    sandbox.json(&["migrate", "up"]);
    for (list, words) in [
        (&["jobs", "list"][..], "no job matches"),
        (&["batches"], "no batch matches"),
        (&["workers"], "there is no worker"),
        (&["queues"], "there is no queue"),
        (&["token", "list"], "there is no token"),
        (&["audit"], "no entry matches"),
    ] {
        let listed = sandbox.run(list);
        assert!(listed.exit == 0 && listed.stderr.starts_with(words), "{list:?}: {listed:?}");
        assert_eq!(sandbox.run(&[list, &["--json"]].concat()).stderr, "", "{list:?}");
    }
}
