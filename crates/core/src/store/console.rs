use std::collections::BTreeMap;
use std::fmt;
use std::num::NonZero;
use std::time::Duration;

use serde::Serialize;

use crate::{
    Attempt, BatchId, BatchRole, ClaimNumber, Condition, DeadLetterCode, Dependency, FailureType, Health, History,
    IdRange, Job, JobCheckpoints, JobEdit, JobId, PageCursor, Priority, Status, StoreFuture, Timestamp, WaitingFacts,
    WorkerId, WriteReading,
};

/// What an operator needs from a database: reading, and changing jobs by hand.
///
/// Reads never write, and each sees one state of the database. Everything is bounded: pages by keyset, actions in steps
/// with a limited number of rows, so that a large selection is not one transaction.
pub trait Console: Send + Sync + fmt::Debug + 'static {
    /// One job with its attempts, oldest first.
    fn job(&self, id: JobId) -> StoreFuture<'_, Option<JobDetail>>;

    /// A page of jobs, newest first.
    fn jobs(&self, request: JobPageRequest) -> StoreFuture<'_, JobPage>;

    /// The number of jobs in a selection.
    fn count(&self, selection: Selection) -> StoreFuture<'_, u64>;

    /// Changes the selected jobs. Jobs that do not permit the action are refused one by one and not changed.
    fn act(&self, selection: Selection, action: Action) -> StoreFuture<'_, Actioned>;

    /// Changes one job that is not running, completely or not at all. A running or ended job is refused and not
    /// changed. Returns [`StoreError::InvalidJob`](crate::StoreError::InvalidJob) for values that a new job must not
    /// have.
    fn edit(&self, id: JobId, edit: JobEdit) -> StoreFuture<'_, Actioned>;

    /// What [`explain`](crate::explain) must know of a job. Bounded in time however many jobs wait.
    fn waiting_facts(&self, id: JobId) -> StoreFuture<'_, Option<WaitingFacts>>;

    /// The log of a job's attempts, in order.
    fn log(&self, request: LogRequest) -> StoreFuture<'_, LogPage>;

    /// The end of the log of one attempt, in order.
    fn log_end(&self, request: LogEndRequest) -> StoreFuture<'_, LogPage>;

    /// The depths of all queues, and what ended in each of the last `minutes` minutes.
    fn stats(&self, minutes: u32) -> StoreFuture<'_, Stats>;

    /// What ended in the last `minutes` minutes, added up over spans of `per` minutes that begin at whole multiples of it:
    /// a week has 10,080 minutes for each queue, and a chart of it has a hundred bars.
    fn history(&self, minutes: u32, per: NonZero<u32>) -> StoreFuture<'_, Vec<MinuteStats>> {
        Box::pin(async move {
            let mut history = History::new(per);
            for minute in self.stats(minutes).await?.minutes {
                history.at(minute.minute.minute(), &minute.queue).add(&minute);
            }
            Ok(history.end())
        })
    }

    /// The registered workers, and the jobs that they run.
    fn workers(&self) -> StoreFuture<'_, Vec<WorkerRecord>>;

    /// Pauses or resumes a queue. A queue that was never used can be paused too.
    fn change_queue(&self, queue: String, change: QueueChange) -> StoreFuture<'_, ()>;

    /// One bounded step of housekeeping. One store at a time compares the counts, and one removes what is older than
    /// a retention; for another store there is nothing to do. A store that has not gone on for
    /// [`Maintenance::DUTY_EXPIRY`] is replaced by the next one that asks, and what it had not written yet is never
    /// written. The answer says when to take the next step.
    fn maintain(&self, maintenance: Maintenance) -> StoreFuture<'_, Maintained>;

    /// The facts that `doctor` checks.
    fn health(&self) -> StoreFuture<'_, Health>;

    /// Fails, as a write would, if the schema is not one that this program supports; reads may still work then. Cheap.
    /// The default is for a backend whose schema cannot change.
    fn check_schema(&self) -> StoreFuture<'_, ()> {
        Box::pin(async { Ok(()) })
    }

    /// The facts that are measured again and again.
    fn condition(&self) -> StoreFuture<'_, Condition> {
        Box::pin(async move { Ok(Condition::from(&self.health().await?)) })
    }

    /// How this process writes to its databases, one entry for each. Empty for a backend that does not measure it.
    fn writes(&self) -> Vec<WriteReading> {
        Vec::new()
    }

    /// The range from which the database gives ids, by the last id that it gave. None if it has given none yet.
    fn id_range(&self) -> StoreFuture<'_, Option<IdRange>>;

    /// Lets a database without jobs give ids of this range from now on, also to jobs that plain SQL inserts. A database
    /// that has jobs, or has given ids of a higher range, keeps its own: an id is never given again. Answers the range
    /// that it has then; none if it has given no id and is to give those of [`IdRange::ZERO`].
    fn take_id_range(&self, range: IdRange) -> StoreFuture<'_, Option<IdRange>>;
}

