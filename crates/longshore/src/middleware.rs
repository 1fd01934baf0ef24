use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use longshore_core::{DeadLetterReason, Failure, Outcome};

use crate::runtime::panic_capture::caught;
use crate::{AttemptResult, BoxFuture, CurrentAttempt, Handler, HandlerError};

/// Code that runs around every attempt of a worker: metrics, tracing, a rate limit, a context for the handler. Every
/// method does nothing by default.
///
/// The first middleware of a worker is the outermost: `before` and `around` run from the first to the last,
/// `on_dead_letter` and `after` from the last to the first. Each gets the [`CurrentAttempt`] with id, type, queue,
/// attempt number, metadata and payload. Payloads do not belong in logs.
///
/// ```
/// use std::sync::Mutex;
/// use std::time::{Duration, Instant};
///
/// use longshore::{AttemptResult, BoxFuture, CurrentAttempt, Done, Middleware, Next};
///
/// /// Defers jobs that come more often than once in `pause`.
/// struct RateLimit { pause: Duration, last: Mutex<Option<Instant>> }
///
/// impl Middleware for RateLimit {
///     fn around<'a>(&'a self, _: &'a CurrentAttempt, next: Next<'a>) -> BoxFuture<'a, AttemptResult> {
///         let mut last = self.last.lock().unwrap();
///         if last.is_some_and(|last| last.elapsed() < self.pause) {
///             return Box::pin(async { Ok(Done::snooze(self.pause)) });
///         }
///         *last = Some(Instant::now());
///         next.run()
///     }
/// }
/// # use longshore::testing::ScratchQueue;
/// # #[derive(serde::Serialize, serde::Deserialize)]
/// # struct Mail;
/// # impl longshore::Payload for Mail { const JOB_TYPE: &'static str = "mail"; }
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let queue = ScratchQueue::open().await?;
/// # let ids = [queue.enqueue(&Mail).await?.id, queue.enqueue(&Mail).await?.id];
///
/// let limit = RateLimit { pause: Duration::from_millis(50), last: Mutex::new(None) };
/// let worker = longshore::Worker::new(&queue).middleware(limit).handle(|_: Mail, _| async { Ok(()) });
/// # worker.run_until_drained().await?;
/// # let mut deferrals = 0;
/// # for id in ids { deferrals += queue.job(id).await?.ok_or("gone")?.job.deferral_count; }
/// # assert!(deferrals > 0);
/// # Ok(())
/// # }
/// ```
pub trait Middleware: Send + Sync + 'static {
    /// Runs before the handler and the inner middlewares. If it returns an error, they do not run and the attempt
    /// fails.
    ///
    /// It is part of the attempt, like [`Middleware::around`]: the timeout and the stop signal apply to it. A panic
    /// fails the attempt.
    fn before<'a>(&'a self, _attempt: &'a CurrentAttempt) -> BoxFuture<'a, Result<(), HandlerError>> {
        Box::pin(async { Ok(()) })
    }

    /// Runs around `next`, which is the inner middlewares and the handler. It may return the result of `next`, return
    /// another result, or not run `next`.
    ///
    /// Task-local values reach async handlers and commands. A blocking handler has its own thread, so they do not reach
    /// it.
    fn around<'a>(&'a self, _attempt: &'a CurrentAttempt, next: Next<'a>) -> BoxFuture<'a, AttemptResult> {
        next.run()
    }

    /// Runs after every attempt whose `before` ran, with its outcome. It is the last call for the attempt.
    ///
    /// The outcome is being stored at the same time: this method cannot change, delay or lose it, and the attempt's log
    /// is closed. If the lease was lost, the outcome is not stored. The attempt keeps its slot during the call, for at
    /// most ten seconds; errors and panics are only logged. It does not run if the process dies, or if the attempt did
    /// not stop before its worker ended.
    fn after<'a>(&'a self, _attempt: &'a CurrentAttempt, _outcome: &'a Outcome) -> BoxFuture<'a, ()> {
        Box::pin(async {})
    }

    /// Runs after an attempt of this worker made its job a dead letter, before [`Middleware::after`] and with the same
    /// rules.
    ///
    /// It does not run for jobs that become dead letters in another way: their worker died too often, their deadline
    /// passed while they waited, their parent became a dead letter, plain SQL changed them, or the store rejected an
    /// outcome. To see all of them, list the jobs in that state with `longshore dead list` or
    /// [`Console::jobs`](crate::Console::jobs).
    fn on_dead_letter<'a>(
        &'a self,
        _attempt: &'a CurrentAttempt,
        _reason: DeadLetterReason,
        _failure: &'a Failure,
    ) -> BoxFuture<'a, ()> {
        Box::pin(async {})
    }
}

