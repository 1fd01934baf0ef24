use longshore::job::{NewJob, Status};
use serde_json::json;

use crate::chromium::Chromium;
use crate::site::Site;

fn script_off(browser: &mut Chromium) {
    browser.call("Emulation.setScriptExecutionDisabled", &json!({"value": true}));
}

fn fill(browser: &mut Chromium, fields: &[(&str, &str)]) {
    for (field, value) in fields {
        browser.value(&format!("void (document.querySelector({field:?}).value = {value:?})"));
    }
}

#[test]
fn a_limit_says_what_is_full_and_who_wins() {
    let site = Site::start();
    let mut browser = Chromium::start(1280, 860);
    browser.go(&site.at("/limits"));
    assert!(browser.inner("#limits").contains("Nothing is limited."));
    site.seed_flows();
    browser.go(&site.at("/limits"));
    let full = browser.inner("tr:has(a[href*='build_report'])");
    assert!(full.contains("full") && full.contains("1 / 1") && full.contains("by hand"), "{full}");
    assert!(browser.inner("#limits").contains("/tenant"));
    browser.follow(".tabs a[href*='saturated']");
    assert_eq!(browser.value("document.querySelectorAll('#limits tbody tr').length"), 1);
    browser.go(&site.at("/queues"));
    assert!(browser.inner("tr[data-key='imports']").contains("0 / 20"));
    assert_eq!(browser.complaints(), Vec::<String>::new());
}

#[test]
fn a_limit_is_set_changed_and_unset_by_hand() {
    let site = Site::start();
    let mut browser = Chromium::start(1280, 860);
    script_off(&mut browser);
    browser.go(&site.at("/limits"));
    fill(&mut browser, &[("#limit-name", "sync_tenant"), ("#limit-concurrency", "5"), ("#limit-rate", "10/1m")]);
    fill(
        &mut browser,
        &[("#limit-key", "/tenant"), ("#limit-key_concurrency", "2"), ("#limit-weights", "acme=3, \"a,b\"=2")],
    );
    browser.follow("button[value=set]");
    assert!(browser.inner("[role=status]").contains("The limit of type sync_tenant is set."));
    browser.follow("a[aria-label='Change the limit of type sync_tenant']");
    assert_eq!(browser.text("document.querySelector('#limit-rate').value"), "10/1m");
    let weights = "document.querySelector('#limit-weights').value";
    assert_eq!(browser.text(weights), "\"a,b\"=2, acme=3");
    fill(&mut browser, &[("#limit-concurrency", "7")]);
    browser.follow("button[value=set]");
    assert!(browser.inner("#limits tbody").contains("0 / 7"));
    browser.follow("a[aria-label='Change the limit of type sync_tenant']");
    assert_eq!(browser.text(weights), "\"a,b\"=2, acme=3", "what is not changed stays");
    browser.follow("button[value=unset]");
    assert!(browser.inner("[role=status]").contains("The limit of type sync_tenant is unset."));
    fill(&mut browser, &[("#limit-name", "sync_tenant"), ("#limit-burst", "5")]);
    browser.follow("button[value=set]");
    let said = browser.inner("main");
    assert!(said.contains("burst has no effect without rate"), "{said}");
}

#[test]
fn a_batch_is_shown_as_a_graph_with_links() {
    let site = Site::start();
    let flow = site.seed_flows();
    let mut browser = Chromium::start(1280, 860);
    script_off(&mut browser);
    browser.go(&site.at("/batches"));
    let row = browser.inner(&format!("tr[data-key='{}']", flow.batch));
    assert!(row.contains("import 42 <b>now</b>"), "{row}");
    assert!(row.contains("running") && row.contains("17 / 19"), "{row}");
    browser.follow(&format!("tr[data-key='{}'] td.name a", flow.batch));
    assert_eq!(browser.inner("h1"), format!("Batch {}", flow.batch));
    let graph = browser.text("document.querySelector('svg.graph').textContent");
    for words in ["and 7 more", "signal, awaited", "End of the batch", "part 3", "merge", "notify", "alert"] {
        assert!(graph.contains(words), "{words}: {graph}");
    }
    // Dead letters are drawn before what has completed, and hostile names are text.
    assert_eq!(browser.value("document.querySelectorAll('svg.graph .dead_letter').length"), 4);
    assert_eq!(browser.value("document.querySelectorAll('main img, main script, td b').length"), 0);
    assert!(browser.inner("section[aria-labelledby=callbacks]").contains("alert"));
    browser.follow(&format!("svg.graph a[href$='/jobs/{}']", flow.broken));
    assert_eq!(browser.inner("h1"), format!("Job {}", flow.broken));
    assert_eq!(browser.complaints(), Vec::<String>::new());
}