/// A job and its attempts.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct JobDetail {
    /// The job.
    #[serde(flatten)]
    pub job: Job,
    /// Its attempts, oldest first, including the running and the successful one.
    pub attempts: Vec<Attempt>,
    /// What its attempts have stored.
    #[serde(flatten)]
    pub checkpoints: JobCheckpoints,
    /// Its batch, and the name that its workflow gave it.
    #[serde(flatten)]
    pub place: WorkflowPlace,
    /// What it waits or waited for, in the order in which it was given, its parent included. At most
    /// [`WorkflowCheck::DEPENDENCIES_MAX`](crate::WorkflowCheck::DEPENDENCIES_MAX), without results.
    pub dependencies: Vec<Dependency>,
}

impl JobDetail {
    /// The attempt that was claimed last.
    pub fn newest_attempt(&self) -> Option<&Attempt> {
        self.attempts.iter().max_by_key(|attempt| attempt.claim_number)
    }

    /// The attempt that was claimed last of those with a number. A number comes again after a retry by hand, and after an
    /// attempt that did not count.
    pub fn newest_attempt_of(&self, number: u32) -> Option<&Attempt> {
        self.attempts.iter().filter(|attempt| attempt.attempt == number).max_by_key(|attempt| attempt.claim_number)
    }
}

/// Where a job is in a workflow.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct WorkflowPlace {
    /// Its batch.
    pub batch_id: Option<BatchId>,
    /// What it is to that batch.
    pub batch_role: Option<BatchRole>,
    /// The name that its workflow gave it.
    #[serde(rename = "ref")]
    pub reference: Option<String>,
}

/// A set of jobs. There is no default, because a caller must write "all of them" explicitly:
/// `Selection::Matching(Filter::all())`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Selection {
    /// These jobs. An empty list selects nothing.
    Jobs(Vec<JobId>),
    /// All jobs that match.
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

/// Conditions that must all be true. `None` is no condition; an empty list matches nothing.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Filter {
    /// Only jobs with one of these statuses.
    pub statuses: Option<Vec<Status>>,
    /// Only jobs of one of these types.
    pub job_types: Option<Vec<String>>,
    /// Only jobs in one of these queues.
    pub queues: Option<Vec<String>>,
    /// Only jobs whose last failure had one of these types.
    pub failure_types: Option<Vec<FailureType>>,
    /// Only dead letters with one of these reasons.
    pub reasons: Option<Vec<DeadLetterCode>>,
}

impl Filter {
    /// Every job.
    pub const fn all() -> Self {
        Self { statuses: None, job_types: None, queues: None, failure_types: None, reasons: None }
    }

    /// Only jobs with one of these statuses.
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

    /// Only jobs whose last failure had one of these types.
    #[must_use]
    pub fn failure_types(mut self, failure_types: impl IntoIterator<Item = FailureType>) -> Self {
        self.failure_types = Some(failure_types.into_iter().collect());
        self
    }

    /// Only dead letters with one of these reasons.
    #[must_use]
    pub fn reasons(mut self, reasons: impl IntoIterator<Item = DeadLetterCode>) -> Self {
        self.reasons = Some(reasons.into_iter().collect());
        self
    }

    /// Whether a job with these values matches.
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

/// The values of a job that a [`Filter`] reads.
#[derive(Clone, Copy, Debug)]
pub struct Filtered<'a> {
    /// The status.
    pub status: Status,
    /// The job type.
    pub job_type: &'a str,
    /// The queue.
    pub queue: &'a str,
    /// The type of the last failure.
    pub failure_type: Option<&'a str>,
    /// Why the job became a dead letter.
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

/// A request for a page of jobs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobPageRequest {
    /// The selected jobs.
    pub selection: Selection,
    /// Only jobs behind the end of another page.
    pub after: Option<PageCursor>,
    /// The maximum number of jobs on the page, from 1 to 1000.
    pub limit: u32,
    /// About how many jobs are looked at for the page; `None` means all. No index knows every condition of a filter, so
    /// a filter that few jobs match makes a store look at many others. Jobs named one by one are always looked at.
    pub looked_max: Option<u32>,
}

