//! Workers that are not in this process: they register, claim and report through one, such as an HTTP server.
//!
//! [`RemoteWorkers`] does for them what a [`Worker`](crate::Worker) does for itself, with the same store, the same fences
//! and the same decisions. Only their heartbeats show that they live, so the end of this process takes nothing from them.
//! What it keeps in memory is only a help: another process, or this one after a restart, reads what it needs.

mod attempt_log;
mod claimed_job;
mod claiming;
mod ending;
mod handover;
mod heartbeat;
mod isolation;
mod steps;
mod time_limits;

pub use claimed_job::ClaimedJob;
pub use claiming::RemoteClaim;
pub use ending::{RemoteEnd, RemoteEnded};
pub use heartbeat::{HeldAttempt, RemoteExtended};
pub use longshore_core::{AttemptOutcome, ClaimNumber, JobId, WorkerId};

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use longshore_core::{
    Backend, Clock, InvalidCheckpoint, InvalidJob, LogLimits, Presence, Registration, StoreError, SystemClock,
};
use tokio::sync::watch;

use crate::Queue;
use crate::handler::HandlerPolicy;
use crate::runtime::quiet;
use crate::worker::store_time::StoreTime;
use attempt_log::AttemptLogs;
use isolation::Isolation;
use time_limits::TimeLimits;

/// The identity of a remote worker begins with this, so that it never is that of a worker with a process of its own.
const PREFIX: &str = "http-";
/// The longest identity, which is written to the row of each job that it claims.
const ID_BYTES_MAX: usize = 64;
/// Of how many workers something is kept in memory.
const WORKERS_MAX: usize = 10_000;

/// What is known of a job type: how its jobs are retried, and what they get if they do not say otherwise.
pub type PolicyOf = Arc<dyn Fn(&str) -> Option<HandlerPolicy> + Send + Sync>;

/// The workers whose requests come through this process. Cheap to clone.
#[derive(Clone)]
pub struct RemoteWorkers {
    shared: Arc<Shared>,
}

struct Shared {
    queue: Queue,
    policy_of: PolicyOf,
    clock: SystemClock,
    store_time: StoreTime,
    log_limits: LogLimits,
    workers: Mutex<HashMap<WorkerId, Arc<RemoteWorker>>>,
    heartbeats: AtomicU64,
}

/// What this process remembers of a worker. Nothing of it is needed for correctness.
#[derive(Debug, Default)]
struct RemoteWorker {
    /// One claim at a time: a later one ends the one before, whose client has given it up.
    claiming: Arc<tokio::sync::Mutex<()>>,
    last_claim: watch::Sender<u64>,
    isolation: Mutex<Isolation>,
    logs: tokio::sync::Mutex<AttemptLogs>,
    time_limits: Mutex<TimeLimits>,
}

/// A worker to register.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewRemoteWorker {
    /// Its identity, if it has one already: then it keeps the jobs that it still holds. Else it gets a new one.
    pub worker_id: Option<WorkerId>,
    /// Its host name, for people.
    pub host: String,
    /// Its process id, for people.
    pub pid: u32,
    /// How long it keeps its jobs without a heartbeat.
    pub lease: Duration,
    /// The queues that it claims from, for people; empty for all.
    pub queues: Vec<String>,
    /// The job types that it can run.
    pub job_types: Vec<String>,
    /// How many jobs it runs at once, for people.
    pub concurrency: u32,
}

/// An attempt of a remote worker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemoteAttempt {
    /// The worker.
    pub worker_id: WorkerId,
    /// The job.
    pub id: JobId,
    /// Its claim number.
    pub claim_number: ClaimNumber,
}

