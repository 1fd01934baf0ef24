use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde::Serialize;

use crate::{
    Attempt, ClaimNumber, DeadLetterCode, FailureType, Health, Job, JobEdit, JobId, Priority, Status, StoreFuture,
    Timestamp, WorkerId,
};

/// What an operator needs of a database: looking, and moving jobs by hand.
///
/// Reads never write and see one state of the database each. Everything is bounded: pages by keyset, actions
/// in steps of a bounded number of rows, so that a large selection is not one transaction.
pub trait Console: Send + Sync + fmt::Debug + 'static {
    /// One job with its attempts, oldest first.
    fn job(&self, id: JobId) -> StoreFuture<'_, Option<JobDetail>>;

    /// A page of jobs, newest first.
    fn jobs(&self, request: JobPageRequest) -> StoreFuture<'_, JobPage>;

    /// How many jobs a selection holds now.
    fn count(&self, selection: Selection) -> StoreFuture<'_, u64>;

    /// Moves the selected jobs; those that may not make the move are refused one by one and stay as they are.
    fn act(&self, selection: Selection, action: Action) -> StoreFuture<'_, Actioned>;

    /// Changes one job that does not run, wholly or not at all; a running or ended job is refused and stays as it is.
    /// Answers [`StoreError::InvalidJob`](crate::StoreError::InvalidJob) to what no new job may be.
    fn edit(&self, id: JobId, edit: JobEdit) -> StoreFuture<'_, Actioned>;

    /// What the attempts of a job logged, in order.
    fn log(&self, request: LogRequest) -> StoreFuture<'_, LogPage>;

    /// Depths of all queues, and what ended in each of the last minutes.
    fn stats(&self, minutes: u32) -> StoreFuture<'_, Stats>;

    /// Who is registered, and what they run.
    fn workers(&self) -> StoreFuture<'_, Vec<WorkerRecord>>;

    /// Pauses or resumes a queue; a queue that nobody used yet may be paused, too.
    fn change_queue(&self, queue: String, change: QueueChange) -> StoreFuture<'_, ()>;

    /// One bounded step of housekeeping. One store at a time compares the counts, and one removes what is older than
    /// a retention; for another store there is nothing to do. A store that has not gone on for
    /// [`Maintenance::DUTY_EXPIRY`] is replaced by the next one that asks, and what it had not written yet is never
    /// written. The answer says when to take the next step.
    fn maintain(&self, maintenance: Maintenance) -> StoreFuture<'_, Maintained>;

    /// The facts that `doctor` judges.
    fn health(&self) -> StoreFuture<'_, Health>;
}

/// A job and its history.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct JobDetail {
    /// The job.
    #[serde(flatten)]
    pub job: Job,
    /// Its attempts, oldest first, the running and the successful one included.
    pub attempts: Vec<Attempt>,
}

/// Which jobs are meant. There is no default, because "all of them" is something that a caller writes:
/// `Selection::Matching(Filter::all())`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Selection {
    /// These; an empty list selects nothing.
    Jobs(Vec<JobId>),
    /// All that match.
    Matching(Filter),
}

impl Selection {
    /// One job.
    pub fn job(id: JobId) -> Self {
        Self::Jobs(vec![id])
    }
}

impl From<Filter> for Selection {
    fn from(filter: Filter) -> Self {
        Self::Matching(filter)
    }
}

/// Conditions that hold together. `None` is no condition; a list that is empty matches nothing.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Filter {
    /// Only jobs in one of these states.
    pub statuses: Option<Vec<Status>>,
    /// Only jobs of one of these types.
    pub job_types: Option<Vec<String>>,
    /// Only jobs in one of these queues.
    pub queues: Option<Vec<String>>,
    /// Only jobs whose last failure was one of these.
    pub failure_types: Option<Vec<FailureType>>,
    /// Only jobs that were given up for one of these reasons.
    pub reasons: Option<Vec<DeadLetterCode>>,
}

impl Filter {
    /// Every job.
    pub const fn all() -> Self {
        Self { statuses: None, job_types: None, queues: None, failure_types: None, reasons: None }
    }

    /// Only jobs in one of these states.
    #[must_use]
    pub fn statuses(mut self, statuses: impl IntoIterator<Item = Status>) -> Self {
        self.statuses = Some(statuses.into_iter().collect());
        self
    }

    /// Only jobs of one of these types.
    #[must_use]
    pub fn job_types(mut self, job_types: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.job_types = Some(job_types.into_iter().map(Into::into).collect());
        self
    }

    /// Only jobs in one of these queues.
    #[must_use]
    pub fn queues(mut self, queues: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.queues = Some(queues.into_iter().map(Into::into).collect());
        self
    }

    /// Only jobs whose last failure was one of these.
    #[must_use]
    pub fn failure_types(mut self, failure_types: impl IntoIterator<Item = FailureType>) -> Self {
        self.failure_types = Some(failure_types.into_iter().collect());
        self
    }

