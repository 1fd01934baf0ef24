use std::time::Duration;

use crate::{
    AttemptOutcome, DeadLetterReason, Failure, FailureType, JobData, Overdue, RetryPolicy, Status, TimeBounds,
    Timestamp,
};

/// How an attempt ended, before it is decided what that means for its job.
#[derive(Clone, Debug, PartialEq)]
pub enum AttemptEnd {
    /// The handler succeeded.
    Completed {
        /// The result.
        result: Option<JobData>,
    },
    /// The handler failed, panicked or timed out.
    Failed(Failure),
    /// The handler failed, and chose when the job is retried.
    RetryRequested {
        /// The failure. Its type does not matter: the handler wants a retry.
        failure: Failure,
        /// The delay from the end of this attempt to the next one.
        delay: Duration,
    },
    /// The deadline of its job passed while it ran, and it was stopped.
    DeadlinePassed(Failure),
    /// The handler asked to run later.
    Snoozed {
        /// The delay.
        delay: Duration,
    },
    /// The job was cancelled, and the attempt has stopped.
    Cancelled,
    /// The worker is shutting down: the attempt is returned and not counted.
    Interrupted,
    /// Its worker died while it ran.
    Crashed(Suspects),
    /// The worker did not extend its lease, but it may still live: it may be frozen.
    Lapsed,
}

/// Which attempts may have caused the death of a worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Suspects {
    /// Only this attempt was running, so it is the cause.
    One,
    /// Other attempts were running too, or it is unknown which were: any of them may be the cause.
    Several,
}

/// What a job has spent and may spend: three separate budgets, and its time limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budgets {
    /// Retries spent.
    pub retry_count: u32,
    /// Retries allowed after the first attempt. `None` means as many as the policy allows.
    pub max_retries: Option<u32>,
    /// Crashes counted.
    pub crash_count: u32,
    /// The crash count at which the job becomes a dead letter, if the crash is certainly its own. Zero means the same
    /// as one.
    pub max_crashes: u32,
    /// Deferrals spent.
    pub deferral_count: u32,
    /// Deferrals allowed.
    pub max_deferrals: u32,
    /// Until when it may start, and until when it may run.
    pub time: TimeBounds,
}

impl Budgets {
    /// Whether a worker has died while the job ran. Until the cause is known, such a job runs alone.
    pub const fn is_suspect(&self) -> bool {
        self.crash_count > 0
    }
}

/// The result of an ended attempt: the one state change of its job.
///
/// It contains delays, never times of the worker's clock: the store adds them to its own time. Its expiry and deadline
/// are those that the store gave with the lease.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// `completed`
    Completed {
        /// The result.
        result: Option<JobData>,
    },
    /// `retrying`; spends a retry.
    Retrying {
        /// The delay from the end of this attempt to the next one.
        delay: Duration,
        /// The failure.
        failure: Failure,
    },
    /// `dead_letter`
    DeadLetter {
        /// Why the job is given up.
        reason: DeadLetterReason,
        /// The last failure.
        failure: Failure,
    },
    /// `cancelled`
    Cancelled,
    /// `cancelled`, because no attempt may start any more.
    Expired {
        /// Its expiry.
        at: Timestamp,
        /// The failure of the attempt, if it failed.
        failure: Option<Failure>,
    },
    /// `pending`, later; spends a deferral.
    Deferred {
        /// The delay from the end of this attempt until the job may run again.
        delay: Duration,
    },
    /// `pending`, now; spends nothing.
    Returned,
    /// `pending`, now; spends a crash.
    Crashed {
        /// What is known about it.
        failure: Failure,
    },
    /// `pending`, now; spends a crash only if another worker claims it.
    Lapsed {
        /// What is known about it.
        failure: Failure,
    },
}

impl Outcome {
    /// The status of the job after it.
    pub const fn status(&self) -> Status {
        match self {
            Self::Completed { .. } => Status::Completed,
            Self::Retrying { .. } => Status::Retrying,
            Self::DeadLetter { .. } => Status::DeadLetter,
            Self::Cancelled | Self::Expired { .. } => Status::Cancelled,
            Self::Deferred { .. } | Self::Returned | Self::Crashed { .. } | Self::Lapsed { .. } => Status::Pending,
        }
    }

