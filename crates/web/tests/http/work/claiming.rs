//! What a worker over HTTP gets.

use std::time::Duration;

use longshore_core::{JobId, NewJob};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;

use super::{LONG, Worker, detail};
use crate::on_both;
use crate::site::{Engine, Site};

on_both!(
    a_claim_waits_for_a_job_and_gets_it_at_once,
    a_claim_that_finds_nothing_ends_with_its_wait,
    a_claim_whose_answer_was_lost_is_repeated,
    a_client_that_hangs_up_gets_no_lease,
    a_second_claim_ends_the_first_one,
    a_job_that_may_have_killed_its_worker_comes_alone,
    a_job_brings_along_what_it_waited_for,
    limits_and_pauses_hold_for_workers_over_http,
);

/// Waits until the job has this status.
async fn until(site: &Site, id: JobId, status: &str) {
    let begun = std::time::Instant::now();
    loop {
        let found = site.get(&format!("/api/v1/jobs/{id}")).await.json();
        if found["status"] == status {
            return;
        }
        assert!(begun.elapsed() < Duration::from_secs(60), "{found}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn a_claim_waits_for_a_job_and_gets_it_at_once(engine: Engine) {
    let site = Site::open(engine).await;
    let worker = site.worker().await;
    let (jobs, id) = tokio::join!(worker.claim_with(5, LONG, &[]), async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        site.enqueue("a").await
    });
    assert_eq!(jobs.len(), 1);
    assert_eq!(jobs[0]["id"], json!(id));
}

async fn a_claim_that_finds_nothing_ends_with_its_wait(engine: Engine) {
    let site = Site::open(engine).await;
    site.enqueue("b").await;
    let worker = site.worker().await;
    assert_eq!(worker.claim_with(1, "0s", &[]).await, Vec::<Value>::new());
    assert_eq!(worker.claim_with(1, "30ms", &[]).await, Vec::<Value>::new());
}

async fn a_claim_whose_answer_was_lost_is_repeated(engine: Engine) {
    let site = Site::open(engine).await;
    for _ in 0..3 {
        site.enqueue("a").await;
    }
    let worker = site.worker().await;
    let first = worker.claim_with(2, LONG, &[]).await;
    assert_eq!(worker.claim_with(2, LONG, &[]).await, first, "it holds these and does not know of them");
    assert_eq!(worker.claim_with(2, LONG, &[&first[0]]).await, first[1..]);
    let next = worker.claim_with(2, LONG, &[&first[0], &first[1]]).await;
    assert_eq!(next.len(), 1);
    assert!(next[0]["id"].as_i64() > first[1]["id"].as_i64());
}

async fn a_client_that_hangs_up_gets_no_lease(engine: Engine) {
    let site = Site::open(engine).await;
    let worker = site.worker().await;
    let body = json!({ "job_types": ["a"], "wait": LONG, "holds": [] }).to_string();
    let head = format!("POST {} HTTP/1.1\r\nhost: {}\r\n", worker.path("claim"), site.address);
    let head = format!("{head}content-type: application/json\r\ncontent-length: {}\r\n\r\n", body.len());
    let mut stream = site.client().connect().await;
    stream.write_all(format!("{head}{body}").as_bytes()).await.unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    drop(stream);
    tokio::time::sleep(Duration::from_millis(100)).await;
    let id = site.enqueue("a").await;
    // Nobody holds it for a whole lease: another worker gets it.
    let other = site.worker().await;
    assert_eq!(other.claim().await["id"], json!(id));
}

async fn a_second_claim_ends_the_first_one(engine: Engine) {
    let site = Site::open(engine).await;
    let worker = site.worker().await;
    let first = worker.claim_with(1, LONG, &[]);
    let second = async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        worker.claim_with(1, "10ms", &[]).await
    };
    let (first, second) = tokio::join!(first, second);
    assert_eq!((first.len(), second.len()), (0, 0));
}

