use std::time::Duration;

use longshore_core::{ClaimRequest, Claimed, RequestId, StoreError, Timestamp};
use tokio::time::{Instant, sleep_until};

use super::drain;
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
    let mut requests = Requests::default();
    let mut next_due = None;
    let mut poll_at = Instant::now() + POLL;
    while shift.phase() == Phase::Working {
        renew_identity(shift).await?;
        inbox.empty(shift);
        if shift.gate.is_closed() {
            inbox.rest(shift);
        }
        if let Some(request) = requests.next(shift) {
            match claim(shift, &mut inbox, &request).await {
                Ok(due) => (next_due, patience) = (due, Patience::default()),
                Err(error) => {
                    requests.unanswered = Some(request);
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
            shift.holdings().give_back_stale(POLL, shift.clock.now(), &shift.gate);
            shift.ended.notify_one();
        }
    }
    if let Some(unanswered) = requests.unanswered.take() {
        give_back_unanswered(shift, unanswered).await;
    }
    Ok(())
}

/// A claim whose answer was lost may hold jobs that nobody here knows of; others get them at once.
async fn give_back_unanswered(shift: &Shift, request: ClaimRequest) {
    let worker_id = request.worker_id.clone();
    let repeated = tokio::time::timeout(POLL, shift.queue.backend().claim(request)).await;
    if let Ok(Ok(claimed)) = repeated
        && shift.holdings().worker_id() == Some(&worker_id)
    {
        shift.holdings().give_back(&claimed.leases, shift.clock.now());
        shift.ended.notify_one();
    }
}

/// The claims of one worker, told apart by their ids.
#[derive(Debug, Default)]
struct Requests {
    last_id: u64,
    /// A claim that failed: it may have been carried out all the same, so it is repeated as it was.
    unanswered: Option<ClaimRequest>,
}

impl Requests {
    /// What to claim now, if anything. The identity stays the same.
    fn next(&mut self, shift: &Shift) -> Option<ClaimRequest> {
        let mut holdings = shift.holdings();
        if let Some(unanswered) = &self.unanswered {
            // Not while it is open what was lost: what it brings could not be run.
            return if holdings.admits(&unanswered.worker_id) { self.unanswered.take() } else { None };
        }
        // While a suspect runs alone, other processes get the jobs.
        if shift.gate.is_closed() {
            return None;
        }
        let (worker_id, demand) = holdings.demand(Instant::now())?;
        self.last_id += 1;
        Some(ClaimRequest {
            request_id: RequestId(self.last_id),
            worker_id,
            job_types: shift.job_types.clone(),
            scope: demand.scope,
            limit: demand.limit,
        })
    }
}

/// Registers the worker where it is not, or not any more.
async fn renew_identity(shift: &Shift) -> Result<(), StoreError> {
    let is_registered = shift.holdings().registered_id().is_some();
    if !is_registered {
        shift.register().await?;
    }
    Ok(())
}

/// One claim; answers when the next job is due.
async fn claim(
    shift: &Shift,
    inbox: &mut WorkerInbox,
    request: &ClaimRequest,
) -> Result<Option<Timestamp>, StoreError> {
    inbox.offer(shift, &request.worker_id);
    let Claimed { leases, next_due } = shift.queue.backend().claim(request.clone()).await?;
    shift.trouble.pass(Errand::Claim);
    if leases.iter().any(|lease| lease.budgets.is_suspect()) {
        inbox.rest(shift);
    }
    let mut holdings = shift.holdings();
    let worker_id = &request.worker_id;
    if holdings.admits(worker_id) {
        holdings.lanes.fill(request, leases, Instant::now());
        drop(holdings);
        shift.work.notify_one();
        if inbox.empty(shift) {
            // The claim got less by what was there, so there may be more.
            shift.holdings().lanes.refresh();
        }
        return Ok(next_due);
    }
    if holdings.worker_id() == Some(worker_id) {
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
