pub(crate) mod attempt;
pub(crate) mod claiming;
mod handlers;
mod holdings;
mod house;
mod job_names;
mod own_limits;
mod registration;
mod registry;
mod run;
mod settings;
#[cfg(unix)]
mod signals;
pub(crate) mod store_time;
mod suspects;
pub(crate) mod trouble;
pub(crate) mod upkeep;
mod watched;
mod worker_run;

pub(crate) use registration::host;
#[cfg(unix)]
pub use signals::stop_signals;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use longshore_core::{
    Clock, InvalidLimit, JobId, LimitRule, LimitSubject, Limits, LogLimits, Retention, ScheduleSource, StoreError,
    SystemClock,
};
use thiserror::Error;
use tokio::runtime::Handle;

use crate::handler::current_attempt::{AttemptOrigin, PendingReports};
use crate::handler::state::Stateless;
use crate::runtime::blocking_threads::BlockingThreads;
use crate::schedule::ScheduleError;
use crate::{Queue, Schedule};
use job_names::some_of;
use own_limits::OwnLimits;
use registry::Registry;
use suspects::gate::Gate;
use upkeep::scheduler::CodeSchedules;
use worker_run::{Settings, Until, WorkerRun};

/// Runs the jobs of a queue: add handlers, then run it.
///
/// A worker claims only jobs whose type it handles. Other jobs are not touched and cost nothing.
///
/// ```
/// use longshore::{CurrentAttempt, HandlerError, Job, Queue, Worker};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Job, Serialize, Deserialize)]
/// struct Greeting {
///     name: String,
/// }
///
/// async fn greet(greeting: Greeting, _: CurrentAttempt) -> Result<String, HandlerError> {
///     Ok(format!("hello {}", greeting.name))
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let queue = longshore::testing::ScratchQueue::open().await?;
/// queue.enqueue(&Greeting { name: "Ada".into() }).await?;
/// Worker::new(&queue).handle(greet).run_until_drained().await?;
/// # Ok(())
/// # }
/// ```
pub struct Worker<S = Stateless> {
    queue: Queue,
    registry: Registry,
    settings: Settings,
    log_limits: LogLimits,
    clock: Arc<dyn Clock>,
    gate: Arc<Gate>,
    schedules: Vec<Schedule>,
    schedule_source: ScheduleSource,
    /// The limits that it applies when it starts.
    limits: Vec<(LimitSubject, Option<LimitRule>)>,
    /// [`Stateless`](crate::handler::Stateless) or a [`State`](crate::State).
    state: S,
}

/// Simulates a separate process in tests that run many workers in one real process.
///
/// A job whose worker died runs alone in its process. With this, the workers of other tests do not count.
#[derive(Clone, Debug, Default)]
pub struct SimulatedProcess {
    gate: Arc<Gate>,
}

/// Why a worker did not start, or ended.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum WorkerError {
    /// The store failed for a cause that does not pass. Running handlers had their grace period.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// No handler and no schedule was given, so the worker could never do anything.
    #[error("the worker has no handler: add one with handle, handle_blocking or handler")]
    NothingHandled,
    /// Two handlers were given for one type.
    #[error("two handlers were given for {job_type:?}: remove one of them")]
    HandledTwice {
        /// The type.
        job_type: String,
    },
    /// A schedule is not valid. Nothing was claimed.
    #[error(transparent)]
    Schedule(#[from] ScheduleError),
    /// A limit is not valid. Nothing was claimed.
    #[error("the limit of {subject} is not valid: {error}")]
    Limit {
        /// What is limited.
        subject: LimitSubject,
        /// What is wrong.
        error: InvalidLimit,
    },
    /// A policy was set for a type without a handler, so it would have no effect.
    #[error(
        "a policy was set for {job_type:?}, which had no handler then: check the name, and set it after the handler"
    )]
    PolicyWithoutHandler {
        /// The type.
        job_type: String,
    },
    /// A drain has left jobs of a type whose handler cannot begin any, such as a program that does not become ready.
    /// Everything else was done.
    #[error("jobs of {job_type} are left, because none of them can begin: {why}")]
    GivenUp {
        /// The type.
        job_type: String,
        /// What the handler says.
        why: String,
    },
    /// The store did not take the last outcomes in time, so their jobs run again although their attempts have ended.
    #[error("the worker ended before the outcomes of {} could be stored; they run again", some_of(jobs))]
    OutcomesLost {
        /// These jobs.
        jobs: Vec<JobId>,
    },
    /// A part of the worker or the store panicked, which is a bug. Running handlers had their grace period.
    #[error("{part} panicked: {message}; this is a bug, and the log has the backtrace")]
    Panicked {
        /// The part.
        part: &'static str,
        /// The message of the panic.
        message: String,
    },
    /// The worker was not started inside a Tokio runtime.
    #[error("a worker needs a Tokio runtime: call it inside one, such as in a function with #[tokio::main]")]
    NoRuntime,
    /// Listening for signals failed.
    #[error("cannot listen for signals: {0}")]
    Signals(#[source] std::io::Error),
}

