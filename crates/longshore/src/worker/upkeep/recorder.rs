use std::sync::Arc;
use std::time::Duration;

use longshore_core::{
    DeadLetterReason, Failure, FailureType, JobId, Outcome, Record, Recorded, Report, StoreError, WorkerId,
};
use tokio::time::Instant;

use crate::runtime::panic_capture::caught;
use crate::runtime::quiet;
use crate::worker::attempt::committed::AttemptClaim;
use crate::worker::attempt::ended_attempt::{EndedAttempt, OutcomeBatch};
use crate::worker::holdings::Ended;
use crate::worker::job_names::some_of;
use crate::worker::trouble::StoreCall;
use crate::worker::worker_run::WorkerRun;

/// How long progress and log may wait, so that many lines are one write.
const FLUSH: Duration = Duration::from_millis(250);
/// How long after a panic of the store the outcomes are tried again.
const AGAIN: Duration = Duration::from_millis(100);
/// The most outcomes in one transaction.
const BATCH_MAX: usize = 1000;

/// Writes progress, logs and outcomes. It is the only writer, so that no report of an attempt comes after its outcome.
/// While one batch is being committed, the next one is collected.
pub(crate) async fn run(worker_run: Arc<WorkerRun>) {
    let mut flush_at: Option<Instant> = None;
    loop {
        record(&worker_run).await;
        let again_at = worker_run.holdings().kept_until();
        tokio::select! {
            () = worker_run.shared.recorder_woken() => {}
            () = reached(again_at) => worker_run.holdings().try_kept_again(),
            () = worker_run.origin.pending_reports.arrived.notified() => {
                flush_at.get_or_insert_with(|| Instant::now() + FLUSH);
            }
            () = reached(flush_at) => {}
        }
        if flush_at.is_some_and(|at| at <= Instant::now()) {
            flush_at = None;
            report(&worker_run).await;
        }
    }
}

async fn reached(instant: Option<Instant>) {
    match instant {
        Some(instant) => tokio::time::sleep_until(instant).await,
        None => std::future::pending().await,
    }
}

async fn report(worker_run: &WorkerRun) {
    let Some(worker_id) = worker_run.holdings().worker_id().cloned() else { return };
    let reports: Arc<[Report]> =
        worker_run.origin.pending_reports.take().iter().filter_map(crate::CurrentAttempt::report).collect();
    if reports.is_empty() {
        return;
    }
    let call = || worker_run.queue.backend().report(worker_id.clone(), Arc::clone(&reports));
    match worker_run.patiently(StoreCall::Report, call).await {
        Ok(answers) => {
            for (report, answer) in reports.iter().zip(answers) {
                match answer {
                    Recorded::Recorded => {}
                    Recorded::Fenced => worker_run.holdings().disown(report.id, report.claim_number),
                    Recorded::Refused { reason } => refused_report(report.id, &reason),
                    Recorded::Unanswered { reason } => lost_report(report.id, &reason),
                }
            }
        }
        Err(error) => worker_run.meet(StoreCall::Report, error),
    }
}

/// Progress and log may be lost, the attempt goes on.
fn refused_report(id: JobId, reason: &str) {
    quiet::warning!(job_id = id.0, reason, "the database refuses what an attempt said");
}

/// One of several databases does not answer. Those of other jobs must not wait for it.
fn lost_report(id: JobId, reason: &str) {
    quiet::warning!(
        job_id = id.0,
        reason,
        "progress and log of an attempt are lost, because its database does not answer"
    );
}

async fn record(worker_run: &WorkerRun) {
    loop {
        let Some(mut ended) = worker_run.holdings().take_ended(BATCH_MAX) else { break };
        if let Err(panicked) = caught(store(worker_run, &mut ended)).await {
            worker_run.holdings().put_back(&ended);
            worker_run.note_panic("the store", panicked);
            // The worker stops, and the outcomes are retried until it has ended.
            tokio::time::sleep(AGAIN).await;
            continue;
        }
        worker_run.holdings().recorded();
    }
}

async fn store(worker_run: &WorkerRun, ended: &mut Ended) {
    let Ended { worker_id, last_reports, outcomes } = ended;
    report_last(worker_run, worker_id, last_reports).await;
    if outcomes.is_empty() {
        return;
    }
    match write(worker_run, worker_id, outcomes).await {
        Ok(()) => {}
        Err(error) if is_over_content(&error) => {
            quiet::error!(error = %error, "the store fails over an outcome; storing them one by one");
            write_singly(worker_run, worker_id, outcomes).await;
        }
        Err(error) => lose(worker_run, error, &ids_of(outcomes.records())),
    }
}

/// Writes the last progress and log of ended attempts, before their outcomes close them. Its errors are only logged:
/// the outcomes fail for the same cause, and their errors are handled.
async fn report_last(worker_run: &WorkerRun, worker_id: &WorkerId, reports: &Arc<[Report]>) {
    if reports.is_empty() {
        return;
    }
    let call = || worker_run.queue.backend().report(worker_id.clone(), Arc::clone(reports));
    match worker_run.patiently(StoreCall::Report, call).await {
        Ok(answers) => {
            for (report, answer) in reports.iter().zip(answers) {
                match answer {
                    Recorded::Refused { reason } => refused_report(report.id, &reason),
                    Recorded::Unanswered { reason } => lost_report(report.id, &reason),
                    Recorded::Recorded | Recorded::Fenced => {}
                }
            }
        }
        Err(error) => {
            quiet::warning!(error = %error, code = error.code(), "the last reports of ended attempts could not be stored");
        }
    }
}

