//! What a browser sends and is shown of one job and of a batch, without a script.

use longshore::workflow::{After, Workflow};
use longshore::{CurrentAttempt, FailureType, HandlerError, NewJob, Payload, Worker};
use longshore_core::{Job, JobId, Status};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::client::Answer;
use crate::on_both;
use crate::site::{Engine, Fails, Site};

on_both!(
    a_job_that_was_retried_by_hand_shows_the_log_of_its_newest_attempt,
    an_edit_of_a_job_that_has_changed_meanwhile_is_refused_and_keeps_its_text,
    a_payload_that_is_not_json_comes_back_with_the_form,
    a_form_makes_a_job_with_all_that_is_written_in_it,
    an_awaited_signal_is_sent_from_the_page_of_its_batch,
    an_action_reaches_all_jobs_that_a_search_finds,
    an_action_on_a_search_leaves_other_jobs_alone,
);

#[derive(longshore::Job, Serialize, Deserialize)]
#[job(name = "hums", max_retries = 0)]
struct Hums {}

/// Runs the waiting jobs, which log these words.
async fn hum(site: &Site, words: &'static str, end: Result<(), &'static str>) {
    let failed = |message: &'static str| HandlerError::failed(FailureType::ValidationError, message);
    let hums = move |_: Hums, attempt: CurrentAttempt| async move {
        attempt.log(words);
        end.map_err(failed)
    };
    Worker::new(&site.queue).handle(hums).run_until_drained().await.unwrap();
}

async fn send(site: &Site, path: &str, fields: &str) -> Answer {
    site.client().send("POST", path, &[("content-type", "application/x-www-form-urlencoded")], fields).await
}

/// The value of a hidden field.
fn hidden<'a>(page: &'a str, name: &str) -> &'a str {
    let begin = format!("name=\"{name}\" value=\"");
    page.split(&begin).nth(1).and_then(|rest| rest.split('"').next()).unwrap_or_else(|| panic!("no {name}: {page}"))
}

async fn job(site: &Site, id: JobId) -> Job {
    site.queue.job(id).await.unwrap().unwrap().job
}

async fn a_job_that_was_retried_by_hand_shows_the_log_of_its_newest_attempt(engine: Engine) {
    let site = Site::open(engine).await;
    let id = site.queue.enqueue_job(Hums {}.to_job().unwrap()).await.unwrap().id;
    let path = format!("/jobs/{id}");
    assert!(!site.get(&path).await.body.contains("has logged nothing"));
    hum(&site, "first song\n", Err("off key")).await;
    assert_eq!(site.post(&format!("/api/v1/jobs/{id}/retry"), &json!({})).await.status, 200);
    hum(&site, "second song\n", Ok(())).await;

    let newest = site.get(&path).await.body;
    assert!(newest.contains("second song") && !newest.contains("first song"), "{newest}");
    let attempts = site.get(&format!("/api/v1/jobs/{id}")).await.json()["attempts"].clone();
    assert_eq!((&attempts[0]["attempt"], &attempts[1]["attempt"]), (&json!(1), &json!(1)));
    let (older, newer) = (&attempts[0]["claim_number"], &attempts[1]["claim_number"]);
    assert!(newest.contains(&format!("Log of attempt 1 (claim {newer})")), "{newest}");
    let first = site.get(&format!("{path}?log={older}")).await.body;
    assert!(first.contains("first song") && !first.contains("second song"), "{first}");
    assert_eq!(site.get(&format!("{path}?log=4711")).await.status, 400);
    let log = site.get(&format!("/api/v1/jobs/{id}/logs?attempt=1")).await.json();
    assert_eq!((&log["entries"][0]["text"], &log["entries"][1]), (&json!("second song\n"), &Value::Null));
    let mut events = site.client().events(&format!("/api/v1/jobs/{id}/logs/stream?attempt=1")).await;
    let (name, data) = events.next().await.unwrap();
    assert!(name == "log" && data.contains("second song"), "{data}");
}

