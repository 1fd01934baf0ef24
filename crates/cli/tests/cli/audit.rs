//! `longshore audit`: every command that changes something by hand leaves an entry.

use serde_json::Value;

use crate::sandbox::Sandbox;

/// What was noted last: action, target and outcome.
fn last(sandbox: &Sandbox) -> String {
    let trail = sandbox.json(&["audit", "--limit", "1"]);
    let entry = &trail["entries"][0];
    assert_eq!(entry["via"], "cli");
    ["action", "target", "outcome"].map(|name| entry[name].as_str().unwrap_or_default()).join(" | ")
}

#[test]
fn every_command_that_changes_something_is_in_the_trail() {
    let sandbox = Sandbox::new();
    let id = sandbox.json(&["enqueue", "work"])["id"].to_string();
    assert_eq!(sandbox.json(&["audit"])["entries"], Value::Array(Vec::new()), "a job is its own record");
    let changes: [(&[&str], &str); 16] = [
        (&["jobs", "priority", &id, "high"], "reprioritise | job 1 to 10 | done"),
        (&["jobs", "edit", &id, "--queue", "mail"], "edit | job 1: queue | done"),
        (&["jobs", "cancel", &id], "cancel | job 1 | done"),
        (&["jobs", "retry", "--all", "--yes"], "retry | jobs of status retrying or cancelled or dead_letter | done"),
        (&["queues", "pause", "mail"], "pause | queue mail | done"),
        (&["queues", "resume", "mail"], "resume | queue mail | done"),
        (
            &["limits", "set", "--type", "work", "--concurrency", "2"],
            "set_limit | type work: {\"concurrency\":2} | done",
        ),
        (&["limits", "unset", "--type", "work"], "unset_limit | type work | done"),
        (&["schedules", "add", "often", "--every", "1h", "--type", "work"], "add_schedule | schedule often | done"),
        (&["schedules", "pause", "often", "--reason", "moving"], "pause | schedule often: moving | done"),
        (&["schedules", "resume", "often"], "resume | schedule often | done"),
        (&["schedules", "run", "often"], "run | schedule often | done"),
        (
            &["schedules", "backfill", "often", "--from", "2020-01-01T00:00:00Z", "--to", "2020-01-01T02:00:00Z"],
            "backfill | schedule often: 2020-01-01T00:00:00.000Z to 2020-01-01T02:00:00.000Z | done",
        ),
        (&["schedules", "remove", "often"], "remove_schedule | schedule often | done"),
        (&["token", "add", "deploy", "--scope", "read"], "add_token | token deploy: read | done"),
        (&["token", "revoke", "deploy"], "revoke_token | token deploy | done"),
    ];
    for (command, expected) in changes {
        sandbox.json(command);
        assert_eq!(last(&sandbox), expected, "{command:?}");
        let action = expected.split(" | ").next().unwrap();
        let found = sandbox.json(&["audit", "--action", action, "--limit", "1"]);
        assert_eq!(found["entries"][0]["action"], action, "{command:?}");
    }
    let entries = sandbox.json(&["audit"])["entries"].as_array().unwrap().len();
    assert_eq!(entries, changes.len());
    let page = sandbox.json(&["audit", "--action", "pause", "--limit", "1"]);
    let rest = sandbox.json(&["audit", "--action", "pause", "--after", &page["next"].to_string()]);
    assert_eq!(rest["entries"].as_array().unwrap().len(), 1);
    let shown = sandbox.run(&["audit", "--limit", "1"]);
    assert!(shown.stdout.contains("revoke token") && shown.stdout.contains("token deploy"), "{shown:?}");
}

#[test]
fn a_change_that_is_refused_says_why_in_the_trail() {
    let sandbox = Sandbox::new();
    sandbox.json(&["enqueue", "work"]);
    let ran = sandbox.run(&["schedules", "run", "nightly", "--json"]);
    assert_eq!(ran.code(), "no_such_schedule");
    let trail = sandbox.json(&["audit"]);
    assert_eq!(trail["entries"][0]["outcome"], "failed");
    assert!(trail["entries"][0]["error"].as_str().unwrap().contains("nightly"), "{trail}");
}

#[test]
fn an_action_is_found_as_it_is_printed_and_a_misspelt_one_is_refused() {
    let sandbox = Sandbox::new();
    sandbox.json(&["schedules", "add", "often", "--every", "1h", "--type", "work"]);
    let printed = sandbox.json(&["audit", "--action", "add schedule"]);
    assert_eq!(printed["entries"].as_array().unwrap().len(), 1);
    let misspelt = sandbox.run(&["audit", "--action", "cancell"]);
    assert_eq!(misspelt.exit, 2, "{misspelt:?}");
    assert!(
        misspelt.stderr.contains("expected one of retry, ") && misspelt.stderr.contains("'cancel'"),
        "{misspelt:?}"
    );
}

#[test]
fn a_resume_that_changes_nothing_and_a_dry_run_are_told_from_changes() {
    let sandbox = Sandbox::new();
    sandbox.json(&["schedules", "add", "often", "--every", "1h", "--type", "work"]);
    sandbox.json(&["schedules", "resume", "often"]);
    assert_eq!(sandbox.json(&["audit", "--limit", "1"])["entries"][0]["changed"], 0);
    let span = ["--from", "2020-01-01T00:00:00Z", "--to", "2020-01-01T02:00:00Z"];
    sandbox.json(&[&["schedules", "backfill", "often", "--dry-run"][..], &span].concat());
    assert_eq!(last(&sandbox), "resume | schedule often | done");
    sandbox.json(&[&["schedules", "backfill", "often"][..], &span].concat());
    assert_eq!(sandbox.json(&["audit", "--action", "backfill"])["entries"][0]["changed"], 2);
}
