use std::sync::Arc;
use std::time::Duration;

use longshore::backend::LogRequest;
use longshore::{Done, FailureType, HandlerError, LogLimits, Queue, RetryPolicy, Status};
use longshore_testkit::{Fault, FaultPlan, FaultStore, Operation};

use crate::bench::{Bench, Running, Step};

async fn log_of(bench: &Bench, id: longshore::JobId) -> (String, u64) {
    let page = bench.queue.backend().log(LogRequest { id, attempt: None, after: None }).await.unwrap();
    let cut = page.entries.iter().map(|entry| entry.cut_bytes).max().unwrap_or(0);
    (page.entries.into_iter().map(|entry| entry.text).collect(), cut)
}

#[tokio::test(start_paused = true)]
async fn progress_and_log_are_stored_while_the_attempt_runs() {
    let bench = Bench::new();
    let id = bench.enqueue(0).await;
    let worker = bench.worker().handle(|_: Step, attempt| async move {
        attempt.log("begun\n");
        attempt.progress(0.5, "half way".to_owned());
        tokio::time::sleep(Duration::from_secs(60)).await;
        attempt.log("done\n");
        Ok(())
    });
    let running = Running::spawn(worker);

    let began = tokio::time::Instant::now();
    let job = bench.until(id, |job| job.progress == Some(0.5)).await;
    assert!(began.elapsed() < Duration::from_millis(400), "{:?}", began.elapsed());
    assert_eq!(job.progress_message.as_deref(), Some("half way"));
    assert_eq!(log_of(&bench, id).await.0, "begun\n");

    bench.until_status(id, Status::Completed).await;
    assert_eq!(log_of(&bench, id).await.0, "begun\ndone\n");
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn of_a_long_log_the_head_and_the_tail_are_kept() {
    let bench = Bench::new();
    let id = bench.enqueue(0).await;
    let worker = bench.worker().log_limits(LogLimits { head_bytes: 100, tail_bytes: 100 }).handle(
        |_: Step, attempt| async move {
            for number in 0..100_000 {
                attempt.log(&format!("line {number}\n"));
                if number % 10_000 == 0 {
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
            }
            Ok(())
        },
    );

    worker.run_until_drained().await.unwrap();

    let (log, cut) = log_of(&bench, id).await;
    assert!(log.len() <= 200 && cut > 1_000_000, "{} bytes, {cut} cut", log.len());
    assert!(log.starts_with("line 0\n") && log.ends_with("line 99999\n"), "{log}");
}

#[tokio::test(start_paused = true)]
async fn what_an_attempt_says_last_is_kept_however_it_ends() {
    let bench = Bench::new();
    let ends = [
        (0, Status::Completed),
        (1, Status::DeadLetter),
        (2, Status::Retrying),
        (3, Status::DeadLetter),
        (4, Status::Pending),
    ];
    let mut ids = Vec::new();
    for (number, _) in ends {
        ids.push(bench.enqueue(number).await);
    }
    let worker = bench.worker().grace(Duration::from_secs(1)).handle(|step: Step, attempt| async move {
        attempt.progress(0.25, "first".to_owned());
        tokio::time::sleep(Duration::from_secs(1)).await;
        attempt.log("last line\n");
        attempt.progress(1.0, "last".to_owned());
        match step.number {
            0 => Ok(Done::Completed { result: None }),
            1 => Err(HandlerError::failed(FailureType::ConfigError, "no key")),
            2 => Err(HandlerError::failed(FailureType::NetworkError, "no route")),
            3 => Err(HandlerError::failed(FailureType::ValidationError, "no sense")),
            _ => Ok(Done::snooze(Duration::from_secs(36_000))),
        }
    });
    let worker = worker.policy("step", |policy| policy.retry(RetryPolicy::fixed(Duration::from_secs(36_000))));
    let running = Running::spawn(worker);

    for (id, (_, status)) in ids.into_iter().zip(ends) {
        let job = bench.until(id, |job| job.status == status && job.started_at.is_some()).await;
        assert_eq!((job.progress, job.progress_message.as_deref()), (Some(1.0), Some("last")), "{status}");
        assert_eq!(log_of(&bench, id).await.0, "last line\n");
    }
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn the_last_progress_waits_with_its_outcome_for_a_store_that_fails() {
    let bench = Bench::new();
    let store = FaultStore::new(bench.store.clone(), FaultPlan::none());
    let id = bench.enqueue(0).await;
    for operation in [Operation::Report, Operation::Record] {
        store.fail_next(operation, Fault::Busy);
        store.fail_next(operation, Fault::Full);
    }
    let worker = bench.worker_of(&Queue::from_backend(Arc::new(store))).handle(|_: Step, attempt| async move {
        attempt.progress(1.0, "last".to_owned());
        Ok(())
    });

    worker.run_until_drained().await.unwrap();

    let job = bench.job(id).await;
    assert_eq!((job.status, job.progress_message.as_deref()), (Status::Completed, Some("last")));
}
