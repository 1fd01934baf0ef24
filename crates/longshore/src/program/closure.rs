use std::time::{Duration, Instant};

/// The first pause after a program did not become ready, and the longest.
const PAUSE_FIRST: Duration = Duration::from_secs(1);
const PAUSE_MAX: Duration = Duration::from_secs(300);
/// After so many failures in a row nobody should wait for the program: that is seven seconds of pauses.
const FAILURES_MAX: u32 = 4;

/// Whether a type is closed because its program does not become ready, and for how long.
#[derive(Debug, Default)]
pub(super) struct Closure {
    failures: u32,
    closed: Option<Closed>,
}

/// A closed type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Closed {
    pub(super) until: Instant,
    /// Why, in words that follow the name of the program.
    pub(super) why: String,
}

impl Closure {
    /// The number of closures in a row. Programs that are started in the same round count as one.
    pub(super) const fn round(&self) -> u32 {
        self.failures
    }

    /// A program that was started in a round did not become ready. The type is closed, each time in a row for twice as
    /// long; answers for how long. `None` if another program of that round has closed it.
    pub(super) fn close(&mut self, round: u32, why: &str, now: Instant) -> Option<Duration> {
        if round != self.failures && self.closed(now).is_some() {
            return None;
        }
        let pause = PAUSE_FIRST.saturating_mul(2_u32.saturating_pow(self.failures)).min(PAUSE_MAX);
        self.failures = self.failures.saturating_add(1);
        self.closed = Some(Closed { until: now + pause, why: why.to_owned() });
        Some(pause)
    }

    /// A program has taken a job.
    pub(super) fn open(&mut self) {
        *self = Self::default();
    }

    /// The closed type, unless its pause is over.
    pub(super) fn closed(&self, now: Instant) -> Option<&Closed> {
        self.closed.as_ref().filter(|closed| now < closed.until)
    }

    /// Why the last program did not become ready, if that has failed so often in a row that a drain does not wait for it.
    pub(super) fn given_up(&self) -> Option<&str> {
        self.closed.as_ref().filter(|_| self.failures >= FAILURES_MAX).map(|closed| closed.why.as_str())
    }

    /// Whether the last program did not become ready. Then one at a time is tried.
    pub(super) const fn is_doubtful(&self) -> bool {
        self.failures > 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_failure_in_a_row_closes_for_twice_as_long_up_to_a_limit() {
        let (mut closure, now) = (Closure::default(), Instant::now());
        let pauses: Vec<u64> = (0..12).map(|round| closure.close(round, "died", now).unwrap().as_secs()).collect();
        assert_eq!(pauses, [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300]);
        assert_eq!(closure.closed(now).unwrap().why, "died");
        assert!(closure.closed(now + PAUSE_MAX).is_none() && closure.is_doubtful());
        closure.open();
        assert!(closure.closed(now).is_none() && !closure.is_doubtful());
        assert_eq!(closure.close(0, "died", now), Some(PAUSE_FIRST));
    }

    #[test]
    fn a_program_is_given_up_after_some_failures_in_a_row() {
        let (mut closure, now) = (Closure::default(), Instant::now());
        for round in 0..FAILURES_MAX {
            assert_eq!(closure.given_up(), None);
            closure.close(round, "died", now);
        }
        assert_eq!(closure.given_up(), Some("died"));
        closure.open();
        assert_eq!(closure.given_up(), None);
    }

    #[test]
    fn programs_that_were_started_together_close_once() {
        let (mut closure, now) = (Closure::default(), Instant::now());
        assert_eq!(closure.close(0, "died", now), Some(PAUSE_FIRST));
        assert_eq!(closure.close(0, "died too", now), None);
        assert_eq!((closure.round(), closure.closed(now).unwrap().why.as_str()), (1, "died"));
        // One that took so long that the pause is over says something new.
        assert_eq!(closure.close(0, "died late", now + PAUSE_FIRST), Some(2 * PAUSE_FIRST));
    }
}