async fn an_edit_of_a_job_that_has_changed_meanwhile_is_refused_and_keeps_its_text(engine: Engine) {
    let site = Site::open(engine).await;
    let id = site.enqueue("a").await;
    let path = format!("/jobs/{id}/edit");
    let mine = |page: &str| {
        let (csrf, made_from) = (hidden(page, "csrf"), hidden(page, "made_from"));
        format!("csrf={csrf}&made_from={made_from}&job_type=a&queue=default&job_data=%7B%22mine%22%3A2%7D")
    };
    let opened = site.get(&path).await.body;
    let theirs = json!({ "job_data": { "theirs": 1 } }).to_string();
    let headers = [("content-type", "application/json")];
    assert_eq!(site.client().send("PATCH", &format!("/api/v1/jobs/{id}"), &headers, &theirs).await.status, 200);

    let refused = send(&site, &path, &mine(&opened)).await;

    assert_eq!(refused.status, 409);
    for words in ["has changed since this form was made", "What the job has now", "theirs", "mine"] {
        assert!(refused.body.contains(words), "{words}: {}", refused.body);
    }
    assert!(job(&site, id).await.job_data.as_str().contains("theirs"));
    let saved = send(&site, &path, &mine(&refused.body)).await;
    assert_eq!((saved.status, saved.header("location")), (303, Some(format!("/jobs/{id}").as_str())));
    assert!(job(&site, id).await.job_data.as_str().contains("mine"));
}

async fn a_payload_that_is_not_json_comes_back_with_the_form(engine: Engine) {
    let site = Site::open(engine).await;
    let id = site.enqueue("a").await;
    for path in ["/jobs/new".to_owned(), format!("/jobs/{id}/edit")] {
        let page = site.get(&path).await.body;
        let made_from = if path == "/jobs/new" { "" } else { hidden(&page, "made_from") };
        let fields = format!(
            "csrf={}&made_from={made_from}&job_type=other&queue=default&job_data=%7Bbroken",
            hidden(&page, "csrf")
        );
        let refused = send(&site, &path, &fields).await;
        assert_eq!(refused.status, 400, "{path}");
        for words in
            ["the payload is not valid JSON", ">{broken</textarea>", "value=\"other\"", "aria-invalid=\"true\""]
        {
            assert!(refused.body.contains(words), "{path}: {words}: {}", refused.body);
        }
    }
    assert_eq!(job(&site, id).await.job_type, "a");
}

async fn a_form_makes_a_job_with_all_that_is_written_in_it(engine: Engine) {
    let site = Site::open(engine).await;
    let csrf = hidden(&site.get("/jobs/new").await.body, "csrf").to_owned();
    let fields = |due: &str| {
        format!(
            "csrf={csrf}&job_type=mail&queue=&priority=&due={due}&max_retries=2&unique_key=k1&tags=eu%2C+beta&job_data=%7B%7D"
        )
    };
    let refused = send(&site, "/jobs/new", &fields("soon")).await;
    assert_eq!(refused.status, 400);
    assert!(refused.body.contains("is neither a duration such as 10m nor a time"), "{}", refused.body);

    let made = send(&site, "/jobs/new", &fields("1h")).await;

    let id: JobId = made.header("location").unwrap().rsplit('/').next().unwrap().parse().unwrap();
    assert!(made.header("set-cookie").unwrap().contains("No%20running%20worker%20knows%20its%20type"), "{made:?}");
    let job = job(&site, id).await;
    assert_eq!((job.queue.as_str(), job.max_retries, job.unique_key.as_deref()), ("default", 2, Some("k1")));
    assert!(job.run_at.since(job.created_at) > std::time::Duration::from_secs(3500));
    let metadata: Value = serde_json::from_str(job.metadata.unwrap().as_str()).unwrap();
    assert_eq!(metadata["tags"], json!(["eu", "beta"]));
    let again = send(&site, "/jobs/new", &fields("1h")).await;
    assert_eq!(again.header("location"), made.header("location"));
    assert!(again.header("set-cookie").unwrap().contains("no%20second%20job%20was%20made"), "{again:?}");
}

