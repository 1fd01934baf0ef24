use std::time::Duration;

use serde::Serialize;

use crate::{
    BatchId, BatchStatus, Cause, DeadLetterCode, JobId, LimitScope, Needs, Status, Timestamp, WorkerId, format_duration,
};

/// Why a job is not running, or that it is. Serialised with its `code` and its values.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "code", rename_all = "snake_case")]
#[non_exhaustive]
#[expect(missing_docs, reason = "the values are named like the fields of a job")]
pub enum Reason {
    /// It has completed.
    Completed { at: Option<Timestamp> },
    /// It was cancelled, or it expired.
    Cancelled { at: Option<Timestamp>, because: Option<String> },
    /// It was given up.
    DeadLetter { at: Option<Timestamp>, because: Option<String>, failure_type: Option<String> },
    /// It has ended, and another job has its unique key, so it cannot be retried.
    UniqueKeyTaken { by: JobId },
    /// It runs.
    Running { worker_id: Option<WorkerId>, since: Option<Timestamp>, attempt: u32 },
    /// It runs, and was asked to stop.
    Cancelling { worker_id: Option<WorkerId>, since: Option<Timestamp>, attempt: u32, requested_at: Timestamp },
    /// Its worker does not live any more; other workers take the job back.
    WorkerLost { worker_id: Option<WorkerId>, since: Option<Timestamp>, attempt: u32 },
    /// Its expiry has passed while it waited. The next look of a worker ends it.
    Expired { at: Timestamp },
    /// Its deadline has passed while it waited. The next look of a worker ends it.
    DeadlinePassed { at: Timestamp },
    /// Its parent has not completed. `root` is the first job of the chain, and `because` says what keeps that one.
    WaitsForParent {
        parent: JobId,
        parent_status: Status,
        root: JobId,
        root_status: Status,
        jobs_between: u32,
        because: Option<Box<Cause>>,
    },
    /// Its parent does not exist. Housekeeping gives it up.
    ParentMissing { parent: Option<JobId> },
    /// Its chain of parents comes back to it. Housekeeping gives it up.
    WaitsForItself { parent: JobId },
    /// It waits for another job.
    WaitsForJob { job: JobId, status: Option<Status>, needs: Needs, others: u32 },
    /// It waits for its batch.
    WaitsForBatch { batch: BatchId, status: Option<BatchStatus>, needs: Needs, others: u32 },
    /// It waits for a signal to its batch.
    WaitsForSignal { signal: String, until: Option<Timestamp>, others: u32 },
    /// What it waited for has happened, and the next look of a worker releases it.
    IsReleased,
    /// It is scheduled, snoozed, or retried later.
    NotDue { at: Timestamp, is_retry: bool },
    /// Its queue is paused.
    QueuePaused { queue: String, since: Timestamp },
    /// No worker lives.
    NoWorker,
    /// No living worker knows its type. `known` has the first names of `known_count`.
    NoWorkerForType { job_type: String, workers: u32, known: Vec<String>, known_count: u32 },
    /// No living worker that knows its type takes from its queue. `taken` has the first names of `taken_count`.
    NoWorkerForQueue { queue: String, job_type: String, workers: u32, taken: Vec<String>, taken_count: u32 },
    /// It was inserted by plain SQL and waits for the settings of its type, which a worker registers.
    AwaitsSettings { job_type: String },
    /// The name of its queue or its type is not valid text. Another program wrote it.
    InvalidName { queue: String, job_type: String },
    /// As many as a limit of its queue, its type or its key allows run already.
    LimitReached { scope: LimitScope, name: String, key: Option<String>, concurrency: u32, running: u64 },
    /// A rate is spent, or a handler was asked to slow down: nothing starts before this instant.
    LimitClosed { scope: LimitScope, name: String, key: Option<String>, at: Timestamp },
    /// Every slot of the workers that can run it is taken.
    WorkersBusy { workers: u32, slots: u32 },
    /// Jobs with other keys have their turn first.
    BehindKeys { keys: u32, at_least: bool },
    /// Other jobs of its type and queue come first.
    Behind { jobs: u32, at_least: bool },
    /// Nothing keeps it.
    Ready,
}

/// The time of a sentence, and how instants are written in it.
#[derive(Clone, Copy)]
pub(crate) struct SentenceClock<'a> {
    pub(crate) now: Timestamp,
    pub(crate) write: &'a dyn Fn(Timestamp) -> String,
}

