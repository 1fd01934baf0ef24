//! What runs an attempt: handlers of every kind, the rules for their attempts, and middlewares around them.
//!
//! Most applications need only async functions, see [`Worker::handle`](crate::Worker::handle).

pub(crate) mod attempt_documents;
pub(crate) mod checkpoint;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
pub(crate) mod completion;
pub(crate) mod current_attempt;
pub(crate) mod done;
pub(crate) mod failure_classes;
pub(crate) mod handler_error;
pub(crate) mod job_document;
pub(crate) mod payload;
pub(crate) mod progress_message;
pub(crate) mod state;
pub(crate) mod stop;
pub(crate) mod typed_handler;

pub use crate::middleware::{Middleware, Next};
pub use checkpoint::CheckpointError;
pub use current_attempt::CurrentAttempt;
pub use done::{Done, IntoDone};
pub use handler_error::HandlerError;
pub use longshore_core::{
    Failure, FailureType, InvalidCheckpoint, Lease, LogChunk, LogLimits, Outcome, Progress, UnknownFailureType,
};
pub use payload::Payload;
pub use progress_message::IntoProgressMessage;
pub use state::{AsyncFunction, BlockingFunction, State, Stateless};
pub use stop::{StopCause, Stopped};

use std::pin::Pin;
use std::time::Duration;

use longshore_core::{LimitRule, Priority, RetryPolicy, TypeSettings};

/// A boxed future, so that one registry can hold handlers of every kind.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// How an attempt ended, as its handler returns it.
///
/// If the handler returns an error after it has seen its stop signal, it has stopped for that reason. Any other error
/// is a failure of the attempt. A success counts as a success, even after a stop signal.
pub type AttemptResult = Result<Done, HandlerError>;

/// Runs the jobs of one type.
pub trait Handler: Send + Sync + 'static {
    /// Runs one attempt.
    ///
    /// If the handler does not return within the grace period after its stop signal (plus [`HandlerPolicy::settle`]),
    /// its future is dropped. A panic, here or in the future, fails the attempt.
    fn run(&self, attempt: CurrentAttempt) -> BoxFuture<'static, AttemptResult>;

    /// The rules for its attempts. Read once, when the handler is registered.
    fn policy(&self) -> HandlerPolicy {
        HandlerPolicy::default()
    }

    /// Whether a worker should claim jobs for it now. It is asked before each claim, so it must be fast. A closed
    /// handler may still get jobs that were claimed before.
    fn is_open(&self) -> bool {
        true
    }

    /// Why none of its jobs can begin, in words, if it has found that several times in a row. A drain does not wait for
    /// them.
    fn given_up(&self) -> Option<String> {
        None
    }

    /// Ends what the handler keeps between attempts. Called when a worker has ended, after its last attempt, with what is
    /// left of the grace period, or with zero if everything must end at once.
    fn end(&self, _grace: Duration) -> BoxFuture<'static, ()> {
        Box::pin(async {})
    }
}

/// The rules for the attempts of one handler.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct HandlerPolicy {
    /// The timeout of an attempt whose job sets none. `None` means no limit.
    pub timeout: Option<Duration>,
    /// How often a failed job is retried if it does not set that itself, and how long it waits before each retry.
    pub retry: RetryPolicy,
    /// The queue of a job that plain SQL inserts without one. `None` means `default`.
    pub queue: Option<String>,
    /// The priority of a job that plain SQL inserts without one. `None` means [`Priority::NORMAL`].
    pub priority: Option<Priority>,
    /// How long an attempt may continue after its stop signal. `None` means the worker's grace period.
    pub grace: Option<Duration>,
    /// How much longer the handler needs to clean up after the grace period.
    pub settle: Duration,
    /// What happens to an attempt that does not stop.
    pub overrun: Overrun,
    /// How long an attempt may continue when the worker shuts down.
    pub at_shutdown: ShutdownTime,
    /// How many jobs of the type run at once and how often they start, over all processes. `None` leaves the limit as it
    /// is in the database.
    pub limit: Option<LimitRule>,
}

/// How long an attempt may continue when the worker shuts down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum ShutdownTime {
    /// Its own grace period, as after any other stop signal.
    #[default]
    Grace,
    /// The worker's grace period, if it is longer.
    WorkersGrace,
}

/// The longest grace period, timeout or lease. A longer one is treated as none, because adding it to an instant could
/// overflow.
pub(crate) const SPAN_MAX: Duration = Duration::from_secs(100 * 365 * 24 * 3600);

/// What happens to an attempt that did not stop in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Overrun {
    /// Its future is dropped.
    #[default]
    Drop,
    /// It cannot be stopped, for example a blocking thread. Its outcome is recorded and later output is ignored. It
    /// keeps its slot in the worker's concurrency until it returns.
    Outlive,
}

impl HandlerPolicy {
    /// Limits all durations, so that they can be added to an instant.
    pub(crate) fn bounded(self) -> Self {
        let bounded = |span: Duration| span.min(SPAN_MAX);
        let (timeout, grace) = (self.timeout.map(bounded), self.grace.map(bounded));
        Self { timeout, grace, settle: bounded(self.settle), ..self }
    }

    /// What jobs of a type get if they do not say otherwise.
    pub(crate) fn settings_of(&self, job_type: &str) -> TypeSettings {
        TypeSettings {
            job_type: job_type.to_owned(),
            queue: self.queue.clone(),
            priority: self.priority,
            max_retries: Some(self.retry.retries),
            timeout: self.timeout,
        }
    }

    /// Sets the timeout of an attempt whose job sets none.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Sets how often a failed job is retried, and how long it waits before each retry.
    #[must_use]
    pub fn retry(mut self, retry: RetryPolicy) -> Self {
        self.retry = retry;
        self
    }

    /// Sets how often a failed job is retried, and keeps the delays. After [`HandlerPolicy::retry`].
    #[must_use]
    pub fn max_retries(mut self, retries: u32) -> Self {
        self.retry = self.retry.retries(retries);
        self
    }

    /// Sets the queue of jobs that plain SQL inserts without one.
    #[must_use]
    pub fn queue(mut self, queue: impl Into<String>) -> Self {
        self.queue = Some(queue.into());
        self
    }

    /// Sets the priority of jobs that plain SQL inserts without one.
    #[must_use]
    pub fn priority(mut self, priority: Priority) -> Self {
        self.priority = Some(priority);
        self
    }

    /// Sets how many jobs of the type run at once and how often they start, over all processes. It is applied when the
    /// worker starts.
    #[must_use]
    pub fn limit(mut self, limit: LimitRule) -> Self {
        self.limit = Some(limit);
        self
    }

    /// Sets how long an attempt may continue after its stop signal.
    #[must_use]
    pub fn grace(mut self, grace: Duration) -> Self {
        self.grace = Some(grace);
        self
    }
}
