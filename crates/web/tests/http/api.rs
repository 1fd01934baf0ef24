use std::time::Duration;

use longshore_core::{JobId, NewJob, Status};
use serde_json::{Value, json};

use crate::on_both;
use crate::site::{Engine, Site};

on_both!(
    a_created_job_is_shown_with_the_fields_of_the_command_line,
    a_list_of_jobs_is_created_as_a_whole_or_not_at_all,
    lines_of_jobs_are_a_workflow_as_a_whole_or_not_at_all,
    the_trace_context_of_a_request_is_that_of_its_jobs,
    a_repeated_request_with_an_idempotency_key_creates_one_job,
    another_request_with_the_same_idempotency_key_is_a_conflict,
    a_list_is_no_object_in_any_body,
    a_condition_that_selects_everything_by_mistake_is_an_error,
    a_page_refuses_a_parameter_that_it_does_not_know,
    pages_of_jobs_have_no_gap_and_no_double,
    a_page_without_a_job_says_where_to_look_for_more,
    jobs_are_found_by_what_is_in_them_a_page_at_a_time,
    who_waits_for_a_job_and_its_children_are_listed_in_pages,
    a_dry_run_counts_and_changes_nothing,
    a_change_by_filter_leaves_other_jobs_alone,
    a_change_that_the_state_forbids_is_a_conflict,
    a_dead_letter_is_listed_retried_and_discarded,
    a_queue_is_paused_and_resumed,
    an_edit_changes_what_waits,
    no_field_of_a_body_is_ignored,
    what_no_database_could_hold_is_refused_in_every_query,
    a_whole_number_beyond_two_to_the_fifty_three_stays_exact,
    what_ended_is_a_time_series,
    health_is_open_and_ready_says_that_the_database_answers,
    a_server_is_not_ready_while_the_schema_refuses_writes,
    metrics_show_depth_and_what_ended,
);

async fn a_created_job_is_shown_with_the_fields_of_the_command_line(engine: Engine) {
    let site = Site::open(engine).await;
    let body =
        json!({ "job_type": "mail", "job_data": { "to": "ada" }, "priority": "high", "queue": "m", "delay": "1h" });
    let created = site.post("/api/v1/jobs", &body).await;
    assert_eq!(created.status, 201, "{created:?}");
    let id = created.json()["id"].as_i64().unwrap();
    assert_eq!(created.header("location"), Some(format!("/api/v1/jobs/{id}").as_str()));
    assert_eq!(created.json()["is_duplicate"], false);
    let shown = site.get(&format!("/api/v1/jobs/{id}")).await.json();
    let expected = serde_json::to_value(site.queue.job(JobId(id)).await.unwrap().unwrap()).unwrap();
    assert_eq!(shown, expected);
    assert_eq!((&shown["priority"], &shown["queue"], &shown["attempts"]), (&json!(10), &json!("m"), &json!([])));
    let why = site.get(&format!("/api/v1/jobs/{id}/explain")).await.json();
    assert_eq!(why["reason"]["code"], "not_due", "{why}");
}

async fn a_list_of_jobs_is_created_as_a_whole_or_not_at_all(engine: Engine) {
    let site = Site::open(engine).await;
    let refused = site.post("/api/v1/jobs", &json!([{ "job_type": "a" }, { "job_type": "" }])).await;
    assert_eq!((refused.status, refused.code().as_str()), (422, "invalid_job"));
    assert!(refused.json()["error"]["message"].as_str().unwrap().starts_with("job 2 of the list: "), "{refused:?}");
    let misspelt = site.post("/api/v1/jobs", &json!([{ "job_type": "a", "prio": 1 }])).await;
    assert_eq!((misspelt.status, misspelt.code().as_str()), (422, "invalid_body"));
    assert_eq!(site.get("/api/v1/jobs").await.json()["jobs"], json!([]));
    let created = site.post("/api/v1/jobs", &json!({ "jobs": [{ "job_type": "a" }, { "job_type": "b" }] })).await;
    assert_eq!((created.status, &created.json()["inserted"]), (201, &json!(2)));
    assert_eq!(site.get("/api/v1/jobs").await.json()["jobs"].as_array().unwrap().len(), 2);
}

