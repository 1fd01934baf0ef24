use std::time::Duration;

use longshore_core::{ClaimRequest, Claimed, StoreError, Timestamp, WorkerId};
use tokio::time::{Instant, sleep_until};

use super::drain;
use super::lane::Demand;
use super::shift::{Phase, Shift, Until};
use super::trouble::{Errand, Patience};
use super::worker_inbox::WorkerInbox;

/// How long the loop sleeps when no wake-up comes: wake-ups are hints, this is what makes it correct.
const POLL: Duration = Duration::from_secs(1);

/// Fetches jobs whenever slots can take them. Ends when the worker is to stop; a claim that is under way is
/// waited for, so that what it gets is not left lying.
pub(crate) async fn run(shift: &Shift) -> Result<(), StoreError> {
    let mut wakeups = shift.queue.backend().wakeups();
    let mut inbox = WorkerInbox::default();
    let mut patience = Patience::default();
    let mut next_due = None;
    let mut poll_at = Instant::now() + POLL;
    while shift.phase() == Phase::Working {
        renew_identity(shift).await?;
        inbox.empty(shift);
        if let Some((worker_id, demand)) = demand(shift) {
            match claim(shift, &mut inbox, worker_id, demand).await {
                Ok(due) => (next_due, patience) = (due, Patience::default()),
                Err(error) => {
                    // Nothing comes under an identity that may be given up.
                    inbox.close();
                    shift.meet(Errand::Claim, error);
                    shift.pause(patience.next(fastrand::f64())).await;
                }
            }
            tokio::task::consume_budget().await;
            continue;
        }
        if shift.until() == Until::Drained && drain::is_drained(shift).await {
            break;
        }
        let due_at = due_instant(shift, next_due).map_or(poll_at, |due| due.min(poll_at));
        tokio::select! {
            () = shift.stopping() => {}
            () = shift.room.notified() => {}
            () = shift.settled.notified() => {}
            () = inbox.arrived() => {}
            () = wakeups.changed() => shift.holdings().lanes.refresh(),
            () = sleep_until(due_at) => {
                next_due = None;
                shift.holdings().lanes.refresh();
            }
        }
        if poll_at <= Instant::now() {
            poll_at = Instant::now() + POLL;
            shift.holdings().give_back_stale(shift.clock.now());
            shift.ended.notify_one();
        }
    }
    Ok(())
}

fn demand(shift: &Shift) -> Option<(WorkerId, Demand)> {
    shift.holdings().demand(Instant::now())
}

/// Takes a fresh identity where there is none, or where the old one may hold jobs that nobody knows of.
async fn renew_identity(shift: &Shift) -> Result<(), StoreError> {
    let doubtful = shift.holdings().take_doubtful();
    if let Some(worker_id) = doubtful {
        // When this fails, the lease of the old identity ends by itself.
        let _ = shift.queue.backend().retire(worker_id).await;
    }
    if shift.holdings().worker_id().is_none() {
        shift.register().await?;
    }
    Ok(())
}

/// One claim; answers when the next job is due.
async fn claim(
    shift: &Shift,
    inbox: &mut WorkerInbox,
    worker_id: WorkerId,
    demand: Demand,
) -> Result<Option<Timestamp>, StoreError> {
    inbox.offer(shift, &worker_id, demand.offer);
    let request = ClaimRequest {
        worker_id: worker_id.clone(),
        job_types: shift.job_types.clone(),
        scope: demand.scope,
        limit: demand.limit,
    };
    let Claimed { leases, next_due } = match shift.queue.backend().claim(request.clone()).await {
        Ok(claimed) => claimed,
        Err(error) => {
            if matches!(error, StoreError::Backend { .. }) {
                shift.holdings().doubt();
            }
            return Err(error);
        }
    };
    shift.trouble.pass(Errand::Claim);
    let mut holdings = shift.holdings();
    if holdings.admits(&worker_id) {
        holdings.lanes.fill(&request, leases, Instant::now());
        drop(holdings);
        shift.work.notify_one();
        if inbox.empty(shift) {
            // The claim got less by what was there, so there may be more.
            shift.holdings().lanes.refresh();
        }
        return Ok(next_due);
    }
    if holdings.worker_id() == Some(&worker_id) {
        holdings.give_back(&leases, shift.clock.now());
        drop(holdings);
        shift.ended.notify_one();
    }
    Ok(next_due)
}

/// When to look for the job that is due next, by the timer of this process.
fn due_instant(shift: &Shift, next_due: Option<Timestamp>) -> Option<Instant> {
    // At least a millisecond, so that a clock that lags behind the store's is no busy loop.
    let wait = next_due?.since(shift.clock.now()).max(Duration::from_millis(1));
    Instant::now().checked_add(wait)
}