async fn an_awaited_signal_is_sent_from_the_page_of_its_batch(engine: Engine) {
    let site = Site::open(engine).await;
    let mut flow = Workflow::new("import");
    flow.add_job(NewJob::encode("publish", &json!({})).unwrap()).named("publish").after(After::signal("approved"));
    let enqueued = site.queue.enqueue_workflow(flow).await.unwrap();
    let (batch, publish) = (enqueued.batch_id.unwrap(), enqueued.ids["publish"]);
    let page = site.get(&format!("/batches/{batch}")).await.body;
    assert!(page.contains("Awaited signals"), "{page}");
    let fields = format!("csrf={}&back=/batches/{batch}&id={batch}&action=signal&name=approved", hidden(&page, "csrf"));
    let asked = send(&site, "/batches/act", &fields).await;
    assert!(asked.status == 200 && asked.body.contains("Send the signal approved?"), "{asked:?}");
    assert_eq!(job(&site, publish).await.status, Status::Blocked);

    let sent = send(&site, "/batches/act", &format!("{fields}&confirmed=yes")).await;

    assert_eq!((sent.status, sent.header("location")), (303, Some(format!("/batches/{batch}").as_str())));
    assert!(sent.header("set-cookie").unwrap().contains("approved%20was%20sent"), "{sent:?}");
    let again = send(&site, "/batches/act", &format!("{fields}&confirmed=yes")).await;
    assert!(again.header("set-cookie").unwrap().contains("had%20come%20before"), "{again:?}");
}

async fn an_action_reaches_all_jobs_that_a_search_finds(engine: Engine) {
    let site = Site::open(engine).await;
    // More than a page has.
    for _ in 0..55 {
        site.queue.enqueue_job(Fails {}.to_job().unwrap()).await.unwrap();
    }
    let last = site.dead_letter().await;
    let page = site.get("/jobs?error=No+Route").await.body;
    assert!(page.contains("<option value=\"all\">all that match</option>"), "{page}");
    let fields = format!("csrf={}&back=/jobs&scope=all&action=retry&error=No+Route", hidden(&page, "csrf"));

    let asked = send(&site, "/jobs/act", &fields).await;

    assert_eq!(asked.status, 200);
    assert!(asked.body.contains("Retry 56 jobs (jobs with &quot;No Route&quot; in the error)?"), "{}", asked.body);
    assert_eq!(hidden(&asked.body, "error"), "No Route");
    assert_eq!(job(&site, last).await.status, Status::DeadLetter);
    let retried = send(&site, "/jobs/act", &format!("{fields}&confirmed=yes")).await;
    assert_eq!(retried.status, 303);
    assert!(retried.header("set-cookie").unwrap().contains("Retried%2056%20jobs."), "{retried:?}");
    assert_eq!(job(&site, last).await.status, Status::Pending);
    let entry = site.get("/api/v1/audit?limit=1").await.json()["entries"][0].clone();
    assert_eq!(
        (&entry["action"], &entry["target"], &entry["changed"]),
        (
            &json!("retry"),
            &json!("jobs of status retrying or cancelled or dead_letter with \"No Route\" in the error"),
            &json!(56)
        )
    );
}

async fn an_action_on_a_search_leaves_other_jobs_alone(engine: Engine) {
    let site = Site::open(engine).await;
    let found = site.enqueue("a").await;
    let other = site.queue.enqueue_job(NewJob::encode("a", &json!({ "n": 2 })).unwrap()).await.unwrap().id;
    let page = site.get("/jobs?field=/n=1").await.body;
    assert!(page.contains("<option value=\"all\">all 1 that match</option>"), "{page}");
    let fields = format!("csrf={}&back=/jobs&scope=all&action=cancel&field=%2Fn%3D1", hidden(&page, "csrf"));
    let asked = send(&site, "/jobs/act", &fields).await;
    assert!(asked.body.contains("Cancel 1 job (jobs with /n=1 in the payload)?"), "{}", asked.body);

    let cancelled = send(&site, "/jobs/act", &format!("{fields}&confirmed=yes")).await;

    assert!(cancelled.header("set-cookie").unwrap().contains("Cancelled%201%20job."), "{cancelled:?}");
    assert_eq!(job(&site, found).await.status, Status::Cancelled);
    assert_eq!(job(&site, other).await.status, Status::Pending);
}
