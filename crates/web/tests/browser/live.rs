use longshore::NewJob;
use longshore::backend::{Action, Selection};
use longshore::job::JobData;

use crate::chromium::Chromium;
use crate::site::Site;

fn enqueue(site: &Site) -> String {
    site.enqueue(NewJob::new("news", JobData::default())).to_string()
}

fn has_row(id: &str) -> String {
    format!("document.querySelector('tr[data-key=\"{id}\"]') !== null")
}

const IS_LIVE: &str = "document.querySelector('#live').dataset.state === 'live'";

#[test]
fn a_new_job_appears_by_itself() {
    let site = Site::start();
    let mut browser = Chromium::start(1280, 860);
    browser.go(&site.at("/jobs"));
    browser.until(IS_LIVE);
    let id = enqueue(&site);
    browser.until(&has_row(&id));
    assert_eq!(browser.complaints(), Vec::<String>::new());
}

#[test]
fn a_pause_pauses_until_it_is_taken_back() {
    let site = Site::start();
    let mut browser = Chromium::start(1280, 860);
    browser.go(&site.at("/jobs"));
    browser.until(IS_LIVE);
    browser.press("p");
    let id = enqueue(&site);
    // The hint has come: the button says so.
    browser.until("document.querySelector('#live').textContent.startsWith('Paused (')");
    assert_eq!(browser.value(&has_row(&id)), false);
    browser.go(&site.at("/queues"));
    browser.until("document.querySelector('#live').dataset.state === 'paused'");
    browser.go(&site.at("/jobs"));
    browser.until("document.querySelector('#live').dataset.connected === 'true'");
    let later = enqueue(&site);
    browser.until("document.querySelector('#live').textContent.startsWith('Paused (')");
    assert_eq!(browser.value(&has_row(&later)), false);
    browser.click("#live");
    browser.until(&has_row(&later));
}

#[test]
fn nothing_moves_while_rows_are_selected() {
    let site = Site::start();
    let mut browser = Chromium::start(1280, 860);
    browser.go(&site.at("/jobs"));
    browser.until(IS_LIVE);
    browser.click("tbody tr:nth-child(2) input[name=id]");
    let id = enqueue(&site);
    browser.until("document.querySelector('#live').textContent.startsWith('Held (')");
    assert_eq!(browser.value(&has_row(&id)), false);
    assert!(browser.inner("[data-chosen]").contains("1 selected"));
    browser.click("tbody tr:nth-child(2) input[name=id]");
    browser.until(&has_row(&id));
}

#[test]
fn a_log_and_a_status_follow_the_job() {
    let site = Site::start();
    let mut browser = Chromium::start(1280, 860);
    let id = site.enqueue(NewJob::new("news", JobData::default()));
    browser.go(&site.at(&format!("/jobs/{id}")));
    browser.until(IS_LIVE);
    site.run(site.queue.cancel(id)).unwrap();
    browser.until("document.querySelector('#why').innerText.includes('cancelled')");
}

#[test]
fn the_number_in_the_menu_follows_on_the_page_of_a_job() {
    let site = Site::start();
    let mut browser = Chromium::start(1280, 860);
    browser.go(&site.at(&format!("/jobs/{}", site.newest("resize_image"))));
    browser.until(IS_LIVE);
    assert_eq!(browser.inner("#menu-dead"), "7");
    site.run(site.queue.backend().act(Selection::job(site.newest("send_receipt")), Action::Retry)).unwrap();
    browser.until("document.querySelector('#menu-dead').textContent === '6'");
}

#[test]
fn a_page_says_that_its_job_is_gone() {
    let site = Site::start();
    let mut browser = Chromium::start(1280, 860);
    let id = site.enqueue(NewJob::new("news", JobData::default()));
    browser.go(&site.at(&format!("/jobs/{id}")));
    browser.until(IS_LIVE);
    site.run(site.queue.backend().act(Selection::job(id), Action::Delete)).unwrap();
    browser.until("document.querySelector('#live').textContent === 'This job is gone'");
    assert_eq!(browser.value("document.querySelector('#actions').checkVisibility()"), false);
}

#[test]
fn a_long_name_does_not_make_a_page_wider() {
    let site = Site::start();
    let mut browser = Chromium::start(1280, 860);
    let id = site.enqueue(NewJob::new("x".repeat(200), JobData::default()).queue("y".repeat(200)));
    for path in [format!("/jobs/{id}"), format!("/jobs/{id}/edit"), "/jobs".to_owned()] {
        browser.go(&site.at(&path));
        assert_eq!(browser.value("document.documentElement.scrollWidth <= innerWidth"), true, "{path}");
    }
}
