use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use longshore::{AttemptOutcome, Failure, FailureType, Status, Worker};

use crate::bench::{Bench, Running, Step};

const SECOND: Duration = Duration::from_secs(1);

/// A step takes as many milliseconds as its number. Started steps are counted.
fn working(worker: Worker) -> (Worker, Arc<AtomicU32>) {
    let begun = Arc::new(AtomicU32::new(0));
    let count = Arc::clone(&begun);
    let worker = worker.handle(move |step: Step, _| {
        count.fetch_add(1, Ordering::Relaxed);
        async move {
            tokio::time::sleep(Duration::from_millis(step.number.into())).await;
            Ok(())
        }
    });
    (worker, begun)
}

fn reason(job: &longshore::Job) -> &str {
    job.dead_letter_reason.as_deref().unwrap_or_default()
}

#[tokio::test(start_paused = true)]
async fn what_expires_behind_a_long_job_never_begins() {
    let bench = Bench::new();
    let long = bench.enqueue(10_000).await;
    let late = bench.enqueue_with(|job| job.expires_in(5 * SECOND)).await;
    let (worker, begun) = working(bench.worker().concurrency(1));

    worker.run_until_drained().await.unwrap();

    let late = bench.job(late).await;
    assert_eq!((late.status, bench.status(long).await), (Status::Cancelled, Status::Completed));
    assert!(reason(&late).starts_with("expired: it expired"), "{late:?}");
    assert_eq!(begun.load(Ordering::Relaxed), 1);
    // Not only when the slot was free: the search for dead workers ends it.
    let waited = late.completed_at.unwrap().since(late.expires_at.unwrap());
    assert!(waited < SECOND, "{waited:?}");
}

