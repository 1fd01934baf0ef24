use std::time::Duration;

use longshore_core::{ClaimRequest, Claimed, RequestId, StoreError};
use tokio::time::{Instant, sleep_until};

use crate::worker::claiming::drain;
use crate::worker::claiming::worker_inbox::WorkerInbox;
use crate::worker::trouble::{Patience, StoreCall};
use crate::worker::worker_run::{Phase, Until, WorkerRun};

/// How long the loop sleeps without a wake-up. Wake-ups are hints; this poll makes the loop correct.
pub(crate) const POLL: Duration = Duration::from_secs(1);
/// The shortest wait for a job that becomes due.
pub(crate) const DUE_MIN: Duration = Duration::from_millis(1);

/// Claims jobs whenever slots can take them. Ends when the worker must stop. A claim in progress is awaited first, so
/// that its jobs can be returned.
pub(crate) async fn run(worker_run: &WorkerRun) -> Result<(), StoreError> {
    let mut wakeups = worker_run.queue.backend().wakeups(worker_run.settings.interest(&worker_run.job_types));
    let mut inbox = WorkerInbox::default();
    let mut patience = Patience::default();
    let mut requests = Requests::default();
    let mut next_due = None;
    let mut poll_at = Instant::now() + POLL;
    while worker_run.phase() == Phase::Working {
        renew_identity(worker_run).await?;
        worker_run.limits.apply(worker_run).await?;
        if worker_run.phase() != Phase::Working {
            // Perhaps without its limits, so nothing more is claimed.
            break;
        }
        inbox.empty(worker_run);
        if worker_run.gate.is_closed() {
            inbox.rest(worker_run);
        }
        if let Some(request) = requests.next(worker_run) {
            match claim(worker_run, &mut inbox, &request).await {
                Ok(due) => (next_due, patience) = (due, Patience::default()),
                Err(error) => {
                    requests.unanswered = Some(request);
                    worker_run.meet(StoreCall::Claim, error);
                    worker_run.pause(patience.next(fastrand::f64())).await;
                }
            }
            tokio::task::consume_budget().await;
            continue;
        }
        if worker_run.until() == Until::Drained && drain::is_drained(worker_run).await {
            break;
        }
        let due_at = next_due.map_or(poll_at, |due| poll_at.min(due));
        tokio::select! {
            () = worker_run.stopping() => {}
            () = worker_run.shared.claim_loop_woken() => {}
            () = inbox.arrived() => worker_run.holdings().wake_claim_loop(),
            _ = wakeups.changed() => worker_run.holdings().expect_jobs(),
            () = sleep_until(due_at) => {
                next_due = None;
                worker_run.holdings().expect_jobs();
            }
        }
        if poll_at <= Instant::now() {
            poll_at = Instant::now() + POLL;
            worker_run.holdings().give_back_stale(POLL, worker_run.clock.monotonic(), &worker_run.gate);
        }
    }
    if let Some(unanswered) = requests.unanswered.take() {
        give_back_unanswered(worker_run, unanswered).await;
    }
    Ok(())
}

/// A claim whose answer was lost may hold jobs that this worker does not know about. They are returned, so that others
/// get them at once.
async fn give_back_unanswered(worker_run: &WorkerRun, request: ClaimRequest) {
    let worker_id = request.worker_id.clone();
    let repeated = tokio::time::timeout(POLL, worker_run.queue.backend().claim(request)).await;
    if let Ok(Ok(claimed)) = repeated
        && worker_run.holdings().worker_id() == Some(&worker_id)
    {
        worker_run.holdings().give_back(&claimed.leases, worker_run.clock.monotonic());
    }
}

/// The claims of one worker, distinguished by their ids.
#[derive(Debug, Default)]
struct Requests {
    last_id: u64,
    /// A claim that failed. It may have been carried out, so it is repeated unchanged.
    unanswered: Option<ClaimRequest>,
}

impl Requests {
    /// What to claim now, if anything. The identity does not change.
    fn next(&mut self, worker_run: &WorkerRun) -> Option<ClaimRequest> {
        let mut holdings = worker_run.holdings();
        if let Some(unanswered) = &self.unanswered {
            // While the worker does not know which leases it has lost, it could not run any job from a claim.
            return if holdings.readmits(&unanswered.worker_id) { self.unanswered.take() } else { None };
        }
        let job_types = worker_run.registry.open_types(&worker_run.job_types);
        if job_types.is_empty() {
            return None;
        }
        let (worker_id, demand) = holdings.demand(Instant::now(), &worker_run.gate)?;
        self.last_id += 1;
        Some(ClaimRequest {
            request_id: RequestId(self.last_id),
            worker_id,
            job_types,
            scope: demand.scope,
            limit: demand.limit,
            limited_max: demand.limited_max,
        })
    }
}

/// Registers the worker if it is not registered (any more).
async fn renew_identity(worker_run: &WorkerRun) -> Result<(), StoreError> {
    let is_registered = worker_run.holdings().registered_id().is_some();
    if !is_registered {
        worker_run.register().await?;
    }
    Ok(())
}

/// One claim; answers when to claim again for a job that becomes due.
async fn claim(
    worker_run: &WorkerRun,
    inbox: &mut WorkerInbox,
    request: &ClaimRequest,
) -> Result<Option<Instant>, StoreError> {
    inbox.offer(worker_run, &request.worker_id);
    let Claimed { leases, next_due, now } = worker_run.queue.backend().claim(request.clone()).await?;
    worker_run.trouble.pass(StoreCall::Claim);
    worker_run.store_time.hear(now, worker_run.clock.monotonic());
    // At least a millisecond, so that a job that is due and that nobody can claim is no busy loop.
    let next_due = next_due.and_then(|due| Instant::now().checked_add(due.max(DUE_MIN)));
    if leases.iter().any(|lease| lease.budgets.is_suspect()) {
        inbox.rest(worker_run);
    }
    let mut holdings = worker_run.holdings();
    let worker_id = &request.worker_id;
    if holdings.admits(worker_id) {
        holdings.fill(request, leases);
        drop(holdings);
        if inbox.empty(worker_run) {
            // The claim asked for fewer jobs than free slots, because leases were in the inbox. There may be more jobs.
            worker_run.holdings().lanes.refresh();
        }
        return Ok(next_due);
    }
    if holdings.worker_id() == Some(worker_id) {
        holdings.give_back(&leases, worker_run.clock.monotonic());
    }
    Ok(next_due)
}
