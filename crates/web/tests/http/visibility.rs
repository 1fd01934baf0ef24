//! Users who see some queues alone.

use std::collections::BTreeSet;
use std::time::Duration;

use axum::http::request::Parts;
use longshore::Schedule;
use longshore::workflow::Workflow;
use longshore_core::{BatchId, JobId, NewJob, NewToken, Status};
use longshore_web::{Access, Identified, Identify, Scope, Secret, Web, queue_word};
use serde_json::{Value, json};

use crate::client::Answer;
use crate::on_both;
use crate::site::{Engine, Site};

on_both!(
    nothing_of_another_queue_is_shown_on_any_route_or_page,
    nothing_of_another_queue_is_changed_by_id_or_by_filter,
    a_worker_over_http_claims_from_the_queues_of_its_user_alone,
    a_token_may_be_for_some_queues,
);

/// A part of all names in the queue that Ada does not see.
const HIDDEN: &str = "payroll";

/// Ada sees the queue `mail`, whoever else asks sees all.
struct Staff;

impl Identify for Staff {
    fn identify<'a>(&'a self, request: &'a Parts) -> Identified<'a> {
        let user = Access::new("ada", [Scope::Admin]);
        let is_ada = request.headers.get("x-user").is_some_and(|name| name == "ada");
        let access = if is_ada { user.only_queues(["mail", "other"]) } else { Access::new("bob", [Scope::Admin]) };
        Box::pin(async move { Ok(Some(access)) })
    }
}

struct Planted {
    hidden: Vec<JobId>,
    seen: Vec<JobId>,
    mixed: BatchId,
}

async fn ask(site: &Site, method: &str, path: &str, body: &str) -> Answer {
    let headers = [("x-user", "ada"), ("content-type", "application/json")];
    site.client().send(method, path, &headers, body).await
}

fn job(job_type: &str, queue: &str) -> NewJob {
    NewJob::encode(job_type, &json!({ "of": queue })).unwrap().queue(queue)
}

