use std::collections::HashMap;
use std::time::Duration;

use longshore::{HandlerError, IntoDone, JobData, Status};
use serde::Serialize;

use crate::bench::{Bench, Step};

#[derive(Serialize)]
struct Receipt {
    number: u32,
    lines: Vec<&'static str>,
}

/// The stored result of a handler that returns this value, async and blocking.
async fn stored<D: IntoDone>(value: fn() -> D) -> Option<String> {
    let bench = Bench::new();
    let id = bench.enqueue(0).await;
    bench.worker().handle(move |_: Step, _| async move { Ok(value()) }).run_until_drained().await.unwrap();
    let other = bench.enqueue(0).await;
    bench.worker().handle_blocking(move |_: Step, _| Ok(value())).run_until_drained().await.unwrap();
    let (job, blocking) = (bench.job(id).await, bench.job(other).await);
    assert_eq!((job.status, blocking.status), (Status::Completed, Status::Completed));
    assert_eq!(job.result, blocking.result);
    job.result.map(|result| result.as_str().to_owned())
}

#[tokio::test(start_paused = true)]
async fn every_value_that_can_be_encoded_is_a_result() {
    let receipt = stored(|| Receipt { number: 7, lines: vec!["tea"] }).await;
    assert_eq!(receipt.as_deref(), Some(r#"{"number":7,"lines":["tea"]}"#));
    assert_eq!(stored(|| "done").await.as_deref(), Some("\"done\""));
    assert_eq!(stored(|| format!("{} parts", 12)).await.as_deref(), Some("\"12 parts\""));
    assert_eq!(stored(|| 7_u64).await.as_deref(), Some("7"));
    assert_eq!(stored(|| (7, true)).await.as_deref(), Some("[7,true]"));
    assert_eq!(stored(|| Some(7)).await.as_deref(), Some("7"));
    assert_eq!(stored(|| serde_json::json!({ "parts": 12 })).await.as_deref(), Some(r#"{"parts":12}"#));
    assert_eq!(stored(|| JobData::parse("1.10").unwrap()).await.as_deref(), Some("1.10"));
    assert_eq!(stored(|| Some(JobData::parse("[ ]").unwrap())).await.as_deref(), Some("[ ]"));
}

#[tokio::test(start_paused = true)]
async fn nothing_is_no_result() {
    assert_eq!(stored(|| ()).await, None);
    assert_eq!(stored(|| None::<u64>).await, None);
    assert_eq!(stored(|| None::<JobData>).await, None);
    assert_eq!(stored(|| serde_json::Value::Null).await, None);
}

#[tokio::test(start_paused = true)]
async fn a_result_that_cannot_be_encoded_is_told_and_not_retried() {
    let bench = Bench::new();
    let id = bench.enqueue(0).await;

    let worker = bench.worker().handle(|_: Step, _| async { Ok(HashMap::from([((1, 2), 3)])) });
    worker.run_until_drained().await.unwrap();

    let job = bench.job(id).await;
    assert_eq!((job.status, job.failure_type.as_deref()), (Status::DeadLetter, Some("validation_error")));
    let message = job.error_message.unwrap();
    assert_eq!(message, "the result of the handler is not valid JSON: key must be a string");
}

#[tokio::test(start_paused = true)]
async fn the_message_of_a_progress_is_any_string_or_none() {
    let bench = Bench::new();
    let ids = [bench.enqueue(0).await, bench.enqueue(1).await, bench.enqueue(2).await];

    let worker = bench.worker().handle(|step: Step, attempt| async move {
        attempt.progress(0.1, format!("{} of 10", 1));
        attempt.progress(0.2, Some("two".to_owned()));
        let three = "three".to_owned();
        attempt.progress(0.3, &three);
        attempt.log(&three);
        attempt.progress(0.4, format_args!("{} of 10", 4));
        match step.number {
            0 => attempt.progress(0.5, "half"),
            1 => attempt.progress(0.5, String::from("half")),
            _ => attempt.progress(0.5, None),
        }
        Ok::<_, HandlerError>(())
    });
    worker.run_until_drained().await.unwrap();

    for (id, message) in ids.into_iter().zip([Some("half"), Some("half"), None]) {
        let job = bench.job(id).await;
        assert_eq!((job.progress, job.progress_message.as_deref()), (Some(0.5), message));
    }
}

#[tokio::test(start_paused = true)]
async fn a_result_is_there_for_whoever_waits() {
    let bench = Bench::new();
    let id = bench.enqueue(4).await;
    bench.worker().handle(|step: Step, _| async move { Ok(step.number * 2) }).run_until_drained().await.unwrap();

    let detail = bench.queue.wait(id, Duration::from_secs(1)).await.unwrap();

    assert_eq!(detail.job.result.unwrap().decode::<u32>().unwrap(), 8);
}