/// A page of jobs, newest first.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct JobPage {
    /// The jobs. A page that ended at [`JobPageRequest::looked_max`] has fewer than asked for, perhaps none.
    pub jobs: Vec<Job>,
    /// The cursor of the next page, if there is one.
    pub next: Option<PageCursor>,
}

/// A change that a person makes to jobs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Ends a waiting job as `cancelled`. Asks a running job to stop.
    Cancel,
    /// Retries an ended or retrying job now, with new budgets; its history stays. An expiry or a deadline that has
    /// passed is removed, because a person has decided otherwise; a later one stays. The job is `blocked` while its
    /// parent has not completed, else `pending`. A deleted parent does not block. Children that became dead letters
    /// because this job did not complete are blocked again, and so are their children.
    Retry,
    /// The same without its children: they stay dead letters.
    RetryAlone,
    /// [`Action::Retry`], and every job that it retries forgets its checkpoint and the results of its steps.
    RetryFromStart,
    /// [`Action::RetryAlone`], and the job forgets its checkpoint and the results of its steps.
    RetryAloneFromStart,
    /// Deletes a job that is not running, with its history. Children that waited for it become dead letters.
    Delete,
    /// Deletes a dead letter.
    Discard,
    /// Changes the priority of a job that has not ended.
    Reprioritise(Priority),
}

impl Action {
    /// The retry of jobs without their children or with them, and with or without what their attempts have stored.
    pub const fn retry(is_alone: bool, is_from_start: bool) -> Self {
        match (is_alone, is_from_start) {
            (false, false) => Self::Retry,
            (true, false) => Self::RetryAlone,
            (false, true) => Self::RetryFromStart,
            (true, true) => Self::RetryAloneFromStart,
        }
    }

    /// The statuses that a change of all jobs of a filter means if the filter names none. A retry leaves completed jobs
    /// out: they run again only if somebody asks for it.
    pub const fn usual_statuses(self) -> &'static [Status] {
        match self {
            Self::Retry | Self::RetryAlone | Self::RetryFromStart | Self::RetryAloneFromStart => {
                &[Status::Retrying, Status::Cancelled, Status::DeadLetter]
            }
            Self::Cancel | Self::Reprioritise(_) => {
                &[Status::Blocked, Status::Pending, Status::Running, Status::Retrying]
            }
            Self::Delete => &[
                Status::Blocked,
                Status::Pending,
                Status::Retrying,
                Status::Completed,
                Status::Cancelled,
                Status::DeadLetter,
            ],
            Self::Discard => &[Status::DeadLetter],
        }
    }

    /// Whether it retries jobs.
    pub const fn is_retry(self) -> bool {
        matches!(self, Self::Retry | Self::RetryAlone | Self::RetryFromStart | Self::RetryAloneFromStart)
    }

    /// Whether it also retries the children that became dead letters because of a job.
    pub const fn revives_children(self) -> bool {
        matches!(self, Self::Retry | Self::RetryFromStart)
    }

    /// Whether the jobs forget their checkpoints and steps.
    pub const fn forgets_checkpoints(self) -> bool {
        matches!(self, Self::RetryFromStart | Self::RetryAloneFromStart)
    }
}

/// The result of an action. An action that changed nothing is no error: check [`Actioned::refused`], which says why.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize)]
pub struct Actioned {
    /// The number of changed jobs, including the children that a retry revived.
    pub touched: u64,
    /// The jobs that could not be changed. For a filter, at most the first hundred.
    pub refused: Vec<Refusal>,
}

/// Why a job was not changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "reason", rename_all = "snake_case")]
pub enum Refusal {
    /// The job does not exist.
    NotFound {
        /// The job.
        id: JobId,
    },
    /// The action is not permitted in the job's status.
    WrongStatus {
        /// The job.
        id: JobId,
        /// Its status.
        status: Status,
    },
    /// It is running or has ended, so it cannot be edited.
    NotEditable {
        /// The job.
        id: JobId,
        /// Its status.
        status: Status,
    },
    /// A dead letter has no time to run at.
    TimeOfDeadLetter {
        /// The job.
        id: JobId,
    },
    /// Another job that has not ended has its unique key.
    UniqueKeyTaken {
        /// The job.
        id: JobId,
        /// The other job.
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
                write!(f, "job {id} is {status}: only a waiting job or a dead letter can be edited")
            }
            Self::TimeOfDeadLetter { id } => {
                write!(f, "job {id} is a dead letter and has no time to run at: retry it first, then change its time")
            }
            Self::UniqueKeyTaken { id, by } => {
                write!(f, "job {id} cannot have its unique key: job {by} has the key until it has ended")
            }
            Self::Constraint { id } => {
                write!(
                    f,
                    "a constraint prevents the change of job {id}, such as a foreign key in a table of the application"
                )
            }
        }
    }
}

