use std::time::Duration;

use longshore_core::{AttemptEnd, Failure, FailureType, Limits};

use crate::handler::SPAN_MAX;
use crate::handler::handler_error::Effect;
use crate::{Done, HandlerError, StopCause};

/// How a handler ended, as the executor saw it.
#[derive(Debug)]
pub(crate) enum Ran {
    /// It returned.
    Returned(Result<Done, HandlerError>),
    /// It panicked.
    Panicked(Failure),
    /// It did not stop in time.
    Overran,
}

impl Ran {
    /// For how long another side asked the handler to slow down.
    pub(crate) fn slow_down(&self) -> Option<Duration> {
        match self {
            Self::Returned(Err(error)) => error.slow_down().map(|delay| delay.min(SPAN_MAX)),
            Self::Returned(Ok(_)) | Self::Panicked(_) | Self::Overran => None,
        }
    }

    /// What went wrong after the handler had completed its job itself, in words. `None` if nothing did.
    pub(crate) fn afterwards(&self) -> Option<String> {
        match self {
            Self::Returned(Ok(Done::Completed { .. } | Done::Committed)) => None,
            Self::Returned(Ok(Done::Snoozed { .. })) => Some("the handler asked to be run later".to_owned()),
            Self::Returned(Err(error)) => Some(format!("the handler failed: {error}")),
            Self::Panicked(failure) => Some(failure.message.clone()),
            Self::Overran => Some("the handler did not stop in time".to_owned()),
        }
    }
}

/// The circumstances of a run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Circumstances {
    /// Why it was asked to stop, if it was.
    pub(crate) cause: Option<StopCause>,
    /// Whether the handler knew that.
    pub(crate) has_seen_stop: bool,
    /// How long it was allowed to run.
    pub(crate) limit: Option<TimeLimit>,
    /// The maximum size of a result.
    pub(crate) limits: Limits,
}

/// The limit of an attempt's time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TimeLimit {
    /// The timeout of each attempt.
    OfAttempt(Duration),
    /// The time from its start to its job's deadline.
    ToDeadline(Duration),
}

impl TimeLimit {
    pub(crate) const fn span(self) -> Duration {
        match self {
            Self::OfAttempt(span) | Self::ToDeadline(span) => span,
        }
    }
}

/// How the attempt ended. A pure function.
pub(crate) fn attempt_end(ran: Ran, circumstances: &Circumstances) -> AttemptEnd {
    let is_cancelled = circumstances.cause == Some(StopCause::Cancelled);
    match ran {
        Ran::Returned(Ok(Done::Completed { result })) => completed(result, &circumstances.limits),
        Ran::Returned(Ok(Done::Committed)) => failed(not_committed(), None, circumstances),
        Ran::Returned(Ok(Done::Snoozed { .. }) | Err(_)) | Ran::Panicked(_) if is_cancelled => AttemptEnd::Cancelled,
        Ran::Returned(Ok(Done::Snoozed { delay })) => AttemptEnd::Snoozed { delay },
        Ran::Returned(Err(error)) => match error.effect() {
            Effect::Returns => AttemptEnd::Interrupted,
            Effect::Defers(delay) | Effect::SlowsDown(delay) => AttemptEnd::Snoozed { delay: delay.min(SPAN_MAX) },
            Effect::RetriesAfter(delay) => failed(error.into_failure(), Some(delay), circumstances),
            Effect::Fails => failed(error.into_failure(), None, circumstances),
        },
        Ran::Panicked(failure) => AttemptEnd::Failed(failure),
        Ran::Overran => stopped(circumstances, None),
    }
}

/// If the job is completed, the return value of its handler is not used. Here it is not completed.
fn not_committed() -> Failure {
    let message = "the handler returned the completion of its job, but its transaction did not commit; commit it \
                   before the handler returns";
    Failure::new(FailureType::WorkerError, message)
}

