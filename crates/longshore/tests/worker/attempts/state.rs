#![expect(clippy::needless_pass_by_value, reason = "the worker decides how a handler is called")]

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use longshore::{CurrentAttempt, Done, HandlerError, Job, Payload, State, Status, testing};
use serde::{Deserialize, Serialize};

use crate::bench::{Bench, Step};

#[derive(Clone, Default)]
struct App {
    seen: Arc<Mutex<Vec<u32>>>,
}

#[derive(Job, Serialize, Deserialize)]
struct Cleanup;

#[derive(Job, Serialize, Deserialize)]
struct Count;

async fn note(step: Step, _: CurrentAttempt, State(app): State<App>) -> Result<u32, HandlerError> {
    app.seen.lock().unwrap().push(step.number);
    Ok(step.number)
}

fn note_blocking(step: Step, _: CurrentAttempt, State(app): State<App>) -> Result<(), HandlerError> {
    app.seen.lock().unwrap().push(step.number);
    Ok(())
}

async fn clean_up(_: Cleanup, attempt: CurrentAttempt) -> Result<(), HandlerError> {
    attempt.log("clean\n");
    Ok(())
}

fn clean_up_blocking(_: Cleanup, attempt: CurrentAttempt) -> Result<(), HandlerError> {
    attempt.check()?;
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn handlers_get_the_state_and_those_that_need_none_stand_beside_them() {
    let bench = Bench::new();
    let app = App::default();
    let id = bench.enqueue(7).await;
    let cleanup = bench.queue.enqueue(&Cleanup).await.unwrap().id;

    let worker = bench.worker().state(app.clone()).handle(note).handle(clean_up).concurrency(2);
    worker.run_until_drained().await.unwrap();

    assert_eq!(*app.seen.lock().unwrap(), [7]);
    assert_eq!(bench.job(id).await.result.unwrap().as_str(), "7");
    assert_eq!(bench.status(cleanup).await, Status::Completed);
}

#[tokio::test(start_paused = true)]
async fn blocking_handlers_get_the_state_too() {
    let bench = Bench::new();
    let app = App::default();
    bench.enqueue(7).await;
    let cleanup = bench.queue.enqueue(&Cleanup).await.unwrap().id;

    let worker = bench.worker().state(app.clone()).handle_blocking(note_blocking).handle_blocking(clean_up_blocking);
    worker.run_until_drained().await.unwrap();

    assert_eq!(*app.seen.lock().unwrap(), [7]);
    assert_eq!(bench.status(cleanup).await, Status::Completed);
}

#[tokio::test(start_paused = true)]
async fn a_closure_gets_the_state_and_a_later_state_counts_for_later_handlers() {
    let bench = Bench::new();
    let (number, app) = (Arc::new(AtomicU32::new(0)), App::default());
    bench.enqueue(7).await;
    bench.queue.enqueue(&Count).await.unwrap();
    bench.queue.enqueue(&Cleanup).await.unwrap();

    let worker = bench
        .worker()
        .handle(|_: Cleanup, attempt| async move {
            attempt.log("before any state\n");
            Ok(())
        })
        .state(app.clone())
        .handle(note)
        .policy(Step::JOB_TYPE, |policy| policy)
        .state(number.clone())
        .handle(|_: Count, _: CurrentAttempt, State(number): State<Arc<AtomicU32>>| async move {
            number.fetch_add(1, Ordering::SeqCst);
            Ok(())
        });
    worker.run_until_drained().await.unwrap();

    assert_eq!((number.load(Ordering::SeqCst), app.seen.lock().unwrap().as_slice()), (1, [7].as_slice()));
}

#[tokio::test]
async fn a_handler_with_state_runs_inline_in_a_test() {
    let app = App::default();
    let trial = testing::run_inline_with_state(app.clone(), note, &Step { number: 3 }).await.unwrap();
    assert_eq!(trial.result.unwrap(), Done::with(&3).unwrap());
    assert_eq!(*app.seen.lock().unwrap(), [3]);
    let trial = testing::run_inline_with_state(app, clean_up, &Cleanup).await.unwrap();
    assert_eq!(trial.log, "clean\n");
}
