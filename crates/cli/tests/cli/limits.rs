//! Limits as their users meet them: configuration, commands, and a worker.

use serde_json::{Value, json};

use crate::sandbox::Sandbox;

const CONFIG: &str = r#"
[queues.api]
concurrency = 20

[jobs.sync]
run = ["true"]
queue = "api"
concurrency = 50
rate = "1000/1m"
burst = 20
key = "/tenant_id"
key_concurrency = 2
weights = { acme = 3 }
"#;

fn limit(list: &Value, scope: &str, name: &str) -> Value {
    let limits = list["limits"].as_array().unwrap();
    let found = limits.iter().find(|limit| limit["scope"] == scope && limit["name"] == name && limit["key"].is_null());
    found.unwrap_or_else(|| panic!("{list}")).clone()
}

#[test]
fn a_worker_applies_the_limits_of_its_configuration_and_its_jobs_run() {
    let sandbox = Sandbox::new();
    sandbox.write("longshore.toml", CONFIG);
    sandbox.json(&["enqueue", "sync", r#"{"tenant_id": "acme"}"#]);
    let waiting = sandbox.run(&["limits", "list"]).stderr;
    assert!(waiting.starts_with("declared but not applied: type sync, queue api; "), "{waiting}");
    let by_hand = sandbox.json(&["enqueue", "sync", "{}", "--key", "globex"]);
    assert_eq!(by_hand["limit_key"], "globex");
    assert_eq!(sandbox.run(&["work", "--drain"]).exit, 0);
    let list = sandbox.json(&["limits", "list"]);
    let queue = limit(&list, "queue", "api");
    let expected = json!({"concurrency": 20, "running": 0, "waiting": 0, "rate": null, "opens_at": null});
    for (field, value) in expected.as_object().unwrap() {
        assert_eq!(&queue[field], value, "{field} of {queue}");
    }
    let of_type = limit(&list, "type", "sync");
    let expected = json!({
        "concurrency": 50, "running": 0, "waiting": 0, "rate": "1000/1m", "burst": 20, "weight": null,
        "key_pointer": "/tenant_id", "key_concurrency": 2, "source": "config"
    });
    for (field, value) in expected.as_object().unwrap() {
        assert_eq!(&of_type[field], value, "{field} of {of_type}");
    }
    let completed = sandbox.json(&["jobs", "list", "--status", "completed"]);
    assert_eq!(completed["jobs"].as_array().unwrap().len(), 2);
    // A type that is declared without a limit has none any more.
    sandbox.write("longshore.toml", "[jobs.sync]\nrun = [\"true\"]\nqueue = \"api\"\n[queues.api]\n");
    assert_eq!(sandbox.run(&["work", "--drain"]).exit, 0);
    assert_eq!(sandbox.json(&["limits", "list"])["limits"], json!([]));
    let none = sandbox.run(&["limits", "list"]).stderr;
    assert!(none.starts_with("there is no limit; declare one "), "{none}");
}

#[test]
fn a_type_whose_handler_is_in_another_program_is_limited() {
    let sandbox = Sandbox::new();
    sandbox.write("longshore.toml", "[jobs.sync]\nconcurrency = 5\n\n[jobs.other]\nrun = [\"true\"]\n");
    sandbox.json(&["enqueue", "sync"]);
    sandbox.json(&["enqueue", "other"]);
    assert_eq!(sandbox.run(&["work", "--drain"]).exit, 0);
    assert_eq!(limit(&sandbox.json(&["limits", "list"]), "type", "sync")["concurrency"], 5);
    assert_eq!(sandbox.json(&["jobs", "show", "1"])["status"], "pending", "its handler is elsewhere");
    assert_eq!(sandbox.json(&["jobs", "show", "2"])["status"], "completed");
    sandbox.write("longshore.toml", "[jobs.sync]\nconcurrency = 5\nqueue = \"api\"\n");
    let refused = sandbox.run(&["work", "--drain"]);
    assert_eq!(refused.exit, 2, "{refused:?}");
    assert!(refused.stderr.contains("\"queue\" needs \"run\", \"serve\", \"post\" or \"http\""), "{refused:?}");
}

#[test]
fn a_limit_that_was_set_by_hand_wins_until_it_is_unset() {
    let sandbox = Sandbox::new();
    sandbox.write("longshore.toml", CONFIG);
    assert_eq!(sandbox.run(&["work", "--drain"]).exit, 0);
    let set = sandbox.json(&["limits", "set", "--type", "sync", "--concurrency", "5"]);
    assert_eq!((&set["changed"], &set["scope"], &set["name"]), (&json!(true), &json!("type"), &json!("sync")));
    assert_eq!(sandbox.run(&["work", "--drain"]).exit, 0);
    let of_type = limit(&sandbox.json(&["limits", "show", "--type", "sync"]), "type", "sync");
    assert_eq!((&of_type["concurrency"], &of_type["source"]), (&json!(5), &json!("manual")));
    assert_eq!(of_type["rate"], json!(null), "what is not given is not limited");
    assert_eq!(sandbox.json(&["limits", "unset", "--type", "sync"])["changed"], true);
    let of_type = limit(&sandbox.json(&["limits", "show", "--type", "sync"]), "type", "sync");
    assert_eq!((&of_type["concurrency"], &of_type["source"]), (&json!(50), &json!("config")));
    assert_eq!(sandbox.json(&["limits", "unset", "--queue", "other"])["changed"], false);
}

#[test]
fn jobs_wait_behind_a_limit_that_is_closed_and_say_so() {
    let sandbox = Sandbox::new();
    sandbox.write("longshore.toml", "[jobs.sync]\nrun = [\"true\"]\nrate = \"1/1h\"\n");
    let ids: Vec<i64> = (0..2).map(|_| sandbox.json(&["enqueue", "sync"])["id"].as_i64().unwrap()).collect();
    let mut worker = sandbox.command(&["work"]).spawn().unwrap();
    sandbox.until(|| sandbox.json(&["jobs", "show", &ids[0].to_string()])["status"] == "completed");
    let saturated = sandbox.json(&["limits", "list", "--saturated"]);
    let explained = sandbox.json(&["jobs", "explain", &ids[1].to_string()]);
    let words = sandbox.run(&["limits", "list"]);
    worker.kill().unwrap();
    worker.wait().unwrap();
    let of_type = limit(&saturated, "type", "sync");
    assert!(of_type["opens_at"].is_string(), "{of_type}");
    assert_eq!(of_type["waiting"], 1);
    assert!(explained.to_string().contains("limit_closed"), "{explained}");
    assert!(words.stdout.contains("1/1h") && words.stdout.contains("OPENS"), "{}", words.stdout);
}

#[test]
fn a_limit_that_permits_nothing_or_has_no_effect_is_refused_in_one_sentence() {
    let sandbox = Sandbox::new();
    sandbox.json(&["migrate", "up"]);
    for words in [
        &["limits", "set", "--type", "sync", "--concurrency", "0"][..],
        &["limits", "set", "--type", "sync"],
        &["limits", "set", "--queue", "api", "--rate", "5/1s"],
        &["limits", "show", "--type", "sync"],
    ] {
        let ran = sandbox.run(words);
        assert!(ran.exit == 1 || ran.exit == 2, "{words:?}: {}", ran.exit);
        assert!(
            !ran.stderr.contains("panicked") && ran.stderr.trim().lines().count() <= 3,
            "{words:?}: {}",
            ran.stderr
        );
    }
    assert_eq!(sandbox.run(&["limits", "set", "--type", "sync", "--rate", "often"]).exit, 2);
}

#[test]
fn a_limit_that_is_refused_needs_no_server_and_says_what_to_do_instead() {
    let sandbox = Sandbox::new();
    let refused: [(&[&str], &str); 7] = [
        (
            &["--type", "sync", "--concurrency", "0"],
            "concurrency must be from 1 to 1000000; to stop the jobs of a type, pause their queue",
        ),
        (
            &["--queue", "api", "--concurrency", "0"],
            "concurrency must be from 1 to 1000000; to stop the queue, pause it",
        ),
        (&["--type", "sync", "--rate", "5/1s", "--burst", "0"], "burst must be from 1 to 1000000"),
        (&["--type", "sync", "--key", "/a", "--weight", "x=0"], "the weight of x must be from 1 to 1000"),
        (
            &["--queue", "api", "--rate", "5/1s"],
            "a queue has no rate: set it for the job types, or give the queue a concurrency",
        ),
        (&["--type", "sync"], "the limit of type sync limits nothing: give a concurrency, a rate or a key"),
        (&["--type", "sync", "--key", "/a", "--weight", "x=2", "--weight", "x=3"], "the weight of x is given twice"),
    ];
    for (words, sentence) in refused {
        let away = ["--database", "postgres://127.0.0.1:1/jobs", "--json"];
        let ran = sandbox.run(&[&["limits", "set"][..], words, &away].concat());
        assert_eq!(ran.exit, 2, "{words:?}: {ran:?}");
        assert_eq!(ran.document()["error"]["message"], sentence, "{words:?}");
    }
}
