use std::sync::Arc;

use longshore_core::StartedAttempt;

use super::executor::Execution;
use super::holdings::Started;
use super::shift::Shift;
use crate::CurrentAttempt;

/// Makes one attempt after the other. Never ends by itself: its owner aborts it.
pub(crate) async fn run(shift: Arc<Shift>, number: u32) {
    let slot = number as usize;
    loop {
        let started_at = shift.clock.now();
        let started = shift.holdings().start(slot, started_at, |lease| {
            let grace = shift.registry.get(&lease.job_type).and_then(|entry| entry.policy.grace);
            CurrentAttempt::new(lease, grace.unwrap_or(shift.settings.grace), shift.origin.clone())
        });
        let Some(Started { worker_id, attempt, has_next }) = started else {
            shift.work.notified().await;
            continue;
        };
        if has_next {
            // One wake-up is kept for all who sleep, so each who wakes calls the next.
            shift.work.notify_one();
        }
        let lease = attempt.lease();
        let begun = StartedAttempt { slot: number, id: lease.id, claim_number: lease.claim_number };
        shift.queue.backend().mark_started(&worker_id, begun);
        make(&shift, slot, &attempt, started_at).await;
        // Handlers that never wait would keep this thread from the scribe and the claim loop.
        tokio::task::consume_budget().await;
    }
}

async fn make(shift: &Shift, slot: usize, attempt: &CurrentAttempt, started_at: longshore_core::Timestamp) {
    let mut execution = Execution::new(shift, attempt, started_at);
    let record = execution.run().await;
    let is_closed = shift.holdings().conclude(slot, attempt, record);
    shift.ended.notify_one();
    if is_closed {
        shift.settled.notify_waiters();
    }
    execution.outlive().await;
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
