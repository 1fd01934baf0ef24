use serde_json::json;

use crate::sandbox::Sandbox;

/// A sandbox with one waiting job.
fn one_job() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.json(&["enqueue", "mail", r#"{"to": "a"}"#, "--unique-key", "k"]);
    sandbox
}

#[test]
fn a_job_that_waits_is_edited_and_printed_as_it_is_shown() {
    let sandbox = one_job();
    let edit = ["jobs", "edit", "1", "--data", r#"{"to": "b"}"#, "--queue", "slow", "--type", "letter"];
    let edited = sandbox.json(&[&edit[..], &["--at", "2099-01-01T00:00:00Z"]].concat());
    let expected = json!({
        "job_data": {"to": "b"}, "queue": "slow", "job_type": "letter", "run_at": "2099-01-01T00:00:00.000Z",
        "status": "pending", "unique_key": "k", "attempts": [],
    });
    for (field, value) in expected.as_object().unwrap() {
        assert_eq!(&edited[field], value, "{field}");
    }
    assert_eq!(edited, sandbox.json(&["jobs", "show", "1"]));
}

#[test]
fn people_are_told_that_a_job_was_edited() {
    let ran = one_job().run(&["jobs", "edit", "1", "--queue", "slow"]);
    assert_eq!((ran.exit, ran.stdout.as_str(), ran.stderr.as_str()), (0, "job 1 was edited\n", ""));
}

#[test]
fn a_payload_may_come_from_a_file_or_from_standard_input() {
    let sandbox = one_job();
    sandbox.write("payload.json", "[1, 2]");
    assert_eq!(sandbox.json(&["jobs", "edit", "1", "--data", "@payload.json"])["job_data"], json!([1, 2]));
    let ran = sandbox.run_with_input(&["jobs", "edit", "1", "--data", "-", "--json"], b"-7");
    assert_eq!(ran.document()["job_data"], -7);
    assert_eq!(sandbox.json(&["jobs", "edit", "1", "--data", "-5"])["job_data"], -5);
}

#[test]
fn a_job_can_be_put_off_and_brought_forward() {
    let sandbox = one_job();
    assert_eq!(sandbox.json(&["jobs", "edit", "1", "--run-at", "2099-01-01T00:00:00Z"])["status"], "pending");
    let now = sandbox.json(&["jobs", "edit", "1", "--delay", "0s"]);
    assert!(now["run_at"].as_str().unwrap() < "2099", "{now}");
}

#[test]
fn at_least_one_change_is_wanted_and_one_time_at_most() {
    let sandbox = one_job();
    let twice = ["jobs", "edit", "1", "--delay", "1h", "--at", "2099-01-01T00:00:00Z"];
    for arguments in [&["jobs", "edit", "1"][..], &["jobs", "edit", "--queue", "slow"], &twice] {
        let ran = sandbox.run(&[arguments, &["--json"]].concat());
        assert_eq!((ran.exit, ran.code().as_str()), (2, "usage"), "{arguments:?}");
    }
}

#[test]
fn what_no_job_may_be_is_refused_and_the_job_stays_as_it_is() {
    let sandbox = one_job();
    let before = sandbox.json(&["jobs", "show", "1"]);
    for change in [
        ["--queue", ""],
        ["--type", "a\nb"],
        ["--data", "{"],
        ["--data", r#""\ud800""#],
        ["--data", "@nowhere.json"],
        ["--delay", "9999999d"],
    ] {
        let ran = sandbox.run(&[&["jobs", "edit", "1", "--queue", "slow"][..2], &["1"], &change, &["--json"]].concat());
        assert_eq!(ran.exit, 2, "{change:?}: {ran:?}");
        assert!(["invalid_job", "unreadable_file"].contains(&ran.code().as_str()), "{change:?}: {ran:?}");
    }
    assert_eq!(sandbox.json(&["jobs", "show", "1"]), before);
}

#[test]
fn a_job_that_has_ended_is_refused_in_a_sentence() {
    let sandbox = one_job();
    sandbox.json(&["jobs", "cancel", "1"]);
    let ran = sandbox.run(&["jobs", "edit", "1", "--queue", "slow", "--json"]);
    assert_eq!((ran.exit, ran.code().as_str()), (1, "not_moved"));
    let error = &ran.document()["error"];
    let told = "cannot edit: job 1 is cancelled: only a waiting job or a dead letter can be edited";
    assert_eq!((&error["message"], &error["touched"]), (&json!(told), &json!(0)));
    assert_eq!(error["refused"], json!([{"reason": "not_editable", "id": 1, "status": "cancelled"}]));
    let ran = sandbox.run(&["jobs", "edit", "99", "--queue", "slow", "--json"]);
    assert_eq!((ran.exit, ran.code().as_str()), (1, "no_such_job"));
}

#[test]
fn an_edit_makes_no_database() {
    let sandbox = Sandbox::new();
    assert_eq!(sandbox.run(&["jobs", "edit", "1", "--queue", "slow"]).exit, 1);
    assert_eq!(sandbox.files(), [""; 0]);
}

#[test]
fn an_edit_that_no_job_may_have_is_refused_before_the_server_is_asked() {
    let away = ["--database", "postgres://127.0.0.1:1/jobs", "--json"];
    let ran = Sandbox::new().run(&[&["jobs", "edit", "1", "--type", "a\nb"][..], &away].concat());
    assert_eq!((ran.exit, ran.code().as_str()), (2, "invalid_job"), "{ran:?}");
}