impl Reason {
    /// The stable code for scripts.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Completed { .. } => "completed",
            Self::Cancelled { .. } => "cancelled",
            Self::DeadLetter { .. } => "dead_letter",
            Self::UniqueKeyTaken { .. } => "unique_key_taken",
            Self::Running { .. } => "running",
            Self::Cancelling { .. } => "cancelling",
            Self::WorkerLost { .. } => "worker_lost",
            Self::Expired { .. } => "expired",
            Self::DeadlinePassed { .. } => "deadline_passed",
            Self::WaitsForParent { .. } => "waits_for_parent",
            Self::ParentMissing { .. } => "parent_missing",
            Self::WaitsForItself { .. } => "waits_for_itself",
            Self::WaitsForJob { .. } => "waits_for_job",
            Self::WaitsForBatch { .. } => "waits_for_batch",
            Self::WaitsForSignal { .. } => "waits_for_signal",
            Self::IsReleased => "is_released",
            Self::NotDue { .. } => "not_due",
            Self::QueuePaused { .. } => "queue_paused",
            Self::NoWorker => "no_worker",
            Self::NoWorkerForType { .. } => "no_worker_for_type",
            Self::NoWorkerForQueue { .. } => "no_worker_for_queue",
            Self::AwaitsSettings { .. } => "awaits_settings",
            Self::InvalidName { .. } => "invalid_name",
            Self::LimitReached { .. } => "limit_reached",
            Self::LimitClosed { .. } => "limit_closed",
            Self::WorkersBusy { .. } => "workers_busy",
            Self::BehindKeys { .. } => "behind_keys",
            Self::Behind { .. } => "behind",
            Self::Ready => "ready",
        }
    }

    /// The sentence for people, without a full stop.
    pub(crate) fn sentence(&self, clock: SentenceClock<'_>) -> String {
        let SentenceClock { now, write } = clock;
        match self {
            Self::Completed { at } => format!("it completed{}", ago(*at, clock)),
            Self::Cancelled { at, because: None } => format!("it was cancelled{}", ago(*at, clock)),
            Self::Cancelled { at, because: Some(because) } => {
                format!("it ended as cancelled{}: {}", ago(*at, clock), DeadLetterCode::sentence_of(because))
            }
            Self::DeadLetter { at, because: None, .. } => format!("it was given up{}", ago(*at, clock)),
            Self::DeadLetter { at, because: Some(because), .. } => {
                format!("it was given up{}: {}", ago(*at, clock), DeadLetterCode::sentence_of(because))
            }
            Self::UniqueKeyTaken { by } => format!("it cannot be retried while job {by} has its unique key"),
            Self::Running { worker_id, since, attempt } => {
                format!("{} runs it (attempt {attempt}){}", worker(worker_id.as_ref()), since_when(*since, clock))
            }
            Self::Cancelling { worker_id, requested_at, .. } => {
                let asked = ago(Some(*requested_at), clock);
                format!("{} runs it and was asked to stop it{asked}", worker(worker_id.as_ref()))
            }
            Self::WorkerLost { worker_id, .. } => {
                format!(
                    "{} held it and does not live any more: the next worker takes it back",
                    worker(worker_id.as_ref())
                )
            }
            Self::Expired { at } => format!("it expired{}: the next look of a worker ends it", ago(Some(*at), clock)),
            Self::DeadlinePassed { at } => {
                format!("its deadline passed{}: the next look of a worker gives it up", ago(Some(*at), clock))
            }
            Self::ParentMissing { parent: Some(parent) } => {
                format!("its parent, job {parent}, does not exist: housekeeping gives it up")
            }
            Self::ParentMissing { parent: None } => {
                "it is blocked and has no parent: housekeeping gives it up".to_owned()
            }
            Self::WaitsForItself { parent } => {
                format!("it waits for job {parent}, which waits for this job: housekeeping gives it up")
            }
            Self::WaitsForParent { .. } => self.waits_for_parent(),
            Self::WaitsForJob { job, status, needs, others } => {
                let is = status.map_or_else(|| "was deleted".to_owned(), |status| format!("is {status}"));
                format!("it waits until job {job}, which {is}, {}{}", ends(*needs), and_others(*others))
            }
            Self::WaitsForBatch { batch, status, needs, others } => {
                let is = status.map_or_else(|| "was deleted".to_owned(), |status| format!("is {status}"));
                format!("it waits until batch {batch}, which {is}, {}{}", ends(*needs), and_others(*others))
            }
            Self::WaitsForSignal { signal, until, others } => {
                let until = until
                    .map(|at| format!(" until {}, for {} more", write(at), span(at.since(now))))
                    .unwrap_or_default();
                format!("it waits for the signal {signal}{until}{}", and_others(*others))
            }
            Self::IsReleased => "what it waited for has happened: the next look of a worker releases it".to_owned(),
            Self::NotDue { at, is_retry } => {
                let what = if *is_retry { "its last attempt failed, and it is retried" } else { "it is due" };
                format!("{what} in {}, at {}", span(at.since(now)), write(*at))
            }
            Self::QueuePaused { queue, since } => {
                format!("queue {queue} is paused{}", since_when(Some(*since), clock))
            }
            Self::NoWorker => "no worker is running".to_owned(),
            Self::NoWorkerForType { job_type, workers, known, known_count } => {
                let who = plural(*workers, "the worker that runs knows", "the workers that run know");
                format!("no running worker knows the type {job_type}: {who} {}", list(known, *known_count))
            }
            Self::NoWorkerForQueue { queue, job_type, workers, taken, taken_count } => {
                let who =
                    plural(*workers, "the worker that knows the type takes", "the workers that know the type take");
                format!(
                    "no running worker takes {job_type} from queue {queue}: {who} from {}",
                    list(taken, *taken_count)
                )
            }
            Self::AwaitsSettings { job_type } => {
                format!("plain SQL inserted it, and no worker has registered the settings of its type {job_type} yet")
            }
            Self::InvalidName { queue, job_type } => format!(
                "no worker can claim it, because a name is not valid UTF-8: its type is \"{job_type}\" and its queue \
                 \"{queue}\""
            ),
            Self::LimitReached { scope, name, key, concurrency, running } => {
                let what = limit(*scope, name, key.as_deref());
                let run = if *running == 1 { "runs" } else { "run" };
                format!("{running} of {what} {run}, and the limit is {concurrency}: it runs when one of them ends")
            }
            Self::LimitClosed { scope, name, key, at } => {
                let what = limit(*scope, name, key.as_deref());
                let opens = write(*at);
                format!("nothing of {what} starts for another {}: the limit opens at {opens}", span(at.since(now)))
            }
            Self::WorkersBusy { workers: 1, slots: 1 } => {
                "the only slot of the one worker that can run it is taken".to_owned()
            }
            Self::WorkersBusy { workers, slots } => {
                let who = plural(*workers, "the one worker", &format!("the {workers} workers"));
                format!("all {slots} slots of {who} that can run it are taken")
            }
            Self::BehindKeys { keys, at_least } => {
                let at_least = if *at_least { "at least " } else { "" };
                let keys = plural(*keys, "1 other key has its", &format!("{keys} other keys have their"));
                format!("{at_least}{keys} turn first")
            }
            Self::Behind { jobs, at_least } => {
                let at_least = if *at_least { "at least " } else { "" };
                let jobs = plural(*jobs, "1 job", &format!("{jobs} jobs"));
                format!("{at_least}{jobs} of its type and queue can run now and come first")
            }
            Self::Ready => "nothing keeps it from running: the next claim of a worker takes it".to_owned(),
        }
    }

    fn waits_for_parent(&self) -> String {
        let Self::WaitsForParent { parent, parent_status, root, root_status, jobs_between, because } = self else {
            return String::new();
        };
        let because = because.as_ref().map(|because| format!(": {}", because.message)).unwrap_or_default();
        match jobs_between {
            0 => format!("it waits for its parent, job {parent}, which is {parent_status}{because}"),
            1 => format!(
                "it waits for its parent, job {parent}, which waits for job {root}, which is {root_status}{because}"
            ),
            _ => format!(
                "it waits for its parent, job {parent}, which is {parent_status}; at the end of {jobs_between} jobs is \
                job {root}, which is {root_status}{because}"
            ),
        }
    }
}

