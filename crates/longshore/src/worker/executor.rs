use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use longshore_core::{Failure, FailureType, Outcome, Record, Timestamp, decide};
use tracing::Span;

use super::registry::Entry;
use super::shift::Shift;
use super::verdict::{Circumstances, Ran, attempt_end};
use crate::{AttemptResult, BoxFuture, CurrentAttempt, StopCause, panic_capture};

/// One attempt under way: its handler under time limit, stop signal and panic guard.
pub(crate) struct Execution<'a> {
    shift: &'a Shift,
    attempt: &'a CurrentAttempt,
    entry: Option<Arc<Entry>>,
    started_at: Timestamp,
    handling: Handling,
    span: Span,
}

impl<'a> Execution<'a> {
    pub(crate) fn new(shift: &'a Shift, attempt: &'a CurrentAttempt, started_at: Timestamp) -> Self {
        let entry = shift.registry.get(attempt.job_type()).cloned();
        let span = tracing::info_span!(
            "attempt",
            job_id = attempt.id().0,
            queue = attempt.queue_name(),
            job_type = attempt.job_type(),
            attempt = attempt.attempt()
        );
        let handling = Handling { entry: entry.clone(), attempt: attempt.clone(), span: span.clone(), running: None };
        Self { shift, attempt, entry, started_at, handling, span }
    }

    /// Runs the handler to its end, or until it has had its time, and says what that means for the job.
    pub(crate) async fn run(&mut self) -> Record {
        let timeout = self.attempt.lease().timeout.or(self.entry.as_ref().and_then(|entry| entry.policy.timeout));
        let ran = self.run_limited(timeout).await;
        let signal = self.attempt.stop_signal();
        let circumstances = Circumstances {
            cause: signal.cause(),
            has_seen_stop: signal.is_seen(),
            timeout,
            limits: self.shift.settings.limits,
        };
        let end = attempt_end(ran, &circumstances);
        let finished_at = self.shift.clock.now();
        let retry = self.entry.as_ref().map(|entry| entry.policy.retry).unwrap_or_default();
        let outcome = decide(&self.attempt.lease().budgets, end, &retry, finished_at, fastrand::f64());
        self.span.in_scope(|| tell(&outcome));
        Record {
            id: self.attempt.id(),
            claim_number: self.attempt.lease().claim_number,
            outcome,
            attempt: self.attempt.attempt(),
            started_at: Some(self.started_at),
            finished_at,
            log: self.attempt.close(),
        }
    }

    /// Waits for a handler that could not be stopped.
    pub(crate) async fn outlive(mut self) {
        let is_blocking = self.entry.as_ref().is_some_and(|entry| entry.policy.overrun == crate::Overrun::Outlive);
        if is_blocking && !self.handling.is_over() {
            (&mut self.handling).await;
        }
    }

    /// A handler that is done when it is first asked costs no timer and no waiting list.
    async fn run_limited(&mut self, timeout: Option<Duration>) -> Ran {
        let signal = self.attempt.stop_signal();
        let cause = tokio::select! {
            biased;
            ran = &mut self.handling => return ran,
            cause = signal.stopped() => cause,
            () = expiry(timeout) => {
                signal.stop(StopCause::TimedOut);
                signal.cause().unwrap_or(StopCause::TimedOut)
            }
        };
        let patience = self.patience(cause);
        tokio::select! {
            biased;
            ran = &mut self.handling => ran,
            () = signal.over() => Ran::Overran,
            () = tokio::time::sleep(patience) => Ran::Overran,
        }
    }

    fn patience(&self, cause: StopCause) -> Duration {
        let settle = self.entry.as_ref().map(|entry| entry.policy.settle).unwrap_or_default();
        let patience = self.attempt.grace() + settle;
        if cause == StopCause::LeaseLost {
            // Another worker may run it already, so there is not much time for an orderly end.
            return patience.min(self.shift.settings.lease / 6);
        }
        patience
    }
}

async fn expiry(timeout: Option<Duration>) {
    match timeout {
        Some(timeout) => tokio::time::sleep(timeout).await,
        None => std::future::pending().await,
    }
}

/// One event a state change; the error's text is in the store, because it may quote a payload.
fn tell(outcome: &Outcome) {
    match outcome {
        Outcome::Completed { .. } => tracing::debug!("completed"),
        Outcome::Retrying { retry_at, failure } => {
            tracing::warn!(failure_type = failure.failure_type.as_str(), retry_at = %retry_at, "retrying");
        }
        Outcome::DeadLetter { reason, failure } => {
            tracing::error!(failure_type = failure.failure_type.as_str(), reason = %reason, "dead letter");
        }
        Outcome::Cancelled => tracing::info!("cancelled"),
        Outcome::Deferred { run_at } => tracing::info!(run_at = %run_at, "deferred"),
        Outcome::Returned => tracing::info!("given back"),
        Outcome::Crashed { .. } => tracing::error!("crashed"),
        Outcome::Lapsed { .. } => tracing::error!("lapsed"),
    }
}

/// The handler's future in its span, its panics caught; made at the first poll, because making it may panic.
struct Handling {
    entry: Option<Arc<Entry>>,
    attempt: CurrentAttempt,
    span: Span,
    running: Option<BoxFuture<'static, AttemptResult>>,
}

impl Handling {
    /// Whether it has ended or never began.
    fn is_over(&self) -> bool {
        self.running.is_none()
    }
}

impl Future for Handling {
    type Output = Ran;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Ran> {
        let this = self.get_mut();
        let _entered = this.span.enter();
        let Some(entry) = &this.entry else { return Poll::Ready(unknown(&this.attempt)) };
        let running = &mut this.running;
        let attempt = &this.attempt;
        let polled = panic_capture::catch(|| {
            running.get_or_insert_with(|| entry.handler.run(attempt.clone())).as_mut().poll(context)
        });
        let ran = match polled {
            Ok(Poll::Pending) => return Poll::Pending,
            Ok(Poll::Ready(result)) => Ran::Returned(result),
            Err(failure) => Ran::Panicked(failure),
        };
        this.running = None;
        Poll::Ready(ran)
    }
}

/// A store gives only what was asked for, so this is a mistake of the store; the job must not hang for it.
fn unknown(attempt: &CurrentAttempt) -> Ran {
    let message = format!("this worker has no handler for {:?}", attempt.job_type());
    Ran::Returned(Err(Failure::new(FailureType::WorkerError, message).into()))
}
