use std::collections::BTreeSet;

use longshore::Payload;
use longshore::workflow::Workflow;
use longshore_core::{BatchId, JobId, NewJob, Status};
use longshore_web::{Scope, Web};
use serde_json::{Value, json};

use crate::on_both;
use crate::site::{Engine, Fails, Site};

on_both!(
    a_limit_is_set_listed_in_pages_and_unset,
    a_limit_that_makes_no_sense_is_refused_with_a_sentence,
    a_batch_is_listed_and_shown_with_what_its_jobs_wait_for,
    members_of_a_batch_are_retried_and_cancelled,
    the_first_signal_of_a_name_counts,
);

async fn put(site: &Site, path: &str, body: &Value) -> crate::client::Answer {
    site.client().send("PUT", path, &[("content-type", "application/json")], &body.to_string()).await
}

async fn a_limit_is_set_listed_in_pages_and_unset(engine: Engine) {
    let site = Site::open(engine).await;
    let rule = json!({ "concurrency": 3, "rate": "10/1m", "burst": 2, "key": "/t", "key_concurrency": 1, "weights": { "a": 3 } });
    let set = put(&site, "/api/v1/limits/types/sync%2Fall", &rule).await;
    assert_eq!(set.status, 200, "{set:?}");
    let set = set.json();
    assert_eq!((&set["scope"], &set["name"], &set["changed"]), (&json!("type"), &json!("sync/all"), &json!(true)));
    assert_eq!((&set["limits"][0]["source"], &set["limits"][0]["rate"]), (&json!("manual"), &json!("10/1m")));
    put(&site, "/api/v1/limits/queues/api", &json!({ "concurrency": 20 })).await;
    put(&site, "/api/v1/limits/queues/slow", &json!({ "concurrency": 1 })).await;
    site.queue.enqueue_job(NewJob::encode("sync/all", &json!({ "t": "b" })).unwrap()).await.unwrap();
    let (mut seen, mut after) = (Vec::new(), String::new());
    loop {
        let page = site.get(&format!("/api/v1/limits?limit=1&after={after}")).await.json();
        seen.extend(
            page["limits"]
                .as_array()
                .unwrap()
                .iter()
                .map(|row| (row["scope"].as_str().unwrap().to_owned(), row["name"].as_str().unwrap().to_owned())),
        );
        let Value::String(next) = &page["next"] else { break };
        after = next.bytes().map(|byte| format!("%{byte:02X}")).collect();
    }
    let expected = [("queue", "api"), ("queue", "slow"), ("type", "sync/all"), ("key", "sync/all")];
    assert_eq!(seen, expected.map(|(scope, name)| (scope.to_owned(), name.to_owned())));
    assert_eq!(site.get("/api/v1/limits?saturated=true").await.json()["limits"], json!([]));
    let unset = site.client().send("DELETE", "/api/v1/limits/queues/slow", &[], "").await.json();
    assert_eq!((&unset["changed"], &unset["limits"]), (&json!(true), &json!([])));
    assert_eq!(site.get("/api/v1/limits/queues/slow").await.code(), "limit_not_found");
    assert_eq!(site.get("/api/v1/limits/types/sync%2Fall").await.json()["limits"].as_array().unwrap().len(), 2);
}

async fn a_limit_that_makes_no_sense_is_refused_with_a_sentence(engine: Engine) {
    let site = Site::open(engine).await;
    let nothing = put(&site, "/api/v1/limits/types/sync", &json!({})).await;
    assert_eq!((nothing.status, nothing.code().as_str()), (422, "invalid_limit"), "{nothing:?}");
    let of_queue = put(&site, "/api/v1/limits/queues/api", &json!({ "rate": "5/1s" })).await;
    assert!(of_queue.json()["error"]["message"].as_str().unwrap().contains("a queue has no rate"), "{of_queue:?}");
    assert_eq!(put(&site, "/api/v1/limits/types/sync", &json!({ "concurency": 5 })).await.code(), "invalid_body");
    assert_eq!(site.get("/api/v1/limits?after=here").await.status, 400);
    assert_eq!(site.get("/api/v1/limits").await.json(), json!({ "limits": [], "next": null }));
}

/// Two steps and a callback.
async fn flow(site: &Site, name: &str) -> (BatchId, JobId) {
    let mut flow = Workflow::new(name);
    let first = flow.add_job(Fails {}.to_job().unwrap()).named("first");
    flow.add_job(NewJob::encode("second", &json!({})).unwrap()).after(first);
    let enqueued = site.queue.enqueue_workflow(flow).await.unwrap();
    (enqueued.batch_id.unwrap(), enqueued.ids["first"])
}

