use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use longshore_core::{Failure, FailureType, JobData, Outcome, Record, Report, decide};
use tokio::time::{Instant, sleep_until};

use crate::handler::failure_classes::FailureClasses;
use crate::handler::stop::StopSignal;
use crate::measures::KindMeasures;
use crate::middleware::MiddlewareChain;
use crate::runtime::panic_capture;
use crate::runtime::panic_capture::Panicked;
use crate::runtime::quiet::{self, QuietSpan};
use crate::trace::{attempt_span, note_failure};
use crate::worker::attempt::attempt_end::{Circumstances, Ran, TimeLimit, attempt_end};
use crate::worker::attempt::committed;
use crate::worker::attempt::ended_attempt::EndedAttempt;
use crate::worker::attempt::hooks::Hooks;
use crate::worker::holdings::Conclusion;
use crate::worker::registry::Entry;
use crate::worker::worker_run::WorkerRun;
use crate::{AttemptResult, BoxFuture, CurrentAttempt, Overrun, ShutdownTime, StopCause};

/// A running attempt: its handler with timeout, stop signal and panic guard.
pub(crate) struct Execution<'a> {
    worker_run: &'a WorkerRun,
    attempt: &'a CurrentAttempt,
    entry: Option<Arc<Entry>>,
    /// By the worker's monotonic clock.
    began_at: Duration,
    handling: Handling<'a>,
    span: QuietSpan,
    measures: Arc<KindMeasures>,
}

impl<'a> Execution<'a> {
    pub(crate) fn new(worker_run: &'a WorkerRun, attempt: &'a CurrentAttempt, began_at: Duration) -> Self {
        let entry = worker_run.registry.get(attempt.job_type()).cloned();
        let span = attempt_span(attempt);
        attempt.note_start(began_at);
        let measures = worker_run.queue.measures().of(attempt.queue_name(), attempt.job_type());
        measures.began(worker_run.store_time.at(began_at).since(attempt.lease().ready_at));
        let handling = Handling {
            entry: entry.clone(),
            attempt: attempt.clone(),
            chain: worker_run.registry.chain(),
            classes: &worker_run.registry.classes,
            span: span.clone(),
            running: None,
        };
        Self { worker_run, attempt, entry, began_at, handling, span, measures }
    }

    /// Runs the handler to its end, or until its time is over. Returns what that means for the job.
    pub(crate) async fn run(&mut self) -> Executed {
        let limit = self.time_limit();
        let ran = self.run_limited(limit.map(TimeLimit::span)).await;
        if !self.is_outlived() {
            // Before the outcome: nothing of this attempt may be left when the job runs again elsewhere.
            self.handling.drop_running();
        }
        // Rare and large, so it is boxed.
        if self.attempt.has_completion()
            && let Some(result) = Box::pin(committed::result(self.worker_run, self.attempt)).await
        {
            return self.committed(&ran, result);
        }
        let ended_at = self.worker_run.clock.monotonic();
        let slow_down = ran.slow_down();
        let outcome = self.decide(ran, limit, ended_at);
        self.measures.ended(ended_at.saturating_sub(self.began_at), &outcome);
        self.span.in_scope(|| tell(&outcome));
        if let Outcome::Retrying { failure, .. }
        | Outcome::DeadLetter { failure, .. }
        | Outcome::Expired { failure: Some(failure), .. } = &outcome
        {
            note_failure(&self.span, failure);
        }
        let hooks = self.hooks(&outcome);
        let record = Record {
            id: self.attempt.id(),
            claim_number: self.attempt.lease().claim_number,
            outcome,
            attempt: self.attempt.attempt(),
            ran: Some(ended_at.saturating_sub(self.began_at)),
            ended_ago: Duration::ZERO,
            log: self.attempt.close(),
            slow_down,
        };
        Executed { conclusion: Conclusion::Outcome(EndedAttempt::new(record, ended_at)), hooks }
    }

    fn hooks(&self, outcome: &Outcome) -> Option<Hooks> {
        let chain = self.handling.chain.clone()?;
        Some(Hooks { chain, attempt: self.attempt.clone(), outcome: outcome.clone(), span: self.span.clone() })
    }

    fn decide(&self, ran: Ran, limit: Option<TimeLimit>, ended_at: Duration) -> Outcome {
        let signal = self.attempt.stop_signal();
        let circumstances = Circumstances {
            cause: signal.cause(),
            has_seen_stop: signal.is_seen(),
            limit,
            limits: self.worker_run.settings.limits,
        };
        let end = attempt_end(ran, &circumstances);
        let retry = self.entry.as_ref().map(|entry| entry.policy.retry.clone()).unwrap_or_default();
        let now = self.worker_run.store_time.at(ended_at);
        decide(&self.attempt.lease().budgets, end, &retry, now, fastrand::f64())
    }