/// A middleware that the application also uses elsewhere.
impl<M: Middleware + ?Sized> Middleware for Arc<M> {
    fn before<'a>(&'a self, attempt: &'a CurrentAttempt) -> BoxFuture<'a, Result<(), HandlerError>> {
        (**self).before(attempt)
    }

    fn around<'a>(&'a self, attempt: &'a CurrentAttempt, next: Next<'a>) -> BoxFuture<'a, AttemptResult> {
        (**self).around(attempt, next)
    }

    fn after<'a>(&'a self, attempt: &'a CurrentAttempt, outcome: &'a Outcome) -> BoxFuture<'a, ()> {
        (**self).after(attempt, outcome)
    }

    fn on_dead_letter<'a>(
        &'a self,
        attempt: &'a CurrentAttempt,
        reason: DeadLetterReason,
        failure: &'a Failure,
    ) -> BoxFuture<'a, ()> {
        (**self).on_dead_letter(attempt, reason, failure)
    }
}

/// The inner part of an attempt: the inner middlewares and the handler.
#[must_use = "without it the handler does not run"]
pub struct Next<'a> {
    chain: &'a MiddlewareChain,
    index: usize,
    handler: &'a dyn Handler,
    attempt: &'a CurrentAttempt,
}

impl<'a> Next<'a> {
    /// Runs it. A panic of the handler is returned as an error. If the future is dropped, the handler ends as after its
    /// grace period.
    pub fn run(self) -> BoxFuture<'a, AttemptResult> {
        let Self { chain, index, handler, attempt } = self;
        let Some(middleware) = chain.middlewares.get(index) else {
            return Box::pin(handled(handler, attempt));
        };
        Box::pin(async move {
            chain.entered.fetch_max(index + 1, Ordering::Relaxed);
            middleware.before(attempt).await?;
            middleware.around(attempt, Next { chain, index: index + 1, handler, attempt }).await
        })
    }
}

/// A panic of the handler is reported separately from one of a middleware. Outer middlewares see it as a failure.
async fn handled(handler: &dyn Handler, attempt: &CurrentAttempt) -> AttemptResult {
    let handling = async { handler.run(attempt.clone()).await };
    caught(handling).await.map_err(|panicked| panicked.into_failure("the handler"))?
}

impl fmt::Debug for Next<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Next").field("index", &self.index).finish_non_exhaustive()
    }
}

/// The middlewares of one attempt.
pub(crate) struct MiddlewareChain {
    middlewares: Arc<[Arc<dyn Middleware>]>,
    /// How many of them were called, from the outermost.
    entered: AtomicUsize,
}

impl MiddlewareChain {
    pub(crate) fn new(middlewares: &Arc<[Arc<dyn Middleware>]>) -> Self {
        Self { middlewares: Arc::clone(middlewares), entered: AtomicUsize::new(0) }
    }

    /// Runs the attempt with all its middlewares.
    pub(crate) fn run(
        self: Arc<Self>,
        handler: Arc<dyn Handler>,
        attempt: CurrentAttempt,
    ) -> BoxFuture<'static, AttemptResult> {
        Box::pin(async move { Next { chain: &self, index: 0, handler: &*handler, attempt: &attempt }.run().await })
    }

    /// The middlewares that were called, from the innermost.
    pub(crate) fn entered(&self) -> impl Iterator<Item = &dyn Middleware> {
        self.middlewares[..self.entered.load(Ordering::Relaxed)].iter().rev().map(Arc::as_ref)
    }
}
