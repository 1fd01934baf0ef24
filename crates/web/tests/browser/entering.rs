use longshore_core::NewToken;
use longshore_migrate::Migrator;
use longshore_migrate_sqlite::{Access, SqliteTarget};
use longshore_web::{Scope, Secret, Web};

use crate::chromium::Chromium;
use crate::looks::{FAINT, prefer};
use crate::site::Site;

fn token(site: &Site, scope: Scope) -> String {
    let secret = Secret::random().unwrap();
    let new = NewToken { name: "ada".to_owned(), hash: secret.hash(), scopes: vec![scope.to_string()] };
    assert!(site.run(site.queue.backend().add_token(new)).unwrap());
    secret.as_str().to_owned()
}

fn enter(browser: &mut Chromium, token: &str) {
    browser.click("#token");
    browser.write(token);
    browser.load(|browser| browser.press_named("Enter"));
}

#[test]
fn a_log_in_leads_to_the_page_that_was_asked_for_and_a_log_out_ends_it() {
    let site = Site::start_with(Web::tokens, "");
    let token = token(&site, Scope::Operate);
    let mut browser = Chromium::start(1280, 860);
    browser.go(&site.at("/jobs?status=dead_letter"));
    assert_eq!(browser.inner("h1"), "Log in");
    assert_eq!(
        browser.value("document.activeElement.id === 'token' && document.activeElement.type === 'password'"),
        true
    );
    enter(&mut browser, &token);
    assert_eq!(browser.text("location.pathname + location.search"), "/jobs?status=dead_letter");
    assert!(browser.inner(".top-links").contains("ada"));
    assert_eq!(browser.value("document.cookie"), "", "no script reads the session");
    browser.follow(".top-links form button");
    assert_eq!(browser.inner("h1"), "Log in");
    browser.go(&site.at("/jobs"));
    assert_eq!(browser.inner("h1"), "Log in");
    assert_eq!(browser.complaints(), Vec::<String>::new());
}

#[test]
fn a_token_that_is_unknown_is_refused_with_a_sentence() {
    let site = Site::start_with(Web::tokens, "");
    let mut browser = Chromium::start(1280, 860);
    browser.go(&site.at("/login?to=%2Fqueues"));
    enter(&mut browser, "lsh_wrong");
    assert!(browser.inner("[role=alert]").contains("This token is unknown or was revoked."));
    let token = token(&site, Scope::Read);
    enter(&mut browser, &token);
    assert_eq!(browser.text("location.pathname"), "/queues");
    // Who may only read is offered nothing else.
    assert_eq!(browser.value("document.querySelectorAll('main button').length"), 0);
}

#[test]
fn the_log_in_can_be_read_and_used_in_every_theme_and_on_a_phone() {
    let site = Site::start_with(Web::tokens, "");
    let mut browser = Chromium::start(1280, 860);
    for theme in ["light", "dark"] {
        prefer(&mut browser, theme);
        browser.go(&site.at("/login"));
        assert_eq!(browser.value(FAINT), serde_json::json!([]), "{theme}");
        let middle = "(() => { const box = document.querySelector('main').getBoundingClientRect(); return Math.abs(box.left + box.right - innerWidth) < 2; })()";
        assert_eq!(browser.value(middle), true, "{theme}");
        browser.picture(&format!("{theme}-login"));
    }
    browser.resize(390, 844);
    browser.go(&site.at("/login"));
    assert_eq!(browser.value("document.documentElement.scrollWidth"), 390);
    assert_eq!(browser.value("document.querySelector('label[for=token]').textContent"), "Token");
    browser.picture("phone-login");
}

#[test]
fn the_migrations_are_the_ledger_beside_the_schema() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("other.db");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    drop(runtime.block_on(longshore::Queue::open(path.display().to_string())).unwrap());
    let opened = path.clone();
    let open = move || {
        let target = SqliteTarget::open(&opened, Access::Inspect)?;
        Ok(Migrator::new(Box::new(target), vec![longshore_sqlite::migrations::longshore()]))
    };
    let site = Site::start_with(|web| web.open_to_everyone().migrations(open), "");
    let mut browser = Chromium::start(1280, 860);
    for theme in ["light", "dark"] {
        prefer(&mut browser, theme);
        browser.go(&site.at("/migrations"));
        assert_eq!(browser.value(FAINT), serde_json::json!([]), "{theme}");
        browser.picture(&format!("{theme}-migrations"));
    }
    assert!(browser.inner(".notice").contains("The schema is what the ledger says"));
    let ledger = browser.inner("section[aria-labelledby=ledger]");
    assert!(ledger.contains("longshore:1") && ledger.contains("create_job_queue"), "{ledger}");
    assert!(browser.inner("section[aria-labelledby=history]").contains("applied"));
    assert_eq!(browser.complaints(), Vec::<String>::new());
    browser.resize(390, 844);
    browser.go(&site.at("/migrations"));
    assert_eq!(browser.value("document.documentElement.scrollWidth"), 390);
    browser.picture("phone-migrations");
    let database = longshore_sqlite::rusqlite::Connection::open(&path).unwrap();
    database.execute_batch("ALTER TABLE job_queues ADD COLUMN by_hand TEXT").unwrap();
    browser.go(&site.at("/migrations"));
    let said = browser.inner("main");
    assert!(said.contains("do not agree") && said.contains("by_hand"), "{said}");
    let begun_at = std::time::Instant::now();
    loop {
        browser.go(&site.at("/"));
        let said = browser.inner("main");
        if said.contains("Ledger, files and schema do not agree: 1 difference") {
            break;
        }
        assert!(said.contains("is being compared") && begun_at.elapsed().as_secs() < 30, "{said}");
    }
}
