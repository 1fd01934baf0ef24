//! How it shows that it lives, and what it reports.

use std::time::Duration;

use serde_json::json;

use super::{Worker, detail, held};
use crate::on_both;
use crate::site::{Engine, Site};

on_both!(
    a_worker_registers_claims_completes_and_retires,
    a_heartbeat_stores_progress_and_log_and_tells_of_a_cancellation,
    a_job_whose_time_is_over_is_told_so,
    a_worker_goes_on_through_another_server,
);

async fn a_worker_registers_claims_completes_and_retires(engine: Engine) {
    let site = Site::open(engine).await;
    let id = site.enqueue("a").await;
    site.enqueue("b").await;
    let worker = site.worker().await;
    let listed = site.get("/api/v1/workers").await.json()["workers"][0].clone();
    assert_eq!((&listed["worker_id"], &listed["host"], &listed["pid"]), (&json!(worker.id), &json!("here"), &json!(7)));
    assert_eq!(listed["is_alive"], true);

    let job = worker.claim().await;
    assert_eq!((&job["id"], &job["job_type"], &job["job_data"]), (&json!(id), &json!("a"), &json!({ "n": 1 })));
    assert_eq!((&job["attempt"], &job["runs_alone"], &job["queue"]), (&json!(1), &json!(false), &json!("default")));
    assert_eq!(site.get("/api/v1/workers").await.json()["workers"][0]["running"][0]["id"], json!(id));

    let result = json!({ "exact": 9_007_199_254_740_993_u64 });
    assert_eq!(worker.ended(&job, "complete", json!({ "result": result, "log": "done\n" })).await, "completed");
    let ended = detail(&site, &job).await;
    assert_eq!((&ended["status"], &ended["result"]), (&json!("completed"), &result));
    let log = site.get(&format!("/api/v1/jobs/{id}/logs")).await.json();
    assert_eq!(log["entries"][0]["text"], "done\n");

    site.enqueue("a").await;
    let left = worker.claim().await;
    let retired = site.client().send("DELETE", &format!("/api/v1/workers/{}", worker.id), &[], "").await;
    assert_eq!(retired.status, 200, "{retired:?}");
    let given_back = detail(&site, &left).await;
    assert_eq!((&given_back["status"], &given_back["retry_count"]), (&json!("pending"), &json!(0)));
    assert_eq!(site.get("/api/v1/workers").await.json()["workers"], json!([]));
    let gone = worker.post("claim", &json!({ "job_types": ["a"], "holds": [] })).await;
    assert_eq!((gone.status, gone.code()), (410, "worker_gone".to_owned()));
}

async fn a_heartbeat_stores_progress_and_log_and_tells_of_a_cancellation(engine: Engine) {
    let site = Site::open(engine).await;
    let worker = site.worker().await;
    site.enqueue("a").await;
    let job = worker.claim().await;
    let nothing = json!({ "lost": [], "cancelled": [], "timed_out": [] });
    for (fraction, text) in [(0.25, "one\n"), (0.5, "two\n")] {
        let mut news = held(&job);
        (news["progress"], news["message"], news["log"]) = (json!(fraction), json!("pages"), json!(text));
        assert_eq!(worker.heartbeat(vec![news]).await, nothing);
    }
    let found = detail(&site, &job).await;
    assert_eq!((&found["progress"], &found["progress_message"]), (&json!(0.5), &json!("pages")));
    let log = site.get(&format!("/api/v1/jobs/{}/logs", job["id"])).await.json();
    let text: String = log["entries"].as_array().unwrap().iter().map(|entry| entry["text"].as_str().unwrap()).collect();
    assert_eq!(text, "one\ntwo\n");
    site.post(&format!("/api/v1/jobs/{}/cancel", job["id"]), &json!({})).await;
    assert_eq!(worker.heartbeat(vec![held(&job)]).await["cancelled"], json!([job["id"]]));
    assert_eq!(worker.ended(&job, "fail", json!({ "failure_type": "network_error" })).await, "cancelled");
    assert_eq!(worker.heartbeat(Vec::new()).await, nothing);
}

async fn a_job_whose_time_is_over_is_told_so(engine: Engine) {
    let site = Site::open(engine).await;
    let worker = site.worker().await;
    site.post("/api/v1/jobs", &json!({ "job_type": "a", "timeout": "1ms" })).await;
    let job = worker.claim().await;
    assert_eq!(job["timeout_seconds"], json!(0.001));
    tokio::time::sleep(Duration::from_millis(5)).await;
    assert_eq!(worker.heartbeat(vec![held(&job)]).await["timed_out"], json!([job["id"]]));
    let failed = json!({ "failure_type": "worker_error", "error_message": "stopped at page 3" });
    assert_eq!(worker.ended(&job, "fail", failed).await, "retrying");
    let found = detail(&site, &job).await;
    assert_eq!(
        (&found["failure_type"], &found["last_error_traceback"]),
        (&json!("timeout_error"), &json!("stopped at page 3"))
    );
}

async fn a_worker_goes_on_through_another_server(engine: Engine) {
    let mut site = Site::open(engine).await;
    site.enqueue("a").await;
    let (worker_id, job) = {
        let worker = site.worker().await;
        let job = worker.claim().await;
        let mut news = held(&job);
        news["log"] = json!("before\n");
        worker.heartbeat(vec![news]).await;
        (worker.id.clone(), job)
    };
    site.restart().await;
    let worker = Worker { site: &site, id: worker_id };
    let mut news = held(&job);
    news["log"] = json!("after\n");
    assert_eq!(worker.heartbeat(vec![news]).await["lost"], json!([]));
    assert_eq!(worker.claim_with(1, "0s", &[]).await, vec![job.clone()], "what it does not name is given again");
    assert_eq!(worker.ended(&job, "complete", json!({ "log": "end\n" })).await, "completed");
    let log = site.get(&format!("/api/v1/jobs/{}/logs", job["id"])).await.json();
    let text: String = log["entries"].as_array().unwrap().iter().map(|entry| entry["text"].as_str().unwrap()).collect();
    assert_eq!(text, "before\nafter\nend\n");
    assert_eq!(detail(&site, &job).await["crash_count"], 0);
}
