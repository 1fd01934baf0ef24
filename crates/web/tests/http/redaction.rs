//! The values of redacted fields, wherever they could be shown.

use std::collections::BTreeSet;
use std::time::Duration;

use longshore::limits::{LimitRule, LimitSelection, LimitSubject};
use longshore::workflow::Workflow;
use longshore::{CurrentAttempt, FailureType, HandlerError, Payload, Schedule, Worker};
use longshore_core::{JobData, JobId, NewJob, Status};
use longshore_web::{Redaction, Web};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::client::Answer;
use crate::on_both;
use crate::site::{Engine, Site};

on_both!(
    no_answer_and_no_page_shows_a_redacted_value,
    an_edit_keeps_the_values_that_it_does_not_show,
    a_limit_that_is_changed_keeps_the_weights_that_it_does_not_show,
    a_search_does_not_confirm_a_redacted_value,
    a_list_shows_no_value_of_a_checkpoint_or_a_step,
    a_search_does_not_confirm_the_value_of_a_checkpoint,
    a_job_shows_no_value_that_an_earlier_job_gave_it,
    a_worker_over_http_gets_the_real_payload,
);

const SECRET: &str = "hunter2-7c41";

async fn site(engine: Engine) -> Site {
    let redaction = Redaction::new(["Password", "/card/number", "tenant"]).unwrap();
    Site::with(engine, |web: Web| web.redact(redaction).open_to_everyone()).await
}

/// A job that repeats its secrets everywhere.
#[derive(longshore::Job, Serialize, Deserialize)]
#[job(name = "leak", max_retries = 0)]
struct Leak {
    password: String,
    ends: String,
}

async fn leak(job: Leak, attempt: CurrentAttempt) -> Result<Value, HandlerError> {
    let secret = &job.password;
    let (begin, end) = secret.split_at(5);
    attempt.log(&format!("logged in with {begin}"));
    attempt.log(&format!("{end}, and again {secret}\n"));
    attempt.progress(0.5, format!("half of {secret}"));
    attempt.checkpoint(&json!({ "deep": [{ "PASSWORD": secret }] })).await?;
    attempt.step("log in", || async { Ok::<_, HandlerError>(json!({ "password": secret })) }).await?;
    match job.ends.as_str() {
        "well" => Ok(json!({ "password": secret, "n": 9_007_199_254_740_993_i64 })),
        _ => Err(HandlerError::failed(FailureType::ValidationError, format!("no user with {secret}"))),
    }
}

fn new_leak(ends: &str) -> NewJob {
    let mut job = Leak { password: SECRET.to_owned(), ends: ends.to_owned() }.to_job().unwrap();
    job.metadata = Some(JobData::encode(&json!({ "card": { "number": SECRET } })).unwrap());
    job.unique_key = Some(format!("{ends} {SECRET}"));
    job
}

/// Secrets in every place that can hold one: what has run, what waits, schedules, batches, limits and the trail.
async fn planted(site: &Site) -> Vec<JobId> {
    let mut ids = Vec::new();
    for ends in ["well", "badly"] {
        ids.push(site.queue.enqueue_job(new_leak(ends)).await.unwrap().id);
    }
    let mut flow = Workflow::new("flow");
    let first = flow.add_job(new_leak("well").unique_key("first"));
    flow.add_job(NewJob::encode("second", &json!({ "tenant": SECRET })).unwrap()).after(first);
    let enqueued = site.queue.enqueue_workflow(flow).await.unwrap();
    Worker::new(&site.queue).handle(leak).run_until_drained().await.unwrap();
    let mut keyed = NewJob::encode("keyed", &json!({ "tenant": SECRET, "card": { "number": SECRET } })).unwrap();
    keyed.limit_key = Some(SECRET.to_owned());
    for limit in 1..=2 {
        let rule = json!({ "concurrency": limit, "key": "/tenant", "key_concurrency": 1, "weights": { SECRET: 3 } });
        let headers = [("content-type", "application/json")];
        let set = site.client().send("PUT", "/api/v1/limits/types/keyed", &headers, &rule.to_string()).await;
        assert_eq!(set.status, 200, "{set:?}");
    }
    let rule = LimitRule { key: Some("/tenant".parse().unwrap()), key_concurrency: Some(1), ..LimitRule::default() };
    site.queue.limits().set(LimitSubject::Type("second".to_owned()), rule).await.unwrap();
    ids.push(site.queue.enqueue_job(keyed).await.unwrap().id);
    ids.push(site.queue.enqueue_job(NewJob::encode("keyed", &json!({ "tenant": SECRET })).unwrap()).await.unwrap().id);
    let scheduled = NewJob { metadata: None, ..new_leak("well") };
    let schedule = Schedule::every("nightly", Duration::from_secs(3600)).enqueue_job(scheduled);
    site.queue.schedules().add(&schedule).await.unwrap();
    let batch = enqueued.batch_id.unwrap();
    let signal = json!({ "name": "approved", "data": { "password": SECRET } });
    assert_eq!(site.post(&format!("/api/v1/batches/{batch}/signals"), &signal).await.status, 200);
    let members = site.get(&format!("/api/v1/batches/{batch}")).await.json();
    ids.extend(members["jobs"].as_array().unwrap().iter().map(|job| JobId(job["id"].as_i64().unwrap())));
    ids
}