async fn a_batch_is_listed_and_shown_with_what_its_jobs_wait_for(engine: Engine) {
    let site = Site::open(engine).await;
    let (older, _) = flow(&site, "older").await;
    let (id, first) = flow(&site, "import 42").await;
    let page = site.get("/api/v1/batches?limit=1").await.json();
    assert_eq!((&page["batches"][0]["name"], &page["next"]), (&json!("import 42"), &json!(id.to_string())));
    let page = site.get(&format!("/api/v1/batches?limit=1&after={id}")).await.json();
    assert_eq!((&page["batches"][0]["batch_id"], &page["next"]), (&json!(older), &Value::Null));
    let shown = site.get(&format!("/api/v1/batches/{id}?limit=1")).await.json();
    assert_eq!((&shown["status"], &shown["members"], &shown["has_more"]), (&json!("running"), &json!(2), &json!(true)));
    assert_eq!(shown["next"], json!(first));
    let blocked = site.get(&format!("/api/v1/batches/{id}?status=blocked,running&limit=1")).await.json();
    assert_eq!(blocked["jobs"].as_array().unwrap().len(), 1);
    assert_eq!((&blocked["jobs"][0]["status"], &blocked["next"]), (&json!("blocked"), &Value::Null));
    assert_eq!(site.get(&format!("/api/v1/batches/{id}?status=dead_letter")).await.json()["jobs"], json!([]));
    assert_eq!(site.get(&format!("/api/v1/batches/{id}?status=lost")).await.status, 400);
    let rest = site.get(&format!("/api/v1/batches/{id}?after={first}")).await.json();
    let waits = &rest["jobs"][0]["dependencies"][0];
    assert_eq!(
        (&waits["job_id"], &waits["state"], &rest["has_more"]),
        (&json!(first), &json!("waiting"), &json!(false))
    );
    let document = site.get("/api/v1/openapi.json").await.json();
    for (name, value) in [("Batch", &page["batches"][0]), ("BatchJob", &rest["jobs"][0])] {
        let described = document["components"]["schemas"][name]["properties"].as_object().unwrap().keys();
        let real: BTreeSet<&String> = value.as_object().unwrap().keys().collect();
        assert_eq!(real, described.collect(), "{name}");
    }
    assert_eq!(site.get("/api/v1/batches/999999").await.code(), "batch_not_found");
    assert_eq!(site.get("/api/v1/batches/first").await.status, 400);
}

async fn members_of_a_batch_are_retried_and_cancelled(engine: Engine) {
    let site = Site::open(engine).await;
    let (id, first) = flow(&site, "import").await;
    let cancelled = site.post(&format!("/api/v1/batches/{id}/cancel"), &json!({})).await.json();
    assert_eq!((&cancelled["batch_id"], &cancelled["touched"]), (&json!(id), &json!(2)));
    let retried = site.post(&format!("/api/v1/batches/{id}/retry"), &json!({})).await.json();
    assert_eq!((&retried["touched"], &retried["refused"]), (&json!(2), &json!([])));
    assert_eq!(site.queue.job(first).await.unwrap().unwrap().job.status, Status::Pending);
    for action in ["retry", "cancel", "close"] {
        let missing = site.post(&format!("/api/v1/batches/999999/{action}"), &json!({})).await;
        assert_eq!((missing.status, missing.code().as_str()), (404, "batch_not_found"), "{action}");
    }
}

async fn the_first_signal_of_a_name_counts(engine: Engine) {
    let site = Site::with(engine, Web::tokens).await;
    let (id, _) = flow(&site, "import").await;
    let path = format!("/api/v1/batches/{id}/signals");
    let operator = format!("Bearer {}", site.token("operator", &[Scope::Operate]).await);
    let admin = format!("Bearer {}", site.token("admin", &[Scope::Admin]).await);
    let send = async |token: &str, body: &str| {
        let headers = [("authorization", token), ("content-type", "application/json")];
        site.client().send("POST", &path, &headers, body).await
    };
    // What a job is told is input of its code.
    assert_eq!(send(&operator, r#"{"name": "approved", "data": 1}"#).await.status, 403);
    let sent = send(&operator, r#"{"name": "approved"}"#).await.json();
    assert_eq!(sent, json!({ "signal": "approved", "batch_id": id, "is_first": true }));
    assert_eq!(send(&admin, r#"{"name": "approved", "data": 1}"#).await.json()["is_first"], false);
    assert_eq!(send(&admin, r#"{"name": ""}"#).await.status, 422);
}
