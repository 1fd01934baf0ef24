//! What a browser is shown of queues, types, schedules and limits, without a script.

use std::time::Duration;

use longshore::job::JobData;
use longshore::{Payload, Schedule};
use longshore_core::NewJob;
use longshore_web::{Secret, Web, queue_word};

use crate::client::Answer;
use crate::on_both;
use crate::site::{Engine, Fails, Site};

on_both!(
    the_overview_and_the_types_name_a_type_that_nobody_runs,
    a_token_of_a_queue_is_told_what_is_wrong_in_that_queue_alone,
    the_overview_says_how_many_queues_it_leaves_out,
    jobs_that_are_due_later_are_told_from_those_that_could_run_now,
    a_schedule_shows_all_that_its_jobs_have,
    a_limit_with_a_wrong_value_comes_back_with_the_form,
    the_limit_of_a_paused_queue_is_not_open,
    a_time_zone_that_does_not_exist_comes_back_with_the_form,
    every_page_has_the_number_of_dead_letters_in_its_menu,
    the_menu_counts_the_dead_letters_of_the_users_queues,
    names_of_queues_and_types_lead_to_their_jobs,
    a_zero_is_no_link_in_any_column,
    names_between_backticks_are_code_on_the_page_of_the_api,
    a_burst_of_jobs_is_no_rate_of_thousands_a_minute,
);

async fn enqueue_in(site: &Site, queue: &str, job_type: &str) {
    let job = NewJob { queue: queue.to_owned(), ..NewJob::new(job_type, JobData::default()) };
    site.queue.enqueue_job(job).await.unwrap();
}

/// The overview, once what is wrong has been read, which takes its time on a busy machine.
async fn overview(site: &Site, headers: &[(&str, &str)]) -> String {
    loop {
        let page = site.client().send("GET", "/", headers, "").await.body;
        if !page.contains("could not be read in time") {
            return page;
        }
    }
}

async fn send(site: &Site, path: &str, fields: &str) -> Answer {
    site.client().send("POST", path, &[("content-type", "application/x-www-form-urlencoded")], fields).await
}

