use std::time::Duration;

/// How long to wait before the next attempt.
///
/// delay(n) = min(`first_delay` · `factor`ⁿ, `delay_max`) · (1 + `jitter` · (2r − 1)), capped at `delay_max`
///
/// n counts retries from zero and r is uniform in [0, 1): exponential backoff with proportional jitter.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RetryPolicy {
    /// The delay before the first retry.
    pub first_delay: Duration,
    /// The factor between two delays; at least 1.
    pub factor: f64,
    /// The longest delay.
    pub delay_max: Duration,
    /// The maximum random change of a delay, as a fraction from 0 to 1.
    pub jitter: f64,
}

impl Default for RetryPolicy {
    /// 1 s, doubled each time, at most 300 s, ±10 %.
    fn default() -> Self {
        Self { first_delay: Duration::from_secs(1), factor: 2.0, delay_max: Duration::from_secs(300), jitter: 0.1 }
    }
}

impl RetryPolicy {
    /// The delay before retry number `retry`, which counts from zero. `random` is uniform in [0, 1).
    pub fn delay(&self, retry: u32, random: f64) -> Duration {
        let exponent = i32::try_from(retry).unwrap_or(i32::MAX);
        let grown = self.first_delay.as_secs_f64() * self.factor.powi(exponent);
        let longest = self.delay_max.as_secs_f64();
        let spread = 1.0 + self.jitter * (2.0 * random - 1.0);
        let seconds = (grown.min(longest) * spread).clamp(0.0, longest);
        Duration::try_from_secs_f64(seconds).unwrap_or(self.delay_max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIDDLE: f64 = 0.5;

    #[test]
    fn delays_double_from_one_second_to_five_minutes() {
        let policy = RetryPolicy::default();
        let delays: Vec<u64> = (0..11).map(|retry| policy.delay(retry, MIDDLE).as_secs()).collect();
        assert_eq!(delays, [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]);
    }

    #[test]
    fn jitter_stays_within_a_tenth_and_below_the_longest_delay() {
        let policy = RetryPolicy::default();
        assert_eq!(policy.delay(0, 0.0), Duration::from_millis(900));
        assert!(policy.delay(0, 0.999_999) < Duration::from_millis(1100));
        assert_eq!(policy.delay(u32::MAX, 0.999_999), Duration::from_secs(300));
    }

    #[test]
    fn absurd_policies_neither_panic_nor_overflow() {
        let policy =
            RetryPolicy { first_delay: Duration::MAX, factor: f64::NAN, delay_max: Duration::MAX, jitter: 1.0 };
        let _ = policy.delay(7, 0.3);
        assert_eq!(RetryPolicy { delay_max: Duration::ZERO, ..policy }.delay(1, MIDDLE), Duration::ZERO);
    }
}
