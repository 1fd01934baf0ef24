use std::sync::Arc;

use longshore_core::{Record, Timestamp};

use super::executor::Execution;
use super::holdings::Started;
use super::isolation;
use super::shift::Shift;
use crate::CurrentAttempt;

/// Makes one attempt after the other. Never ends by itself: its owner aborts it.
pub(crate) async fn run(shift: Arc<Shift>, number: u32) {
    let slot = number as usize;
    loop {
        let started_at = shift.clock.now();
        let started = shift.holdings().start(slot, started_at, &shift.gate, |lease| {
            let grace = shift.registry.get(&lease.job_type).and_then(|entry| entry.policy.grace);
            CurrentAttempt::new(lease, grace.unwrap_or(shift.settings.grace), shift.origin.clone())
        });
        let Some(Started { worker_id, attempt, pass, has_next }) = started else {
            shift.work.notified().await;
            continue;
        };
        if has_next {
            // One wake-up is kept for all who sleep, so each who wakes calls the next.
            shift.work.notify_one();
        }
        if pass.closes() {
            isolation::run(&shift, slot, &worker_id, &attempt, pass).await;
        } else {
            shift.note_start(&worker_id, slot, &attempt);
            make(&shift, slot, &attempt, started_at).await;
            drop(pass);
        }
        // Handlers that never wait would keep this thread from the scribe and the claim loop.
        tokio::task::consume_budget().await;
    }
}

/// Runs the handler of an attempt that has begun.
pub(crate) async fn make(shift: &Shift, slot: usize, attempt: &CurrentAttempt, started_at: Timestamp) {
    let mut execution = Execution::new(shift, attempt, started_at);
    let record = execution.run().await;
    conclude(shift, slot, attempt, record);
    execution.outlive().await;
    release(shift, slot);
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
