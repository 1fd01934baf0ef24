use crate::{Dependency, Job, JobId, LimitRow, Status, Timestamp, WorkerId, WorkerRecord};

/// What [`explain`](crate::explain) must know of a job, as one snapshot of the database says it.
#[derive(Clone, Debug, PartialEq)]
pub struct WaitingFacts {
    /// The store's time.
    pub now: Timestamp,
    /// The job.
    pub job: JobFacts,
    /// The jobs that a blocked job waits for: its parent, the parent's parent, and so on, up to the first one that is not
    /// blocked. At most [`WaitingFacts::ANCESTORS_MAX`]; ends where a job comes again or does not exist.
    pub ancestors: Vec<Ancestor>,
    /// The last of them.
    pub root: Option<JobFacts>,
    /// Of an ended job with a unique key: another job that has not ended and has it.
    pub unique_key_holder: Option<JobId>,
    /// The registered workers.
    pub workers: Vec<WorkerFacts>,
}

impl WaitingFacts {
    /// How far parents are followed.
    pub const ANCESTORS_MAX: usize = 100;
}

/// A job that another one waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ancestor {
    /// Its id.
    pub id: JobId,
    /// Its status.
    pub status: Status,
}

/// A job and what keeps it from running, beside its parent.
#[derive(Clone, Debug, PartialEq)]
pub struct JobFacts {
    /// The job.
    pub job: Job,
    /// Since when its queue is paused.
    pub queue_paused_at: Option<Timestamp>,
    /// Whether plain SQL left something to the settings of its type, which are not known yet.
    pub awaits_settings: bool,
    /// Whether the names of its queue and its type are valid text. Otherwise no worker can claim it.
    pub has_valid_names: bool,
    /// How many jobs of its type and queue can run now and come first: of higher priority, or older. At most
    /// [`JobFacts::AHEAD_MAX`], and zero if it cannot run now itself.
    pub ahead: u32,
    /// The limits that it is under: of its queue, its type and its key. Empty if it has ended or runs.
    pub limits: Vec<LimitRow>,
    /// How many other keys of its type and queue have their turn before its key. At most [`JobFacts::AHEAD_MAX`], and zero
    /// if it cannot run now itself.
    pub keys_ahead: u32,
    /// What it still waits for, in the order in which it was given; at most [`JobFacts::UNMET_MAX`], without results. None
    /// if it waits for nothing but perhaps its parent.
    pub unmet: Option<Vec<Dependency>>,
}

impl JobFacts {
    /// As far as jobs are counted.
    pub const AHEAD_MAX: u32 = 1000;
    /// How many dependencies are read.
    pub const UNMET_MAX: u32 = 100;

    /// Whether the jobs before it are counted: it could be claimed now.
    pub fn is_claimable(job: &Job, now: Timestamp) -> bool {
        job.status == Status::Pending && job.run_at <= now
    }
}

/// What is known of a worker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkerFacts {
    /// Its identity.
    pub worker_id: WorkerId,
    /// Whether its process lives.
    pub is_alive: bool,
    /// The queues that it takes from; empty for all.
    pub queues: Vec<String>,
    /// The types that it can run.
    pub job_types: Vec<String>,
    /// How many jobs it runs at once.
    pub concurrency: u32,
    /// How many it holds.
    pub running: u32,
}

impl WorkerFacts {
    /// Whether it takes jobs from this queue.
    pub fn takes_from(&self, queue: &str) -> bool {
        self.queues.is_empty() || self.queues.iter().any(|known| known == queue)
    }
}

impl From<WorkerRecord> for WorkerFacts {
    fn from(record: WorkerRecord) -> Self {
        let WorkerRecord { worker_id, queues, job_types, concurrency, is_alive, running, .. } = record;
        // A record lists at most a hundred jobs.
        let running = u32::try_from(running.len()).unwrap_or(u32::MAX);
        let running = if running >= WorkerRecord::RUNNING_MAX { running.max(concurrency) } else { running };
        Self { worker_id, is_alive, queues, job_types, concurrency, running }
    }
}
