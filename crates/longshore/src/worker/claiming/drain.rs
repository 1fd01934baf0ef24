use longshore_core::{Filter, Status, StoreError};

use crate::worker::trouble::StoreCall;
use crate::worker::upkeep::scheduler;
use crate::worker::worker_run::WorkerRun;

/// Whether no job is left that could run now or later without help.
///
/// A job counts if this worker knows its type and claims from its queue, and it is ready, scheduled or running, here or
/// elsewhere. A blocked job counts through what it waits for: while that can still end, it counts. A job that waits for a signal alone
/// waits for a person and does not count. Jobs in
/// a paused queue wait for a person and do not count.
pub(crate) async fn is_drained(worker_run: &WorkerRun) -> bool {
    if !worker_run.holdings().is_empty() {
        return false;
    }
    // What is due now becomes jobs first; what is due later is not waited for.
    if !scheduler::settle_due(worker_run).await || !worker_run.holdings().is_empty() {
        return false;
    }
    // What has ended may let other jobs run.
    match worker_run.queue.backend().advance_workflows().await {
        Ok(advanced) if advanced.moved == 0 && !advanced.has_more => {}
        Ok(_) => return false,
        Err(error) => {
            worker_run.meet(StoreCall::Read, error);
            return false;
        }
    }
    match jobs_left(worker_run).await {
        Ok(left) => {
            worker_run.trouble.pass(StoreCall::Read);
            left == 0
        }
        Err(error) => {
            worker_run.meet(StoreCall::Read, error);
            false
        }
    }
}

async fn jobs_left(worker_run: &WorkerRun) -> Result<u64, StoreError> {
    let console = worker_run.queue.backend();
    let named: Vec<String> = worker_run.settings.queues.iter().map(|queue| queue.queue.clone()).collect();
    let known = Filter::all().job_types(worker_run.job_types.iter().cloned());
    // A worker that names no queue claims from all of them.
    let known = if named.is_empty() { known } else { known.queues(named.clone()) };
    let left = known.clone().statuses([Status::Pending, Status::Retrying, Status::Running]);
    let left = console.count(left.into()).await?;
    if left == 0 {
        return Ok(0);
    }
    let stats = console.stats(0).await?.queues;
    let paused = stats.into_iter().filter(|queue| queue.paused_at.is_some()).map(|queue| queue.queue);
    let paused = paused.filter(|queue| named.is_empty() || named.contains(queue));
    let held_back = known.queues(paused).statuses([Status::Pending, Status::Retrying]);
    Ok(left.saturating_sub(console.count(held_back.into()).await?))
}
