use std::time::Duration;

use crate::{DeadLetterReason, Failure, FailureType, Outcome, Status, Timestamp};

/// The times that limit a job, independent of its budgets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct TimeBounds {
    /// No attempt starts at or after this time. A running attempt continues.
    pub expires_at: Option<Timestamp>,
    /// No attempt starts at or after this time, and a running attempt is stopped.
    pub deadline_at: Option<Timestamp>,
}

/// Which limit of a job has passed, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Overdue {
    /// Its expiry: the job ends as `cancelled`.
    Expired(Timestamp),
    /// Its deadline: the job ends as `dead_letter`.
    DeadlinePassed(Timestamp),
}

impl TimeBounds {
    /// The limits of a job that is enqueued now.
    pub fn from_now(now: Timestamp, expires_in: Option<Duration>, deadline_in: Option<Duration>) -> Self {
        Self {
            expires_at: expires_in.map(|span| now.after(span)),
            deadline_at: deadline_in.map(|span| now.after(span)),
        }
    }

    /// Why no attempt may start at `instant`: the limit that passes first. If both pass at the same time, the expiry.
    /// `None` if an attempt may start.
    pub fn overdue_at(self, instant: Timestamp) -> Option<Overdue> {
        let passed = |bound: &Timestamp| *bound <= instant;
        match (self.expires_at.filter(passed), self.deadline_at.filter(passed)) {
            (Some(expiry), deadline) if deadline.is_none_or(|deadline| expiry <= deadline) => {
                Some(Overdue::Expired(expiry))
            }
            (_, deadline) => deadline.map(Overdue::DeadlinePassed),
        }
    }

    /// How long an attempt that starts now may run before the deadline.
    pub fn time_left(self, now: Timestamp) -> Option<Duration> {
        self.deadline_at.map(|deadline| deadline.since(now))
    }
}

impl Overdue {
    /// The final status of the job.
    pub const fn status(self) -> Status {
        match self {
            Self::Expired(_) => Status::Cancelled,
            Self::DeadlinePassed(_) => Status::DeadLetter,
        }
    }

    /// The reason that is stored with the job.
    pub const fn reason(self) -> DeadLetterReason {
        match self {
            Self::Expired(at) => DeadLetterReason::Expired { at },
            Self::DeadlinePassed(at) => DeadLetterReason::DeadlinePassed { at },
        }
    }

    /// The outcome of an attempt that may not start, or after which no retry is allowed. `failure` is its failure, if
    /// it failed.
    pub fn outcome(self, failure: Option<Failure>) -> Outcome {
        let reason = self.reason();
        match self {
            Self::Expired(at) => Outcome::Expired { at, failure },
            Self::DeadlinePassed(_) => {
                // Shown behind the reason, so it does not repeat it.
                let late = || Failure::new(FailureType::TimeoutError, "it had not completed before its deadline");
                let failure = failure.unwrap_or_else(late);
                Outcome::DeadLetter { reason, failure }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bounds(expires_at: Option<i64>, deadline_at: Option<i64>) -> TimeBounds {
        TimeBounds { expires_at: expires_at.map(Timestamp::from_ms), deadline_at: deadline_at.map(Timestamp::from_ms) }
    }

    #[test]
    fn the_bound_that_passes_first_says_how_a_job_ends() {
        let at = Timestamp::from_ms(10);
        for (expires_at, deadline_at, expected) in [
            (None, None, None),
            (Some(11), Some(11), None),
            (Some(10), None, Some(Overdue::Expired(at))),
            (Some(10), Some(10), Some(Overdue::Expired(at))),
            (Some(11), Some(10), Some(Overdue::DeadlinePassed(at))),
            (Some(10), Some(9), Some(Overdue::DeadlinePassed(Timestamp::from_ms(9)))),
            (Some(9), Some(10), Some(Overdue::Expired(Timestamp::from_ms(9)))),
        ] {
            assert_eq!(bounds(expires_at, deadline_at).overdue_at(at), expected, "{expires_at:?} {deadline_at:?}");
        }
    }

    #[test]
    fn the_bounds_count_from_the_enqueue_and_end_with_time_itself() {
        let now = Timestamp::from_ms(5);
        let bounds = TimeBounds::from_now(now, Some(Duration::from_millis(7)), Some(Duration::MAX));
        assert_eq!(bounds.expires_at, Some(Timestamp::from_ms(12)));
        assert_eq!(bounds.deadline_at, Some(Timestamp::MAX));
        assert_eq!(TimeBounds::from_now(now, None, None), TimeBounds::default());
    }

    #[test]
    fn past_the_deadline_no_time_is_left() {
        assert_eq!(bounds(None, Some(4)).time_left(Timestamp::from_ms(9)), Some(Duration::ZERO));
        assert_eq!(bounds(Some(4), None).time_left(Timestamp::from_ms(1)), None);
    }
}
