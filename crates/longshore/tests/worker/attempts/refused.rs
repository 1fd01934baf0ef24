//! Outcomes that the database does not accept.

use std::sync::Arc;
use std::time::Duration;

use longshore::{AttemptOutcome, DeadLetterCode, Done, FailureType, HandlerError, JobId, Status, Worker};
use tokio::sync::Barrier;

use crate::bench::{Bench, Running, Step};
use crate::warnings::Warnings;

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
const REFUSED: &str = "the database refuses an outcome";
const STAYS: &str = "cannot be given up either";
const EVERY_END: [Status; 5] =
    [Status::Completed, Status::DeadLetter, Status::Cancelled, Status::Retrying, Status::Pending];

/// Three jobs that end together, so that their outcomes are one batch.
async fn ended_together(bench: &Bench, refused: &[Status]) -> ([JobId; 3], Worker) {
    let ids = [bench.enqueue(0).await, bench.enqueue(1).await, bench.enqueue(2).await];
    bench.store.refuse(ids[1], refused);
    let together = Arc::new(Barrier::new(ids.len()));
    let worker = bench.worker().concurrency(3).handle(move |step: Step, _| {
        let together = together.clone();
        async move {
            if step.number < 3 {
                together.wait().await;
            }
            Ok(Done::with(&step.number)?)
        }
    });
    (ids, worker)
}

#[tokio::test(start_paused = true)]
async fn an_outcome_that_the_database_refuses_ends_its_job_and_takes_no_other_with_it() {
    let (warnings, _guard) = Warnings::listen();
    let bench = Bench::new();
    let (ids, worker) = ended_together(&bench, &[Status::Completed]).await;

    tokio::time::timeout(MINUTE, worker.run_until_drained()).await.expect("no job is left running").unwrap();

    assert_eq!((bench.status(ids[0]).await, bench.status(ids[2]).await), (Status::Completed, Status::Completed));
    let refused = bench.detail(ids[1]).await;
    assert_eq!((refused.job.status, refused.job.dead_letter_code), (Status::DeadLetter, Some(DeadLetterCode::Refused)));
    let message = "the attempt completed, but its outcome could not be stored: the database refuses it";
    assert_eq!(refused.job.error_message.as_deref(), Some(message));
    assert_eq!(refused.attempts.len(), 1);
    assert_eq!(refused.attempts[0].outcome, AttemptOutcome::DeadLetter);
    assert_eq!(refused.attempts[0].failure_type, Some(FailureType::ValidationError));
    let told = warnings.told.lock().unwrap().clone();
    assert_eq!(told.iter().filter(|told| told.contains(REFUSED)).count(), 1, "{told:?}");
    assert!(
        told.iter().any(|told| told.contains(&format!("job_id={}", ids[1])) && told.contains("refuses it")),
        "{told:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn the_error_of_an_attempt_whose_outcome_is_refused_is_kept() {
    let bench = Bench::new();
    let id = bench.enqueue(0).await;
    bench.store.refuse(id, &[Status::Retrying]);
    let worker = bench
        .worker()
        .handle(|_: Step, _| async { Err::<(), _>(HandlerError::failed(FailureType::NetworkError, "no route")) });

    tokio::time::timeout(MINUTE, worker.run_until_drained()).await.expect("no job is left running").unwrap();

    let job = bench.job(id).await;
    assert_eq!((job.status, job.last_error_traceback.as_deref()), (Status::DeadLetter, Some("no route")));
    assert!(job.error_message.unwrap().starts_with("the attempt ended, but its outcome could not be stored"));
}

/// No end is accepted: the slot goes on, the log has it once, and it is tried again without haste.
#[tokio::test(start_paused = true)]
async fn what_the_database_refuses_in_every_form_is_stored_as_soon_as_it_is_accepted() {
    let (warnings, _guard) = Warnings::listen();
    let bench = Bench::new();
    let (ids, worker) = ended_together(&bench, &EVERY_END).await;
    let running = Running::spawn(worker);
    warnings.until(STAYS, 1).await;
    let ended_at = bench.job(ids[0]).await.completed_at;

    for _ in 0..6 {
        let id = bench.enqueue(7).await;
        bench.until_status(id, Status::Completed).await;
        tokio::time::sleep(MINUTE).await;
    }
    assert_eq!(bench.status(ids[1]).await, Status::Running);
    assert_eq!((warnings.count(REFUSED), warnings.count(STAYS)), (1, 1), "{:?}", warnings.told);

    bench.store.refuse(ids[1], &[]);
    let job = bench.until_status(ids[1], Status::Completed).await;
    assert_eq!(job.completed_at, ended_at, "it ended with the others");
    running.stop().await;
}

/// The work was done: it is not done again because the worker ends in the meantime.
#[tokio::test(start_paused = true)]
async fn a_worker_that_ends_tries_once_more_to_store_what_was_refused() {
    let (warnings, _guard) = Warnings::listen();
    let bench = Bench::new();
    let (ids, worker) = ended_together(&bench, &EVERY_END).await;
    let running = Running::spawn(worker);
    warnings.until(STAYS, 1).await;
    bench.store.refuse(ids[1], &[]);

    running.stop().await;

    assert_eq!(bench.status(ids[1]).await, Status::Completed);
}

#[tokio::test(start_paused = true)]
async fn a_worker_ends_in_time_and_gives_back_what_the_database_refuses() {
    let (warnings, _guard) = Warnings::listen();
    let bench = Bench::new();
    let (ids, worker) = ended_together(&bench, &EVERY_END).await;
    let running = Running::spawn(worker);
    warnings.until(STAYS, 1).await;

    tokio::time::timeout(5 * SECOND, running.stop()).await.expect("nothing waits for it");

    assert_eq!(bench.status(ids[1]).await, Status::Pending);
    assert_eq!(bench.queue.backend().workers().await.unwrap().len(), 0);
}
