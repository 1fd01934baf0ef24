use longshore::{CurrentAttempt, HandlerError, Payload, Worker};
use longshore_web::{Scope, Web};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::on_both;
use crate::site::{Engine, Site};

on_both!(
    a_stream_of_events_tells_when_the_counts_change,
    a_followed_log_ends_with_its_job,
    a_followed_log_continues_after_its_last_event,
    a_stream_ends_when_its_token_is_revoked,
);

async fn a_stream_of_events_tells_when_the_counts_change(engine: Engine) {
    let site = Site::open(engine).await;
    let mut events = site.client().events("/api/v1/events").await;
    let pending = |data: &str| serde_json::from_str::<Value>(data).unwrap()["jobs"]["pending"].as_u64().unwrap();
    let (name, data) = events.next().await.unwrap();
    assert_eq!((name.as_str(), pending(&data)), ("stats", 0));
    site.enqueue("a").await;
    loop {
        let (_, data) = events.next().await.unwrap();
        if pending(&data) == 1 {
            break;
        }
    }
}

#[derive(longshore::Job, Serialize, Deserialize)]
#[job(name = "talks")]
struct Talks {}

async fn talk(_: Talks, attempt: CurrentAttempt) -> Result<(), HandlerError> {
    attempt.log("one\n");
    attempt.log("\u{1b}[31mtwo <b>\n");
    Ok(())
}

async fn a_talk(site: &Site) -> longshore_core::JobId {
    site.queue.enqueue_job(Talks {}.to_job().unwrap()).await.unwrap().id
}

async fn a_followed_log_ends_with_its_job(engine: Engine) {
    let site = Site::open(engine).await;
    let id = a_talk(&site).await;
    let mut events = site.client().events(&format!("/api/v1/jobs/{id}/logs/stream")).await;
    let (name, data) = events.next().await.unwrap();
    assert_eq!((name.as_str(), data.contains("\"status\":\"pending\"")), ("job", true));
    Worker::new(&site.queue).handle(talk).run_until_drained().await.unwrap();
    let (mut text, mut last) = (String::new(), String::new());
    while let Some((name, data)) = events.next().await {
        if name == "log" {
            text += serde_json::from_str::<Value>(&data).unwrap()["text"].as_str().unwrap();
        }
        last = name;
        if last == "end" {
            break;
        }
    }
    assert_eq!((text.as_str(), last.as_str()), ("one\n\u{1b}[31mtwo <b>\n", "end"));
    let log = site.get(&format!("/api/v1/jobs/{id}/logs")).await.json();
    assert!(log["entries"][0]["text"].as_str().unwrap().starts_with("one\n"), "{log}");
}

async fn a_followed_log_continues_after_its_last_event(engine: Engine) {
    let site = Site::open(engine).await;
    let id = a_talk(&site).await;
    Worker::new(&site.queue).handle(talk).run_until_drained().await.unwrap();
    let next = site.get(&format!("/api/v1/jobs/{id}/logs")).await.json()["next"].as_str().unwrap().to_owned();
    let rest = site.get(&format!("/api/v1/jobs/{id}/logs?after={next}")).await.json();
    assert_eq!((&rest["entries"], &rest["next"]), (&serde_json::json!([]), &Value::Null));
    let mut events = site.client().events(&format!("/api/v1/jobs/{id}/logs/stream?after={next}")).await;
    let names = [events.next().await.unwrap().0, events.next().await.unwrap().0];
    assert_eq!(names, ["job", "end"]);
}

async fn a_stream_ends_when_its_token_is_revoked(engine: Engine) {
    let site = Site::with(engine, Web::tokens).await;
    let (revoked, kept) = (site.token("ada", &[Scope::Read]).await, site.token("eve", &[Scope::Read]).await);
    let id = site.enqueue("a").await;
    let open = async |path: &str, token: &str| {
        let value = format!("Bearer {token}");
        site.client().events_of(path, &[("authorization", value.as_str())]).await
    };
    let log = format!("/api/v1/jobs/{id}/logs/stream");
    let mut ended = [open("/api/v1/events", &revoked).await, open(&log, &revoked).await];
    let mut other = open(&log, &kept).await;
    site.queue.backend().revoke_token("ada".to_owned()).await.unwrap();
    for events in &mut ended {
        while events.next().await.is_some() {}
    }
    // The job of another stream is still followed.
    site.queue.cancel(id).await.unwrap();
    let mut names = Vec::new();
    while let Some((name, _)) = other.next().await {
        names.push(name);
    }
    assert_eq!(names.last().map(String::as_str), Some("end"), "{names:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_says_that_the_database_does_not_answer_and_that_it_does_again() {
    let site = Site::open(Engine::Postgres).await;
    let mut events = site.client().events("/api/v1/events").await;
    assert_eq!(events.next().await.unwrap().0, "stats");
    site.sql("ALTER SCHEMA longshore RENAME TO away");
    assert_eq!(events.next().await.unwrap().0, "trouble");
    site.sql("ALTER SCHEMA away RENAME TO longshore");
    assert_eq!(events.next().await.unwrap().0, "stats");
}