    /// Only jobs that were given up for one of these reasons.
    #[must_use]
    pub fn reasons(mut self, reasons: impl IntoIterator<Item = DeadLetterCode>) -> Self {
        self.reasons = Some(reasons.into_iter().collect());
        self
    }

    /// Whether a job that stands like this matches.
    pub fn matches(&self, job: &Filtered<'_>) -> bool {
        let Self { statuses, job_types, queues, failure_types, reasons } = self;
        let has_failed_so = |kind: &FailureType| job.failure_type == Some(kind.as_str());
        statuses.as_ref().is_none_or(|statuses| statuses.contains(&job.status))
            && job_types.as_ref().is_none_or(|types| types.iter().any(|known| known == job.job_type))
            && queues.as_ref().is_none_or(|queues| queues.iter().any(|known| known == job.queue))
            && failure_types.as_ref().is_none_or(|kinds| kinds.iter().any(has_failed_so))
            && reasons.as_ref().is_none_or(|codes| job.dead_letter_code.is_some_and(|code| codes.contains(&code)))
    }
}

/// What a [`Filter`] looks at of a job.
#[derive(Clone, Copy, Debug)]
pub struct Filtered<'a> {
    /// Where it stands.
    pub status: Status,
    /// Which handler runs it.
    pub job_type: &'a str,
    /// The queue that it stands in.
    pub queue: &'a str,
    /// What kind of thing went wrong last.
    pub failure_type: Option<&'a str>,
    /// Why it was given up.
    pub dead_letter_code: Option<DeadLetterCode>,
}

impl<'a> From<&'a Job> for Filtered<'a> {
    fn from(job: &'a Job) -> Self {
        Self {
            status: job.status,
            job_type: &job.job_type,
            queue: &job.queue,
            failure_type: job.failure_type.as_deref(),
            dead_letter_code: job.dead_letter_code,
        }
    }
}

/// Which page of which jobs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobPageRequest {
    /// Which jobs.
    pub selection: Selection,
    /// Only jobs older than this one.
    pub after: Option<JobId>,
    /// The most on a page, from 1 to 1000.
    pub limit: u32,
}

/// A page of jobs, newest first.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct JobPage {
    /// The jobs.
    pub jobs: Vec<Job>,
    /// Where the next page begins, if there is one.
    pub next: Option<JobId>,
}

/// A move that a person makes a job do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Ends a waiting job as `cancelled`; asks a running one to stop.
    Cancel,
    /// Puts an ended or retrying job back with fresh budgets; its history stays. An expiry or a deadline that has
    /// passed holds no longer, because a person has decided otherwise; one that is to come still does. It is `blocked`
    /// while its parent has not completed, else `pending`; a parent that was deleted holds nothing back. The children
    /// that were given up because this job did not complete wait for it again, and theirs for them.
    Retry,
    /// The same without its children: they stay given up.
    RetryAlone,
    /// Removes a job that does not run, with its history. Children that waited for it become dead letters.
    Delete,
    /// Removes a dead letter.
    Discard,
    /// Changes the priority of a job that has not ended.
    Reprioritise(Priority),
}

/// What an action came to.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize)]
pub struct Actioned {
    /// How many jobs it moved, the children that a retry revived included.
    pub touched: u64,
    /// Those that could not be moved; of a filter's, at most the first hundred.
    pub refused: Vec<Refusal>,
}

/// Why a job was not moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "reason", rename_all = "snake_case")]
pub enum Refusal {
    /// There is no such job.
    NotFound {
        /// The job.
        id: JobId,
    },
    /// From where it stands it cannot make this move.
    WrongStatus {
        /// The job.
        id: JobId,
        /// Where it stands.
        status: Status,
    },
    /// It runs or has ended, so there is nothing to edit.
    NotEditable {
        /// The job.
        id: JobId,
        /// Where it stands.
        status: Status,
    },
    /// A dead letter waits for no time.
    TimeOfDeadLetter {
        /// The job.
        id: JobId,
    },
    /// Another job that has not ended has its unique key.
    UniqueKeyTaken {
        /// The job.
        id: JobId,
        /// The other one.
        by: JobId,
    },
    /// Its row cannot be changed: another table refers to it, or it breaks a constraint of its own table.
    Constraint {
        /// The job.
        id: JobId,
    },
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotFound { id } => write!(f, "there is no job {id}"),
            Self::WrongStatus { id, status } => write!(f, "job {id} is {status}"),
            Self::NotEditable { id, status } => {
                write!(f, "job {id} is {status}: only a job that waits, or a dead letter, can be edited")
            }
            Self::TimeOfDeadLetter { id } => {
                write!(f, "job {id} is a dead letter and has no time to run at: retry it, and then change its time")
            }
            Self::UniqueKeyTaken { id, by } => {
                write!(f, "job {id} has a unique key that job {by} holds until it has ended")
            }
            Self::Constraint { id } => {
                write!(f, "a constraint keeps job {id} as it is, such as a foreign key of a table of the application")
            }
        }
    }
}

