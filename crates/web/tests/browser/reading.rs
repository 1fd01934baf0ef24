use crate::chromium::Chromium;
use crate::site::{HOSTILE, LARGE, Site};

const PAGES: [&str; 11] = [
    "/",
    "/?span=7d",
    "/jobs",
    "/jobs?status=dead_letter&type=send_receipt",
    "/dead",
    "/queues",
    "/workers",
    "/types",
    "/schedules",
    "/schedules/nightly",
    "/preferences",
];

#[test]
fn every_page_is_shown_without_a_complaint_of_the_browser() {
    let site = Site::start();
    let mut browser = Chromium::start(1280, 860);
    let dead = site.newest("send_receipt");
    let others = [format!("/jobs/{dead}"), format!("/jobs/{dead}/edit"), format!("/jobs/new?like={dead}")];
    for path in PAGES.into_iter().chain(others.iter().map(String::as_str)) {
        browser.go(&site.at(path));
        assert_ne!(browser.inner("main h1"), "This did not work", "{path}");
        assert_eq!(browser.value("document.title.endsWith('Longshore')"), true, "{path}");
        let name = path.trim_start_matches('/').replace(['/', '?', '&', '='], "-");
        browser.picture(&format!("light-{}", if name.is_empty() { "overview" } else { &name }));
    }
    assert_eq!(browser.complaints(), Vec::<String>::new());
}

#[test]
fn the_overview_says_what_is_wrong_first() {
    let site = Site::start();
    let mut browser = Chromium::start(1280, 860);
    browser.go(&site.at("/"));
    let findings = browser.inner(".findings");
    assert!(findings.contains("The number of dead letters grows: 7 in the last hour, 7 in total."), "{findings}");
    assert!(findings.contains("Queue imports has been paused"), "{findings}");
    assert!(findings.contains("No worker takes from queue a/b & \"c\", where 1 job waits."), "{findings}");
    let label = browser.text("document.querySelector('svg.chart').getAttribute('aria-label')");
    assert!(label.contains("24 completed, 1 retried, 7 given up, 1 cancelled"), "{label}");
}

#[test]
fn a_filter_is_in_the_address_and_the_counts_are_those_of_the_store() {
    let site = Site::start();
    let mut browser = Chromium::start(1280, 860);
    browser.go(&site.at("/jobs"));
    let tabs = browser.inner("#tabs");
    assert!(tabs.contains("Dead letter7") && tabs.contains("Completed24") && tabs.contains("Running1"), "{tabs}");
    browser.follow("#tabs a[href*='status=completed']");
    browser.click("#filter-queue");
    browser.write("media");
    browser.load(|browser| browser.press_named("Enter"));
    assert_eq!(browser.text("location.search"), "?status=completed&type=&queue=media&failure_type=&error=&tag=&field=");
    assert_eq!(browser.value("document.querySelectorAll('tbody tr').length"), 24);
}

#[test]
fn a_search_looks_into_jobs_and_says_how_far_it_went() {
    let site = Site::start();
    let tagged = longshore::NewJob::encode("tagged", &serde_json::json!({"order": {"id": 7}})).unwrap();
    let metadata = longshore::job::JobData::encode(&serde_json::json!({"tags": ["eu", "beta"]})).unwrap();
    let id = site.enqueue(longshore::NewJob { metadata: Some(metadata), ..tagged });
    let mut browser = Chromium::start(1280, 860);
    for search in ["tag:eu", "data:/order/id=7"] {
        browser.go(&site.at("/"));
        browser.press("/");
        browser.write(search);
        browser.load(|browser| browser.press_named("Enter"));
        assert_eq!(browser.value("document.querySelectorAll('tbody tr').length"), 1, "{search}");
        assert_eq!(browser.text("document.querySelector('tbody tr').dataset.key"), id.to_string(), "{search}");
        assert!(browser.inner("#extent").contains("Found 1 job among the newest"), "{search}");
        assert!(browser.inner("#extent").contains("There are no others."), "{search}");
    }
    browser.go(&site.at("/jobs?error=REFUSED+order"));
    assert_eq!(browser.value("document.querySelectorAll('tbody tr').length"), 7);
    assert_eq!(browser.text("document.querySelector('#scope option[value=all]').textContent"), "all 7 that match");
    browser.go(&site.at("/jobs?field=order"));
    assert!(browser.inner("main").contains("is not a field of a payload"));
}

