use longshore::{CurrentAttempt, HandlerError, Payload, Worker};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::on_both;
use crate::site::{Engine, Site};

on_both!(
    a_stream_of_events_tells_when_the_counts_change,
    a_followed_log_ends_with_its_job,
    a_followed_log_continues_after_its_last_event,
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