#[test]
fn the_counts_of_a_batch_lead_to_the_members_behind_them() {
    let site = Site::start();
    let flow = site.seed_flows();
    let mut browser = Chromium::start(1280, 860);
    browser.go(&site.at(&format!("/batches/{}", flow.batch)));
    browser.follow(".tiles a[href*='status=dead_letter']");
    let badges = "[...document.querySelectorAll('section[aria-labelledby=members] .badge')].map(b => b.textContent)";
    assert_eq!(browser.value(&format!("{badges}.length")), 4);
    assert_eq!(browser.value(&format!("new Set({badges}).size")), 1);
    assert!(browser.inner("section[aria-labelledby=members] header").contains("dead letter"));
    assert!(browser.text("document.querySelector('.tiles [aria-current]').textContent").contains("Dead letters"));
    browser.follow("section[aria-labelledby=members] header a");
    assert!(browser.text("location.search").is_empty());
    browser.go(&site.at(&format!("/batches/{}?status=cancelled", flow.batch)));
    assert!(browser.inner("section[aria-labelledby=members]").contains("No kept member has this status."));
    assert_eq!(browser.complaints(), Vec::<String>::new());
}

#[test]
fn a_job_says_what_it_waits_for_and_what_waits_for_it() {
    let site = Site::start();
    let flow = site.seed_flows();
    let parent = site.newest("<b>bold</b>");
    let mut browser = Chromium::start(1280, 860);
    browser.go(&site.at(&format!("/jobs/{}", flow.publish)));
    let waits = browser.inner("#workflow");
    assert!(waits.contains("merge") && waits.contains("signal approved") && waits.contains("waiting"), "{waits}");
    browser.follow("#workflow a[href*='/batches/']");
    assert_eq!(browser.inner("h1"), format!("Batch {}", flow.batch));
    browser.go(&site.at(&format!("/jobs/{parent}")));
    let waited = browser.inner("#workflow");
    assert!(waited.contains("child") && waited.contains("import_rows"), "{waited}");
    browser.go(&site.at(&format!("/jobs/{}", flow.fetch)));
    assert!(!browser.inner("#workflow").contains("Waited for by"), "nothing waits for what has completed");
}

#[test]
fn a_batch_is_retried_cancelled_and_closed_after_a_confirmation() {
    let site = Site::start();
    let flow = site.seed_flows();
    let mut browser = Chromium::start(1280, 860);
    script_off(&mut browser);
    browser.go(&site.at(&format!("/batches/{}", flow.batch)));
    browser.follow("button[value=retry]");
    assert_eq!(browser.inner("h1"), "Retry 4 members?");
    assert_eq!(site.status(flow.broken), Some(Status::DeadLetter));
    browser.follow("#confirm");
    assert!(browser.inner("[role=status]").contains("Retried 4 jobs."));
    assert_eq!(site.status(flow.broken), Some(Status::Pending));
    browser.follow("button[value=cancel]");
    browser.follow("#confirm");
    assert_eq!(site.status(flow.broken), Some(Status::Cancelled));
    browser.go(&site.at("/batches?status=open"));
    browser.follow("tbody td.name a");
    browser.follow("button[value=close]");
    browser.follow("#confirm");
    assert!(browser.inner("[role=status]").contains("is closed."));
    assert!(browser.inner("main").contains("running"));
}

#[test]
fn a_list_of_batches_goes_on_where_it_stopped() {
    let site = Site::start();
    for number in 0..51 {
        let mut flow = longshore::workflow::Workflow::new(format!("batch {number}"));
        flow.add_job(NewJob::encode("merge", &json!({})).unwrap());
        site.run(site.queue.enqueue_workflow(flow)).unwrap();
    }
    let mut browser = Chromium::start(1280, 860);
    browser.go(&site.at("/batches"));
    assert_eq!(browser.value("document.querySelectorAll('#batches tbody tr').length"), 50);
    browser.follow("a[rel=next]");
    assert!(browser.inner("#batches").contains("batch 0"));
    browser.go(&site.at("/batches/999999"));
    assert!(browser.inner("main").contains("there is no batch 999999"));
}
