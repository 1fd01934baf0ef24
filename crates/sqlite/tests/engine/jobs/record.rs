use std::time::Duration;

use longshore_core::{
    AttemptOutcome, ClaimNumber, Console, DeadLetterReason, Failure, FailureType, JobData, LogChunk, LogRequest,
    Outcome, Progress, Recorded, Report, Selection, Status, Store, StoreError,
};
use longshore_testkit::heartbeat;

use crate::database::{Database, LEASE, START, job};

fn failure() -> Failure {
    Failure::new(FailureType::NetworkError, "no route").with_traceback("no route\ncaused by: a cut cable")
}

#[tokio::test]
async fn a_completed_job_keeps_its_result_and_tells_of_its_attempt() {
    let database = Database::new();
    let id = database.enqueue(job()).await;
    let worker = database.worker().await;
    let lease = database.claim_one(&worker).await;
    let result = JobData::parse("[1, 2]").unwrap();

    let recorded = database.record(&worker, &lease, Outcome::Completed { result: Some(result.clone()) }).await;

    assert_eq!(recorded, Recorded::Recorded);
    let detail = database.detail(id).await;
    assert_eq!((detail.job.status, detail.job.result), (Status::Completed, Some(result)));
    assert_eq!(detail.job.completed_at, Some(START));
    assert_eq!(detail.attempts.len(), 1);
    assert_eq!(detail.attempts[0].outcome, AttemptOutcome::Completed);
    assert_eq!(database.number("SELECT count(*) FROM job_attempts"), 0);
    database.assert_counts_are_true();
}

#[tokio::test]
async fn a_failed_attempt_is_kept_and_its_job_runs_again_when_it_is_due() {
    let database = Database::new();
    let id = database.enqueue(job()).await;
    let worker = database.worker().await;
    let lease = database.claim_one(&worker).await;
    let retry_at = START.after(Duration::from_secs(1));

    let delay = Duration::from_secs(1);
    database.record(&worker, &lease, Outcome::Retrying { delay, failure: failure() }).await;

    let job = database.job(id).await;
    assert_eq!((job.status, job.retry_count, job.next_retry_at), (Status::Retrying, 1, Some(retry_at)));
    assert_eq!(job.failure_type.as_deref(), Some("network_error"));
    assert!(database.claim(&worker, 1).await.leases.is_empty());
    database.clock.advance(Duration::from_secs(1));
    let again = database.claim_one(&worker).await;
    assert_eq!((again.attempt(), again.claim_number), (2, ClaimNumber(2)));
    let outcomes: Vec<_> = database.detail(id).await.attempts.iter().map(|attempt| attempt.outcome).collect();
    assert_eq!(outcomes, [AttemptOutcome::Retrying, AttemptOutcome::Running]);
    database.assert_counts_are_true();
}

#[tokio::test]
async fn every_other_end_has_its_status_its_budget_and_its_row() {
    let later = Duration::from_secs(60);
    let reason = DeadLetterReason::CrashesSpent { crashes: 3 };
    let ends = [
        (Outcome::Cancelled, Status::Cancelled, AttemptOutcome::Cancelled, (0, 0)),
        (Outcome::Deferred { delay: later }, Status::Pending, AttemptOutcome::Deferred, (0, 1)),
        (Outcome::Returned, Status::Pending, AttemptOutcome::Returned, (0, 0)),
        (Outcome::Crashed { failure: failure() }, Status::Pending, AttemptOutcome::Crashed, (1, 0)),
        (Outcome::DeadLetter { reason, failure: failure() }, Status::DeadLetter, AttemptOutcome::DeadLetter, (3, 0)),
    ];
    for (outcome, status, word, budgets) in ends {
        let database = Database::new();
        let id = database.enqueue(job()).await;
        let worker = database.worker().await;
        let lease = database.claim_one(&worker).await;

        assert_eq!(database.record(&worker, &lease, outcome).await, Recorded::Recorded);

        let detail = database.detail(id).await;
        assert_eq!(detail.job.status, status);
        assert_eq!((detail.job.crash_count, detail.job.deferral_count), budgets, "{word:?}");
        assert_eq!(detail.attempts.iter().map(|attempt| attempt.outcome).collect::<Vec<_>>(), [word]);
        database.assert_counts_are_true();
    }
}

