use longshore::job::{JobData, NewJob, Status};
use serde_json::json;

use crate::chromium::Chromium;
use crate::site::{LARGE, Site};

fn script_off(browser: &mut Chromium) {
    browser.call("Emulation.setScriptExecutionDisabled", &json!({"value": true}));
}

/// Everything here is done without a script, so it works with one as well.
fn start() -> (Site, Chromium) {
    let mut browser = Chromium::start(1280, 860);
    script_off(&mut browser);
    (Site::start(), browser)
}

#[test]
fn a_dead_letter_is_retried_from_its_page() {
    let (site, mut browser) = start();
    let id = site.newest("send_receipt");
    browser.go(&site.at(&format!("/jobs/{id}")));
    browser.follow("button[value=retry]");
    assert!(browser.inner("[role=status]").contains("Retried 1 job."));
    assert_eq!(site.status(id), Some(Status::Pending));
    browser.go(&site.at("/jobs"));
    assert!(browser.inner("main").find("Retried").is_none(), "a notice is shown once");
}

#[test]
fn all_of_a_filter_is_changed_after_the_number_was_said() {
    let (site, mut browser) = start();
    browser.go(&site.at("/jobs?status=dead_letter"));
    browser.value("void (document.querySelector('#scope').value = 'all')");
    browser.follow("button[value=retry]");
    assert_eq!(browser.inner("h1"), "Retry 7 jobs (dead letters)?");
    assert_eq!(site.status(site.newest("send_receipt")), Some(Status::DeadLetter));
    browser.follow("#confirm");
    assert!(browser.inner("[role=status]").contains("Retried 7 jobs."));
    assert_eq!(site.status(site.newest("send_receipt")), Some(Status::Pending));
}

#[test]
fn selected_jobs_are_deleted_after_a_confirmation() {
    let (site, mut browser) = start();
    let id = site.newest("resize_image");
    browser.go(&site.at("/jobs?type=resize_image"));
    browser.click(&format!("input[name=id][value='{id}']"));
    browser.follow("button[value=delete]");
    assert_eq!(browser.inner("h1"), "Delete 1 job?");
    browser.follow("#confirm");
    assert!(browser.inner("[role=status]").contains("Deleted 1 job."));
    assert_eq!(site.status(id), None);
}

#[test]
fn without_a_selection_nothing_is_changed() {
    let (site, mut browser) = start();
    browser.go(&site.at("/jobs?status=dead_letter"));
    browser.follow("button[value=retry]");
    assert!(browser.inner("[role=status]").contains("No job is selected"));
    assert_eq!(site.status(site.newest("send_receipt")), Some(Status::DeadLetter));
}

#[test]
fn a_few_of_an_error_are_retried_first_and_the_rest_discarded() {
    let (site, mut browser) = start();
    browser.go(&site.at("/dead"));
    browser.follow("button[value=retry_first]");
    assert!(browser.inner("[role=status]").contains("Retried 3 jobs."));
    browser.follow("section[aria-labelledby=errors] button[value=discard]");
    assert_eq!(browser.inner("h1"), "Discard 4 dead letters?");
    browser.follow("#confirm");
    assert!(browser.inner("[role=status]").contains("Discarded 4 jobs."));
    assert!(browser.inner("main").contains("There is no dead letter."));
    browser.go(&site.at("/audit"));
    let noted = browser.inner("#audit tbody tr:first-child");
    for words in ["local", "dashboard", "discard", "done", "4"] {
        assert!(noted.contains(words), "{noted}");
    }
}

#[test]
fn a_unique_key_that_another_job_has_is_explained() {
    let (site, mut browser) = start();
    let job = || NewJob { unique_key: Some("only-one".to_owned()), ..NewJob::new("import_rows", JobData::default()) };
    let first = site.enqueue(job());
    site.run(site.queue.cancel(first)).unwrap();
    let second = site.enqueue(job());
    browser.go(&site.at(&format!("/jobs/{first}")));
    browser.follow("button[value=retry]");
    let said = browser.inner("[role=status]");
    assert!(said.contains(&format!("job {second} has the key until it has ended")), "{said}");
}

