use longshore_web::{Access, Identified, Identify, Scope, Web};
use serde_json::json;

use crate::on_both;
use crate::site::{Engine, Site};

on_both!(a_token_gives_its_scopes_and_no_others, a_log_in_lasts_until_its_token_is_revoked);

async fn bearer(site: &Site, token: &str, method: &str, path: &str, body: &str) -> u16 {
    let value = format!("Bearer {token}");
    let headers = [("authorization", value.as_str()), ("content-type", "application/json")];
    site.client().send(method, path, &headers, body).await.status
}

async fn a_token_gives_its_scopes_and_no_others(engine: Engine) {
    let site = Site::with(engine, Web::tokens).await;
    let (reader, producer) =
        (site.token("reader", &[Scope::Read]).await, site.token("producer", &[Scope::Enqueue]).await);
    let operator = site.token("operator", &[Scope::Operate]).await;
    let job = r#"{"job_type": "a"}"#;
    assert_eq!(bearer(&site, &reader, "GET", "/api/v1/jobs", "").await, 200);
    assert_eq!(bearer(&site, &reader, "POST", "/api/v1/jobs", job).await, 403);
    assert_eq!(bearer(&site, &producer, "POST", "/api/v1/jobs", job).await, 201);
    assert_eq!(bearer(&site, &producer, "GET", "/api/v1/jobs", "").await, 403);
    assert_eq!(bearer(&site, &producer, "POST", "/api/v1/jobs/1/cancel", "").await, 403);
    assert_eq!(bearer(&site, &operator, "POST", "/api/v1/queues/default/pause", "").await, 200);
    // An edit decides what code runs.
    assert_eq!(bearer(&site, &operator, "PATCH", "/api/v1/jobs/1", r#"{"job_data": 1}"#).await, 403);
    assert_eq!(bearer(&site, "lsh_00", "GET", "/api/v1/jobs", "").await, 401);
    assert_eq!(site.get("/api/v1/jobs").await.code(), "unauthenticated");
    site.queue.backend().revoke_token("reader".to_owned()).await.unwrap();
    assert_eq!(bearer(&site, &reader, "GET", "/api/v1/jobs", "").await, 401);
}

async fn a_log_in_lasts_until_its_token_is_revoked(engine: Engine) {
    let site = Site::with(engine, Web::tokens).await;
    let token = site.token("ada", &[Scope::Admin]).await;
    let away = site.get("/workers").await;
    assert_eq!((away.status, away.header("location")), (303, Some("/login?to=%2Fworkers")));
    let form = [("content-type", "application/x-www-form-urlencoded")];
    let refused = site.client().send("POST", "/login", &form, "token=lsh_wrong&to=/workers").await;
    assert_eq!((refused.status, refused.header("set-cookie")), (401, None));
    let body = format!("token={token}&to=/workers");
    let entered = site.client().send("POST", "/login", &form, &body).await;
    assert_eq!((entered.status, entered.header("location")), (303, Some("/workers")));
    let cookie = entered.header("set-cookie").unwrap().to_owned();
    assert!(cookie.contains("HttpOnly; SameSite=Strict") && !cookie.contains(&token), "{cookie}");
    let session = cookie.split(';').next().unwrap();
    assert_eq!(site.client().send("GET", "/workers", &[("cookie", session)], "").await.status, 200);
    site.queue.backend().revoke_token("ada".to_owned()).await.unwrap();
    assert_eq!(site.client().send("GET", "/workers", &[("cookie", session)], "").await.status, 303);
}

#[tokio::test]
async fn a_router_without_users_lets_nobody_in() {
    let site = Site::with(Engine::Sqlite, |web| web).await;
    for path in ["/api/v1/jobs", "/workers", "/api/v1/openapi.json", "/metrics", "/api/v1/events"] {
        assert_eq!(site.get(path).await.status, 401, "{path}");
    }
}

#[tokio::test]
async fn an_open_server_gives_a_token_no_more_than_its_scopes() {
    let site = Site::open(Engine::Sqlite).await;
    let reader = site.token("reader", &[Scope::Read]).await;
    assert_eq!(bearer(&site, &reader, "POST", "/api/v1/jobs", r#"{"job_type": "a"}"#).await, 403);
    assert_eq!(bearer(&site, &"lsh_0".repeat(9), "GET", "/api/v1/jobs", "").await, 401);
    assert_eq!(site.post("/api/v1/jobs", &json!({ "job_type": "a" })).await.status, 201);
}

#[tokio::test]
async fn a_read_only_server_refuses_every_change() {
    let site = Site::with(Engine::Sqlite, |web| web.open_to_everyone().read_only()).await;
    assert_eq!(site.post("/api/v1/jobs", &json!({ "job_type": "a" })).await.code(), "forbidden");
    assert_eq!(site.post("/api/v1/queues/default/pause", &json!({})).await.status, 403);
    assert_eq!(site.get("/api/v1/jobs").await.status, 200);
}

#[tokio::test]
async fn too_many_wrong_tokens_have_to_wait_and_a_right_one_is_let_in() {
    let site = Site::with(Engine::Sqlite, Web::tokens).await;
    let token = site.token("ada", &[Scope::Read]).await;
    let form = [("content-type", "application/x-www-form-urlencoded")];
    for _ in 0..10 {
        assert_eq!(site.client().send("POST", "/login", &form, "token=guess").await.status, 401);
    }
    let refused = site.client().send("POST", "/login", &form, "token=guess&to=/workers").await;
    assert_eq!((refused.status, refused.header("retry-after")), (429, Some("60")));
    // One may try again from the same page.
    assert!(refused.body.contains("Wait a minute") && refused.body.contains("value=\"/workers\""), "{refused:?}");
    let entered = site.client().send("POST", "/login", &form, &format!("token={token}")).await;
    assert_eq!(entered.status, 303);
    assert_eq!(bearer(&site, &token, "GET", "/api/v1/jobs", "").await, 200);
}

#[tokio::test]
async fn a_token_that_may_not_read_is_told_so_at_the_log_in_and_may_read_the_description() {
    let site = Site::with(Engine::Sqlite, Web::tokens).await;
    let form = [("content-type", "application/x-www-form-urlencoded")];
    for scope in [Scope::Enqueue, Scope::Work] {
        let token = site.token(scope.as_str(), &[scope]).await;
        let refused = site.client().send("POST", "/login", &form, &format!("token={token}")).await;
        assert_eq!((refused.status, refused.header("set-cookie")), (403, None), "{scope}");
        assert!(refused.body.contains("the scope read") && refused.body.contains("name=\"token\""), "{refused:?}");
        for path in ["/api/v1/openapi.json", "/api"] {
            assert_eq!(bearer(&site, &token, "GET", path, "").await, 200, "{path}");
        }
        assert_eq!(bearer(&site, &token, "GET", "/api/v1/queues", "").await, 403);
    }
    assert_eq!(site.get("/api/v1/openapi.json").await.status, 401);
}

#[tokio::test]
async fn the_page_of_an_error_links_to_a_page_and_names_no_request_of_the_api() {
    let site = Site::open(Engine::Sqlite).await;
    let html = [("accept", "text/html")];
    for (path, link) in [
        ("/jobs/999", "href=\"/jobs\""),
        ("/batches/999", "href=\"/batches\""),
        ("/schedules/none", "href=\"/\""),
        ("/nothing", "href=\"/\""),
    ] {
        let page = site.client().send("GET", path, &html, "").await;
        let main = page.body.split("<main").nth(1).unwrap_or_else(|| panic!("{page:?}"));
        assert!(page.status == 404 && main.contains(link) && !main.contains("/api/v1"), "{path}: {main}");
    }
    assert!(site.get("/api/v1/jobs/999").await.body.contains("GET /api/v1/jobs"));
}

#[tokio::test]
async fn only_a_browser_that_trusts_the_connection_is_told_to_keep_other_windows_apart() {
    let site = Site::open(Engine::Sqlite).await;
    let header = "cross-origin-opener-policy";
    assert_eq!(site.get("/workers").await.header(header), None);
    let trusted = site.client().send("GET", "/workers", &[("sec-fetch-site", "none")], "").await;
    assert_eq!(trusted.header(header), Some("same-origin"));
}

/// The users of an application.
struct Staff;

impl Identify for Staff {
    fn identify<'a>(&'a self, request: &'a axum::http::request::Parts) -> Identified<'a> {
        let name = request.headers.get("x-user").and_then(|name| name.to_str().ok()).map(str::to_owned);
        Box::pin(async move { Ok(name.map(|name| Access::new(name, [Scope::Read]))) })
    }
}

#[tokio::test]
async fn an_application_brings_its_own_users() {
    let site = Site::with(Engine::Sqlite, |web| web.users(Staff)).await;
    assert_eq!(site.get("/api/v1/jobs").await.status, 401);
    let ada = site.client().send("GET", "/api/v1/jobs", &[("x-user", "ada")], "").await;
    assert_eq!(ada.status, 200);
    let change = site.client().send("POST", "/api/v1/queues/a/pause", &[("x-user", "ada")], "").await;
    assert_eq!(change.status, 403);
}

#[tokio::test]
async fn a_page_of_another_site_can_change_nothing() {
    let site = Site::open(Engine::Sqlite).await;
    for headers in
        [[("sec-fetch-site", "cross-site")], [("sec-fetch-site", "same-site")], [("origin", "https://evil.example")]]
    {
        let answer = site.client().send("POST", "/api/v1/queues/a/pause", &headers, "").await;
        assert_eq!((answer.status, answer.code().as_str()), (403, "cross_site"), "{headers:?}");
    }
    let own = format!("http://{}", site.address);
    let answer = site.client().send("POST", "/api/v1/queues/a/pause", &[("origin", &own)], "").await;
    assert_eq!(answer.status, 200);
}

#[tokio::test]
async fn a_name_that_was_pointed_at_this_machine_is_refused() {
    let site = Site::open(Engine::Sqlite).await;
    for host in ["evil.example", "evil.example:7070", "localhost.evil.example"] {
        let answer = site.client().send("GET", "/api/v1/jobs", &[("host", host)], "").await;
        assert_eq!((answer.status, answer.code().as_str()), (421, "host_not_allowed"), "{host}");
    }
    let listed = Site::with(Engine::Sqlite, |web| web.open_to_everyone().host("jobs.example")).await;
    assert_eq!(listed.client().send("GET", "/api/v1/jobs", &[("host", "jobs.example")], "").await.status, 200);
}

#[tokio::test]
async fn every_answer_tells_the_browser_what_it_may_load() {
    let site = Site::open(Engine::Sqlite).await;
    for path in ["/workers", "/api/v1/jobs", "/nothing", "/healthz"] {
        let answer = site.get(path).await;
        let policy = answer.header("content-security-policy").unwrap_or_else(|| panic!("{path}"));
        assert!(policy.starts_with("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
        assert_eq!(answer.header("x-frame-options"), Some("DENY"));
        assert_eq!(answer.header("cache-control"), Some("no-store"));
    }
}

#[tokio::test]
async fn a_server_below_a_path_answers_with_and_without_it() {
    let site = Site::with(Engine::Sqlite, |web| web.open_to_everyone().base_path("/ops/jobs/")).await;
    assert_eq!(site.get("/ops/jobs/api/v1/jobs").await.status, 200);
    assert_eq!(site.get("/api/v1/jobs").await.status, 200);
    assert!(site.get("/ops/jobs/workers").await.body.contains("href=\"/ops/jobs/assets/"));
    let home = site.get("/ops/jobs/").await;
    assert_eq!((home.status, home.header("location")), (308, Some("/ops/jobs")));
    assert_eq!(site.get("/ops/jobs").await.status, 200);
}

#[tokio::test]
async fn a_log_in_below_a_path_leads_to_its_home_page_and_is_known_there() {
    let site = Site::with(Engine::Sqlite, |web| web.tokens().base_path("/ops")).await;
    let token = site.token("ada", &[Scope::Admin]).await;
    let form = [("content-type", "application/x-www-form-urlencoded")];
    let entered = site.client().send("POST", "/ops/login", &form, &format!("token={token}&to=/")).await;
    assert_eq!((entered.status, entered.header("location")), (303, Some("/ops")));
    let cookie = entered.header("set-cookie").unwrap().to_owned();
    // A path with a slash at its end does not cover the page without it.
    assert!(cookie.contains("; Path=/ops;"), "{cookie}");
    let session = cookie.split(';').next().unwrap();
    assert_eq!(site.client().send("GET", "/ops", &[("cookie", session)], "").await.status, 200);
}