async fn the_trace_context_of_a_request_is_that_of_its_jobs(engine: Engine) {
    let site = Site::open(engine).await;
    let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let send = async |content: &str, trace: &str, body: &str| {
        let answer = site
            .client()
            .send("POST", "/api/v1/jobs", &[("content-type", content), ("traceparent", trace)], body)
            .await;
        assert_eq!(answer.status, 201, "{answer:?}");
    };
    send("application/json", trace, r#"{"job_type":"a","metadata":{"n":1}}"#).await;
    send("application/json", trace, r#"[{"job_type":"b"},{"job_type":"c","metadata":{"traceparent":"own"}}]"#).await;
    // What the first job of a list belongs to is not that of the next one.
    let other = "00-11111111111111111111111111111111-2222222222222222-01";
    let list = format!(r#"[{{"job_type":"f","metadata":{{"traceparent":"{other}"}}}},{{"job_type":"g"}}]"#);
    send("application/json", trace, &list).await;
    send("application/x-ndjson", trace, "{\"job_type\":\"d\"}\n").await;
    send("application/json", "no trace", r#"{"job_type":"e"}"#).await;
    let jobs = site.get("/api/v1/jobs").await.json();
    let of = |job_type: &str| {
        let mut jobs = jobs["jobs"].as_array().unwrap().iter();
        jobs.find(|job| job["job_type"] == job_type).unwrap()["metadata"].clone()
    };
    assert_eq!(of("a"), json!({ "traceparent": trace, "n": 1 }));
    assert_eq!((of("b"), of("d")), (json!({ "traceparent": trace }), json!({ "traceparent": trace })));
    assert_eq!((of("f"), of("g")), (json!({ "traceparent": other }), json!({ "traceparent": trace })));
    assert_eq!((of("c"), of("e")), (json!({ "traceparent": "own" }), Value::Null));
}

async fn lines_of_jobs_are_a_workflow_as_a_whole_or_not_at_all(engine: Engine) {
    let site = Site::open(engine).await;
    let send = async |lines: &str| {
        site.client().send("POST", "/api/v1/jobs", &[("content-type", "application/x-ndjson")], lines).await
    };
    let lines = r#"{"batch": {"name": "import"}}
        {"job_type": "fetch", "ref": "a"}
        {"job_type": "merge", "after": ["a"]}
        {"job_type": "tell", "after": [{"batch": "ended"}]}"#;
    let refused = send(&format!("{lines}\n{{\"job_type\": \"\"}}")).await;
    assert_eq!((refused.status, refused.code().as_str()), (422, "invalid_input"));
    assert!(refused.json()["error"]["message"].as_str().unwrap().starts_with("line 5: "), "{refused:?}");
    assert_eq!(site.get("/api/v1/jobs").await.json()["jobs"], json!([]));
    let created = send(lines).await;
    assert_eq!(created.status, 201, "{created:?}");
    let created = created.json();
    assert_eq!((&created["inserted"], created["batch_id"].is_i64()), (&json!(3), true));
    let first = site.get(&format!("/api/v1/jobs/{}", created["ids"]["a"])).await.json();
    assert_eq!((&first["job_type"], &first["status"]), (&json!("fetch"), &json!("pending")));
    assert_eq!(site.get("/api/v1/jobs?status=blocked").await.json()["jobs"].as_array().unwrap().len(), 2);
    let unknown = send("{\"job_type\": \"a\", \"after\": [999]}").await;
    assert_eq!((unknown.status, unknown.code().as_str()), (422, "unknown_dependency"));
    assert_eq!(send("").await.json()["inserted"], 0);
}

async fn a_repeated_request_with_an_idempotency_key_creates_one_job(engine: Engine) {
    let site = Site::open(engine).await;
    let send = async |headers: &[(&str, &str)]| {
        let headers = [&[("content-type", "application/json")], headers].concat();
        site.client().send("POST", "/api/v1/jobs", &headers, r#"{"job_type": "a"}"#).await
    };
    let first = send(&[("idempotency-key", "order 7")]).await;
    let second = send(&[("idempotency-key", "order 7"), ("prefer", "return=minimal")]).await;
    assert_eq!((first.status, second.status), (201, 200));
    assert_eq!(second.json(), json!({ "id": first.json()["id"], "is_duplicate": true, "duplicate": "kept" }));
    assert_eq!(send(&[("idempotency-key", "order 8")]).await.status, 201);
}

async fn another_request_with_the_same_idempotency_key_is_a_conflict(engine: Engine) {
    let site = Site::open(engine).await;
    let send = async |body: &str| {
        let headers = [("content-type", "application/json"), ("idempotency-key", "order 7")];
        site.client().send("POST", "/api/v1/jobs", &headers, body).await
    };
    let first = send(r#"{"job_type": "a", "job_data": {"n": 1, "m": [2]}, "queue": "mail"}"#).await;
    assert_eq!(first.status, 201, "{first:?}");
    let same = send(r#"{"queue": "mail", "job_data": {"m":[2],"n":1}, "job_type": "a", "priority": "high"}"#).await;
    assert_eq!((same.status, &same.json()["id"]), (200, &first.json()["id"]), "{same:?}");
    for other in [
        r#"{"job_type": "b", "job_data": {"n": 1, "m": [2]}, "queue": "mail"}"#,
        r#"{"job_type": "a", "job_data": {"n": 2, "m": [2]}, "queue": "mail"}"#,
        r#"{"job_type": "a", "job_data": {"n": 1, "m": [2]}}"#,
    ] {
        let refused = send(other).await;
        assert_eq!((refused.status, refused.code().as_str()), (409, "idempotency_key_reused"), "{other}");
    }
    assert_eq!(site.get("/api/v1/jobs").await.json()["jobs"].as_array().unwrap().len(), 1);
}

async fn a_list_is_no_object_in_any_body(engine: Engine) {
    let site = Site::open(engine).await;
    let id = site.enqueue("a").await;
    let dead = site.dead_letter().await;
    let delete = format!("[[{id}], null, false]");
    let retry = format!("/api/v1/dead/{dead}/retry");
    for (method, path, body) in [
        ("POST", "/api/v1/jobs/delete", delete.as_str()),
        ("POST", "/api/v1/jobs/cancel", r#"{"filter": [["pending"]]}"#),
        ("POST", "/api/v1/jobs/priority", "[5, [1], null, false]"),
        ("POST", "/api/v1/jobs", r#"{"jobs": [["a"]]}"#),
        ("POST", "/api/v1/jobs", r#"[["a"]]"#),
        ("PUT", "/api/v1/limits/queues/zz", "[3]"),
        ("POST", "/api/v1/schedules/x/pause", r#"["because"]"#),
        ("POST", "/api/v1/schedules/x/resume", "[true]"),
        ("POST", "/api/v1/queues/mail/pause", "[]"),
        ("POST", "/api/v1/batches/1/signals", r#"["approved"]"#),
        ("POST", "/api/v1/workers", r#"[["t"], []]"#),
        ("POST", &retry, "[true]"),
    ] {
        let refused = site.client().send(method, path, &[("content-type", "application/json")], body).await;
        assert_eq!((refused.status, refused.code().as_str()), (422, "invalid_body"), "{method} {path} {body}");
        assert!(refused.body.contains("expected an object"), "{path}: {refused:?}");
    }
    let lines = [("content-type", "application/x-ndjson")];
    for line in [r#"["a"]"#, r#"{"batch": ["import", true]}"#] {
        assert_eq!(site.client().send("POST", "/api/v1/jobs", &lines, line).await.status, 422, "{line}");
    }
    assert_eq!(site.get(&format!("/api/v1/jobs/{id}")).await.json()["status"], "pending");
    assert_eq!(site.get("/api/v1/jobs").await.json()["jobs"].as_array().unwrap().len(), 2);
    let untyped = site.client().send("POST", "/api/v1/jobs", &[], r#"{"job_type": "a"}"#).await;
    assert_eq!((untyped.status, untyped.code().as_str()), (415, "not_json"));
    assert!(untyped.json()["error"]["message"].as_str().unwrap().contains("Content-Type: application/json"));
}

async fn a_condition_that_selects_everything_by_mistake_is_an_error(engine: Engine) {
    let site = Site::open(engine).await;
    site.enqueue("a").await;
    for query in ["type=", "queue=", "status=", "tag=", "error=", "field=", "type=a&type=", "limit=5&limit=6"] {
        let refused = site.get(&format!("/api/v1/jobs?{query}")).await;
        assert_eq!((refused.status, refused.code().as_str()), (400, "invalid_request"), "{query}");
    }
    let twice = site.get("/api/v1/jobs?limit=5&limit=6").await;
    assert_eq!(twice.json()["error"]["message"], "the parameter limit is given twice");
    assert_eq!(site.get("/api/v1/jobs?limit=&after=").await.status, 200);
    let filter = json!({ "filter": { "type": [""] }, "dry_run": true });
    assert_eq!(site.post("/api/v1/jobs/cancel", &filter).await.status, 400);
}

async fn a_page_refuses_a_parameter_that_it_does_not_know(engine: Engine) {
    let site = Site::open(engine).await;
    let id = site.enqueue("a").await;
    let job = format!("/jobs/{id}");
    for page in [
        "/",
        "/jobs",
        "/jobs/new",
        &job,
        "/search",
        "/dead",
        "/queues",
        "/workers",
        "/types",
        "/schedules",
        "/limits",
        "/batches",
        "/audit",
        "/preferences",
        "/api",
        "/login",
    ] {
        let refused = site.get(&format!("{page}?stauts=dead_letter")).await;
        assert_eq!(refused.status, 400, "{page}: {refused:?}");
        assert!(refused.body.starts_with("<!DOCTYPE html>") && refused.body.contains("stauts"), "{page}: {refused:?}");
    }
    let long = site.get(&format!("/jobs?type={}", "x".repeat(60_000))).await;
    assert!(long.status == 400 && long.body.contains("8192 bytes"), "{}", long.status);
    let twice = site.get("/jobs?type=a&type=b").await;
    assert!(twice.status == 400 && twice.body.contains("given twice"), "{twice:?}");
    for known in ["/jobs?status=&type=a&queue=", "/audit?actor=&action=", "/dead?type=a", "/limits?saturated=yes"] {
        assert_eq!(site.get(known).await.status, 200, "{known}");
    }
    let colon = site.get("/search?q=qeue:mail").await;
    assert!(colon.status == 400 && colon.body.contains("queue:"), "{colon:?}");
}

async fn pages_of_jobs_have_no_gap_and_no_double(engine: Engine) {
    let site = Site::open(engine).await;
    for _ in 0..5 {
        site.enqueue("a").await;
    }
    site.enqueue("b").await;
    let (mut seen, mut after) = (Vec::new(), String::new());
    loop {
        let page = site.get(&format!("/api/v1/jobs?type=a&limit=2&after={after}")).await.json();
        seen.extend(page["jobs"].as_array().unwrap().iter().map(|job| job["id"].as_i64().unwrap()));
        match &page["next"] {
            Value::String(next) => after.clone_from(next),
            _ => break,
        }
    }
    assert_eq!(seen.len(), 5);
    assert!(seen.windows(2).all(|pair| pair[0] > pair[1]), "{seen:?}");
}

async fn a_page_without_a_job_says_where_to_look_for_more(engine: Engine) {
    let site = Site::open(engine).await;
    let rare = site.enqueue("rare").await;
    for _ in 0..6 {
        site.enqueue("common").await;
    }
    let (mut pages, mut after) = (Vec::new(), String::new());
    for _ in 0..3 {
        let page = site.get(&format!("/api/v1/jobs?type=rare&look=3{after}")).await.json();
        let ids: Vec<i64> = page["jobs"].as_array().unwrap().iter().map(|job| job["id"].as_i64().unwrap()).collect();
        after = page["next"].as_str().map_or_else(String::new, |next| format!("&after={next}"));
        pages.push((ids, !after.is_empty()));
    }
    assert_eq!(pages, [(vec![], true), (vec![], true), (vec![rare.0], false)]);
    for look in ["0", "1000001", "all"] {
        let refused = site.get(&format!("/api/v1/jobs?look={look}")).await;
        assert_eq!((refused.status, refused.code().as_str()), (400, "invalid_request"), "{refused:?}");
    }
    assert_eq!(site.get("/jobs?type=rare&look=everywhere").await.status, 400);
    assert!(site.get("/jobs?type=rare&look=far").await.body.contains(&format!("/jobs/{rare}")));
}

async fn jobs_are_found_by_what_is_in_them_a_page_at_a_time(engine: Engine) {
    let site = Site::open(engine).await;
    for number in 0..12 {
        let tag = if number % 3 == 0 { "eu" } else { "us" };
        let body = json!({
            "job_type": "mail", "job_data": { "order": { "id": number / 2 } }, "metadata": { "tags": [tag] }
        });
        assert_eq!(site.post("/api/v1/jobs", &body).await.status, 201);
    }
    let pages_of = async |search: &str| {
        let (mut pages, mut after) = (Vec::new(), String::new());
        loop {
            let page = site.get(&format!("/api/v1/jobs?{search}{after}")).await.json();
            let ids = page["jobs"].as_array().unwrap().iter().map(|job| job["id"].as_i64().unwrap());
            pages.push(ids.collect::<Vec<_>>());
            match &page["next"] {
                Value::String(next) => after = format!("&after={next}"),
                _ => return pages,
            }
        }
    };
    let eu = pages_of("tag=eu").await.concat();
    assert_eq!(eu.len(), 4);
    let pages = pages_of("tag=eu&limit=3").await;
    assert_eq!((pages[0].len(), pages.concat()), (3, eu.clone()), "{pages:?}");
    assert_eq!(pages_of("tag=eu&limit=1").await.concat(), eu);
    assert_eq!(pages_of("tag=eu&look=5").await.concat(), eu);
    assert_eq!(pages_of("field=/order/id%3D4").await.concat().len(), 2);
    assert_eq!(pages_of("field=/order/id%3D4&tag=eu").await.concat().len(), 1);
    assert_eq!(pages_of("error=refused").await.concat(), Vec::<i64>::new());
    assert_eq!(pages_of("status=completed&tag=eu").await.concat(), Vec::<i64>::new());
    for wrong in ["field=order".to_owned(), "tag=a&tag=b".to_owned(), format!("error={}", "e".repeat(501))] {
        assert_eq!(site.get(&format!("/api/v1/jobs?{wrong}")).await.code(), "invalid_request", "{wrong}");
    }
}

async fn who_waits_for_a_job_and_its_children_are_listed_in_pages(engine: Engine) {
    let site = Site::open(engine).await;
    let parent = site.queue.enqueue_job(NewJob::encode("export", &()).unwrap()).await.unwrap().id;
    let mut children = Vec::new();
    for _ in 0..5 {
        let child = NewJob::encode("part", &()).unwrap().parent(parent);
        children.push(site.queue.enqueue_job(child).await.unwrap().id);
    }
    let cancelled = site.post(&format!("/api/v1/jobs/{}/cancel", children[1]), &json!({})).await;
    assert_eq!(cancelled.status, 200, "{cancelled:?}");
    let listed = async |what: &str| {
        let (mut jobs, mut after) = (Vec::new(), String::new());
        loop {
            let page = site.get(&format!("/api/v1/jobs/{parent}/{what}?limit=2{after}")).await.json();
            let page_jobs = page["jobs"].as_array().unwrap();
            assert!(page_jobs.len() <= 2, "{page}");
            jobs.extend(page_jobs.iter().map(|job| (JobId(job["id"].as_i64().unwrap()), job["status"].clone())));
            match page["next"].as_i64() {
                Some(next) => after = format!("&after={next}"),
                None => return jobs,
            }
        }
    };
    let of = |status: &str, id: JobId| (id, json!(status));
    let waiting = [0, 2, 3, 4].map(|place| of("blocked", children[place]));
    assert_eq!(listed("dependents").await, waiting);
    let with_ended: Vec<_> =
        (0..5).map(|place| of(if place == 1 { "cancelled" } else { "blocked" }, children[place])).collect();
    assert_eq!(listed("children").await, with_ended);
    let first = site.get(&format!("/api/v1/jobs/{parent}/children?limit=1")).await.json();
    let child = json!({ "id": children[0], "job_type": "part", "status": "blocked", "is_child": true });
    assert_eq!(first, json!({ "jobs": [child], "next": children[0] }));
    let none = site.get(&format!("/api/v1/jobs/{}/dependents", children[0])).await.json();
    assert_eq!(none, json!({ "jobs": [], "next": null }));
    assert_eq!(site.get("/api/v1/jobs/999999/children").await.code(), "job_not_found");
    for wrong in ["limit=0", "limit=501", "after=x", "which=all"] {
        assert_eq!(site.get(&format!("/api/v1/jobs/{parent}/dependents?{wrong}")).await.status, 400, "{wrong}");
    }
}

async fn a_dry_run_counts_and_changes_nothing(engine: Engine) {
    let site = Site::open(engine).await;
    site.enqueue("a").await;
    site.enqueue("b").await;
    let counted = site.post("/api/v1/jobs/cancel", &json!({ "filter": { "type": ["a"] }, "dry_run": true })).await;
    assert_eq!(counted.json(), json!({ "dry_run": true, "matching": 1 }));
    let pending = site.get("/api/v1/jobs?status=pending").await.json();
    assert_eq!(pending["jobs"].as_array().unwrap().len(), 2);
}

async fn a_change_by_filter_leaves_other_jobs_alone(engine: Engine) {
    let site = Site::open(engine).await;
    site.enqueue("a").await;
    let other = site.enqueue("b").await;
    assert_eq!(site.post("/api/v1/jobs/cancel", &json!({ "filter": { "type": ["a"] } })).await.json()["touched"], 1);
    assert_eq!(site.queue.job(other).await.unwrap().unwrap().job.status, Status::Pending);
    let raised = site.post("/api/v1/jobs/priority", &json!({ "ids": [other], "priority": 15 })).await;
    assert_eq!(raised.json(), json!({ "touched": 1, "refused": [] }));
    assert_eq!(site.queue.job(other).await.unwrap().unwrap().job.priority.0, 15);
    // Which jobs are meant must be written.
    assert_eq!(site.post("/api/v1/jobs/delete", &json!({})).await.status, 400);
    assert_eq!(site.post("/api/v1/jobs/delete", &json!({ "filter": {}, "ids": [1] })).await.status, 400);
}

async fn a_change_that_the_state_forbids_is_a_conflict(engine: Engine) {
    let site = Site::open(engine).await;
    let id = site.enqueue("a").await;
    let refused = site.post(&format!("/api/v1/jobs/{id}/retry"), &json!({})).await;
    assert_eq!((refused.status, refused.code().as_str()), (409, "wrong_status"));
    let missing = site.post("/api/v1/jobs/999999/cancel", &json!({})).await;
    assert_eq!((missing.status, missing.code().as_str()), (404, "job_not_found"));
    assert_eq!(site.client().send("DELETE", &format!("/api/v1/jobs/{id}"), &[], "").await.status, 200);
    assert_eq!(site.get(&format!("/api/v1/jobs/{id}")).await.status, 404);
}

async fn a_dead_letter_is_listed_retried_and_discarded(engine: Engine) {
    let site = Site::open(engine).await;
    let (dead, waiting) = (site.dead_letter().await, site.enqueue("a").await);
    let listed = site.get("/api/v1/dead").await.json();
    assert_eq!(listed["jobs"].as_array().unwrap().len(), 1);
    let shown = site.get(&format!("/api/v1/dead/{dead}")).await.json();
    assert_eq!(
        (&shown["error_message"], &shown["attempts"][0]["outcome"]),
        (&json!("no route"), &json!("dead_letter"))
    );
    assert_eq!(site.get(&format!("/api/v1/dead/{waiting}")).await.status, 409);
    assert_eq!(site.post("/api/v1/dead/retry", &json!({ "ids": [dead, waiting] })).await.status, 409);
    assert_eq!(site.post("/api/v1/dead/retry", &json!({ "ids": [dead] })).await.json()["touched"], 1);
    assert_eq!(site.get("/api/v1/dead").await.json()["jobs"], json!([]));
    assert_eq!(site.post(&format!("/api/v1/dead/{waiting}/discard"), &json!({})).await.status, 409);
}

async fn a_queue_is_paused_and_resumed(engine: Engine) {
    let site = Site::open(engine).await;
    site.enqueue("a").await;
    let paused = site.post("/api/v1/queues/default/pause", &json!({})).await;
    assert_eq!(paused.json(), json!({ "queue": "default", "is_paused": true }));
    let queues = site.get("/api/v1/queues").await.json();
    assert_eq!((&queues["queues"][0]["queue"], &queues["queues"][0]["depth"]), (&json!("default"), &json!(1)));
    assert!(queues["queues"][0]["paused_at"].is_string());
    site.post("/api/v1/queues/default/resume", &json!({})).await;
    assert!(site.get("/api/v1/queues").await.json()["queues"][0]["paused_at"].is_null());
    assert_eq!(site.post("/api/v1/queues/%0A/pause", &json!({})).await.status, 422);
}

async fn an_edit_changes_what_waits(engine: Engine) {
    let site = Site::open(engine).await;
    let id = site.enqueue("a").await;
    let headers = [("content-type", "application/json")];
    let path = format!("/api/v1/jobs/{id}");
    let body = r#"{"job_data": {"n": 2}, "queue": "slow"}"#;
    let edited = site.client().send("PATCH", &path, &headers, body).await.json();
    assert_eq!((&edited["job_data"], &edited["queue"]), (&json!({ "n": 2 }), &json!("slow")));
    assert_eq!(site.client().send("PATCH", &path, &headers, "{}").await.status, 422);
    let edited = site.client().send("PATCH", &path, &headers, r#"{"job_data": null}"#).await.json();
    assert_eq!((&edited["job_data"], &edited["queue"]), (&Value::Null, &json!("slow")), "null is a payload, too");
}

async fn what_no_database_could_hold_is_refused_in_every_query(engine: Engine) {
    let site = Site::open(engine).await;
    for path in [
        "/jobs?type=",
        "/dead?queue=",
        "/schedules?after=",
        "/batches?status=",
        "/limits?after=",
        "/audit?actor=",
        "/search?q=",
        "/types?type=",
        "/api/v1/jobs?type=",
        "/api/v1/schedules?after=",
        "/api/v1/audit?actor=",
    ] {
        for value in ["%00", "a%00b", "%ff"] {
            let answer = site.get(&format!("{path}{value}")).await;
            assert!(answer.status < 500, "{path}{value}: {answer:?}");
            assert!(answer.status == 400 || !path.starts_with("/api/"), "{path}{value}: {answer:?}");
        }
    }
    let said = site.get("/api/v1/audit?after=x").await.json()["error"]["message"].as_str().unwrap().to_owned();
    assert_eq!(said, "the parameter after: expected a whole number");
}

async fn no_field_of_a_body_is_ignored(engine: Engine) {
    let site = Site::open(engine).await;
    let (dead, job) = (site.dead_letter().await, site.enqueue("a").await);
    for path in [
        "queues/default/pause",
        "queues/default/resume",
        "batches/1/retry",
        "batches/1/cancel",
        "batches/1/close",
        "schedules/nightly/run",
        "schedules/nightly/resume",
        &format!("jobs/{job}/cancel"),
        &format!("jobs/{dead}/retry"),
        &format!("dead/{dead}/retry"),
        &format!("dead/{dead}/discard"),
        "jobs/retry",
        "dead/retry",
    ] {
        let refused = site.post(&format!("/api/v1/{path}"), &json!({ "x": 1 })).await;
        assert_eq!((refused.status, refused.code().as_str()), (422, "invalid_body"), "{path}");
    }
    let headers = [("content-type", "application/json")];
    let refused = site.client().send("DELETE", &format!("/api/v1/jobs/{dead}"), &headers, r#"{"x": 1}"#).await;
    assert_eq!(refused.status, 422);
    assert_eq!(site.get(&format!("/api/v1/jobs/{job}")).await.json()["status"], "pending", "nothing was done");
    // A child that became a dead letter with its parent stays one if the parent is retried alone.
    let child = site.queue.enqueue_job(NewJob::encode("b", &()).unwrap().parent(dead)).await.unwrap().id;
    assert_eq!(site.get(&format!("/api/v1/jobs/{child}")).await.json()["status"], "dead_letter");
    let retry = format!("/api/v1/jobs/{dead}/retry");
    let alone = site.post(&retry, &json!({ "alone": true, "from_start": true })).await;
    assert_eq!((alone.status, &alone.json()["touched"]), (200, &json!(1)), "{alone:?}");
    assert_eq!(site.get(&format!("/api/v1/jobs/{child}")).await.json()["status"], "dead_letter");
    assert_eq!(site.client().send("POST", &format!("/api/v1/jobs/{job}/cancel"), &[], "").await.status, 200);
    assert_eq!(site.client().send("POST", &format!("/api/v1/jobs/{job}/retry"), &[], "").await.status, 200);
    for wrong in ["[1]", "3", "{\"alone\": 1}"] {
        assert_eq!(site.client().send("POST", &retry, &headers, wrong).await.status, 422, "{wrong}");
    }
}

async fn a_whole_number_beyond_two_to_the_fifty_three_stays_exact(engine: Engine) {
    let site = Site::open(engine).await;
    let headers = [("content-type", "application/json")];
    let body = r#"{"job_type":"a","job_data":{"big":9007199254740993,"small":-9223372036854775809}}"#;
    let created = site.client().send("POST", "/api/v1/jobs", &headers, body).await;
    assert!(created.body.contains("9007199254740993") && created.body.contains("-9223372036854775809"), "{created:?}");
}

async fn what_ended_is_a_time_series(engine: Engine) {
    let site = Site::open(engine).await;
    site.dead_letter().await;
    let series = site.get("/api/v1/stats?minutes=120&step=60").await.json();
    let failed: u64 = series["points"].as_array().unwrap().iter().map(|point| point["failed"].as_u64().unwrap()).sum();
    assert_eq!((failed, &series["step"]), (1, &json!(60)));
    assert_eq!(site.get("/api/v1/stats?minutes=99999999").await.status, 400);
}

async fn health_is_open_and_ready_says_that_the_database_answers(engine: Engine) {
    let site = Site::with(engine, |web| web).await;
    assert_eq!(site.get("/healthz").await.json(), json!({ "status": "ok" }));
    assert_eq!(site.get("/readyz").await.json(), json!({ "status": "ok" }));
    // Nothing below these paths is open, and nothing else is.
    for path in ["/healthz/", "/healthz/jobs", "/healthz/../api/v1/jobs", "/readyz/x", "/api/v1/jobs", "/metrics"] {
        let answer = site.get(path).await;
        assert!(matches!(answer.status, 401 | 404), "{path}: {answer:?}");
    }
}

async fn a_server_is_not_ready_while_the_schema_refuses_writes(engine: Engine) {
    let site = Site::open(engine).await;
    assert_eq!(becomes_ready(&site, 200).await, json!({ "status": "ok" }));
    site.migrate_to_newer();
    let expected = json!({ "status": "unavailable", "code": "schema_changed" });
    assert_eq!(becomes_ready(&site, 503).await, expected);
    let refused = site.post("/api/v1/jobs", &json!({ "job_type": "a" })).await;
    assert_eq!((refused.status, refused.code().as_str()), (503, "schema_changed"));
    assert!(refused.json()["error"]["hint"].as_str().unwrap().contains("longshore migrate status"), "{refused:?}");
    let metrics = site.get("/metrics").await.body;
    assert!(metrics.contains("longshore_up 0\n") && metrics.contains("longshore_schema_understood 0\n"), "{metrics}");
    site.migrate_back();
    becomes_ready(&site, 200).await;
    assert_eq!(site.post("/api/v1/jobs", &json!({ "job_type": "a" })).await.status, 201);
}

/// Asks whether the server is ready until it answers so, because a server of PostgreSQL looks once a second.
async fn becomes_ready(site: &Site, status: u16) -> Value {
    let deadline = tokio::time::Instant::now() + Duration::from_secs(60);
    loop {
        let answer = site.get("/readyz").await;
        if answer.status == status {
            return answer.json();
        }
        assert!(tokio::time::Instant::now() < deadline, "{answer:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn metrics_show_depth_and_what_ended(engine: Engine) {
    let site = Site::open(engine).await;
    site.enqueue("a").await;
    let first = site.get("/metrics").await;
    assert!(first.header("content-type").unwrap().starts_with("text/plain; version=0.0.4"));
    assert!(first.body.contains("longshore_up 1\n"), "{}", first.body);
    assert!(first.body.contains("longshore_jobs{queue=\"default\",status=\"pending\"} 1\n"), "{}", first.body);
    let job = NewJob::encode("fails", &json!({})).unwrap().queue("mail").max_retries(0);
    site.queue.enqueue_job(job).await.unwrap();
    site.dead_letter().await;
    let failed = |body: &str| body.contains("longshore_ended_total{queue=\"mail\",outcome=\"dead_letter\"} 1\n");
    let deadline = tokio::time::Instant::now() + Duration::from_secs(60);
    // Counts are written together with later ones.
    loop {
        let body = site.get("/metrics").await.body;
        if failed(&body) {
            break;
        }
        assert!(tokio::time::Instant::now() < deadline, "{body}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