/// A result that the store would reject fails the attempt, not the batch in which it is stored.
fn completed(result: Option<longshore_core::JobData>, limits: &Limits) -> AttemptEnd {
    match result.as_ref().map_or(Ok(()), |result| limits.check("result", result)) {
        Ok(()) => AttemptEnd::Completed { result },
        Err(error) => AttemptEnd::Failed(Failure::new(FailureType::ValidationError, error.to_string())),
    }
}

/// A cancelled job is never retried, whatever its handler returns. For the other causes, an error counts as stopped
/// only if the handler knew that it should stop. `delay` is the one that the handler chose for its retry.
fn failed(failure: Failure, delay: Option<Duration>, circumstances: &Circumstances) -> AttemptEnd {
    match circumstances.cause {
        Some(StopCause::Cancelled) => AttemptEnd::Cancelled,
        Some(_) if circumstances.has_seen_stop => stopped(circumstances, Some(failure)),
        _ => match delay {
            Some(delay) => AttemptEnd::RetryRequested { failure, delay: delay.min(SPAN_MAX) },
            None => AttemptEnd::Failed(failure),
        },
    }
}

fn stopped(circumstances: &Circumstances, last_words: Option<Failure>) -> AttemptEnd {
    match circumstances.cause {
        Some(StopCause::Cancelled) => AttemptEnd::Cancelled,
        Some(StopCause::TimedOut) => timed_out(circumstances.limit, last_words),
        Some(StopCause::ShuttingDown | StopCause::LeaseLost) | None => AttemptEnd::Interrupted,
    }
}

