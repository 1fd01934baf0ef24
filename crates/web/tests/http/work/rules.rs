//! What it may do and send.

use longshore_web::{Scope, Web};
use serde_json::{Value, json};

use super::detail;
use crate::on_both;
use crate::site::{Engine, Site};

on_both!(everything_that_a_worker_sends_is_bounded,);

async fn everything_that_a_worker_sends_is_bounded(engine: Engine) {
    let site = Site::open(engine).await;
    let worker = site.worker().await;
    let names: Vec<String> = (0..1001).map(|number| format!("t{number}")).collect();
    let held: Vec<Value> = (1..=1001).map(|id| json!({ "id": id, "claim_number": 1 })).collect();
    for body in [
        json!({ "job_types": [], "holds": [] }),
        json!({ "job_types": names, "holds": [] }),
        json!({ "job_types": ["a"], "queues": names, "holds": [] }),
        json!({ "job_types": ["a"], "holds": held }),
        json!({ "job_types": ["a"], "holds": [], "limit": 101 }),
        json!({ "job_types": ["a"], "holds": [], "limit": 0 }),
        json!({ "job_types": ["a"], "holds": [], "wait": "61s" }),
    ] {
        let answer = worker.post("claim", &body).await;
        assert_eq!((answer.status, answer.code()), (400, "invalid_request".to_owned()), "{body}");
    }
    for body in
        [json!({ "job_types": ["a"] }), json!({ "holds": [] }), json!({ "job_types": ["a"], "holds": [], "x": 1 })]
    {
        assert_eq!(worker.post("claim", &body).await.status, 422, "{body}");
    }
    assert_eq!(worker.post("heartbeat", &json!({ "jobs": held })).await.status, 400);
    for (progress, status) in [(5.0, 400), (-1.0, 400), (0.0, 200), (1.000_000_1, 200)] {
        let body = json!({ "jobs": [{ "id": 1, "claim_number": 1, "progress": progress }] });
        assert_eq!(worker.post("heartbeat", &body).await.status, status, "{progress}");
    }
    assert_eq!(worker.post("heartbeat", &json!({ "jobs": [[1, 1]] })).await.status, 422);
    assert_eq!(worker.post("claim", &json!({ "job_types": ["a"], "holds": [[1, 1]] })).await.status, 422);
    for body in [
        json!({ "job_types": ["a"], "lease": "500ms" }),
        json!({ "job_types": ["a"], "lease": "2h" }),
        json!({ "job_types": ["a"], "concurrency": 0 }),
        json!({ "job_types": ["a"], "host": "h".repeat(201) }),
        json!({ "job_types": ["a"], "worker_id": "a1B2c3D4e5F" }),
    ] {
        assert_eq!(site.post("/api/v1/workers", &body).await.status, 400, "{body}");
    }
    let control = site.post("/api/v1/workers", &json!({ "job_types": ["a\nb"] })).await;
    assert_eq!((control.status, control.code()), (422, "invalid_job".to_owned()));
    let unknown = site.post("/api/v1/workers/a1B2c3D4e5F/claim", &json!({ "job_types": ["a"], "holds": [] })).await;
    assert_eq!((unknown.status, unknown.code()), (404, "not_a_worker".to_owned()));
    let message = json!({ "failure_type": "validation_error", "error_message": "ä".repeat(20_000) });
    site.enqueue("a").await;
    let job = worker.claim().await;
    worker.ended(&job, "fail", message).await;
    assert_eq!(detail(&site, &job).await["error_message"].as_str().unwrap().len(), 16 * 1024);
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_scope_work_may_work_and_it_may_do_nothing_else() {
    let site = Site::with(Engine::Sqlite, Web::tokens).await;
    let bearer = |token: &str| format!("Bearer {token}");
    let work = bearer(&site.token("worker", &[Scope::Work]).await);
    let operate = bearer(&site.token("operator", &[Scope::Operate, Scope::Enqueue]).await);
    let body = json!({ "job_types": ["a"] }).to_string();
    let send = async |token: &str, method: &str, path: &str, body: &str| {
        let headers = [("content-type", "application/json"), ("authorization", token)];
        site.client().send(method, path, &headers, body).await
    };
    assert_eq!(send(&operate, "POST", "/api/v1/workers", &body).await.status, 403);
    let registered = send(&work, "POST", "/api/v1/workers", &body).await;
    assert_eq!(registered.status, 201);
    assert_eq!(send(&work, "GET", "/api/v1/jobs", "").await.status, 403);
    assert_eq!(send(&work, "POST", "/api/v1/jobs", &json!({ "job_type": "a" }).to_string()).await.status, 403);
    let read_only = Site::with(Engine::Sqlite, |web| web.open_to_everyone().read_only()).await;
    assert_eq!(read_only.post("/api/v1/workers", &json!({ "job_types": ["a"] })).await.status, 403);
}