/// Which part of which log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogRequest {
    /// The job.
    pub id: JobId,
    /// Only this attempt, from one.
    pub attempt: Option<u32>,
    /// Only what follows this place.
    pub after: Option<(ClaimNumber, u32)>,
}

/// Part of a log.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct LogPage {
    /// The pieces, in order.
    pub entries: Vec<LogEntry>,
}

/// A piece of a log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LogEntry {
    /// Which attempt logged it, from one.
    pub attempt: u32,
    /// Which claim that was.
    pub claim_number: ClaimNumber,
    /// Its place in the attempt's log.
    pub chunk_number: u32,
    /// When it was written.
    pub written_at: Timestamp,
    /// How many bytes of the log's middle had been cut by then.
    pub cut_bytes: u64,
    /// The text.
    pub text: String,
}

/// What a dashboard shows without counting rows.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize)]
pub struct Stats {
    /// Every queue that has or had jobs or is paused, by name.
    pub queues: Vec<QueueStats>,
    /// What ended in each minute, oldest first; minutes without anything are left out.
    pub minutes: Vec<MinuteStats>,
    /// When the next scheduled or retrying job becomes claimable. In the past if no worker has claimed since then.
    pub next_due_at: Option<Timestamp>,
}

/// One queue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct QueueStats {
    /// Its name.
    pub queue: String,
    /// Since when nothing is claimed from it.
    pub paused_at: Option<Timestamp>,
    /// How many of its jobs stand in each state.
    pub jobs: BTreeMap<Status, u64>,
    /// Since when the job that has waited longest could have run.
    pub oldest_waiting_at: Option<Timestamp>,
}

/// What ended in one minute in one queue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct MinuteStats {
    /// The minute's beginning.
    pub minute: Timestamp,
    /// The queue.
    pub queue: String,
    /// Attempts that succeeded.
    pub completed: u64,
    /// Jobs that became dead letters.
    pub failed: u64,
    /// Attempts that failed and are retried.
    pub retried: u64,
    /// Jobs that were cancelled.
    pub cancelled: u64,
    /// How long the ended attempts had waited, in milliseconds, added up.
    pub waited_ms: u64,
    /// How long they ran, in milliseconds, added up.
    pub ran_ms: u64,
}

/// A registered worker.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct WorkerRecord {
    /// Its identity.
    pub worker_id: WorkerId,
    /// The machine it runs on.
    pub host: String,
    /// Its process.
    pub pid: u32,
    /// Since when.
    pub started_at: Timestamp,
    /// Its last sign of life.
    pub heartbeat_at: Timestamp,
    /// The queues it takes from; empty for all.
    pub queues: Vec<String>,
    /// The types it can run.
    pub job_types: Vec<String>,
    /// How many jobs it runs at once.
    pub concurrency: u32,
    /// Whether its process is there.
    pub is_alive: bool,
    /// What it holds, oldest claim first, at most a hundred.
    pub running: Vec<RunningJob>,
}

/// A job that a worker holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RunningJob {
    /// The job.
    pub id: JobId,
    /// Its type.
    pub job_type: String,
    /// Since when.
    pub started_at: Timestamp,
}

/// What happens to a queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QueueChange {
    /// Nothing more is claimed from it.
    Pause,
    /// Claims go on.
    Resume,
}

/// What one step of housekeeping may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Maintenance {
    /// Completed and cancelled jobs that ended longer ago are removed; none are without it.
    pub retention: Option<Duration>,
    /// Dead letters that were given up longer ago are removed; none are without it.
    pub dead_letter_retention: Option<Duration>,
    /// The most rows that are looked at.
    pub rows_max: u32,
}

impl Maintenance {
    /// How long a job that was retried without its parent waits for somebody to retry that one, too.
    pub const PATIENCE: Duration = Duration::from_secs(3600);
    /// A store that keeps house says so again after this long; so an idle database is written about once a minute,
    /// however many stores there are.
    pub const DUTY_RENEWAL: Duration = Duration::from_secs(60);
    /// From when on a store that has not said so is replaced.
    pub const DUTY_EXPIRY: Duration = Duration::from_secs(150);
}

/// What a step of housekeeping came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Maintained {
    /// Ended jobs that were removed.
    pub pruned: u64,
    /// Ended jobs that are old enough and were skipped, because another table refers to them.
    pub kept: u64,
    /// Jobs that could not have gone on by themselves and were moved to where they belong: what waited for a job
    /// that has ended or is not there, what waited for itself, and rows that another program left unusable.
    pub settled: u64,
    /// Counts that were found wrong and mended.
    pub reconciled: u64,
    /// Whether another step has something to do.
    pub has_more: bool,
    /// How long this process may wait before the next step; no longer than a duty lasts that it holds.
    pub next: Duration,
}
