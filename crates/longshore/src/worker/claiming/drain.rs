use longshore_core::{Filter, Job, JobId, JobPageRequest, QueueStats, Selection, Status, StoreError};

use crate::WorkerError;
use crate::worker::trouble::StoreCall;
use crate::worker::upkeep::scheduler;
use crate::worker::worker_run::WorkerRun;

/// Whether no job is left that could run now or later without help.
///
/// A job counts if this worker knows its type and claims from its queue, and it is ready, scheduled or running, here or
/// elsewhere. A blocked job counts through what it waits for: while that can still end, it counts. A job that waits for a
/// signal waits for a person and does not count, unless the wait has a timeout after which the job goes on. Jobs in a
/// paused queue wait for a person and do not count, nor do those that no worker can claim because the name of their queue
/// is not valid text. Jobs of a handler that has given up do not count, but the worker then ends with an error.
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
    match left(worker_run).await {
        Ok(left) => {
            worker_run.trouble.pass(StoreCall::Read);
            if let Left::OfGivenUp { job_type, why } = left {
                worker_run.fail(WorkerError::GivenUp { job_type, why });
                return true;
            }
            matches!(left, Left::Nothing)
        }
        Err(error) => {
            worker_run.meet(StoreCall::Read, error);
            false
        }
    }
}

/// What is left that could run.
enum Left {
    Nothing,
    Jobs,
    /// Only jobs of types whose handlers have given up; one of the types.
    OfGivenUp {
        job_type: String,
        why: String,
    },
}

async fn left(worker_run: &WorkerRun) -> Result<Left, StoreError> {
    let mut given_up = worker_run.registry.given_up();
    let is_given_up = |job_type: &String| given_up.iter().any(|(given_up, _)| given_up == job_type);
    let sound: Vec<String> = worker_run.job_types.iter().filter(|job_type| !is_given_up(job_type)).cloned().collect();
    if jobs_left(worker_run, sound.clone()).await? > 0 || timeout_left(worker_run, &sound).await? {
        return Ok(Left::Jobs);
    }
    while let Some((job_type, why)) = given_up.pop() {
        if jobs_left(worker_run, vec![job_type.clone()]).await? > 0 {
            return Ok(Left::OfGivenUp { job_type, why });
        }
    }
    Ok(Left::Nothing)
}

async fn jobs_left(worker_run: &WorkerRun, job_types: Vec<String>) -> Result<u64, StoreError> {
    let console = worker_run.queue.backend();
    let named: Vec<String> = worker_run.settings.queues.iter().map(|queue| queue.queue.clone()).collect();
    let known = Filter::all().job_types(job_types);
    // A worker that names no queue claims from all of them.
    let known = if named.is_empty() { known } else { known.queues(named.clone()) };
    let left = known.clone().statuses([Status::Pending, Status::Retrying, Status::Running]);
    let left = console.count(left.into()).await?;
    if left == 0 {
        return Ok(0);
    }
    let stats = console.stats(0).await?.queues;
    let unclaimable = if named.is_empty() { unclaimable(worker_run, &known, &stats).await? } else { 0 };
    let paused = stats.into_iter().filter(|queue| queue.paused_at.is_some()).map(|queue| queue.queue);
    let paused = paused.filter(|queue| named.is_empty() || named.contains(queue));
    let held_back = known.queues(paused).statuses([Status::Pending, Status::Retrying]);
    Ok(left.saturating_sub(console.count(held_back.into()).await?).saturating_sub(unclaimable))
}

/// Waiting jobs in queues whose names are not valid text, which another program wrote. Such a name is shown with a
/// replacement character, and no filter finds it: so those that a filter finds have a name with that character.
async fn unclaimable(worker_run: &WorkerRun, known: &Filter, stats: &[QueueStats]) -> Result<u64, StoreError> {
    let odd = stats.iter().filter(|queue| queue.queue.contains(char::REPLACEMENT_CHARACTER));
    let odd: Vec<String> = odd.map(|queue| queue.queue.clone()).collect();
    if odd.is_empty() {
        return Ok(0);
    }
    let console = worker_run.queue.backend();
    let waiting = known.clone().statuses([Status::Pending, Status::Retrying]);
    let (mut shown, mut after) = (0_u64, None);
    for _ in 0..UNCLAIMABLE_PAGES_MAX {
        let selection = Selection::from(waiting.clone());
        let request = JobPageRequest { selection, after, limit: PAGE as u32, looked_max: None };
        let page = console.jobs(request).await?;
        shown += page.jobs.iter().filter(|job| odd.contains(&job.queue)).count() as u64;
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    Ok(shown.saturating_sub(console.count(waiting.queues(odd).into()).await?))
}

/// How many jobs are read at once.
const PAGE: usize = 200;
/// How many pages of waiting jobs are read in the search for those that no worker can claim.
const UNCLAIMABLE_PAGES_MAX: usize = 50;

/// Whether a job of these types runs after a time even if a signal does not come.
async fn timeout_left(worker_run: &WorkerRun, job_types: &[String]) -> Result<bool, StoreError> {
    let timed = worker_run.queue.backend().timed_jobs().await?;
    for ids in timed.chunks(PAGE) {
        if has_blocked(worker_run, ids.to_vec(), job_types).await? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether one of the jobs is blocked, of these types, and in a queue from which this worker claims.
async fn has_blocked(worker_run: &WorkerRun, ids: Vec<JobId>, job_types: &[String]) -> Result<bool, StoreError> {
    let console = worker_run.queue.backend();
    let named = &worker_run.settings.queues;
    let is_mine = |job: &Job| {
        job.status == Status::Blocked
            && job_types.contains(&job.job_type)
            && (named.is_empty() || named.iter().any(|known| known.queue == job.queue))
    };
    let request = JobPageRequest { selection: Selection::Jobs(ids), after: None, limit: PAGE as u32, looked_max: None };
    let mine: Vec<Job> = console.jobs(request).await?.jobs.into_iter().filter(is_mine).collect();
    if mine.is_empty() {
        return Ok(false);
    }
    let stats = console.stats(0).await?.queues;
    let is_paused = |job: &Job| stats.iter().any(|known| known.queue == job.queue && known.paused_at.is_some());
    Ok(!mine.iter().all(is_paused))
}
