//! How its attempts end.

use longshore_core::ClaimNumber;
use serde_json::{Value, json};

use super::{detail, held};
use crate::on_both;
use crate::site::{Engine, Site};

on_both!(
    a_failure_is_decided_as_inside,
    an_end_may_be_repeated_and_no_other_one_may_follow,
    a_wrong_claim_number_writes_nothing,
    a_checkpoint_and_a_step_are_there_for_the_next_attempt,
);

async fn a_failure_is_decided_as_inside(engine: Engine) {
    let site = Site::open(engine).await;
    let worker = site.worker().await;
    let failed =
        |failure_type: &str| json!({ "failure_type": failure_type, "error_message": "no route", "traceback": "at 7" });
    site.enqueue("a").await;
    let job = worker.claim().await;
    assert_eq!(worker.ended(&job, "fail", failed("network_error")).await, "retrying");
    let found = detail(&site, &job).await;
    assert_eq!((&found["retry_count"], &found["error_message"]), (&json!(1), &json!("no route")));
    assert_eq!((&found["failure_type"], &found["last_error_traceback"]), (&json!("network_error"), &json!("at 7")));
    // Otherwise its retry would come among the claims below on a slow machine.
    assert_eq!(site.post(&format!("/api/v1/jobs/{}/cancel", job["id"]), &json!({})).await.status, 200);

    site.enqueue("a").await;
    let job = worker.claim().await;
    assert_eq!(worker.ended(&job, "fail", failed("validation_error")).await, "dead_letter");
    let mut later = failed("validation_error");
    later["retry_after"] = json!("2h");
    site.enqueue("a").await;
    let job = worker.claim().await;
    assert_eq!(worker.ended(&job, "fail", later).await, "retrying", "the worker chose to retry");

    site.enqueue("a").await;
    let job = worker.claim().await;
    assert_eq!(worker.ended(&job, "snooze", json!({ "delay": "1h" })).await, "deferred");
    assert_eq!(detail(&site, &job).await["retry_count"], 0);
    site.enqueue("a").await;
    let job = worker.claim().await;
    assert_eq!(worker.ended(&job, "return", json!({})).await, "returned");
    let again = worker.claim().await;
    assert_eq!((&again["id"], &again["attempt"]), (&job["id"], &json!(1)));
    assert_eq!(worker.ended(&again, "fail", json!({ "rate_limited": "1h" })).await, "deferred");
    site.enqueue("a").await;
    assert_eq!(worker.claim_with(1, "0s", &[]).await.len(), 0, "the type is closed for an hour");
    let both = worker.end(&again, "fail", json!({ "rate_limited": "1h", "retry_after": "1s" })).await;
    assert_eq!(both.status, 400);
}

async fn an_end_may_be_repeated_and_no_other_one_may_follow(engine: Engine) {
    let site = Site::open(engine).await;
    let worker = site.worker().await;
    site.enqueue("a").await;
    let job = worker.claim().await;
    for result in [1, 1, 2] {
        assert_eq!(worker.ended(&job, "complete", json!({ "result": result })).await, "completed");
    }
    assert_eq!(detail(&site, &job).await["result"], 1, "the first one stands");
    let other = worker.end(&job, "fail", json!({ "failure_type": "network_error" })).await;
    assert_eq!((other.status, other.code()), (409, "attempt_ended".to_owned()));
    site.enqueue("a").await;
    let job = worker.claim().await;
    for _ in 0..2 {
        assert_eq!(worker.ended(&job, "fail", json!({ "retry_after": "0s" })).await, "retrying");
    }
    // It runs again, under another claim; the old one still answers the same.
    let again = worker.claim().await;
    assert_eq!((&again["id"], &again["attempt"]), (&job["id"], &json!(2)));
    assert_eq!(worker.ended(&job, "fail", json!({})).await, "retrying");
    assert_eq!(worker.end(&job, "complete", json!({})).await.code(), "attempt_ended");
    assert_eq!(detail(&site, &job).await["status"], "running");
    assert_eq!(worker.ended(&again, "complete", json!({})).await, "completed");
}

async fn a_wrong_claim_number_writes_nothing(engine: Engine) {
    let site = Site::open(engine).await;
    let (worker, other) = (site.worker().await, site.worker().await);
    site.enqueue("a").await;
    let mut job = worker.claim().await;
    for (how, body) in
        [("complete", json!({})), ("fail", json!({})), ("return", json!({})), ("checkpoint", json!({ "value": 1 }))]
    {
        let stolen = other.end(&job, how, body.clone()).await;
        assert_eq!((stolen.status, stolen.code()), (409, "lease_lost".to_owned()), "{how}");
        let mut wrong = job.clone();
        wrong["claim_number"] = json!(job["claim_number"].as_i64().unwrap() + 1);
        let wrong = worker.end(&wrong, how, body).await;
        assert_eq!((wrong.status, wrong.code()), (409, "lease_lost".to_owned()), "{how}");
    }
    assert_eq!(detail(&site, &job).await["status"], "running");
    let lost = other.heartbeat(vec![held(&job)]).await;
    assert_eq!(lost, json!({ "lost": [job["id"]], "cancelled": [], "timed_out": [] }));
    job["id"] = json!(999);
    assert_eq!(worker.end(&job, "complete", json!({})).await.status, 404);
}

async fn a_checkpoint_and_a_step_are_there_for_the_next_attempt(engine: Engine) {
    let site = Site::open(engine).await;
    let worker = site.worker().await;
    site.enqueue("a").await;
    let job = worker.claim().await;
    assert_eq!(job["checkpoint"], Value::Null);
    let step = |job: &Value| format!("jobs/{}/steps/charge?claim_number={}", job["id"], job["claim_number"]);
    let missing = site.get(&worker.path(&step(&job))).await;
    assert_eq!((missing.status, missing.code()), (404, "not_found".to_owned()));
    let stored = worker.end(&job, "checkpoint", json!({ "value": { "page": 4 } })).await;
    assert_eq!(stored.status, 200, "{stored:?}");
    assert_eq!(worker.end(&job, "checkpoint", json!({ "value": "r-1", "step": "charge" })).await.status, 200);
    let large = worker.end(&job, "checkpoint", json!({ "value": "x".repeat(65 * 1024) })).await;
    assert_eq!((large.status, large.code()), (422, "invalid_checkpoint".to_owned()));
    worker.ended(&job, "fail", json!({ "retry_after": "0s" })).await;
    let again = worker.claim().await;
    assert_eq!(again["checkpoint"], json!({ "page": 4 }));
    assert_eq!(site.get(&worker.path(&step(&again))).await.json(), json!({ "step": "charge", "result": "r-1" }));
    assert_eq!(site.get(&worker.path(&step(&job))).await.status, 409);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_type_is_retried_by_the_policy_of_the_server() {
    let policy = || longshore::handler::HandlerPolicy::default().max_retries(0);
    let site = Site::with(Engine::Sqlite, |web| {
        web.open_to_everyone().policies(move |job_type| (job_type == "a").then(policy))
    })
    .await;
    let worker = site.worker().await;
    // As plain SQL inserts it, without settings of its own.
    let id = site.enqueue("a").await;
    let job = worker.claim().await;
    assert_eq!(worker.ended(&job, "fail", json!({ "failure_type": "network_error" })).await, "dead_letter");
    assert_eq!(job["claim_number"], json!(ClaimNumber(1)));
    assert_eq!(detail(&site, &job).await["id"], json!(id));
}