/// Fast jobs are prefetched. Behind a slow job they wait in the worker's memory, as running.
#[tokio::test(start_paused = true)]
async fn a_lease_that_expires_in_the_workers_memory_is_no_attempt() {
    let bench = Bench::new();
    for _ in 0..200 {
        bench.enqueue(1).await;
    }
    let quick = bench.enqueue(1).await;
    bench.enqueue(700).await;
    let mut late = Vec::new();
    for _ in 0..4 {
        late.push(bench.enqueue_with(|job| job.expires_in(Duration::from_millis(600)).max_retries(0)).await);
    }
    let (worker, begun) = working(bench.worker().concurrency(1));
    let running = Running::spawn(worker);
    bench.until_status(quick, Status::Completed).await;

    let mut in_memory = 0;
    for id in late {
        bench.until_status(id, Status::Cancelled).await;
        let detail = bench.detail(id).await;
        assert!(reason(&detail.job).starts_with("expired: it expired"), "{detail:?}");
        assert_eq!((detail.job.retry_count, detail.job.error_message.as_deref()), (0, None));
        assert!(detail.attempts.iter().all(|attempt| attempt.started_at.is_none()), "{detail:?}");
        in_memory += detail.attempts.iter().filter(|attempt| attempt.outcome == AttemptOutcome::Cancelled).count();
    }
    assert!(in_memory > 0, "none of them had been claimed ahead");
    assert_eq!(begun.load(Ordering::Relaxed), 202);
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn what_began_in_time_goes_on_beyond_its_expiry() {
    let bench = Bench::new();
    let id = bench.enqueue_with(|job| job.expires_in(SECOND)).await;

    let worker = bench.worker().handle(|_: Step, attempt| async move {
        tokio::time::sleep(5 * SECOND).await;
        Ok(attempt.check()?)
    });
    worker.run_until_drained().await.unwrap();

    assert_eq!(bench.status(id).await, Status::Completed);
}

#[tokio::test(start_paused = true)]
async fn a_retry_that_would_begin_after_the_expiry_is_not_made() {
    let bench = Bench::new();
    let id = bench.enqueue_with(|job| job.expires_in(Duration::from_millis(300))).await;

    let worker = bench
        .worker()
        .handle(|_: Step, _| async { Err::<(), _>(Failure::new(FailureType::NetworkError, "no route").into()) });
    worker.run_until_drained().await.unwrap();

    let detail = bench.detail(id).await;
    assert_eq!((detail.job.status, detail.attempts.len()), (Status::Cancelled, 1));
    assert_eq!(detail.job.error_message.as_deref(), Some("no route"));
    assert!(reason(&detail.job).starts_with("expired: it expired"), "{detail:?}");
    assert_eq!(detail.job.completed_at, detail.attempts[0].finished_at);
}

#[tokio::test(start_paused = true)]
async fn an_attempt_is_stopped_at_the_deadline_of_its_job_and_never_retried() {
    let bench = Bench::new();
    for timeout in [None, Some(60 * SECOND)] {
        let bound = |mut job: longshore::NewJob| {
            job.timeout = timeout;
            job.deadline_in(5 * SECOND)
        };
        let id = bench.enqueue_with(bound).await;
        let worker = bench.worker().grace(SECOND).handle(|_: Step, _| async {
            std::future::pending::<()>().await;
            Ok(())
        });
        worker.run_until_drained().await.unwrap();

        let detail = bench.detail(id).await;
        assert_eq!((detail.job.status, detail.attempts.len()), (Status::DeadLetter, 1), "{timeout:?}");
        assert_eq!(detail.job.failure_type.as_deref(), Some("timeout_error"));
        assert!(reason(&detail.job).starts_with("expired: its deadline passed"), "{detail:?}");
        assert!(detail.job.error_message.as_deref().unwrap().contains("deadline"), "{detail:?}");
        let ended_at = detail.job.completed_at.unwrap();
        assert!(ended_at >= detail.job.deadline_at.unwrap());
        assert!(ended_at.since(detail.job.created_at) < 7 * SECOND, "{detail:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_deadline_bounds_all_attempts_and_the_waits_between_them() {
    let bench = Bench::new();
    let id = bench.enqueue_with(|job| job.timeout(2 * SECOND).max_retries(1000).deadline_in(60 * SECOND)).await;

    let worker = bench.worker().grace(SECOND).handle(|_: Step, _| async {
        std::future::pending::<()>().await;
        Ok(())
    });
    worker.run_until_drained().await.unwrap();

    let detail = bench.detail(id).await;
    assert_eq!(detail.job.status, Status::DeadLetter);
    assert!(reason(&detail.job).starts_with("expired: its deadline passed"), "{detail:?}");
    assert!(detail.attempts.len() > 2, "{detail:?}");
    let first = &detail.attempts[0];
    assert!(first.error_message.as_deref().unwrap().ends_with("time limit of 2s"), "{first:?}");
    assert!(detail.job.completed_at.unwrap().since(detail.job.created_at) < 63 * SECOND, "{detail:?}");
}

#[tokio::test(start_paused = true)]
async fn dead_letters_go_after_a_retention_of_their_own() {
    const MINUTE: Duration = Duration::from_secs(60);
    let bench = Bench::new();
    let worker = bench.worker().dead_letter_retention(60 * MINUTE).handle(|step: Step, _| async move {
        if step.number == 0 {
            return Err(Failure::new(FailureType::ValidationError, "broken").into());
        }
        Ok(())
    });
    let running = Running::spawn(worker);
    let (broken, whole) = (bench.enqueue(0).await, bench.enqueue(1).await);
    bench.until_status(broken, Status::DeadLetter).await;
    bench.until_status(whole, Status::Completed).await;
    tokio::time::sleep(58 * MINUTE).await;
    assert!(bench.queue.job(broken).await.unwrap().is_some());

    tokio::time::sleep(4 * MINUTE).await;

    assert!(bench.queue.job(broken).await.unwrap().is_none());
    assert_eq!(bench.status(whole).await, Status::Completed);
    running.stop().await;
}
