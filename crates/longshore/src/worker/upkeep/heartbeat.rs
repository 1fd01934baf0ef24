use std::sync::Arc;
use std::time::Duration;

use longshore_core::{Extended, Heartbeat, Held, StoreError};
use tokio::time::{Instant, sleep_until};

use crate::CurrentAttempt;
use crate::worker::attempt::committed::has_completed;
use crate::worker::holdings::Holdings;
use crate::worker::trouble::StoreCall;
use crate::worker::upkeep::held_report::{Claims, HeldReport};
use crate::worker::upkeep::unknown_leases::UnknownLeases;
use crate::worker::worker_run::{Phase, WorkerRun};

/// The longest pause after a failed heartbeat. Once writing is possible again, other processes wait at least a second
/// before they take this worker's jobs. It must send a heartbeat within that time.
const RETRY_MAX: Duration = Duration::from_millis(500);

/// Extends the worker's lease, and learns what it has lost or must cancel.
pub(crate) async fn run(worker_run: Arc<WorkerRun>) {
    let interval = worker_run.settings.lease / 6;
    let mut next = Instant::now() + interval;
    let mut report = HeldReport::default();
    let mut unknown = UnknownLeases::default();
    loop {
        tokio::select! {
            () = sleep_until(next) => {}
            // Only a registration after an eviction or the loss of a session brings it forward: a heartbeat writes, and
            // would wake every other worker.
            () = worker_run.shared.heartbeat_woken() => {}
        }
        register_to_the_end(&worker_run).await;
        let asked_at = Instant::now();
        next = match beat(&worker_run, &mut report).await {
            Some(Ok(HeartbeatAnswer::AsksForAll)) => asked_at,
            Some(Ok(HeartbeatAnswer::Whole)) => {
                asked_at + unknown.look(&worker_run, interval).await.map_or(interval, |again| again.min(interval))
            }
            None => asked_at + interval,
            Some(Err(error)) => {
                worker_run.meet(StoreCall::Extend, error);
                Instant::now() + (interval / 10).min(RETRY_MAX)
            }
        };
    }
}

/// Registers the worker until its end. The claim loop usually does that, but ends when the worker must stop. Jobs that
/// still run then must still learn whether they are lost.
async fn register_to_the_end(worker_run: &WorkerRun) {
    let is_evicted = {
        let holdings = worker_run.holdings();
        holdings.registered_id().is_none() && holdings.has_attempts()
    };
    if worker_run.phase() == Phase::Stopping
        && is_evicted
        && let Err(error) = worker_run.register().await
    {
        worker_run.meet(StoreCall::Register, error);
    }
}

/// What an answer to a heartbeat is about.
enum HeartbeatAnswer {
    /// All that the worker holds.
    Whole,
    /// Nothing: the store does not know what the changes are changes of.
    AsksForAll,
}

/// One heartbeat. `None` while the worker is not registered. Running jobs continue while heartbeats fail: nobody can
/// take over a job without writing. If a job was taken over while this process was frozen, the fence rejects its
/// writes.
async fn beat(worker_run: &WorkerRun, report: &mut HeldReport) -> Option<Result<HeartbeatAnswer, StoreError>> {
    // Before the holdings: what was registered since then asks for a heartbeat of its own.
    let session = worker_run.sessions.number();
    let (worker_id, held) = {
        let holdings = worker_run.holdings();
        (holdings.registered_id()?.clone(), holdings.held())
    };
    let asked_at = Instant::now();
    let (number, said) = report.next(session, &held);
    let names_all = matches!(said, Held::All(_));
    let heartbeat = Heartbeat { worker_id: worker_id.clone(), number, held: said };
    let mut extended = match worker_run.queue.backend().extend(heartbeat).await {
        Ok(extended) => extended,
        Err(error) => return Some(Err(error)),
    };
    worker_run.trouble.pass(StoreCall::Extend);
    if extended.asks_for_all && !names_all {
        return Some(Ok(HeartbeatAnswer::AsksForAll));
    }
    keep_completed(worker_run, &mut extended).await;
    let mut holdings = worker_run.holdings();
    if holdings.registered_id() != Some(&worker_id) {
        return Some(Ok(HeartbeatAnswer::Whole));
    }
    holdings.renew(asked_at);
    obey(&mut holdings, &extended, &held, worker_run.clock.monotonic());
    drop(holdings);
    report.answered(session, held);
    Some(Ok(HeartbeatAnswer::Whole))
}

/// A handler may continue after it has completed its job in its own transaction. The store reports such a job as lost,
/// because it is no longer running. But no other worker has it, so there is no reason to stop.
async fn keep_completed(worker_run: &WorkerRun, extended: &mut Extended) {
    let mut completed = Vec::new();
    for id in &extended.lost {
        let attempt = worker_run.holdings().slots.attempts().find(|attempt| attempt.id() == *id).cloned();
        let Some(attempt) = attempt.filter(CurrentAttempt::has_completion) else { continue };
        // If it is unknown, the attempt continues, and the fence decides about its outcome.
        if has_completed(worker_run, &attempt).await.unwrap_or(true) {
            completed.push(*id);
        }
    }
    extended.lost.retain(|id| !completed.contains(id));
}

/// A job may have been recorded and claimed again during the heartbeat. The answer applies only to the claims that the
/// heartbeat named.
fn obey(holdings: &mut Holdings, extended: &Extended, held: &Claims, now: Duration) {
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
