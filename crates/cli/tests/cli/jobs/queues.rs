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
fn a_queue_is_paused_and_resumed() {
    let sandbox = Sandbox::new();
    sandbox.json(&["enqueue", "a"]);
    assert_eq!(sandbox.json(&["queues", "pause", "default"]), json!({"queue": "default", "is_paused": true}));
    assert!(sandbox.run(&["queues", "list"]).stdout.contains("paused"));
    assert_eq!(sandbox.json(&["queues", "resume", "default"]), json!({"queue": "default", "is_paused": false}));
    assert!(sandbox.json(&["queues", "list"])["queues"][0]["paused_at"].is_null());
}

#[test]
fn where_nobody_works_there_are_no_workers() {
    let sandbox = Sandbox::new();
    sandbox.json(&["migrate", "up"]);
    assert_eq!(sandbox.json(&["workers"]), json!({"workers": []}));
}
