use std::sync::Arc;

use longshore_core::{AttemptEnd, Record, StartedAttempt, Timestamp, WorkerId, decide};

use super::executor::Execution;
use super::holdings::Started;
use super::shift::Shift;
use crate::panic_capture::{Panicked, catch, caught};
use crate::{CurrentAttempt, quiet};

/// Makes one attempt after the other. Ends only when what surrounds the attempts panics, which ends the worker.
pub(crate) async fn run(shift: Arc<Shift>, number: u32) {
    loop {
        let mut stage = Stage::Free;
        let Err(panicked) = caught(turn(&shift, number, &mut stage)).await else { continue };
        let slot = number as usize;
        match stage {
            Stage::Free => return shift.note_panic("a slot of the worker", panicked),
            Stage::Running { attempt, started_at } => {
                let record = broken(&shift, &attempt, started_at, panicked);
                conclude(&shift, slot, &attempt, record);
                release(&shift, slot);
            }
            Stage::Concluded => {
                quiet::error!(panic = panicked.message, "a slot of the worker panicked after its attempt had ended");
                release(&shift, slot);
            }
        }
    }
}

/// How far a slot is, for the case that something panics which is not the handler.
enum Stage {
    Free,
    Running { attempt: CurrentAttempt, started_at: Timestamp },
    Concluded,
}

/// Waits for a lease if there is none, or makes one attempt.
async fn turn(shift: &Shift, number: u32, stage: &mut Stage) {
    let slot = number as usize;
    let started_at = shift.clock.now();
    let started = shift.holdings().start(slot, started_at, |lease| {
        let grace = shift.registry.get(&lease.job_type).and_then(|entry| entry.policy.grace);
        CurrentAttempt::new(lease, grace.unwrap_or(shift.settings.grace), shift.origin.clone())
    });
    let Some(Started { worker_id, attempt, has_next }) = started else {
        return shift.work.notified().await;
    };
    *stage = Stage::Running { attempt: attempt.clone(), started_at };
    if has_next {
        // One wake-up is kept for all who sleep, so each who wakes calls the next.
        shift.work.notify_one();
    }
    mark_started(shift, number, &worker_id, &attempt);
    let mut execution = Execution::new(shift, &attempt, started_at);
    let record = execution.run().await;
    conclude(shift, slot, &attempt, record);
    *stage = Stage::Concluded;
    execution.outlive().await;
    *stage = Stage::Free;
    release(shift, slot);
    // Handlers that never wait would keep this thread from the scribe and the claim loop.
    tokio::task::consume_budget().await;
}

/// A store that panics here is broken, which is no fault of the job.
fn mark_started(shift: &Shift, slot: u32, worker_id: &WorkerId, attempt: &CurrentAttempt) {
    let lease = attempt.lease();
    let begun = StartedAttempt { slot, id: lease.id, claim_number: lease.claim_number };
    if let Err(panicked) = catch(|| shift.queue.backend().mark_started(worker_id, begun)) {
        shift.note_panic("the store", panicked);
    }
}

/// The outcome of an attempt whose surroundings panicked, made of nothing that could panic once more.
fn broken(shift: &Shift, attempt: &CurrentAttempt, started_at: Timestamp, panicked: Panicked) -> Record {
    let failure = panicked.into_failure("the slot of the worker");
    quiet::error!(
        job_id = attempt.id().0,
        error = failure.message,
        "an attempt was ended by a panic outside its handler"
    );
    let retry = shift.registry.get(attempt.job_type()).map(|entry| entry.policy.retry).unwrap_or_default();
    let lease = attempt.lease();
    Record {
        id: lease.id,
        claim_number: lease.claim_number,
        outcome: decide(&lease.budgets, AttemptEnd::Failed(failure), &retry, started_at, fastrand::f64()),
        attempt: lease.attempt(),
        started_at: Some(started_at),
        finished_at: started_at,
        log: attempt.close(),
    }
}

fn conclude(shift: &Shift, slot: usize, attempt: &CurrentAttempt, record: Record) {
    let is_closed = shift.holdings().conclude(slot, attempt, record);
    shift.ended.notify_one();
    if is_closed {
        shift.settled.notify_waiters();
    }
}

fn release(shift: &Shift, slot: usize) {
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