fn csrf(page: &str) -> &str {
    page.split("name=\"csrf\" value=\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap()
}

async fn the_overview_and_the_types_name_a_type_that_nobody_runs(engine: Engine) {
    let site = Site::open(engine).await;
    enqueue_in(&site, "stuck", "no_handler_type").await;
    let overview = overview(&site, &[]).await;
    assert!(overview.contains("No worker is running, but 1 job could run now."), "{overview}");
    assert!(
        overview
            .contains("No worker and no configuration file knows the type &quot;no_handler_type&quot;; 1 job of this"),
        "{overview}"
    );
    let types = site.get("/types").await.body;
    assert!(types.contains("data-key=\"no_handler_type\""), "{types}");
    assert!(types.contains("type=no_handler_type\">1</a>"), "{types}");
}

async fn a_token_of_a_queue_is_told_what_is_wrong_in_that_queue_alone(engine: Engine) {
    let site = Site::with(engine, Web::tokens).await;
    let secret = Secret::random().unwrap();
    let scopes = ["read".to_owned(), queue_word("mail")].into();
    let token = longshore_core::NewToken { name: "mail".to_owned(), hash: secret.hash(), scopes };
    assert!(site.queue.backend().add_token(token).await.unwrap());
    enqueue_in(&site, "mail", "letter").await;
    enqueue_in(&site, "payroll", "salary").await;
    let authorization = format!("Bearer {}", secret.as_str());
    let headers = [("authorization", authorization.as_str())];
    let types = async || site.client().send("GET", "/types", &headers, "").await.body;
    for page in [overview(&site, &headers).await, types().await] {
        assert!(page.contains("letter") && !page.contains("salary"), "{page}");
    }
}

async fn the_overview_says_how_many_queues_it_leaves_out(engine: Engine) {
    let site = Site::open(engine).await;
    for number in 0..12 {
        enqueue_in(&site, &format!("q{number:02}"), "mail").await;
    }
    let overview = site.get("/").await.body;
    assert!(overview.contains("<a href=\"/queues\">2 more queues</a>"), "{overview}");
}

async fn jobs_that_are_due_later_are_told_from_those_that_could_run_now(engine: Engine) {
    let site = Site::open(engine).await;
    enqueue_in(&site, "mail", "letter").await;
    for _ in 0..2 {
        let job = NewJob { queue: "mail".to_owned(), ..NewJob::new("letter", JobData::default()) };
        site.queue.enqueue_job(job.delay(Duration::from_secs(3600))).await.unwrap();
    }
    let queues = site.get("/api/v1/queues").await.json();
    let queue = &queues["queues"][0];
    assert_eq!((queue["depth"].as_u64(), queue["scheduled"].as_u64()), (Some(3), Some(2)), "{queue}");
    assert_eq!(queue["has_more_scheduled"], false);
    let page = site.get("/queues").await.body;
    assert!(page.contains("data-label=\"Scheduled\">2</td>"), "{page}");
    let overview = site.get("/").await.body;
    for (label, value) in [("Could run now", 1), ("Scheduled", 2)] {
        let tile = format!("<div class=\"label\">{label}</div><div class=\"value\">{value}</div>");
        assert!(overview.contains(&tile), "{label}: {overview}");
    }
}

async fn a_schedule_shows_all_that_its_jobs_have(engine: Engine) {
    let site = Site::open(engine).await;
    let job = NewJob { queue: "reports".to_owned(), ..NewJob::new("report", JobData::default()) };
    let schedule = Schedule::every("nightly", Duration::from_secs(900)).expect_within(Duration::from_secs(120));
    site.queue.schedules().add(&schedule.enqueue_job(job)).await.unwrap();
    let page = site.get("/schedules/nightly").await.body;
    for shown in [">reports</a>", "Priority", "completed within 2m after a tick", "Late after", "Caught up", "Payload"]
    {
        assert!(page.contains(shown), "{shown}: {page}");
    }
    assert_eq!(page.matches("value=\"pause\"").count(), 1, "{page}");
}

async fn names_between_backticks_are_code_on_the_page_of_the_api(engine: Engine) {
    let site = Site::open(engine).await;
    let page = site.get("/api").await.body;
    assert!(
        page.contains("Without <code>status</code>, completed jobs are left out.") && !page.contains('`'),
        "{page}"
    );
}

async fn a_limit_with_a_wrong_value_comes_back_with_the_form(engine: Engine) {
    let site = Site::open(engine).await;
    let page = site.get("/limits").await.body;
    let fields = format!("csrf={}&scope=type&name=sync&concurrency=7&rate=often&action=set", csrf(&page));
    let refused = send(&site, "/limits/change", &fields).await;
    assert_eq!(refused.status, 400, "{refused:?}");
    assert!(refused.body.contains("value=\"sync\"") && refused.body.contains("value=\"7\""), "{refused:?}");
    let at_field = refused.body.split("id=\"limit-rate\"").nth(1).unwrap();
    assert!(at_field.split("</div>").next().unwrap().contains("role=\"alert\""), "{refused:?}");
    assert_eq!(site.get("/api/v1/limits/types/sync").await.code(), "limit_not_found");
}

async fn the_limit_of_a_paused_queue_is_not_open(engine: Engine) {
    let site = Site::open(engine).await;
    let page = site.get("/limits").await.body;
    let fields = format!("csrf={}&scope=queue&name=mail&concurrency=7&action=set", csrf(&page));
    assert_eq!(send(&site, "/limits/change", &fields).await.status, 303);
    let row = async || site.get("/limits").await.body.split("<tbody>").nth(1).unwrap().to_owned();
    assert!(row().await.contains(">open<"));
    assert_eq!(site.post("/api/v1/queues/mail/pause", &serde_json::json!({})).await.status, 200);
    let paused = row().await;
    assert!(paused.contains(">paused<") && !paused.contains(">open<"), "{paused}");
}

async fn a_time_zone_that_does_not_exist_comes_back_with_the_form(engine: Engine) {
    let site = Site::open(engine).await;
    let page = site.get("/preferences").await.body;
    let refused = send(&site, "/preferences", &format!("csrf={}&zone=Berlin&theme=dark", csrf(&page))).await;
    assert_eq!(refused.status, 400, "{refused:?}");
    assert!(refused.body.contains("value=\"Berlin\"") && refused.body.contains("did you mean"), "{refused:?}");
}

/// The number of dead letters in the menu of a page, in whatever tag.
fn menu(page: &str) -> &str {
    let tag = page.split("id=\"menu-dead\"").nth(1).unwrap_or_else(|| panic!("no number: {page}"));
    tag.split("</span>").next().and_then(|tag| tag.rsplit('>').next()).unwrap()
}

async fn every_page_has_the_number_of_dead_letters_in_its_menu(engine: Engine) {
    let site = Site::open(engine).await;
    let id = site.dead_letter().await;
    let job = format!("/jobs/{id}");
    let pages = [
        "/",
        "/jobs",
        "/jobs/new",
        "/dead",
        "/queues",
        "/workers",
        "/types",
        "/schedules",
        "/limits",
        "/batches",
        "/migrations",
        "/audit",
        "/api",
        "/preferences",
        "/jobs/999999",
        job.as_str(),
    ];
    for path in pages {
        assert_eq!(menu(&site.get(path).await.body), "1", "{path}");
    }
}

async fn the_menu_counts_the_dead_letters_of_the_users_queues(engine: Engine) {
    let site = Site::with(engine, Web::tokens).await;
    let secret = Secret::random().unwrap();
    let scopes = ["read".to_owned(), queue_word("mail")].into();
    let token = longshore_core::NewToken { name: "mail".to_owned(), hash: secret.hash(), scopes };
    assert!(site.queue.backend().add_token(token).await.unwrap());
    site.dead_letter().await;
    let authorization = format!("Bearer {}", secret.as_str());
    for path in ["/workers", "/jobs/999999"] {
        let page = site.client().send("GET", path, &[("authorization", &authorization)], "").await.body;
        assert_eq!(menu(&page), "0", "{path}");
    }
}

async fn names_of_queues_and_types_lead_to_their_jobs(engine: Engine) {
    let site = Site::open(engine).await;
    enqueue_in(&site, "mail", "letter").await;
    let types: Vec<String> = (0..7).map(|number| format!("t{number}")).collect();
    let worker = serde_json::json!({ "job_types": types, "queues": ["mail"], "worker_id": "http-links" });
    assert_eq!(site.post("/api/v1/workers", &worker).await.status, 201);
    let workers = site.get("/workers").await.body;
    for link in ["/jobs?queue=mail", "/jobs?type=t0", "/jobs?type=t6"] {
        assert!(workers.contains(&format!("<a href=\"{link}\"")), "{link}: {workers}");
    }
    let jobs = site.get("/jobs").await.body;
    for (list, name) in [("known-queues", "mail"), ("known-types", "letter"), ("known-types", "t6")] {
        let names =
            jobs.split(&format!("<datalist id=\"{list}\">")).nth(1).unwrap().split("</datalist>").next().unwrap();
        assert!(names.contains(&format!("<option value=\"{name}\">")), "{list}: {names}");
    }
}

async fn a_zero_is_no_link_in_any_column(engine: Engine) {
    let site = Site::open(engine).await;
    site.dead_letter().await;
    let row = site.get("/queues").await.body.split("<tbody>").nth(1).unwrap().to_owned();
    for column in ["Waiting", "Scheduled", "Running"] {
        let zero = format!("data-label=\"{column}\"><span class=\"muted\">0</span></td>");
        assert!(row.contains(&zero), "{column}: {row}");
    }
    assert!(row.contains("status=dead_letter&amp;queue=default\">1</a>"), "{row}");
}

async fn a_burst_of_jobs_is_no_rate_of_thousands_a_minute(engine: Engine) {
    let site = Site::open(engine).await;
    for _ in 0..11 {
        site.queue.enqueue_job(Fails {}.to_job().unwrap()).await.unwrap();
    }
    site.dead_letter().await;
    let types = site.get("/types").await.body;
    let rate = types.split("data-label=\"A minute\">").nth(1).and_then(|cell| cell.split("</td>").next()).unwrap();
    let rate: f64 = rate.parse().unwrap();
    assert!(rate <= 12.0, "{rate}");
}
