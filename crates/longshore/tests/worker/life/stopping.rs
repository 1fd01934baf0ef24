use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use longshore::{AttemptOutcome, JobId, Queue, Status, StopCause, Stopped, WorkerError};
use longshore_testkit::{FaultPlan, FaultStore};
use tokio::sync::mpsc;

use crate::bench::{Bench, Running, Step};

const MINUTE: Duration = Duration::from_secs(60);

#[tokio::test(start_paused = true)]
async fn a_handler_that_looks_stops_when_its_job_is_cancelled() {
    let bench = Bench::new();
    let id = bench.enqueue(0).await;
    let (told, mut causes) = mpsc::unbounded_channel();
    let worker = bench.worker().handle(move |_: Step, attempt| {
        let told = told.clone();
        async move {
            told.send(attempt.stopped().await).unwrap();
            attempt.check()?;
            Ok(())
        }
    });
    let running = Running::spawn(worker);
    bench.until_status(id, Status::Running).await;

    let asked_at = tokio::time::Instant::now();
    bench.queue.cancel(id).await.unwrap();

    assert_eq!(causes.recv().await, Some(StopCause::Cancelled));
    assert!(asked_at.elapsed() < Duration::from_millis(300), "{:?}", asked_at.elapsed());
    bench.until_status(id, Status::Cancelled).await;
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_does_not_look_is_dropped_after_the_grace_period() {
    let bench = Bench::new();
    let id = bench.enqueue(0).await;
    let worker = bench.worker().grace(Duration::from_secs(3)).handle(|_: Step, _| async {
        pending::<()>().await;
        Ok(())
    });
    let running = Running::spawn(worker);
    bench.until_status(id, Status::Running).await;

    let asked_at = tokio::time::Instant::now();
    bench.queue.cancel(id).await.unwrap();
    bench.until_status(id, Status::Cancelled).await;

    assert!((3..5).contains(&asked_at.elapsed().as_secs()), "{:?}", asked_at.elapsed());
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_lets_quick_jobs_finish_and_gives_slow_ones_back_unspent() {
    let bench = Bench::new();
    let quick = bench.enqueue(5).await;
    let slow = bench.enqueue(600).await;
    let waiting = bench.enqueue(5).await;
    let worker = bench.worker().concurrency(2).grace(Duration::from_secs(10)).handle(|step: Step, _| async move {
        tokio::time::sleep(Duration::from_secs(step.number.into())).await;
        Ok(())
    });
    let mut running = Running::spawn(worker);
    bench.until_status(slow, Status::Running).await;

    running.ask_to_stop();
    running.ended().await.unwrap();

    assert_eq!(bench.status(quick).await, Status::Completed);
    assert_eq!(bench.status(waiting).await, Status::Pending);
    let given_back = bench.detail(slow).await;
    assert_eq!((given_back.job.status, given_back.job.retry_count), (Status::Pending, 0));
    assert_eq!(given_back.attempts[0].outcome, AttemptOutcome::Returned);
    assert!(bench.queue.backend().workers().await.unwrap().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_heeds_the_shutdown_gives_its_attempt_back_at_once() {
    let bench = Bench::new();
    let id = bench.enqueue(0).await;
    let worker = bench.worker().handle(|_: Step, attempt| async move {
        let cause = attempt.stopped().await;
        Err::<(), _>(Stopped { cause }.into())
    });
    let mut running = Running::spawn(worker);
    bench.until_status(id, Status::Running).await;

    let asked_at = tokio::time::Instant::now();
    running.ask_to_stop();
    running.ended().await.unwrap();

    assert!(asked_at.elapsed() < Duration::from_secs(1));
    let job = bench.job(id).await;
    assert_eq!((job.status, job.retry_count), (Status::Pending, 0));
}

/// A job that never ends by itself, running on a worker with a grace period of an hour.
async fn run_for_ever() -> (Bench, JobId, Running) {
    let bench = Bench::new();
    let id = bench.enqueue(0).await;
    let worker = bench.worker().grace(60 * MINUTE).handle(|_: Step, _| async {
        pending::<()>().await;
        Ok(())
    });
    let running = Running::spawn(worker);
    bench.until_status(id, Status::Running).await;
    (bench, id, running)
}

#[tokio::test(start_paused = true)]
async fn a_second_signal_ends_the_grace_period() {
    let (bench, id, mut running) = run_for_ever().await;

    let asked_at = tokio::time::Instant::now();
    running.ask_to_stop();
    tokio::time::sleep(MINUTE).await;
    running.ask_to_end_at_once();
    running.ended().await.unwrap();

    assert!(asked_at.elapsed() < MINUTE + Duration::from_secs(2), "{:?}", asked_at.elapsed());
    let job = bench.job(id).await;
    assert_eq!((job.status, job.retry_count), (Status::Pending, 0));
}

/// Both signals may have come before the worker checks. Then the first thing that it sees is the second signal.
#[tokio::test(start_paused = true)]
async fn an_end_at_once_without_a_shutdown_before_gives_the_job_back() {
    let (bench, id, mut running) = run_for_ever().await;

    running.ask_to_end_at_once();
    running.ended().await.unwrap();

    let job = bench.job(id).await;
    assert_eq!((job.status, job.retry_count), (Status::Pending, 0));
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_ends_before_its_last_outcomes_are_stored_says_so() {
    let bench = Bench::new();
    let faulty = FaultStore::new(bench.store.clone(), FaultPlan::none());
    let queue = Queue::from_backend(Arc::new(faulty.clone()));
    let id = bench.enqueue(0).await;
    let worker = bench.worker_of(&queue).handle(|_: Step, attempt| async move {
        attempt.stopped().await;
        Ok(())
    });
    let mut running = Running::spawn(worker);
    bench.until_status(id, Status::Running).await;
    faulty.set_gone(true);

    running.ask_to_stop();
    let ended = running.ended().await;

    assert!(matches!(&ended, Err(WorkerError::OutcomesLost { jobs }) if *jobs == [id]), "{ended:?}");
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_job_that_still_succeeds_is_completed() {
    let bench = Bench::new();
    let id = bench.enqueue(0).await;
    let worker = bench.worker().handle(|_: Step, attempt| async move {
        attempt.stopped().await;
        Ok(())
    });
    let running = Running::spawn(worker);
    bench.until_status(id, Status::Running).await;

    bench.queue.cancel(id).await.unwrap();

    bench.until_status(id, Status::Completed).await;
    running.stop().await;
}

#[test]
fn a_blocking_handler_that_never_returns_is_given_back_and_left_alone() {
    let (release, released) = std::sync::mpsc::channel::<()>();
    let released = std::sync::Mutex::new(released);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let bench = Bench::new();
        let id = bench.enqueue(0).await;
        let worker = bench.worker().grace(Duration::from_millis(20)).handle_blocking(move |_: Step, _| {
            let _ = released.lock().unwrap().recv();
            Ok(())
        });
        let mut running = Running::spawn(worker);
        bench.until_status(id, Status::Running).await;

        running.ask_to_stop();
        running.ended().await.unwrap();

        let job = bench.job(id).await;
        assert_eq!((job.status, job.retry_count), (Status::Pending, 0));
    });
    drop(release);
}
