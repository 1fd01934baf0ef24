use std::io;
use std::time::Duration;

use longshore::{AttemptOutcome, Done, Failure, FailureType, JobData, NewJob, Status};

use crate::bench::{Bench, Step, Tally};

#[tokio::test(start_paused = true)]
async fn a_job_that_succeeds_is_completed_with_its_result() {
    let bench = Bench::new();
    let id = bench.enqueue(7).await;

    let worker = bench.worker().handle(|step: Step, _| async move { Ok(Done::with(&(step.number * 2))?) });
    worker.run_until_drained().await.unwrap();

    let job = bench.job(id).await;
    assert_eq!((job.status, job.result), (Status::Completed, Some(JobData::parse("14").unwrap())));
}

#[tokio::test(start_paused = true)]
async fn a_job_that_fails_is_retried_until_it_succeeds() {
    let bench = Bench::new();
    let id = bench.enqueue(1).await;

    let worker = bench.worker().handle(|_: Step, attempt| async move {
        if attempt.attempt() < 3 {
            Err(io::Error::from(io::ErrorKind::ConnectionRefused))?;
        }
        Ok(())
    });
    worker.run_until_drained().await.unwrap();

    let detail = bench.detail(id).await;
    assert_eq!((detail.job.status, detail.job.retry_count), (Status::Completed, 2));
    let failed: Vec<_> = detail.attempts.iter().filter_map(|attempt| attempt.failure_type).collect();
    assert_eq!(failed, [FailureType::NetworkError; 2]);
}

#[tokio::test(start_paused = true)]
async fn a_job_whose_retries_are_spent_is_a_dead_letter() {
    let bench = Bench::new();
    let id = bench.enqueue_with(|job| job.max_retries(1)).await;

    let worker = bench.worker().handle(|_: Step, _| async move {
        Err::<(), _>(Failure::new(FailureType::SystemError, "no more").with_traceback("line 7").into())
    });
    worker.run_until_drained().await.unwrap();

    let job = bench.job(id).await;
    assert_eq!((job.status, job.retry_count), (Status::DeadLetter, 1));
    assert_eq!(job.dead_letter_reason.as_deref(), Some("retries_spent: all of its 2 attempts failed"));
    assert_eq!(job.last_error_traceback.as_deref(), Some("line 7"));
}

#[tokio::test(start_paused = true)]
async fn a_payload_that_does_not_decode_is_given_up_at_once() {
    let bench = Bench::new();
    let job = NewJob::new("step", JobData::parse(r#"{"number":"secret"}"#).unwrap());
    let id = bench.queue.enqueue_job(job).await.unwrap().id;

    bench.worker().handle(|_: Step, _| async { Ok(()) }).run_until_drained().await.unwrap();

    let job = bench.job(id).await;
    assert_eq!((job.status, job.failure_type.as_deref()), (Status::DeadLetter, Some("validation_error")));
    assert!(!job.error_message.unwrap().contains("secret"));
}

#[tokio::test(start_paused = true)]
async fn a_panic_is_a_failed_attempt_with_its_story() {
    let bench = Bench::new();
    let id = bench.enqueue_with(|job| job.max_retries(0)).await;

    let worker = bench.worker().handle(|step: Step, _| async move {
        assert!(step.number > 0, "number {} is too small", step.number);
        Ok(())
    });
    worker.run_until_drained().await.unwrap();

    let job = bench.job(id).await;
    assert_eq!((job.status, job.failure_type.as_deref()), (Status::DeadLetter, Some("worker_error")));
    assert!(job.error_message.unwrap().contains("number 0 is too small"));
    assert!(job.last_error_traceback.unwrap().contains("outcomes.rs"));
}

#[tokio::test(start_paused = true)]
async fn an_attempt_that_reaches_its_time_limit_is_a_timeout_error() {
    let bench = Bench::new();
    let limit = Duration::from_secs(5);
    let own = bench.enqueue_with(|job| job.max_retries(0).timeout(limit)).await;
    let of_handler = bench.enqueue_with(|job| job.max_retries(0)).await;

    let worker = bench
        .worker()
        .grace(Duration::from_secs(1))
        .handle(|_: Step, _| async move {
            std::future::pending::<()>().await;
            Ok(())
        })
        .policy("step", |policy| policy.timeout(Duration::from_secs(90)));
    worker.run_until_drained().await.unwrap();

    let (own, of_handler) = (bench.job(own).await, bench.job(of_handler).await);
    assert_eq!(own.failure_type.as_deref(), Some("timeout_error"));
    assert_eq!(own.error_message.as_deref(), Some("the attempt reached its timeout of 5s"));
    assert_eq!(of_handler.error_message.as_deref(), Some("the attempt reached its timeout of 1m 30s"));
}

#[tokio::test(start_paused = true)]
async fn a_snooze_runs_the_job_later_and_spends_no_attempt() {
    let bench = Bench::new();
    let id = bench.enqueue(0).await;
    let tally = Tally::default();

    let visits = tally.clone();
    let worker = bench.worker().handle(move |step: Step, _| {
        visits.enter(step.number);
        let is_first = visits.seen().len() == 1;
        async move {
            let hour = Duration::from_secs(3600);
            Ok(if is_first { Done::snooze(hour) } else { Done::Completed { result: None } })
        }
    });
    worker.run_until_drained().await.unwrap();

    let detail = bench.detail(id).await;
    assert_eq!((detail.job.status, detail.job.retry_count), (Status::Completed, 0));
    assert_eq!(detail.job.deferral_count, 1);
    assert_eq!(detail.attempts[0].outcome, AttemptOutcome::Deferred);
    assert!(detail.job.completed_at.unwrap().since(detail.job.created_at) >= Duration::from_secs(3600));
}

#[tokio::test(start_paused = true)]
async fn a_blocking_handler_runs_beside_the_async_ones() {
    let bench = Bench::new();
    let id = bench.enqueue(3).await;
    let panicking = bench.enqueue_with(|job| job.max_retries(0)).await;

    let worker = bench.worker().handle_blocking(|step: Step, attempt| {
        assert!(step.number > 0, "a panic on its own thread");
        attempt.log("blocking\n");
        Ok(())
    });
    worker.run_until_drained().await.unwrap();

    assert_eq!(bench.status(id).await, Status::Completed);
    let failed = bench.job(panicking).await;
    assert_eq!(failed.error_message.as_deref(), Some("the handler panicked: a panic on its own thread"));
    assert!(failed.last_error_traceback.unwrap().contains("outcomes.rs"));
}
