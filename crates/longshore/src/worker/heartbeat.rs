use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use longshore_core::{ClaimNumber, Extended, Heartbeat, JobId, StoreError, Timestamp};
use tokio::time::{Instant, sleep_until};

use super::holdings::Holdings;
use super::shift::Shift;
use super::trouble::Errand;
use crate::{StopCause, quiet};

/// Keeps the worker's lease, and hears what it has lost or must cancel.
pub(crate) async fn run(shift: Arc<Shift>) {
    let interval = shift.settings.lease / 6;
    let mut next = Instant::now() + interval;
    loop {
        // No wake-up brings it forward: each one writes, and would wake every other worker.
        sleep_until(next).await;
        let asked_at = Instant::now();
        next = match beat(&shift).await {
            Some(Ok(())) | None => asked_at + interval,
            Some(Err(error)) => {
                shift.meet(Errand::Extend, error);
                Instant::now() + interval / 10
            }
        };
        suspend_when_overdue(&shift);
    }
}

/// One heartbeat; none while there is no identity, or while a pause keeps outcomes from being stored.
async fn beat(shift: &Shift) -> Option<Result<(), StoreError>> {
    let (worker_id, held) = {
        let holdings = shift.holdings();
        if shift.trouble.is_paused() && !holdings.is_recorded() {
            // The outcomes are stored first: a lease that ended in the pause would take them with it.
            return None;
        }
        (holdings.worker_id()?.clone(), holdings.held())
    };
    let asked_at = Instant::now();
    let heartbeat =
        Heartbeat { worker_id: worker_id.clone(), held: held.iter().map(|(id, claim)| (*id, *claim)).collect() };
    let answer = {
        let mut call = shift.queue.backend().extend(heartbeat);
        loop {
            // A store that hangs must not keep the jobs running beyond the lease.
            let overdue_at = shift.holdings().renewed_at() + patience(shift);
            tokio::select! {
                answer = &mut call => break answer,
                () = sleep_until(overdue_at), if overdue_at > Instant::now() => suspend_when_overdue(shift),
            }
        }
    };
    let extended = match answer {
        Ok(extended) => extended,
        Err(error) => return Some(Err(error)),
    };
    shift.trouble.pass(Errand::Extend);
    let mut holdings = shift.holdings();
    if holdings.worker_id() != Some(&worker_id) {
        return Some(Ok(()));
    }
    holdings.renew(asked_at);
    obey(&mut holdings, &extended, &held, shift.clock.now());
    drop(holdings);
    shift.ended.notify_one();
    shift.room.notify_one();
    Some(Ok(()))
}

/// A job may have been stored and claimed anew while the heartbeat was under way: only the claims that it named
/// are meant.
fn obey(holdings: &mut Holdings, extended: &Extended, held: &HashMap<JobId, ClaimNumber>, now: Timestamp) {
    for id in &extended.lost {
        if let Some(claim_number) = held.get(id) {
            holdings.disown(*id, *claim_number);
        }
    }
    for id in &extended.cancel_requested {
        if let Some(claim_number) = held.get(id) {
            holdings.cancel(*id, *claim_number, now);
        }
    }
}

/// The share of a lease after which jobs are stopped when it could not be renewed: the rest is for stopping.
fn patience(shift: &Shift) -> Duration {
    shift.settings.lease * 2 / 3
}

fn suspend_when_overdue(shift: &Shift) {
    let mut holdings = shift.holdings();
    let is_overdue = holdings.renewed_at().elapsed() >= patience(shift);
    if !is_overdue || holdings.worker_id().is_none() {
        return;
    }
    if holdings.suspend(shift.clock.now()) {
        quiet::warning!(cause = ?StopCause::LeaseLost, "the lease could not be renewed; stopping what runs");
    }
    drop(holdings);
    shift.ended.notify_one();
}
