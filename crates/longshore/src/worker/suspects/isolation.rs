use std::sync::Arc;
use std::time::Duration;

use longshore_core::{Budgets, DeadLetterReason, Failure, FailureType, Outcome, Record, Recorded, WorkerId};
use tokio::time::{Instant, sleep, sleep_until, timeout};

use crate::CurrentAttempt;
use crate::runtime::quiet;
use crate::worker::attempt::ended_attempt::EndedAttempt;
use crate::worker::attempt::slot;
use crate::worker::holdings::Holdings;
use crate::worker::suspects::gate::Pass;
use crate::worker::trouble::StoreCall;
use crate::worker::worker_run::WorkerRun;

/// How long a suspect waits for running attempts to end, and how long it then runs alone. One long job must not block a
/// process for ever.
const PATIENCE: Duration = Duration::from_secs(60);
/// How many times this is doubled at most.
const DOUBLINGS_MAX: u32 = 10;

/// Runs the attempt of a suspect: alone, unless the running attempts do not end in time.
pub(crate) async fn run(
    worker_run: &WorkerRun,
    slot: usize,
    worker_id: &WorkerId,
    attempt: &CurrentAttempt,
    pass: Pass,
) {
    let patience = patience(&attempt.lease().budgets);
    let beginning = begin(worker_run, worker_id, attempt, &pass, patience).await;
    let began_at = worker_run.clock.monotonic();
    let not_begun = match &beginning {
        Beginning::Refused { reason } => Some(refused(attempt, reason, began_at)),
        Beginning::Alone | Beginning::BesideOthers if slot::overdue(worker_run, attempt, began_at).is_none() => None,
        _ => Some(slot::not_begun(worker_run, attempt, began_at)),
    };
    let noted = if not_begun.is_none() {
        worker_run.holdings().slots.begin(slot, began_at, beginning == Beginning::Alone);
        worker_run.note_beginning(worker_id, slot, attempt, began_at).await
    } else {
        None
    };
    let Some(began_at) = noted else {
        let ended = not_begun.unwrap_or_else(|| slot::not_begun(worker_run, attempt, worker_run.clock.monotonic()));
        slot::conclude_unbegun(worker_run, slot, attempt, ended);
        return;
    };
    let open_at = Instant::now() + patience;
    let making = async {
        slot::make(worker_run, slot, attempt, began_at).await;
        // Until its outcome is stored, its row says that it is running. A death caused by the next job would be charged
        // to it.
        let is_over = |holdings: &Holdings| !pass.closes() || holdings.is_recorded() || holdings.worker_id().is_none();
        worker_run.shared.settled_when(is_over).await;
    };
    let mut making = std::pin::pin!(making);
    tokio::select! {
        biased;
        () = &mut making => return,
        () = sleep_until(open_at) => {}
    }
    quiet::info!(job_id = attempt.id().0, "a suspect has run alone for a long time; others may now start beside it");
    worker_run.holdings().slots.accompany(slot);
    let noted = tokio::select! {
        biased;
        () = &mut making => return,
        noted = worker_run.note_start(worker_id, slot, attempt) => noted,
    };
    match noted {
        // Only now may others begin.
        Ok(()) => pass.open(),
        Err(error) => worker_run.meet(StoreCall::Start, error),
    }
    making.await;
}

/// How the attempt of a suspect starts.
#[derive(Debug, PartialEq, Eq)]
enum Beginning {
    Alone,
    /// The running attempts did not end in time.
    BesideOthers,
    /// It was stopped while it waited, or its lease was lost.
    Never,
    /// The database refuses the beginning, and would refuse the next one: given back it would come again at once.
    Refused {
        reason: Arc<str>,
    },
}

/// The end of a job that cannot begin in any process.
fn refused(attempt: &CurrentAttempt, reason: &str, now: Duration) -> EndedAttempt {
    quiet::error!(job_id = attempt.id().0, reason, "the database refuses the beginning of a suspect");
    let failure = Failure::new(FailureType::ValidationError, format!("its beginning could not be stored: {reason}"));
    let outcome = Outcome::DeadLetter { reason: DeadLetterReason::OutcomeRefused, failure };
    EndedAttempt::new(Record { outcome, log: attempt.close(), ..Record::returned(attempt.lease()) }, now)
}

/// Waits until the suspect is alone, and writes that it starts.
async fn begin(
    worker_run: &WorkerRun,
    worker_id: &WorkerId,
    attempt: &CurrentAttempt,
    pass: &Pass,
    patience: Duration,
) -> Beginning {
    let signal = attempt.stop_signal();
    let beginning = tokio::select! {
        biased;
        _ = signal.stopped() => return Beginning::Never,
        () = pass.alone() => Beginning::Alone,
        () = sleep(patience) => {
            quiet::info!(job_id = attempt.id().0, "a suspect has waited for a long time; it starts beside others");
            Beginning::BesideOthers
        }
    };
    let (id, claim_number) = (attempt.id(), attempt.lease().claim_number);
    let call = || worker_run.queue.backend().begin_isolated(worker_id.clone(), id, claim_number);
    let begun = tokio::select! {
        biased;
        _ = signal.stopped() => None,
        // During this time the gate is closed for all workers of this process.
        begun = timeout(patience, worker_run.patiently(StoreCall::Isolate, call)) => begun.ok(),
    };
    let Some(begun) = begun else {
        worker_run.trouble.forget(StoreCall::Isolate);
        return Beginning::Never;
    };
    match begun {
        Ok(Recorded::Recorded) if signal.cause().is_none() => return beginning,
        // Of several databases its own may not answer: the jobs of the others must not wait for it.
        Ok(Recorded::Recorded | Recorded::Unanswered { .. }) => {}
        Ok(Recorded::Fenced) => worker_run.holdings().disown(id, claim_number),
        Ok(Recorded::Refused { reason }) => return Beginning::Refused { reason },
        Err(error) => worker_run.meet(StoreCall::Isolate, error),
    }
    Beginning::Never
}

/// If long jobs prevent a suspect from running alone, the cause of crashes stays unknown. So a job with more crashes
/// than allowed gets longer each time.
fn patience(budgets: &Budgets) -> Duration {
    let beyond = budgets.crash_count.saturating_sub(budgets.max_crashes.max(1));
    PATIENCE * 2_u32.pow(beyond.min(DOUBLINGS_MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_suspect_is_waited_for_longer_only_when_it_has_crashed_more_often_than_it_may() {
        let seconds = |crash_count, max_crashes| {
            let budgets = Budgets {
                retry_count: 0,
                max_retries: Some(0),
                crash_count,
                max_crashes,
                deferral_count: 0,
                max_deferrals: 0,
                time: longshore_core::TimeBounds::default(),
            };
            patience(&budgets).as_secs()
        };
        assert_eq!([seconds(1, 3), seconds(3, 3), seconds(4, 3), seconds(6, 3)], [60, 60, 120, 480]);
        assert_eq!([seconds(1, 0), seconds(1, 1), seconds(2, 1)], [60, 60, 120]);
        assert_eq!(seconds(u32::MAX, 3), 60 * 1024);
    }
}