async fn write(worker_run: &WorkerRun, worker_id: &WorkerId, outcomes: &mut OutcomeBatch) -> Result<(), StoreError> {
    let answers = hand_over(worker_run, worker_id, outcomes).await?;
    let mut refused = Vec::new();
    for (place, answer) in answers.into_iter().enumerate() {
        match answer {
            Recorded::Recorded => {}
            Recorded::Fenced => fenced(worker_run, worker_id, &outcomes.records()[place]).await,
            Recorded::Refused { reason } => refused.push((outcomes.ended(place), reason)),
            Recorded::Unanswered { .. } => worker_run.holdings().postpone(outcomes.ended(place)),
        }
    }
    if !refused.is_empty() {
        give_up(worker_run, worker_id, refused).await;
    }
    Ok(())
}

/// Measures anew with each try how long ago the attempts ended: nothing can be written for minutes now and then.
async fn hand_over(
    worker_run: &WorkerRun,
    worker_id: &WorkerId,
    outcomes: &mut OutcomeBatch,
) -> Result<Vec<Recorded>, StoreError> {
    let call = || {
        let records = outcomes.hand_over(worker_run.clock.monotonic());
        worker_run.queue.backend().record(worker_id.clone(), records)
    };
    worker_run.patiently(StoreCall::Record, call).await
}

/// The database refuses these outcomes, and would refuse them again: their jobs end as dead letters, with the reason.
/// Where it refuses that as well, they are tried again now and then, until somebody has changed the database or the
/// worker retires.
async fn give_up(worker_run: &WorkerRun, worker_id: &WorkerId, refused: Vec<(EndedAttempt, Arc<str>)>) {
    let ends = refused.iter().map(|(ended, reason)| {
        if !ended.was_refused {
            quiet::error!(job_id = ended.record.id.0, reason = &**reason, "the database refuses an outcome");
        }
        EndedAttempt { record: given_up(&ended.record, reason), ..*ended }
    });
    let mut ends = OutcomeBatch::new(ends.collect());
    let answers = match hand_over(worker_run, worker_id, &mut ends).await {
        Ok(answers) => answers,
        Err(error) => return lose(worker_run, error, &ids_of(ends.records())),
    };
    for ((ended, _), answer) in refused.into_iter().zip(answers) {
        match answer {
            Recorded::Recorded => {}
            Recorded::Fenced => fenced(worker_run, worker_id, &ended.record).await,
            Recorded::Refused { reason } => {
                if !ended.was_refused {
                    quiet::error!(
                        job_id = ended.record.id.0,
                        reason = &*reason,
                        "its job cannot be given up either; it stays running until the database accepts an end"
                    );
                }
                worker_run.holdings().refuse(ended);
            }
            Recorded::Unanswered { .. } => worker_run.holdings().postpone(ended),
        }
    }
}

/// Handles an outcome that was not accepted. Either the handler has completed the job itself at the last moment and the
/// rest of its log must still be stored, or the lease was lost.
async fn fenced(worker_run: &WorkerRun, worker_id: &WorkerId, record: &Record) {
    let Record { id, claim_number, attempt, .. } = *record;
    let is_completed = AttemptClaim { worker_id, id, claim_number }.check(worker_run).await;
    if !matches!(is_completed, Ok(true)) {
        quiet::warning!(job_id = id.0, claim_number = claim_number.0, "too late: the lease was lost");
        return;
    }
    quiet::info!(job_id = id.0, claim_number = claim_number.0, "the attempt had already completed its job");
    if !record.log.is_empty() {
        let report = Report { id, claim_number, attempt, progress: None, log: record.log.clone() };
        report_last(worker_run, worker_id, &[report].into()).await;
    }
}

/// One outcome that the store fails over must not take the others with it, nor leave its own job running for ever.
async fn write_singly(worker_run: &WorkerRun, worker_id: &WorkerId, outcomes: &OutcomeBatch) {
    for ended in outcomes.all_ended() {
        let mut single = OutcomeBatch::new(vec![ended.clone()]);
        match write(worker_run, worker_id, &mut single).await {
            Ok(()) => {}
            Err(error) if is_over_content(&error) => {
                give_up(worker_run, worker_id, vec![(ended, error.to_string().into())]).await;
            }
            Err(error) => lose(worker_run, error, &ids_of(single.records())),
        }
    }
}

/// Whether the store fails over what an outcome holds, which it ought not: it would do so again.
const fn is_over_content(error: &StoreError) -> bool {
    matches!(error, StoreError::InvalidJob(_) | StoreError::Aborted { .. } | StoreError::Panicked { .. })
}

/// Another attempt would come to the same, so there is none. It says what the attempt came to, because nothing else
/// does.
pub(crate) fn given_up(record: &Record, reason: &str) -> Record {
    let attempt = match &record.outcome {
        Outcome::Completed { .. } => "the attempt completed",
        _ => "the attempt ended",
    };
    let message = format!("{attempt}, but its outcome could not be stored: {reason}");
    let mut failure = Failure::new(FailureType::ValidationError, message);
    if let Outcome::Retrying { failure: own, .. } | Outcome::DeadLetter { failure: own, .. } = &record.outcome {
        failure = failure.with_traceback(own.traceback.as_deref().unwrap_or(&own.message));
    }
    Record { outcome: Outcome::DeadLetter { reason: DeadLetterReason::OutcomeRefused, failure }, ..record.clone() }
}

fn ids_of(records: &[Record]) -> Vec<JobId> {
    records.iter().map(|record| record.id).collect()
}

fn lose(worker_run: &WorkerRun, error: StoreError, jobs: &[JobId]) {
    quiet::error!(
        error = %error,
        code = error.code(),
        outcomes = jobs.len(),
        "the outcomes of {} could not be stored, whatever was said of them before; they run again",
        some_of(jobs)
    );
    if !is_over_content(&error) || matches!(error, StoreError::Panicked { .. }) {
        worker_run.meet(StoreCall::Record, error);
    }
}
