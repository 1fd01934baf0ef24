use std::time::Duration;

use longshore_web::{ServeOptions, Web};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::site::{Engine, Site};

const PATIENCE: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_sends_its_headers_too_slowly_is_cut_off() {
    let options = ServeOptions { headers_timeout: Duration::from_millis(200), ..ServeOptions::default() };
    let site = Site::with_options(Engine::Sqlite, options, Web::open_to_everyone).await;
    let mut slow = site.client().connect().await;
    slow.write_all(b"GET /api/v1/jobs HTTP/1.1\r\nhost: localhost\r\nx-slow: ").await.unwrap();
    let mut rest = Vec::new();
    let _ = timeout(PATIENCE, slow.read_to_end(&mut rest)).await.expect("the server closes the connection");
    assert_eq!(site.get("/healthz").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_beyond_the_limit_waits_for_another_to_end() {
    let options = ServeOptions { connections_max: 1, ..ServeOptions::default() };
    let site = Site::with_options(Engine::Sqlite, options, Web::open_to_everyone).await;
    let held = site.client().events("/api/v1/events").await;
    let client = site.client();
    let waiting = tokio::spawn(async move { client.send("GET", "/healthz", &[], "").await.status });
    drop(held);
    assert_eq!(waiting.await.unwrap(), 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_too_large_is_refused_and_the_server_goes_on() {
    let site = Site::open(Engine::Sqlite).await;
    let path = format!("/api/v1/jobs?type={}", "a".repeat(9000));
    assert_eq!(site.get(&path).await.status, 400);
    let many: String = (0..200).map(|number| format!("x-{number}: a\r\n")).collect();
    let request = format!("GET /healthz HTTP/1.1\r\nhost: localhost\r\n{many}\r\n");
    assert_eq!(site.client().send_bytes(request.as_bytes()).await.status, 431);
    let payload = json!({ "job_type": "a", "job_data": "x".repeat(2 * 1024 * 1024) });
    assert_eq!(site.post("/api/v1/jobs", &payload).await.code(), "invalid_job");
    let head = "POST /api/v1/jobs HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n\
                content-length: 99999999999\r\nconnection: close\r\n\r\n{";
    assert_eq!(site.client().send_bytes(head.as_bytes()).await.code(), "body_too_large");
    let ids: Vec<i64> = (1..=1001).collect();
    assert_eq!(site.post("/api/v1/jobs/cancel", &json!({ "ids": ids })).await.status, 400);
    assert_eq!(site.get("/api/v1/jobs?limit=1001").await.status, 400);
    assert_eq!(site.get("/api/v1/jobs?limit=0").await.status, 400);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_is_no_json_is_refused_by_its_type() {
    let site = Site::open(Engine::Sqlite).await;
    let body = r#"{"job_type": "a"}"#;
    for kind in ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data"] {
        let answer = site.client().send("POST", "/api/v1/jobs", &[("content-type", kind)], body).await;
        assert_eq!((answer.status, answer.code().as_str()), (415, "not_json"), "{kind}");
    }
    assert_eq!(site.client().send("POST", "/api/v1/jobs", &[], body).await.status, 415);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shutdown_ends_streams_and_lets_requests_end() {
    let site = Site::open(Engine::Sqlite).await;
    let mut events = site.client().events("/api/v1/events").await;
    assert_eq!(events.next().await.unwrap().0, "stats");
    timeout(PATIENCE, site.stop()).await.expect("the shutdown has an end").unwrap();
    assert!(events.next().await.is_none());
}

#[tokio::test]
async fn every_error_has_one_body() {
    let site = Site::open(Engine::Sqlite).await;
    let delete = site.client().send("DELETE", "/api/v1/jobs", &[], "").await;
    assert_eq!((delete.status, delete.code().as_str()), (405, "method_not_allowed"));
    assert_eq!(site.get("/api/v1/nothing").await.code(), "not_found");
    assert_eq!(site.get("/api/v1/jobs/x").await.code(), "invalid_request");
    assert_eq!(site.get("/api/v1/jobs/7").await.json()["error"]["message"], "there is no job 7");
    assert_eq!(site.get("/api/v1/schedules/none").await.code(), "schedule_not_found");
    assert_eq!(site.get("/api/v1/migrations").await.code(), "no_migrations");
    assert_eq!(site.get("/api/v1/jobs?satus=pending").await.code(), "invalid_request");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_goes_on_after_a_request_that_was_refused_with_its_body_unread() {
    let site = Site::open(Engine::Sqlite).await;
    let mut stream = site.client().connect().await;
    let host = site.address;
    let body = "x".repeat(100 * 1024);
    let length = body.len();
    for path in ["/api/v1/jobs/delete", "/api/v1/nothing", "/api/v1/migrations", "/nothing"] {
        let refused = format!(
            "POST {path} HTTP/1.1\r\nhost: {host}\r\ncontent-type: text/plain\r\ncontent-length: {length}\r\n\r\n{body}"
        );
        stream.write_all(refused.as_bytes()).await.unwrap();
        let head = head(&mut stream).await;
        assert!(head.starts_with("HTTP/1.1 4") && !head.contains("connection: close"), "{path}: {head}");
    }
    stream.write_all(format!("GET /healthz HTTP/1.1\r\nhost: {host}\r\n\r\n").as_bytes()).await.unwrap();
    assert!(head(&mut stream).await.starts_with("HTTP/1.1 200"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_request_with_a_large_body_or_one_that_waits_ends_its_connection() {
    let site = Site::open(Engine::Sqlite).await;
    for more in ["content-length: 99999999", "content-length: 10\r\nexpect: 100-continue"] {
        let request =
            format!("POST /api/v1/jobs HTTP/1.1\r\nhost: localhost\r\ncontent-type: text/plain\r\n{more}\r\n\r\n");
        let answer = site.client().send_bytes(request.as_bytes()).await;
        assert_eq!((answer.status, answer.header("connection")), (415, Some("close")), "{more}");
    }
}

/// The head of the next answer; its body is read too.
async fn head(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(timeout(PATIENCE, stream.read_u8()).await.expect("the server answers").unwrap());
    }
    let head = String::from_utf8(head).unwrap().to_ascii_lowercase().replacen("http", "HTTP", 1);
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap().parse().unwrap();
    let mut body = vec![0; length];
    timeout(PATIENCE, stream.read_exact(&mut body)).await.expect("the server answers").unwrap();
    head
}