async fn no_answer_and_no_page_shows_a_redacted_value(engine: Engine) {
    let site = site(engine).await;
    let ids = planted(&site).await;
    let raw = site.queue.job(ids[1]).await.unwrap().unwrap();
    assert_eq!(raw.job.error_message.as_deref(), Some(format!("no user with {SECRET}").as_str()));
    let shown = site.get(&format!("/api/v1/jobs/{}", ids[1])).await.json();
    assert_eq!(shown["error_message"], "no user with [redacted]");
    assert_eq!(
        (&shown["job_data"]["password"], &shown["unique_key"]),
        (&json!("[redacted]"), &json!("badly [redacted]"))
    );
    let log = site.get(&format!("/api/v1/jobs/{}/logs", ids[1])).await.json();
    let text: String = log["entries"].as_array().unwrap().iter().filter_map(|entry| entry["text"].as_str()).collect();
    assert!(text.contains("logged in with [redacted], and again [redacted]"), "{text:?}");
    for path in api_paths(&site, &ids).await {
        if path == "/api/v1/events" {
            let (_, counts) = site.client().events(&path).await.next().await.unwrap();
            assert!(!counts.contains(SECRET), "{counts}");
            continue;
        }
        clean(&path, &site.get(&path).await);
    }
    let pages = site.crawl(&[], clean).await;
    for page in ["/jobs/new", "/dead", "/schedules/nightly", "/limits", "/audit", "/types", "/batches"] {
        assert!(pages.contains(page), "{page}: {pages:?}");
    }
}

/// Every path of the document that is read, for each job.
async fn api_paths(site: &Site, ids: &[JobId]) -> BTreeSet<String> {
    let document = site.get("/api/v1/openapi.json").await.json();
    let mut paths = BTreeSet::new();
    for (path, operations) in document["paths"].as_object().unwrap() {
        // Workers get real payloads, because they run the jobs.
        if operations["get"].is_null() || path.starts_with("/api/v1/workers/") {
            continue;
        }
        // The log of a job that waits has no end.
        let ids = if path.ends_with("/stream") { &ids[..2] } else { ids };
        for id in ids {
            let name = if path.contains("limits") { "keyed" } else { "nightly" };
            let path = path.replace("{id}", &id.to_string()).replace("{name}", name).replace("{queue}", "default");
            paths.insert(path);
        }
    }
    assert!(paths.iter().all(|path| !path.contains('{')), "{paths:?}");
    assert!(paths.len() > 30, "{paths:?}");
    paths
}

fn clean(path: &str, answer: &Answer) {
    assert!(answer.status < 500, "{path}: {answer:?}");
    assert!(!answer.body.contains(SECRET), "{path} shows the value: {}", answer.body);
    // The two pieces of a log that share the value.
    assert!(!answer.body.contains("hunte"), "{path} shows a part of the value: {}", answer.body);
    assert!(!answer.body.contains("r2-7c41"), "{path} shows a part of the value: {}", answer.body);
}

