pub(crate) mod facts;
pub(crate) mod reason;

use std::iter;

use serde::Serialize;

use self::reason::SentenceClock;
use crate::{
    Dependency, DependencyTarget, JobFacts, JobId, LimitRow, Reason, Status, Timestamp, WaitingFacts, WorkerFacts,
};

/// Why a job is not running, or that it is.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Explanation {
    /// The job.
    pub id: JobId,
    /// Its status.
    pub status: Status,
    /// The one reason that counts now: as long as it holds, nothing else matters.
    pub reason: Cause,
    /// What else will keep it from running once that reason is gone, in the same order.
    pub also: Vec<Cause>,
}

/// A reason with its sentence.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Cause {
    /// The reason, with a stable `code`.
    #[serde(flatten)]
    pub reason: Reason,
    /// The sentence.
    pub message: String,
}

/// Explains from facts that a backend has read in one snapshot. Pure, so that every backend explains alike.
///
/// The order of the reasons is that in which they are removed: a job has ended or runs; or it is overdue; it waits for its
/// parent, or for what else it depends on; a name is not valid text; it is not due; its queue is paused; no worker can run
/// it; its type's settings are missing; a limit lets nothing start; all workers are busy; other keys have their turn; other
/// jobs come first; or nothing keeps it.
pub fn explain(facts: &WaitingFacts) -> Explanation {
    explain_with(facts, &|at| at.to_string())
}

/// [`explain`] with the instants of its sentences written by `write`, such as in the time zone of a reader.
pub fn explain_with(facts: &WaitingFacts, write: &dyn Fn(Timestamp) -> String) -> Explanation {
    let clock = SentenceClock { now: facts.now, write };
    let cause = |reason: Reason| Cause { message: reason.sentence(clock), reason };
    let mut causes = reasons(facts, write).into_iter().map(cause);
    let reason = causes.next().unwrap_or_else(|| cause(Reason::Ready));
    Explanation { id: facts.job.job.id, status: facts.job.job.status, reason, also: causes.collect() }
}

fn reasons(facts: &WaitingFacts, write: &dyn Fn(Timestamp) -> String) -> Vec<Reason> {
    let status = facts.job.job.status;
    if status.is_ended() {
        return ended(facts);
    }
    if status == Status::Running {
        let running = running(facts);
        let lost_to = matches!(running, Reason::WorkerLost { .. }).then(|| no_worker(facts, &facts.job));
        return iter::once(running).chain(lost_to.flatten()).collect();
    }
    let mut reasons = Vec::new();
    reasons.extend(overdue(facts));
    if status == Status::Blocked {
        reasons.push(facts.job.unmet.as_deref().map_or_else(|| parent(facts, write), dependency));
    }
    reasons.extend(own_reasons(facts, &facts.job));
    reasons
}

fn ended(facts: &WaitingFacts) -> Vec<Reason> {
    let job = &facts.job.job;
    let at = job.moved_to_dead_letter_at.or(job.completed_at);
    let because = job.dead_letter_reason.clone();
    let reason = match job.status {
        Status::Completed => Reason::Completed { at },
        Status::Cancelled => Reason::Cancelled { at, because },
        _ => Reason::DeadLetter { at, because, failure_type: job.failure_type.clone() },
    };
    let taken = facts.unique_key_holder.map(|by| Reason::UniqueKeyTaken { by });
    iter::once(reason).chain(taken).collect()
}

fn running(facts: &WaitingFacts) -> Reason {
    let job = &facts.job.job;
    let worker_id = job.worker_id.clone();
    let is_known = |worker: &&WorkerFacts| Some(&worker.worker_id) == worker_id.as_ref() && worker.is_alive;
    let (attempt, since) = (job.retry_count.saturating_add(1), job.started_at);
    if !facts.workers.iter().any(|worker| is_known(&worker)) {
        return Reason::WorkerLost { worker_id, since, attempt };
    }
    match job.cancel_requested_at {
        Some(requested_at) => Reason::Cancelling { worker_id, since, attempt, requested_at },
        None => Reason::Running { worker_id, since, attempt },
    }
}

fn overdue(facts: &WaitingFacts) -> Option<Reason> {
    let job = &facts.job.job;
    let passed = |at: Option<Timestamp>| at.filter(|at| *at <= facts.now);
    let expired = passed(job.expires_at).map(|at| Reason::Expired { at });
    expired.or_else(|| passed(job.deadline_at).map(|at| Reason::DeadlinePassed { at }))
}

fn parent(facts: &WaitingFacts, write: &dyn Fn(Timestamp) -> String) -> Reason {
    let (Some(first), Some(root)) = (facts.ancestors.first(), facts.ancestors.last()) else {
        return Reason::ParentMissing { parent: facts.job.job.parent_job_id };
    };
    let is_cycle = facts.ancestors.iter().any(|ancestor| ancestor.id == facts.job.job.id);
    if is_cycle {
        return Reason::WaitsForItself { parent: first.id };
    }
    // What keeps the root, as it would be explained itself.
    let because = facts.root.as_ref().map(|root_facts| {
        let of_root = WaitingFacts { job: root_facts.clone(), ancestors: Vec::new(), root: None, ..facts.clone() };
        let explained = explain_with(&WaitingFacts { unique_key_holder: None, ..of_root }, write);
        Box::new(explained.reason)
    });
    Reason::WaitsForParent {
        parent: first.id,
        parent_status: first.status,
        root: root.id,
        root_status: root.status,
        jobs_between: u32::try_from(facts.ancestors.len().saturating_sub(1)).unwrap_or(u32::MAX),
        because,
    }
}