/// A worker says nothing for its whole lease, and the job goes to another one that holds nothing.
async fn a_job_that_may_have_killed_its_worker_comes_alone(engine: Engine) {
    let site = Site::open(engine).await;
    let short = json!({ "job_types": ["a"], "lease": "1s" });
    let silent = site.post("/api/v1/workers", &short).await.json()["worker_id"].as_str().unwrap().to_owned();
    let silent = Worker { site: &site, id: silent };
    let id = site.enqueue("a").await;
    silent.claim().await;
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let house = longshore::Worker::new(&site.queue);
    let house = tokio::spawn(async move {
        house
            .keep_house(async {
                let _ = stopped.await;
            })
            .await
    });
    until(&site, id, "pending").await;
    assert_eq!(silent.post("heartbeat", &json!({ "jobs": [] })).await.status, 410);
    for _ in 0..2 {
        site.enqueue("a").await;
    }
    let worker = site.worker().await;
    let jobs = worker.claim_with(3, LONG, &[]).await;
    assert_eq!(jobs.len(), 1, "{jobs:?}");
    assert_eq!((&jobs[0]["id"], &jobs[0]["runs_alone"]), (&json!(id), &json!(true)));
    assert_eq!(worker.claim_with(3, "10ms", &[&jobs[0]]).await.len(), 0, "nothing runs beside it");
    assert_eq!(detail(&site, &jobs[0]).await["crash_count"], 1);
    worker.ended(&jobs[0], "complete", json!({})).await;
    assert_eq!(worker.claim_with(3, LONG, &[]).await.len(), 2);
    stop.send(()).unwrap();
    house.await.unwrap().unwrap();
}

async fn a_job_brings_along_what_it_waited_for(engine: Engine) {
    let site = Site::open(engine).await;
    let worker = site.worker().await;
    let first = site.enqueue("a").await;
    let second = NewJob::encode("a", &json!({})).unwrap().parent(first);
    site.queue.enqueue_job(second).await.unwrap();
    let parent = worker.claim().await;
    worker.ended(&parent, "complete", json!({ "result": { "path": "/x" } })).await;
    let child = worker.claim().await;
    let name = first.to_string();
    assert_eq!(child["dependencies"][&name]["result"], json!({ "path": "/x" }), "{child}");
}

async fn limits_and_pauses_hold_for_workers_over_http(engine: Engine) {
    let site = Site::open(engine).await;
    let subject = longshore::limits::LimitSubject::Type("a".to_owned());
    let rule = longshore::limits::LimitRule { concurrency: Some(2), ..Default::default() };
    let applied = longshore_core::ApplyLimits { rules: vec![(subject, Some(rule))] };
    site.queue.backend().apply_limits(applied).await.unwrap();
    for _ in 0..4 {
        site.enqueue("a").await;
    }
    let worker = site.worker().await;
    let jobs = worker.claim_with(4, LONG, &[]).await;
    assert_eq!(jobs.len(), 2);
    assert_eq!(worker.claim_with(4, "0s", &[&jobs[0], &jobs[1]]).await.len(), 0);
    site.post("/api/v1/queues/default/pause", &json!({})).await;
    worker.ended(&jobs[0], "complete", json!({})).await;
    assert_eq!(worker.claim_with(4, "0s", &[&jobs[1]]).await.len(), 0, "the queue is paused");
    site.post("/api/v1/queues/default/resume", &json!({})).await;
    assert_eq!(worker.claim_with(4, LONG, &[&jobs[1]]).await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shutdown_ends_claims_that_wait() {
    let site = Site::open(Engine::Sqlite).await;
    let worker = site.worker().await;
    let (path, client) = (worker.path("claim"), site.client());
    let waiting = tokio::spawn(async move {
        let body = json!({ "job_types": ["a"], "wait": LONG, "holds": [] }).to_string();
        client.send("POST", &path, &[("content-type", "application/json")], &body).await
    });
    // Until it waits.
    tokio::time::sleep(Duration::from_millis(100)).await;
    let begun = std::time::Instant::now();
    site.stop().await.unwrap();
    assert!(begun.elapsed() < Duration::from_secs(30), "a shutdown does not wait for the minute of a claim");
    let answer = waiting.await.unwrap();
    assert_eq!((answer.status, answer.json()), (200, json!({ "jobs": [] })));
}
