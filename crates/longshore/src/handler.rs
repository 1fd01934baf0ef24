pub(crate) mod current_attempt;
pub(crate) mod handler_error;
pub(crate) mod payload;
pub(crate) mod stop;
pub(crate) mod typed_handler;

use std::pin::Pin;
use std::time::Duration;

use longshore_core::{InvalidJobData, JobData, RetryPolicy};
use serde::Serialize;

use crate::{CurrentAttempt, HandlerError};

/// A future on the heap, so that handlers of every kind stand in one registry.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// How a handler says that its attempt ended.
///
/// An error after the handler has seen its stop signal counts as having stopped for that reason; any other
/// error is a failure of the attempt. A success is a success, whatever was asked meanwhile.
pub type AttemptResult = Result<Done, HandlerError>;

/// Runs the jobs of one type.
pub trait Handler: Send + Sync + 'static {
    /// Makes one attempt.
    ///
    /// The future is dropped when the handler has not returned within the grace period after its stop signal
    /// (and [`HandlerPolicy::settle`] after that). A panic, here or in the future, is a failed attempt.
    fn run(&self, attempt: CurrentAttempt) -> BoxFuture<'static, AttemptResult>;

    /// The rules for its attempts; read once, when the handler is registered.
    fn policy(&self) -> HandlerPolicy {
        HandlerPolicy::default()
    }
}

/// The rules for the attempts of one handler.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct HandlerPolicy {
    /// The time limit of an attempt whose job has none of its own; none is no limit.
    pub timeout: Option<Duration>,
    /// How long to wait before the next attempt.
    pub retry: RetryPolicy,
    /// How long an attempt may go on after its stop signal; none is the worker's own grace period.
    pub grace: Option<Duration>,
    /// How much longer the handler needs to clean up after itself when the grace period is over.
    pub settle: Duration,
    /// What happens to an attempt that does not stop.
    pub overrun: Overrun,
    /// How long an attempt may go on when the worker shuts down.
    pub at_shutdown: ShutdownTime,
}

/// How long an attempt may go on when the worker shuts down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum ShutdownTime {
    /// Its own grace period, as after any other stop signal.
    #[default]
    Grace,
    /// The worker's grace period, where that is the longer one.
    WorkersGrace,
}

/// The longest grace period, time limit or lease that is told apart from none: what is longer would overflow an
/// instant, and nobody waits a hundred years for the difference.
pub(crate) const SPAN_MAX: Duration = Duration::from_secs(100 * 365 * 24 * 3600);

/// What happens to an attempt that has not stopped when its time is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Overrun {
    /// Its future is dropped.
    #[default]
    Drop,
    /// It cannot be stopped, such as a blocking thread: its outcome is recorded, what it still says is ignored,
    /// and its place in the worker's concurrency stays taken until it returns.
    Outlive,
}

impl HandlerPolicy {
    /// The same with spans that can be added to an instant.
    pub(crate) fn bounded(self) -> Self {
        let bounded = |span: Duration| span.min(SPAN_MAX);
        let (timeout, grace) = (self.timeout.map(bounded), self.grace.map(bounded));
        Self { timeout, grace, settle: bounded(self.settle), ..self }
    }

    /// Sets the time limit of an attempt whose job has none of its own.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Sets how long to wait before the next attempt.
    #[must_use]
    pub fn retry(mut self, retry: RetryPolicy) -> Self {
        self.retry = retry;
        self
    }

    /// Sets how long an attempt may go on after its stop signal.
    #[must_use]
    pub fn grace(mut self, grace: Duration) -> Self {
        self.grace = Some(grace);
        self
    }
}

/// What a handler that did not fail came to.
#[derive(Clone, Debug, PartialEq)]
pub enum Done {
    /// The job is complete.
    Completed {
        /// What it came to, kept with the job.
        result: Option<JobData>,
    },
    /// The handler has completed the job itself, in a transaction of its own that has committed: what
    /// `Queue::complete_in` gives. Where it has not committed after all, the attempt has failed.
    Committed,
    /// The job is to run again later; this spends no attempt.
    Snoozed {
        /// How much later.
        delay: Duration,
    },
}

impl Done {
    /// Complete, with a result that is kept with the job.
    pub fn with<T: Serialize + ?Sized>(result: &T) -> Result<Self, InvalidJobData> {
        Ok(Self::Completed { result: Some(JobData::encode(result)?) })
    }

    /// Run again later.
    pub const fn snooze(delay: Duration) -> Self {
        Self::Snoozed { delay }
    }
}

/// What a typed handler may return on success: `()`, [`Done`], or a result as [`JobData`].
pub trait IntoDone: Send + 'static {
    /// What the attempt came to.
    fn into_done(self) -> Done;
}

impl IntoDone for () {
    fn into_done(self) -> Done {
        Done::Completed { result: None }
    }
}

impl IntoDone for Done {
    fn into_done(self) -> Done {
        self
    }
}

impl IntoDone for JobData {
    fn into_done(self) -> Done {
        Done::Completed { result: Some(self) }
    }
}

impl IntoDone for Option<JobData> {
    fn into_done(self) -> Done {
        Done::Completed { result: self }
    }
}
