use serde_json::json;

use crate::sandbox::Sandbox;

/// A sandbox with one waiting job with the key `k`.
fn one_job() -> Sandbox {
    let sandbox = Sandbox::new();
    let job = sandbox.json(&["enqueue", "mail", "1", "--unique-key", "k", "--delay", "1h"]);
    assert_eq!((&job["is_duplicate"], &job["duplicate"]), (&json!(false), &json!(null)));
    sandbox
}

fn again<'a>(rule: &[&'a str]) -> Vec<&'a str> {
    [&["enqueue", "mail", "2", "--unique-key", "k"], rule].concat()
}

#[test]
fn a_duplicate_is_kept_replaced_or_pushed_back_and_says_so() {
    let sandbox = one_job();
    let before = sandbox.json(&["jobs", "show", "1"]);
    for rule in [&[][..], &["--on-duplicate", "keep"]] {
        let kept = sandbox.json(&again(rule));
        let told = (&kept["id"], &kept["is_duplicate"], &kept["duplicate"], &kept["job_data"]);
        assert_eq!(told, (&json!(1), &json!(true), &json!("kept"), &json!(1)));
    }
    let replaced = sandbox.json(&again(&["--on-duplicate", "replace", "--priority", "high"]));
    let told = (&replaced["duplicate"], &replaced["job_data"], &replaced["priority"], &replaced["run_at"]);
    assert_eq!(told, (&json!("replaced"), &json!(2), &json!(10), &before["run_at"]));
    let pushed = sandbox.json(&again(&["--on-duplicate", "push-back", "--at", "2099-01-01T00:00:00Z"]));
    let told = (&pushed["is_duplicate"], &pushed["duplicate"], &pushed["run_at"]);
    assert_eq!(told, (&json!(true), &json!("pushed_back"), &json!("2099-01-01T00:00:00.000Z")));
    assert_eq!(sandbox.json(&["jobs", "list"])["jobs"].as_array().unwrap().len(), 1);
}

#[test]
fn people_are_told_what_became_of_a_duplicate() {
    let sandbox = one_job();
    for (rule, told) in [
        ("keep", "job 1 has this unique key and has not ended: nothing was enqueued\n"),
        ("replace", "job 1 has this unique key and is waiting: its content was replaced\n"),
        (
            "push_back",
            "job 1 has this unique key and is waiting: its content was replaced and its start was postponed\n",
        ),
    ] {
        let ran = sandbox.run(&again(&["--on-duplicate", rule]));
        assert_eq!((ran.exit, ran.stdout.as_str(), ran.stderr.as_str()), (0, "1\n", told));
    }
}

#[test]
fn a_rule_for_duplicates_wants_a_key_and_is_one_of_three() {
    let sandbox = Sandbox::new();
    for arguments in [
        &["enqueue", "mail", "--on-duplicate", "replace"][..],
        &["enqueue", "mail", "--unique-while", "waiting"],
        &["enqueue", "mail", "--unique-key", "k", "--on-duplicate", "drop"],
        &["enqueue", "mail", "--unique-key", "k", "--unique-while", "running"],
        &["enqueue", "--batch", "-", "--on-duplicate", "keep"],
    ] {
        let ran = sandbox.run(&[arguments, &["--json"]].concat());
        assert_eq!((ran.exit, ran.code().as_str()), (2, "usage"), "{arguments:?}");
    }
    assert_eq!(sandbox.files(), [""; 0]);
}

#[test]
fn a_line_of_a_batch_has_the_same_rules() {
    let sandbox = one_job();
    let lines = concat!(
        "{\"job_type\":\"mail\",\"unique_key\":\"k\",\"job_data\":2,\"on_duplicate\":\"replace\"}\n",
        "{\"job_type\":\"mail\",\"unique_key\":\"k\",\"job_data\":3,\"on_duplicate\":\"push_back\",\"unique_while\":\"waiting\"}\n",
        "{\"job_type\":\"mail\",\"unique_key\":\"k\",\"job_data\":4}\n",
    );
    let ran = sandbox.run_with_input(&["enqueue", "--batch", "-", "--json"], lines.as_bytes());
    assert_eq!(ran.document(), json!({"inserted": 0}), "{ran:?}");
    let job = sandbox.json(&["jobs", "show", "1"]);
    assert_eq!(job["job_data"], 3);
    assert!(
        sandbox.run(&["jobs", "show", "1"]).stdout.lines().all(|line| !line.starts_with("due")),
        "it was due in an hour"
    );
    for (field, told) in [
        (r#""on_duplicate":"keep""#, "on_duplicate has no effect without unique_key: give both or neither"),
        (r#""unique_key":"k","on_duplicate":"drop""#, "\"drop\" is not a rule for duplicates"),
    ] {
        let line = format!("{{\"job_type\":\"mail\",{field}}}\n");
        let ran = sandbox.run_with_input(&["enqueue", "--batch", "-"], line.as_bytes());
        assert!(ran.exit == 2 && ran.stderr.contains("line 1: ") && ran.stderr.contains(told), "{ran:?}");
    }
}

#[test]
fn a_type_may_have_a_rule_of_its_own_which_the_call_overrules() {
    let sandbox = Sandbox::new();
    sandbox.write(
        "longshore.toml",
        "[jobs.mail]\nrun = [\"true\"]\non_duplicate = \"replace\"\nunique_while = \"waiting\"\n",
    );
    sandbox.json(&["enqueue", "mail", "1", "--unique-key", "k"]);
    assert_eq!(sandbox.json(&again(&[]))["duplicate"], "replaced");
    assert_eq!(sandbox.json(&again(&["--on-duplicate", "keep"]))["duplicate"], "kept");
    sandbox.json(&["enqueue", "mail"]);
    sandbox.write("longshore.toml", "[jobs.mail]\nrun = [\"true\"]\non_duplicate = \"drop\"\n");
    let ran = sandbox.run(&["enqueue", "mail"]);
    assert!(ran.exit == 2 && ran.stderr.contains("longshore.toml, line 3"), "{ran:?}");
}
