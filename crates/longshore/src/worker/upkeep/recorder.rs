use std::sync::Arc;
use std::time::Duration;

use longshore_core::{DeadLetterReason, Failure, FailureType, Outcome, Record, Recorded, Report, StoreError, WorkerId};
use tokio::time::Instant;

use crate::runtime::panic_capture::caught;
use crate::runtime::quiet;
use crate::worker::attempt::committed::AttemptClaim;
use crate::worker::holdings::Ended;
use crate::worker::trouble::StoreCall;
use crate::worker::worker_run::WorkerRun;

/// How long what an attempt says may wait, so that many lines are one write.
const FLUSH: Duration = Duration::from_millis(250);
/// How long after a panic of the store the outcomes are tried again.
const AGAIN: Duration = Duration::from_millis(100);
/// The most outcomes in one transaction.
const BATCH_MAX: usize = 1000;

/// Writes what attempts say and what they came to; the only one who does, so that nothing that an attempt said
/// comes after its outcome. While one batch is committed the next one gathers.
pub(crate) async fn run(worker_run: Arc<WorkerRun>) {
    let mut flush_at: Option<Instant> = None;
    loop {
        record(&worker_run).await;
        tokio::select! {
            () = worker_run.shared.recorder_woken() => {}
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
            for (report, _) in reports.iter().zip(answers).filter(|(_, answer)| *answer == Recorded::Fenced) {
                worker_run.holdings().disown(report.id, report.claim_number);
            }
        }
        Err(error) => worker_run.meet(StoreCall::Report, error),
    }
}

async fn record(worker_run: &WorkerRun) {
    loop {
        let Some(ended) = worker_run.holdings().take_ended(BATCH_MAX) else { break };
        if let Err(panicked) = caught(store(worker_run, ended.clone())).await {
            worker_run.holdings().put_back(&ended);
            worker_run.note_panic("the store", panicked);
            // The worker stops, and the outcomes are tried until it has ended.
            tokio::time::sleep(AGAIN).await;
            continue;
        }
        worker_run.holdings().recorded();
    }
}

async fn store(worker_run: &WorkerRun, ended: Ended) {
    let Ended { worker_id, last_reports, records } = ended;
    report_last(worker_run, &worker_id, last_reports).await;
    if records.is_empty() {
        return;
    }
    match write(worker_run, &worker_id, Arc::clone(&records)).await {
        Ok(()) => {}
        Err(error) if is_refusal(&error) => {
            quiet::error!(error = %error, "an outcome was refused; storing them one by one");
            write_singly(worker_run, &worker_id, &records).await;
        }
        Err(error) => lose(worker_run, error, records.len()),
    }
}

/// What ended attempts said last, before the outcomes that let nothing more in. Nothing is judged by the answer: the
/// outcomes meet the same trouble, and say what it means.
async fn report_last(worker_run: &WorkerRun, worker_id: &WorkerId, reports: Arc<[Report]>) {
    if reports.is_empty() {
        return;
    }
    let call = || worker_run.queue.backend().report(worker_id.clone(), Arc::clone(&reports));
    if let Err(error) = worker_run.patiently(StoreCall::Report, call).await {
        quiet::warning!(error = %error, code = error.code(), "the last reports of ended attempts could not be stored");
    }
}

async fn write(worker_run: &WorkerRun, worker_id: &WorkerId, batch: Arc<[Record]>) -> Result<(), StoreError> {
    let call = || worker_run.queue.backend().record(worker_id.clone(), Arc::clone(&batch));
    let answers = worker_run.patiently(StoreCall::Record, call).await?;
    for (record, _) in batch.iter().zip(answers).filter(|(_, answer)| *answer == Recorded::Fenced) {
        fenced(worker_run, worker_id, record).await;
    }
    Ok(())
}

/// An outcome was not accepted: the handler has completed the job itself in the last moment, whose log is still to be
/// stored, or the lease was lost.
async fn fenced(worker_run: &WorkerRun, worker_id: &WorkerId, record: &Record) {
    let Record { id, claim_number, attempt, .. } = *record;
    let is_completed = AttemptClaim { worker_id, id, claim_number }.check(worker_run).await;
    if !matches!(is_completed, Ok(true)) {
        quiet::warning!(job_id = id.0, claim_number = claim_number.0, "too late: the lease was lost");
        return;
    }
    quiet::info!(job_id = id.0, claim_number = claim_number.0, "its attempt had completed the job already");
    if !record.log.is_empty() {
        let report = Report { id, claim_number, attempt, progress: None, log: record.log.clone() };
        report_last(worker_run, worker_id, [report].into()).await;
    }
}

/// One outcome that the store refuses must not take the others with it, nor leave its own job running for ever.
async fn write_singly(worker_run: &WorkerRun, worker_id: &WorkerId, batch: &[Record]) {
    for record in batch {
        let written = match write(worker_run, worker_id, [record.clone()].into()).await {
            Err(error) if is_refusal(&error) => {
                write(worker_run, worker_id, [given_up(record.clone(), &error)].into()).await
            }
            written => written,
        };
        if let Err(error) = written {
            lose(worker_run, error, 1);
        }
    }
}

/// Whether the store rejected the outcome's content, or panicked over it: it would do so again.
const fn is_refusal(error: &StoreError) -> bool {
    matches!(error, StoreError::InvalidJob(_) | StoreError::Aborted { .. } | StoreError::Panicked { .. })
}

/// Another attempt would come to the same, so there is none.
fn given_up(record: Record, error: &StoreError) -> Record {
    let failure = Failure::new(FailureType::ValidationError, format!("the outcome could not be stored: {error}"));
    Record { outcome: Outcome::DeadLetter { reason: DeadLetterReason::OutcomeRefused, failure }, ..record }
}

fn lose(worker_run: &WorkerRun, error: StoreError, outcomes: usize) {
    quiet::error!(error = %error, code = error.code(), outcomes, "outcomes could not be stored; their jobs run again");
    if !is_refusal(&error) || matches!(error, StoreError::Panicked { .. }) {
        worker_run.meet(StoreCall::Record, error);
    }
}
