//! Whatever changes something is in the audit trail.

use std::collections::BTreeSet;
use std::time::Duration;

use longshore::Schedule;
use longshore_core::NewJob;
use longshore_web::{Scope, Web};
use serde_json::{Value, json};

use crate::on_both;
use crate::site::{Engine, Site};

on_both!(
    a_change_is_in_the_trail_with_its_user_and_its_result,
    the_trail_is_read_in_pages_and_by_what_was_done,
    a_schedule_that_was_not_paused_is_not_changed_by_a_resume,
);

/// Whether a route makes or runs jobs. A job is its own record.
fn is_of_jobs(path: &str) -> bool {
    path == "/api/v1/jobs" || path.starts_with("/api/v1/workers")
}

async fn a_change_is_in_the_trail_with_its_user_and_its_result(engine: Engine) {
    let site = Site::with(engine, Web::tokens).await;
    let token = site.token("ada", &[Scope::Operate]).await;
    let id = site.dead_letter().await;
    let authorization = format!("Bearer {token}");
    let headers = [("authorization", authorization.as_str()), ("content-type", "application/json")];
    let post = async |path: &str, body: &str| site.client().send("POST", path, &headers, body).await.status;
    assert_eq!(post("/api/v1/queues/mail/pause", "").await, 200);
    assert_eq!(post(&format!("/api/v1/jobs/{id}/retry"), "").await, 200);
    assert_eq!(post("/api/v1/jobs/cancel", r#"{"filter": {"status": ["pending"]}, "dry_run": true}"#).await, 200);
    assert_eq!(post("/api/v1/jobs/cancel", r#"{"filter": {"status": ["pending"]}}"#).await, 200);
    assert_eq!(post("/api/v1/schedules/nightly/run", "").await, 404);
    let trail = site.client().send("GET", "/api/v1/audit", &headers, "").await.json();
    let shown = |entry: &Value| {
        let text = |name: &str| entry[name].as_str().unwrap_or("-").to_owned();
        let words = ["actor", "via", "action", "target", "outcome"].map(text).join(" | ");
        format!("{words} | {}", entry["changed"])
    };
    let retried = format!("ada | api | retry | job {id} | done | 1");
    let expected = [
        "ada | api | run | schedule nightly | failed | null",
        "ada | api | cancel | jobs of status pending | done | 1",
        retried.as_str(),
        "ada | api | pause | queue mail | done | 1",
    ];
    assert_eq!(trail["entries"].as_array().unwrap().iter().map(shown).collect::<Vec<_>>(), expected);
    assert_eq!(trail["entries"][0]["error"], "there is no schedule \"nightly\"");
    assert_eq!(trail["next"], Value::Null);
}

async fn the_trail_is_read_in_pages_and_by_what_was_done(engine: Engine) {
    let site = Site::open(engine).await;
    for action in ["pause", "resume", "pause"] {
        assert_eq!(site.post(&format!("/api/v1/queues/mail/{action}"), &Value::Null).await.status, 200);
    }
    let page = site.get("/api/v1/audit?limit=2").await.json();
    assert_eq!(page["entries"].as_array().unwrap().len(), 2);
    let rest = site.get(&format!("/api/v1/audit?limit=2&after={}", page["next"])).await.json();
    assert_eq!((rest["entries"].as_array().unwrap().len(), &rest["next"]), (1, &Value::Null));
    let paused = site.get("/api/v1/audit?action=pause&actor=local").await.json();
    assert_eq!(paused["entries"].as_array().unwrap().len(), 2);
    assert_eq!(site.get("/api/v1/audit?actor=bob").await.json()["entries"], json!([]));
    assert_eq!(site.get("/api/v1/audit?after=x").await.status, 400);
    let misspelt = site.get("/api/v1/audit?action=puase").await;
    assert_eq!(misspelt.status, 400);
    assert!(misspelt.body.contains("expected one of retry, "), "{misspelt:?}");
    assert_eq!(site.get("/api/v1/audit?action=remove%20schedule").await.json()["entries"], json!([]));
    assert_eq!(site.get("/api/v1/audit?action=").await.status, 400);
    assert_eq!(site.get("/audit?action=puase").await.status, 400);
    assert!(site.get("/audit?action=pause&actor=").await.body.contains("queue mail"));
}

async fn a_schedule_that_was_not_paused_is_not_changed_by_a_resume(engine: Engine) {
    let site = Site::open(engine).await;
    let job = NewJob::encode("work", &json!({})).unwrap();
    let often = Schedule::every("often", Duration::from_secs(3600)).enqueue_job(job);
    site.queue.schedules().add(&often).await.unwrap();
    let newest = async || site.get("/api/v1/audit?limit=1").await.json()["entries"][0].clone();
    let resume = async || site.post("/api/v1/schedules/often/resume", &json!({})).await.status;
    assert_eq!(resume().await, 200);
    assert_eq!((&newest().await["action"], &newest().await["changed"]), (&json!("resume"), &json!(0)));
    assert_eq!(site.post("/api/v1/schedules/often/pause", &json!({ "reason": "work" })).await.status, 200);
    assert_eq!(resume().await, 200);
    assert_eq!((&newest().await["action"], &newest().await["changed"]), (&json!("resume"), &json!(1)));
    let unknown = site.post("/api/v1/schedules/seldom/resume", &json!({})).await;
    assert_eq!((unknown.status, &newest().await["changed"]), (404, &json!(0)));
}

/// A new route that changes something fails here until it is in the trail, or is one that makes or runs jobs.
#[tokio::test(flavor = "multi_thread")]
async fn every_route_that_changes_something_is_in_the_trail() {
    let site = Site::open(Engine::Sqlite).await;
    let job = site.enqueue("work").await;
    let document = site.get("/api/v1/openapi.json").await.json();
    let mut silent = BTreeSet::new();
    let paths = document["paths"].as_object().unwrap();
    for (path, methods) in paths.iter().filter(|(path, _)| !is_of_jobs(path)) {
        for method in methods.as_object().unwrap().keys().filter(|method| *method != "get") {
            let before = newest(&site).await;
            let id = if path.contains("/dead/") { site.dead_letter().await } else { job };
            let named = path.replace("{id}", &id.to_string()).replace("{name}", "some").replace("{queue}", "some");
            let body = if method == "delete" { String::new() } else { body_for(path) };
            let headers = [("content-type", "application/json")];
            let answer = site.client().send(&method.to_uppercase(), &named, &headers, &body).await;
            assert_ne!(answer.status, 422, "{method} {path}: {answer:?}");
            if newest(&site).await == before {
                silent.insert(format!("{method} {path}"));
            }
        }
    }
    assert_eq!(silent, BTreeSet::new());
}

async fn newest(site: &Site) -> Value {
    site.get("/api/v1/audit?limit=1").await.json()["entries"][0]["id"].clone()
}

fn body_for(path: &str) -> String {
    let body = match path {
        "/api/v1/batches/{id}/signals" => json!({ "name": "approved" }),
        "/api/v1/jobs/priority" => json!({ "priority": "high", "filter": { "type": ["none"] } }),
        "/api/v1/jobs/{id}/priority" => json!({ "priority": "high" }),
        "/api/v1/jobs/{id}" => json!({ "queue": "other" }),
        path if path.ends_with("/pause") && path.contains("schedules") => json!({ "reason": "work" }),
        path if path.starts_with("/api/v1/jobs/") || path.starts_with("/api/v1/dead/") => {
            if path.contains("{id}") {
                return String::new();
            }
            json!({ "filter": { "type": ["none"] } })
        }
        path if path.starts_with("/api/v1/limits/") => json!({ "concurrency": 2 }),
        _ => return String::new(),
    };
    body.to_string()
}
