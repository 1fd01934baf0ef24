use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use longshore::{BoxFuture, CurrentAttempt, HandlerError, Middleware, StopCause};
use longshore_core::{Failure, JobData, Outcome};

use crate::output::log_format::WORKER;
use crate::output::relative_time::short;
use crate::output::table::one_line;

/// The longest error in a line; `jobs show` prints the whole.
const ERROR_CHARS_MAX: usize = 500;

/// Writes one line for each attempt that ends, and counts them. Payloads and results never appear.
#[derive(Debug, Default)]
pub(super) struct JobLines {
    counts: Arc<WorkCounts>,
    /// The fields whose values an error must not repeat.
    #[cfg(feature = "web")]
    redaction: longshore_web::Redaction,
}

/// What a worker has done so far, and does now.
#[derive(Debug, Default)]
pub(super) struct WorkCounts {
    running: AtomicU64,
    completed: AtomicU64,
    will_retry: AtomicU64,
    gave_up: AtomicU64,
    others: AtomicU64,
}

impl WorkCounts {
    /// How many jobs run now.
    pub(super) fn running(&self) -> u64 {
        self.running.load(Ordering::Relaxed)
    }

    /// The counts in words. Those that are zero are left out, except the first two.
    pub(super) fn in_words(&self) -> String {
        let count = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let mut words = format!("{} running, {} completed", self.running(), count(&self.completed));
        for (number, name) in [
            (&self.will_retry, "failed and retried"),
            (&self.gave_up, "given up"),
            (&self.others, "returned or cancelled"),
        ] {
            if count(number) > 0 {
                words += &format!(", {} {name}", count(number));
            }
        }
        words
    }

    fn count(&self, outcome: &Outcome) {
        let counter = match outcome {
            Outcome::Completed { .. } => &self.completed,
            Outcome::Retrying { .. } => &self.will_retry,
            Outcome::DeadLetter { .. } => &self.gave_up,
            _ => &self.others,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }
}

impl JobLines {
    /// Hides the values of these fields in errors.
    #[cfg(feature = "web")]
    pub(super) fn redacting(redaction: longshore_web::Redaction) -> Self {
        Self { redaction, ..Self::default() }
    }

    /// The documents are read only if something is hidden.
    fn shown(&self, documents: impl FnOnce() -> Vec<JobData>, error: &str) -> String {
        #[cfg(feature = "web")]
        if !self.redaction.is_empty() {
            return self.redaction.text_of_job(&documents(), error);
        }
        #[cfg(not(feature = "web"))]
        let _ = documents;
        error.to_owned()
    }

    /// The counts, which go on.
    pub(super) fn counts(&self) -> Arc<WorkCounts> {
        Arc::clone(&self.counts)
    }
}

impl Middleware for JobLines {
    fn before<'a>(&'a self, _: &'a CurrentAttempt) -> BoxFuture<'a, Result<(), HandlerError>> {
        self.counts.running.fetch_add(1, Ordering::Relaxed);
        Box::pin(async { Ok(()) })
    }

    fn after<'a>(&'a self, attempt: &'a CurrentAttempt, outcome: &'a Outcome) -> BoxFuture<'a, ()> {
        self.counts.running.fetch_sub(1, Ordering::Relaxed);
        self.counts.count(outcome);
        let job = format!("{} #{}", one_line(attempt.job_type(), ERROR_CHARS_MAX), attempt.id());
        if attempt.stop_requested() == Some(StopCause::LeaseLost) {
            // A person or another program may have done it as well as another worker.
            tracing::warn!(
                target: WORKER,
                "lost {job}: it was taken over, changed or deleted meanwhile; the outcome of this attempt does not count"
            );
        } else {
            let error = |failure: &Failure| {
                // The whole error, because a part of a value is not found.
                one_line(&self.shown(|| attempt.documents(), &failure.message), ERROR_CHARS_MAX)
            };
            tell(&job, attempt.ran().unwrap_or_default(), outcome, error);
        }
        Box::pin(async {})
    }
}

