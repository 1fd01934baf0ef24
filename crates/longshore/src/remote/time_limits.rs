use std::collections::HashMap;
use std::time::Duration;

use longshore_core::{ClaimNumber, Job, JobId, Lease, Timestamp};

use crate::worker::attempt::attempt_end::TimeLimit;

/// How long a worker may go on after it was told that the time of an attempt is over. Then the attempt counts as timed out.
pub(super) const GRACE: Duration = Duration::from_secs(30);

/// The time limits of what a worker holds, as far as this process knows them.
#[derive(Debug, Default)]
pub(super) struct TimeLimits {
    known: HashMap<(JobId, ClaimNumber), Option<AttemptLimit>>,
}

/// Until when an attempt may run, by the store's clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct AttemptLimit {
    pub(super) ends_at: Timestamp,
    pub(super) limit: TimeLimit,
}

impl AttemptLimit {
    /// The earlier one of timeout and deadline.
    fn new(began_at: Timestamp, timeout: Option<Duration>, deadline_at: Option<Timestamp>) -> Option<Self> {
        let timeout = timeout.map(|span| Self { ends_at: began_at.after(span), limit: TimeLimit::OfAttempt(span) });
        let deadline =
            deadline_at.map(|ends_at| Self { ends_at, limit: TimeLimit::ToDeadline(ends_at.since(began_at)) });
        timeout.into_iter().chain(deadline).min_by_key(|limit| limit.ends_at)
    }

    pub(super) fn of_lease(lease: &Lease, timeout: Option<Duration>, now: Timestamp) -> Option<Self> {
        Self::new(now, lease.timeout.or(timeout), lease.budgets.time.deadline_at)
    }

    pub(super) fn of_job(job: &Job, timeout: Option<Duration>) -> Option<Self> {
        Self::new(job.started_at?, job.timeout.or(timeout), job.deadline_at)
    }
}

impl TimeLimits {
    pub(super) fn set(&mut self, claim: (JobId, ClaimNumber), limit: Option<AttemptLimit>) {
        self.known.insert(claim, limit);
    }

    /// The limit of an attempt, if that is known; inside, none if it has no limit.
    pub(super) fn of(&self, claim: (JobId, ClaimNumber)) -> Option<Option<AttemptLimit>> {
        self.known.get(&claim).copied()
    }

    pub(super) fn keep_only(&mut self, is_held: impl Fn(&(JobId, ClaimNumber)) -> bool) {
        self.known.retain(|claim, _| is_held(claim));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_earlier_of_timeout_and_deadline_is_the_limit() {
        let at = |seconds: i64| Timestamp::from_ms(seconds * 1000);
        let limit = |timeout: Option<u64>, deadline: Option<i64>| {
            AttemptLimit::new(at(10), timeout.map(Duration::from_secs), deadline.map(at)).map(|limit| limit.ends_at)
        };
        assert_eq!(limit(None, None), None);
        assert_eq!(limit(Some(5), Some(20)), Some(at(15)));
        assert_eq!(limit(Some(50), Some(20)), Some(at(20)));
        let deadline = AttemptLimit::new(at(10), None, Some(at(20))).unwrap();
        assert_eq!(deadline.limit, TimeLimit::ToDeadline(Duration::from_secs(10)));
    }
}
