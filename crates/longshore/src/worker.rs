mod attempt;
mod claiming;
mod handlers;
mod holdings;
mod registration;
mod registry;
mod run;
mod settings;
#[cfg(unix)]
mod signals;
mod store_time;
mod suspects;
pub(crate) mod trouble;
mod upkeep;
mod watched;
mod worker_run;

#[cfg(unix)]
pub use signals::stop_signals;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use longshore_core::{Clock, Limits, LogLimits, Retention, StoreError, SystemClock};
use thiserror::Error;
use tokio::runtime::Handle;

use crate::Queue;
use crate::handler::current_attempt::{AttemptOrigin, PendingReports};
use crate::handler::state::Stateless;
use crate::runtime::blocking_threads::BlockingThreads;
use registry::Registry;
use suspects::gate::Gate;
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
            state: Stateless,
        }
    }
}

impl<S> Worker<S> {
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
            probed: None,
        };
        Ok(Arc::new(WorkerRun::new(self.queue, self.registry, self.settings, self.clock, origin, self.gate, until)))
    }
}

impl<S> fmt::Debug for Worker<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Worker").field("queue", &self.queue).field("settings", &self.settings).finish_non_exhaustive()
    }
}