#[test]
fn pages_of_jobs_follow_each_other_without_gaps() {
    let site = Site::start();
    for _ in 0..60 {
        site.enqueue(longshore::NewJob::new("many", longshore::job::JobData::default()));
    }
    let mut browser = Chromium::start(1280, 860);
    browser.go(&site.at("/jobs?type=many"));
    let ids = "[...document.querySelectorAll('tbody tr')].map((row) => Number(row.dataset.key))";
    let first = browser.value(ids);
    browser.follow("a[rel=next]");
    let second = browser.value(ids);
    let all: Vec<i64> = [first, second]
        .iter()
        .flat_map(|page| page.as_array().unwrap().clone())
        .map(|id| id.as_i64().unwrap())
        .collect();
    assert_eq!(all.len(), 60);
    assert!(all.windows(2).all(|pair| pair[0] > pair[1]), "{all:?}");
    assert!(browser.inner(".pager").contains("These are the oldest."));
}

#[test]
fn a_job_shows_why_it_does_not_run_and_what_happened() {
    let site = Site::start();
    let mut browser = Chromium::start(1280, 860);
    browser.go(&site.at(&format!("/jobs/{}", site.newest("send_receipt"))));
    let why = browser.inner("#why");
    assert!(why.contains("is a dead letter: it was given up"), "{why}");
    assert!(browser.inner(".timeline").contains("attempt 1 started"));
    assert!(browser.inner("article.attempt").contains("network error"));
    assert!(browser.inner("#log-text").contains("connecting to mail.example"));
    browser.go(&site.at(&format!("/jobs/{}", site.newest("build_report"))));
    assert!(browser.inner("#job").contains("40% page 4 of 10"));
    browser.go(&site.at(&format!("/jobs/{}", site.newest("import_rows"))));
    let why = browser.inner("#why");
    assert!(why.contains("it waits for its parent"), "{why}");
}

#[test]
fn dead_letters_are_grouped_by_their_error() {
    let site = Site::start();
    let mut browser = Chromium::start(1280, 860);
    browser.go(&site.at("/dead"));
    assert_eq!(browser.value("document.querySelectorAll('section[aria-labelledby=errors] tbody tr').length"), 1);
    let group = browser.inner("section[aria-labelledby=errors] tbody");
    assert!(group.starts_with('7') && group.contains("mail.example refused order"), "{group}");
}

#[test]
fn hostile_text_is_shown_as_text_and_integers_are_exact() {
    let site = Site::start();
    let mut browser = Chromium::start(1280, 860);
    let hostile = site.newest("<b>bold</b>");
    for path in ["/jobs".to_owned(), "/queues".to_owned(), format!("/jobs/{hostile}"), "/dead".to_owned()] {
        browser.go(&site.at(&path));
        assert_eq!(browser.value("document.querySelectorAll('main img, main script, td b').length"), 0, "{path}");
        assert_eq!(browser.value("document.title.includes('taken')"), false, "{path}");
    }
    browser.go(&site.at(&format!("/jobs/{hostile}")));
    let payload = browser.inner("section[aria-label=Payload]");
    assert!(payload.contains(&LARGE.to_string()), "{payload}");
    assert!(payload.contains("</pre><img src=x onerror=alert(1)>"), "{payload}");
    assert!(!HOSTILE.is_ascii() && !payload.contains('\u{202e}') && !payload.contains('\u{1b}'), "{payload}");
    browser.go(&site.at(&format!("/jobs/{}", site.newest("send_receipt"))));
    let log = browser.inner("#log-text");
    assert!(log.contains("\\u{1b}[31m\\u{202e}") && log.contains("<script>"), "{log}");
    assert_eq!(browser.complaints(), Vec::<String>::new());
}

#[test]
fn what_does_not_exist_is_said_on_a_page() {
    let site = Site::start();
    let mut browser = Chromium::start(1280, 860);
    for (path, words) in [
        ("/jobs/999999", "there is no job 999999"),
        ("/jobs/x", "is not a job id"),
        ("/jobs?status=lost", "is not a status"),
        ("/schedules/none", "there is no schedule none"),
        ("/?span=1y", "the span must be 1h, 24h or 7d"),
    ] {
        browser.go(&site.at(path));
        let said = browser.inner("main");
        assert!(said.contains(words), "{path}: {said}");
        assert!(browser.inner("nav.side").contains("Dead letters"), "{path}");
    }
}