fn timed_out(limit: Option<TimeLimit>, last_words: Option<Failure>) -> AttemptEnd {
    let span = longshore_core::format_duration(limit.map(TimeLimit::span).unwrap_or_default());
    let is_deadline = matches!(limit, Some(TimeLimit::ToDeadline(_)));
    let message = if is_deadline {
        format!("the attempt was stopped after {span}, at the deadline of its job")
    } else {
        format!("the attempt reached its time limit of {span}")
    };
    let mut failure = Failure::new(FailureType::TimeoutError, message);
    if let Some(words) = last_words {
        failure = failure.with_traceback(words.traceback.unwrap_or(words.message));
    }
    if is_deadline { AttemptEnd::DeadlinePassed(failure) } else { AttemptEnd::Failed(failure) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::handler::handler_error::SLOW_DOWN_MAX;
    use longshore_core::JobData;

    const CALM: Circumstances = Circumstances {
        cause: None,
        has_seen_stop: false,
        limit: Some(TimeLimit::OfAttempt(Duration::from_secs(5))),
        limits: Limits { payload_bytes_max: 8 },
    };

    fn error() -> Ran {
        Ran::Returned(Err(HandlerError::failed(FailureType::NetworkError, "no route")))
    }

    fn asked(cause: StopCause) -> Circumstances {
        Circumstances { cause: Some(cause), has_seen_stop: true, ..CALM }
    }

    fn failure_type(end: &AttemptEnd) -> Option<FailureType> {
        match end {
            AttemptEnd::Failed(failure) => Some(failure.failure_type),
            _ => None,
        }
    }

    #[test]
    fn an_error_after_the_stop_was_seen_is_a_stop() {
        assert_eq!(attempt_end(error(), &asked(StopCause::ShuttingDown)), AttemptEnd::Interrupted);
        assert_eq!(attempt_end(error(), &asked(StopCause::Cancelled)), AttemptEnd::Cancelled);
        assert_eq!(failure_type(&attempt_end(error(), &asked(StopCause::TimedOut))), Some(FailureType::TimeoutError));
    }

    #[test]
    fn an_error_of_a_handler_that_did_not_look_is_its_own() {
        let unseen = Circumstances { has_seen_stop: false, ..asked(StopCause::ShuttingDown) };
        assert_eq!(failure_type(&attempt_end(error(), &unseen)), Some(FailureType::NetworkError));
    }

    #[cfg(unix)]
    #[test]
    fn what_was_not_begun_is_given_back_unless_it_was_cancelled() {
        let unbegun = || {
            let failure = Failure::new(FailureType::ResourceError, "too many open files");
            Ran::Returned(Err(HandlerError::not_begun(failure)))
        };
        assert_eq!(attempt_end(unbegun(), &CALM), AttemptEnd::Interrupted);
        assert_eq!(attempt_end(unbegun(), &asked(StopCause::TimedOut)), AttemptEnd::Interrupted);
        assert_eq!(attempt_end(unbegun(), &asked(StopCause::Cancelled)), AttemptEnd::Cancelled);
    }

    #[test]
    fn a_chosen_delay_holds_unless_the_attempt_was_stopped() {
        let later = || Ran::Returned(Err(HandlerError::retry_after(Duration::MAX)));
        let end = attempt_end(later(), &CALM);
        assert!(matches!(end, AttemptEnd::RetryRequested { delay, .. } if delay == SPAN_MAX), "{end:?}");
        assert_eq!(attempt_end(later(), &asked(StopCause::Cancelled)), AttemptEnd::Cancelled);
        assert_eq!(attempt_end(later(), &asked(StopCause::ShuttingDown)), AttemptEnd::Interrupted);
        let unseen = Circumstances { has_seen_stop: false, ..asked(StopCause::ShuttingDown) };
        assert!(matches!(attempt_end(later(), &unseen), AttemptEnd::RetryRequested { .. }));
    }

    #[test]
    fn a_job_whose_other_side_asked_to_slow_down_is_deferred_unless_it_was_cancelled() {
        let limited = || Ran::Returned(Err(HandlerError::rate_limited(Duration::MAX)));
        let deferred = AttemptEnd::Snoozed { delay: SLOW_DOWN_MAX };
        assert_eq!(attempt_end(limited(), &CALM), deferred);
        // As with a snooze, the answer counts although the worker shuts down or the time is over.
        for cause in [StopCause::ShuttingDown, StopCause::TimedOut] {
            assert_eq!(attempt_end(limited(), &asked(cause)), deferred, "{cause:?}");
        }
        assert_eq!(attempt_end(limited(), &asked(StopCause::Cancelled)), AttemptEnd::Cancelled);
    }

    #[test]
    fn a_success_is_a_success_whatever_was_asked() {
        let ran = Ran::Returned(Ok(Done::Completed { result: None }));
        assert_eq!(attempt_end(ran, &asked(StopCause::Cancelled)), AttemptEnd::Completed { result: None });
    }

    #[test]
    fn a_result_that_no_store_accepts_fails_the_attempt_alone() {
        let ran = Ran::Returned(Ok(Done::Completed { result: Some(JobData::parse("123456789").unwrap()) }));
        assert_eq!(failure_type(&attempt_end(ran, &CALM)), Some(FailureType::ValidationError));
    }

    #[test]
    fn a_completion_that_did_not_commit_is_a_failure_unless_the_job_was_cancelled() {
        let end = |circumstances| attempt_end(Ran::Returned(Ok(Done::Committed)), circumstances);
        assert_eq!(failure_type(&end(&CALM)), Some(FailureType::WorkerError));
        assert_eq!(end(&asked(StopCause::Cancelled)), AttemptEnd::Cancelled);
    }

    #[test]
    fn what_overran_its_limit_says_which_limit() {
        let end = attempt_end(Ran::Overran, &asked(StopCause::TimedOut));
        assert!(matches!(end, AttemptEnd::Failed(failure) if failure.message.ends_with("time limit of 5s")));
    }

    #[test]
    fn what_was_stopped_at_the_deadline_is_told_apart_and_keeps_its_last_words() {
        let limit = Some(TimeLimit::ToDeadline(Duration::from_secs(4)));
        let at_deadline = Circumstances { limit, ..asked(StopCause::TimedOut) };
        let end = attempt_end(error(), &at_deadline);
        assert!(
            matches!(&end, AttemptEnd::DeadlinePassed(failure) if failure.failure_type == FailureType::TimeoutError
                && failure.traceback.as_deref() == Some("no route")),
            "{end:?}"
        );
        assert!(matches!(attempt_end(Ran::Overran, &at_deadline), AttemptEnd::DeadlinePassed(_)));
    }
}