/// The first thing that a job still waits for.
fn dependency(unmet: &[Dependency]) -> Reason {
    let Some(first) = unmet.first() else { return Reason::IsReleased };
    let others = count(unmet.len() - 1);
    let needs = first.needs;
    match &first.on {
        DependencyTarget::Job { job_id, status } => {
            Reason::WaitsForJob { job: *job_id, status: *status, needs, others }
        }
        DependencyTarget::Batch { batch_id, batch_status } => {
            Reason::WaitsForBatch { batch: *batch_id, status: *batch_status, needs, others }
        }
        DependencyTarget::Signal { signal } => {
            Reason::WaitsForSignal { signal: signal.clone(), until: first.timeout_at, others }
        }
    }
}

/// The reasons of a job that waits for no parent.
fn own_reasons(facts: &WaitingFacts, of: &JobFacts) -> Vec<Reason> {
    let job = &of.job;
    if !of.has_valid_names {
        return vec![Reason::InvalidName { queue: job.queue.clone(), job_type: job.job_type.clone() }];
    }
    let mut reasons = Vec::new();
    if job.run_at > facts.now {
        reasons.push(Reason::NotDue { at: job.run_at, is_retry: job.status == Status::Retrying });
    }
    if let Some(since) = of.queue_paused_at {
        reasons.push(Reason::QueuePaused { queue: job.queue.clone(), since });
    }
    let without_worker = no_worker(facts, of);
    let has_worker = without_worker.is_none();
    reasons.extend(without_worker);
    if of.awaits_settings {
        reasons.push(Reason::AwaitsSettings { job_type: job.job_type.clone() });
    }
    if has_worker && job.status != Status::Blocked {
        reasons.extend(of.limits.iter().filter_map(|limit| limited(limit, facts.now)));
        reasons.extend(busy(facts, of));
        if of.keys_ahead > 0 {
            let at_least = of.keys_ahead >= JobFacts::AHEAD_MAX;
            reasons.push(Reason::BehindKeys { keys: of.keys_ahead, at_least });
        }
        if of.ahead > 0 {
            let at_least = of.ahead >= JobFacts::AHEAD_MAX;
            reasons.push(Reason::Behind { jobs: of.ahead, at_least });
        }
    }
    reasons
}

/// Nothing may start at a limit whose rate is spent, however many places are free.
fn limited(limit: &LimitRow, now: Timestamp) -> Option<Reason> {
    let LimitRow { scope, name, key, concurrency, running, opens_at, .. } = limit;
    let (scope, name, key) = (*scope, name.clone(), key.clone());
    if let Some(at) = opens_at.filter(|at| *at > now) {
        return Some(Reason::LimitClosed { scope, name, key, at });
    }
    let concurrency = (*concurrency).filter(|_| limit.is_full())?;
    Some(Reason::LimitReached { scope, name, key, concurrency, running: *running })
}

fn no_worker(facts: &WaitingFacts, of: &JobFacts) -> Option<Reason> {
    let job = &of.job;
    let living: Vec<&WorkerFacts> = facts.workers.iter().filter(|worker| worker.is_alive).collect();
    if living.is_empty() {
        return Some(Reason::NoWorker);
    }
    let of_type: Vec<&&WorkerFacts> = living.iter().filter(|worker| worker.job_types.contains(&job.job_type)).collect();
    if of_type.is_empty() {
        let (known, known_count) = names(living.iter().flat_map(|worker| &worker.job_types));
        let (job_type, workers) = (job.job_type.clone(), count(living.len()));
        return Some(Reason::NoWorkerForType { job_type, workers, known, known_count });
    }
    if of_type.iter().any(|worker| worker.takes_from(&job.queue)) {
        return None;
    }
    let (taken, taken_count) = names(of_type.iter().flat_map(|worker| &worker.queues));
    let (job_type, queue) = (job.job_type.clone(), job.queue.clone());
    Some(Reason::NoWorkerForQueue { queue, job_type, workers: count(of_type.len()), taken, taken_count })
}

fn busy(facts: &WaitingFacts, of: &JobFacts) -> Option<Reason> {
    let can_run = |worker: &&WorkerFacts| {
        worker.is_alive && worker.job_types.contains(&of.job.job_type) && worker.takes_from(&of.job.queue)
    };
    let able: Vec<&WorkerFacts> = facts.workers.iter().filter(can_run).collect();
    let is_busy = able.iter().all(|worker| worker.running >= worker.concurrency);
    let slots = able.iter().map(|worker| worker.concurrency).fold(0, u32::saturating_add);
    is_busy.then(|| Reason::WorkersBusy { workers: count(able.len()), slots })
}

/// Sorted, each once, and few enough for a sentence; and how many there are.
fn names<'a>(all: impl Iterator<Item = &'a String>) -> (Vec<String>, u32) {
    let mut names: Vec<String> = all.cloned().collect();
    names.sort_unstable();
    names.dedup();
    let all = count(names.len());
    names.truncate(NAMES_MAX);
    (names, all)
}

const NAMES_MAX: usize = 20;

fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests;