/// Jobs, a schedule, limits, batches and workers of both queues.
async fn planted(site: &Site) -> Planted {
    let hidden = format!("{HIDDEN}-run");
    let enqueue = async |job: NewJob| site.queue.enqueue_job(job).await.unwrap().id;
    let first = enqueue(job(&hidden, HIDDEN)).await;
    let second = enqueue(job("send", HIDDEN)).await;
    let seen = vec![enqueue(job("send", "mail")).await, enqueue(job("send", "mail").parent(second)).await];
    let mut hidden_jobs = vec![first, second, enqueue(job("send", HIDDEN).parent(seen[0])).await];
    let mut flow = Workflow::new(format!("{HIDDEN} and mail"));
    flow.add_job(job("send", "mail"));
    flow.add_job(job(&hidden, HIDDEN));
    let mixed = site.queue.enqueue_workflow(flow).await.unwrap().batch_id.unwrap();
    let mut flow = Workflow::new("mail alone");
    flow.add_job(job("send", "mail"));
    site.queue.enqueue_workflow(flow).await.unwrap();
    for queue in [HIDDEN, "mail"] {
        let schedule = Schedule::every(format!("every {queue}"), Duration::from_secs(60));
        site.queue.schedules().add(&schedule.enqueue_job(job(&format!("{queue}-run"), queue))).await.unwrap();
        let headers = [("content-type", "application/json")];
        let limit = format!("/api/v1/limits/queues/{queue}");
        assert_eq!(site.client().send("PUT", &limit, &headers, r#"{"concurrency": 5}"#).await.status, 200);
    }
    let worker = json!({ "job_types": [hidden], "queues": [HIDDEN, "mail"], "worker_id": "http-both" });
    assert_eq!(site.post("/api/v1/workers", &worker).await.status, 201);
    let claim = json!({ "job_types": [hidden], "queues": [HIDDEN], "wait": "30s", "holds": [] });
    let claimed = site.post("/api/v1/workers/http-both/claim", &claim).await.json();
    assert_eq!(claimed["jobs"][0]["id"], json!(first));
    let failure = json!({
        "claim_number": claimed["jobs"][0]["claim_number"], "failure_type": "validation_error",
        "error_message": format!("no {HIDDEN}"),
    });
    let failed = site.post(&format!("/api/v1/workers/http-both/jobs/{first}/fail"), &failure).await;
    assert_eq!(failed.json()["outcome"], "dead_letter", "{failed:?}");
    hidden_jobs.push(enqueue(job(&hidden, HIDDEN)).await);
    Planted { hidden: hidden_jobs, seen, mixed }
}

async fn nothing_of_another_queue_is_shown_on_any_route_or_page(engine: Engine) {
    let site = Site::with(engine, |web: Web| web.users(Staff)).await;
    let Planted { hidden, seen, mixed } = planted(&site).await;
    let jobs = ask(&site, "GET", "/api/v1/jobs", "").await.json();
    assert_eq!(jobs["jobs"].as_array().unwrap().len(), 4, "{jobs}");
    let queues = ask(&site, "GET", "/api/v1/queues", "").await.json();
    assert_eq!(queues["queues"].as_array().unwrap().len(), 1, "{queues}");
    let batches = ask(&site, "GET", "/api/v1/batches", "").await.json();
    assert_eq!(
        (batches["batches"].as_array().unwrap().len(), &batches["batches"][0]["name"]),
        (1, &json!("mail alone"))
    );
    let schedules = ask(&site, "GET", "/api/v1/schedules", "").await.json();
    assert_eq!(
        (schedules["schedules"].as_array().unwrap().len(), &schedules["schedules"][0]["name"]),
        (1, &json!("every mail"))
    );
    let limits = ask(&site, "GET", "/api/v1/limits", "").await.json();
    assert_eq!((limits["limits"].as_array().unwrap().len(), &limits["limits"][0]["name"]), (1, &json!("mail")));
    assert_eq!(ask(&site, "GET", "/api/v1/dead", "").await.json()["jobs"], json!([]));
    assert_eq!(ask(&site, "GET", "/api/v1/audit", "").await.json()["entries"], json!([]));
    assert_eq!(ask(&site, "GET", "/metrics", "").await.code(), "forbidden");
    let document = site.get("/api/v1/openapi.json").await.json();
    for (path, operations) in document["paths"].as_object().unwrap() {
        for method in operations.as_object().unwrap().keys().map(|method| method.to_uppercase()) {
            if path.contains("{worker}") || path == "/api/v1/events" {
                continue;
            }
            if path.contains("{id}") && !path.contains("batches") {
                let asked = path.replace("{id}", &hidden[0].to_string());
                let answer = ask(&site, &method, &asked, &body_of(&method, path)).await;
                assert_eq!(
                    (answer.status, answer.code().as_str()),
                    (404, "job_not_found"),
                    "{method} {asked}: {answer:?}"
                );
            }
            if method != "GET" {
                continue;
            }
            let id = if path.contains("batches") { mixed.0 } else { hidden[0].0 };
            let name = if path.contains("schedules") { format!("every%20{HIDDEN}") } else { HIDDEN.to_owned() };
            let asked = path.replace("{id}", &id.to_string()).replace("{name}", &name);
            let answer = ask(&site, "GET", &asked, "").await;
            // The error repeats a name that the request has said.
            match path.contains("{name}") {
                true => assert_eq!(answer.status, 404, "{asked}: {answer:?}"),
                false => assert!(!answer.body.contains(HIDDEN), "{asked}: {answer:?}"),
            }
        }
    }
    let (_, counts) = events(&site).await;
    assert!(counts.contains("mail") && !counts.contains(HIDDEN), "{counts}");
    let is_silent = |path: &str, page: &Answer| {
        assert!(page.status < 500 && !page.body.contains(HIDDEN), "{path}: {page:?}");
    };
    let pages = site.crawl(&[("x-user", "ada")], is_silent).await;
    assert!(pages.contains(&format!("/jobs/{}", seen[1])), "{pages:?}");
    for id in &hidden {
        assert_eq!(ask(&site, "GET", &format!("/jobs/{id}"), "").await.status, 404);
    }
    assert_eq!(ask(&site, "GET", &format!("/batches/{mixed}"), "").await.status, 404);
}

fn body_of(method: &str, path: &str) -> String {
    match path {
        _ if method == "DELETE" => String::new(),
        "/api/v1/jobs/{id}/priority" => json!({ "priority": "high" }).to_string(),
        "/api/v1/jobs/{id}" => json!({ "job_data": { "a": 1 } }).to_string(),
        _ => String::new(),
    }
}

async fn events(site: &Site) -> (String, String) {
    site.client().events_of("/api/v1/events", &[("x-user", "ada")]).await.next().await.unwrap()
}

async fn nothing_of_another_queue_is_changed_by_id_or_by_filter(engine: Engine) {
    let site = Site::with(engine, |web: Web| web.users(Staff)).await;
    let Planted { hidden, seen, mixed } = planted(&site).await;
    let waiting = hidden[3];
    let post = async |path: &str, body: Value| ask(&site, "POST", path, &body.to_string()).await;
    let by_id = post("/api/v1/jobs/cancel", json!({ "ids": [waiting] })).await.json();
    assert_eq!((&by_id["touched"], &by_id["refused"][0]["reason"]), (&json!(0), &json!("not_found")));
    let counted = post("/api/v1/jobs/cancel", json!({ "filter": {}, "dry_run": true })).await.json();
    assert_eq!(counted["matching"], 4, "{counted}");
    let all = post("/api/v1/jobs/cancel", json!({ "filter": { "queue": [HIDDEN, "mail"] } })).await.json();
    assert_eq!(all["touched"], 4, "{all}");
    let discarded = post("/api/v1/dead/discard", json!({ "filter": {} })).await.json();
    assert_eq!(discarded["touched"], 0, "{discarded}");
    let status = async |id| site.queue.job(id).await.unwrap().unwrap().job.status;
    assert_eq!((status(waiting).await, status(hidden[0]).await), (Status::Pending, Status::DeadLetter));
    assert_eq!(status(seen[0]).await, Status::Cancelled);
    let forbidden = [
        ("/api/v1/jobs".to_owned(), json!({ "job_type": "send", "queue": HIDDEN })),
        (
            "/api/v1/jobs".to_owned(),
            json!([{ "job_type": "send", "queue": "mail" }, { "job_type": "send", "queue": HIDDEN }]),
        ),
        (
            "/api/v1/jobs".to_owned(),
            json!({ "job_type": "send", "queue": "mail", "unique_key": "k", "on_duplicate": "replace" }),
        ),
        (format!("/api/v1/queues/{HIDDEN}/pause"), json!({})),
    ];
    for (path, body) in forbidden {
        let answer = post(&path, body).await;
        assert_eq!((answer.status, answer.code().as_str()), (403, "forbidden"), "{path}: {answer:?}");
    }
    for (method, path) in [("PUT", "queues/payroll"), ("DELETE", "queues/payroll"), ("PUT", "types/send")] {
        let body = if method == "PUT" { r#"{"concurrency": 1}"# } else { "" };
        let answer = ask(&site, method, &format!("/api/v1/limits/{path}"), body).await;
        assert_eq!(answer.status, 403, "{method} {path}: {answer:?}");
    }
    let parent = post("/api/v1/jobs", json!({ "job_type": "send", "queue": "mail", "parent_job_id": waiting })).await;
    assert_eq!(parent.code(), "unknown_parent", "{parent:?}");
    let lines = [("x-user", "ada"), ("content-type", "application/x-ndjson")];
    let line = format!("{{\"job_type\": \"send\", \"queue\": \"{HIDDEN}\"}}");
    assert_eq!(site.client().send("POST", "/api/v1/jobs", &lines, &line).await.status, 422);
    for action in ["retry", "cancel", "close"] {
        assert_eq!(post(&format!("/api/v1/batches/{mixed}/{action}"), json!({})).await.code(), "batch_not_found");
    }
    assert_eq!(
        post(&format!("/api/v1/batches/{mixed}/signals"), json!({ "name": "a" })).await.code(),
        "batch_not_found"
    );
    for action in ["run", "resume"] {
        let answer = post(&format!("/api/v1/schedules/every%20{HIDDEN}/{action}"), json!({})).await;
        assert_eq!(answer.code(), "schedule_not_found", "{action}");
    }
    let moved =
        ask(&site, "PATCH", &format!("/api/v1/jobs/{}", seen[0]), &json!({ "queue": HIDDEN }).to_string()).await;
    assert_eq!(moved.status, 403, "{moved:?}");
    // What Ada has done is in her trail, and Bob sees both.
    let trail = ask(&site, "GET", "/api/v1/audit?limit=1000", "").await.json();
    assert!(trail["entries"].as_array().unwrap().iter().all(|entry| entry["actor"] == "ada"), "{trail}");
    assert_eq!(ask(&site, "GET", "/api/v1/audit?actor=bob", "").await.json()["entries"], json!([]));
    assert_ne!(site.get("/api/v1/audit?actor=bob").await.json()["entries"], json!([]));
}

async fn a_worker_over_http_claims_from_the_queues_of_its_user_alone(engine: Engine) {
    let site = Site::with(engine, |web: Web| web.users(Staff)).await;
    let Planted { seen, .. } = planted(&site).await;
    let post = async |path: &str, body: Value| ask(&site, "POST", path, &body.to_string()).await;
    let named = post("/api/v1/workers", json!({ "job_types": ["send"], "queues": [HIDDEN] })).await;
    assert_eq!(named.code(), "forbidden", "{named:?}");
    let worker =
        post("/api/v1/workers", json!({ "job_types": ["send", "payroll-run"], "worker_id": "http-ada" })).await;
    assert_eq!(worker.status, 201, "{worker:?}");
    let claim = json!({ "job_types": ["send", "payroll-run"], "limit": 10, "wait": "30s", "holds": [] });
    let claimed = post("/api/v1/workers/http-ada/claim", claim.clone()).await.json();
    let ids: BTreeSet<i64> =
        claimed["jobs"].as_array().unwrap().iter().map(|job| job["id"].as_i64().unwrap()).collect();
    assert!(ids.contains(&seen[0].0), "{claimed}");
    assert!(claimed["jobs"].as_array().unwrap().iter().all(|job| job["queue"] == "mail"), "{claimed}");
    // The worker of others may hold their jobs.
    for (method, path) in [("POST", "/claim"), ("POST", "/heartbeat"), ("DELETE", "")] {
        let body = match path {
            "/claim" => claim.to_string(),
            "/heartbeat" => json!({ "jobs": [] }).to_string(),
            _ => String::new(),
        };
        let answer = ask(&site, method, &format!("/api/v1/workers/http-both{path}"), &body).await;
        assert_eq!(answer.code(), "not_a_worker", "{method} {path}");
    }
    let taken = post("/api/v1/workers", json!({ "job_types": ["send"], "worker_id": "http-both" })).await;
    assert_eq!(taken.code(), "not_a_worker", "{taken:?}");
}

async fn a_token_may_be_for_some_queues(engine: Engine) {
    let site = Site::with(engine, Web::tokens).await;
    let secret = Secret::random().unwrap();
    let scopes = vec!["operate".to_owned(), queue_word("mail"), queue_word("a b")];
    let token = NewToken { name: "ada".to_owned(), hash: secret.hash(), scopes };
    assert!(site.queue.backend().add_token(token).await.unwrap());
    let mut ids = Vec::new();
    for queue in [HIDDEN, "mail", "a b"] {
        ids.push(site.queue.enqueue_job(job("send", queue)).await.unwrap().id);
    }
    let authorization = format!("Bearer {}", secret.as_str());
    let get = async |path: &str| site.client().send("GET", path, &[("authorization", &authorization)], "").await;
    let list = get("/api/v1/jobs").await.json();
    let listed: Vec<i64> = list["jobs"].as_array().unwrap().iter().map(|job| job["id"].as_i64().unwrap()).collect();
    assert_eq!(listed, [ids[2].0, ids[1].0]);
    assert_eq!(get(&format!("/api/v1/jobs/{}", ids[0])).await.status, 404);
}
