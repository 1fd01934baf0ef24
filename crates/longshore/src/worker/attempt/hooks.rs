use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use longshore_core::Outcome;
use tokio::time::timeout;

use crate::middleware::MiddlewareChain;
use crate::runtime::panic_capture::caught;
use crate::runtime::quiet::{self, QuietSpan};
use crate::worker::worker_run::WorkerRun;
use crate::{BoxFuture, CurrentAttempt};

/// How long one middleware may keep a slot after its attempt.
const HOOK_MAX: Duration = Duration::from_secs(10);

/// What the middlewares of an attempt are to hear after its end.
pub(crate) struct Hooks {
    pub(crate) chain: Arc<MiddlewareChain>,
    pub(crate) attempt: CurrentAttempt,
    pub(crate) outcome: Outcome,
    pub(crate) span: QuietSpan,
}

/// Whether an attempt was still its worker's when it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ownership {
    Own,
    /// The lease was lost, so its outcome is not stored.
    Lost,
}

impl Hooks {
    /// Tells every middleware that was called. The shutdown waits for it, with a bound of its own.
    pub(crate) async fn run(self, worker_run: &WorkerRun, slot: usize, ownership: Ownership) {
        for middleware in self.chain.entered() {
            if let (Outcome::DeadLetter { reason, failure }, Ownership::Own) = (&self.outcome, ownership) {
                self.guard("on_dead_letter", || middleware.on_dead_letter(&self.attempt, *reason, failure)).await;
            }
            self.guard("after", || middleware.after(&self.attempt, &self.outcome)).await;
        }
        worker_run.holdings().slots.end_hooks(slot);
    }

    /// The attempt is over, so whatever goes wrong here is only logged.
    async fn guard<'a>(&'a self, hook: &'static str, call: impl FnOnce() -> BoxFuture<'a, ()>) {
        // The call itself may panic, and so may the drop of what did not end in time.
        let mut guarded = pin!(caught(timeout(HOOK_MAX, async { call().await })));
        let ended = poll_fn(|context| self.span.in_scope(|| guarded.as_mut().poll(context))).await;
        self.span.in_scope(|| match ended {
            Ok(Ok(())) => {}
            Ok(Err(_)) => quiet::warning!(hook, "a middleware did not return in time; it is not waited for"),
            Err(panicked) => quiet::error!(hook, panic = panicked.message, "a middleware panicked after an attempt"),
        });
    }
}