fn tell(job: &str, ran: Duration, outcome: &Outcome, error: impl Fn(&Failure) -> String) {
    let ran = short(ran);
    match outcome {
        Outcome::Completed { .. } => tracing::info!(target: WORKER, "completed {job} in {ran}"),
        Outcome::Retrying { delay, failure } => {
            let delay = short(*delay);
            tracing::warn!(target: WORKER, "failed {job}, will retry in {delay}: {}", error(failure));
        }
        Outcome::DeadLetter { reason, failure } => {
            let reason = reason.sentence();
            tracing::error!(target: WORKER, "gave up {job}, {reason}: {}", error(failure));
        }
        Outcome::Expired { at, failure: Some(failure) } => {
            tracing::warn!(target: WORKER, "cancelled {job}, which expired at {at}: {}", error(failure));
        }
        Outcome::Expired { at, failure: None } => {
            tracing::warn!(target: WORKER, "cancelled {job}, which expired at {at}");
        }
        Outcome::Cancelled => tracing::info!(target: WORKER, "cancelled {job} after {ran}"),
        Outcome::Deferred { delay } => {
            let delay = short(*delay);
            tracing::info!(target: WORKER, "postponed {job}, will run again in {delay}");
        }
        Outcome::Returned => tracing::info!(target: WORKER, "returned {job} to its queue after {ran}"),
        Outcome::Crashed { failure } | Outcome::Lapsed { failure } => {
            tracing::error!(target: WORKER, "failed {job}: {}", error(failure));
        }
    }
}

#[cfg(test)]
mod tests {
    use longshore_core::{DeadLetterReason, FailureType, Timestamp};

    use super::*;
    use crate::output::log_lines::LogLines;

    fn line(outcome: &Outcome) -> String {
        let lines = LogLines::default();
        let written = lines.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_writer(move || lines.clone())
            .with_ansi(false)
            .without_time()
            .with_target(false)
            .finish();
        let lines = JobLines::default();
        let error = |failure: &Failure| one_line(&lines.shown(Vec::new, &failure.message), ERROR_CHARS_MAX);
        tracing::subscriber::with_default(subscriber, || tell("mail #12", Duration::from_millis(812), outcome, error));
        written.text()
    }

    #[cfg(feature = "web")]
    fn of_text(text: &str) -> JobData {
        JobData::parse(text).unwrap()
    }

    #[cfg(feature = "web")]
    #[test]
    fn an_error_does_not_repeat_the_value_of_a_redacted_field() {
        let lines = JobLines::redacting(longshore_web::Redaction::new(["password"]).unwrap());
        let documents = || [r#"{"password": "hunter2"}"#, r#"{"n": {"Password": 41111}}"#].map(of_text).to_vec();
        assert_eq!(lines.shown(documents, "no user with hunter2, 41111"), "no user with [redacted], [redacted]");
    }

    #[test]
    fn each_outcome_is_one_line_whose_level_says_whether_it_needs_a_person() {
        let failure = Failure::new(FailureType::NetworkError, "cannot reach mx.example.org\n  refused");
        let delay = Duration::from_secs(4);
        for (outcome, expected) in [
            (Outcome::Completed { result: None }, " INFO completed mail #12 in 0.8 s\n"),
            (
                Outcome::Retrying { delay, failure: failure.clone() },
                " WARN failed mail #12, will retry in 4 s: cannot reach mx.example.org   refused\n",
            ),
            (
                Outcome::DeadLetter {
                    reason: DeadLetterReason::RetriesSpent { attempts: 4 },
                    failure: Failure::new(FailureType::NetworkError, "no route"),
                },
                "ERROR gave up mail #12, all of its 4 attempts failed: no route\n",
            ),
            (Outcome::Cancelled, " INFO cancelled mail #12 after 0.8 s\n"),
            (Outcome::Deferred { delay }, " INFO postponed mail #12, will run again in 4 s\n"),
            (Outcome::Returned, " INFO returned mail #12 to its queue after 0.8 s\n"),
            (
                Outcome::Expired { at: Timestamp::from_ms(0), failure: None },
                " WARN cancelled mail #12, which expired at 1970-01-01T00:00:00.000Z\n",
            ),
        ] {
            assert_eq!(line(&outcome), expected);
        }
    }

    #[test]
    fn counts_of_what_did_not_happen_are_left_out() {
        let counts = WorkCounts::default();
        assert_eq!(counts.in_words(), "0 running, 0 completed");
        counts.count(&Outcome::Completed { result: None });
        counts.count(&Outcome::Cancelled);
        assert_eq!(counts.in_words(), "0 running, 1 completed, 1 returned or cancelled");
    }
}
