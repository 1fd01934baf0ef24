use std::time::{Duration, Instant};

/// The first pause after a program did not become ready, and the longest.
const PAUSE_FIRST: Duration = Duration::from_secs(1);
const PAUSE_MAX: Duration = Duration::from_secs(300);

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
    /// A program did not become ready. The type is closed, each time in a row for twice as long.
    pub(super) fn close(&mut self, why: String, now: Instant) -> Duration {
        let pause = PAUSE_FIRST.saturating_mul(2_u32.saturating_pow(self.failures)).min(PAUSE_MAX);
        self.failures = self.failures.saturating_add(1);
        self.closed = Some(Closed { until: now + pause, why });
        pause
    }

    /// A program has taken a job.
    pub(super) fn open(&mut self) {
        *self = Self::default();
    }

    /// The closed type, unless its pause is over.
    pub(super) fn closed(&self, now: Instant) -> Option<&Closed> {
        self.closed.as_ref().filter(|closed| now < closed.until)
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
        let pauses: Vec<u64> = (0..12).map(|_| closure.close("died".to_owned(), now).as_secs()).collect();
        assert_eq!(pauses, [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300]);
        assert_eq!(closure.closed(now).unwrap().why, "died");
        assert!(closure.closed(now + PAUSE_MAX).is_none() && closure.is_doubtful());
        closure.open();
        assert!(closure.closed(now).is_none() && !closure.is_doubtful());
        assert_eq!(closure.close("died".to_owned(), now), PAUSE_FIRST);
    }
}