async fn an_edit_keeps_the_values_that_it_does_not_show(engine: Engine) {
    let site = site(engine).await;
    let data = |text: &str| JobData::parse(text).unwrap();
    let written = r#"{"password": "one", "n": 9007199254740993, "l": [{"tenant": 7}]}"#;
    let job = NewJob::new("mail", data(written)).queue("later");
    let id = site.queue.enqueue_job(job).await.unwrap().id;
    let payload = async |id| site.queue.job(id).await.unwrap().unwrap().job.job_data.as_str().replace(' ', "");
    let patch = async |body: Value| {
        let headers = [("content-type", "application/json")];
        site.client().send("PATCH", &format!("/api/v1/jobs/{id}"), &headers, &body.to_string()).await
    };
    let mut shown = site.get(&format!("/api/v1/jobs/{id}")).await.json()["job_data"].clone();
    assert_eq!(shown["password"], "[redacted]");
    shown["more"] = json!(true);
    assert_eq!(patch(json!({ "job_data": shown })).await.status, 200);
    let edited: Value = serde_json::from_str(&payload(id).await).unwrap();
    assert_eq!(edited["password"], "one");
    assert_eq!((&edited["l"][0]["tenant"], &edited["n"]), (&json!(7), &json!(9_007_199_254_740_993_i64)));
    assert_eq!(edited["more"], true);
    let moved = patch(json!({ "job_data": { "other": { "password": "[redacted]" } } })).await;
    assert_eq!(moved.status, 400, "{moved:?}");
    assert!(moved.json()["error"]["message"].as_str().unwrap().contains("write the value itself"), "{moved:?}");
    assert_eq!(patch(json!({ "job_data": { "password": "two" } })).await.status, 200);
    assert_eq!(payload(id).await, r#"{"password":"two"}"#);
    // The form of a duplicate knows its original and has no value of it.
    let form = site.get(&format!("/jobs/new?like={id}")).await.body;
    assert!(form.contains("[redacted]") && !form.contains("two"), "{form}");
    let token = csrf(&form);
    let fields = format!(
        "csrf={token}&like={id}&job_type=mail&queue=later&priority=high&job_data=%7B%22password%22%3A%22%5Bredacted%5D%22%2C%22n%22%3A1%7D"
    );
    let headers = [("content-type", "application/x-www-form-urlencoded")];
    let made = site.client().send("POST", "/jobs/new", &headers, &fields).await;
    let copy: i64 = made.header("location").unwrap().rsplit('/').next().unwrap().parse().unwrap();
    assert_eq!(payload(JobId(copy)).await, r#"{"password":"two","n":1}"#);
}

fn csrf(page: &str) -> &str {
    page.split("name=\"csrf\" value=\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap()
}

async fn a_limit_that_is_changed_keeps_the_weights_that_it_does_not_show(engine: Engine) {
    let site = site(engine).await;
    let rule = LimitRule {
        key: Some("/tenant".parse().unwrap()),
        key_concurrency: Some(1),
        weights: [(SECRET.to_owned(), 3)].into(),
        ..LimitRule::default()
    };
    let subject = || LimitSubject::Type("keyed".to_owned());
    site.queue.limits().set(subject(), rule).await.unwrap();
    let weights = async || site.queue.limits().list(LimitSelection::Of(subject()), 1).await.unwrap()[0].weights.clone();
    let form = site.get("/limits?scope=type&name=keyed").await.body;
    clean("/limits", &site.get("/limits?scope=type&name=keyed").await);
    let change = async |key: &str| {
        let token = csrf(&form);
        let fields =
            format!("csrf={token}&scope=type&name=keyed&concurrency=7&key={key}&key_concurrency=1&weights=&action=set");
        let headers = [("content-type", "application/x-www-form-urlencoded")];
        let set = site.client().send("POST", "/limits/change", &headers, &fields).await;
        assert_eq!(set.status, 303, "{set:?}");
    };
    change("/tenant").await;
    assert_eq!(weights().await, [(SECRET.to_owned(), 3)].into());
    change("/password").await;
    assert_eq!(weights().await, [].into(), "they are those of another key");
}

async fn a_search_does_not_confirm_a_redacted_value(engine: Engine) {
    let site = site(engine).await;
    planted(&site).await;
    let found = async |query: &str| {
        let page = site.get(&format!("/jobs?{query}")).await;
        assert_eq!(page.status, 200, "{page:?}");
        page.body.split("Found ").nth(1).and_then(|rest| rest.split(' ').next()).unwrap().to_owned()
    };
    assert_eq!(found("field=/ends=badly").await, "1");
    for query in ["field=/password=", "field=/tenant=", "error="] {
        assert_eq!(found(&format!("{query}{SECRET}")).await, "0", "{query}");
        let listed = site.get(&format!("/api/v1/jobs?{query}{SECRET}")).await.json();
        assert_eq!(listed, json!({ "jobs": [], "next": null }), "{query}");
    }
    assert_eq!(found("error=no+user+with").await, "1");
}

/// A job that a worker over HTTP runs.
struct Held<'a> {
    site: &'a Site,
    worker: String,
    id: Value,
    claim_number: Value,
}

impl Held<'_> {
    async fn claim<'a>(site: &'a Site, job_type: &str) -> Held<'a> {
        let registered = site.post("/api/v1/workers", &json!({ "job_types": [job_type] })).await.json();
        let worker = format!("/api/v1/workers/{}", registered["worker_id"].as_str().unwrap());
        let claim = json!({ "job_types": [job_type], "wait": "30s", "holds": [] });
        let claimed = site.post(&format!("{worker}/claim"), &claim).await.json();
        let job = &claimed["jobs"][0];
        Held { site, worker, id: job["id"].clone(), claim_number: job["claim_number"].clone() }
    }

    async fn says(&self, what: &str, mut body: Value) {
        body["claim_number"] = self.claim_number.clone();
        let answer = self.site.post(&format!("{}/jobs/{}/{what}", self.worker, self.id), &body).await;
        assert_eq!(answer.status, 200, "{answer:?}");
    }

    /// Repeats a text as its progress and in its log.
    async fn reports(&self, text: &str) {
        let (id, claim_number) = (&self.id, &self.claim_number);
        let news = json!({ "id": id, "claim_number": claim_number, "progress": 0.5, "message": text, "log": text });
        let answer = self.site.post(&format!("{}/heartbeat", self.worker), &json!({ "jobs": [news] })).await;
        assert_eq!(answer.status, 200, "{answer:?}");
    }

    async fn fails(&self, text: &str) {
        let failure = json!({ "failure_type": "validation_error", "error_message": text, "traceback": text });
        self.says("fail", failure).await;
    }

    /// Checks that these answers show this text, and no value.
    async fn is_shown_as(&self, text: &str, paths: &[&str]) {
        for path in paths {
            let path = path.replace("{id}", &self.id.to_string());
            let answer = self.site.get(&path).await;
            assert_eq!(answer.status, 200, "{path}: {answer:?}");
            assert!(answer.body.contains(text), "{path} does not show {text}: {}", answer.body);
            for value in STORED {
                assert!(!answer.body.contains(value), "{path} shows {value}: {}", answer.body);
            }
        }
    }
}