    /// The word for its attempt in the history. A lease that lapsed counts as given back there.
    pub const fn of_attempt(&self) -> AttemptOutcome {
        match self {
            Self::Completed { .. } => AttemptOutcome::Completed,
            Self::Retrying { .. } => AttemptOutcome::Retrying,
            Self::DeadLetter { .. } => AttemptOutcome::DeadLetter,
            Self::Cancelled | Self::Expired { .. } => AttemptOutcome::Cancelled,
            Self::Deferred { .. } => AttemptOutcome::Deferred,
            Self::Returned | Self::Lapsed { .. } => AttemptOutcome::Returned,
            Self::Crashed { .. } => AttemptOutcome::Crashed,
        }
    }

    /// The failure of its attempt, if it failed.
    pub const fn failure(&self) -> Option<&Failure> {
        match self {
            Self::Retrying { failure, .. }
            | Self::DeadLetter { failure, .. }
            | Self::Crashed { failure }
            | Self::Lapsed { failure } => Some(failure),
            Self::Expired { failure, .. } => failure.as_ref(),
            Self::Completed { .. } | Self::Cancelled | Self::Deferred { .. } | Self::Returned => None,
        }
    }
}

/// Decides the outcome of an ended attempt.
///
/// `now` is the store's time at the end of the attempt, because it is compared with times that the store keeps.
/// `random` is uniform in [0, 1) and only spreads the delay. The function is pure: the same arguments give the same
/// outcome on every backend.
pub fn decide(budgets: &Budgets, end: AttemptEnd, policy: &RetryPolicy, now: Timestamp, random: f64) -> Outcome {
    match end {
        AttemptEnd::Completed { result } => Outcome::Completed { result },
        AttemptEnd::Cancelled => Outcome::Cancelled,
        AttemptEnd::Interrupted => Outcome::Returned,
        AttemptEnd::Snoozed { delay } => decide_snooze(budgets, delay, now),
        AttemptEnd::Crashed(suspects) => decide_crash(budgets, suspects),
        AttemptEnd::Lapsed => decide_lapse(budgets),
        AttemptEnd::Failed(failure) => decide_failure(budgets, failure, policy, now, random),
        AttemptEnd::RetryRequested { failure, delay } => decide_retry(budgets, failure, policy, delay, now),
        AttemptEnd::DeadlinePassed(failure) => {
            Overdue::DeadlinePassed(budgets.time.deadline_at.unwrap_or(now)).outcome(Some(failure))
        }
    }
}

fn decide_failure(budgets: &Budgets, failure: Failure, policy: &RetryPolicy, now: Timestamp, random: f64) -> Outcome {
    if !failure.failure_type.is_retried() {
        return Outcome::DeadLetter { reason: DeadLetterReason::NotRetried(failure.failure_type), failure };
    }
    decide_retry(budgets, failure, policy, policy.delay(budgets.retry_count, random), now)
}

/// If the retries are spent, or a retry could not start in time, the job ends at once with the failure.
fn decide_retry(budgets: &Budgets, failure: Failure, policy: &RetryPolicy, delay: Duration, now: Timestamp) -> Outcome {
    if budgets.retry_count >= budgets.max_retries.unwrap_or(policy.retries) {
        let attempts = budgets.retry_count.saturating_add(1);
        return Outcome::DeadLetter { reason: DeadLetterReason::RetriesSpent { attempts }, failure };
    }
    match budgets.time.overdue_at(now.after(delay)) {
        Some(overdue) => overdue.outcome(Some(failure)),
        None => Outcome::Retrying { delay, failure },
    }
}

fn decide_snooze(budgets: &Budgets, delay: Duration, now: Timestamp) -> Outcome {
    if budgets.deferral_count < budgets.max_deferrals {
        return match budgets.time.overdue_at(now.after(delay)) {
            Some(overdue) => overdue.outcome(None),
            None => Outcome::Deferred { delay },
        };
    }
    let reason = DeadLetterReason::DeferralsSpent { deferrals: budgets.deferral_count };
    // Shown behind the reason, so it does not repeat it.
    let failure = Failure::new(FailureType::WorkerError, "it asked to be deferred again");
    Outcome::DeadLetter { reason, failure }
}

