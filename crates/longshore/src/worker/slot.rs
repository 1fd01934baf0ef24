use std::convert::Infallible;
use std::sync::Arc;

use longshore_core::{AttemptEnd, Record, Timestamp, decide};

use super::executor::Execution;
use super::holdings::{Started, Taken, returned};
use super::isolation;
use super::shift::Shift;
use crate::panic_capture::{Panicked, caught};
use crate::{CurrentAttempt, quiet};

/// Makes one attempt after the other. Ends only when what surrounds the attempts panics, which ends the worker.
pub(crate) async fn run(shift: Arc<Shift>, number: u32) {
    let slot = number as usize;
    loop {
        let Err(panicked) = caught(turns(&shift, slot)).await;
        let taken = shift.holdings().taken(slot);
        match taken {
            Taken::Nothing => return shift.note_panic("a slot of the worker", panicked),
            Taken::Attempt { attempt, started_at } => {
                let record = broken(&shift, &attempt, started_at, panicked);
                conclude(&shift, slot, &attempt, record);
            }
            Taken::Concluded => {
                quiet::error!(panic = panicked.message, "a slot of the worker panicked after its attempt had ended");
            }
        }
        release(&shift, slot);
    }
}

/// Ends only by a panic.
async fn turns(shift: &Shift, slot: usize) -> Infallible {
    loop {
        turn(shift, slot).await;
    }
}

/// Waits for a lease if there is none, or makes one attempt.
async fn turn(shift: &Shift, slot: usize) {
    let started_at = shift.clock.now();
    let started = shift.holdings().start(slot, started_at, &shift.gate, |lease| {
        let grace = shift.registry.get(&lease.job_type).and_then(|entry| entry.policy.grace);
        CurrentAttempt::new(lease, grace.unwrap_or(shift.settings.grace), shift.origin.clone())
    });
    let Some(Started { worker_id, attempt, pass, has_next }) = started else {
        return shift.work.notified().await;
    };
    if has_next {
        // One wake-up is kept for all who sleep, so each who wakes calls the next.
        shift.work.notify_one();
    }
    if pass.closes() {
        // Seldom and large, so it has a place of its own.
        Box::pin(isolation::run(shift, slot, &worker_id, &attempt, pass)).await;
    } else {
        shift.note_start(&worker_id, slot, &attempt);
        make(shift, slot, &attempt, started_at).await;
        drop(pass);
    }
    // Handlers that never wait would keep this thread from the scribe and the claim loop.
    tokio::task::consume_budget().await;
}

/// Runs the handler of an attempt that has begun.
pub(crate) async fn make(shift: &Shift, slot: usize, attempt: &CurrentAttempt, started_at: Timestamp) {
    let mut execution = Execution::new(shift, attempt, started_at);
    let record = execution.run().await;
    conclude(shift, slot, attempt, record);
    execution.outlive().await;
    release(shift, slot);
}

/// The outcome of an attempt whose surroundings panicked, made of nothing that could panic once more. One that had
/// not begun is given back.
fn broken(shift: &Shift, attempt: &CurrentAttempt, started_at: Option<Timestamp>, panicked: Panicked) -> Record {
    let lease = attempt.lease();
    let failure = panicked.into_failure("the slot of the worker");
    quiet::error!(
        job_id = attempt.id().0,
        error = failure.message,
        "an attempt was ended by a panic outside its handler"
    );
    let Some(finished_at) = started_at else {
        return Record { log: attempt.close(), ..returned(lease, lease.ready_at) };
    };
    let retry = shift.registry.get(attempt.job_type()).map(|entry| entry.policy.retry).unwrap_or_default();
    let outcome = decide(&lease.budgets, AttemptEnd::Failed(failure), &retry, finished_at, fastrand::f64());
    Record { outcome, started_at, log: attempt.close(), ..returned(lease, finished_at) }
}

/// Hands the outcome to the scribe.
pub(crate) fn conclude(shift: &Shift, slot: usize, attempt: &CurrentAttempt, record: Record) {
    let is_closed = shift.holdings().conclude(slot, attempt, record);
    shift.ended.notify_one();
    if is_closed {
        shift.settled.notify_waiters();
    }
}

/// Frees the slot.
pub(crate) fn release(shift: &Shift, slot: usize) {
    let mut holdings = shift.holdings();
    holdings.release(slot);
    let is_low = holdings.lanes.is_low();
    let is_idle = !holdings.is_busy();
    drop(holdings);
    if is_low {
        shift.room.notify_one();
    }
    if is_idle {
        shift.settled.notify_waiters();
    }
}