/// What attempts store, or get from earlier jobs.
const STORED: [&str; 3] = ["chk-secret", "step-secret", "long-secret"];

/// A job with hidden values in a checkpoint, in the result of a step, and in one that is too long to be shown.
async fn a_job_that_has_stored(site: &Site) -> Held<'_> {
    site.queue.enqueue_job(NewJob::encode("keeps", &json!({})).unwrap().max_retries(0)).await.unwrap();
    let held = Held::claim(site, "keeps").await;
    let [checkpoint, step, long] = STORED.map(|value| json!({ "password": value }));
    held.says("checkpoint", json!({ "value": checkpoint })).await;
    held.says("checkpoint", json!({ "value": step, "step": "log in" })).await;
    held.says("checkpoint", json!({ "value": [long, "x".repeat(5000)], "step": "read" })).await;
    held
}

async fn a_list_shows_no_value_of_a_checkpoint_or_a_step(engine: Engine) {
    let site = site(engine).await;
    let held = a_job_that_has_stored(&site).await;
    let (said, shown) = (STORED.join(" or "), "[redacted] or [redacted] or [redacted]");
    held.reports(&said).await;
    held.is_shown_as(shown, &["/api/v1/jobs", "/jobs", "/api/v1/jobs/{id}", "/jobs/{id}", "/api/v1/jobs/{id}/logs"])
        .await;
    held.fails(&said).await;
    held.is_shown_as(shown, &["/api/v1/jobs", "/api/v1/dead", "/api/v1/jobs/{id}", "/api/v1/dead/{id}"]).await;
    held.is_shown_as(shown, &["/jobs", "/dead", "/jobs/{id}", "/api/v1/jobs/{id}/logs"]).await;
    held.is_shown_as("dead_letter", &["/api/v1/jobs/{id}/explain"]).await;
    // Beside a job that has stored nothing, and one that never ran.
    site.dead_letter().await;
    site.enqueue("waits").await;
    let listed = site.get("/api/v1/jobs").await.json();
    let errors: Vec<&Value> = listed["jobs"].as_array().unwrap().iter().map(|job| &job["error_message"]).collect();
    assert_eq!(errors, [&Value::Null, &json!("no route"), &json!(shown)]);
}