/// Only a death that is certainly its own makes a job a dead letter. With several suspects the crash is counted,
/// whatever the budget, and the job runs alone from then on.
fn decide_crash(budgets: &Budgets, suspects: Suspects) -> Outcome {
    let crashes = budgets.crash_count.saturating_add(1);
    let failure = Failure::new(FailureType::WorkerError, "the worker died while it ran this job");
    if suspects == Suspects::One && crashes >= budgets.max_crashes {
        return Outcome::DeadLetter { reason: DeadLetterReason::CrashesSpent { crashes }, failure };
    }
    Outcome::Crashed { failure }
}

/// A frozen worker is not a dead worker: if it comes back, it may continue its job, and nothing is spent. A claim by
/// another worker spends a crash. If such claims have spent all crashes, the job ends here, so that a job that freezes
/// its workers does not run for ever.
fn decide_lapse(budgets: &Budgets) -> Outcome {
    let failure = Failure::new(FailureType::WorkerError, "its worker did not extend its lease");
    if budgets.crash_count >= budgets.max_crashes.max(1) {
        let reason = DeadLetterReason::CrashesSpent { crashes: budgets.crash_count };
        return Outcome::DeadLetter { reason, failure };
    }
    Outcome::Lapsed { failure }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_ms(1_000_000);
    const FRESH: Budgets = Budgets {
        retry_count: 0,
        max_retries: Some(3),
        crash_count: 0,
        max_crashes: 3,
        deferral_count: 0,
        max_deferrals: 2,
        time: TimeBounds { expires_at: None, deadline_at: None },
    };

    fn decided(budgets: Budgets, end: AttemptEnd) -> Outcome {
        decide(&budgets, end, &RetryPolicy::quick(), NOW, 0.5)
    }

    fn failed(failure_type: FailureType) -> AttemptEnd {
        AttemptEnd::Failed(Failure::new(failure_type, "went wrong"))
    }

    #[test]
    fn a_failed_attempt_is_retried_until_its_retries_are_spent() {
        let outcome = decided(Budgets { retry_count: 2, ..FRESH }, failed(FailureType::NetworkError));
        assert!(matches!(outcome, Outcome::Retrying { delay, .. } if delay == Duration::from_secs(4)));
        let outcome = decided(Budgets { retry_count: 3, ..FRESH }, failed(FailureType::NetworkError));
        let reason = DeadLetterReason::RetriesSpent { attempts: 4 };
        assert!(matches!(outcome, Outcome::DeadLetter { reason: given, .. } if given == reason));
    }

    #[test]
    fn a_job_that_sets_no_retries_has_those_of_the_policy_of_its_type() {
        let spent = |retry_count, policy: &RetryPolicy| {
            let budgets = Budgets { retry_count, max_retries: None, ..FRESH };
            let outcome = decide(&budgets, failed(FailureType::NetworkError), policy, NOW, 0.5);
            matches!(outcome, Outcome::DeadLetter { .. })
        };
        for (policy, retries) in [(RetryPolicy::quick(), 3), (RetryPolicy::default(), 15), (RetryPolicy::delays([]), 0)]
        {
            assert!(retries == 0 || !spent(retries - 1, &policy), "{policy:?}");
            assert!(spent(retries, &policy), "{policy:?}");
        }
    }

    fn requested(seconds: u64, failure_type: FailureType) -> AttemptEnd {
        let failure = Failure::new(failure_type, "too many requests");
        AttemptEnd::RetryRequested { failure, delay: Duration::from_secs(seconds) }
    }

    #[test]
    fn a_requested_retry_has_its_own_delay_and_spends_a_retry() {
        for failure_type in FailureType::ALL {
            let outcome = decided(Budgets { retry_count: 2, ..FRESH }, requested(90, failure_type));
            assert!(matches!(outcome, Outcome::Retrying { delay, .. } if delay == Duration::from_secs(90)));
        }
        let outcome = decided(Budgets { retry_count: 3, ..FRESH }, requested(90, FailureType::NetworkError));
        let reason = DeadLetterReason::RetriesSpent { attempts: 4 };
        assert!(matches!(outcome, Outcome::DeadLetter { reason: given, .. } if given == reason));
    }

    #[test]
    fn a_requested_retry_beyond_expiry_or_deadline_ends_the_job() {
        let request = || requested(9, FailureType::NetworkError);
        assert!(matches!(decided(bound(Some(9), None), request()), Outcome::Expired { failure: Some(_), .. }));
        assert!(matches!(decided(bound(None, Some(9)), request()), Outcome::DeadLetter { .. }));
        assert!(matches!(decided(bound(Some(10), Some(10)), request()), Outcome::Retrying { .. }));
    }

    fn bound(expires_in: Option<u64>, deadline_in: Option<u64>) -> Budgets {
        let time = TimeBounds::from_now(NOW, expires_in.map(Duration::from_secs), deadline_in.map(Duration::from_secs));
        Budgets { time, ..FRESH }
    }

    #[test]
    fn a_retry_that_could_not_begin_before_the_expiry_is_not_made() {
        let failure = Failure::new(FailureType::NetworkError, "went wrong");
        let outcome = decided(bound(Some(1), None), failed(FailureType::NetworkError));
        let expired = Outcome::Expired { at: NOW.after(Duration::from_secs(1)), failure: Some(failure) };
        assert_eq!(outcome, expired);
        let in_time = decided(bound(Some(2), None), failed(FailureType::NetworkError));
        assert!(matches!(in_time, Outcome::Retrying { .. }), "{in_time:?}");
    }

    #[test]
    fn a_retry_that_could_not_begin_before_the_deadline_makes_a_dead_letter() {
        let reason = DeadLetterReason::DeadlinePassed { at: NOW.after(Duration::from_secs(1)) };
        let outcome = decided(bound(None, Some(1)), failed(FailureType::NetworkError));
        assert!(
            matches!(&outcome, Outcome::DeadLetter { reason: given, failure } if *given == reason
                && failure.failure_type == FailureType::NetworkError),
            "{outcome:?}"
        );
    }

    #[test]
    fn an_attempt_that_the_deadline_stopped_ends_its_job_whatever_is_left_to_spend() {
        let failure = Failure::new(FailureType::TimeoutError, "stopped");
        for retry_count in [0, 3] {
            let budgets = Budgets { retry_count, ..bound(None, Some(0)) };
            let outcome = decided(budgets, AttemptEnd::DeadlinePassed(failure.clone()));
            let reason = DeadLetterReason::DeadlinePassed { at: NOW };
            assert_eq!(outcome, Outcome::DeadLetter { reason, failure: failure.clone() });
        }
    }

    #[test]
    fn a_snooze_beyond_expiry_or_deadline_ends_the_job() {
        let snooze = || AttemptEnd::Snoozed { delay: Duration::from_secs(9) };
        let at = NOW.after(Duration::from_secs(9));
        assert_eq!(decided(bound(Some(9), None), snooze()), Outcome::Expired { at, failure: None });
        assert!(matches!(decided(bound(None, Some(9)), snooze()), Outcome::DeadLetter { .. }));
        assert!(matches!(decided(bound(Some(10), Some(10)), snooze()), Outcome::Deferred { .. }));
    }

    #[test]
    fn neither_expiry_nor_deadline_takes_a_success_away() {
        let completed = || AttemptEnd::Completed { result: None };
        assert_eq!(decided(bound(Some(0), Some(0)), completed()), Outcome::Completed { result: None });
    }

    #[test]
    fn a_wrong_payload_is_given_up_at_once() {
        let outcome = decided(FRESH, failed(FailureType::ValidationError));
        let reason = DeadLetterReason::NotRetried(FailureType::ValidationError);
        assert!(matches!(outcome, Outcome::DeadLetter { reason: given, .. } if given == reason));
    }

    #[test]
    fn crashes_are_counted_apart_from_attempts() {
        let spent = Budgets { retry_count: 3, ..FRESH };
        assert!(matches!(decided(spent, AttemptEnd::Crashed(Suspects::One)), Outcome::Crashed { .. }));
        let third = Budgets { crash_count: 2, ..FRESH };
        let reason = DeadLetterReason::CrashesSpent { crashes: 3 };
        let outcome = decided(third, AttemptEnd::Crashed(Suspects::One));
        assert!(matches!(outcome, Outcome::DeadLetter { reason: given, .. } if given == reason));
    }

    #[test]
    fn only_a_crash_that_is_surely_its_own_makes_a_job_a_dead_letter() {
        for (crash_count, max_crashes) in [(0, 0), (0, 1), (0, 3), (1, 3), (2, 3), (7, 3), (u32::MAX, 3)] {
            let budgets = Budgets { crash_count, max_crashes, ..FRESH };
            let several = decided(budgets, AttemptEnd::Crashed(Suspects::Several));
            assert!(matches!(several, Outcome::Crashed { .. }), "{budgets:?} {several:?}");
            let one = decided(budgets, AttemptEnd::Crashed(Suspects::One));
            let is_given_up = crash_count.saturating_add(1) >= max_crashes;
            assert_eq!(matches!(one, Outcome::DeadLetter { .. }), is_given_up, "{budgets:?} {one:?}");
        }
    }

    #[test]
    fn a_job_that_crashed_before_is_a_suspect() {
        assert!(!FRESH.is_suspect());
        assert!(Budgets { crash_count: 1, ..FRESH }.is_suspect());
    }

    #[test]
    fn a_snooze_spends_a_deferral_and_never_an_attempt() {
        let snooze = || AttemptEnd::Snoozed { delay: Duration::from_secs(9) };
        let spent = Budgets { retry_count: 3, ..FRESH };
        assert_eq!(decided(spent, snooze()), Outcome::Deferred { delay: Duration::from_secs(9) });
        let deferred = Budgets { deferral_count: 2, ..FRESH };
        let outcome = decided(deferred, snooze());
        let Outcome::DeadLetter { reason, failure } = &outcome else { panic!("{outcome:?}") };
        assert_eq!(*reason, DeadLetterReason::DeferralsSpent { deferrals: 2 });
        assert_ne!(failure.message, reason.sentence(), "both are shown together");
    }

    #[test]
    fn a_lapsed_lease_spends_nothing_by_itself_but_ends_a_job_whose_crashes_are_spent() {
        let lapsed =
            |crash_count, max_crashes| decided(Budgets { crash_count, max_crashes, ..FRESH }, AttemptEnd::Lapsed);
        for (crash_count, max_crashes) in [(0, 3), (2, 3), (0, 0), (0, 1)] {
            assert!(matches!(lapsed(crash_count, max_crashes), Outcome::Lapsed { .. }), "{crash_count} {max_crashes}");
        }
        for (crashes, max_crashes) in [(3, 3), (1, 0), (1, 1)] {
            let reason = DeadLetterReason::CrashesSpent { crashes };
            let outcome = lapsed(crashes, max_crashes);
            assert!(matches!(outcome, Outcome::DeadLetter { reason: given, .. } if given == reason), "{outcome:?}");
        }
    }

    #[test]
    fn a_shutdown_gives_the_attempt_back() {
        assert_eq!(decided(FRESH, AttemptEnd::Interrupted), Outcome::Returned);
    }

    /// What each outcome makes of the job, the word for its attempt, and whether that attempt has a failure.
    #[test]
    fn the_history_says_of_each_outcome_what_its_attempt_was() {
        let failure = || Failure::new(FailureType::NetworkError, "went wrong");
        let (delay, at) = (Duration::from_secs(1), NOW);
        let reason = DeadLetterReason::RetriesSpent { attempts: 1 };
        let table = [
            (Outcome::Completed { result: None }, Status::Completed, AttemptOutcome::Completed, false),
            (Outcome::Retrying { delay, failure: failure() }, Status::Retrying, AttemptOutcome::Retrying, true),
            (Outcome::DeadLetter { reason, failure: failure() }, Status::DeadLetter, AttemptOutcome::DeadLetter, true),
            (Outcome::Cancelled, Status::Cancelled, AttemptOutcome::Cancelled, false),
            (Outcome::Expired { at, failure: None }, Status::Cancelled, AttemptOutcome::Cancelled, false),
            (Outcome::Expired { at, failure: Some(failure()) }, Status::Cancelled, AttemptOutcome::Cancelled, true),
            (Outcome::Deferred { delay }, Status::Pending, AttemptOutcome::Deferred, false),
            (Outcome::Returned, Status::Pending, AttemptOutcome::Returned, false),
            (Outcome::Crashed { failure: failure() }, Status::Pending, AttemptOutcome::Crashed, true),
            (Outcome::Lapsed { failure: failure() }, Status::Pending, AttemptOutcome::Returned, true),
        ];
        for (outcome, status, word, has_failed) in table {
            let found = (outcome.status(), outcome.of_attempt(), outcome.failure().is_some());
            assert_eq!(found, (status, word, has_failed), "{outcome:?}");
        }
    }
}
