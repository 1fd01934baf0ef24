mod attempt;
mod claiming;
mod holdings;
mod registration;
mod registry;
mod run;
#[cfg(unix)]
mod signals;
mod store_time;
mod suspects;
mod trouble;
mod upkeep;
mod watched;
mod worker_run;

#[cfg(unix)]
pub use signals::stop_signals;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use longshore_core::{Clock, Limits, LogLimits, QueueLimit, Retention, RetryPolicy, StoreError, SystemClock};
use thiserror::Error;
use tokio::runtime::Handle;

use crate::handler::SPAN_MAX;
use crate::handler::current_attempt::{AttemptOrigin, PendingReports};
use crate::handler::typed_handler::{AsyncHandler, BlockingHandler};
use crate::runtime::blocking_threads::BlockingThreads;
use crate::{CurrentAttempt, Handler, HandlerError, HandlerPolicy, IntoDone, Middleware, Payload, Queue};
use registry::Registry;
use suspects::gate::Gate;
use worker_run::{Settings, Until, WorkerRun};

/// Runs the jobs of a queue: add handlers, then run it.
///
/// A worker claims only jobs whose type it handles. Other jobs are not touched and cost nothing.
pub struct Worker {
    queue: Queue,
    registry: Registry,
    settings: Settings,
    log_limits: LogLimits,
    clock: Arc<dyn Clock>,
    gate: Arc<Gate>,
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
    /// No handler was given, so the worker could never run a job.
    #[error("the worker has no handler: add one with handle, handle_blocking or handler")]
    NothingHandled,
    /// Two handlers were given for one type.
    #[error("two handlers were given for {job_type:?}: remove one of them")]
    HandledTwice {
        /// The type.
        job_type: String,
    },
    /// A policy was set for a type without a handler, so it would have no effect.
    #[error(
        "a policy was set for {job_type:?}, which had no handler then: check the name, and set it after the handler"
    )]
    PolicyWithoutHandler {
        /// The type.
        job_type: String,
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

impl Worker {
    /// A worker with the defaults: 16 jobs at once from all queues, a lease of 30 s and a grace period of 30 s.
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
        }
    }

    /// Runs an async function on each payload of a type.
    #[must_use]
    pub fn handle<T, F, Fut, D>(self, function: F) -> Self
    where
        T: Payload,
        F: Fn(T, CurrentAttempt) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<D, HandlerError>> + Send + 'static,
        D: IntoDone,
    {
        self.handler(T::JOB_TYPE, Arc::new(AsyncHandler::new(function)))
    }

    /// Runs a blocking function on each payload of a type, on one of the worker's own threads. It never waits for the
    /// blocking pool of the application's runtime.
    ///
    /// It cannot be stopped from outside, so it should call [`CurrentAttempt::check`] regularly. Otherwise its outcome
    /// is recorded after the grace period, and it keeps its slot until it returns.
    #[must_use]
    pub fn handle_blocking<T, F, D>(self, function: F) -> Self
    where
        T: Payload,
        F: Fn(T, CurrentAttempt) -> Result<D, HandlerError> + Send + Sync + 'static,
        D: IntoDone,
    {
        self.handler(T::JOB_TYPE, Arc::new(BlockingHandler::new(function)))
    }

    /// Runs a handler of any kind on the jobs of a type.
    #[must_use]
    pub fn handler(mut self, job_type: impl Into<String>, handler: Arc<dyn Handler>) -> Self {
        self.registry.add(job_type.into(), handler);
        self
    }

    /// Changes the rules for the attempts of a type whose handler was given before. For any other type the worker does
    /// not start ([`WorkerError::PolicyWithoutHandler`]).
    #[must_use]
    pub fn policy(mut self, job_type: &str, change: impl FnOnce(HandlerPolicy) -> HandlerPolicy) -> Self {
        self.registry.change_policy(job_type, change);
        self
    }

    /// Sets how often jobs of a type whose handler was given before are retried, and the delay before each retry.
    #[must_use]
    pub fn retry(self, job_type: &str, retry: RetryPolicy) -> Self {
        self.policy(job_type, |policy| policy.retry(retry))
    }

    /// Adds a middleware around every attempt of every type. The first one is the outermost.
    #[must_use]
    pub fn middleware(mut self, middleware: impl Middleware) -> Self {
        self.registry.add_middleware(Arc::new(middleware));
        self
    }

    /// Sets how many jobs run at once, from 1 to 10,000.
    #[must_use]
    pub fn concurrency(mut self, concurrency: u32) -> Self {
        self.settings.concurrency = concurrency.clamp(1, 10_000);
        self
    }

    /// Claims from this queue. Without any queue, a worker claims from all.
    #[must_use]
    pub fn queue(self, queue: impl Into<String>) -> Self {
        self.queue_with_limit(queue, u32::MAX)
    }

    /// Claims from this queue, and runs at most `limit` of its jobs at once.
    #[must_use]
    pub fn queue_with_limit(mut self, queue: impl Into<String>, limit: u32) -> Self {
        self.settings.queues.push(QueueLimit { queue: queue.into(), limit: limit.max(1) });
        self
    }

    /// Sets how long this worker keeps its jobs without a heartbeat; at least a second.
    #[must_use]
    pub fn lease(mut self, lease: Duration) -> Self {
        self.settings.lease = lease.clamp(Duration::from_secs(1), SPAN_MAX);
        self
    }

    /// Sets how long attempts may continue after their stop signal, if their handler does not set it.
    #[must_use]
    pub fn grace(mut self, grace: Duration) -> Self {
        self.settings.grace = grace.min(SPAN_MAX);
        self
    }

    /// Sets how long completed and cancelled jobs are kept after their end: a duration, or [`Retention::Forever`].
    ///
    /// Default: 7 days, except for jobs that were in the database before it had this default, such as those of an adopted
    /// table. They stay until a retention is set.
    #[must_use]
    pub fn retention(mut self, retention: impl Into<Retention>) -> Self {
        self.settings.retention = bounded(retention.into());
        self
    }

    /// Sets how long dead letters are kept after they became dead letters. Default: 90 days, with the same exception as
    /// for [`Worker::retention`].
    #[must_use]
    pub fn dead_letter_retention(mut self, retention: impl Into<Retention>) -> Self {
        self.settings.dead_letter_retention = bounded(retention.into());
        self
    }

    /// Sets the maximum size of a result.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.settings.limits = limits;
        self
    }

    /// Sets how much of each attempt's log is kept.
    #[must_use]
    pub fn log_limits(mut self, log_limits: LogLimits) -> Self {
        self.log_limits = log_limits;
        self
    }

    /// Uses another clock.
    #[must_use]
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// Treats only the workers of this simulated process as workers of its own process.
    #[must_use]
    pub fn as_if_in(mut self, process: &SimulatedProcess) -> Self {
        self.gate = Arc::clone(&process.gate);
        self
    }

    fn into_run(self, until: Until) -> Result<Arc<WorkerRun>, WorkerError> {
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
        if self.registry.entries().next().is_none() {
            return Err(WorkerError::NothingHandled);
        }
        let origin = AttemptOrigin {
            queue: self.queue.clone(),
            clock: Arc::clone(&self.clock),
            limits: self.settings.limits,
            log_limits: self.log_limits,
            grace: self.settings.grace,
            threads: Arc::new(BlockingThreads::new(self.settings.concurrency)),
            pending_reports: PendingReports::default(),
        };
        Ok(Arc::new(WorkerRun::new(self.queue, self.registry, self.settings, self.clock, origin, self.gate, until)))
    }
}

/// A longer one could not be subtracted from an instant.
fn bounded(retention: Retention) -> Retention {
    match retention {
        Retention::Forever => Retention::Forever,
        Retention::After(span) => Retention::After(span.min(SPAN_MAX)),
        Retention::Default(span) => Retention::Default(span.min(SPAN_MAX)),
    }
}

impl fmt::Debug for Worker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Worker").field("queue", &self.queue).field("settings", &self.settings).finish_non_exhaustive()
    }
}