async fn a_search_does_not_confirm_the_value_of_a_checkpoint(engine: Engine) {
    let site = site(engine).await;
    let held = a_job_that_has_stored(&site).await;
    held.fails(&format!("no user with {}", STORED.join(", "))).await;
    let found = async |error: &str| {
        let listed = site.get(&format!("/api/v1/jobs?error={error}")).await.json();
        listed["jobs"].as_array().unwrap().iter().map(|job| job["id"].clone()).collect::<Vec<_>>()
    };
    for value in STORED {
        assert_eq!(found(value).await, Vec::<Value>::new(), "{value}");
        let page = site.get(&format!("/jobs?error={value}")).await.body;
        assert!(page.contains("Found 0 jobs"), "{value}: {page}");
    }
    // What is shown is found, with its placeholders.
    for shown in ["no%20user%20with", "%5Bredacted%5D%2C%20%5Bredacted%5D", "user%20with%20%5Bred"] {
        assert_eq!(found(shown).await, std::slice::from_ref(&held.id), "{shown}");
    }
}

async fn a_job_shows_no_value_that_an_earlier_job_gave_it(engine: Engine) {
    let site = site(engine).await;
    let new = |job_type: &str| NewJob::encode(job_type, &json!({})).unwrap().max_retries(0);
    let mut flow = Workflow::new("flow");
    let first = flow.add_job(new("first"));
    flow.add_job(new("second")).after(first);
    site.queue.enqueue_workflow(flow).await.unwrap();
    let first = Held::claim(&site, "first").await;
    first.says("complete", json!({ "result": { "password": STORED[0] } })).await;
    let second = Held::claim(&site, "second").await;
    let (said, shown) = (format!("given {}", STORED[0]), "given [redacted]");
    second.reports(&said).await;
    second.is_shown_as(shown, &["/api/v1/jobs/{id}", "/jobs/{id}", "/api/v1/jobs", "/jobs"]).await;
    second.fails(&said).await;
    second.is_shown_as(shown, &["/api/v1/jobs/{id}", "/jobs/{id}", "/api/v1/jobs", "/jobs", "/dead"]).await;
    second.is_shown_as(shown, &["/api/v1/dead", "/api/v1/jobs/{id}/logs"]).await;
    let mut events = site.client().events(&format!("/api/v1/jobs/{}/logs/stream", second.id)).await;
    let (name, data) = events.next().await.unwrap();
    assert_eq!((name.as_str(), data.contains(shown), data.contains(STORED[0])), ("log", true, false), "{data}");
}

async fn a_worker_over_http_gets_the_real_payload(engine: Engine) {
    let site = site(engine).await;
    let id = site.queue.enqueue_job(new_leak("well")).await.unwrap().id;
    let registered = site.post("/api/v1/workers", &json!({ "job_types": ["leak"] })).await.json();
    let worker = registered["worker_id"].as_str().unwrap();
    let claim = json!({ "job_types": ["leak"], "wait": "30s", "holds": [] });
    let claimed = site.post(&format!("/api/v1/workers/{worker}/claim"), &claim).await.json();
    assert_eq!((&claimed["jobs"][0]["id"], &claimed["jobs"][0]["job_data"]["password"]), (&json!(id), &json!(SECRET)));
    let shown = site.get(&format!("/api/v1/jobs/{id}")).await.json();
    assert_eq!((&shown["status"], &shown["job_data"]["password"]), (&json!(Status::Running), &json!("[redacted]")));
}