/// A request for a part of a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogRequest {
    /// The job.
    pub id: JobId,
    /// Only this attempt; the first is 1.
    pub attempt: Option<u32>,
    /// Only what follows this position.
    pub after: Option<(ClaimNumber, u32)>,
}

impl LogRequest {
    /// The same from the newest attempt with the number on, if several attempts of the job have the number.
    #[must_use]
    pub fn from_newest(self, detail: &JobDetail) -> Self {
        let newest = self.attempt.and_then(|number| detail.newest_attempt_of(number));
        let Some(newest) = newest else { return self };
        let begin = (ClaimNumber(newest.claim_number.0.saturating_sub(1)), Self::PIECE_MAX);
        Self { after: self.after.max(Some(begin)), ..self }
    }

    /// The highest position of a piece that every database can hold.
    pub const PIECE_MAX: u32 = i32::MAX as u32;
}

/// A request for the end of the log of one attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogEndRequest {
    /// The job.
    pub id: JobId,
    /// The claim number of the attempt.
    pub claim_number: ClaimNumber,
    /// From the end, pieces are read until they have this many bytes together. The first one is read in whole, so there
    /// may be more.
    pub bytes_max: usize,
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
    /// The attempt that logged it; the first is 1.
    pub attempt: u32,
    /// The claim number of that attempt.
    pub claim_number: ClaimNumber,
    /// Its position in the attempt's log.
    pub chunk_number: u32,
    /// When it was written.
    pub written_at: Timestamp,
    /// How many bytes of the log's middle had been cut at that time.
    pub cut_bytes: u64,
    /// The text.
    pub text: String,
}

/// The numbers for a dashboard, available without counting rows.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize)]
pub struct Stats {
    /// Every queue that has or had jobs or is paused, by name.
    pub queues: Vec<QueueStats>,
    /// What ended in each minute, oldest first. Minutes without any end are left out.
    pub minutes: Vec<MinuteStats>,
    /// When the next scheduled or retrying job becomes claimable. In the past if no worker has claimed since then.
    pub next_due_at: Option<Timestamp>,
}

/// One queue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct QueueStats {
    /// Its name.
    pub queue: String,
    /// Since when it is paused.
    pub paused_at: Option<Timestamp>,
    /// The number of its jobs in each status.
    pub jobs: BTreeMap<Status, u64>,
    /// How many of its pending jobs are due later. The others could run now.
    pub scheduled: u64,
    /// Whether more may be due later: the first [`QueueStats::TIMED_LOOKED_AT`] jobs with a time are looked at, and beyond
    /// them the number is known only while few jobs could run now.
    pub has_more_scheduled: bool,
    /// When the job that has waited longest became claimable. Of each type the first [`QueueStats::LOOKED_AT`] jobs in the
    /// order of claims are looked at, and fewer if there are more than thirty types. In [`Health`] it is
    /// [`TypeBacklog::JOBS_MAX`](crate::TypeBacklog::JOBS_MAX) of them.
    pub oldest_waiting_at: Option<Timestamp>,
}

impl QueueStats {
    /// How many waiting jobs of a type are looked at for the oldest one. It bounds the cost of the statistics.
    pub const LOOKED_AT: u32 = 200;
    /// How many jobs with a time, of all queues together, are looked at for those that are due later. It also bounds
    /// the cost.
    pub const TIMED_LOOKED_AT: u32 = 1000;

    /// How many of its pending jobs could run now if the queue is open and has room. At most so many if
    /// [`QueueStats::has_more_scheduled`].
    pub fn could_run_now(&self) -> u64 {
        self.jobs.get(&Status::Pending).copied().unwrap_or(0).saturating_sub(self.scheduled)
    }
}

/// What ended in one minute in one queue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct MinuteStats {
    /// The start of the minute.
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
    /// The total time that the ended attempts had waited, in milliseconds.
    pub waited_ms: u64,
    /// The total time that they ran, in milliseconds.
    pub ran_ms: u64,
}