#[tokio::test]
async fn an_outcome_is_recorded_once_and_only_under_its_own_claim() {
    let database = Database::new();
    database.enqueue(job()).await;
    let worker = database.worker().await;
    let lease = database.claim_one(&worker).await;
    let mut wrong = lease.clone();
    wrong.claim_number = ClaimNumber(9);
    let stranger = database.worker().await;
    let done = || Outcome::Completed { result: None };

    assert_eq!(database.record(&worker, &wrong, done()).await, Recorded::Fenced);
    assert_eq!(database.record(&stranger, &lease, done()).await, Recorded::Fenced);
    assert_eq!(database.record(&worker, &lease, done()).await, Recorded::Recorded);
    assert_eq!(database.record(&worker, &lease, done()).await, Recorded::Fenced);
    database.assert_counts_are_true();
}

#[tokio::test]
async fn progress_and_log_of_a_running_attempt_are_kept_and_those_of_another_are_not() {
    let database = Database::new();
    let id = database.enqueue(job()).await;
    let worker = database.worker().await;
    let lease = database.claim_one(&worker).await;
    let report = |number: u32, text: &str, replaces: std::ops::Range<u32>| Report {
        id,
        claim_number: lease.claim_number,
        attempt: 1,
        progress: Some(Progress { fraction: 7.0, message: Some("page 4".to_owned()) }),
        log: vec![LogChunk { number, text: text.to_owned(), cut_bytes: 0, replaces }],
    };

    let reports = vec![report(0, "first", 0..0), report(1, "second", 0..0), report(2, "third", 1..2)];
    database.store.report(worker.clone(), reports.into()).await.unwrap();
    let mut late = report(3, "late", 0..0);
    late.claim_number = ClaimNumber(9);
    assert_eq!(database.store.report(worker, [late].into()).await.unwrap(), [Recorded::Fenced]);

    let job = database.job(id).await;
    assert_eq!((job.progress, job.progress_message.as_deref()), (Some(1.0), Some("page 4")));
    let log = database.store.log(LogRequest { id, attempt: None, after: None }).await.unwrap();
    let texts: Vec<&str> = log.entries.iter().map(|entry| entry.text.as_str()).collect();
    assert_eq!(texts, ["first", "third"]);
    let after = Some((lease.claim_number, 0));
    let rest = database.store.log(LogRequest { id, attempt: Some(1), after }).await.unwrap();
    assert_eq!(rest.entries.len(), 1);
}

#[tokio::test]
async fn a_heartbeat_tells_what_was_lost_and_what_is_to_be_cancelled() {
    let database = Database::new();
    let (kept, cancelled) = (database.enqueue(job()).await, database.enqueue(job()).await);
    let worker = database.worker().await;
    let leases = database.claim(&worker, 9).await.leases;
    let selection = Selection::Jobs(vec![cancelled]);
    database.store.act(selection, longshore_core::Action::Cancel).await.unwrap();
    let mut held: Vec<_> = leases.iter().map(|lease| (lease.id, lease.claim_number)).collect();
    held.push((longshore_core::JobId(99), ClaimNumber(1)));

    let extended = database.store.extend(heartbeat(&worker, held)).await.unwrap();

    assert_eq!(extended.cancel_requested, [cancelled]);
    assert_eq!(extended.lost, [longshore_core::JobId(99)]);
    assert_eq!(database.job(kept).await.status, Status::Running);
}

#[tokio::test]
async fn a_heartbeat_succeeds_however_late_while_the_worker_is_registered() {
    let database = Database::new();
    let worker = database.worker().await;
    database.clock.advance(100 * LEASE);
    database.store.reclaim().await.unwrap();
    database.store.extend(heartbeat(&worker, Vec::new())).await.unwrap();
    database.foreign().execute("DELETE FROM job_workers", []).unwrap();

    let error = database.store.extend(heartbeat(&worker, Vec::new())).await.unwrap_err();

    assert!(matches!(error, StoreError::WorkerGone { .. }));
}

#[tokio::test]
async fn what_ended_is_counted_by_minute() {
    let database = Database::new();
    database.enqueue(job()).await;
    let worker = database.worker().await;
    database.clock.advance(Duration::from_millis(300));
    let lease = database.claim_one(&worker).await;
    let mut record = database.outcome(&lease, Outcome::Completed { result: None });
    record.ran = Some(Duration::from_millis(40));
    database.clock.advance(Duration::from_millis(40));

    database.store.record(worker, [record].into()).await.unwrap();

    let stats = database.store.stats(60).await.unwrap();
    let minute = &stats.minutes[0];
    assert_eq!((minute.completed, minute.waited_ms, minute.ran_ms), (1, 300, 40));
}