fn limit(scope: LimitScope, name: &str, key: Option<&str>) -> String {
    match scope {
        LimitScope::Queue => format!("queue {name}"),
        LimitScope::Type => format!("type {name}"),
        LimitScope::Key => format!("key {} of type {name}", key.unwrap_or_default()),
    }
}

const fn ends(needs: Needs) -> &'static str {
    match needs {
        Needs::Completed => "completes",
        Needs::Ended => "ends",
        Needs::Failed => "fails",
    }
}

fn and_others(others: u32) -> String {
    match others {
        0 => String::new(),
        1 => ", and for one more".to_owned(),
        _ => format!(", and for {others} more"),
    }
}

/// How long ago an instant was, and the instant; nothing if it is not known.
fn ago(at: Option<Timestamp>, SentenceClock { now, write }: SentenceClock<'_>) -> String {
    at.map(|at| format!(" {} ago, at {}", span(now.since(at)), write(at))).unwrap_or_default()
}

fn since_when(at: Option<Timestamp>, SentenceClock { now, write }: SentenceClock<'_>) -> String {
    at.map(|at| format!(" since {}, for {}", write(at), span(now.since(at)))).unwrap_or_default()
}

/// Whole seconds, or milliseconds below one.
fn span(span: Duration) -> String {
    let whole = if span < Duration::from_secs(1) {
        Duration::from_millis(u64::try_from(span.as_millis()).unwrap_or(u64::MAX))
    } else {
        Duration::from_secs(span.as_secs())
    };
    format_duration(whole).to_string()
}

fn worker(worker_id: Option<&WorkerId>) -> String {
    worker_id.map_or_else(|| "a worker".to_owned(), |worker_id| format!("worker {worker_id}"))
}

fn plural(number: u32, one: &str, many: &str) -> String {
    if number == 1 { one.to_owned() } else { many.to_owned() }
}

/// The names, and how many there are beside them.
fn list(names: &[String], count: u32) -> String {
    let others = usize::try_from(count).unwrap_or(usize::MAX).saturating_sub(names.len());
    match (names.is_empty(), others) {
        (true, _) => "nothing".to_owned(),
        (false, 0) => names.join(", "),
        (false, others) => format!("{} and {others} more", names.join(", ")),
    }
}
