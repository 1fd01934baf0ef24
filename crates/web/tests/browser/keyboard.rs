use longshore::job::Status;

use crate::chromium::Chromium;
use crate::site::Site;

#[test]
fn a_slash_searches_and_an_id_leads_to_its_job() {
    let site = Site::start();
    let mut browser = Chromium::start(1280, 860);
    let id = site.newest("send_receipt");
    browser.go(&site.at("/"));
    browser.press("/");
    browser.write(&id.to_string());
    browser.load(|browser| browser.press_named("Enter"));
    assert_eq!(browser.inner("h1"), format!("Job {id}"));
    browser.press("/");
    browser.write("status:retrying type:sync_tenant");
    browser.load(|browser| browser.press_named("Enter"));
    assert_eq!(browser.value("document.querySelectorAll('tbody tr').length"), 1);
}

#[test]
fn rows_are_walked_with_j_and_k_and_the_current_one_is_retried_with_r() {
    let site = Site::start();
    let mut browser = Chromium::start(1280, 860);
    browser.go(&site.at("/jobs?status=dead_letter"));
    let at = "document.querySelector('tr.at')?.dataset.key ?? ''";
    for key in ["j", "j", "j", "k"] {
        browser.press(key);
    }
    let second = browser.text("document.querySelectorAll('tbody tr')[1].dataset.key");
    assert_eq!(browser.text(at), second);
    browser.load(|browser| browser.press("r"));
    assert!(browser.inner("[role=status]").contains("Retried 1 job."));
    assert_eq!(site.status(second.parse().unwrap()), Some(Status::Pending));
}

#[test]
fn r_retries_the_job_of_a_page() {
    let site = Site::start();
    let mut browser = Chromium::start(1280, 860);
    let id = site.newest("send_receipt");
    browser.go(&site.at(&format!("/jobs/{id}")));
    browser.load(|browser| browser.press("r"));
    assert_eq!(site.status(id), Some(Status::Pending));
}

#[test]
fn a_question_mark_shows_the_keys_and_letters_in_a_field_are_text() {
    let site = Site::start();
    let mut browser = Chromium::start(1280, 860);
    browser.go(&site.at("/jobs"));
    browser.press("?");
    assert_eq!(browser.value("document.querySelector('#help').open"), true);
    browser.press_named("Escape");
    browser.until("!document.querySelector('#help').open");
    browser.click("#filter-type");
    browser.press("j");
    browser.press("?");
    assert_eq!(browser.text("document.querySelector('#filter-type').value"), "j?");
    assert_eq!(browser.value("document.querySelector('#help').open"), false);
}