impl MinuteStats {
    /// Nothing has ended.
    pub(crate) fn empty(minute: Timestamp, queue: &str) -> Self {
        let queue = queue.to_owned();
        Self { minute, queue, completed: 0, failed: 0, retried: 0, cancelled: 0, waited_ms: 0, ran_ms: 0 }
    }

    /// Adds what ended in another minute or queue.
    pub const fn add(&mut self, other: &Self) {
        self.completed = self.completed.saturating_add(other.completed);
        self.failed = self.failed.saturating_add(other.failed);
        self.retried = self.retried.saturating_add(other.retried);
        self.cancelled = self.cancelled.saturating_add(other.cancelled);
        self.waited_ms = self.waited_ms.saturating_add(other.waited_ms);
        self.ran_ms = self.ran_ms.saturating_add(other.ran_ms);
    }
}

/// A registered worker.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct WorkerRecord {
    /// Its identity.
    pub worker_id: WorkerId,
    /// The machine it runs on.
    pub host: String,
    /// The process id.
    pub pid: u32,
    /// When it registered.
    pub started_at: Timestamp,
    /// Its last heartbeat.
    pub heartbeat_at: Timestamp,
    /// The queues it takes from; empty for all.
    pub queues: Vec<String>,
    /// The types it can run.
    pub job_types: Vec<String>,
    /// How many jobs it runs at once.
    pub concurrency: u32,
    /// Whether its process is alive.
    pub is_alive: bool,
    /// The jobs that it holds, oldest claim first, at most a hundred.
    pub running: Vec<RunningJob>,
}

impl WorkerRecord {
    /// How many jobs a record lists.
    pub const RUNNING_MAX: u32 = 100;
}

/// A job that a worker holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RunningJob {
    /// The job.
    pub id: JobId,
    /// Its type.
    pub job_type: String,
    /// Since when it runs.
    pub started_at: Timestamp,
}

/// A change of a queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QueueChange {
    /// Stops claims from it.
    Pause,
    /// Resumes claims from it.
    Resume,
}

/// How long ended jobs are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retention {
    /// For ever.
    Forever,
    /// This long.
    After(Duration),
    /// This long, because nobody has set anything else. Jobs that were in the database before it had such a default
    /// stay, such as the history of an adopted table: they would all be old on the first day.
    Default(Duration),
}

impl Retention {
    /// The default for completed and cancelled jobs: 7 days.
    pub const ENDED: Self = Self::Default(Duration::from_secs(7 * 86_400));
    /// The default for dead letters: 90 days.
    pub const DEAD_LETTERS: Self = Self::Default(Duration::from_secs(90 * 86_400));

    /// How long, unless for ever.
    pub const fn span(self) -> Option<Duration> {
        match self {
            Self::Forever => None,
            Self::After(span) | Self::Default(span) => Some(span),
        }
    }
}

impl From<Duration> for Retention {
    fn from(span: Duration) -> Self {
        Self::After(span)
    }
}

/// The limits of one step of housekeeping.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Maintenance {
    /// When completed and cancelled jobs are removed, counted from their end.
    pub retention: Retention,
    /// When dead letters are removed, counted from when they became dead letters.
    pub dead_letter_retention: Retention,
    /// The maximum number of rows to read.
    pub rows_max: u32,
}

impl Maintenance {
    /// How long a job that was retried without its parent waits for the parent to be retried too.
    pub const PATIENCE: Duration = Duration::from_secs(3600);
    /// A store renews its housekeeping duty after this long. So an idle database is written about once a minute,
    /// however many stores there are.
    pub const DUTY_RENEWAL: Duration = Duration::from_secs(60);
    /// A store that has not renewed its duty for this long is replaced.
    pub const DUTY_EXPIRY: Duration = Duration::from_secs(150);
}

/// The result of a step of housekeeping.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Maintained {
    /// Ended jobs that were removed.
    pub pruned: u64,
    /// Ended jobs that are old enough but were skipped, because another table refers to them.
    pub kept: u64,
    /// Jobs that could never have continued by themselves and were fixed: they waited for an ended or missing job,
    /// waited for themselves, or had a row that another program left unusable.
    pub settled: u64,
    /// Counts that were wrong and were corrected.
    pub reconciled: u64,
    /// Whether another step has something to do.
    pub has_more: bool,
    /// How long this process may wait before the next step; no longer than a duty lasts that it holds.
    pub next: Duration,
}