impl WorkerError {
    /// A stable code for scripts.
    ///
    /// ```
    /// assert_eq!(longshore::error::WorkerError::NothingHandled.code(), "no_job_types");
    /// ```
    pub fn code(&self) -> &'static str {
        match self {
            Self::Store(error) => error.code(),
            Self::Schedule(error) => error.code(),
            Self::NothingHandled => "no_job_types",
            Self::Limit { .. } => "invalid_limit",
            Self::GivenUp { .. } => "jobs_left",
            _ => "worker_failed",
        }
    }

    /// What the user can do about it, if the message does not say it.
    ///
    /// ```
    /// assert_eq!(longshore::error::WorkerError::NothingHandled.hint(), None);
    /// ```
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Store(error) => error.hint(),
            Self::Schedule(error) => error.hint(),
            Self::Panicked { .. } => Some("report it with the backtrace"),
            _ => None,
        }
    }
}

impl Worker {
    /// A worker with the defaults: 16 jobs at once from all queues, a lease of 30 s and a grace period of 30 s.
    ///
    /// ```
    /// # fn example(queue: &longshore::Queue) {
    /// let worker = longshore::Worker::new(queue);
    /// # }
    /// ```
    pub fn new(queue: &Queue) -> Self {
        Self {
            queue: queue.clone(),
            registry: Registry::default(),
            settings: Settings {
                concurrency: 16,
                queues: Vec::new(),
                lease: Duration::from_secs(30),
                grace: Duration::from_secs(30),
                limits: Limits::default(),
                retention: Retention::ENDED,
                dead_letter_retention: Retention::DEAD_LETTERS,
            },
            log_limits: LogLimits::default(),
            clock: Arc::new(SystemClock::new()),
            gate: Gate::of_process(),
            schedules: Vec::new(),
            schedule_source: ScheduleSource::Code,
            limits: Vec::new(),
            state: Stateless,
        }
    }
}

impl<S> Worker<S> {
    fn into_run(self, until: Until) -> Result<Arc<WorkerRun>, WorkerError> {
        let handles_nothing = self.registry.entries().next().is_none() && self.schedules.is_empty();
        let worker_run = self.prepare(until)?;
        if handles_nothing {
            return Err(WorkerError::NothingHandled);
        }
        Ok(worker_run)
    }

    /// Checks everything that was given.
    fn prepare(self, until: Until) -> Result<Arc<WorkerRun>, WorkerError> {
        if let Some(job_type) = self.registry.doubled() {
            return Err(WorkerError::HandledTwice { job_type: job_type.to_owned() });
        }
        if let Some(job_type) = self.registry.unhandled_policy() {
            return Err(WorkerError::PolicyWithoutHandler { job_type: job_type.to_owned() });
        }
        if let Some(message) = self.registry.panicked() {
            return Err(WorkerError::Panicked { part: "the policy of a handler", message: message.to_owned() });
        }
        if Handle::try_current().is_err() {
            return Err(WorkerError::NoRuntime);
        }
        let schedules = CodeSchedules::new(&self.schedules, self.schedule_source)?;
        let limits = OwnLimits::new(self.registry.limits().chain(self.limits.clone()))?;
        let origin = AttemptOrigin {
            queue: self.queue.clone(),
            clock: Arc::clone(&self.clock),
            limits: self.settings.limits,
            log_limits: self.log_limits,
            grace: self.settings.grace,
            threads: Arc::new(BlockingThreads::new(self.settings.concurrency)),
            pending_reports: PendingReports::default(),
            probed: None,
        };
        let Self { queue, registry, settings, clock, gate, .. } = self;
        let mut run = WorkerRun::new(queue, registry, settings, clock, origin, gate, until);
        (run.schedules, run.limits) = (schedules, limits);
        Ok(Arc::new(run))
    }
}

impl<S> fmt::Debug for Worker<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Worker").field("queue", &self.queue).field("settings", &self.settings).finish_non_exhaustive()
    }
}