#[test]
fn a_queue_is_paused_and_resumed() {
    let (site, mut browser) = start();
    browser.go(&site.at("/queues"));
    browser.follow("tr[data-key='media'] button[value=pause]");
    assert!(browser.inner("[role=status]").contains("Queue media is paused."));
    assert!(browser.inner("tr[data-key='media']").contains("paused"));
    browser.follow("tr[data-key='media'] button[value=resume]");
    assert!(browser.inner("tr[data-key='media']").contains("open"));
}

#[test]
fn a_schedule_runs_now_and_is_paused_with_a_reason() {
    let (site, mut browser) = start();
    browser.go(&site.at("/schedules/sync%2Fall"));
    browser.click("#reason");
    browser.write("the tenant is on holiday");
    browser.load(|browser| browser.press_named("Enter"));
    assert!(browser.inner("#schedule").contains("the tenant is on holiday"));
    let before = site.newest("sync_tenant");
    browser.follow("button[value=run]");
    let made = site.newest("sync_tenant");
    assert!(made > before);
    assert!(browser.inner("[role=status]").contains(&format!("Schedule sync/all made job {made}.")));
}

#[test]
fn a_payload_is_edited_and_a_job_is_duplicated_exactly() {
    let (site, mut browser) = start();
    let id = site.newest("send_receipt");
    browser.go(&site.at(&format!("/jobs/{id}/edit")));
    let payload = format!("{{\"order\": {}}}", LARGE + 100);
    browser.value(&format!("void (document.querySelector('#job_data').value = {payload:?})"));
    browser.follow("button.primary");
    assert!(browser.inner("[role=status]").contains(&format!("Changed job {id}.")));
    browser.follow("a[href*='like=']");
    browser.follow("button.primary");
    let copy = site.newest("send_receipt");
    assert!(copy > id);
    let detail = site.run(site.queue.job(copy)).unwrap().unwrap();
    assert_eq!(detail.job.job_data.as_str().replace([' ', '\n'], ""), payload.replace(' ', ""));
    assert_eq!((detail.job.queue.as_str(), detail.job.status), ("mail", Status::Pending));
}

#[test]
fn a_payload_that_is_not_json_is_refused() {
    let (site, mut browser) = start();
    browser.go(&site.at(&format!("/jobs/{}/edit", site.newest("send_receipt"))));
    browser.value("void (document.querySelector('#job_data').value = '{')");
    browser.follow("button.primary");
    assert!(browser.inner("main").contains("the payload is not valid JSON"));
}

#[test]
fn a_form_of_another_log_in_changes_nothing() {
    let (site, mut browser) = start();
    let id = site.newest("send_receipt");
    browser.go(&site.at(&format!("/jobs/{id}")));
    browser.value("void (document.querySelector('main input[name=csrf]').value = 'guessed')");
    browser.follow("button[value=retry]");
    assert!(browser.inner("main").contains("the form is not from this log-in"));
    assert_eq!(site.status(id), Some(Status::DeadLetter));
}

#[test]
fn whoever_may_only_read_has_no_buttons() {
    let site = Site::start_with(|web| web.open_to_everyone().read_only(), "");
    let mut browser = Chromium::start(1280, 860);
    for path in ["/", "/jobs", "/dead", "/queues", "/schedules"] {
        browser.go(&site.at(path));
        assert_eq!(
            browser.value("document.querySelectorAll('main form[method=post]').length"),
            json!(if path == "/jobs" || path == "/dead" { 1 } else { 0 }),
            "{path}"
        );
        assert_eq!(
            browser.value("document.querySelectorAll('main button[name=action], main button[name=change]').length"),
            0,
            "{path}"
        );
    }
}
