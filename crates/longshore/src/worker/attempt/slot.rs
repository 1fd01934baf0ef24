use std::convert::Infallible;
use std::sync::Arc;

use longshore_core::{AttemptEnd, Outcome, Overdue, Record, Timestamp, decide};

use crate::runtime::panic_capture::{Panicked, caught};
use crate::runtime::quiet;
use crate::worker::attempt::executor::{Executed, Execution};
use crate::worker::attempt::hooks::Ownership;
use crate::worker::holdings::{Conclusion, Started, Taken};
use crate::worker::suspects::isolation;
use crate::worker::worker_run::WorkerRun;
use crate::{CurrentAttempt, StopCause};

/// Makes one attempt after the other. Ends only when what surrounds the attempts panics, which ends the worker.
pub(crate) async fn run(worker_run: Arc<WorkerRun>, number: u32) {
    let slot = number as usize;
    loop {
        let Err(panicked) = caught(turns(&worker_run, slot)).await;
        let taken = worker_run.holdings().taken(slot);
        match taken {
            Taken::Nothing => return worker_run.note_panic("a slot of the worker", panicked),
            Taken::Attempt { attempt, started_at } => {
                let record = broken(&worker_run, &attempt, started_at, panicked);
                conclude(&worker_run, slot, &attempt, Conclusion::Outcome(record));
            }
            Taken::Concluded => {
                quiet::error!(panic = panicked.message, "a slot of the worker panicked after its attempt had ended");
            }
        }
        release(&worker_run, slot);
    }
}

/// Ends only by a panic.
async fn turns(worker_run: &WorkerRun, slot: usize) -> Infallible {
    loop {
        turn(worker_run, slot).await;
    }
}

/// Waits for a lease if there is none, or makes one attempt.
async fn turn(worker_run: &WorkerRun, slot: usize) {
    let started_at = worker_run.clock.now();
    let started = worker_run.holdings().start(slot, started_at, &worker_run.gate, |held| {
        let grace = worker_run.registry.get(&held.lease.job_type).and_then(|entry| entry.policy.grace);
        CurrentAttempt::new(held, grace.unwrap_or(worker_run.settings.grace), worker_run.origin.clone())
    });
    let Some(Started { worker_id, attempt, pass, has_next }) = started else {
        return worker_run.work.notified().await;
    };
    if has_next {
        // One wake-up is kept for all who sleep, so each who wakes calls the next.
        worker_run.work.notify_one();
    }
    if overdue(&attempt, started_at).is_some() {
        // It waited here beyond its expiry or deadline: its handler never learns of it.
        let record = not_begun(&attempt, started_at);
        conclude(worker_run, slot, &attempt, Conclusion::Outcome(record));
        release(worker_run, slot);
        drop(pass);
    } else if pass.closes() {
        // Seldom and large, so it has a place of its own.
        Box::pin(isolation::run(worker_run, slot, &worker_id, &attempt, pass)).await;
    } else if let Some(started_at) = worker_run.note_beginning(&worker_id, slot, &attempt, started_at).await {
        make(worker_run, slot, &attempt, started_at).await;
        drop(pass);
    } else {
        let record = not_begun(&attempt, worker_run.clock.now());
        conclude(worker_run, slot, &attempt, Conclusion::Outcome(record));
        release(worker_run, slot);
        drop(pass);
    }
    // Handlers that never wait would keep this thread from the recorder and the claim loop.
    tokio::task::consume_budget().await;
}

/// Which bound of the job keeps the attempt from beginning now.
pub(crate) fn overdue(attempt: &CurrentAttempt, now: Timestamp) -> Option<Overdue> {
    attempt.lease().budgets.time.overdue_at(now)
}

/// The record of an attempt that does not begin.
pub(crate) fn not_begun(attempt: &CurrentAttempt, now: Timestamp) -> Record {
    let record = Record::returned(attempt.lease(), now);
    let outcome = match (attempt.stop_signal().cause(), overdue(attempt, now)) {
        (Some(StopCause::Cancelled), _) => Outcome::Cancelled,
        (_, Some(overdue)) => overdue.outcome(None),
        (_, None) => Outcome::Returned,
    };
    Record { outcome, log: attempt.close(), ..record }
}

/// Runs the handler of an attempt that has begun.
pub(crate) async fn make(worker_run: &WorkerRun, slot: usize, attempt: &CurrentAttempt, started_at: Timestamp) {
    let mut execution = Execution::new(worker_run, attempt, started_at);
    let Executed { conclusion, hooks } = execution.run().await;
    if hooks.is_some() {
        // Before the attempt is over, or a shutdown would not know that it has to wait.
        worker_run.holdings().begin_hooks(slot);
    }
    let ownership = conclude(worker_run, slot, attempt, conclusion);
    if let Some(hooks) = hooks {
        // Seldom and large, so it has a place of its own.
        Box::pin(hooks.run(worker_run, slot, ownership)).await;
    }
    execution.outlive().await;
    release(worker_run, slot);
}

/// The outcome of an attempt whose surroundings panicked, made of nothing that could panic once more. One that had
/// not begun is given back.
fn broken(
    worker_run: &WorkerRun,
    attempt: &CurrentAttempt,
    started_at: Option<Timestamp>,
    panicked: Panicked,
) -> Record {
    let lease = attempt.lease();
    let failure = panicked.into_failure("the slot of the worker");
    quiet::error!(
        job_id = attempt.id().0,
        error = failure.message,
        "an attempt was ended by a panic outside its handler"
    );
    let Some(finished_at) = started_at else {
        return Record { log: attempt.close(), ..Record::returned(lease, lease.ready_at) };
    };
    let retry = worker_run.registry.get(attempt.job_type()).map(|entry| entry.policy.retry).unwrap_or_default();
    let outcome = decide(&lease.budgets, AttemptEnd::Failed(failure), &retry, finished_at, fastrand::f64());
    Record { outcome, started_at, log: attempt.close(), ..Record::returned(lease, finished_at) }
}

/// Hands what the attempt came to over to the recorder.
pub(crate) fn conclude(
    worker_run: &WorkerRun,
    slot: usize,
    attempt: &CurrentAttempt,
    conclusion: Conclusion,
) -> Ownership {
    let (ownership, is_closed) = worker_run.holdings().conclude(slot, attempt, conclusion);
    worker_run.ended.notify_one();
    if is_closed {
        worker_run.settled.notify_waiters();
    }
    ownership
}

/// Frees the slot.
pub(crate) fn release(worker_run: &WorkerRun, slot: usize) {
    let mut holdings = worker_run.holdings();
    holdings.release(slot);
    let is_low = holdings.lanes.is_low();
    let is_idle = !holdings.is_busy();
    drop(holdings);
    if is_low {
        worker_run.room.notify_one();
    }
    if is_idle {
        worker_run.settled.notify_waiters();
    }
}