    /// The job is completed, whatever its handler did after that.
    fn committed(&self, ran: &Ran, result: Option<JobData>) -> Executed {
        let outcome = Outcome::Completed { result };
        let ended_at = self.worker_run.clock.monotonic();
        self.measures.ended(ended_at.saturating_sub(self.began_at), &outcome);
        self.span.in_scope(|| {
            tell(&outcome);
            if let Some(what) = ran.afterwards() {
                quiet::warning!("the handler failed after it had completed its job, which stays completed");
                self.attempt.log(&format!("longshore: after the job was completed, {what}\n"));
            }
        });
        let lease = self.attempt.lease();
        let conclusion = Conclusion::Committed(Report {
            id: lease.id,
            claim_number: lease.claim_number,
            attempt: lease.attempt(),
            progress: None,
            log: self.attempt.close(),
        });
        Executed { conclusion, hooks: self.hooks(&outcome) }
    }

    /// The attempt's own timeout or the time to the job's deadline, whichever is shorter.
    fn time_limit(&self) -> Option<TimeLimit> {
        let lease = self.attempt.lease();
        let timeout = lease.timeout.or(self.entry.as_ref().and_then(|entry| entry.policy.timeout));
        let now = self.worker_run.store_time.at(self.began_at);
        match (timeout, lease.budgets.time.time_left(now)) {
            (Some(timeout), left) if left.is_none_or(|left| timeout < left) => Some(TimeLimit::OfAttempt(timeout)),
            (_, left) => left.map(TimeLimit::ToDeadline),
        }
    }

    /// Waits for a handler that could not be stopped.
    pub(crate) async fn outlive(mut self) {
        if self.is_outlived() && !self.handling.is_over() {
            (&mut self.handling).await;
        }
    }

    fn is_outlived(&self) -> bool {
        self.entry.as_ref().is_some_and(|entry| entry.policy.overrun == Overrun::Outlive)
    }

    /// A handler that is ready at its first poll needs no timer and no waiting list.
    async fn run_limited(&mut self, timeout: Option<Duration>) -> Ran {
        let signal = self.attempt.stop_signal();
        let mut expiry = std::pin::pin!(expiry(timeout));
        let mut cause = tokio::select! {
            biased;
            ran = &mut self.handling => return ran,
            cause = signal.stopped() => cause,
            () = &mut expiry => time_out(signal),
        };
        let mut over_at = Instant::now() + self.patience(cause);
        loop {
            cause = tokio::select! {
                biased;
                ran = &mut self.handling => return ran,
                () = signal.over() => return Ran::Overran,
                () = sleep_until(over_at) => return Ran::Overran,
                // An attempt that continues during a shutdown still has its timeout.
                () = &mut expiry, if cause == StopCause::ShuttingDown => time_out(signal),
                other = signal.replaced(cause) => other,
            };
            over_at = over_at.min(Instant::now() + self.patience(cause));
        }
    }

    fn patience(&self, cause: StopCause) -> Duration {
        let policy = self.entry.as_ref().map(|entry| entry.policy.clone()).unwrap_or_default();
        let grace = match (cause, policy.at_shutdown) {
            (StopCause::ShuttingDown, ShutdownTime::WorkersGrace) => {
                self.attempt.grace().max(self.attempt.workers_grace())
            }
            _ => self.attempt.grace(),
        };
        let patience = grace + policy.settle;
        if cause == StopCause::LeaseLost {
            // Another worker may already run it, so there is little time for an orderly end.
            return patience.min(self.worker_run.settings.lease / 6);
        }
        patience
    }
}

/// The result of an execution.
pub(crate) struct Executed {
    pub(crate) conclusion: Conclusion,
    /// The calls to the middlewares while the outcome is being stored. `None` if there are no middlewares.
    pub(crate) hooks: Option<Hooks>,
}

/// The timeout is reached. Returns why the attempt must stop, which may be a stronger cause.
fn time_out(signal: &StopSignal) -> StopCause {
    signal.stop(StopCause::TimedOut);
    signal.cause().unwrap_or(StopCause::TimedOut)
}

async fn expiry(timeout: Option<Duration>) {
    match timeout {
        Some(timeout) => tokio::time::sleep(timeout).await,
        None => std::future::pending().await,
    }
}

