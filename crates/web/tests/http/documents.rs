//! The document of the API beside real answers.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::site::{Engine, Site};

/// Follows `$ref`, and joins the properties of `allOf`.
fn properties(document: &Value, schema: &Value) -> BTreeSet<String> {
    if let Some(name) = schema["$ref"].as_str() {
        return properties(document, document.pointer(name.trim_start_matches('#')).unwrap());
    }
    if let Some(parts) = schema["allOf"].as_array() {
        return parts.iter().flat_map(|part| properties(document, part)).collect();
    }
    schema["properties"].as_object().map(|fields| fields.keys().cloned().collect()).unwrap_or_default()
}

fn schema<'a>(document: &'a Value, name: &str) -> &'a Value {
    &document["components"]["schemas"][name]
}

fn keys(value: &Value) -> BTreeSet<String> {
    value.as_object().unwrap_or_else(|| panic!("{value}")).keys().cloned().collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_document_names_exactly_the_fields_of_real_answers() {
    let site = Site::open(Engine::Sqlite).await;
    let id = site.dead_letter().await;
    let document = site.get("/api/v1/openapi.json").await.json();
    assert_eq!(document["openapi"], "3.1.0");
    let list = site.get("/api/v1/jobs").await.json();
    assert_eq!(keys(&list), properties(&document, schema(&document, "JobList")));
    assert_eq!(keys(&list["jobs"][0]), properties(&document, schema(&document, "Job")));
    let detail = site.get(&format!("/api/v1/jobs/{id}")).await.json();
    assert_eq!(keys(&detail["attempts"][0]), properties(&document, schema(&document, "Attempt")));
    let missing: Vec<_> =
        properties(&document, schema(&document, "JobDetail")).difference(&keys(&detail)).cloned().collect();
    assert_eq!(missing, Vec::<String>::new());
    let queue = &site.get("/api/v1/queues").await.json()["queues"][0];
    let described = schema(&document, "QueueList")["properties"]["queues"]["items"].clone();
    assert_eq!(keys(queue), properties(&document, &described));
    let point = &site.get("/api/v1/stats").await.json()["points"][0];
    let described = schema(&document, "StatSeries")["properties"]["points"]["items"].clone();
    assert_eq!(keys(point), properties(&document, &described));
}

#[tokio::test(flavor = "multi_thread")]
async fn every_field_of_a_described_job_is_accepted() {
    let site = Site::open(Engine::Sqlite).await;
    let document = site.get("/api/v1/openapi.json").await.json();
    for field in properties(&document, schema(&document, "JobRequest")) {
        let mut body = json!({ "job_type": "a" });
        body[field.as_str()] = match field.as_str() {
            "job_type" => json!("a"),
            "queue" | "unique_key" => json!("x"),
            "priority" => json!("high"),
            "run_at" => json!("2099-01-01T00:00:00Z"),
            "max_retries" | "timeout_seconds" => json!(3),
            "on_duplicate" => json!("keep"),
            "unique_while" => json!("unfinished"),
            "parent_job_id" => json!(1),
            "delay" | "timeout" | "expires_in" | "deadline_in" => json!("30s"),
            _ => json!({ "k": [1] }),
        };
        let answer = site.post("/api/v1/jobs", &body).await;
        // A rule may need a second field, but the name must be known.
        assert!(!answer.body.contains("unknown field"), "{field}: {answer:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_api_is_readable_as_a_page() {
    let site = Site::open(Engine::Sqlite).await;
    let page = site.get("/api").await;
    assert_eq!(page.status, 200);
    assert!(page.body.contains("/api/v1/jobs/{id}/retry"), "{}", page.body);
}