/// Why a request of a remote worker failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RemoteError {
    /// The store returned an error. With [`StoreError::WorkerGone`] the worker registers again.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A name of the registration or the claim is not valid.
    #[error(transparent)]
    InvalidName(#[from] InvalidJob),
    /// The job does not exist.
    #[error("there is no job {id}")]
    NoSuchJob {
        /// The job.
        id: JobId,
    },
    /// The attempt does not run any more, or never did: nothing was written.
    #[error("worker {} does not hold job {} under claim {}: it lost the job, or the claim number is not its own", .0.worker_id, .0.id, .0.claim_number)]
    LeaseLost(RemoteAttempt),
    /// The attempt has ended before, in another way: nothing was written.
    #[error("claim {} of job {} has ended before: {}", .attempt.claim_number, .attempt.id, .outcome.as_str())]
    EndedOtherwise {
        /// The attempt.
        attempt: RemoteAttempt,
        /// How it ended.
        outcome: AttemptOutcome,
    },
    /// The checkpoint or the result of a step cannot be stored.
    #[error(transparent)]
    Checkpoint(#[from] InvalidCheckpoint),
    /// The database accepts no end of this job.
    #[error("the database refuses the end of job {id}: {reason}")]
    Refused {
        /// The job.
        id: JobId,
        /// What it said.
        reason: Arc<str>,
    },
    /// The database of the job did not answer: whether it was written is not known.
    #[error("the database of job {id} did not answer: {reason}")]
    Unanswered {
        /// The job.
        id: JobId,
        /// Why.
        reason: Arc<str>,
    },
}

impl RemoteWorkers {
    /// Workers of this queue. Types without a policy are retried by the default one.
    pub fn new(queue: &Queue, policy_of: PolicyOf) -> Self {
        let clock = SystemClock::new();
        let store_time = StoreTime::default();
        // Until the first claim says better.
        store_time.hear(clock.now(), clock.monotonic());
        Self {
            shared: Arc::new(Shared {
                queue: queue.clone(),
                policy_of,
                clock,
                store_time,
                log_limits: LogLimits::default(),
                workers: Mutex::default(),
                heartbeats: AtomicU64::new(0),
            }),
        }
    }

    /// The identity that a word names; none if no remote worker can have it.
    pub fn identity(word: &str) -> Option<WorkerId> {
        let is_plain = word.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_');
        let is_one = is_plain && word.len() <= ID_BYTES_MAX && word.len() > PREFIX.len() && word.starts_with(PREFIX);
        is_one.then(|| WorkerId::from_stored(word))
    }

    /// Makes a worker known, and answers its identity. One that is known already, or was, keeps what it still holds.
    pub async fn register(&self, worker: NewRemoteWorker) -> Result<WorkerId, RemoteError> {
        worker.job_types.iter().try_for_each(|name| InvalidJob::check_type(name))?;
        worker.queues.iter().try_for_each(|name| InvalidJob::check_queue(name))?;
        let NewRemoteWorker { worker_id, host, pid, lease, queues, job_types, concurrency } = worker;
        let worker_id =
            worker_id.unwrap_or_else(|| WorkerId::from_stored(&format!("{PREFIX}{}", WorkerId::random().as_str())));
        let declared = job_types.iter().filter_map(|name| Some((self.shared.policy_of)(name)?.settings_of(name)));
        let registration = Registration {
            worker_id: worker_id.clone(),
            host,
            pid,
            lease,
            queues,
            settings: declared.collect(),
            job_types: job_types.into(),
            concurrency,
            presence: Presence::Heartbeats,
        };
        // Nothing ends with it.
        drop(self.backend().register(registration).await?);
        quiet::info!(worker_id = %worker_id, "a remote worker registered");
        Ok(worker_id)
    }

    /// Returns every job that the worker still holds, without counting the attempts, and forgets it. A worker that is not
    /// known has retired already.
    pub async fn retire(&self, worker_id: &WorkerId) -> Result<(), RemoteError> {
        self.backend().retire(worker_id.clone()).await?;
        self.workers().remove(worker_id);
        quiet::info!(worker_id = %worker_id, "a remote worker retired");
        Ok(())
    }

    fn backend(&self) -> &dyn Backend {
        self.shared.queue.backend().as_ref()
    }

    fn worker(&self, worker_id: &WorkerId) -> Arc<RemoteWorker> {
        let mut workers = self.workers();
        if workers.len() >= WORKERS_MAX && !workers.contains_key(worker_id) {
            // Those without a request at this moment. What they need is read again.
            workers.retain(|_, worker| Arc::strong_count(worker) > 1);
        }
        Arc::clone(workers.entry(worker_id.clone()).or_default())
    }

    fn workers(&self) -> MutexGuard<'_, HashMap<WorkerId, Arc<RemoteWorker>>> {
        self.shared.workers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The store's time now, as the last claim told it.
    fn now(&self) -> longshore_core::Timestamp {
        self.shared.store_time.at(self.shared.clock.monotonic())
    }

    fn next_heartbeat(&self) -> u64 {
        self.shared.heartbeats.fetch_add(1, Ordering::Relaxed)
    }
}

impl fmt::Debug for RemoteWorkers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RemoteWorkers").field("queue", &self.shared.queue).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_word_is_the_identity_of_a_worker_with_a_process_of_its_own() {
        assert_eq!(RemoteWorkers::identity("http-a1_B-2").map(|id| id.to_string()), Some("http-a1_B-2".to_owned()));
        let long = format!("http-{}", "a".repeat(60));
        for word in ["", "http-", "a1B2c3D4e5F", "http-a/b", "http-..", "http-\u{e9}", "HTTP-a", &long] {
            assert_eq!(RemoteWorkers::identity(word), None, "{word}");
        }
    }
}