/// The target of the events below. A program that prints outcomes itself can leave them out.
const OUTCOMES: &str = "longshore::outcome";

/// One event for each state change. The text of the error is only in the store, because it may quote a payload.
fn tell(outcome: &Outcome) {
    match outcome {
        Outcome::Completed { .. } => quiet::debug!(target: OUTCOMES, "completed"),
        Outcome::Retrying { delay, failure } => {
            let retry_in = longshore_core::format_duration(*delay);
            quiet::warning!(target: OUTCOMES, failure_type = failure.failure_type.as_str(), retry_in = %retry_in, "retrying");
        }
        Outcome::DeadLetter { reason, failure } => {
            quiet::error!(target: OUTCOMES, failure_type = failure.failure_type.as_str(), reason = %reason, "dead letter");
        }
        Outcome::Cancelled => quiet::info!(target: OUTCOMES, "cancelled"),
        Outcome::Expired { at, .. } => quiet::warning!(target: OUTCOMES, expires_at = %at, "expired"),
        Outcome::Deferred { delay } => {
            quiet::info!(target: OUTCOMES, run_in = %longshore_core::format_duration(*delay), "deferred");
        }
        Outcome::Returned => quiet::info!(target: OUTCOMES, "given back"),
        Outcome::Crashed { .. } => quiet::error!(target: OUTCOMES, "crashed"),
        Outcome::Lapsed { .. } => quiet::error!(target: OUTCOMES, "lapsed"),
    }
}

/// The handler's future in its span, with its panics caught. It is created at the first poll, because creating it may
/// panic.
struct Handling<'a> {
    entry: Option<Arc<Entry>>,
    attempt: CurrentAttempt,
    chain: Option<Arc<MiddlewareChain>>,
    classes: &'a FailureClasses,
    span: QuietSpan,
    running: Option<BoxFuture<'static, AttemptResult>>,
}

impl Handling<'_> {
    /// Whether it has ended or never started.
    fn is_over(&self) -> bool {
        self.running.is_none()
    }

    /// Drops the future, which may panic too. The attempt's log shows it.
    fn drop_running(&mut self) {
        let Some(running) = self.running.take() else { return };
        let dropped = self.span.in_scope(|| panic_capture::catch(|| drop(running)));
        if let Err(panicked) = dropped {
            let Panicked { message, .. } = panicked;
            self.attempt.log(&format!("longshore: the handler panicked when it was dropped: {message}\n"));
            quiet::error!(job_id = self.attempt.id().0, "a handler panicked when it was dropped");
        }
    }
}

impl Drop for Handling<'_> {
    fn drop(&mut self) {
        self.drop_running();
    }
}

impl Future for Handling<'_> {
    type Output = Ran;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Ran> {
        let this = self.get_mut();
        let Some(entry) = &this.entry else { return Poll::Ready(unknown(&this.attempt)) };
        let (running, attempt, chain, classes) = (&mut this.running, &this.attempt, &this.chain, this.classes);
        let polled = this.span.in_scope(|| {
            panic_capture::catch(|| {
                let running = running.get_or_insert_with(|| begin(entry, attempt, chain.as_ref()));
                // Inside the guard, because an error's own code prints it, and may panic.
                running.as_mut().poll(context).map_err(|error| error.classified(classes))
            })
        });
        let ran = match polled {
            Ok(Poll::Pending) => return Poll::Pending,
            Ok(Poll::Ready(result)) => Ran::Returned(result),
            // Middlewares around a handler get its panic as an error.
            Err(panicked) => {
                Ran::Panicked(panicked.into_failure(if chain.is_some() { "a middleware" } else { "the handler" }))
            }
        };
        this.drop_running();
        Poll::Ready(ran)
    }
}

fn begin(
    entry: &Entry,
    attempt: &CurrentAttempt,
    chain: Option<&Arc<MiddlewareChain>>,
) -> BoxFuture<'static, AttemptResult> {
    match chain {
        None => entry.handler.run(attempt.clone()),
        Some(chain) => Arc::clone(chain).run(Arc::clone(&entry.handler), attempt.clone()),
    }
}

/// A store returns only jobs of the requested types, so this is a bug of the store. The job must not hang because of
/// it.
fn unknown(attempt: &CurrentAttempt) -> Ran {
    let message = format!("this worker has no handler for {:?}", attempt.job_type());
    Ran::Returned(Err(Failure::new(FailureType::WorkerError, message).into()))
}
